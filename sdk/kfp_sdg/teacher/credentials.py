"""The API key: where it is looked for, how it is kept out of sight, and where it may not go.

A key in a file may change while the process runs: a pod's own token is replaced before it expires,
and so are the files of a mounted Secret when the Secret is changed. ``KeyFile`` follows it.
"""

from __future__ import annotations

import logging
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from kfp_sdg.errors import Position, Problem, SpecError
from kfp_sdg.teacher.service_account import account_of
from kfp_sdg.teacher.token_hosts import HOSTS_VARIABLE, may_have_token
from kfp_sdg.teacher.transport import is_plain_loopback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

logger = logging.getLogger(__name__)

KEY_VARIABLE = "KFP_SDG_API_KEY"
FILE_VARIABLE = "KFP_SDG_API_KEY_FILE"
FALLBACK_VARIABLE = "OPENAI_API_KEY"

_NO_KEY = "EMPTY"
"""What vLLM's documentation sends to servers that want no key; clients insist on some value."""

_FILES_IN_A_FOLDER = ("api_token", "api_key")
"""A mounted Kubernetes Secret is a folder with a file per key; these two names are understood."""


POD_TOKEN = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
"""Where a pod finds the token of its service account."""

_LOOK_EVERY = 2.0
"""Seconds between two looks at the file of a key. Kubernetes replaces a pod's token when a fifth of
its life is left, which is minutes at least."""


class Key(Protocol):
    """An API key as senders and transports use it."""

    @property
    def value(self) -> str:
        """The key as it is now; "EMPTY" where there is none."""

    @property
    def source(self) -> str:
        """Where it came from, for messages."""

    @property
    def given(self) -> bool:
        """Whether there is a key."""

    @property
    def changes(self) -> bool:
        """Whether it may become another one while the process runs."""

    @property
    def advice(self) -> str:
        """What to do when a server refuses this key."""

    def renewed(self, used: str) -> bool:
        """Look for the key again at once; tell whether it is another one than that was used."""

    def hide_in(self, text: str) -> str:
        """Return a text in which the key is masked, for servers that repeat it in errors."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key that stays the same, and does not show in a representation.

    Attributes:
        value: The key itself; "EMPTY" where there is none.
        source: Where it came from, for messages: "KFP_SDG_API_KEY".
        note: What else is to be known when a server refuses it.
    """

    value: str = field(repr=False)
    source: str
    note: str = ""

    @property
    def given(self) -> bool:
        """Whether the user gave a key."""
        return self.value != _NO_KEY

    @property
    def changes(self) -> bool:
        """Whether it may become another one: never."""
        return False

    @property
    def advice(self) -> str:
        """What to do when a server refuses this key."""
        return f"{self.note}; {_advice(self)}" if self.note else _advice(self)

    def renewed(self, used: str) -> bool:
        """Tell whether the key is another one than that was used: no."""
        return False

    def hide_in(self, text: str) -> str:
        """Return a text in which the key is masked, for servers that repeat it in errors."""
        return text.replace(self.value, "***") if self.given else text


