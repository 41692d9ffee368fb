"""Which servers may be shown a pod's own token.

The token lets whoever has it act as the pod's service account, and the run form takes any URL. So
it goes to servers inside the cluster, and to those that whoever compiled the pipeline has named.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kfp_sdg.errors import Position, Problem, SpecError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

HOSTS_VARIABLE = "KFP_SDG_TOKEN_HOSTS"
"""Names further hosts, with spaces between."""

IN_CLUSTER = ("*.svc", "*.svc.cluster.local")
"""The names of services, which only the DNS of a cluster answers. A cluster with another domain
has to name it: that could be anybody's."""

_LABEL = r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_BELOW = re.compile(rf"\*(\.{_LABEL}){{2,}}")


def token_host(text: str) -> str:
    """Return a host, or ``*.`` and the domain of hosts, in lower case.

    Args:
        text: What was typed.

    Raises:
        ValueError: It is something else; the text is for people.
    """
    host = text.lower()
    if not (_HOST.fullmatch(host) or _BELOW.fullmatch(host)):
        raise ValueError(
            f"{text!r} is no host; expected a name without https:// and port, such as "
            "teacher.apps.example.com, or *.apps.example.com for all names below a domain"
        )
    return host


def named_hosts(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return the further hosts that an environment names.

    Args:
        environ: The environment.

    Raises:
        SpecError: One of them is no host.
    """
    try:
        return tuple(map(token_host, environ.get(HOSTS_VARIABLE, "").split()))
    except ValueError as error:
        raise SpecError(Problem(str(error), Position(HOSTS_VARIABLE), code="api-key")) from None


def may_have_token(url: str, hosts: Iterable[str] = ()) -> bool:
    """Tell whether a URL's server may be shown the pod's token, as far as its name goes.

    Args:
        url: Where the token would be sent.
        hosts: Hosts as ``token_host`` gives them, besides those inside the cluster.
    """
    host = (urlsplit(url).hostname or "").removesuffix(".")
    if not _HOST.fullmatch(host):
        return False
    return any(
        host.endswith(named[1:]) if named.startswith("*") else host == named
        for named in (*IN_CLUSTER, *hosts)
    )
