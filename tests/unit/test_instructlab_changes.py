"""Leaves that changed since a base are found as git finds them, and no others."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from kfp_sdg.errors import SdgError, SpecError
from kfp_sdg.instructlab.taxonomy import read_taxonomy
from taxonomies import SKILL, place, problems_of, skill, warnings_of, write_leaf

ODES = "compositional_skills/writing/odes"
TALES = "compositional_skills/writing/tales"


class Repository:
    """A git repository with a taxonomy in it."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.git("init", "-q", "-b", "main")

    def git(self, *arguments, cwd=None):
        names = ["-c", "user.name=Ada", "-c", "user.email=ada@example"]
        result = subprocess.run(
            ["git", *names, *arguments], cwd=cwd or self.folder, check=True, capture_output=True,
            text=True,
        )  # fmt: skip
        return result.stdout.strip()

    def commit(self, **leaves):
        """Commit leaves by their last folder's name; None deletes one."""
        for name, text in leaves.items():
            file = self.folder / "compositional_skills/writing" / name / "qna.yaml"
            if text is None:
                file.unlink()
            else:
                write_leaf(self.folder, f"compositional_skills/writing/{name}", text)
        self.git("add", "-A")
        self.git("commit", "-qm", "leaves", "--allow-empty")
        return self.git("rev-parse", "HEAD")

    def changed(self, base, part=""):
        """Return the last folder's name of each leaf that changed since a base."""
        return [leaf.path.split("/")[-1] for leaf in read_taxonomy(self.folder / part, base=base)]


@pytest.fixture
def repository(tmp_path):
    """A branch ``topic``, which HEAD is on, is one leaf ahead of ``main``."""
    repository = Repository(tmp_path / "taxonomy")
    repository.commit(haiku=skill(), odes=skill())
    repository.git("checkout", "-qb", "topic")
    repository.commit(tales=skill())
    return repository


def test_leaves_that_a_branch_added_or_changed_are_read(repository):
    assert repository.changed("main") == ["tales"]

    repository.commit(odes=skill(6))
    assert repository.changed("main") == ["odes", "tales"]


def test_changes_that_are_not_committed_and_files_that_git_does_not_track_count(repository):
    write_leaf(repository.folder, SKILL, skill(6))
    write_leaf(repository.folder, "knowledge", "", name=".gitignore")
    write_leaf(repository.folder, "compositional_skills/writing/new", skill())

    assert repository.changed("main") == ["haiku", "new", "tales"]


def test_files_that_git_ignores_do_not_count(repository):
    (repository.folder / ".gitignore").write_text("scratch\n")
    write_leaf(repository.folder, "compositional_skills/scratch", skill())

    assert repository.changed("main") == ["tales"]


def test_deleted_leaves_are_left_out_and_moved_ones_are_where_they_are_now(repository):
    repository.commit(odes=None, haiku=None, verses=skill())

    assert repository.changed("main") == ["tales", "verses"]


def test_what_main_got_since_is_not_a_change_of_the_branch(repository):
    repository.git("checkout", "-q", "main")
    repository.commit(haiku=skill(6), fables=skill())
    repository.git("checkout", "-q", "topic")

    assert repository.changed("main") == ["tales"]


def test_after_a_merge_of_main_the_branch_counts_from_where_its_own_line_left_main(repository):
    repository.git("checkout", "-q", "main")
    repository.commit(fables=skill())
    repository.git("checkout", "-q", "topic")
    repository.git("merge", "-q", "--no-edit", "main")

    # The line of first parents leaves main before the fable, so that it counts: InstructLab's rule.
    assert repository.changed("main") == ["fables", "tales"]


def test_a_base_with_a_slash_is_a_remote_branch_even_beside_a_local_one_of_that_name(repository):
    repository.git("update-ref", "refs/remotes/origin/main", "main")
    repository.git("branch", "origin/main", "topic")

    assert repository.changed("origin/main") == ["tales"]


def test_a_local_branch_whose_name_has_a_slash_is_found_where_no_remote_one_is(repository):
    repository.git("branch", "team/base", "main")

    assert repository.changed("team/base") == ["tales"]


def test_any_other_revision_is_compared_with_directly(repository):
    repository.git("tag", "v1", "main")
    repository.commit(tales=skill(6))

    for base in ("v1", "HEAD~2", repository.git("rev-parse", "main"), "main~0"):
        assert repository.changed(base) == ["tales"]
    assert repository.changed("HEAD~1") == ["tales"]


def test_a_tag_that_is_not_behind_head_is_compared_with_directly(repository):
    repository.git("checkout", "-q", "main")
    repository.commit(fables=skill(), haiku=skill(6))
    repository.git("tag", "v2")
    repository.git("checkout", "-q", "topic")

    # Of the fable nothing is left here; the haiku is as it was before the tag.
    assert repository.changed("v2") == ["haiku", "tales"]


def test_nothing_changed_is_an_error_that_says_so(repository):
    (problem,) = problems_of(repository.folder, base="topic")

    assert problem.code == "no-leaves"
    assert "no leaf of this taxonomy has changed since 'topic'" in problem.message


def test_a_part_of_a_taxonomy_has_only_its_own_changes(repository):
    repository.git("mv", "compositional_skills/writing", "compositional_skills/letters")
    write_leaf(repository.folder, "knowledge", "x", name="README.md")

    part = "compositional_skills/letters/tales"
    (leaf,) = read_taxonomy(repository.folder / part, base="main")
    assert leaf.path == part


