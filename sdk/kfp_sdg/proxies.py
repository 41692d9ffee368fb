"""The environment's proxies: which server is asked through which of them."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass


class NoProxyError(ValueError):
    """What a variable names is no proxy; the text does not show it, as it may hold a password."""


def environment_proxy(url: str) -> str | None:
    """Return the proxy through which a URL is asked; None for none.

    ``HTTPS_PROXY``, ``HTTP_PROXY`` and ``ALL_PROXY`` name it, in capitals or small letters.
    ``NO_PROXY`` lists hosts to ask without it: names (``teacher``, ``teacher:8000``), ends of names
    (``.svc``), addresses and, as OpenShift writes them, networks (``172.30.0.0/16``).

    Args:
        url: The server's URL.

    Raises:
        NoProxyError: What is named is no proxy's URL.
    """
    parts, proxies = urlsplit(url), getproxies()
    host = parts.hostname or ""
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    excepted = proxy_bypass(host) or proxy_bypass(parts.netloc)  # entries may have a port
    if not proxy or excepted or _in_networks(host, proxies.get("no", "")):
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    if not _is_proxy(proxy):
        raise NoProxyError(
            "what HTTPS_PROXY, HTTP_PROXY or ALL_PROXY names for it is not of the form "
            "http://USER:PASSWORD@HOST:PORT"
        )
    return proxy


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
