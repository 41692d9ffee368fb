"""What a server of pipelines is shown: a token that may change while a run is watched, or cookies.

None of it is ever an argument of a command line, where every process of a machine could read it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from kfp_sdg.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from kfp_sdg.kube import Requests


class Token(Protocol):
    """A bearer token.

    Attributes:
        cure: What to do when it is no longer accepted.
    """

    cure: str

    def read(self) -> str:
        """Return the token as it is now.

        Raises:
            ClusterError: It cannot be read.
        """
        ...

    def renew(self) -> None:
        """Look for a newer one at its source, after the server has refused this one."""
        ...


class FixedToken:
    """A token of the environment, which nobody renews."""

    def __init__(self, token: str, cure: str) -> None:
        """Keep the token.

        Args:
            token: The token.
            cure: What to do when it is no longer accepted.

        Raises:
            ClusterError: It holds what no token can.
        """
        self._token = _fit_for_a_header(token, "the token")
        self.cure = cure

    def read(self) -> str:
        """Return the token."""
        return self._token

    def renew(self) -> None:
        """Do nothing: there is no newer one."""


class FileToken:
    """A token in a file that somebody else writes anew, as the kubelet does."""

    def __init__(self, path: Path) -> None:
        """Name the file.

        Args:
            path: The file; read for each request.
        """
        self._path = path
        self._last = ""
        self.cure = f"write a fresh one to {path}"

    def read(self) -> str:
        """Return what the file holds; while somebody writes it anew, what it held before.

        Raises:
            ClusterError: It cannot be read, or is empty, or holds no token.
        """
        try:
            token = self._path.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            if self._last:
                return self._last
            raise ClusterError(f"cannot read the token in {self._path}: {error}") from error
        if not token and not self._last:
            raise ClusterError(f"the token's file {self._path} is empty")
        self._last = _fit_for_a_header(token, f"the token in {self._path}") or self._last
        return self._last

    def renew(self) -> None:
        """Do nothing: the file is read for each request."""


class ClusterToken:
    """The token that a kubeconfig or a pod's service account shows to the Kubernetes API."""

    def __init__(self, requests: Requests) -> None:
        """Share the way to the cluster.

        Args:
            requests: The way.
        """
        self._requests = requests
        self.cure = (
            "the pod's service account may not use it"
            if requests.access.in_cluster
            else "log in again (`oc login`)"
        )

    def read(self) -> str:
        """Return the token; a login plugin of the kubeconfig may run.

        Raises:
            ClusterError: The kubeconfig has certificates and no token.
        """
        configuration = self._requests.access.api.configuration
        shown = str(configuration.get_api_key_with_prefix("authorization") or "")
        token = shown.removeprefix("Bearer ").strip()
        if not token:
            raise ClusterError(
                "the kubeconfig has no token, which OpenShift AI asks for: log in (`oc login`), or "
                "name a file that holds one with --token-file (`oc create token NAME > FILE`)"
            )
        return token

    def renew(self) -> None:
        """Read the kubeconfig anew: somebody may have logged in again."""
        self._requests.reopen()


def cookies_of(text: str) -> str:
    """Return the header ``Cookie`` of what somebody copied from a browser.

    Args:
        text: ``name=value; name=value``, with or without ``Cookie:`` before it.

    Raises:
        ClusterError: It holds what no header can.
    """
    head, colon, rest = text.partition(":")
    words = (rest if colon and head.strip().lower() == "cookie" else text).split()
    for word in words:
        _fit_for_a_header(word, "the cookie")
    return " ".join(words)


def _fit_for_a_header(text: str, what: str) -> str:
    """Return a text of visible ASCII alone, which a word of a header is."""
    if all("!" <= character <= "~" for character in text):
        return text
    raise ClusterError(f"{what} holds white space or letters beyond ASCII; copy it anew")


def read_cookies(path: Path) -> str:
    """Return the header ``Cookie`` that a file holds.

    Args:
        path: A file of curl or of a browser's export (``cookies.txt``), or with the header's text.

    Raises:
        ClusterError: It cannot be read or holds no cookie.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ClusterError(f"cannot read the cookies in {path}: {error}") from error
    if "\t" in text:
        text = "; ".join(_from_lines(text.splitlines()))
    cookies = cookies_of(text)
    if "=" not in cookies:
        raise ClusterError(
            f"{path} holds no cookie; expected the line of a browser's header, "
            "name=value; name=value, or a file cookies.txt"
        )
    return cookies


def _from_lines(lines: Iterable[str]) -> Iterator[str]:
    """Yield ``name=value`` of each line of a cookies.txt: the last two of its seven fields."""
    for line in lines:
        fields = line.removeprefix("#HttpOnly_").split("\t")
        if len(fields) == 7 and not fields[0].startswith("#"):
            yield f"{fields[5]}={fields[6]}"
