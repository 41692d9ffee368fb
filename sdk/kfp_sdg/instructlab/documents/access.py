"""How documents may be reached: secrets for git servers, local paths, a time limit."""

from __future__ import annotations

import os
import re
import shlex
import sys
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from kfp_sdg.errors import Position, Problem, SpecError
from kfp_sdg.instructlab.git_commands import git_environment

if TYPE_CHECKING:
    from collections.abc import Mapping

TOKEN_VARIABLE = "KFP_SDG_GIT_TOKEN"  # noqa: S105 - the name, not the token
FILE_VARIABLE = "KFP_SDG_GIT_TOKEN_FILE"
USER_VARIABLE = "KFP_SDG_GIT_USER"
URL_VARIABLE = "KFP_SDG_GIT_URL"

DEFAULT_USER = "x-access-token"
"""GitHub asks for this name with an app's token; with other tokens servers take any name."""

DEFAULT_TIMEOUT = 600.0

_TOKEN_FILES = ("password", "token", "api_token")
"""A mounted Kubernetes Secret is a folder with a file per key; ``kubernetes.io/basic-auth`` has
``username`` and ``password``."""

_SSH_KEY = "ssh-privatekey"
"""The key of a Secret of the type ``kubernetes.io/ssh-auth``."""

_HELPER = (
    '!f() {{ if [ "$1" = get ]; then printf "username=%s\\npassword=%s\\n" '
    '"$KFP_SDG_SECRET_{number}_USER" "$KFP_SDG_SECRET_{number}_TOKEN"; fi; }}; f'
)
"""A credential helper that takes the secret from git's environment: so it is in no file and on no
command line, and git gives it to no other server, also where one redirects to another."""


@dataclass(frozen=True, slots=True)
class GitSecret:
    """A token and the git server that it is for.

    Attributes:
        url: What the repositories' URLs begin with: "https://github.com", "https://host/group".
        token: A token or password.
        user: The user name that goes with it.
    """

    url: str
    token: str = field(repr=False)
    user: str = DEFAULT_USER


