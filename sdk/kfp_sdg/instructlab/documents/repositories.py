"""The repositories that leaves name: told apart, fetched once, and read at their commit."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from kfp_sdg.errors import Position, Problem, SpecError, StorageError
from kfp_sdg.instructlab.documents.access import (
    FILE_VARIABLE,
    TOKEN_VARIABLE,
    URL_VARIABLE,
    GitAccess,
    without_user_info,
)
from kfp_sdg.instructlab.documents.trees import FolderTree, GitTree, Tree
from kfp_sdg.instructlab.git_commands import GitResult, run_git

if TYPE_CHECKING:
    from collections.abc import Callable

    from kfp_sdg.instructlab.model import DocumentSource

_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<rest>.*)", re.DOTALL)
_SSH_SHORT = re.compile(r"(?:[\w.+-]+@)?[\w.-]+:(?!//)(?P<path>.+)")
_HELPER = re.compile(r"[\w+-]+::")
_SCHEMES = ("https", "http", "ssh", "git", "file")
_COMMIT = re.compile(r"(?!-)(?!.*\.\.)[^\s:^~?*\[\\+\x00-\x1f\x7f]+")
_FULL_NAME = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SHORT_NAME = re.compile(r"[0-9a-f]{4,63}")

_NO_SUCH_COMMIT = ("not our ref", "couldn't find remote ref", "no such remote ref")
_NOT_ALONE = (
    "unadvertised object",
    "not advertised",
    "not valid",
    "dumb http transport",
    "shallow",
    "filter",
)
"""What servers say that cannot give one commit alone, so that all has to be fetched."""

_ADVICE = (
    (
        r"could not read (Username|Password)|Authentication failed|terminal prompts disabled|"
        r"Invalid username|returned error: 40[13]|not found|Permission denied",
        f"for a private repository set {TOKEN_VARIABLE} or {FILE_VARIABLE}, and {URL_VARIABLE}; "
        "or let git find an ssh key",
    ),
    (
        r"Host key verification failed",
        "the server's key has to be in known_hosts",
    ),
    (
        r"certificate",
        "set SSL_CERT_FILE or GIT_SSL_CAINFO to the certificate authority that signed it",
    ),
)


class _NoSuchCommit(Exception):  # noqa: N818 - becomes a SpecError where the leaf is known
    """A repository does not have a commit."""


class Repositories:
    """The repositories of a run, each fetched once for each commit.

    Args:
        cache: The folder for what is fetched. Names in it are made from the repository and the
            commit, so a later run finds what an earlier one fetched.
        access: What may be used to reach them.
        taxonomy_folder: What relative paths count from.
    """

    def __init__(self, cache: Path, access: GitAccess, taxonomy_folder: Path) -> None:
        self._cache = cache
        self._access = access
        self._taxonomy = taxonomy_folder
        self._trees: dict[tuple[str, str], Tree | _NoSuchCommit] = {}

    def tree(self, source: DocumentSource, file: str) -> Tree:
        """Return the files of a leaf's repository at its commit.

        Args:
            source: What the leaf says.
            file: The leaf's file, for messages.

        Raises:
            SpecError: The repository is one that may not be used, its path does not exist, or it
                has no such commit.
            StorageError: It cannot be fetched or read.
        """
        key = (source.repo, source.commit)
        if key not in self._trees:
            try:
                self._trees[key] = self._open(source, file)
            except _NoSuchCommit as error:
                self._trees[key] = error
        found = self._trees[key]
        if isinstance(found, _NoSuchCommit):
            raise _problem(
                source.places.get("commit", Position(file)),
                f"the documents' repository {_shown(source.repo)} has no commit {source.commit!r}",
                "commit-not-found",
                expected="a commit, a tag or a branch of it",
            )
        return found

    def _open(self, source: DocumentSource, file: str) -> Tree:
        repo, commit = source.repo.strip(), source.commit.strip()
        where = source.places.get("repo", Position(file))
        path = self._local_path(repo, where)
        if path is not None and not (self._is_repository(path)):
            return FolderTree.of(path)
        if not _COMMIT.fullmatch(commit):
            where = source.places.get("commit", Position(file))
            raise _problem(where, f"{commit!r} is no name of a commit", "commit-name")
        try:
            if path is not None:
                return self._local_repository(path, commit)
            return self._fetched(repo, commit)
        except StorageError as error:
            advice = next((text for sign, text in _ADVICE if re.search(sign, str(error))), None)
            message = f"the documents' repository {_shown(repo)} cannot be read: {error}"
            raise StorageError(
                f"{where}: {message}" + (f" ({advice})" if advice else "")
            ) from error.__cause__

    def _local_path(self, repo: str, where: Position) -> Path | None:
        """Return the path that is meant, or None for a URL.

        Raises:
            SpecError: It is neither, or a path that may not be used.
        """
        text = _checked_repo(repo, where)
        if text is None:
            return None
        path = Path(os.path.abspath(self._taxonomy / Path(text).expanduser()))
        if not self._access.local_paths:
            inside = path.resolve().is_relative_to(self._taxonomy.resolve())
            if not inside:
                raise _problem(
                    where,
                    f"the documents are in {text}, a path of this machine outside of the taxonomy",
                    "local-documents",
                    expected="the URL of a git repository, or a folder in the taxonomy",
                )
        if not path.is_dir():
            raise _problem(
                where,
                f"the documents' repository {text} is not there",
                "no-repository",
                expected=f"a folder, and {path} is none, or a URL such as https://host/name.git",
            )
        return path

    def _is_repository(self, path: Path) -> bool:
        if (path / ".git").exists():
            return True
        return (path / "HEAD").is_file() and (path / "objects").is_dir()

    def _local_repository(self, path: Path, commit: str) -> Tree:
        git = self._git(path)
        found = _commit_in(git, commit)
        name = _file_name(str(path), found)
        return GitTree.of(git, found, self._cache / name / "files")

    def _fetched(self, repo: str, commit: str) -> Tree:
        url, secret = without_user_info(repo)
        access = self._access
        if secret:
            access = replace(access, secrets=(*access.secrets, secret))
        if _FULL_NAME.fullmatch(commit):
            kept = self._cache / _file_name(url, commit)
            if (kept / "repository").is_dir():
                return self._tree_in(kept, commit, access)
        self._cache.mkdir(parents=True, exist_ok=True)
        fetched = Path(tempfile.mkdtemp(dir=self._cache, prefix=".fetch-"))
        try:
            found = self._fetch(url, commit, fetched / "repository", access)
            kept = self._cache / _file_name(url, found)
            if not kept.exists():
                os.rename(fetched, kept)
        finally:
            shutil.rmtree(fetched, ignore_errors=True)
        return self._tree_in(kept, found, access)

    def _fetch(self, url: str, commit: str, folder: Path, access: GitAccess) -> str:
        """Fetch one commit without files' contents, or else everything; return its full name."""
        git = self._new_repository(url, commit, folder, access)
        for key, value in (("promisor", "true"), ("partialclonefilter", "blob:none")):
            _checked(git("config", f"remote.origin.{key}", value))
        options = ("--quiet", "--no-tags", "--recurse-submodules=no")
        result = git("fetch", *options, "--depth=1", "--filter=blob:none", "origin", commit)
        if not result.status:
            return _commit_in(git, "FETCH_HEAD")
        absent = _says(result, _NO_SUCH_COMMIT)
        short = _SHORT_NAME.fullmatch(commit) and not _FULL_NAME.fullmatch(commit)
        if absent and not short:
            raise _NoSuchCommit
        if not absent and not _says(result, _NOT_ALONE):
            _checked(result)
        shutil.rmtree(folder)
        git = self._new_repository(url, commit, folder, access)
        both = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
        _checked(git("fetch", *options, "origin", *both))
        return _commit_in(git, commit)

    def _new_repository(
        self, url: str, commit: str, folder: Path, access: GitAccess
    ) -> Callable[..., GitResult]:
        folder.mkdir()
        git = self._git(folder, access)
        long = ("--object-format=sha256",) if len(commit) == 64 else ()
        _checked(git("init", "--quiet", "--bare", "--template=", *long))
        _checked(git("config", "remote.origin.url", url))
        return git

    def _tree_in(self, kept: Path, commit: str, access: GitAccess) -> Tree:
        git = self._git(kept / "repository", access)
        return GitTree.of(git, commit, kept / "files", partial=True)

    def _git(self, folder: Path, access: GitAccess | None = None) -> Callable[..., GitResult]:
        access = access or self._access
        environment = access.environment(os.environ)
        # a folder in a damaged repository must not be taken for a part of one further up
        environment["GIT_CEILING_DIRECTORIES"] = str(folder.parent)
        return partial(_run, folder, environment, access)


