"""The repository of a taxonomy, fetched for a task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from document_repositories import git, repository
from kfp_sdg.errors import SpecError, StorageError
from kfp_sdg.instructlab.checkout import Checkout, TaxonomySource, check_out
from kfp_sdg.instructlab.documents.access import GitAccess
from kfp_sdg.instructlab.taxonomy import read_taxonomy
from taxonomies import skill

if TYPE_CHECKING:
    from pathlib import Path

OLD = "compositional_skills/old/qna.yaml"
NEW = "compositional_skills/new/qna.yaml"


@pytest.fixture
def taxonomy(tmp_path: Path) -> Path:
    """A taxonomy with a leaf on its branch, another in pull request 7 and merge request 8."""
    folder = tmp_path / "taxonomy"
    repository(folder, {OLD: skill()})
    git(folder, "tag", "v1")
    git(folder, "checkout", "-q", "-b", "proposal")
    repository(folder, {NEW: skill()})
    git(folder, "update-ref", "refs/pull/7/head", "HEAD")
    git(folder, "update-ref", "refs/merge-requests/8/head", "HEAD")
    git(folder, "checkout", "-q", "main")
    git(folder, "branch", "-q", "-D", "proposal")
    return folder


def leaves(taxonomy: Path, **source: str | int) -> list[str]:
    """Check a taxonomy out as from another machine, and return the leaves that are read."""
    done = check_out_in(taxonomy, **source)
    return [leaf.name for leaf in read_taxonomy(done.folder, base=done.base)]


def check_out_in(taxonomy: Path, **source: str | int) -> Checkout:
    given = {"repo": str(taxonomy), **source}
    return check_out(TaxonomySource(**given), taxonomy.parent / "clone", GitAccess())


OLD_LEAF, NEW_LEAF = "compositional_skills_old", "compositional_skills_new"


@pytest.mark.parametrize("branch", ["main", "v1"])
def test_a_branch_or_a_tag_is_read_as_it_is_committed(taxonomy: Path, branch: str) -> None:
    (taxonomy / NEW).parent.mkdir()
    (taxonomy / NEW).write_text("not committed")
    done = check_out_in(taxonomy, branch=branch)
    assert [leaf.name for leaf in read_taxonomy(done.folder, base=done.base)] == [OLD_LEAF]
    assert done.commit == git(taxonomy, "rev-parse", "HEAD")


def test_a_commit_that_no_branch_has_is_fetched_by_its_name(taxonomy: Path) -> None:
    git(taxonomy, "config", "uploadpack.allowAnySHA1InWant", "true")
    commit = git(taxonomy, "rev-parse", "refs/pull/7/head")
    assert leaves(taxonomy, repo=taxonomy.as_uri(), branch=commit) == [NEW_LEAF, OLD_LEAF]


@pytest.mark.parametrize("number", [7, 8])
def test_of_a_pull_request_the_leaves_are_read_that_it_changes(taxonomy: Path, number: int) -> None:
    assert leaves(taxonomy, pull_request=number) == [NEW_LEAF]


def test_what_came_to_the_branch_since_is_not_the_pull_requests(taxonomy: Path) -> None:
    repository(taxonomy, {"compositional_skills/later/qna.yaml": skill()})
    assert leaves(taxonomy, pull_request=7, branch="main") == [NEW_LEAF]


def test_all_leaves_of_a_pull_request_are_read_where_the_base_says_so(taxonomy: Path) -> None:
    assert leaves(taxonomy, pull_request=7, base="empty") == [NEW_LEAF, OLD_LEAF]


def test_a_base_may_be_named_without_its_remote(taxonomy: Path) -> None:
    assert leaves(taxonomy, pull_request=7, base="main") == [NEW_LEAF]


def test_a_base_may_be_a_tag(taxonomy: Path) -> None:
    with pytest.raises(SpecError, match="no leaf of this taxonomy has changed"):
        leaves(taxonomy, branch="main", base="v1")


def test_a_folder_of_this_machine_is_read_as_it_is(taxonomy: Path) -> None:
    repository(taxonomy, {})
    (taxonomy / NEW).parent.mkdir()
    (taxonomy / NEW).write_text(skill())
    assert check_out_in(taxonomy) == Checkout(taxonomy, "empty")
    assert leaves(taxonomy, repo=taxonomy.as_uri()) == [NEW_LEAF, OLD_LEAF]
    assert leaves(taxonomy, base="main") == [NEW_LEAF]
    assert not (taxonomy.parent / "clone").exists()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ({"branch": "mian"}, "has no branch, tag or commit 'mian'"),
        ({"branch": "--upload-pack=touch x"}, "has no branch, tag or commit '--upload-pack"),
        ({"pull_request": 9}, "has no pull request 9"),
        ({"pull_request": 7, "base": "mian"}, "has no branch, tag or commit 'mian'"),
    ],
)
def test_what_a_repository_does_not_have_is_named(
    taxonomy: Path, source: dict[str, str | int], message: str
) -> None:
    with pytest.raises(SpecError, match=message) as caught:
        check_out_in(taxonomy, **source)
    assert str(taxonomy) in str(caught.value)


def test_a_repository_without_a_commit_says_so(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    git(tmp_path / "empty", "init", "-q")
    with pytest.raises(SpecError, match="has no commit"):
        check_out_in(tmp_path / "empty", pull_request=1)


def test_a_repository_that_cannot_be_reached_fails_without_the_password_in_its_url(
    taxonomy: Path,
) -> None:
    with pytest.raises(StorageError, match="cannot be read") as caught:
        check_out_in(taxonomy, repo="http://ada:s3cret@127.0.0.1:9/taxonomy.git")
    assert "s3cret" not in str(caught.value)
    assert "http://127.0.0.1:9/taxonomy.git" in str(caught.value)
