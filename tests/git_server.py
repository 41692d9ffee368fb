"""Git repositories on a web server of this machine, with a password and TLS if need be."""

from __future__ import annotations

import base64
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from document_repositories import git

if TYPE_CHECKING:
    import ssl
    from pathlib import Path


class GitServer:
    """Serves the repositories in a folder as plain files; a context manager.

    Attributes:
        password: ``user:password`` that requests must carry; None for none.
    """

    def __init__(
        self, folder: Path, *, password: str | None = None, tls: ssl.SSLContext | None = None
    ) -> None:
        for repository in folder.iterdir():
            if (repository / ".git").is_dir():
                git(repository, "update-server-info")
        self.password = password
        self._scheme = "https" if tls else "http"
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, self, str(folder)))
        if tls:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        )

    def url(self, repository: str) -> str:
        """The URL of a repository in the folder."""
        return f"{self._scheme}://127.0.0.1:{self._server.server_port}/{repository}/.git"

    def __enter__(self) -> GitServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, server: GitServer, folder: str, *arguments: Any) -> None:
        self._git_server = server
        super().__init__(*arguments, directory=folder)

    def do_GET(self) -> None:
        password = self._git_server.password
        wanted = f"Basic {base64.b64encode((password or '').encode()).decode()}"
        if password and self.headers.get("Authorization") != wanted:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="git"')
            self.end_headers()
            return
        super().do_GET()

    def log_message(self, *_: object) -> None:
        """Say nothing."""
