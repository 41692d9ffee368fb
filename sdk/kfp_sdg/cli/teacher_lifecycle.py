"""``kfp-sdg teacher start``, ``stop`` and ``status``: a teacher on KServe, by hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import typer

from kfp_sdg.cli.console import say
from kfp_sdg.cli.debug import DebugOption
from kfp_sdg.cli.options import ReportFormat, ReportFormatOption

if TYPE_CHECKING:
    from kfp_sdg.kserve import Report, ServiceClient

_PATIENCE = 30
"""Seconds to bear an API server that does not answer: somebody sits in front of the screen."""

NameArgument = Annotated[
    str,
    typer.Argument(metavar="NAME", help="The teacher's InferenceService.", show_default=False),
]

NamespaceOption = Annotated[
    str,
    typer.Option(
        "--namespace",
        "-n",
        metavar="NAMESPACE",
        help="Its namespace; that of the kubeconfig's current context, or the pod's own, where not "
        "given.",
        show_default=False,
    ),
]


def start_command(
    name: NameArgument,
    namespace: NamespaceOption = "",
    timeout: Annotated[
        int, typer.Option(metavar="SECONDS", min=1, help="How long to wait until it is ready.")
    ] = 3600,
    debug: DebugOption = False,
) -> None:
    """Start a teacher on KServe and wait until it is ready; print its URL.

    The InferenceService has to be there. A teacher that was started so stays up: no run stops it.

    Example: `kfp-sdg teacher start mixtral-8x7b-instruct -n sdg`

    The cluster is that of the kubeconfig's current context (KUBECONFIG); in a pod with a service
    account, such as a workbench, it is the pod's own.
    """
    from kfp_sdg.kserve import NotReadyError, keep

    client = _client(name, namespace)
    try:
        endpoint = keep(client, name, timeout=timeout, tell=say)
    except (KeyboardInterrupt, NotReadyError):
        say(
            f"{name} goes on starting, nobody waits for it. To stop it: "
            f"kfp-sdg teacher stop {name} -n {client.namespace}"
        )
        raise
    if not client.in_cluster:
        _say_how_to_reach(endpoint.url, client.namespace)
    typer.echo(endpoint.url)


def stop_command(
    name: NameArgument,
    namespace: NamespaceOption = "",
    force: Annotated[
        bool, typer.Option("--force", help="Stop it though runs use it; their requests fail.")
    ] = False,
    debug: DebugOption = False,
) -> None:
    """Stop a teacher on KServe, so that its GPUs are free, whoever started it.

    Example: `kfp-sdg teacher stop mixtral-8x7b-instruct -n sdg`
    """
    from kfp_sdg.kserve import release

    release(_client(name, namespace), name, force=force, tell=say)


def status_command(
    name: NameArgument,
    namespace: NamespaceOption = "",
    report_format: ReportFormatOption = ReportFormat.TEXT,
    debug: DebugOption = False,
) -> None:
    """Say how a teacher on KServe is, where it is asked, and which runs use it.

    With --format json, standard output has one object: state (ready, starting, failed, stopping,
    stopped, deleting), detail, url, model_id, started_by_run, runs (id to the time after which a
    run counts as dead).

    Example: `kfp-sdg teacher status mixtral-8x7b-instruct -n sdg`
    """
    from kfp_sdg.kserve import report

    found = report(_client(name, namespace).get(name))
    if report_format is ReportFormat.JSON:
        typer.echo(json.dumps(_as_object(found), ensure_ascii=False))
        return
    typer.echo(f"{name}: {found.state}" + (f", {found.detail}" if found.detail else ""))
    if found.url:
        typer.echo(f"  url    {found.url}")
    if found.model_id:
        typer.echo(f"  model  {found.model_id}")
    for run, until in found.uses.until.items():
        typer.echo(f"  run    {run}, until {until:%Y-%m-%d %H:%M} UTC at most")


def _client(name: str, namespace: str) -> ServiceClient:
    """Return a client of a teacher's namespace, after a look at the names."""
    from kfp_sdg.kserve import Pace, ServiceClient, why_no_name

    wrong = why_no_name(name, namespace)
    if wrong:
        raise typer.BadParameter(wrong)
    return ServiceClient(namespace, pace=Pace(patience=_PATIENCE), tell=say)


def _say_how_to_reach(url: str, namespace: str) -> None:
    """Say how somebody outside of the cluster can ask a teacher whose address is of the inside."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    if host.endswith((".svc", ".svc.cluster.local")):
        local = port if port > 1023 else 8080
        say(
            "This address is known inside of the cluster only. From here: kubectl port-forward "
            f"-n {namespace} service/{host.partition('.')[0]} {local}:{port}, and then "
            f"{parts.scheme}://localhost:{local}{parts.path}"
        )


def _as_object(found: Report) -> dict[str, object]:
    return {
        "state": found.state,
        "detail": found.detail,
        "url": found.url,
        "model_id": found.model_id,
        "started_by_run": found.uses.started_by_run,
        "runs": {run: until.isoformat() for run, until in found.uses.until.items()},
    }
