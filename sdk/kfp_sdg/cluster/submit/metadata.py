"""Where a run's artifacts are: ML Metadata knows it, as the dashboard asks it.

KFP's API gives a run's artifacts neither by task nor by name. The dashboard asks ML Metadata by
gRPC-Web, on its own host and, in OpenShift AI, on a route of its own (``mlmdProxy``); so does this.
Messages and numbers are those of ml_metadata/proto/metadata_store.proto and
metadata_store_service.proto. An artifact's URI ends in a random part, so that it cannot be guessed
(``provisionOutputs`` in KFP's backend/src/v2/driver/driver.go).
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING
from urllib.parse import unquote

from kfp_sdg.cluster.submit.wire import Message, encode
from kfp_sdg.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from urllib3 import BaseHTTPResponse

    from kfp_sdg.cluster.submit.plan import TaskPath
    from kfp_sdg.cluster.submit.server import Server

_SERVICE = "ml_metadata.MetadataStoreService"
_RUN = "system.PipelineRun"
_OUTPUT = 4
_PAGE = 100
_GRPC_WEB = {
    "Content-Type": "application/grpc-web+proto",
    "Accept": "application/grpc-web+proto",
    "X-Grpc-Web": "1",
}


def require_metadata(server: Server) -> None:
    """Raise a ``ClusterError`` unless ML Metadata answers, so that artifacts will be found.

    Args:
        server: The server.
    """
    try:
        _context(server, "")
    except ClusterError as error:
        raise ClusterError(f"--output could not find what the run makes: {error}") from error


def artifact_uris(server: Server, run_id: str) -> dict[tuple[TaskPath, str], str]:
    """Return where a run's artifacts are, by the task that made each and the output's name.

    Args:
        server: The server.
        run_id: The run.

    Raises:
        ClusterError: ML Metadata cannot be asked, or knows no such run.
    """
    context = _context(server, run_id)
    if not context.number(1):
        raise ClusterError(f"ML Metadata at {server.target.metadata} knows no run {run_id}")
    executions = list(_executions(server, context.number(1)))
    paths = _paths(executions)
    made = [
        (event.number(2), _name_of(event), event.number(1))
        for event in _ask(
            server,
            "GetEventsByExecutionIDs",
            encode([(1, execution.number(1)) for execution in executions]),
        ).messages(1)
        if event.number(4) == _OUTPUT
    ]
    uris = {
        artifact.number(1): artifact.text(3)
        for artifact in _ask(
            server, "GetArtifactsByID", encode([(1, artifact) for _, _, artifact in made])
        ).messages(1)
    }
    return {
        (paths[execution], name): uris[artifact]
        for execution, name, artifact in made
        if execution in paths and uris.get(artifact)
    }


def _context(server: Server, run_id: str) -> Message:
    """Return what ML Metadata has of a run, an empty message where it knows none."""
    if not server.target.metadata:
        raise ClusterError("the pipeline server has no route to ML Metadata (mlmdProxy)")
    return _ask(server, "GetContextByTypeAndName", encode([(1, _RUN), (2, run_id)])).message(1)


def _executions(server: Server, context: int) -> Iterator[Message]:
    """Yield what ran in a run, page by page."""
    token = ""
    while True:
        options: Iterable[tuple[int, int | str]] = [(1, _PAGE), *([(3, token)] if token else [])]
        answer = _ask(
            server, "GetExecutionsByContext", encode([(1, context), (2, encode(options))])
        )
        yield from answer.messages(1)
        token = answer.text(2)
        if not token:
            return


def _paths(executions: Iterable[Message]) -> Mapping[int, TaskPath]:
    """Return the path of each execution's task; that of the whole pipeline has no name."""
    names: dict[int, str] = {}
    parents: dict[int, int] = {}
    for execution in executions:
        properties = execution.mapping(5)
        names[execution.number(1)] = properties.get("task_name", Message(b"")).text(3)
        parents[execution.number(1)] = properties.get("parent_dag_id", Message(b"")).number(1)

    def path(execution: int, depth: int = 0) -> TaskPath:
        name = names.get(execution, "")
        if not name or depth > len(names):
            return ()
        return (*path(parents.get(execution, 0), depth + 1), name)

    return {execution: path(execution) for execution in names}


def _name_of(event: Message) -> str:
    """Return the name of the output that an event is about."""
    steps = event.message(3).messages(1)
    return next((step.text(2) for step in steps if step.text(2)), "")


def _ask(server: Server, method: str, request: bytes) -> Message:
    """Call a method of ML Metadata by gRPC-Web."""
    from urllib3.exceptions import HTTPError

    where = f"{server.target.metadata}/{_SERVICE}/{method}"
    body = struct.pack(">BI", 0, len(request)) + request

    def ask() -> tuple[BaseHTTPResponse, bytes]:
        answer = server.post_plain(where, body, _GRPC_WEB)
        if answer.status >= 500:
            raise HTTPError(f"HTTP {answer.status} of ML Metadata at {server.target.metadata}")
        return answer, answer.data

    answer, data = server.read(ask, "ML Metadata")
    kind = str(answer.headers.get("Content-Type") or "")
    if answer.status != 200 or not kind.startswith("application/grpc-web"):
        raise ClusterError(
            f"there is no ML Metadata at {server.target.metadata} (HTTP {answer.status}, {kind}); "
            "with a plain KFP the host has to be the dashboard's, svc/ml-pipeline-ui"
        )
    _check_status(answer.headers.get("grpc-status"), answer.headers.get("grpc-message"))
    try:
        return Message(_unframed(data))
    except (ValueError, struct.error) as error:
        raise ClusterError(f"ML Metadata at {server.target.metadata} said: {error}") from error


def _unframed(data: bytes) -> bytes:
    """Return the message of an answer: frames of data, then one with the status."""
    message, place = b"", 0
    while place < len(data):
        kind, size = struct.unpack_from(">BI", data, place)
        place += 5
        content = data[place : place + size]
        if kind & 0x80:
            lines = content.decode(errors="replace").splitlines()
            trailer = dict(line.lower().split(":", 1) for line in lines if ":" in line)
            _check_status(trailer.get("grpc-status"), trailer.get("grpc-message"))
        else:
            message += content
        place += size
    return message


def _check_status(status: str | None, said: str | None) -> None:
    """Raise an error unless a status is that of a success; 5 is that of what is not there."""
    if status is not None and status.strip() not in ("0", "5"):
        raise ClusterError(
            f"ML Metadata refused (status {status.strip()}): {unquote(said or '').strip()}"
        )
