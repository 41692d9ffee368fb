"""A server that speaks S3 over HTTP: moto's, which keeps its objects in this process."""

from __future__ import annotations

import threading
import urllib.request
from typing import TYPE_CHECKING, Self

import botocore.session
from moto import settings
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from moto.s3.models import s3_backends
from werkzeug.serving import make_server

if TYPE_CHECKING:
    import ssl

ACCOUNT, PARTITION = "123456789012", "aws"
RIGHTS = """{"Version": "2012-10-17",
 "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}"""


class _Quiet(MotoRequestHandler):
    def log(self, *arguments: object) -> None:
        """Say nothing of each request."""


class S3Server:
    """The server with one bucket, which is there while the context is open.

    Attributes:
        url: Where it is.
        bucket: The bucket's URL.
    """

    def __init__(self, context: ssl.SSLContext | None = None) -> None:
        app = DomainDispatcherApplication(create_backend_app)
        self._server = make_server(
            "127.0.0.1", 0, app, threaded=True, request_handler=_Quiet, ssl_context=context
        )
        self.url = f"http{'s' if context else ''}://127.0.0.1:{self._server.server_port}"
        self.bucket = "s3://bucket"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    def __enter__(self) -> Self:
        s3_backends.reset()
        s3_backends[ACCOUNT][PARTITION].create_bucket("bucket", "us-east-1")
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        settings.INITIAL_NO_AUTH_ACTION_COUNT = float("inf")
        self._server.server_close()
        self._thread.join()

    def put(self, name: str, content: str) -> None:
        s3_backends[ACCOUNT][PARTITION].put_object("bucket", name, content.encode())

    def names(self) -> list[str]:
        return sorted(s3_backends[ACCOUNT][PARTITION].buckets["bucket"].keys)

    def key_of_a_user(self) -> tuple[str, str]:
        """Make a user who may do everything; return both halves of the key."""
        iam = botocore.session.Session().create_client(
            "iam",
            region_name="us-east-1",
            endpoint_url=self.url,
            aws_access_key_id="any",
            aws_secret_access_key="any",
        )
        iam.create_user(UserName="user")
        iam.put_user_policy(UserName="user", PolicyName="all", PolicyDocument=RIGHTS)
        made = iam.create_access_key(UserName="user")["AccessKey"]
        return made["AccessKeyId"], made["SecretAccessKey"]

    def let_in_users_only(self) -> None:
        """Refuse every request from here on that no user's key has signed."""
        request = urllib.request.Request(
            f"{self.url}/moto-api/reset-auth", b"0", {"Content-Type": "text/plain"}
        )
        urllib.request.urlopen(request).close()
