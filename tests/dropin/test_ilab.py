"""The real client, ``ilab data generate``, driven from its command line to the files it leaves."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from certificates import self_signed
from document_repositories import repository
from ilab_client import Client, Done, client_in, install_ours
from kfp_sdg.engine import read_run
from stub_teacher import StubTeacher
from taxonomies import knowledge, skill, write_leaf
from training_files import read_lines
from workflows import answer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stub_answers import Ask

CHUNKS = 17
SEEDS = 5
ROWS = CHUNKS * SEEDS
KNOWLEDGE = "knowledge_science_comets"
SKILL = "compositional_skills_letters"


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Client:
    return client_in(tmp_path_factory.mktemp("home"))


@pytest.fixture
def taxonomy(tmp_path: Path) -> Path:
    """Two leaves: knowledge with a document of seventeen chunks in a repository, and a skill."""
    sections = (
        f"# Comet {number}\n\n" + f"In some years comet {number} was seen from here. " * 110
        for number in range(CHUNKS)
    )
    commit = repository(tmp_path / "documents", {"comets.md": "\n\n".join(sections)})
    folder = tmp_path / "taxonomy"
    text = knowledge(SEEDS).replace("https://git.example/comets", str(tmp_path / "documents"))
    write_leaf(folder, "knowledge/science/comets", text.replace("abcdef0", commit))
    write_leaf(folder, "compositional_skills/letters", skill(SEEDS, grounded=tuple(range(1, 6))))
    repository(folder, {"README.md": "A taxonomy."})
    return folder


@pytest.fixture
def stub() -> Iterator[StubTeacher]:
    """A teacher whose questions to test with have the answers B and D alone."""

    def reply(ask: Ask) -> str:
        text = answer(ask)
        if text.startswith("[Start of Question]\nWhat grew"):
            comet = int(re.findall(r"# Comet (\d+)", ask.prompt)[-1])
            return re.sub(
                r"[A-D]\)\n\[End of Answer]", f"{'BD'[comet % 2]})\n[End of Answer]", text
            )
        return text

    with StubTeacher(answer=reply) as stub:
        yield stub


def generate(client: Client, stub: StubTeacher, taxonomy: Path, output: Path, *more: str) -> Done:
    return client.ilab(
        *("data", "generate", "--endpoint-url", stub.url, "--taxonomy-path", str(taxonomy)),
        *("--taxonomy-base", "empty", "--output-dir", str(output), *more),
    )


def test_the_clients_requirement_is_satisfied_by_an_installation_of_ours(client):
    code = """
from importlib.metadata import requires, version
from packaging.requirements import Requirement
[needed] = [r for r in map(Requirement, requires("instructlab")) if r.name == "instructlab-sdg"]
assert needed.specifier.contains(version("instructlab-sdg")), needed
import instructlab.cli, instructlab.schema, instructlab.sdg
print(instructlab.sdg.__file__)
"""
    assert client.python_says(code).startswith(str(client.python.parents[1] / "lib"))


def test_an_installation_of_ours_has_no_file_in_the_namespace_itself(client):
    code = """
from importlib.metadata import files
print({path.parts[:2] for path in files("instructlab-sdg") if path.parts[0] == "instructlab"})
"""
    assert client.python_says(code) == str({("instructlab", "sdg")})


def test_an_editable_installation_of_ours_is_found_beside_the_client(client):
    code = """