def _run(
    folder: Path,
    environment: dict[str, str],
    access: GitAccess,
    *arguments: str,
    given: bytes = b"",
) -> GitResult:
    result = run_git(
        arguments, folder=folder, environment=environment, timeout=access.timeout, given=given
    )
    return replace(result, errors=access.hide_in(result.errors))


def _checked_repo(repo: str, where: Position) -> str | None:
    """Return a path, or None for a URL that git may be given.

    Raises:
        SpecError: It is something that git would take for an option or a command, or a URL of a
            kind that is not fetched.
    """
    if not repo or repo.startswith("-") or not repo.isprintable():
        raise _problem(where, f"{_shown(repo)!r} is no repository", "no-repository")
    if _HELPER.match(repo):
        raise _problem(
            where,
            f"{repo!r} would have git run a command",
            "unsafe-repository",
            expected="a URL of https, http, ssh or git, or a path",
        )
    url = _URL.fullmatch(repo)
    if url and url["scheme"].lower() not in _SCHEMES:
        raise _problem(
            where,
            f"a repository cannot be fetched by {url['scheme']}://",
            "unsafe-repository",
            expected="a URL of https, http, ssh or git, or a path",
        )
    if url and url["scheme"].lower() == "file":
        host, slash, path = url["rest"].partition("/")
        if host not in ("", "localhost"):
            raise _problem(
                where, f"{repo} names a host, and files are of this one", "no-repository"
            )
        return f"{slash}{path}"
    if url:
        if url["rest"].rpartition("@")[2].startswith("-") or url["rest"].startswith("-"):
            raise _problem(where, f"{_shown(repo)!r} is no repository", "unsafe-repository")
        return None
    return None if _SSH_SHORT.fullmatch(repo) else repo


