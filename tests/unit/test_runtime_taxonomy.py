"""The task that reads a taxonomy."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from certificates import self_signed
from document_repositories import BIRDS, git, repository
from git_server import GitServer
from kfp_sdg.runtime.taxonomy import preprocess_taxonomy
from runtime_artifacts import Artifact
from taxonomies import SKILL, knowledge, skill, write_leaf

if TYPE_CHECKING:
    from collections.abc import Mapping

BIRD_LEAF = "knowledge/science/birds"
OUTPUTS = ("knowledge_rows", "freeform_rows", "grounded_rows", "leaves", "seed_rows")
LOGIN = ("ada", "s3cret")
COUNTS = ("knowledge_count", "freeform_count", "grounded_count", "evaluation_count")


@pytest.fixture
def taxonomy(tmp_path: Path) -> Path:
    """A taxonomy with a knowledge leaf, whose documents are in a repository, and a mixed skill."""
    repository(tmp_path / "birds", {"birds.md": BIRDS})
    folder = tmp_path / "taxonomy"
    write_leaf(folder, SKILL, skill(5, grounded=(2, 5)))
    write_leaf(folder, BIRD_LEAF, bird_leaf(tmp_path / "birds"))
    return folder


def bird_leaf(repo: Path | str) -> str:
    text = knowledge().replace("https://git.example/comets", str(repo))
    return text.replace("commit: abcdef0", "commit: main")


def outputs(folder: Path) -> dict[str, Artifact]:
    return {name: Artifact(str(folder / name)) for name in (*OUTPUTS, "metrics", "preview")}


def run(folder: Path, repo: Path | str, **inputs: Any) -> Mapping[str, Artifact]:
    """Run the task; its outputs are in a new folder."""
    artifacts = outputs(folder / "out")
    counts = {name: str(folder / "counts" / name) for name in COUNTS}
    preprocess_taxonomy(taxonomy_repo=str(repo), **artifacts, **counts, **inputs)
    return artifacts


def test_rows_come_by_kind_and_by_leaf_with_their_numbers(taxonomy: Path, tmp_path: Path) -> None:
    made = run(tmp_path, taxonomy)
    by_kind = {name: made[name].stored.table for name in OUTPUTS[:3]}
    assert {name: table.num_rows for name, table in by_kind.items()} == {
        "knowledge_rows": 5,
        "freeform_rows": 3,
        "grounded_rows": 2,
    }
    assert by_kind["grounded_rows"]["seed_context"].to_pylist() == ["Context 2.", "Context 5."]
    assert [(tmp_path / "counts" / name).read_text() for name in COUNTS] == ["5", "3", "2", "5"]
    assert sorted(path.name for path in Path(made["leaves"].path).iterdir()) == [
        "compositional_skills_writing_haiku.jsonl",
        "knowledge_science_birds.jsonl",
    ]
    assert made["seed_rows"].stored.table.num_rows == 5 + 5 * 3
    assert made["metrics"].metadata == {
        "leaves": 2,
        "documents": 1,
        "chunks": 1,
        "knowledge_rows": 5,
        "freeform_skill_rows": 3,
        "grounded_skill_rows": 2,
    }


def test_the_page_tells_of_each_leaf(taxonomy: Path, tmp_path: Path) -> None:
    page = Path(run(tmp_path, taxonomy)["preview"].path).read_text(encoding="utf-8")
    assert "| knowledge/science/birds | knowledge | 5 | 1 | 1 | 5 |" in page
    mixed = r"freeform\_skill, grounded\_skill"
    assert rf"| compositional\_skills/writing/haiku | {mixed} | 5 |  |  | 5 |" in page


def test_the_page_and_the_leaves_artifact_say_which_state_of_the_taxonomy_was_read(
    taxonomy: Path, tmp_path: Path
) -> None:
    commit = repository(taxonomy, {})
    made = run(tmp_path, taxonomy, taxonomy_branch="main")
    page = Path(made["preview"].path).read_text(encoding="utf-8").replace("\\", "")
    assert f"{taxonomy}, commit {commit}; base empty" in page
    assert made["leaves"].metadata == {
        "taxonomy_repo": str(taxonomy),
        "taxonomy_commit": commit,
        "taxonomy_base": "empty",
    }


def test_a_pull_request_of_a_repository_is_read(
    taxonomy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repository(taxonomy, {})
    git(taxonomy, "checkout", "-q", "-b", "proposal")
    repository(taxonomy, {"compositional_skills/new/qna.yaml": skill()})
    git(taxonomy, "update-ref", "refs/pull/7/head", "HEAD")
    commit = git(taxonomy, "rev-parse", "HEAD")
    git(taxonomy, "checkout", "-q", "main")

    factors = {"knowledge/*": 3, "compositional_skills/new": 7}  # the whole taxonomy's
    made = run(tmp_path, taxonomy, pull_request=7, scale_factors=json.dumps(factors))

    assert made["metrics"].metadata["leaves"] == 1
    assert set(made["freeform_rows"].stored.table["leaf_node_path"].to_pylist()) == {
        "compositional_skills_new"
    }
    scales = made["freeform_rows"].stored.table["num_instructions_to_generate"]
    assert set(scales.to_pylist()) == {7}
    told = capsys.readouterr().out
    assert commit in told
    assert "warning: the scale factor of 'knowledge/*' is for no leaf that has changed" in told


def test_a_leaf_may_have_a_scale_factor_of_its_own(taxonomy: Path, tmp_path: Path) -> None:
    made = run(tmp_path, taxonomy, scale_factors=json.dumps({"knowledge/*": 7}))
    table = made["knowledge_rows"].stored.table
    assert table["num_instructions_to_generate"].to_pylist() == [7] * 5
    assert "num_instructions_to_generate" not in made["freeform_rows"].stored.table.column_names


def test_a_scale_factor_for_no_leaf_is_told_before_documents_are_fetched(
    taxonomy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_leaf(taxonomy, BIRD_LEAF, bird_leaf(tmp_path / "nowhere"))
    error = error_of(capsys, tmp_path, taxonomy, scale_factors='{"knowledge/science/bird": 7}')
    assert "there is no such leaf" in error
    assert "nowhere" not in error


def test_nothing_is_left_for_the_evaluation_where_none_is_wanted(
    taxonomy: Path, tmp_path: Path
) -> None:
    run(tmp_path, taxonomy, evaluate=False)
    assert [(tmp_path / "counts" / name).read_text() for name in COUNTS] == ["5", "3", "2", "0"]


def test_smaller_chunks_make_more_rows(taxonomy: Path, tmp_path: Path) -> None:
    made = run(tmp_path, taxonomy, chunk_word_count=12)
    assert made["metrics"].metadata["chunks"] > 1
    assert made["knowledge_rows"].metadata["rows"] == 5 * made["metrics"].metadata["chunks"]


def error_of(capsys: pytest.CaptureFixture[str], *given: Any, **inputs: Any) -> str:
    with pytest.raises(SystemExit) as caught:
        run(*given, **inputs)
    assert caught.value.code == 1
    return capsys.readouterr().err


@pytest.mark.parametrize(
    "inputs", [{"date_suffix": "a/b"}, {"skills_sampling_size": "many"}, {"yaml_rules": "/no/file"}]
)
def test_a_mistake_in_the_form_is_found_before_anything_is_asked(
    taxonomy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], inputs: dict[str, str]
) -> None:
    (given,) = inputs.values()
    assert given in error_of(capsys, tmp_path, taxonomy, **inputs)


def test_the_users_own_rules_for_yaml_are_obeyed(
    taxonomy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    strict = "rules: {line-length: {max: 10}}"
    assert "line too long" in error_of(capsys, tmp_path, taxonomy, yaml_rules=strict)
    assert run(tmp_path, taxonomy, yaml_rules="relaxed")["metrics"].metadata["leaves"] == 2


def test_everything_that_is_wrong_in_a_taxonomy_is_printed_with_its_line(
    taxonomy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_leaf(taxonomy, "compositional_skills/four", skill(4))
    write_leaf(taxonomy, "compositional_skills/future", skill(version=4))
    error = error_of(capsys, tmp_path, taxonomy)
    assert "compositional_skills/four/qna.yaml:4:" in error
    assert "compositional_skills/future/qna.yaml:1:" in error


def test_what_is_wrong_in_a_clone_is_told_with_the_paths_that_the_repository_has(
    taxonomy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_leaf(taxonomy, "compositional_skills/four", skill(4))
    repository(taxonomy, {})
    error = error_of(capsys, tmp_path, taxonomy, taxonomy_branch="main")
    assert error.startswith("error: compositional_skills/four/qna.yaml:4:1: ")

    repository(tmp_path / "other", {"README.md": "Nothing here yet."})
    error = error_of(capsys, tmp_path, tmp_path / "other", taxonomy_branch="main")
    assert error.startswith(f"error: {tmp_path}/other: there are no leaves")
    assert all(line.startswith("error: ") for line in error.splitlines())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"scale_factors": "7"}, "scale_factors: is not what it should be: 7"),
        ({"scale_factors": "{"}, "scale_factors: is not JSON"),
        ({"scale_factors": '{"x": 1}'}, "there is no such leaf"),
        ({"taxonomy_branch": "mian"}, "has no branch, tag or commit 'mian'"),
    ],
)
def test_what_cannot_be_is_an_error(
    taxonomy: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    inputs: dict[str, str],
    message: str,
) -> None:
    repository(taxonomy, {})
    assert message in error_of(capsys, tmp_path, taxonomy, **inputs)


def test_leaves_that_no_pipeline_is_there_for_are_named(
    taxonomy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    error = error_of(capsys, tmp_path, taxonomy, kinds='["freeform_skill", "grounded_skill"]')
    assert f"{taxonomy}/{BIRD_LEAF}/qna.yaml" in error
    assert "no pipeline for leaves of the kind knowledge" in error
    assert SKILL not in error


@pytest.fixture
def secret(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Secret with a password, as it is mounted."""
    folder = tmp_path / "secret"
    folder.mkdir()
    (folder / "username").write_text("ada")
    (folder / "password").write_text("s3cret\n")
    monkeypatch.setenv("KFP_SDG_GIT_TOKEN_FILE", str(folder))
    return folder