import instructlab.configuration, instructlab.schema, instructlab.sdg
print(instructlab.configuration.__file__, instructlab.sdg.__file__)
"""
    install_ours(client.python, editable=True)
    try:
        of_client, of_ours = client.python_says(code).split()
    finally:
        install_ours(client.python)
    assert "site-packages" in of_client
    assert "site-packages" not in of_ours


@pytest.mark.parametrize("pipeline", ["simple", "full"])
def test_data_is_generated_and_the_counts_of_all_files_add_up(
    client, stub, taxonomy, tmp_path, pipeline, capsys
):
    scale = 2 if pipeline == "simple" else 30
    options = ("--pipeline", pipeline, "--sdg-scale-factor", str(scale))
    done = generate(client, stub, taxonomy, tmp_path / "datasets", *options)
    assert done.status == 0, done.log
    with capsys.disabled():
        told = f"{done.seconds:.1f} s, {len(stub.requests)} requests"
        print(f"\nilab data generate --pipeline {pipeline}: {told}")

    [out] = [path for path in (tmp_path / "datasets").iterdir() if path.name != "checkpoints"]
    date = date_of(out)
    check_names(out, date)
    generated = {
        leaf: read_lines(out / f"generated_{date}" / f"{leaf}.jsonl") for leaf in (KNOWLEDGE, SKILL)
    }
    check_seeds(out, date)
    if pipeline == "simple":
        assert {leaf: len(rows) for leaf, rows in generated.items()} == {
            KNOWLEDGE: ROWS * scale,
            SKILL: SEEDS * scale,
        }
    check_books(out, date, generated)
    check_training_files(out, date, generated)
    check_questions(out / f"node_datasets_{date}")
    for leaf, rows in generated.items():
        [kept] = (tmp_path / "datasets" / "checkpoints" / leaf).iterdir()
        assert read_lines(kept) == rows


def date_of(out: Path) -> str:
    [train] = out.glob("train_*.jsonl")
    return train.stem.removeprefix("train_")


def check_names(out: Path, date: str) -> None:
    kinds = ("knowledge", "skills")
    assert {path.name for path in out.iterdir()} == {
        *(f"{name}_{date}" for name in ("preprocessed", "generated", "node_datasets", "run")),
        *(f"{name}_{date}.jsonl" for name in ("test", "train", "messages")),
        *(f"{kind}_recipe_{date}.yaml" for kind in kinds),
        *(f"{kind}_train_msgs_{date}.jsonl" for kind in kinds),
    }
    assert {path.name for path in (out / f"node_datasets_{date}").iterdir()} == {
        *(f"{KNOWLEDGE}_{phase}.jsonl" for phase in ("p07", "p10")),
        f"{SKILL}.jsonl",
        f"mmlubench_{KNOWLEDGE}.jsonl",
        f"{KNOWLEDGE}_task.yaml",
    }


def check_seeds(out: Path, date: str) -> None:
    rows = read_lines(out / f"preprocessed_{date}" / f"{KNOWLEDGE}.jsonl")
    assert len(rows) == ROWS
    assert len({row["document"] for row in rows}) == CHUNKS
    assert len(read_lines(out / f"preprocessed_{date}" / f"{SKILL}.jsonl")) == SEEDS
    assert len(read_lines(out / f"test_{date}.jsonl")) == SEEDS * 3 + SEEDS


def check_books(out: Path, date: str, generated: dict[str, list[dict[str, Any]]]) -> None:
    """Look whether every row of every block is accounted for."""
    kinds = Counter(row["leaf_node_type"] for rows in generated.values() for row in rows)
    assert set(kinds) == {"knowledge", "grounded_skill"}
    for kind, count in kinds.items():
        result = read_run(out / f"run_{date}" / kind)
        assert result.rows.num_rows == count
        for entry in result.history:
            assert entry.rows_in + entry.added == (
                entry.rows_out + entry.filtered + entry.duplicates + entry.rejected
            )


def check_training_files(out: Path, date: str, generated: dict[str, list[dict[str, Any]]]) -> None:
    total = sum(map(len, generated.values()))
    assert len(read_lines(out / f"train_{date}.jsonl")) == total
    assert len(read_lines(out / f"messages_{date}.jsonl")) == total
    nodes = out / f"node_datasets_{date}"
    sizes = {path.name: len(read_lines(path)) for path in nodes.glob("*.jsonl")}
    assert sizes[f"{SKILL}.jsonl"] == len(generated[SKILL])
    for kind in ("knowledge", "skills"):
        recipe = yaml.safe_load((out / f"{kind}_recipe_{date}.yaml").read_text())
        assert recipe["metadata"]["sys_prompt"] == "Be kind."
        wanted = 0
        for dataset in recipe["datasets"]:
            size = dataset["sampling_size"]
            rows = sizes[Path(dataset["path"]).name]
            wanted += size if isinstance(size, int) else int(rows * size)
        mixed = read_lines(out / f"{kind}_train_msgs_{date}.jsonl")
        assert len(mixed) == wanted
        assert {row["messages"][0]["content"] for row in mixed} == {"Be kind."}
        assert all(row.keys() == {"id", "messages", "metadata", "unmask"} for row in mixed)
        assert all(isinstance(json.loads(row["metadata"]), dict) for row in mixed)


def check_questions(nodes: Path) -> None:
    questions = read_lines(nodes / f"mmlubench_{KNOWLEDGE}.jsonl")
    assert questions
    for row in questions:
        assert row["answer"] == "ABCD".index(row["mmlubench_answer"][0])
        assert row["choices"] == ["Oats", "Rye", "Barley", "Wheat"]
    assert {row["answer"] for row in questions} == {1, 3}
    task = yaml.safe_load((nodes / f"{KNOWLEDGE}_task.yaml").read_text())
    assert task["dataset_kwargs"]["data_files"]["test"] == str(
        nodes / f"mmlubench_{KNOWLEDGE}.jsonl"
    )


def test_a_second_run_asks_nothing_that_the_first_one_asked(client, stub, taxonomy, tmp_path):
    options = ("--pipeline", "simple", "--sdg-scale-factor", "1")
    assert generate(client, stub, taxonomy, tmp_path / "datasets", *options).status == 0
    asked = len(stub.requests)
    assert generate(client, stub, taxonomy, tmp_path / "datasets", *options).status == 0
    assert len(stub.requests) == asked


def test_the_clients_own_idea_of_certificates_is_followed(client, taxonomy, tmp_path):
    _, tls = self_signed(tmp_path)
    with StubTeacher(answer=answer, tls=tls) as stub:
        options = ("--pipeline", "simple", "--sdg-scale-factor", "1")
        done = generate(client, stub, taxonomy, tmp_path / "no", *options)
        assert done.status != 0
        assert "certificate" in done.log
        done = generate(client, stub, taxonomy, tmp_path / "yes", *options, "--tls-insecure")
        assert done.status == 0, done.log


def test_a_broken_taxonomy_is_told_by_the_client_with_its_line(client, stub, taxonomy, tmp_path):
    file = taxonomy / "compositional_skills" / "letters" / "qna.yaml"
    file.write_text(file.read_text().replace("answer: Answer 3.", "answr: Answer 3."))
    done = generate(client, stub, taxonomy, tmp_path / "datasets", "--pipeline", "simple")
    assert done.status != 0
    assert "Generating dataset failed with the following error" in done.log
    assert "letters/qna.yaml:" in done.log
    assert stub.requests == []
