"""How teachers are found in a network that has a loopback interface and nothing else."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable

_PORTS = {"http": 80, "https": 443}
_LOCALHOST = "localhost"


@dataclass(frozen=True, slots=True)
class Route:
    """The way to one server.

    Attributes:
        host: The name or address that its URL has.
        port: The port.
        address: The address inside: the one of the URL, else one of the loopback interface for
            each name. So URLs and certificates need not change, and two servers on the same port
            stay two.
    """

    host: str
    port: int
    address: str

    @property
    def foreign(self) -> bool:
        """Whether the address is none that a loopback interface has."""
        ip = ip_address(self.address)
        return not (ip.is_loopback or ip.is_unspecified)


def routes_to(urls: Iterable[str]) -> tuple[Route, ...]:
    """Return the ways to servers, each server once.

    Args:
        urls: Base URLs, as ``teacher.options.base_url`` has checked them.
    """
    servers = dict.fromkeys(map(_host_and_port, urls))
    addresses: dict[str, str] = {_LOCALHOST: "127.0.0.1"}
    for host, _ in servers:
        if host not in addresses:
            addresses[host] = _literal(host) or f"127.77.0.{len(addresses)}"
    return tuple(Route(host, port, addresses[host]) for host, port in servers)


def hosts_file(routes: Iterable[Route]) -> str:
    """Return the file that tells the names of servers inside, in the place of /etc/hosts.

    What the tool would write has this machine's own entries, which may say otherwise.

    Args:
        routes: The ways to the servers.
    """
    names = {_LOCALHOST: "127.0.0.1"} | {route.host: route.address for route in routes}
    lines = [f"{address} {name}" for name, address in names.items() if name != address]
    return "".join(f"{line}\n" for line in [*lines, "::1 localhost"])


def _host_and_port(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or _PORTS[parts.scheme]


def _literal(host: str) -> str | None:
    """Return a host that is an IP address already."""
    with suppress(ValueError):
        return str(ip_address(host))
    return None
