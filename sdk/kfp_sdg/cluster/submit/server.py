"""Requests to a server of pipelines, through the troubles that it has for a while.

They go through the client that KFP's SDK is made of (``kfp_server_api``). ``kfp.Client`` above it
is left out: its requests have no time limit, so that a watch hangs for ever on a lost connection;
on a 401 it asks Google for a token; making one writes to the home folder and asks for the server's
health five times with tracebacks; it prints to standard output; it knows neither ``SSL_CERT_FILE``
nor a proxy; and its wait never ends for a run that was cancelled (kfp 2.17).
"""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from kfp_sdg.errors import ClusterError, SpecError
from kfp_sdg.kube.patience import Patience
from kfp_sdg.kube.proxy import use_proxy

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kfp_server_api import ApiClient
    from kfp_server_api.exceptions import ApiException

    from kfp_sdg.cluster.submit.target import Target

_TRANSIENT = frozenset({408, 429, 500, 502, 503, 504})
"""Statuses after which the same request may succeed."""

_NOTHING_HAPPENED = frozenset({408, 429, 503})
"""Those of them that say that the request was not carried out."""

_FIRST_CONTACT = 10.0
"""Seconds to try to reach a server that never answered: its address may be wrong."""

_WEB_PAGE = (
    "answers with a web page and not with the API. A login page asks for a session cookie "
    "(--cookies FILE); otherwise look at the URL's path, which for Kubeflow ends in /pipeline"
)


class MissingError(ClusterError):
    """The server knows no such thing."""


class ExistsError(ClusterError):
    """Somebody else was faster."""


class RefusedError(ClusterError):
    """The server says no, for a reason that will not pass."""


