"""``kfp-sdg generate``: killed, stopped, given nothing to learn from, or asked wrongly."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from kfp_sdg.cli.__main__ import main
from kfp_sdg.engine import read_run
from signals import reset_signals
from stub_teacher import StubTeacher
from taxonomies import skill, write_leaf
from taxonomy_runs import LEAVES, PIECES, SUFFIX, arguments, contents, go
from taxonomy_runs import made as made
from training_files import read_lines

if TYPE_CHECKING:
    from pathlib import Path


def test_a_killed_run_goes_on_under_its_date_and_ends_as_if_it_had_been_left_alone(
    made: Path, stub_teacher: StubTeacher
) -> None:
    command = [sys.executable, "-m", "kfp_sdg.cli", *arguments(stub_teacher)]
    stub_teacher.latency = 0.02
    paid = 0
    for kill_after in (10, 60, 200):
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, preexec_fn=reset_signals
        )
        while len(stub_teacher.requests) < paid + kill_after and process.poll() is None:
            time.sleep(0.005)
        process.kill()
        assert process.wait() == -signal.SIGKILL
        time.sleep(0.1)  # what it had sent may still be on its way
        paid = len(stub_teacher.requests)
        assert (made / "out" / "checkpoint").is_dir()
    stub_teacher.latency = 0
    last = subprocess.run(command, check=False, capture_output=True, text=True)
    assert last.returncode == 0, last.stderr
    assert "Resuming from out/checkpoint" in last.stderr
    assert "Going on with the run 20" in last.stderr

    [train] = (made / "out").glob("train_*.jsonl")
    date = train.stem.removeprefix("train_")
    assert {name.count(date) for name in contents(made / "out")} == {1}
    went_on = len(stub_teacher.requests)
    (made / "out").rename(made / "killed")
    assert main(arguments(stub_teacher, "--date-suffix", date)) == 0
    needed = len(stub_teacher.requests) - went_on
    assert contents(made / "out") == contents(made / "killed")
    assert went_on - needed < needed / 2


def test_what_a_stopped_run_finished_is_kept_and_told(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with StubTeacher(poison={"On letters": 401}) as stub:
        assert go(stub, "--pipeline", "simple", "--scale-factor", "1") == 1
    told = capsys.readouterr().err
    assert "the same command goes on from there" in told
    run = made / "out" / f"run_{SUFFIX}"
    assert read_run(run / "knowledge").rows.num_rows == PIECES
    assert not (made / "out" / f"generated_{SUFFIX}").exists()
    with StubTeacher() as stub:
        assert go(stub, "--pipeline", "simple", "--scale-factor", "1") == 0
        assert len(stub.requests) < PIECES * 2 + 30
    assert not (made / "out" / "checkpoint").exists()


def test_the_answers_of_a_stopped_run_outlive_a_run_of_another_taxonomy(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--pipeline", "simple", "--scale-factor", "1")
    with StubTeacher(poison={"On letters": 401}) as stub:
        assert main(arguments(stub, *options)) == 1
    write_leaf(made / "other", "compositional_skills/odes", skill())
    with StubTeacher() as stub:
        assert main([*arguments(stub, *options), "--taxonomy", "other"]) == 0
        asked = len(stub.requests)
        told = " ".join(capsys.readouterr().err.split())
        assert f"out/checkpoint stays: the run of {made}/taxonomy has not succeeded yet." in told
        assert main(arguments(stub, *options)) == 0
        assert len(stub.requests) - asked < PIECES * 2 + 30
    assert len(list((made / "out").glob("train_*.jsonl"))) == 2
    assert not (made / "out" / "checkpoint").exists()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 130)]
)
def test_a_run_that_is_told_to_end_keeps_what_was_finished(
    made: Path, number: signal.Signals, code: int
) -> None:
    slow = {"On letters": 5.0}  # the grounded skills, which come last

    def latency(prompt: str) -> float:
        return next((seconds for text, seconds in slow.items() if text in prompt), 0.0)

    with StubTeacher(latency=latency) as stub:
        options = ("--pipeline", "simple", "--scale-factor", "1", "--date-suffix", SUFFIX)
        process = subprocess.Popen(
            [sys.executable, "-m", "kfp_sdg.cli", *arguments(stub, *options)],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            preexec_fn=reset_signals,
        )
        assert process.stderr is not None
        told = ""
        while "Grounded skills" not in told:
            told += process.stderr.readline()
        while "On letters" not in "".join(stub.prompts):
            time.sleep(0.01)
        process.send_signal(number)
        told += process.communicate(timeout=60)[1]
    assert process.returncode == code
    assert "kept in out/checkpoint; the same command goes on from there" in told
    run = made / "out" / f"run_{SUFFIX}"
    assert read_run(run / "knowledge").rows.num_rows == PIECES
    assert read_run(run / "freeform_skill").rows.num_rows == 18


def test_a_leaf_without_questions_to_test_with_is_warned_of(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def answer(ask: Any) -> str:
        asked = "Write multiple-choice questions" in ask.prompt
        return "no tags" if asked else f"What is {ask.number}? It is round, {ask.prompt[-40:]}"

    with StubTeacher(answer=answer) as stub:
        options = ("--pipeline", "simple", "--scale-factor", "1", "--max-rejected", "100%")
        assert go(stub, *options) == 0
    told = " ".join(capsys.readouterr().err.split())
    assert f"Warning: there are no questions to test {LEAVES[3]} with: 5 rejected at gen_" in told


def empty_rhymes(ask: Any) -> str:
    return "no question mark here" if "On rhymes" in ask.prompt else "What is it? It is round."


def test_a_leaf_that_gave_nothing_fails_the_run_with_the_reason_after_all_is_written(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with StubTeacher(answer=empty_rhymes) as stub:
        options = ("--pipeline", "simple", "--scale-factor", "1", "--no-eval")
        assert go(stub, *options) == 1
        told = capsys.readouterr()
        assert "nothing came of 1 of 4 leaves" in told.err
        assert "compositional_skills_rhymes: 10 seed rows; " in told.err
        assert "(no_question_mark)" in told.err
        assert "; --allow-empty accepts it." in told.err
        assert "another run asks only for what is new." in told.err
        assert (made / "out" / f"skills_train_msgs_{SUFFIX}.jsonl").is_file()
        rejected = read_lines(made / "out" / f"run_{SUFFIX}" / "rejected_for_training.jsonl")
        assert {row["leaf_node_path"] for row in rejected} == {"compositional_skills_rhymes"}

        asked = len(stub.requests)
        assert go(stub, *options, "--allow-empty") == 0
        assert len(stub.requests) == asked, "the answers were kept"
        told = capsys.readouterr()
        assert "Warning: nothing came of compositional_skills_rhymes" in told.err
    assert not (made / "out" / "checkpoint").exists()
    assert not (made / "out" / "unfinished_run.json").exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--pipeline", "fulll"], "did you mean 'full'?"),
        (["--leaf-scale", "knowledge/science"], "is not of the form LEAF=N"),
        (["--leaf-scale", "knowledge/science/bird=3"], "there is no such leaf"),
        (["--skills-sampling-size", "many"], "is neither a number of rows such as 30 nor"),
        (["--date-suffix", "a/b"], "cannot be part of a file's name"),
        (["--chunk-word-count", "9000"], "leaves 3072 for them"),
        (["--taxonomy", "nowhere"], "there is no such taxonomy"),
        (["--max-rejected", "some"], "does not say how many rows"),
        (["--teacher", "embedded"], "give one of them"),
        (["--model-id", "other"], "asks for model 'other'"),
    ],
)
def test_a_mistake_is_told_before_anything_is_asked(
    options: list[str],
    told: str,
    made: Path,
    stub_teacher: StubTeacher,
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = main(arguments(stub_teacher, *options))
    assert told in " ".join(capsys.readouterr().err.split())
    assert code == (1 if "--model-id" in options else 2)
    assert stub_teacher.requests == []
    assert not (made / "out").exists() or not list((made / "out").iterdir())


def test_one_broken_leaf_among_good_ones_stops_the_run_with_its_line(
    made: Path, stub_teacher: StubTeacher, capsys: pytest.CaptureFixture[str]
) -> None:
    write_leaf(made / "taxonomy", "compositional_skills/bad", skill(4))
    assert go(stub_teacher) == 2
    assert "compositional_skills/bad/qna.yaml:4" in capsys.readouterr().err
    assert stub_teacher.requests == []


def test_the_users_own_rules_for_yaml_are_obeyed(
    made: Path, stub_teacher: StubTeacher, capsys: pytest.CaptureFixture[str]
) -> None:
    (made / "rules.yaml").write_text("rules: {line-length: {max: 10}}\n")
    assert go(stub_teacher, "--yaml-rules", "rules.yaml") == 2
    assert "line too long" in capsys.readouterr().err


def test_without_a_teacher_the_run_says_which_options_name_one(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["generate", "--taxonomy", "taxonomy", "--output", "out"]) == 2
    assert "--teacher-url" in capsys.readouterr().err
