"""A server that answers with what real servers were recorded to answer."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

RECORDINGS = Path(__file__).parents[2] / "shared" / "data" / "recordings"


def recording(server: str, case: str) -> dict[str, Any]:
    """Return one recorded exchange of "vllm", "llamacpp" or "llama_cpp_python"."""
    return json.loads((RECORDINGS / server / f"{case}.json").read_text())


class Replay:
    """Answers each path with its recordings in the order given; the last one stays.

    A path without a recording gets the server's own 404, where that was recorded.
    """

    def __init__(self, server: str, *cases: str) -> None:
        self.bodies: list[Any] = []
        self.headers: list[dict[str, str]] = []
        self._answers: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
        for case in cases:
            exchange = recording(server, case)
            request = exchange["request"]
            self._answers[request["method"], request["path"]].append(exchange["response"])
        self._missing = {"status": 404, "json": {"detail": "Not Found"}}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> Replay:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _next(self, method: str, path: str) -> dict[str, Any]:
        answers = self._answers.get((method, path), [self._missing])
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        replay = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                if length:
                    replay.bodies.append(json.loads(self.rfile.read(length)))
                replay.headers.append({k.lower(): v for k, v in self.headers.items()})
                response = replay._next(self.command, self.path)
                text = json.dumps(response["json"]) if "json" in response else response["text"]
                body = text.encode()
                self.send_response(response["status"])
                self.send_header("Content-Type", response.get("content_type") or "text/plain")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = answer

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler
