"""A Kubernetes API server that knows InferenceServices and pipeline servers, over real HTTP(S).

    with FakeKubernetes() as cluster:
        cluster.add(inference_service("teacher"))
        monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig(tmp_path)))
        ...
        assert [call.verb for call in cluster.calls] == ["get", "patch", "get"]

Objects are stored with resource versions, merge patches are applied as RFC 7386 says, and refusals
have the texts of a real server. Every look at a service lets its controller go one step. Leaving
it fails if any request needed more rights than pipelines have.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections import deque
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import yaml

from fake_kserve import Controller
from fake_kubernetes_calls import GROUP, Call, Fault, Refusal, Request, allows, merge
from kserve_rights import calls_beyond_rights
from loopback_server import Handler, start, stop

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

DSPA_GROUP = "datasciencepipelinesapplications.opendatahub.io"
KINDS = {
    (GROUP, "v1beta1", "inferenceservices"): "InferenceService",
    (DSPA_GROUP, "v1", "datasciencepipelinesapplications"): "DataSciencePipelinesApplication",
}
"""What the cluster knows: kinds by group, version and resource."""

_PATH = re.compile(r"/apis/([^/]+)/([^/]+)/namespaces/([^/]+)/([^/]+)/?([^/]*)")
USER = "system:serviceaccount:sdg:pipeline-runner"
METADATA = {
    *("name", "namespace", "labels", "annotations", "resourceVersion", "generation", "uid"),
    *("finalizers", "ownerReferences", "managedFields", "creationTimestamp", "deletionTimestamp"),
}


@dataclass
class FakeKubernetes:
    """The server; a context manager that runs it in threads of its own.

    Attributes:
        controller: What moves the services.
        token: The only token that is accepted; may be changed while it runs.
        rules: What the user may do, as rules of a Role; None: everything.
        installed: Whether the cluster knows its kinds.
        on_patch: Called with the stored object before a patch is applied: it may change it (as
            somebody who is faster would) or raise a ``Refusal``.
        tls: The certificate it shows; None: plain HTTP.
    """

    controller: Controller = field(default_factory=Controller)
    token: str = "first-token"
    rules: Sequence[Mapping[str, Any]] | None = None
    installed: bool = True
    on_patch: Callable[[dict[str, Any]], None] | None = None
    tls: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        self.calls: list[Call] = []
        self.objects: dict[tuple[str, str], dict[str, Any]] = {}
        self.pipeline_servers: dict[tuple[str, str], dict[str, Any]] = {}
        self._faults: deque[Fault] = deque()
        self._lock = threading.Lock()
        self._version = 100

    # -- what tests use -------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_address[1])

    def add(self, service: dict[str, Any], *, settled: bool = True) -> None:
        """Store a service, in the state that its stop annotation asks for."""
        if settled:
            self.controller.settle(service)
        self._touch(service)
        self.objects[service["metadata"]["namespace"], service["metadata"]["name"]] = service

    def add_pipeline_server(self, dspa: dict[str, Any]) -> None:
        """Store a DataSciencePipelinesApplication."""
        metadata = dspa["metadata"]
        self.pipeline_servers[metadata["namespace"], metadata["name"]] = dspa

    def annotations(self, name: str, namespace: str = "sdg") -> dict[str, str]:
        """Return a service's annotations."""
        return dict(self.objects[namespace, name]["metadata"].get("annotations") or {})

    def set_annotation(self, name: str, key: str, value: str, namespace: str = "sdg") -> None:
        """Set an annotation as somebody else would."""
        with self._lock:
            service = self.objects[namespace, name]
            service["metadata"]["annotations"][key] = value
            self._touch(service)

    def fail(self, *faults: Fault) -> None:
        """Do something to the next requests, one fault for each."""
        self._faults.extend(faults)

    def verbs(self) -> list[str]:
        """Return the verbs of all requests so far."""
        return [call.verb for call in self.calls]

    def kubeconfig(self, folder: Path, namespace: str = "sdg") -> Path:
        """Write a kubeconfig for it, with the CA in the folder, if any; return its path."""
        file = folder / "kubeconfig"
        cluster = {"server": self.url}
        if self.tls:
            cluster["certificate-authority"] = str(folder / "certificate.pem")
        context = {"cluster": "fake", "user": "fake", "namespace": namespace}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "fake",
            "clusters": [{"name": "fake", "cluster": cluster}],
            "contexts": [{"name": "fake", "context": context}],
            "users": [{"name": "fake", "user": {"token": self.token}}],
        }
        file.write_text(yaml.safe_dump(config))
        return file

    def service_account(self, folder: Path, certificate: Path, namespace: str = "sdg") -> Path:
        """Write what a pod finds of its service account; return the folder."""
        account = folder / "serviceaccount"
        account.mkdir(exist_ok=True)
        (account / "token").write_text(self.token)
        (account / "ca.crt").write_text(certificate.read_text())
        (account / "namespace").write_text(namespace)
        return account

    def __enter__(self) -> FakeKubernetes:
        self._server = start(_handler(self), self.tls)
        return self

    def __exit__(self, kind: type[BaseException] | None, *others: object) -> None:
        stop(self._server)
        if kind is None:  # every test that talks to it holds that
            assert calls_beyond_rights(self.calls) == []

    # -- what the server does -------------------------------------------------------------------

    def answer(self, request: Request) -> tuple[int, Any, Mapping[str, str]] | None:
        """Return status, body and headers of an answer; None to close the connection."""
        fault = self._fault_for(request)
        time.sleep(fault.seconds)
        with self._lock:
            status, body, headers = 0, None, {}
            if fault.after or not (fault.reset or fault.status):
                try:
                    status, body = 200, self._done(request)
                except Refusal as refusal:
                    status, body = refusal.status, refusal.body
            if fault.status:
                body = Refusal(fault.status, "", fault.message).body
                status, headers = fault.status, dict(fault.headers)
            self._record(request, 0 if fault.reset else status)
        return None if fault.reset else (status, body, headers)

    def _fault_for(self, request: Request) -> Fault:
        with self._lock:
            if self._faults and request.verb in self._faults[0].verbs:
                return self._faults.popleft()
        return Fault()

    def _record(self, request: Request, status: int) -> None:
        self.calls.append(
            Call(
                request.verb,
                request.group,
                request.resource,
                request.namespace,
                request.name,
                status,
                request.query,
                request.body,
            )
        )

    def _done(self, request: Request) -> Any:
        if request.token != self.token:
            raise Refusal(401, "Unauthorized", "Unauthorized")
        kind = next((k for (g, _, r), k in KINDS.items() if (g, r) == _kind_of(request)), "")
        if not self.installed or not kind:
            raise Refusal(404, "NotFound", "the server could not find the requested resource")
        self._check_rules(request)
        objects = self.pipeline_servers if request.group == DSPA_GROUP else self.objects
        if request.verb == "list":
            found = [v for (space, _), v in objects.items() if space == request.namespace]
            return {"kind": f"{kind}List", "items": deepcopy(found)}
        service = objects.get((request.namespace, request.name))
        if service is None:
            resource = f"{request.resource}.{request.group}"
            raise Refusal(
                404,
                "NotFound",
                f'{resource} "{request.name}" not found',
                name=request.name,
                group=request.group,
                kind=request.resource,
            )
        if request.group == DSPA_GROUP:
            return deepcopy(service)
        if request.verb == "get":
            if self.controller.step(service):
                self._touch(service)
        else:
            self._patch(service, request)
        return deepcopy(service)

    def _check_rules(self, request: Request) -> None:
        if self.rules is None or any(allows(rule, request) for rule in self.rules):
            return
        name = f' "{request.name}"' if request.name else ""
        raise Refusal(
            403,
            "Forbidden",
            f'{request.resource}.{request.group}{name} is forbidden: User "{USER}" cannot '
            f'{request.verb} resource "{request.resource}" in API group "{request.group}" in the '
            f'namespace "{request.namespace}"',
            name=request.name,
            group=request.group,
            kind=request.resource,
        )

    def _patch(self, service: dict[str, Any], request: Request) -> None:
        if request.content_type != "application/merge-patch+json":
            raise Refusal(
                415, "UnsupportedMediaType", "the body of the request was in an unknown format"
            )
        if self.on_patch:
            self.on_patch(service)
        _check_strictly(request)
        wanted = request.body.get("metadata", {}).get("resourceVersion")
        if wanted not in (None, service["metadata"]["resourceVersion"]):
            raise Refusal(
                409,
                "Conflict",
                f'Operation cannot be fulfilled on inferenceservices.{GROUP} "{request.name}": the '
                "object has been modified; please apply your changes to the latest version and try "
                "again",
            )
        merge(service, request.body)
        self._touch(service)

    def _touch(self, service: dict[str, Any]) -> None:
        self._version += 1
        service["metadata"]["resourceVersion"] = str(self._version)


