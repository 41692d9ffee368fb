"""An API server that knows some kinds, takes dry runs of them, and remembers what it was asked.

It speaks as much of the API as kubectl needs before it sends an object: discovery, and the OpenAPI
document that says that ``dryRun`` and ``fieldValidation`` are understood.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType
    from typing import Self


_PROTOBUF = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"


@dataclass
class RecordingApiServer:
    """The server; use it in a ``with`` statement.

    Attributes:
        kinds: What it knows: ("rbac.authorization.k8s.io/v1", "Role") → ("roles", namespaced).
        refusals: The message by which it refuses the object of a name; others are taken.
        namespaces: The namespaces that are there; None for all.
        patches: What it was asked to apply: path, query and object.
    """

    kinds: Mapping[tuple[str, str], tuple[str, bool]]
    refusals: Mapping[str, str] = field(default_factory=dict)
    namespaces: frozenset[str] | None = None
    patches: list[tuple[str, dict[str, list[str]], Any]] = field(default_factory=list)

    def __enter__(self) -> Self:
        """Start it on a port of its own."""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:
                path = urlsplit(self.path).path
                document = outer._documents().get(path)
                if path == "/openapi/v2":  # asked for kinds that no group has; empty protobuf
                    self._send(200, b"", _PROTOBUF)
                elif document is None:
                    self._answer(404, _failure(404, "NotFound", "there is no such thing"))
                else:
                    self._answer(200, document)

            def do_PATCH(self) -> None:
                split = urlsplit(self.path)
                length = int(self.headers["content-length"])
                manifest = json.loads(self.rfile.read(length))
                outer.patches.append((split.path, parse_qs(split.query), manifest))
                self._answer(*outer._patched(manifest))

            def _answer(self, status: int, document: Any) -> None:
                self._send(status, json.dumps(document).encode(), "application/json")

            def _send(self, status: int, body: bytes, kind: str) -> None:
                self.send_response(status)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop it."""
        self._server.shutdown()
        self._server.server_close()

    def kubeconfig(self, folder: Path) -> Path:
        """Write a kubeconfig for it, and return the file."""
        url = f"http://127.0.0.1:{self._server.server_port}"
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": {"server": url}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "users": [{"name": "test", "user": {}}],
            "current-context": "test",
        }
        file = folder / "kubeconfig"
        file.write_text(json.dumps(config), encoding="utf-8")
        return file

    def _patched(self, manifest: Any) -> tuple[int, Any]:
        metadata = manifest["metadata"]
        namespace = metadata.get("namespace")
        if namespace and self.namespaces is not None and namespace not in self.namespaces:
            return 404, _failure(404, "NotFound", f'namespaces "{namespace}" not found')
        if metadata["name"] in self.refusals:
            return 400, _failure(400, "BadRequest", self.refusals[metadata["name"]])
        return 201, manifest

    def _documents(self) -> dict[str, Any]:
        """Return what discovery tells, by path."""
        versions = {version for version, _ in self.kinds} | {"v1"}
        groups = sorted(version for version in versions if "/" in version)
        return {
            "/version": {"major": "1", "minor": "33", "gitVersion": "v1.33.0-recording"},
            "/api": {"kind": "APIVersions", "versions": ["v1"]},
            "/apis": {"kind": "APIGroupList", "groups": [_group(version) for version in groups]},
            "/openapi/v3": {
                "paths": {
                    _root(v)[1:]: {"serverRelativeURL": f"/openapi/v3{_root(v)}"} for v in versions
                }
            },
            **{_root(version): self._resources(version) for version in versions},
            **{f"/openapi/v3{_root(version)}": self._openapi(version) for version in versions},
        }

    def _known(self, version: str) -> list[tuple[str, str, bool]]:
        namespaces = [("Namespace", "namespaces", False)] if version == "v1" else []
        return namespaces + [
            (kind, plural, namespaced)
            for (of, kind), (plural, namespaced) in self.kinds.items()
            if of == version and kind != "Namespace"
        ]

    def _resources(self, version: str) -> Any:
        resources = [
            {"name": plural, "namespaced": namespaced, "kind": kind, "verbs": ["get", "patch"]}
            for kind, plural, namespaced in self._known(version)
        ]
        return {"kind": "APIResourceList", "groupVersion": version, "resources": resources}

    def _openapi(self, version: str) -> Any:
        group, _, short = version.rpartition("/")
        query = [{"name": n, "in": "query", "schema": {}} for n in ("dryRun", "fieldValidation")]
        return {
            "openapi": "3.0.0",
            "info": {"title": "test", "version": "1"},
            "paths": {
                f"{_root(version)}/{plural}/{{name}}": {
                    "patch": {
                        "parameters": query,
                        "responses": {},
                        "x-kubernetes-group-version-kind": {
                            "group": group,
                            "version": short,
                            "kind": kind,
                        },
                    }
                }
                for kind, plural, _ in self._known(version)
            },
        }


def _root(version: str) -> str:
    return f"/apis/{version}" if "/" in version else f"/api/{version}"


def _openapi_of(version: str) -> Any:
    return {"serverRelativeURL": f"/openapi/v3{_root(version)}"}


def _group(version: str) -> Any:
    group, _, short = version.partition("/")
    entry = {"groupVersion": version, "version": short}
    return {"name": group, "versions": [entry], "preferredVersion": entry}


def _failure(code: int, reason: str, message: str) -> Any:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": code,
        "reason": reason,
        "message": message,
    }