def _commit_in(git: Callable[..., GitResult], commit: str) -> str:
    """Return a commit's full name.

    Raises:
        StorageError: The repository cannot be used.
        _NoSuchCommit: It has no such commit.
    """
    result = git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{commit}^{{commit}}")
    if result.status == 1:
        raise _NoSuchCommit
    return _checked(result).output.decode().strip()


def _says(result: GitResult, signs: tuple[str, ...]) -> bool:
    return any(sign in result.errors for sign in signs)


def _checked(result: GitResult) -> GitResult:
    if result.status:
        raise StorageError(result.last_words)
    return result


def _file_name(repo: str, commit: str) -> str:
    """Return the same short name for the same repository and commit."""
    stem = re.sub(r"\.git$", "", repo.rstrip("/").replace("\\", "/").rsplit("/", 1)[-1])
    stem = re.sub(r"[^\w.-]+", "_", stem).strip(".")[:40] or "repository"
    digest = hashlib.sha256(f"{repo}\0{commit}".encode(errors="surrogateescape")).hexdigest()
    return f"{stem}-{digest[:12]}"


def _shown(repo: str) -> str:
    """Return a repository as messages show it: without what may be a token in its URL."""
    return re.sub(r"(?<=://)[^/@\s]*@", "", repo)


def _problem(where: Position, message: str, code: str, expected: str | None = None) -> SpecError:
    return SpecError(Problem(message, where, None, expected, None, code))
