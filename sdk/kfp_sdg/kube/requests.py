"""Send a request to the Kubernetes API until it succeeds, is refused for good, or patience ends."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from kfp_sdg.errors import ClusterError
from kfp_sdg.kube.access import SERVICE_ACCOUNT, Access, open_access
from kfp_sdg.kube.answers import server_message

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kubernetes.client import CustomObjectsApi
    from kubernetes.client.exceptions import ApiException

    from kfp_sdg.kube.patience import Patience

_TRANSIENT = frozenset({401, 408, 429, 500, 502, 503, 504})
"""Statuses after which the same request may succeed: 401 while a token is being renewed, 500 while
an admission webhook restarts."""


class Requests:
    """Requests about custom objects.

    A request that fails for a reason that passes is sent again with growing pauses.

    Attributes:
        access: The way to the cluster; renewed where its credentials are no longer accepted.
    """

    def __init__(
        self,
        patience: Patience,
        *,
        tell: Callable[[str], None] | None = None,
        service_account: Path = SERVICE_ACCOUNT,
    ) -> None:
        """Find the cluster; nothing is sent yet.

        Args:
            patience: How long to try.
            tell: Takes a line when the API server is away.
            service_account: The folder that a pod's service account is mounted in.

        Raises:
            ClusterError: There is no way to a cluster.
        """
        self._patience = patience
        self._tell = _nobody if tell is None else tell
        self._service_account = service_account
        self.access = open_access(service_account)

    @property
    def timeout(self) -> tuple[float, float]:
        """Seconds for a connection and for an answer, as the client takes them."""
        return (self._patience.request, self._patience.request)

    def reopen(self) -> None:
        """Read the kubeconfig or the service account anew.

        Raises:
            ClusterError: There is no way to a cluster any more.
        """
        self.access = open_access(self._service_account)

    def send(
        self,
        ask: Callable[[CustomObjectsApi], Any],
        refused: Callable[[ApiException, Access], Exception],
    ) -> dict[str, Any]:
        """Send a request.

        Args:
            ask: Sends it.
            refused: Gives the error to raise for an answer that will not change.

        Returns:
            The object or the list that came back.

        Raises:
            ClusterError: The API server is away for too long, or what answers is none.
        """
        from kubernetes.client import CustomObjectsApi
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        last = time.monotonic() + self._patience.patience
        renewed = False
        for pause in self._patience.retries():
            try:
                return self._object(ask(CustomObjectsApi(self.access.api)))
            except ApiException as error:
                # A pod's token is renewed by others, in time or a little later. A person's is
                # not, except by the login plugin that the kubeconfig names.
                final = error.status == 401 and renewed and not self.access.in_cluster
                if final or error.status not in _TRANSIENT or time.monotonic() + pause > last:
                    raise refused(error, self.access) from error
                if error.status == 401:
                    self.reopen()
                    renewed = True
                wait, why = max(pause, _retry_after(error)), server_message(error)
            except (HTTPError, OSError) as error:
                host = self.access.api.configuration.host
                wait, why = pause, " ".join(str(error).split())
                if time.monotonic() + pause > last:
                    raise ClusterError(
                        f"cannot reach the Kubernetes API at {host}, tried for "
                        f"{self._patience.patience:g} s: {why}"
                    ) from error
            self._tell(f"the Kubernetes API does not answer as it should, trying again: {why}")
            time.sleep(wait)
        raise AssertionError("retries never end")

    def _object(self, answer: object) -> dict[str, Any]:
        """Return what an answer holds.

        Raises:
            ClusterError: It holds nothing: a login page, or a proxy's, answers with success too.
        """
        if isinstance(answer, dict) and ("items" in answer or "metadata" in answer):
            return answer
        raise ClusterError(
            f"what answers at {self.access.api.configuration.host} is no Kubernetes API: it sent "
            "no object. Look at the server's address in the kubeconfig, and at the proxy variables"
        )

    def once(self, ask: Callable[[CustomObjectsApi], Any]) -> Any:
        """Send a request whose answer is only wanted for a message; None where there is none."""
        from kubernetes.client import CustomObjectsApi
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        try:
            return ask(CustomObjectsApi(self.access.api))
        except (ApiException, HTTPError, OSError):
            return None


def _retry_after(error: ApiException) -> float:
    """Return the seconds that the server asks to wait, at most a minute, or 0."""
    try:
        return min(float((error.headers or {}).get("Retry-After", 0)), 60.0)
    except ValueError:
        return 0.0


def _nobody(line: str) -> None:
    """Take a line that nobody wants."""