def _kind_of(request: Request) -> tuple[str, str]:
    return request.group, request.resource


def _check_strictly(request: Request) -> None:
    """Refuse unknown fields, where strict validation is asked for, and annotations of no text."""
    known = {"apiVersion", "kind", "metadata", "spec", "status"}
    metadata = request.body.get("metadata", {})
    unknown = [
        *(request.body.keys() - known),
        *(f"metadata.{k}" for k in metadata.keys() - METADATA),
    ]
    if unknown and request.query.get("fieldValidation") == "Strict":
        raise Refusal(
            400,
            "BadRequest",
            'InferenceService in version "v1beta1" cannot be handled as a InferenceService: strict '
            f'decoding error: unknown field "{unknown[0]}"',
        )
    for key, value in metadata.get("annotations", {}).items():
        if not isinstance(value, str | None):
            raise Refusal(422, "Invalid", f"metadata.annotations.{key}: Invalid value: {value!r}")


def _handler(cluster: FakeKubernetes) -> type[Handler]:
    class Ours(Handler):
        def serve(self, raw: bytes) -> None:
            parts = urlsplit(self.path)
            found = _PATH.fullmatch(parts.path)
            group, version, namespace, resource, name = found.groups() if found else [""] * 5
            if (group, version, resource) not in KINDS:
                resource = f"{resource} of another version"
            verbs = {"GET": "get" if name else "list", "POST": "create", "PUT": "update"}
            query = {key: values[0] for key, values in parse_qs(parts.query).items()}
            request = Request(
                "watch" if query.get("watch") else verbs.get(self.command, self.command.lower()),
                resource,
                namespace,
                name,
                (self.headers.get("Authorization") or "").partition(" ")[2],
                self.headers.get("Content-Type") or "",
                query,
                json.loads(raw) if raw else None,
                group,
            )
            answer = cluster.answer(request)
            if answer is None:
                self.close_connection = True
                return
            status, content, headers = answer
            kind = {"Content-Type": "application/json"}
            self.send(status, json.dumps(content).encode(), {**kind, **headers})

    return Ours