@dataclass(frozen=True, slots=True)
class GitAccess:
    """What may be used to reach documents.

    Attributes:
        secrets: Tokens for private repositories. Besides, git finds what it always finds: ssh keys,
            ``.netrc``, credential helpers, ``url.<base>.insteadOf`` for a mirror.
        ssh_key: The file of a private key for ``ssh`` that is used instead of the user's own, with
            ``known_hosts`` beside it, which names the servers' keys.
        local_paths: Whether a leaf may name a folder or repository of this machine that is not in
            the taxonomy itself. Say no where strangers may propose a ``qna.yaml``.
        timeout: After so many seconds a git command is given up.
    """

    secrets: tuple[GitSecret, ...] = ()
    local_paths: bool = True
    timeout: float = DEFAULT_TIMEOUT
    ssh_key: Path | None = None

    @classmethod
    def from_environment(
        cls,
        environ: Mapping[str, str],
        *,
        local_paths: bool = True,
        timeout: float = DEFAULT_TIMEOUT,
    ) -> GitAccess:
        """Return access with the secret that an environment names, if it names one.

        ``KFP_SDG_GIT_TOKEN`` is the token, or ``KFP_SDG_GIT_TOKEN_FILE`` a file with it, or a
        folder with files ``username`` and ``password`` as a mounted Secret of the type
        ``kubernetes.io/basic-auth``; a file ``ssh-privatekey`` in it, as of the type
        ``kubernetes.io/ssh-auth``, is the key for ``ssh``. ``KFP_SDG_GIT_USER`` is the user's name,
        where the server looks at it. ``KFP_SDG_GIT_URL`` says which repositories the token is for,
        by what their URLs begin with; several with spaces between.

        Raises:
            SpecError: There is a token, and ``KFP_SDG_GIT_URL`` does not say what it is for; or it
                holds a line break.
        """
        token, user = _token(environ)
        key = _place(environ) / _SSH_KEY
        access = cls((), local_paths, timeout, key if key.is_file() else None)
        if not token:
            return access
        if any(not character.isprintable() for character in token + user):
            raise _wrong(TOKEN_VARIABLE, "holds a line break or another control character", None)
        urls = environ.get(URL_VARIABLE, "").split()
        if not urls:
            message = "there is a token for git, and not the server that it is for"
            raise _wrong(URL_VARIABLE, message, "what the URLs begin with, as https://github.com")
        secrets = tuple(GitSecret(_with_scheme(url), token, user) for url in urls)
        return replace(access, secrets=secrets)

    def environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the environment in which git can use the secrets.

        Args:
            environ: The environment of this process.
        """
        settings: list[tuple[str, str]] = []
        made: dict[str, str] = {}
        for number, secret in enumerate(self.secrets):
            key = f"credential.{secret.url}.helper"
            # the empty value forgets the user's own helpers, which would store the token
            settings += [(key, ""), (key, _HELPER.format(number=number))]
            made[f"KFP_SDG_SECRET_{number}_USER"] = secret.user
            made[f"KFP_SDG_SECRET_{number}_TOKEN"] = secret.token
        if self.ssh_key and not environ.get("GIT_SSH_COMMAND"):
            made["GIT_SSH_COMMAND"] = _ssh_command(self.ssh_key)
        return git_environment(environ, settings) | made

    def hide_in(self, text: str) -> str:
        """Return a text in which the tokens are masked."""
        for secret in self.secrets:
            text = text.replace(secret.token, "***") if secret.token else text
        return text


def _place(environ: Mapping[str, str]) -> Path:
    return Path(environ.get(FILE_VARIABLE, "").strip() or os.devnull)


def _ssh_command(key: Path) -> str:
    known_hosts = key.parent / "known_hosts"
    options = ["-i", _private(key), "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes"]
    if known_hosts.is_file():
        options += ["-o", f"UserKnownHostsFile={known_hosts}"]
    return shlex.join(["ssh", *options])


@cache
def _private(key: Path) -> str:
    """Return a place from which ssh takes a key.

    It takes none that others could read, as they can where a Secret is mounted; so the key goes
    into a file that exists in memory alone, for as long as this process runs.
    """
    if sys.platform != "linux":
        return str(key)
    file = os.memfd_create("ssh-key")
    os.fchmod(file, 0o600)
    os.write(file, key.read_bytes().rstrip() + b"\n")
    return f"/proc/{os.getpid()}/fd/{file}"


def _token(environ: Mapping[str, str]) -> tuple[str, str]:
    """Return token and user name; the token is empty where there is none."""
    user = environ.get(USER_VARIABLE, "").strip()
    token = environ.get(TOKEN_VARIABLE, "").strip()
    place = _place(environ)
    if not token:
        files = [place / name for name in _TOKEN_FILES] if place.is_dir() else [place]
        token = next((text for file in files if (text := _content(file))), "")
        user = user or (_content(place / "username") if place.is_dir() else "")
    return token, user or DEFAULT_USER


def _content(path: Path) -> str:
    """Return a small file's text; an optional Secret that is not there is no error."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _with_scheme(url: str) -> str:
    return url if re.match(r"[a-z]+://", url) else f"https://{url}"


def _wrong(variable: str, message: str, expected: str | None) -> SpecError:
    return SpecError(Problem(message, Position(variable), None, expected, code="git-secret"))


def without_user_info(url: str) -> tuple[str, GitSecret | None]:
    """Return a URL without a password in it, and the password as a secret for this URL alone.

    Args:
        url: A URL of HTTP or HTTPS, of which a user name without a password is left out. Any other
            place comes back as it is: the user of ssh is no secret.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or parts.username is None:
        return url, None
    plain = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    if not parts.password:
        return plain, None
    return plain, GitSecret(plain, unquote(parts.password), unquote(parts.username))
