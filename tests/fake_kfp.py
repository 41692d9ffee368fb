"""KFP's API server and the server of its dashboard, over real HTTP or HTTPS, with a memory.

    with FakeKfp() as kfp:
        kfp.script = [Moment("RUNNING", {"load": "running"}), Moment("SUCCEEDED", ALL)]
        ...
        assert kfp.names() == ["GET healthz", …]

Uploads are read with KFP's own classes. Every look at a run goes one moment further in the script.
"""

from __future__ import annotations

import json
import re
import threading
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlsplit

from argo_nodes import ENDED, STARTED, ArgoNodes
from fake_kfp_calls import PREFIX, Call, Fault, Moment, Refusal, read_upload
from loopback_server import Handler, start, stop

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Mapping, Sequence

VERSION_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


@dataclass
class FakeKfp:
    """The server; a context manager that runs it in threads of its own.

    Attributes:
        multi_user: Whether it is shared, so that requests name a namespace.
        token: The bearer token that is asked for; None: none. May change while it runs.
        cookie: The cookie that is asked for; a request without it gets a login page.
        base: The path that it is under: "/pipeline" in Kubeflow.
        tls: The certificate that it shows.
        script: How the run is at each look; the last one stays.
        logs: The logs of pods by a part of their names.

    What else is on the same host goes into ``extra``: what answers, by how its path begins.
    """

    multi_user: bool = False
    token: str | None = None
    cookie: str | None = None
    base: str = ""
    tls: ssl.SSLContext | None = None
    script: Sequence[Moment] = (Moment("SUCCEEDED"),)
    logs: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.calls: list[Call] = []
        self.pipelines: dict[str, dict[str, Any]] = {}
        self.versions: dict[str, dict[str, Any]] = {}
        self.experiments: dict[str, dict[str, Any]] = {}
        self.runs: dict[str, dict[str, Any]] = {}
        self.recurring: dict[str, dict[str, Any]] = {}
        self.extra: dict[str, Callable[[Call], tuple[int, Any, str]]] = {}
        self._faults: deque[Fault] = deque()
        self._lock = threading.RLock()
        self._looks = 0
        self._made: Counter[str] = Counter()

    # -- what tests use -------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """Where it listens, with the path."""
        host = f"127.0.0.1:{self._server.server_address[1]}"
        return f"{'https' if self.tls else 'http'}://{host}{self.base}"

    def fail(self, *faults: Fault) -> None:
        """Do something to the next requests that fit, one fault for each."""
        self._faults.extend(faults)

    def names(self) -> list[str]:
        """Return method and path of all requests so far, looks at a run once."""
        named = [re.sub(r"(run|version|pipeline)-\d+", r"\1", str(call)) for call in self.calls]
        return list(dict.fromkeys(named))

    def bodies(self, of: str) -> list[Any]:
        """Return the bodies of requests: "POST runs"."""
        return [call.body for call in self.calls if str(call) == of]

    def __enter__(self) -> FakeKfp:
        self._server = start(_handler(self), self.tls)
        return self

    def __exit__(self, *_: object) -> None:
        stop(self._server)

    # -- what the server does -------------------------------------------------------------------

    def answer(self, call: Call) -> tuple[int, Any, str] | None:
        """Return status, body and type of an answer; None to close the connection."""
        with self._lock:
            self.calls.append(call)
            fault = self._fault_for(call)
            if fault and not fault.after:
                return None if fault.status is None else (fault.status, fault.body, "")
            try:
                self._authenticate(call)
                status, body, kind = self._route(call)
            except Refusal as refusal:
                content = {"error": refusal.message, "code": 3, "message": refusal.message}
                status, body, kind = refusal.status, content, ""
            if fault:
                return None if fault.status is None else (fault.status, fault.body, "")
            return status, body, kind

    def _fault_for(self, call: Call) -> Fault | None:
        if self._faults and self._faults[0].on in str(call):
            return self._faults.popleft()
        return None

    def _authenticate(self, call: Call) -> None:
        shown = call.headers.get("authorization", "")
        if self.token is not None and shown != f"Bearer {self.token}":
            raise Refusal(401, "Request header error: there is no valid token")
        if self.cookie is not None and self.cookie not in call.headers.get("cookie", ""):
            raise Refusal(302, "/dex/auth?client_id=kubeflow")

    def _route(self, call: Call) -> tuple[int, Any, str]:
        log = re.fullmatch(r"/apis/v1alpha1/runs/[^/]+/nodes/([^/]+)/log", call.path)
        if log:
            return self._log(log[1])
        for prefix, answer in self.extra.items():
            if call.path.startswith(prefix):
                return answer(call)
        if not call.path.startswith(PREFIX):
            return 404, "<!doctype html><title>Kubeflow</title>", "text/html"
        parts = [unquote(part) for part in call.path.removeprefix(PREFIX).split("/")]
        match call.method, *parts:
            case "GET", "healthz":
                return 200, {"multi_user": self.multi_user}, ""
            case "GET", "pipelines", "names", name:
                return 200, self._pipeline_by_name(name, call), ""
            case "POST", "pipelines":
                return 200, self._create_pipeline(call), ""
            case "POST", "pipelines", "upload_version":
                return 200, self._upload(call), ""
            case "GET", "pipelines", pipeline_id, "versions":
                return 200, self._list_versions(pipeline_id, call), ""
            case "GET", "pipelines", _, "versions", version_id:
                return 200, self._found(self.versions, version_id), ""
            case "GET", "experiments":
                return 200, self._list(self.experiments, "experiments", call), ""
            case "POST", "experiments":
                return 200, self._create_experiment(call), ""
            case "POST", "runs":
                return 200, self._create_run(call), ""
            case "GET", "runs", run_id:
                return 200, self._look(run_id), ""
            case "POST", "runs", action if action.endswith(":terminate"):
                run = self._found(self.runs, action.removesuffix(":terminate"))
                self.script = [Moment("CANCELING"), Moment("CANCELED")]
                self._looks = 0
                run["state"] = "CANCELING"
                return 200, {}, ""
            case "GET", "recurringruns":
                return 200, self._list(self.recurring, "recurringRuns", call), ""
            case "POST", "recurringruns":
                return 200, self._create_recurring(call), ""
            case "DELETE", "recurringruns", recurring_id:
                self._found(self.recurring, recurring_id)
                del self.recurring[recurring_id]
                return 200, {}, ""
        raise Refusal(404, "Not Found")

    def _found(self, things: Mapping[str, dict[str, Any]], thing_id: str) -> dict[str, Any]:
        if thing_id not in things:
            raise Refusal(404, f"ResourceNotFoundError: {thing_id} not found.")
        return things[thing_id]

    def _check_namespace(self, namespace: str | None) -> None:
        if self.multi_user and not namespace:
            raise Refusal(400, "Invalid input error: A namespace is required in multi-user mode")

    def _pipeline_by_name(self, name: str, call: Call) -> dict[str, Any]:
        space = call.query.get("namespace", "")
        for pipeline in self.pipelines.values():
            if (pipeline["name"], pipeline.get("namespace") or "") == (name, space):
                return pipeline
        raise Refusal(404, f"Failed to get a pipeline with name {name}")

    def _create_pipeline(self, call: Call) -> dict[str, Any]:
        self._check_namespace(call.body.get("namespace"))
        if any(p["name"] == call.body["name"] for p in self.pipelines.values()):
            raise Refusal(409, "Already exist error: the pipeline exists")
        return self._keep(self.pipelines, "pipeline", call.body)

    def _upload(self, call: Call) -> dict[str, Any]:
        name, pipeline_id = call.query["name"], call.query["pipelineid"]
        self._found(self.pipelines, pipeline_id)
        assert VERSION_NAME.fullmatch(name), name
        if any(v["name"] == name for v in self.versions.values()):
            raise Refusal(409, "Already exist error: the version exists")
        content = {"name": name, "display_name": name, "pipeline_id": pipeline_id}
        spec = read_upload(call.body)
        return self._keep(self.versions, "pipeline_version", {**content, "pipeline_spec": spec})

    def _list_versions(self, pipeline_id: str, call: Call) -> dict[str, Any]:
        self._found(self.pipelines, pipeline_id)
        ours = {k: v for k, v in self.versions.items() if v["pipeline_id"] == pipeline_id}
        return self._list(ours, "pipeline_versions", call, namespaced=False)

    def _list(
        self,
        things: Mapping[str, dict[str, Any]],
        key: str,
        call: Call,
        *,
        namespaced: bool = True,
    ) -> dict[str, Any]:
        if namespaced:
            self._check_namespace(call.query.get("namespace"))
        found = list(things.values())
        if "filter" in call.query:
            (predicate,) = json.loads(call.query["filter"])["predicates"]
            assert predicate["operation"] == 1
            found = [t for t in found if t[predicate["key"]] == predicate["stringValue"]]
        return {key: found} if found else {}

    def _create_experiment(self, call: Call) -> dict[str, Any]:
        self._check_namespace(call.body.get("namespace"))
        return self._keep(self.experiments, "experiment", call.body)

    def _create_run(self, call: Call) -> dict[str, Any]:
        self._check_run(call.body)
        run = self._keep(self.runs, "run", {**call.body, "created_at": STARTED})
        return {**run, "state": "PENDING"}

    def _create_recurring(self, call: Call) -> dict[str, Any]:
        self._check_run(call.body)
        return self._keep(self.recurring, "recurring_run", call.body)

    def _check_run(self, body: Mapping[str, Any]) -> None:
        reference = body["pipeline_version_reference"]
        version = self._found(self.versions, reference["pipeline_version_id"])
        self._found(self.experiments, body["experiment_id"])
        spec = version["pipeline_spec"]["pipeline_spec"]
        known = spec["root"].get("inputDefinitions", {}).get("parameters", {})
        given = body["runtime_config"].get("parameters", {})
        unknown = given.keys() - known.keys()
        if unknown:
            raise Refusal(400, f"input parameter {unknown.pop()} requires a definition")

    def _keep(
        self, things: dict[str, dict[str, Any]], kind: str, content: Mapping[str, Any]
    ) -> dict[str, Any]:
        self._made[kind] += 1  # a number that was given once is not given again
        thing_id = f"{kind.replace('pipeline_version', 'version')}-{self._made[kind]}"
        things[thing_id] = {**content, f"{kind}_id": thing_id}
        return things[thing_id]

    def _look(self, run_id: str) -> dict[str, Any]:
        run = self._found(self.runs, run_id)
        moment = self.script[min(self._looks, len(self.script) - 1)]
        self._looks += 1
        version = self.versions[run["pipeline_version_reference"]["pipeline_version_id"]]
        details = ArgoNodes(version["pipeline_spec"]["pipeline_spec"], moment.tasks).details
        for node in details:
            if node["display_name"] in moment.task_errors:
                node["error"] = {"code": 2, "message": moment.task_errors[node["display_name"]]}
        final = moment.state not in ("PENDING", "RUNNING", "PAUSED", "CANCELING")
        answer = {
            **run,
            "state": moment.state,
            "run_details": {"task_details": details},
            "finished_at": ENDED if final else "1970-01-01T00:00:00Z",
        }
        if moment.error:
            answer["state_history"] = [
                {"state": moment.state, "error": {"code": 2, "message": moment.error}}
            ]
        return answer

    def _log(self, pod: str) -> tuple[int, Any, str]:
        for part, text in self.logs.items():
            if part in pod:
                return 200, text, "text/plain"
        return 200, '{"error_message":"Failed to read logs from pod"}', "text/plain"


def _handler(kfp: FakeKfp) -> type[Handler]:
    class Ours(Handler):
        def serve(self, raw: bytes) -> None:
            kind = self.headers.get("Content-Type") or ""
            if kind.startswith("multipart/"):
                body: Any = f"Content-Type: {kind}\r\n\r\n".encode() + raw
            else:
                body = json.loads(raw) if raw and "json" in kind else raw
            parts = urlsplit(self.path)
            path = parts.path
            path = path.removeprefix(kfp.base) if path.startswith(kfp.base) else f"/outside{path}"
            query = {key: values[0] for key, values in parse_qs(parts.query).items()}
            headers = {key.lower(): value for key, value in self.headers.items()}
            answer = kfp.answer(Call(self.command, path, query, headers, body))
            if answer is None:
                self.close_connection = True
                return
            status, content, kind = answer
            if isinstance(content, bytes):
                data = content
            else:
                data = (content if isinstance(content, str) else json.dumps(content)).encode()
            sent = {"Content-Type": kind or "application/json"}
            if 300 <= status < 400:
                sent["Location"] = content["message"] if isinstance(content, dict) else content
            self.send(status, data, sent)

    return Ours
