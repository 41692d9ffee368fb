"""The environment's proxy, for clients that know of none by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol
from urllib.parse import unquote, urlsplit

from kfp_sdg.errors import ClusterError
from kfp_sdg.proxies import NoProxyError, environment_proxy

if TYPE_CHECKING:
    from collections.abc import Mapping


class Configuration(Protocol):
    """What the clients of Kubernetes and of Kubeflow Pipelines are configured by."""

    proxy: str | None
    proxy_headers: Mapping[str, str] | None


def use_proxy(configuration: Configuration, url: str) -> None:
    """Let a client go through the environment's proxy, as kubectl and curl do.

    Args:
        configuration: Of the client, to be changed.
        url: The server that it asks.

    Raises:
        ClusterError: What is named is no proxy.
    """
    from urllib3 import make_headers

    try:
        configuration.proxy = environment_proxy(url)
    except NoProxyError as error:
        raise ClusterError(
            f"there is no way to {url}: {error}; or put the host into NO_PROXY"
        ) from None
    login = urlsplit(configuration.proxy or "").netloc.rpartition("@")[0]
    if login:
        configuration.proxy_headers = make_headers(proxy_basic_auth=unquote(login))
