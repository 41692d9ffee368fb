"""Get and patch InferenceServices, through the troubles that an API server has for a while."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kfp_sdg.errors import ClusterError
from kfp_sdg.kserve.pace import Pace
from kfp_sdg.kserve.refusals import refusal
from kfp_sdg.kserve.service import GROUP, PLURAL, VERSION, InferenceService
from kfp_sdg.kube import SERVICE_ACCOUNT, Requests, is_about_an_object, server_message

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from kubernetes.client import CustomObjectsApi
    from kubernetes.client.exceptions import ApiException

    from kfp_sdg.kube import Access


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
        self._requests = Requests(self.pace, tell=tell, service_account=service_account)
        self.namespace = namespace or self._requests.access.namespace
        if not self.namespace:
            raise ClusterError(
                "no namespace is known: the service account's folder names none. Give one"
            )

    @property
    def in_cluster(self) -> bool:
        """Whether this is a pod, so that the cluster's own addresses can be reached."""
        return self._requests.access.in_cluster

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
                GROUP,
                VERSION,
                self.namespace,
                PLURAL,
                name,
                _request_timeout=self._requests.timeout,
            )

        return InferenceService(self._requests.send(ask, self._refused("get", name)))

    def annotate(
        self,
        service: InferenceService,
        annotations: Mapping[str, str | None],
        *,
        of_pods: Mapping[str, str] | None = None,
    ) -> InferenceService:
        """Set annotations, if the service is still the one that was read.

        Args:
            service: The service as it was read.
            annotations: New values; None removes an annotation.
            of_pods: New values for its pods, which restart for them.

        Returns:
            The service after it.

        Raises:
            ConflictError: It has changed meanwhile: read it again.
            ClusterError: The API server refuses, or is away for too long.
        """
        body: dict[str, Any] = {
            "metadata": {
                "resourceVersion": service.resource_version,
                "annotations": dict(annotations),
            }
        }
        if of_pods:
            body["spec"] = {"predictor": {"annotations": dict(of_pods)}}

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
                _request_timeout=self._requests.timeout,
            )

        return InferenceService(self._requests.send(ask, self._refused("patch", service.name)))

    def _refused(self, verb: str, name: str) -> Callable[[ApiException, Access], Exception]:
        """Return what makes an error of a request that is refused for good."""

        def error_for(error: ApiException, access: Access) -> Exception:
            if error.status == 409:
                return ConflictError(server_message(error))
            if error.status != 404 or not is_about_an_object(error):
                return refusal(error, verb, name, self.namespace, access)
            return NotFoundError(
                f"there is no InferenceService {name!r} in namespace {self.namespace!r}"
                f"{self._what_there_is()}"
            )

        return error_for

    def _what_there_is(self) -> str:
        """Return how the sentence ends: with the namespace's services, or what to check."""
        found = self._requests.once(
            lambda api: api.list_namespaced_custom_object(
                GROUP, VERSION, self.namespace, PLURAL, _request_timeout=self._requests.timeout
            )
        )
        if found is None:
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