class KeyFile:
    """The API key that a file holds, followed when the file is replaced.

    The file is looked at every few seconds at most, while keys are asked for, and at once when a
    server has refused the key. A file that is empty, gone or broken for a moment changes nothing.
    """

    changes = True

    def __init__(
        self, place: Path, otherwise: ApiKey, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Read the key.

        Args:
            place: The file; or a folder with ``api_token`` or ``api_key`` in it.
            otherwise: The key to use while the file holds none.
            clock: Seconds from any moment on.

        Raises:
            SpecError: The key holds characters that no HTTP header may hold; it is not shown.
        """
        self._place = place
        self._otherwise = otherwise
        self._clock = clock
        self._looked = clock()
        self._seen = self._state()
        self._key = self._read() or otherwise
        self._past: set[str] = set()

    def __repr__(self) -> str:
        """Return where the key is, without the key."""
        return f"KeyFile({str(self._place)!r})"

    @property
    def value(self) -> str:
        """The key as it is now; "EMPTY" where there is none."""
        if self._clock() - self._looked >= _LOOK_EVERY:
            self._look()
        return self._key.value

    @property
    def place(self) -> Path:
        """Where the key is."""
        return self._place

    @property
    def otherwise(self) -> ApiKey:
        """The key to use while the file holds none."""
        return self._otherwise

    @property
    def source(self) -> str:
        """Where the key came from, for messages."""
        return self._key.source

    @property
    def given(self) -> bool:
        """Whether there is a key."""
        return self._key.given

    @property
    def advice(self) -> str:
        """What to do when a server refuses this key."""
        if self._key.given:
            return _advice(self._key)
        return (
            f"{self._place}, named by {FILE_VARIABLE}, holds none; in a compiled pipeline that is "
            "the Secret which the parameter teacher_secret names, with the key under api_token"
        )

    def renewed(self, used: str) -> bool:
        """Look into the file at once; tell whether the key is another one than that was used."""
        self._look()
        return self._key.value != used

    def hide_in(self, text: str) -> str:
        """Return a text in which the key is masked, and every key that it was before."""
        for value in self._past:
            text = text.replace(value, "***")
        return self._key.hide_in(text)

    def _look(self) -> None:
        """Read the file again if it is not as it was."""
        self._looked = self._clock()
        state = self._state()
        if state == self._seen:
            return
        try:
            key = self._read()
        except SpecError as error:
            logger.warning("the API key stays as it was: %s", error)
            key = None
        self._seen = state
        if key is not None and key != self._key:
            if self._key.given:
                self._past.add(self._key.value)
            self._key = key

    def _state(self) -> tuple[object, ...]:
        """Return what changes with the files, links followed, as Kubernetes replaces a link."""
        return tuple(map(_stamp, _candidates(self._place)))

    def _read(self) -> ApiKey | None:
        for path in _candidates(self._place):
            if value := _content(path):
                return _checked(value, f"{path} (named by {FILE_VARIABLE})")
        return None


def find_api_key(environ: Mapping[str, str]) -> ApiKey | KeyFile:
    """Look for the API key in an environment.

    The first of these that holds something counts: ``KFP_SDG_API_KEY``; the file that
    ``KFP_SDG_API_KEY_FILE`` names, or ``api_token`` or ``api_key`` in it if it is a folder;
    ``OPENAI_API_KEY``. A file that is not there is no error, since an optional Secret is mounted
    as an empty folder and most servers inside a cluster want no key. A file may change later.

    Raises:
        SpecError: The key holds characters that no HTTP header may hold; the key is not shown.
    """
    if value := environ.get(KEY_VARIABLE, "").strip():
        return _checked(value, KEY_VARIABLE)
    fallback = environ.get(FALLBACK_VARIABLE, "").strip()
    otherwise = _checked(fallback, FALLBACK_VARIABLE) if fallback else ApiKey(_NO_KEY, "nowhere")
    place = environ.get(FILE_VARIABLE, "").strip()
    return KeyFile(Path(place), otherwise) if place else otherwise


def objection(key: Key, url: str) -> str | None:
    """Return why a key may not be sent to a URL; None where it may.

    The token of a service account lets whoever has it act as that account in the whole cluster, so
    it goes over TLS alone. This machine itself is no network.

    Args:
        key: The key.
        url: Where it would be sent.
    """
    if not url.startswith("http://") or is_plain_loopback(url):
        return None
    account = account_of(key.value)
    if account is None:
        return None
    return (
        f"the key is the token of the service account {account}, which is sent over https only, "
        f"and {url} is not; give the teacher's https:// URL, or a key of the server's own"
    )


def key_for(key: Key, url: str, *, hosts: Iterable[str] = (), pod_token: Path | None = None) -> Key:
    """Return the key for a URL: a pod's own token stays in the pod where it may not be sent.

    A pipeline that starts its teacher shows it this token without anybody having chosen so, and the
    run form takes any URL. KServe asks for one behind TLS only; a teacher elsewhere asks for none,
    or for a key of its own.

    Args:
        key: The key that was found.
        url: Where it would be sent.
        hosts: The hosts outside the cluster that may be shown the token; see ``token_hosts``.
        pod_token: Where a pod finds its own token; None for ``POD_TOKEN``.
    """
    if not isinstance(key, KeyFile) or not _is_same_file(key.place, pod_token or POD_TOKEN):
        return key
    if is_plain_loopback(url) or (url.startswith("https://") and may_have_token(url, hosts)):
        return key
    if key.otherwise.given:
        return key.otherwise
    return ApiKey(_NO_KEY, "nowhere", _withheld(url))


def require_safe(key: Key, url: str) -> None:
    """Raise a ``SpecError`` where a key may not be sent to a URL; see ``objection``."""
    if (message := objection(key, url)) is not None:
        raise SpecError(Problem(message, Position(key.source), code="api-key"))


def _withheld(url: str) -> str:
    """Return why the pod's own token was not sent to a URL."""
    if not url.startswith("https://"):
        return (
            "the pod's own token is not sent over http; a pipeline compiled with --teacher-key "
            "secret shows the server's own key"
        )
    return (
        "the pod's own token is sent to servers inside the cluster only (NAME.NAMESPACE.svc); for "
        f"{urlsplit(url).hostname} compile the pipeline with --teacher-key-host, or name it in "
        f"{HOSTS_VARIABLE}"
    )


def _is_same_file(place: Path, other: Path) -> bool:
    """Tell whether two paths name one file, whose folders may be links as ``/var/run`` is one."""
    return place.name == other.name and place.parent.resolve() == other.parent.resolve()


def _advice(key: ApiKey) -> str:
    """Return what to do when a server refuses a key."""
    where = f"set {KEY_VARIABLE}, or {FILE_VARIABLE} to a file that holds the key"
    if not key.given:
        return where
    account = account_of(key.value)
    if account is not None:
        return (
            f"it refused the token of the service account {account}, from {key.source}; that "
            "account needs the right to get this InferenceService"
        )
    return f"it refused the key from {key.source}; {where}"


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


def _candidates(place: Path) -> list[Path]:
    return [place / name for name in _FILES_IN_A_FOLDER] if place.is_dir() else [place]


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""


def _checked(value: str, source: str) -> ApiKey:
    if not (value.isascii() and value.isprintable()) or " " in value:
        raise SpecError(
            Problem(
                "the API key holds a space, a line break or a character outside ASCII",
                Position(source),
                expected="the key alone, on one line",
                code="api-key",
            )
        )
    return ApiKey(value, source)
