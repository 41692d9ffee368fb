"""Where pipelines are sent to: a Kubeflow or a plain KFP by its URL, from outside or from a pod."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from kfp_sdg.cluster.submit.credentials import FileToken
from kfp_sdg.errors import ClusterError, SpecError
from kfp_sdg.kube import SERVICE_ACCOUNT

if TYPE_CHECKING:
    from kfp_sdg.cluster.submit.credentials import Token

IN_CLUSTER = "http://ml-pipeline.kubeflow.svc.cluster.local:8888"
"""The API server of Kubeflow and of plain KFP, as pods find it."""

POD_TOKEN = Path("/var/run/secrets/kubeflow/pipelines/token")
"""Where Kubeflow's PodDefault "access to ML pipelines" projects a token to; the SDK's variable
``KF_PIPELINES_SA_TOKEN_PATH`` names another place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A server of pipelines and how it is talked to.

    Attributes:
        api: Its base URL, without ``/apis``.
        dashboard: The base URL of the dashboard's pages about runs; "" where it is not known.
        metadata: The base URL of ML Metadata, which knows artifacts.
        namespace: The namespace of runs; "" for the only one of a server for a single user.
        token: The bearer token; None for none.
        cookies: The header ``Cookie``; "" for none.
        ca: A file of certificate authorities; "" for the usual ones.
        verify: Whether the server's certificate is checked.
        name: What it is called in messages.
        hint: What to check when it refuses or does not answer.
        serves_artifacts: Whether the dashboard's server is there too, which gives artifacts.
    """

    api: str
    dashboard: str
    metadata: str
    namespace: str
    token: Token | None = None
    cookies: str = ""
    ca: str = ""
    verify: bool = True
    name: str = "Kubeflow Pipelines"
    hint: str = ""
    serves_artifacts: bool = True

    @property
    def may_be_overheard(self) -> bool:
        """Whether credentials go over a network in the clear, outside of a cluster's own."""
        from kfp_sdg.teacher.transport import is_plain_loopback

        parts = urlsplit(self.api)
        inside = (parts.hostname or "").endswith((".svc", ".cluster.local"))
        plain = parts.scheme == "http" and not is_plain_loopback(self.api)
        return plain and not inside and bool(self.token or self.cookies)

    def run_page(self, run_id: str) -> str:
        """Return the address of a run's page in the dashboard, or "" where it is not known.

        Args:
            run_id: The run.
        """
        return f"{self.dashboard}/#/runs/details/{run_id}" if self.dashboard else ""


def kubeflow(
    host: str,
    *,
    namespace: str = "",
    dashboard: str = "",
    token: Token | None = None,
    cookies: str = "",
    ca: str = "",
    verify: bool = True,
) -> Target:
    """Return a Kubeflow or a plain KFP; nothing is sent yet.

    Args:
        host: Its URL; "" in a pod, for the one of the cluster.
        namespace: The namespace of runs, where several people share the server; in a pod the
            pod's own where not given.
        dashboard: Where people see its pages, if that is elsewhere.
        token: The bearer token; in a pod the projected one where not given.
        cookies: The header ``Cookie``.
        ca: A file of certificate authorities.
        verify: Whether the server's certificate is checked.

    Raises:
        ClusterError: No server is named, and this is no pod of a cluster.
    """
    in_pod = (SERVICE_ACCOUNT / "namespace").is_file()
    if not host and not in_pod:
        error = ClusterError(
            "no server of pipelines is named: give --host URL for Kubeflow or plain KFP (`kubectl "
            "port-forward -n kubeflow svc/ml-pipeline-ui 8080:80`, then http://localhost:8080), or "
            "-n PROJECT for a pipeline server of OpenShift AI"
        )
        error.exit_code = SpecError.exit_code
        raise error
    if token is None and not cookies:
        token = projected_token()
    if not namespace and in_pod:
        namespace = (SERVICE_ACCOUNT / "namespace").read_text(encoding="utf-8").strip()
    api = base_of(host or IN_CLUSTER)
    return Target(
        api=api,
        dashboard=base_of(dashboard) if dashboard else ("" if not host else api),
        metadata=api,
        namespace=namespace,
        token=token,
        cookies=cookies,
        ca=ca,
        verify=verify,
        hint="Kubeflow asks for a session cookie (--cookies) from outside of the cluster, and for "
        "a projected token inside of it",
    )


def projected_token() -> FileToken | None:
    """Return the token that Kubeflow projects into this pod; None where there is none."""
    file = Path(os.environ.get("KF_PIPELINES_SA_TOKEN_PATH") or POD_TOKEN)
    return FileToken(file) if file.is_file() else None


def base_of(url: str) -> str:
    """Return a server's base URL of what somebody typed or copied from a browser.

    A page's address after ``#`` is left out, and so are ``/apis`` and what follows it. Without a
    scheme it is https, but http for this machine, where a port is forwarded to.

    Args:
        url: The URL.

    Raises:
        ClusterError: It has no host.
    """
    text = url.strip().partition("#")[0]
    if "://" not in text:
        local = text.partition(":")[0].partition("/")[0] in ("localhost", "127.0.0.1")
        text = f"{'http' if local else 'https'}://{text}"
    parts = urlsplit(text)
    wrong = ""
    if parts.scheme not in ("http", "https") or not parts.hostname:
        wrong = f"{url!r} is no URL of a server; expected https://HOST[/PATH]"
    if parts.password:
        wrong = "the server's URL holds a password; use --token-file or --cookies"
    if wrong:
        error = ClusterError(wrong)
        error.exit_code = SpecError.exit_code
        raise error
    path = parts.path.partition("/apis/")[0].rstrip("/").removesuffix("/apis")
    return f"{parts.scheme}://{parts.netloc}{path}"
