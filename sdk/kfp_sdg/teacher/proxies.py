"""The proxies between a run and its teachers."""

from __future__ import annotations

from kfp_sdg.proxies import NoProxyError, environment_proxy
from kfp_sdg.teacher.transport import NoReply, Trouble, is_plain_loopback

REFUSED_BY_PROXY = (
    "the proxy wants a user name and a password, or other ones: HTTPS_PROXY or HTTP_PROXY has them "
    "as http://USER:PASSWORD@HOST:PORT"
)


def proxy_for(url: str) -> str | None:
    """Return the proxy through which a teacher is asked; None for none.

    Args:
        url: The server's base URL.

    Raises:
        NoReply: What the environment names is no proxy's URL.
    """
    # A proxy cannot reach this machine's loopback, so its variables do not count there.
    if is_plain_loopback(url):
        return None
    try:
        return environment_proxy(url)
    except NoProxyError as error:
        raise NoReply(Trouble.UNUSABLE, str(error)) from None


def proxy_is_away(host: str, port: int | None, reason: str) -> str:
    """Return what to say of a proxy that cannot be reached; its password is not in it.

    Args:
        host: The proxy's host.
        port: Its port.
        reason: The system's words.
    """
    return (
        f"the proxy {host}:{port}, which HTTPS_PROXY or HTTP_PROXY names: {reason}; a teacher that "
        "is to be asked without it belongs into NO_PROXY (inside a cluster: .svc)"
    )
