"""What is beside KFP's API on the dashboard's host: ML Metadata by gRPC-Web, and artifacts.

Messages are written by protobuf's own classes, with the fields of ml_metadata/proto.
"""

from __future__ import annotations

import io
import struct
import tarfile
from typing import TYPE_CHECKING, Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fake_kfp import Call, FakeKfp

_FIELD = descriptor_pb2.FieldDescriptorProto
_TYPES = {"int": _FIELD.TYPE_INT64, "str": _FIELD.TYPE_STRING}
_MESSAGES: Mapping[str, Mapping[str, tuple[int, str]]] = {
    "Value": {"int_value": (1, "int"), "string_value": (3, "str")},
    "Property": {"key": (1, "str"), "value": (2, "Value")},
    "Context": {"id": (1, "int"), "name": (3, "str")},
    "Execution": {"id": (1, "int"), "custom_properties": (5, "Property*")},
    "Step": {"key": (2, "str")},
    "Path": {"steps": (1, "Step*")},
    "Event": {
        "artifact_id": (1, "int"),
        "execution_id": (2, "int"),
        "path": (3, "Path"),
        "type": (4, "int"),
        "milliseconds_since_epoch": (5, "int"),
    },
    "Artifact": {"id": (1, "int"), "uri": (3, "str"), "name": (7, "str")},
    "GetContextByTypeAndNameRequest": {"type_name": (1, "str"), "context_name": (2, "str")},
    "GetContextByTypeAndNameResponse": {"context": (1, "Context")},
    "ListOperationOptions": {"max_result_size": (1, "int"), "next_page_token": (3, "str")},
    "GetExecutionsByContextRequest": {
        "context_id": (1, "int"),
        "options": (2, "ListOperationOptions"),
    },
    "GetExecutionsByContextResponse": {
        "executions": (1, "Execution*"),
        "next_page_token": (2, "str"),
    },
    "GetEventsByExecutionIDsRequest": {"execution_ids": (1, "int*")},
    "GetEventsByExecutionIDsResponse": {"events": (1, "Event*")},
    "GetArtifactsByIDRequest": {"artifact_ids": (1, "int*")},
    "GetArtifactsByIDResponse": {"artifacts": (1, "Artifact*")},
}


def _classes() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(name="mlmd.proto", package="t", syntax="proto2")
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, (number, kind) in fields.items():
            entry = message.field.add(name=field, number=number)
            entry.label = _FIELD.LABEL_REPEATED if kind[-1] == "*" else _FIELD.LABEL_OPTIONAL
            plain = kind.rstrip("*")
            entry.type = _TYPES.get(plain, _FIELD.TYPE_MESSAGE)
            if plain not in _TYPES:
                entry.type_name = f".t.{plain}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"t.{name}"))
        for name in _MESSAGES
    }


MLMD = _classes()


class FakeArtifacts:
    """The artifacts of one run.

    Attributes:
        folders: The files of artifacts by their URI.
        archives: Whether the dashboard's server packs folders, as it does since 2.17.
        page: How many executions a page has.
    """

    def __init__(self, kfp: FakeKfp, run_id: str = "run-1") -> None:
        self.folders: dict[str, Path] = {}
        self.archives = True
        self.page = 2
        self._run_id = run_id
        self._executions: list[Any] = []
        self._events: list[Any] = []
        self._artifacts: list[Any] = []
        self._of: dict[tuple[str, ...], int] = {(): self._execution("", 0)}
        kfp.extra["/ml_metadata.MetadataStoreService/"] = self._mlmd
        kfp.extra["/artifacts/"] = self._object

    def add(self, path: tuple[str, ...], name: str, uri: str, folder: Path) -> None:
        """Let a task have made an artifact; what it read is there too, under another type."""
        self.folders[uri] = folder
        artifact = MLMD["Artifact"](id=len(self._artifacts) + 70, uri=uri, name=name)
        self._artifacts.append(artifact)
        for kind in (3, 4):
            event = MLMD["Event"](
                artifact_id=artifact.id,
                execution_id=self._task(path) if kind == 4 else self._of[()],
                type=kind,
                milliseconds_since_epoch=1_790_000_000_000,
            )
            event.path.steps.add(key=name)
            self._events.append(event)

    def _task(self, path: tuple[str, ...]) -> int:
        if path not in self._of:
            self._of[path] = self._execution(path[-1], self._task(path[:-1]))
        return self._of[path]

    def _execution(self, name: str, parent: int) -> int:
        execution = MLMD["Execution"](id=len(self._executions) + 300)
        execution.custom_properties.add(key="task_name").value.string_value = name
        if parent:
            execution.custom_properties.add(key="parent_dag_id").value.int_value = parent
        self._executions.append(execution)
        return int(execution.id)

    def _mlmd(self, call: Call) -> tuple[int, Any, str]:
        method = call.path.rsplit("/", 1)[-1]
        kind, size = struct.unpack_from(">BI", call.body)
        assert (kind, size) == (0, len(call.body) - 5)
        request = MLMD[f"{method}Request"].FromString(call.body[5:])
        answer = MLMD[f"{method}Response"]()
        if method == "GetContextByTypeAndName":
            assert request.type_name == "system.PipelineRun"
            if request.context_name == self._run_id:
                answer.context.id = 5
        elif method == "GetExecutionsByContext":
            begin = int(request.options.next_page_token or 0)
            answer.executions.extend(self._executions[begin : begin + self.page])
            if begin + self.page < len(self._executions):
                answer.next_page_token = str(begin + self.page)
        elif method == "GetEventsByExecutionIDs":
            ids = set(request.execution_ids)
            answer.events.extend(e for e in self._events if e.execution_id in ids)
        else:
            ids = set(request.artifact_ids)
            answer.artifacts.extend(a for a in self._artifacts if a.id in ids)
        data, trailer = answer.SerializeToString(), b"grpc-status:0\r\ngrpc-message:\r\n"
        frames = struct.pack(">BI", 0, len(data)) + data
        frames += struct.pack(">BI", 0x80, len(trailer)) + trailer
        return 200, frames, "application/grpc-web+proto"

    def _object(self, call: Call) -> tuple[int, Any, str]:
        provider, _, rest = call.path.removeprefix("/artifacts/").partition("/")
        uri = f"{provider}://{rest}"
        for known, folder in self.folders.items():
            file = folder / uri.removeprefix(known).lstrip("/")
            if not uri.startswith(known):
                continue
            if file.is_file():
                return 200, file.read_bytes(), "application/octet-stream"
            if file.is_dir() and self.archives:
                return 200, _packed(file), "application/gzip"
        return 500, "Failed to get object in bucket: NoSuchKey", "text/plain"


def _packed(folder: Path) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        for file in sorted(folder.rglob("*")):
            archive.add(file, str(file.relative_to(folder)))
    return target.getvalue()
