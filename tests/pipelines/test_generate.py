"""``kfp-sdg generate``: from a taxonomy of four leaves to training data, killed or left alone."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from document_repositories import repository
from kfp_sdg.cli.__main__ import main
from kfp_sdg.engine import read_run
from signals import reset_signals
from stub_teacher import StubTeacher
from taxonomies import skill, write_leaf
from taxonomy_runs import LEAVES, SUFFIX, contents, taxonomy
from training_files import read_lines

PIECES = 5
"""The knowledge leaf has one chunk and five seed examples."""


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a taxonomy, which is the current one."""
    for variable in ("XDG_DATA_HOME", "XDG_DATA_DIRS"):
        monkeypatch.setenv(variable, str(tmp_path / "nothing"))
    taxonomy(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def arguments(stub: StubTeacher, *more: str) -> list[str]:
    return [
        *("generate", "--taxonomy", "taxonomy", "--output", "out"),
        *("--teacher-url", stub.url, "--model-family", "blank", *more),
    ]


def go(stub: StubTeacher, *more: str) -> int:
    return main(arguments(stub, "--date-suffix", SUFFIX, *more))


def generated(made: Path, leaf: str) -> list[dict[str, Any]]:
    return read_lines(made / "out" / f"generated_{SUFFIX}" / f"{leaf}.jsonl")


def test_a_taxonomy_becomes_all_files_that_instructlab_writes(
    made: Path, stub_teacher: StubTeacher, capsys: pytest.CaptureFixture[str]
) -> None:
    assert go(stub_teacher, "--pipeline", "full") == 0

    out = made / "out"
    nodes = [f"{leaf}.jsonl" for leaf in LEAVES[:3]]
    nodes += [f"{LEAVES[3]}_p07.jsonl", f"{LEAVES[3]}_p10.jsonl"]
    assert sorted(path.name for path in (out / f"node_datasets_{SUFFIX}").iterdir()) == nodes
    for folder in ("preprocessed", "generated"):
        files = sorted(path.stem for path in (out / f"{folder}_{SUFFIX}").glob("*.jsonl"))
        assert files == list(LEAVES)
    names = {path.name for path in out.iterdir()}
    assert names == {
        *(f"{name}_{SUFFIX}" for name in ("preprocessed", "generated", "node_datasets", "run")),
        *(f"{name}_{SUFFIX}.jsonl" for name in ("test", "train", "messages")),
        *(f"{kind}_recipe_{SUFFIX}.yaml" for kind in ("knowledge", "skills")),
        *(f"{kind}_train_msgs_{SUFFIX}.jsonl" for kind in ("knowledge", "skills")),
    }
    told = capsys.readouterr().out
    for leaf in LEAVES:
        assert leaf in told
    assert "ilab model train --strategy lab-multiphase --phased-phase1-data out/knowledge" in told


def test_the_counts_of_every_file_add_up(made: Path, stub_teacher: StubTeacher) -> None:
    assert go(stub_teacher, "--pipeline", "full") == 0

    out = made / "out"
    rows = {leaf: generated(made, leaf) for leaf in LEAVES}
    kinds = Counter(row["leaf_node_type"] for leaf in rows.values() for row in leaf)
    for kind, count in kinds.items():
        result = read_run(out / f"run_{SUFFIX}" / kind)
        assert result.rows.num_rows == count
        for entry in result.history:
            groups = entry.groups.values()
            assert sum(group.rows_out for group in groups) == entry.rows_out
            assert entry.rows_in + entry.added == (
                entry.rows_out + entry.filtered + entry.duplicates + entry.rejected
            )
    total = sum(map(len, rows.values()))
    assert len(read_lines(out / f"train_{SUFFIX}.jsonl")) == total
    assert len(read_lines(out / f"messages_{SUFFIX}.jsonl")) == total
    for leaf in LEAVES[:3]:
        assert len(read_lines(out / f"node_datasets_{SUFFIX}" / f"{leaf}.jsonl")) == len(rows[leaf])
    pairs = PIECES * 3 + 3 * 10
    assert len(read_lines(out / f"test_{SUFFIX}.jsonl")) == pairs


def test_a_mixed_leaf_keeps_the_contexts_of_its_grounded_examples(
    made: Path, stub_teacher: StubTeacher
) -> None:
    assert go(stub_teacher, "--pipeline", "simple", "--scale-factor", "2") == 0
    rows = generated(made, "compositional_skills_mixed")
    assert Counter((row["leaf_node_type"], row["seed_context"]) for row in rows) == {
        ("freeform_skill", None): 16,
        ("grounded_skill", "Context 2."): 2,
        ("grounded_skill", "Context 4."): 2,
    }


def test_scale_factors_of_the_run_and_of_leaves_are_obeyed(
    made: Path, stub_teacher: StubTeacher
) -> None:
    options = ("--leaf-scale", "knowledge/*=4", "--leaf-scale", "compositional_skills_rhymes=1")
    assert go(stub_teacher, "--pipeline", "simple", "--scale-factor", "2", *options) == 0
    assert {leaf: len(generated(made, leaf)) for leaf in LEAVES} == {
        "compositional_skills_letters": 20,
        "compositional_skills_mixed": 20,
        "compositional_skills_rhymes": 10,
        "knowledge_science_birds": 20,
    }
    columns = {name for leaf in LEAVES for row in generated(made, leaf) for name in row}
    assert "num_instructions_to_generate" not in columns


def test_so_much_of_each_skill_goes_into_the_mix_as_the_user_says(
    made: Path, stub_teacher: StubTeacher
) -> None:
    options = ("--pipeline", "simple", "--scale-factor", "1", "--no-eval")
    assert go(stub_teacher, *options, "--skills-sampling-size", "0.5") == 0
    rows = read_lines(made / "out" / f"skills_train_msgs_{SUFFIX}.jsonl")
    nodes = made / "out" / f"node_datasets_{SUFFIX}"
    skills = sum(len(read_lines(path)) // 2 for path in nodes.glob("compositional_*.jsonl"))
    (knowledge,) = nodes.glob("*_p10.jsonl")
    assert len(rows) == skills + len(read_lines(knowledge))


def test_the_same_taxonomy_gives_the_same_bytes(made: Path, stub_teacher: StubTeacher) -> None:
    assert go(stub_teacher) == 0
    first = contents(made / "out")
    assert go(stub_teacher) == 0
    assert contents(made / "out") == first


def test_a_run_under_an_older_date_leaves_nothing_of_the_older_one(
    made: Path, stub_teacher: StubTeacher
) -> None:
    options = ("--pipeline", "simple", "--scale-factor", "1")
    assert go(stub_teacher, *options) == 0
    own = made / "out" / f"node_datasets_{SUFFIX}" / "notes.txt"
    own.write_text("of the user")
    assert go(stub_teacher, *options, "--taxonomy", "taxonomy/compositional_skills/rhymes") == 0
    left = {path.relative_to(made / "out") for path in (made / "out").rglob("*")}
    assert not [path for path in left if "knowledge_science" in str(path) or "letters" in str(path)]
    assert not (made / "out" / f"knowledge_train_msgs_{SUFFIX}.jsonl").exists()
    assert {path.name for path in (made / "out" / f"run_{SUFFIX}").iterdir()} == {"freeform_skill"}
    assert own.is_file()


def test_runs_lie_beside_each_other(made: Path, stub_teacher: StubTeacher) -> None:
    for date in ("one", "two"):
        assert main(arguments(stub_teacher, "--date-suffix", date, "--pipeline", "simple")) == 0
    assert {path.name for path in (made / "out").glob("train_*")} == {
        "train_one.jsonl",
        "train_two.jsonl",
    }


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


def test_with_a_base_only_leaves_that_changed_since_are_generated_for(
    made: Path, stub_teacher: StubTeacher
) -> None:
    repository(made / "taxonomy", {"README.md": "A taxonomy."})
    write_leaf(made / "taxonomy", "compositional_skills/jokes", skill(5))
    options = ("--taxonomy-base", "main", "--pipeline", "simple", "--scale-factor", "1")
    assert go(stub_teacher, *options) == 0
    folder = made / "out" / f"generated_{SUFFIX}"
    assert [path.stem for path in folder.iterdir()] == ["compositional_skills_jokes"]


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


def test_a_taxonomy_of_one_kind_needs_the_pipeline_of_that_kind_only(
    made: Path, stub_teacher: StubTeacher
) -> None:
    shipped = Path(main.__globals__["__file__"]).parents[3] / "pipelines" / "instructlab"
    own = made / "mine"
    own.mkdir()
    text = (shipped / "simple" / "freeform_skills.yaml").read_text("utf-8")
    (own / "freeform_skills.yaml").write_text(text.replace("../configs/", "configs/"))
    rhymes = ("--taxonomy", "taxonomy/compositional_skills/rhymes/qna.yaml")
    assert go(stub_teacher, *rhymes, "--pipeline", "mine", "--scale-factor", "1") == 0
    assert len(generated(made, "compositional_skills_rhymes")) == 10
    assert go(stub_teacher, "--pipeline", "mine") == 2


def test_progress_as_json_is_one_object_per_line(
    made: Path, stub_teacher: StubTeacher, capsys: pytest.CaptureFixture[str]
) -> None:
    assert go(stub_teacher, "--pipeline", "simple", "--log-format", "json") == 0
    events = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    finished = [event for event in events if event["event"] == "block_finished"]
    assert [event["index"] for event in finished] == [1, 2, 3, 4]
    assert "groups" in finished[0]
    leaves = [event for event in events if event["event"] == "leaf_finished"]
    assert [event["leaf"] for event in leaves] == sorted(LEAVES)
    for event in leaves:
        lost = sum(event[name] for name in ("filtered", "duplicates", "rejected"))
        assert lost == sum(loss["rows"] for loss in event["losses"])
        assert event["used"] == len(generated(made, event["leaf"])) == event["generated"]
    mixes = [event for event in events if event["event"] == "mix_written"]
    assert [event["kind"] for event in mixes] == ["knowledge", "skills"]
    for event in mixes:
        assert event["rows"] == len(read_lines(made / event["path"]))
