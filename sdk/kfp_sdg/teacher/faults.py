"""What a refusal or a broken connection means: ask again, give up the row, or stop the run."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kfp_sdg.teacher.answers import whole
from kfp_sdg.teacher.retry import retry_after_seconds
from kfp_sdg.teacher.transport import NoReply, Reply, Trouble

if TYPE_CHECKING:
    from kfp_sdg.teacher.answers import MalformedAnswer
    from kfp_sdg.teacher.credentials import Key

_LONGEST_MESSAGE = 600
_HTML_TITLE = re.compile(r"<title>(.*?)</title>", re.DOTALL | re.IGNORECASE)
_TRANSIENT = frozenset({408, 409, 425, 429})
_OVERLOADED = frozenset({429, 503})
_OF_GATEWAYS = frozenset({502, 503, 504})
# An account without money: 402 at DeepSeek and OpenRouter, 429 with this code at OpenAI. Waiting
# does not help.
_OUT_OF_MONEY = "insufficient_quota"

_ADVICE = {
    Trouble.UNREACHABLE: "is the server running, and do host and port fit?",
    Trouble.UNTRUSTED: "set SSL_CERT_FILE to the certificate authority that signed it",
    Trouble.NO_TLS: "does the server speak TLS? If not, the URL begins with http://",
    Trouble.UNUSABLE: "check the URL and the proxy variables",
    Trouble.TIMEOUT: "it may be overloaded, or stuck: lower the concurrency, look into its log",
    Trouble.BROKEN: "it may have been restarted: look into its log",
    Trouble.TOO_LARGE: "ask for fewer choices, tokens or log-probabilities at once",
    Trouble.CLIENT: "mend the client that was passed in",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """A failed attempt.

    Attributes:
        message: What happened.
        advice: What to do about it.
        status: The HTTP status; None where no answer came.
        server_message: What the server said.
        transient: Whether asking again may help.
        fatal: Whether every other request must fail too once asking again has not helped.
        away: Whether the server, or the one behind the gateway, was not reached.
        overload: Whether the server asked for less.
        spared: Whether it says nothing about the request, however often it happens to it.
        cause: What to count it as: the status, "timeout", "broken", "unreachable", "malformed".
        retry_after: Seconds that the server asked to wait.
    """

    message: str
    advice: str | None = None
    status: int | None = None
    server_message: str | None = None
    transient: bool = False
    fatal: bool = False
    away: bool = False
    overload: bool = False
    spared: bool = False
    cause: str = ""
    retry_after: float | None = None


def fault_of(
    reply: Reply,
    request_line: str,
    key: Key,
    model: str | None = None,
    *,
    key_works: bool = False,
) -> Fault:
    """Explain a reply whose status is not 200.

    Args:
        reply: The reply.
        request_line: What was asked, for the message: ``POST /completions``.
        key: The key that was sent.
        model: The model that was asked.
        key_works: Whether the server has answered a request with this key.
    """
    payload = read_json(reply.body)
    said = server_message(payload, reply.body, key)
    status = reply.status

    def fault(message: str, advice: str | None = None, **what: Any) -> Fault:
        return Fault(f"{message} ({request_line}: {status})", advice, status, said or None, **what)

    if status == 401:
        return fault("the server wants an API key", key.advice, fatal=True)
    if status == 403 and key_works:
        # A server that moderates says this to a prompt, for instance OpenRouter.
        return fault("the server forbids this request")
    if status == 403:
        return fault("the server forbids this", key.advice, fatal=True)
    if status == 404 and model and "model" in said.lower():
        return fault(f"the server does not answer for model {model!r} here", fatal=True)
    if status in (404, 405):
        return fault(
            "the server has no such endpoint",
            "is the URL right, and is it a server with an OpenAI-compatible API?",
            fatal=True,
        )
    if status == 402 or (status == 429 and _OUT_OF_MONEY in json.dumps(payload)):
        return fault("the account has no quota left", fatal=True)
    if 300 <= status < 400:
        target = reply.headers.get("location", "").partition("?")[0]
        return fault(
            f"the server sends elsewhere, to {target or 'an address it does not tell'}",
            "give the teacher's own URL",
            fatal=True,
        )
    if status in _TRANSIENT or status >= 500:
        return fault(
            "the server failed" if status >= 500 else "the server asked to come back later",
            transient=True,
            away=status in _OF_GATEWAYS,
            overload=status in _OVERLOADED,
            spared=status in _OVERLOADED,
            cause=str(status),
            retry_after=retry_after_seconds(reply.headers.get("retry-after")),
        )
    return fault("the server refused the request")


def fault_of_silence(silence: NoReply) -> Fault:
    """Explain why no complete answer came."""
    trouble = silence.trouble
    return Fault(
        str(silence),
        _ADVICE[trouble],
        transient=trouble in (Trouble.UNREACHABLE, Trouble.TIMEOUT, Trouble.BROKEN),
        fatal=trouble in (Trouble.UNREACHABLE, Trouble.UNTRUSTED, Trouble.NO_TLS, Trouble.UNUSABLE),
        away=trouble is Trouble.UNREACHABLE,
        overload=trouble is Trouble.TIMEOUT,
        spared=trouble is Trouble.UNREACHABLE,
        cause=trouble.name.lower(),
    )


def fault_of_malformed(error: MalformedAnswer, request_line: str, said: str) -> Fault:
    """Explain a reply with status 200 that holds no answer.

    Args:
        error: What is wrong with it.
        request_line: What was asked, for the message.
        said: The server's words, if there are any.
    """
    message = f"{error} ({request_line}: 200)"
    return Fault(message, None, 200, said or None, transient=True, cause="malformed")


def read_json(body: bytes) -> Any:
    """Return the JSON value of a body; None where it is no JSON."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):  # also a UnicodeDecodeError; brackets without end
        return None


def server_message(payload: Any, body: bytes, key: Key) -> str:
    """Return the words of an error answer, shortened and without the key.

    Servers put them into ``error`` (an object with ``message``, or a string), into ``detail``
    (FastAPI: a string or a list of complaints) or ``message``, or answer with plain text or HTML.

    Args:
        payload: The answer's JSON value; None where it is no JSON.
        body: The answer's bytes, for those without JSON.
        key: The key that was sent, which some servers repeat.
    """
    words = _words(payload) if payload is not None else _plain_text(body)
    return _shortened(key.hide_in(words))  # in this order: half a key would not be found


def _words(payload: Any) -> str:
    if isinstance(payload, str):
        return payload
    if isinstance(payload, list):
        return "; ".join(filter(None, map(_words, payload)))
    if isinstance(payload, dict):
        for name in ("error", "detail", "message", "msg"):
            if payload.get(name):
                return _words(payload[name])
    return ""


def _plain_text(body: bytes) -> str:
    text = body[:20_000].decode("utf-8", errors="replace").strip()
    if text.startswith("<"):
        title = _HTML_TITLE.search(text)
        return title.group(1) if title else ""
    return text


def _shortened(text: str) -> str:
    # What is not printable would be obeyed by the reader's terminal.
    text = "".join(filter(str.isprintable, " ".join(whole(text).split())))
    return text if len(text) <= _LONGEST_MESSAGE else f"{text[:_LONGEST_MESSAGE]}…"
