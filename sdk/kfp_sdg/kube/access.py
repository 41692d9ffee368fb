"""The way to the Kubernetes API: a pod's service account, or a kubeconfig."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kfp_sdg.errors import ClusterError
from kfp_sdg.kube.proxy import use_proxy

if TYPE_CHECKING:
    from kubernetes.client import ApiClient, Configuration

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod finds its token, the cluster's CA and its namespace."""


@dataclass(frozen=True, slots=True)
class Access:
    """A client of the Kubernetes API, and where it begins.

    Attributes:
        api: The client. In a pod it reads the token's file anew for each request, since the file
            changes while the process runs.
        namespace: The namespace that is meant where none is named.
        in_cluster: Whether this is a pod with a service account.
    """

    api: ApiClient
    namespace: str
    in_cluster: bool


def open_access(service_account: Path = SERVICE_ACCOUNT) -> Access:
    """Find the way to the Kubernetes API: from inside of a pod first, then by kubeconfig.

    Args:
        service_account: The folder that a pod's service account is mounted in.

    Raises:
        ClusterError: There is neither, or what is there cannot be used.
    """
    from kubernetes.client import ApiClient, Configuration
    from kubernetes.config.config_exception import ConfigException
    from kubernetes.config.incluster_config import InClusterConfigLoader

    configuration = Configuration()
    configuration.retries = False  # urllib3 would try again at once; ``client`` does it with pauses
    token = service_account / "token"
    loader = InClusterConfigLoader(
        str(token), str(service_account / "ca.crt"), try_refresh_token=False, environ=os.environ
    )
    try:
        loader.load_and_set(configuration)
    except ConfigException as problem:
        namespace = _from_kubeconfig(configuration, str(problem).rstrip("."))
        use_proxy(configuration, configuration.host)
        return Access(ApiClient(configuration), namespace, in_cluster=False)

    def read_token(of: Configuration) -> None:
        of.api_key["authorization"] = f"Bearer {token.read_text(encoding='utf-8').strip()}"

    configuration.refresh_api_key_hook = read_token
    configuration.proxy = None  # the API server has an address of the cluster's own
    namespace = _own_namespace(service_account / "namespace")
    return Access(ApiClient(configuration), namespace, in_cluster=True)


def _own_namespace(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError:
        return ""  # then the caller has to name one


def _from_kubeconfig(configuration: Configuration, not_in_cluster: str) -> str:
    """Load the kubeconfig's current context; return its namespace."""
    from kubernetes.config import list_kube_config_contexts, load_kube_config
    from kubernetes.config.config_exception import ConfigException
    from yaml import YAMLError

    files = os.environ.get("KUBECONFIG") or str(Path.home() / ".kube/config")
    if not any(Path(file).exists() for file in files.split(os.pathsep)):
        raise ClusterError(
            f"there is no way to a Kubernetes cluster: no kubeconfig at {files}, and this is no "
            f"pod with a service account ({not_in_cluster}). On a workstation, log in (`oc login`) "
            "or set KUBECONFIG; in a pod, its service account's token has to be mounted"
        )
    try:
        load_kube_config(config_file=files, client_configuration=configuration)
        current: dict[str, Any] = list_kube_config_contexts(config_file=files)[1]
    except Exception as error:  # in what is no kubeconfig the client stumbles over anything
        why = " ".join(str(error).split())
        if not isinstance(error, ConfigException | YAMLError | OSError):
            why = f"it does not have the form of one ({why})"
        raise ClusterError(f"the kubeconfig {files} cannot be used: {why}") from error
    return str(current["context"].get("namespace") or "default")