def served(taxonomy: Path) -> Path:
    """Commit the taxonomy, with one skill, and return the folder to serve."""
    write_leaf(taxonomy, BIRD_LEAF, bird_leaf(taxonomy.parent / "birds"))
    repository(taxonomy, {})
    return taxonomy.parent


def test_private_repositories_of_a_server_with_its_own_authority_are_read_with_a_secret(
    taxonomy: Path, tmp_path: Path, secret: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    environment = dict(os.environ)
    certificate, tls = self_signed(tmp_path)
    with GitServer(tmp_path, tls, login=LOGIN) as server:
        write_leaf(taxonomy, BIRD_LEAF, bird_leaf(f"{server.url}/birds"))
        repository(taxonomy, {})

        error = error_of(capsys, tmp_path, f"{server.url}/taxonomy")
        assert "certificate" in error

        (secret / "ca.crt").write_bytes(certificate.read_bytes())
        made = run(tmp_path, f"{server.url}/taxonomy")
        assert made["metrics"].metadata["documents"] == 1
        assert dict(os.environ) == environment

        (secret / "password").write_text("wr0ng")
        error = error_of(capsys, tmp_path, f"{server.url}/taxonomy")
    assert "give a user name and a password or token in the git secret" in error
    assert "wr0ng" not in error


def test_a_password_is_given_to_no_server_but_the_taxonomys_or_those_that_are_named(
    taxonomy: Path, tmp_path: Path, secret: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = served(taxonomy)
    with GitServer(folder, login=LOGIN) as other, GitServer(folder) as server:
        write_leaf(taxonomy, BIRD_LEAF, bird_leaf(f"{other.url}/birds"))
        repository(taxonomy, {})
        assert "could not read Username" in error_of(capsys, tmp_path, f"{server.url}/taxonomy")
        assert other.logins == []
        made = run(tmp_path, f"{server.url}/taxonomy", git_secret_url=f"{other.url}/birds")
    assert server.logins == []
    assert made["metrics"].metadata["documents"] == 1


@pytest.mark.parametrize(
    ("repo", "message"),
    [(" ", "taxonomy_repo: is empty"), ("/nowhere", "/nowhere cannot be read")],
)
def test_a_taxonomy_that_is_nowhere_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], repo: str, message: str
) -> None:
    assert message in error_of(capsys, tmp_path, repo)


def test_a_password_in_the_taxonomys_url_is_refused_and_not_repeated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    error = error_of(capsys, tmp_path, "https://ada:s3cret@git.example/taxonomy.git")
    assert "the URL holds a password" in error
    assert "s3cret" not in error


def test_a_file_that_holds_no_certificates_is_named(
    taxonomy: Path, tmp_path: Path, secret: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (secret / "ca.crt").write_text("none")
    error = error_of(capsys, tmp_path, taxonomy, git_secret_url="https://git.example")
    assert f"{secret}/ca.crt holds no certificates" in error


def test_a_taxonomy_from_a_server_cannot_read_this_machines_folders(
    taxonomy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with GitServer(served(taxonomy)) as server:
        error = error_of(capsys, tmp_path, f"{server.url}/taxonomy")
    assert "a path of this machine outside of the taxonomy" in error
