"""The environment's proxies: which server is asked through which of them."""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from kfp_sdg.teacher.transport import NoReply, Trouble, is_plain_loopback

if TYPE_CHECKING:
    from collections.abc import Mapping

REFUSED_BY_PROXY = (
    "the proxy wants a user name and a password, or other ones: HTTPS_PROXY or HTTP_PROXY has them "
    "as http://USER:PASSWORD@HOST:PORT"
)

NO_PROXYS_URL = (
    "what HTTPS_PROXY, HTTP_PROXY or ALL_PROXY names for it is not of the form "
    "http://USER:PASSWORD@HOST:PORT"
)


def proxy_for(url: str) -> str | None:
    """Return the proxy through which a URL is asked; None for none.

    ``HTTPS_PROXY``, ``HTTP_PROXY`` and ``ALL_PROXY`` name it, in capitals or small letters.
    ``NO_PROXY`` lists hosts to ask without it: names (``teacher``, ``teacher:8000``), ends of names
    (``.svc``), addresses and, as OpenShift writes them, networks (``172.30.0.0/16``).

    Args:
        url: The server's base URL.

    Raises:
        NoReply: What is named is no proxy's URL; it is not shown, since it may hold a password.
    """
    # A proxy cannot reach this machine's loopback, so its variables do not count there.
    if is_plain_loopback(url):
        return None
    parts = urlsplit(url)
    host = parts.hostname or ""
    proxies: Mapping[str, str] = getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    excepted = proxy_bypass(host) or proxy_bypass(parts.netloc)  # entries may have a port
    if not proxy or excepted or _in_networks(host, proxies.get("no", "")):
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    if not _is_proxy(proxy):
        raise NoReply(Trouble.UNUSABLE, NO_PROXYS_URL)
    return proxy


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


def _is_proxy(url: str) -> bool:
    """Tell whether a URL is one that a proxy can have."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _in_networks(host: str, exceptions: str) -> bool:
    """Tell whether a host is an address in one of the networks that are excepted."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    for entry in exceptions.split(","):
        try:
            network = ipaddress.ip_network(entry.strip(), strict=False)
        except ValueError:
            continue
        if address in network:
            return True
    return False
