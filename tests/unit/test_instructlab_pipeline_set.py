"""A taxonomy's pipelines are found by alias and by folder, the installed ones first."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kfp_sdg.errors import SpecError
from kfp_sdg.instructlab.model import LeafKind
from kfp_sdg.instructlab.pipeline_set import ALIASES, FILES, evaluation_pipeline, find_pipelines
from kfp_sdg.pipelines import SHIPPED_FOLDER

SHIPPED = SHIPPED_FOLDER / "instructlab"

ONE_BLOCK = """
version: "1.0"
blocks:
  - name: {name}
    type: RenameColumnsBlock
    config:
      columns_map: {{a: b}}
"""


def write_set(folder: Path, *kinds: LeafKind, name: str = "mine") -> Path:
    folder.mkdir(parents=True)
    for kind in kinds or LeafKind:
        (folder / FILES[kind]).write_text(ONE_BLOCK.format(name=name))
    return folder


@pytest.fixture(autouse=True)
def nothing_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_DATA_DIRS", f"{tmp_path / 'first'}:{tmp_path / 'second'}")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("alias", ALIASES)
def test_the_sets_that_ship_are_found_by_their_names(alias: str) -> None:
    found = find_pipelines(alias)
    assert found.folder == SHIPPED / alias
    for kind in LeafKind:
        assert Path(found.of(kind).config_path) == SHIPPED / alias / FILES[kind]


@pytest.mark.parametrize("where", ["home", "first", "second"])
@pytest.mark.parametrize("alias", ["agentic", "full"])
def test_an_installed_set_goes_before_one_that_ships(
    alias: str, where: str, tmp_path: Path
) -> None:
    folder = write_set(tmp_path / where / "instructlab" / "sdg" / "pipelines" / alias)
    write_set(tmp_path / alias, name="of the current folder")
    found = find_pipelines(alias)
    assert found.folder == folder
    assert found.of(LeafKind.KNOWLEDGE).blocks[0].name == "mine"


def test_the_users_own_set_goes_before_the_systems(tmp_path: Path) -> None:
    pipelines = Path("instructlab", "sdg", "pipelines", "mine")
    write_set(tmp_path / "second" / pipelines, name="second")
    write_set(tmp_path / "first" / pipelines, name="first")
    assert find_pipelines("mine").of(LeafKind.FREEFORM).blocks[0].name == "first"
    write_set(tmp_path / "home" / pipelines, name="home")
    assert find_pipelines("mine").of(LeafKind.FREEFORM).blocks[0].name == "home"


@pytest.mark.parametrize("name", ["{}/sets/mine", "sets/mine", "./sets/mine", "sets/../sets/mine"])
def test_a_folder_is_found_by_any_path(name: str, tmp_path: Path) -> None:
    write_set(tmp_path / "sets" / "mine")
    assert find_pipelines(name.format(tmp_path)).folder.samefile(tmp_path / "sets" / "mine")


def test_a_folder_that_is_no_alias_is_found_in_the_current_folder(tmp_path: Path) -> None:
    write_set(tmp_path / "mine")
    assert find_pipelines("mine").folder.samefile(tmp_path / "mine")


def test_a_copy_of_a_shipped_set_works_where_the_user_put_it(tmp_path: Path) -> None:
    shutil.copytree(SHIPPED / "full", tmp_path / "tree" / "full")
    shutil.copytree(SHIPPED / "configs", tmp_path / "tree" / "configs")
    copied, shipped = find_pipelines(str(tmp_path / "tree" / "full")), find_pipelines("full")
    for kind in LeafKind:
        assert copied.of(kind).blocks == shipped.of(kind).blocks


def test_a_file_that_no_leaf_needs_may_be_missing(tmp_path: Path) -> None:
    write_set(tmp_path / "mine", LeafKind.KNOWLEDGE)
    found = find_pipelines("mine")
    assert list(found.all_of([LeafKind.KNOWLEDGE])) == [LeafKind.KNOWLEDGE]
    with pytest.raises(SpecError) as caught:
        found.all_of(LeafKind)
    assert [problem.message for problem in caught.value.problems] == [
        "there is no freeform_skills.yaml, and the taxonomy has leaves of the kind freeform_skill",
        "there is no grounded_skills.yaml, and the taxonomy has leaves of the kind grounded_skill",
    ]


def test_a_folder_without_any_pipeline_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    with pytest.raises(SpecError, match=r"mine: there are no pipelines in this folder.*knowledge"):
        find_pipelines("mine")


def test_all_that_is_wrong_in_a_set_is_told_at_once(tmp_path: Path) -> None:
    folder = write_set(tmp_path / "mine")
    for kind in (LeafKind.KNOWLEDGE, LeafKind.GROUNDED):
        (folder / FILES[kind]).write_text('version: "1.0"\nblocks: []\n')
    with pytest.raises(SpecError) as caught:
        find_pipelines("mine")
    assert [Path(problem.where.file).name for problem in caught.value.problems] == [
        "knowledge.yaml",
        "grounded_skills.yaml",
    ]


def test_an_unknown_alias_is_refused_with_what_there_is_and_where_was_looked(
    tmp_path: Path,
) -> None:
    write_set(tmp_path / "first" / "instructlab" / "sdg" / "pipelines" / "agentic")
    with pytest.raises(SpecError) as caught:
        find_pipelines("agentik")
    [problem] = caught.value.problems
    for place in ("home", "first", "second"):
        assert str(tmp_path / place / "instructlab" / "sdg" / "pipelines") in problem.message
    assert problem.expected == "one of simple, full, llama, agentic, or a folder"
    assert problem.suggestion == "did you mean 'agentic'?"
    assert caught.value.exit_code == 2


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=r"sets/mine: there is no such folder"):
        find_pipelines("sets/mine")


def test_the_file_of_one_pipeline_is_refused_with_its_folder(tmp_path: Path) -> None:
    write_set(tmp_path / "sets")
    with pytest.raises(SpecError, match=r"this is a file.*the folder is sets"):
        find_pipelines("sets/knowledge.yaml")


def test_the_evaluation_has_a_pipeline_of_its_own() -> None:
    assert [block.name for block in evaluation_pipeline().blocks] == ["gen_mmlu_knowledge"]
