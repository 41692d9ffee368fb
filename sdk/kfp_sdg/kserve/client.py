"""Get and patch InferenceServices, through the troubles that an API server has for a while."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from kfp_sdg.errors import ClusterError
from kfp_sdg.kserve.access import SERVICE_ACCOUNT, open_access
from kfp_sdg.kserve.pace import Pace
from kfp_sdg.kserve.refusals import is_about_an_object, refusal, server_message
from kfp_sdg.kserve.service import GROUP, PLURAL, VERSION, InferenceService

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from kubernetes.client import CustomObjectsApi
    from kubernetes.client.exceptions import ApiException

_TRANSIENT = frozenset({401, 408, 429, 500, 502, 503, 504})
"""Statuses after which the same request may succeed: 401 while a token is being renewed, 500 while
an admission webhook restarts."""


class ConflictError(Exception):
    """The object has changed since it was read."""


class NotFoundError(ClusterError):
    """There is no such InferenceService."""


class ServiceClient:
    """The InferenceServices of one namespace, with get and patch; ``list`` where it is allowed.

    A request that fails for a reason that passes is sent again with growing pauses. A patch may
    be repeated too, since it names the version of the object that it is meant for.

    Attributes:
        namespace: The namespace.
    """

    def __init__(
        self,
        namespace: str = "",
        *,
        pace: Pace | None = None,
        tell: Callable[[str], None] | None = None,
        service_account: Path = SERVICE_ACCOUNT,
    ) -> None:
        """Find the cluster; nothing is sent yet.

        Args:
            namespace: Where the services are; "" for the pod's or the context's own namespace.
            pace: How long to wait and to try.
            tell: Takes a line when the API server is away.
            service_account: The folder that a pod's service account is mounted in.

        Raises:
            ClusterError: There is no way to a cluster, or no namespace is known.
        """
        self.pace = pace or Pace()
        self._tell = _nobody if tell is None else tell
        self._service_account = service_account
        self._access = open_access(service_account)
        self.namespace = namespace or self._access.namespace
        if not self.namespace:
            raise ClusterError(
                "no namespace is known: the service account's folder names none. Give one"
            )

    @property
    def in_cluster(self) -> bool:
        """Whether this is a pod, so that the cluster's own addresses can be reached."""
        return self._access.in_cluster

    def get(self, name: str) -> InferenceService:
        """Return a service as it is now.

        Args:
            name: Its name.

        Raises:
            NotFoundError: There is none of that name; says which there are, if that may be asked.
            ClusterError: The API server refuses, or is away for too long.
        """

        def ask(api: CustomObjectsApi) -> Any:
            return api.get_namespaced_custom_object(
                GROUP, VERSION, self.namespace, PLURAL, name, _request_timeout=self._timeout
            )

        return self._service(self._insistently(ask, "get", name))

    def annotate(
        self, service: InferenceService, annotations: Mapping[str, str | None]
    ) -> InferenceService:
        """Set annotations, if the service is still the one that was read.

        Args:
            service: The service as it was read.
            annotations: New values; None removes an annotation.

        Returns:
            The service after it.

        Raises:
            ConflictError: It has changed meanwhile: read it again.
            ClusterError: The API server refuses, or is away for too long.
        """
        body = {
            "metadata": {
                "resourceVersion": service.resource_version,
                "annotations": dict(annotations),
            }
        }

        def ask(api: CustomObjectsApi) -> Any:
            return api.patch_namespaced_custom_object(
                GROUP,
                VERSION,
                self.namespace,
                PLURAL,
                service.name,
                body,
                field_validation="Strict",
                field_manager="kfp-sdg",
                _request_timeout=self._timeout,
            )

        return self._service(self._insistently(ask, "patch", service.name))

    def _service(self, answer: object) -> InferenceService:
        """Return the service that an answer holds.

        Raises:
            ClusterError: It holds none: a login page, or a proxy's, answers with success too.
        """
        if isinstance(answer, dict) and isinstance(answer.get("metadata"), dict):
            return InferenceService(answer)
        raise ClusterError(
            f"what answers at {self._access.api.configuration.host} is no Kubernetes API: it sent "
            "no object. Look at the server's address in the kubeconfig, and at the proxy variables"
        )

    @property
    def _timeout(self) -> tuple[float, float]:
        return (self.pace.request, self.pace.request)

    def _insistently(self, ask: Callable[[CustomObjectsApi], Any], verb: str, name: str) -> Any:
        """Send a request until it succeeds, is refused for good, or patience ends."""
        from kubernetes.client import CustomObjectsApi
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        last = time.monotonic() + self.pace.patience
        renewed = False
        for pause in self.pace.retries():
            try:
                return ask(CustomObjectsApi(self._access.api))
            except ApiException as error:
                # A pod's token is renewed by others, in time or a little later. A person's is
                # not, except by the login plugin that the kubeconfig names.
                final = error.status == 401 and renewed and not self.in_cluster
                if final or error.status not in _TRANSIENT or time.monotonic() + pause > last:
                    raise self._refused(error, verb, name) from error
                if error.status == 401:
                    self._access, renewed = open_access(self._service_account), True
                wait, why = max(pause, _retry_after(error)), server_message(error)
            except (HTTPError, OSError) as error:
                host = self._access.api.configuration.host
                wait, why = pause, " ".join(str(error).split())
                if time.monotonic() + pause > last:
                    raise ClusterError(
                        f"cannot reach the Kubernetes API at {host}, tried for "
                        f"{self.pace.patience:g} s: {why}"
                    ) from error
            self._tell(f"the Kubernetes API does not answer as it should, trying again: {why}")
            time.sleep(wait)
        raise AssertionError("retries never end")

    def _refused(self, error: ApiException, verb: str, name: str) -> Exception:
        if error.status == 409:
            return ConflictError(server_message(error))
        if error.status != 404 or not is_about_an_object(error):
            return refusal(error, verb, name, self.namespace, self._access)
        return NotFoundError(
            f"there is no InferenceService {name!r} in namespace {self.namespace!r}"
            f"{self._what_there_is()}"
        )

    def _what_there_is(self) -> str:
        """Return how the sentence ends: with the namespace's services, or what to check."""
        from kubernetes.client import CustomObjectsApi
        from kubernetes.client.exceptions import ApiException
        from urllib3.exceptions import HTTPError

        try:
            found = CustomObjectsApi(self._access.api).list_namespaced_custom_object(
                GROUP, VERSION, self.namespace, PLURAL, _request_timeout=self._timeout
            )
        except (ApiException, HTTPError, OSError):  # it is only for the message
            return (
                ": check the name, the namespace, and that manifests/teacher has been applied "
                f"(`kubectl get inferenceservices -n {self.namespace}`)"
            )
        names = sorted(str(item["metadata"]["name"]) for item in found.get("items", ()))
        if not names:
            return (
                ", nor any other: name another namespace, or apply one of manifests/teacher there"
            )
        return ", only " + ", ".join(names)


def _retry_after(error: ApiException) -> float:
    """Return the seconds that the server asks to wait, at most a minute, or 0."""
    try:
        return min(float((error.headers or {}).get("Retry-After", 0)), 60.0)
    except ValueError:
        return 0.0


def _nobody(line: str) -> None:
    """Take a line that nobody wants."""
