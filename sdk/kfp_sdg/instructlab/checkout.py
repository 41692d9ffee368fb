"""A taxonomy's repository as a task needs it: fetched, and at the right commit."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from kfp_sdg.errors import Position, Problem, SpecError, StorageError
from kfp_sdg.instructlab.documents.access import without_user_info
from kfp_sdg.instructlab.git_commands import run_git
from kfp_sdg.instructlab.taxonomy.read import EVERYTHING

if TYPE_CHECKING:
    from kfp_sdg.instructlab.documents.access import GitAccess
    from kfp_sdg.instructlab.git_commands import GitResult

_PULL_REQUESTS = ("refs/pull/{number}/head", "refs/merge-requests/{number}/head")
"""Where GitHub (and Gitea) and GitLab keep what somebody proposes."""

_ABSENT = "couldn't find remote ref"
_REFUSED = (
    r"could not read|Authentication failed|Invalid username|returned error: 40[13]|not found|denied"
)
_ADVICE = "for a private repository give a user name and a password or token in the git secret"


@dataclass(frozen=True, slots=True)
class TaxonomySource:
    """Which state of which taxonomy is meant.

    Attributes:
        repo: The URL of a git repository, or a folder.
        branch: A branch, tag or commit of it; "" for the default branch.
        pull_request: The number of a pull request or merge request, which is read instead; 0 for
            none.
        base: The branch or other revision that leaves have to differ from; "empty" for all leaves;
            "" for all leaves, or for those that the pull request changes.
    """

    repo: str
    branch: str = ""
    pull_request: int = 0
    base: str = ""

    @property
    def folder(self) -> Path | None:
        """The folder that ``repo`` names; None for a URL of another machine."""
        url = urlsplit(self.repo)
        if url.scheme == "file":
            return Path(unquote(url.path))
        path = Path(self.repo).expanduser()
        return path if path.is_dir() else None


@dataclass(frozen=True, slots=True)
class Checkout:
    """A taxonomy on this machine.

    Attributes:
        folder: Where it is.
        base: The base for ``read_taxonomy``.
        commit: The full name of the commit; "" for a folder that is read as it is.
    """

    folder: Path
    base: str
    commit: str = ""


def check_out(source: TaxonomySource, folder: Path, access: GitAccess) -> Checkout:
    """Bring a taxonomy to where it can be read.

    A folder of this machine is read where it is and as it is, with what is not committed, unless a
    branch or a pull request of it is asked for.

    Args:
        source: What is meant.
        folder: Where a repository may be cloned to; it must not exist, or be empty.
        access: What may be used to reach it.

    Raises:
        SpecError: The repository has no such branch, pull request or base.
        StorageError: It cannot be reached, or git fails.
    """
    here = source.folder
    if here is not None and not source.branch and not source.pull_request:
        return Checkout(here, source.base or EVERYTHING)
    clone = _Clone(source.repo if here is None else str(here), folder, access)
    # Where a pull request starts from is the branch that it is for.
    branch = clone.revision(source.branch, "taxonomy_branch")
    commit = clone.pull_request(source.pull_request) if source.pull_request else branch
    clone.git("checkout", "--quiet", "--detach", commit)
    if source.base and source.base != EVERYTHING:
        base = clone.revision(source.base, "taxonomy_base")
    else:
        base = source.base or (branch if source.pull_request else EVERYTHING)
    return Checkout(folder, base, clone.commit_of(commit))


class _Clone:
    """A clone of a whole repository, whose branches are those of ``origin``."""

    def __init__(self, repo: str, folder: Path, access: GitAccess) -> None:
        self._url, secret = without_user_info(repo)
        if secret:
            access = replace(access, secrets=(*access.secrets, secret))
        self._folder = folder
        self._access = access
        self._environment = access.environment(os.environ)
        folder.mkdir(parents=True, exist_ok=True)
        self.git("clone", "--quiet", "--no-checkout", "--origin=origin", "--", self._url, ".")

    def git(self, *arguments: str) -> str:
        """Run git in the clone and return what it prints.

        Raises:
            StorageError: It fails.
        """
        result = self._run(*arguments)
        if result.status:
            raise self._unreadable(result)
        return result.output.decode(errors="replace").strip()

    def revision(self, name: str, parameter: str) -> str:
        """Return what git calls a branch, a tag or a commit; the default branch where none is said.

        Raises:
            SpecError: There is none of the name.
        """
        for candidate in (f"origin/{name or 'HEAD'}", name):
            if candidate and self.commit_of(candidate):
                return candidate
        if name and not self._run("fetch", "--quiet", "origin", "--", name).status:
            return self.git("rev-parse", "FETCH_HEAD")
        if not name:
            raise self._problem("has no commit", "a branch with leaves")
        raise self._problem(
            f"has no branch, tag or commit {name!r}", f"one of its own as {parameter}"
        )

    def pull_request(self, number: int) -> str:
        """Fetch what a pull request proposes and return its commit.

        Raises:
            SpecError: There is no such pull request.
        """
        for pattern in _PULL_REQUESTS:
            result = self._run("fetch", "--quiet", "origin", pattern.format(number=number))
            if not result.status:
                return self.git("rev-parse", "FETCH_HEAD")
            if _ABSENT not in result.errors:
                raise self._unreadable(result)
        places = " and ".join(pattern.format(number=number) for pattern in _PULL_REQUESTS)
        raise self._problem(f"has no pull request {number}", f"one of {places}")

    def commit_of(self, name: str) -> str:
        """Return a commit's full name; "" where there is none of that name."""
        result = self._run(
            "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"
        )
        return "" if result.status else result.output.decode().strip()

    def _run(self, *arguments: str) -> GitResult:
        result = run_git(
            arguments,
            folder=self._folder,
            environment=self._environment,
            timeout=self._access.timeout,
        )
        return replace(result, errors=self._access.hide_in(result.errors))

    def _unreadable(self, result: GitResult) -> StorageError:
        advice = f" ({_ADVICE})" if re.search(_REFUSED, result.errors) else ""
        return StorageError(
            f"the taxonomy's repository {self._url} cannot be read: {result.last_words}{advice}"
        )

    def _problem(self, message: str, expected: str) -> SpecError:
        problem = Problem(
            f"the taxonomy's repository {message}",
            Position(self._url),
            expected=expected,
            code="unknown-revision",
        )
        return SpecError(problem)
