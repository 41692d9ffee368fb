"""A git server over HTTPS on loopback: git's own http-backend behind Python's server."""

from __future__ import annotations

import base64
import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from document_repositories import PLAIN

if TYPE_CHECKING:
    import ssl
    from pathlib import Path


class GitServer:
    """Serves the repositories of a folder while it is entered.

    Args:
        folder: The folder with the repositories.
        tls: The server's TLS, or None for plain HTTP.
        login: User name and token that it asks for, or None for everybody.
        modern: Whether it speaks the protocol that lets a client ask for any commit.
        redirect: What another server's URL begins with, where it sends everybody to.
    """

    def __init__(
        self,
        folder: Path,
        tls: ssl.SSLContext | None = None,
        *,
        login: tuple[str, str] | None = None,
        modern: bool = True,
        redirect: str | None = None,
    ) -> None:
        self.logins: list[str] = []
        """Every login that a request came with."""
        self.requests: list[str] = []
        """The path of every request."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler(folder))
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._login, self._modern, self._redirect = login, modern, redirect
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> GitServer:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def fetches(self) -> int:
        """How many times somebody began to fetch."""
        return sum("/info/refs" in path for path in self.requests)

    def _handler(self, folder: Path) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.0"

            def do_GET(self) -> None:
                server.requests.append(self.path)
                if server._redirect:
                    self.send_response(301)
                    self.send_header("Location", server._redirect + self.path)
                    self.end_headers()
                elif self._may():
                    self._answer()

            do_POST = do_GET

            def _may(self) -> bool:
                kind, _, code = self.headers.get("Authorization", "").partition(" ")
                if kind == "Basic":
                    server.logins.append(base64.b64decode(code).decode())
                wanted = server._login and ":".join(server._login)
                if not wanted or (kind == "Basic" and server.logins[-1] == wanted):
                    return True
                self.send_response(401)
                self.send_header("WWW-Authenticate", 'Basic realm="git"')
                self.send_header("Content-Length", "0")
                self.end_headers()
                return False

            def _answer(self) -> None:
                url = urlsplit(self.path)
                environment = PLAIN | {
                    "GIT_PROJECT_ROOT": str(folder),
                    "GIT_HTTP_EXPORT_ALL": "1",
                    "PATH_INFO": url.path,
                    "QUERY_STRING": url.query,
                    "REQUEST_METHOD": self.command,
                    "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                    "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                    "GIT_PROTOCOL": self.headers.get("Git-Protocol", "") if server._modern else "",
                }
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                done = subprocess.run(
                    ["git", "http-backend"], input=body, env=environment, capture_output=True
                )
                head, _, content = done.stdout.partition(b"\r\n\r\n")
                fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
                self.send_response(int(fields.pop("Status", "200").split()[0]))
                for name, value in (fields | {"Content-Length": str(len(content))}).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Be quiet."""

        return Handler


def all_files_say(folder: Path, text: str) -> list[str]:
    """Return the files below a folder that hold a text."""
    return [
        os.path.join(here, name)
        for here, _, names in os.walk(folder)
        for name in names
        if text.encode() in open(os.path.join(here, name), "rb").read()
    ]