class Server:
    """A server of pipelines.

    Attributes:
        target: Where it is and how it is talked to.
        namespace: What requests name; None before it was greeted, and where the server is for a
            single user and has no namespaces.
    """

    namespace: str | None = None

    def __init__(
        self,
        target: Target,
        *,
        patience: Patience | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        """Prepare to talk; nothing is sent yet.

        Args:
            target: The server.
            patience: How long to try.
            tell: Takes a line when the server is away.

        Raises:
            ClusterError: The file of certificate authorities cannot be read.
        """
        self.target = target
        self._patience = patience or Patience(patience=60)
        self._tell = tell or (lambda line: None)
        self._api = _client(target)
        self._let_in = False

    def tell_with(self, tell: Callable[[str], None]) -> None:
        """Name who takes a line when the server is away.

        Args:
            tell: Takes it.
        """
        self._tell = tell

    @property
    def api(self) -> ApiClient:
        """The SDK's client, for its services."""
        return self._api

    @property
    def timeout(self) -> tuple[float, float]:
        """Seconds for a connection and for an answer, as the client takes them."""
        return (self._patience.request, self._patience.request)

    def clock(self) -> datetime:
        """Return the time of the last answer by the server's clock, or of now by ours."""
        try:
            return parsedate_to_datetime(self._api.last_response.getheader("Date"))
        except (TypeError, ValueError):  # none, or none that is one
            return datetime.now(UTC)

    def greet(self) -> None:
        """Ask whether this is a server at all, and whether several people share it.

        Raises:
            ClusterError: It is none, does not let anybody in, or wants to know a namespace.
        """
        from kfp_server_api import HealthzServiceApi

        def ask() -> Any:
            healthz = HealthzServiceApi(self._api)
            return healthz.healthz_service_get_healthz(_request_timeout=self.timeout)

        answer = self.read(ask, "a look at its health", _FIRST_CONTACT)
        if not isinstance(answer.multi_user, bool):
            raise ClusterError(f"{self.target.name} at {self.target.api} {_WEB_PAGE}")
        if answer.multi_user and not self.target.namespace:
            error = ClusterError(
                f"several people share {self.target.name} at {self.target.api}: name the namespace "
                "of your profile with -n"
            )
            error.exit_code = SpecError.exit_code
            raise error
        self.namespace = self.target.namespace if answer.multi_user else None

    def read(self, ask: Callable[[], Any], what: str, patience: float | None = None) -> Any:
        """Send a request that changes nothing until it succeeds or is refused for good.

        Args:
            ask: Sends it.
            what: What is asked for, for messages.
            patience: Seconds to try; None for the usual.

        Raises:
            ClusterError: It is refused, or the server is away for too long.
        """
        return self._send(ask, what, _TRANSIENT, lost=True, patience=patience)

    def write(self, ask: Callable[[], Any], what: str) -> Any:
        """Send a request that changes something, and again only where it surely did not arrive.

        Args:
            ask: Sends it.
            what: What is to be made, for messages.

        Raises:
            ExistsError: It is there already.
            ClusterError: It is refused, or nobody knows what became of it.
        """
        return self._send(ask, what, _NOTHING_HAPPENED, lost=False, patience=None)

    def get_plain(self, url: str, headers: Mapping[str, str] | None = None) -> Any:
        """Return urllib3's answer to a GET beside the API, its body not read yet.

        Args:
            url: The whole URL. The credentials go along where it is on the server's own host.
            headers: Further headers.
        """
        return self._raw("GET", url, headers or {})

    def post_plain(self, url: str, body: bytes, headers: Mapping[str, str]) -> Any:
        """Return urllib3's answer to a POST beside the API, its body not read yet."""
        return self._raw("POST", url, headers, body=body)

    def _raw(self, method: str, url: str, headers: Mapping[str, str], **more: Any) -> Any:
        import urllib3

        ours = {urlsplit(u).netloc for u in (self.target.api, self.target.metadata) if u}
        shown: dict[str, str] = {}
        if urlsplit(url).netloc in ours:
            if self.target.token:
                shown["Authorization"] = f"Bearer {self.target.token.read()}"
            if self.target.cookies:
                shown["Cookie"] = self.target.cookies
        timeout = urllib3.Timeout(connect=self.timeout[0], read=self.timeout[1])
        pool = self._api.rest_client.pool_manager
        return pool.request(
            method,
            url,
            headers={**shown, **headers},
            preload_content=False,
            redirect=False,
            timeout=timeout,
            retries=False,
            **more,
        )

    def _send(
        self,
        ask: Callable[[], Any],
        what: str,
        transient: frozenset[int],
        *,
        lost: bool,
        patience: float | None,
    ) -> Any:
        from kfp_server_api.exceptions import ApiException
        from urllib3.exceptions import HTTPError, NewConnectionError

        patience = self._patience.patience if patience is None else patience
        last = time.monotonic() + patience
        renewed = 0
        for pause in self._patience.retries():
            late = time.monotonic() + pause > last
            try:
                answer = _answer(ask)
                self._require_no_web_page()
                self._let_in = True
                return answer
            except ApiException as error:
                status = error.status or 0
                # A token that was good once has expired, and somebody may renew it in a while.
                patient = not renewed or (lost and self._let_in)
                again = status == 401 and self.target.token is not None and patient
                if late or not (again or status in transient):
                    raise self._refused(error, what) from error
                why = _said(error)
                if again:
                    renewed += 1
                    self._renew()
                    if renewed == 1:
                        continue  # at once: the new token is there
                    why = f"the token is no longer accepted: {self._cure()}"
            except (HTTPError, OSError) as error:
                why = " ".join(str(error).split())
                never_arrived = isinstance(error, NewConnectionError)
                if late or not (lost or never_arrived):
                    raise self._lost(why, what, never_arrived or lost) from error
            except (ValueError, TypeError, AttributeError) as error:  # the SDK on a web page
                raise ClusterError(
                    f"{self.target.name} at {self.target.api} {self._web_page()}"
                ) from error
            self._tell(f"{self.target.name} does not answer as it should, trying again: {why}")
            time.sleep(pause)
        raise AssertionError("retries never end")

    def _require_no_web_page(self) -> None:
        """Raise an error if the last answer was a web page; the SDK makes empty objects of one."""
        kind = str(self._api.last_response.getheader("Content-Type") or "")
        if kind.startswith("text/html"):
            raise ClusterError(f"{self.target.name} at {self.target.api} {self._web_page()}")

    def _renew(self) -> None:
        """Look for a newer token; whoever cannot find one goes on with what there is."""
        if self.target.token is not None:
            try:
                self.target.token.renew()
            except ClusterError as error:
                self._tell(str(error))

    def _cure(self) -> str:
        return self.target.token.cure if self.target.token else "give one"

    def _lost(self, why: str, what: str, unsent: bool) -> ClusterError:
        where = f"{self.target.name} at {self.target.api}"
        if unsent:
            return ClusterError(
                f"cannot reach {where}: {why}. {self.target.hint}".rstrip(" .") + "."
            )
        return ClusterError(
            f"the connection to {where} was lost while {what} was sent; it may be there all the "
            f"same, look before you try again ({why})"
        )

    def _refused(self, error: ApiException, what: str) -> ClusterError:
        said, where = _said(error), f"{self.target.name} at {self.target.api}"
        status = error.status or 0
        if status == 0:
            return ClusterError(
                f"cannot talk to {where}: {said}. Name the authority of its certificate with --ca "
                f"FILE or SSL_CERT_FILE. {self.target.hint}"
            )
        if status == 401 and self.target.token is not None:
            return ClusterError(f"{where} does not accept the token: {self._cure()} ({said})")
        if 300 <= status < 400 or (status < 500 and _is_page(error)):
            return ClusterError(f"{where} {self._web_page(error)}")
        if status in (401, 403):
            return ClusterError(f"{where} does not allow {what}: {said}. {self.target.hint}")
        if status == 404:
            return MissingError(f"{where} does not know {what}: {said}")
        if status == 409:
            return ExistsError(f"{where} has {what} already: {said}")
        return RefusedError(f"{where} refused {what} (HTTP {status}): {said}")

    def _web_page(self, error: ApiException | None = None) -> str:
        """Return what it means that a page answers, or a word that sends to one."""
        if self.target.cookies and self._let_in and (error is None or error.status != 404):
            return "does not accept the cookie any more: log in again in the browser and copy it"
        headers = error.headers if error is not None and error.headers else {}
        there = urlsplit(str(headers.get("Location") or ""))  # its query is not for the screen
        to = f"sends to {there.scheme}://{there.netloc}; it " if there.netloc else ""
        return f"{to}{_WEB_PAGE}"


def _client(target: Target) -> ApiClient:
    """Return the SDK's client for a server."""
    from kfp_server_api import ApiClient, Configuration

    configuration = Configuration(host=target.api)
    configuration.retries = False  # urllib3 would try again at once; here it is done with pauses
    configuration.verify_ssl = target.verify
    configuration.ssl_ca_cert = _authorities(target.ca)
    use_proxy(configuration, target.api)
    token = target.token
    if token is not None:

        def show(of: Configuration) -> None:
            of.api_key["authorization"] = f"Bearer {token.read()}"

        configuration.refresh_api_key_hook = show
        show(configuration)
    if not target.verify:
        import urllib3

        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    return ApiClient(configuration, cookie=target.cookies or None)


def _answer(ask: Callable[[], Any]) -> Any:
    """Return what a request gave.

    The SDK decodes the body of every refusal, and one of TLS has none: then what it wanted to say
    is behind an ``AttributeError``.
    """
    from kfp_server_api.exceptions import ApiException

    try:
        return ask()
    except AttributeError as error:
        if isinstance(error.__context__, ApiException):
            raise error.__context__ from None
        raise


def _authorities(ca: str) -> str | None:
    """Return the file of certificate authorities; None for those that the SDK brings."""
    file = ca or os.environ.get("SSL_CERT_FILE") or ""
    if not file:
        return None
    if not os.path.isfile(file):
        named = "--ca" if ca else "SSL_CERT_FILE"
        raise ClusterError(f"there is no file of certificate authorities {file!r} ({named})")
    return file


def _is_page(error: ApiException) -> bool:
    """Tell whether a refusal is a page for people."""
    return _body(error).lstrip().lower().startswith(("<!doctype", "<html"))


def _body(error: ApiException) -> str:
    body = error.body or ""
    return body.decode(errors="replace") if isinstance(body, bytes) else str(body)


def _said(error: ApiException) -> str:
    """Return what a server itself said about a refusal."""
    if _is_page(error):
        return f"HTTP {error.status} {error.reason or ''}".rstrip()
    body = _body(error)
    try:
        content = json.loads(body or "{}")
    except ValueError:
        content = {}
    if isinstance(content, dict):
        for key in ("message", "error", "error_message", "error_details"):
            if isinstance(content.get(key), str) and content[key]:
                return str(content[key]).rstrip(".")
    text = " ".join(str(body or error.reason or f"HTTP {error.status}").split())
    return text if len(text) <= 300 else f"{text[:300]}…"
