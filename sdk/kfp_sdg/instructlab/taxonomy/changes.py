"""Which files of a taxonomy changed since a revision of git."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from kfp_sdg.errors import Position, SdgError
from kfp_sdg.spec.problems import did_you_mean
from kfp_sdg.spec.yaml_nodes import fail

if TYPE_CHECKING:
    from pathlib import Path


_COMMAND = ("git", "--no-optional-locks", "-c", "core.fsmonitor=false")
"""The repository is only read, and runs nothing."""


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
        try:
            import git
        except ImportError:  # GitPython looks for the command when it is imported
            _not_installed()
        self.folder = folder
        self.base = base
        self._errors = git.exc
        self._command: Any = git.Git(str(folder))

    def start(self) -> str:
        """Return the commit that changes are counted from."""
        try:
            self.run("rev-parse", "--show-toplevel")
        except self._errors.GitCommandError as error:
            self._no_repository(error)
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
        try:
            return self.run("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")
        except self._errors.GitCommandError:
            return None

    def lines(self, *arguments: str, sep: str = "\0") -> list[str]:
        """Run git and return what it lists."""
        try:
            return [line for line in self.run(*arguments).split(sep) if line]
        except self._errors.GitCommandError as error:
            raise SdgError(f"{self.folder}: git failed: {_said(error)}") from error

    def run(self, *arguments: str) -> str:
        """Run git and return what it printed."""
        try:
            return str(self._command.execute([*_COMMAND, *arguments]))
        except self._errors.GitCommandNotFound:
            _not_installed()

    def _no_repository(self, error: Exception) -> NoReturn:
        said = _said(error)
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


def _said(error: Exception) -> str:
    """Return what git itself said, in one line."""
    lines = str(getattr(error, "stderr", "") or error).strip().removeprefix("stderr: ").split("\n")
    return lines[0].strip(" '")


def _not_installed() -> NoReturn:
    raise SdgError(
        "git is not installed, and a taxonomy's base needs it; install git, or read all leaves "
        "with the base 'empty'"
    ) from None
