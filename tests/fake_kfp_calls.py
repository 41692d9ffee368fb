"""Requests to the fake KFP server, what can become of them, and what an upload holds."""

from __future__ import annotations

import email
import email.policy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "/apis/v2beta1/"


@dataclass(frozen=True)
class Moment:
    """How a run is at one look.

    Attributes:
        state: Its state.
        tasks: How its tasks are, see ``ArgoNodes``.
        error: What the run itself says.
        task_errors: What tasks say, by name; KFP's server says nothing, others may.
    """

    state: str
    tasks: Mapping[str, str] = field(default_factory=dict)
    error: str = ""
    task_errors: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Fault:
    """What is done to a request instead of answering it.

    Attributes:
        on: What method and path have to contain: "GET runs/".
        status: The status; None to close the connection.
        body: The answer's body.
        after: Do what is asked first: only the answer is lost.
    """

    on: str
    status: int | None = None
    body: str = '{"error":"unavailable","code":14,"message":"the server is being restarted"}'
    after: bool = False


@dataclass(frozen=True)
class Call:
    """A request, as it came."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Any

    def __str__(self) -> str:
        return f"{self.method} {self.path.removeprefix(PREFIX)}"


class Refusal(Exception):
    """An answer that is no success, with the words of grpc-gateway."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def read_upload(body: bytes) -> dict[str, Any]:
    """Return what a multipart upload holds, as the API gives it back; KFP has to take it."""
    from google.protobuf import json_format
    from kfp.components import load_component_from_text
    from kfp.pipeline_spec import pipeline_spec_pb2

    message = email.message_from_bytes(body, policy=email.policy.HTTP)
    (part,) = message.iter_parts()
    assert part.get_param("name", header="content-disposition") == "uploadfile"
    assert part.get_filename().endswith(".yaml")
    text = part.get_payload(decode=True).decode()
    load_component_from_text(text)
    documents = list(yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))
    spec = json_format.ParseDict(documents[0], pipeline_spec_pb2.PipelineSpec())
    answer = {"pipeline_spec": json_format.MessageToDict(spec)}
    return answer | ({"platform_spec": documents[1]} if len(documents) > 1 else {})
