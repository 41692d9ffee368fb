"""Which files of a taxonomy changed since a revision of git."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NoReturn

from kfp_sdg.errors import Position, SdgError, StorageError
from kfp_sdg.instructlab.git_commands import NO_GIT, git_environment, run_git
from kfp_sdg.spec.problems import did_you_mean
from kfp_sdg.spec.yaml_nodes import fail

if TYPE_CHECKING:
    from pathlib import Path

    from kfp_sdg.instructlab.git_commands import GitResult

_READ_ONLY = ("--no-optional-locks", "-c", "core.fsmonitor=false")
"""The repository is only read, and runs nothing."""

_PATIENCE = 600.0
"""Seconds that one command may take in the largest of taxonomies."""

_NOT_INSTALLED = (
    "git is not installed, and a taxonomy's base needs it; install git, or read all leaves with "
    "the base 'empty'"
)


def changed_paths(folder: Path, base: str) -> list[str]:
    """Return the files that are other than in a base, with those that git does not track yet.

    Args:
        folder: A git repository or a folder in one.
        base: A remote branch ("origin/main"), a local one, or any other revision.

    Returns:
        Paths below the folder; deleted files are not among them.

    Raises:
        SpecError: The folder is no git repository, or the base is not known there.
        SdgError: git is not installed, or fails.
    """
    git = _Git(folder, base)
    since = git.start()
    # Nothing that the repository's configuration names is run.
    changed = git.lines(
        "diff", "--name-only", "--relative", "--no-renames", "--diff-filter=d", "--no-ext-diff",
        "--no-textconv", "-z", since, "--", ".",
    )  # fmt: skip
    untracked = git.lines("ls-files", "--others", "--exclude-standard", "-z", "--", ".")
    return [*changed, *untracked]


class _Git:
    """The git command in one folder."""

    def __init__(self, folder: Path, base: str) -> None:
        self.folder = folder
        self.base = base
        self._environment = git_environment(os.environ)

    def start(self) -> str:
        """Return the commit that changes are counted from."""
        result = self.run("rev-parse", "--show-toplevel")
        if result.status:
            self._no_repository(result)
        head = self.find("HEAD")
        if head is None:
            fail(
                Position(str(self.folder)),
                "this git repository has no commit yet",
                code="no-commit",
                suggestion="commit something, or read the whole taxonomy with the base 'empty'",
            )
        branch = self.branch()
        if branch is None:
            return self.find(self.base) or self._unknown_base()
        inside = set(self.lines("rev-list", branch, sep="\n"))
        back = self.lines("rev-list", "--first-parent", head, sep="\n")
        start = next((commit for commit in back if commit in inside), None)
        if start is None:
            fail(
                Position(str(self.folder)),
                f"HEAD and the base {self.base!r} have no commit in common",
                code="unknown-base",
                suggestion="a shallow clone lacks the older commits; fetch them with "
                "`git fetch --unshallow`",
            )
        return start

    def branch(self) -> str | None:
        """Return the commit of the branch that the base names; None where it names none."""
        remote, local = f"refs/remotes/{self.base}", f"refs/heads/{self.base}"
        for name in (remote, local) if "/" in self.base else (local,):
            if (commit := self.find(name)) is not None:
                return commit
        return None

    def find(self, name: str) -> str | None:
        """Return the commit that a name stands for; None where it stands for none."""
        if name.startswith("-"):  # would be an option
            return None
        result = self.run("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
        return None if result.status else os.fsdecode(result.output).strip()

    def lines(self, *arguments: str, sep: str = "\0") -> list[str]:
        """Run git and return what it lists."""
        result = self.run(*arguments)
        if result.status:
            raise SdgError(f"{self.folder}: git failed: {result.last_words}")
        return [line for line in os.fsdecode(result.output).split(sep) if line]

    def run(self, *arguments: str) -> GitResult:
        """Run git to its end."""
        try:
            return run_git(
                [*_READ_ONLY, *arguments],
                folder=self.folder,
                environment=self._environment,
                timeout=_PATIENCE,
            )
        except StorageError as error:
            if str(error) != NO_GIT:
                raise
            raise SdgError(_NOT_INSTALLED) from None

    def _no_repository(self, result: GitResult) -> NoReturn:
        said = result.last_words
        if "not a git repository" in said or "work tree" in said:
            said = "this taxonomy is not a git repository"
        else:  # such as the owner of the folder being somebody else
            said = f"git does not take this taxonomy for a repository: {said}"
        fail(
            Position(str(self.folder)),
            f"{said}, so that there is no base {self.base!r}",
            code="no-repository",
            suggestion="the base 'empty' reads all leaves and needs no git",
        )

    def _unknown_base(self) -> NoReturn:
        names = self.lines(
            "for-each-ref", "--format=%(refname:short)", "refs/heads", "refs/remotes", "refs/tags",
            sep="\n",
        )  # fmt: skip
        fail(
            Position(str(self.folder)),
            f"git knows no branch or revision {self.base!r} here",
            code="unknown-base",
            expected="a branch (origin/main), another revision, or 'empty' for all leaves",
            suggestion=did_you_mean(self.base, names),
        )