def test_a_taxonomy_may_be_a_folder_of_a_larger_repository(tmp_path):
    repository = Repository(tmp_path)
    write_leaf(tmp_path / "data/taxonomy", SKILL, skill())
    write_leaf(tmp_path, ODES, skill())
    repository.git("add", "-A")
    repository.git("commit", "-qm", "leaves")
    write_leaf(tmp_path / "data/taxonomy", TALES, skill())
    write_leaf(tmp_path, SKILL, skill())

    assert repository.changed("main", "data/taxonomy") == ["tales"]


def test_files_are_shown_as_the_user_would_find_them(repository, monkeypatch):
    monkeypatch.chdir(repository.folder.parent)
    write_leaf(repository.folder, TALES, skill(4))

    with pytest.raises(SpecError, match=rf"^taxonomy/{TALES}/qna\.yaml:4:1: "):
        read_taxonomy("taxonomy", base="main")


def test_names_of_folders_are_not_limited_to_what_git_prints_without_quotes(repository):
    write_leaf(repository.folder, 'compositional_skills/caf\u00e9 "x" \u4fb3\u53e5', skill())
    repository.git("add", "-A")

    assert repository.changed("main") == ['caf\u00e9 "x" \u4fb3\u53e5', "tales"]


def test_another_spelling_is_warned_of_here_too(repository, caplog):
    write_leaf(repository.folder, ODES, skill(), name="qna.yml")

    leaves, warnings = warnings_of(caplog, repository.folder, base="main")

    assert len(leaves) == 1
    assert "odes/qna.yml: this file is not read: it is not called qna.yaml" in warnings[0]


def test_a_symbolic_link_that_git_tracks_may_not_lead_out(repository, tmp_path):
    outside = write_leaf(tmp_path / "outside", ".", skill())
    link = repository.folder / SKILL / "qna.yaml"
    link.unlink()
    link.symlink_to(outside)
    repository.git("add", "-A")

    (problem,) = problems_of(repository.folder, base="main")

    assert (problem.code, problem.where.file) == ("link-leads-out", str(link))


def test_an_unfinished_merge_is_told_with_the_line_of_its_marks(repository):
    repository.git("checkout", "-q", "main")
    repository.commit(tales=skill(7))
    with pytest.raises(subprocess.CalledProcessError):
        repository.git("merge", "topic")

    problems = problems_of(repository.folder, base="HEAD~1")

    assert {problem.where.file.split("/")[-2] for problem in problems} == {"tales"}
    assert place(problems[0])[0] > 1


# -- what can be wrong -----------------------------------------------------------------------------


def test_without_a_repository_the_base_that_needs_none_is_named(tmp_path):
    write_leaf(tmp_path, SKILL, skill())

    (problem,) = problems_of(tmp_path, base="main")

    assert str(problem) == (
        f"{tmp_path}: this taxonomy is not a git repository, so that there is no base 'main' "
        "(the base 'empty' reads all leaves and needs no git)"
    )


@pytest.mark.parametrize(
    ("base", "suggestion"),
    [
        ("mian", "did you mean 'main'?"),
        ("origin/topic", None),
        ("0123456789abcdef", None),
        ("--all", None),
        ("main:compositional_skills", None),
        ("a b\nc", None),
        ("", None),
    ],
)
def test_a_base_that_git_does_not_know_is_refused_with_the_nearest(repository, base, suggestion):
    (problem,) = problems_of(repository.folder, base=base)

    assert problem.code == "unknown-base"
    assert repr(base) in problem.message
    assert suggestion in (None, problem.suggestion)


def test_a_branch_without_a_common_commit_is_refused(repository):
    repository.git("checkout", "-q", "--orphan", "other")
    repository.commit(haiku=skill())

    (problem,) = problems_of(repository.folder, base="main")

    assert "HEAD and the base 'main' have no commit in common" in problem.message
    assert "--unshallow" in problem.suggestion


def test_a_repository_without_a_commit_is_told_as_that(tmp_path):
    repository = Repository(tmp_path)
    write_leaf(tmp_path, SKILL, skill())

    (problem,) = problems_of(repository.folder, base="main")

    assert problem.code == "no-commit"


def test_a_repository_of_somebody_else_is_refused_in_gits_own_words(repository, monkeypatch):
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")

    (problem,) = problems_of(repository.folder, base="main")

    assert "detected dubious ownership" in problem.message


def test_without_git_the_error_says_what_to_install(repository):
    code = (
        "import os, sys\n"
        "os.environ['PATH'] = '/nowhere'\n"
        "from kfp_sdg.instructlab.taxonomy import read_taxonomy\n"
        "assert len(read_taxonomy(sys.argv[1])) == 3\n"
        "read_taxonomy(sys.argv[1], base='main')\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, str(repository.folder)],
        env=os.environ, capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert "SdgError: git is not installed" in result.stderr.splitlines()[-1]


def test_nothing_that_the_repository_names_is_run(repository, tmp_path):
    (repository.folder / ".gitattributes").write_text("*.yaml diff=own\n")
    for key in ("core.fsmonitor", "diff.own.command", "diff.own.textconv", "diff.external"):
        repository.git("config", key, f"touch {tmp_path}/ran; false")
    write_leaf(repository.folder, SKILL, skill(6))

    assert repository.changed("main") == ["haiku", "tales"]
    assert not (tmp_path / "ran").exists()


def test_a_failure_of_git_is_no_mistake_of_the_user(repository):
    (repository.folder / ".git" / "index").write_bytes(b"damaged")

    with pytest.raises(SdgError, match="git failed") as caught:
        read_taxonomy(repository.folder, base="main")

    assert caught.value.exit_code == 1
