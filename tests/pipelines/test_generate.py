"""``kfp-sdg generate``: from a taxonomy of four leaves to training data."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from document_repositories import repository
from kfp_sdg.cli.__main__ import main
from kfp_sdg.engine import read_run
from taxonomies import skill, write_leaf
from taxonomy_runs import LEAVES, PIECES, SUFFIX, arguments, contents, generated, go
from taxonomy_runs import made as made
from training_files import read_lines

if TYPE_CHECKING:
    import pytest

    from stub_teacher import StubTeacher


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


def test_with_a_base_only_leaves_that_changed_since_are_generated_for(
    made: Path, stub_teacher: StubTeacher
) -> None:
    repository(made / "taxonomy", {"README.md": "A taxonomy."})
    write_leaf(made / "taxonomy", "compositional_skills/jokes", skill(5))
    options = ("--taxonomy-base", "main", "--pipeline", "simple", "--scale-factor", "1")
    assert go(stub_teacher, *options) == 0
    folder = made / "out" / f"generated_{SUFFIX}"
    assert [path.stem for path in folder.iterdir()] == ["compositional_skills_jokes"]


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
