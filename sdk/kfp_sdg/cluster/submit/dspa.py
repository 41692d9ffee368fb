"""A pipeline server of OpenShift AI: what its DataSciencePipelinesApplication says of it.

The fields are those of the operator (opendatahub-io/data-science-pipelines-operator,
api/v1/dspipeline_types.go): ``status.components.apiServer.externalUrl`` is the route's URL with its
scheme (``GetRouteHostname`` in controllers/util/util.go), and both it and ``url`` are there once
both the Service and the Route are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kfp_sdg.cluster.submit.credentials import ClusterToken
from kfp_sdg.cluster.submit.target import Target
from kfp_sdg.errors import ClusterError
from kfp_sdg.kube import is_about_an_object, server_message

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from kubernetes.client import CustomObjectsApi
    from kubernetes.client.exceptions import ApiException

    from kfp_sdg.cluster.submit.credentials import Token
    from kfp_sdg.kube import Access, Requests

GROUP = "datasciencepipelinesapplications.opendatahub.io"
VERSION = "v1"
PLURAL = "datasciencepipelinesapplications"
KIND = "DataSciencePipelinesApplication"

_READY = "Ready"
_CA_HINT = (
    "The authority of the cluster's routes: `oc get configmap default-ingress-cert -n "
    "openshift-config-managed -o jsonpath='{.data.ca-bundle\\.crt}' > ca.pem`, then --ca ca.pem"
)


def pipeline_server(
    requests: Requests,
    name: str,
    namespace: str,
    *,
    token: Token | None = None,
    dashboard: str = "",
    ca: str = "",
    verify: bool = True,
) -> Target:
    """Return the pipeline server of a project.

    Args:
        requests: The way to the Kubernetes API.
        name: The DataSciencePipelinesApplication; "" for the only one.
        namespace: The project; "" for the kubeconfig's or the pod's own.
        token: The bearer token; None for that of the kubeconfig or the pod.
        dashboard: Where people see its runs, if that is known.
        ca: A file of certificate authorities.
        verify: Whether the server's certificate is checked.

    Raises:
        ClusterError: There is none, it is of another version, or it is not up.
    """
    namespace = namespace or requests.access.namespace
    body = _get(requests, name, namespace) if name else _only_one(requests, namespace)
    name = str(body["metadata"]["name"])
    where = f"the pipeline server {name!r} in project {namespace!r}"
    version = str((body.get("spec") or {}).get("dspVersion") or "")
    if version != "v2":
        raise ClusterError(
            f"{where} has spec.dspVersion {version!r}; expected 'v2', the one that runs pipelines "
            "of KFP 2. Make a new pipeline server in the dashboard"
        )
    status: Mapping[str, Any] = body.get("status") or {}
    api = _url(status, "apiServer")
    troubles = _troubles(status.get("conditions") or ())
    if troubles or not api:
        what = "; ".join(troubles) or "it has no URL yet"
        raise ClusterError(
            f"{where} is not up: {what}. See `oc describe dspa {name} -n {namespace}`"
        )
    return Target(
        api=api,
        dashboard=dashboard.rstrip("/"),
        metadata=_url(status, "mlmdProxy"),
        namespace=namespace,
        token=ClusterToken(requests) if token is None else token,
        ca=ca,
        verify=verify,
        name=where,
        serves_artifacts=False,
        hint=f"The account has to be allowed to get and create {PLURAL}/api in the project, as the "
        f"role edit is. {_CA_HINT}",
    )


def _get(requests: Requests, name: str, namespace: str) -> dict[str, Any]:
    def ask(api: CustomObjectsApi) -> Any:
        return api.get_namespaced_custom_object(
            GROUP, VERSION, namespace, PLURAL, name, _request_timeout=requests.timeout
        )

    return requests.send(ask, _refused("get", name, namespace))


def _only_one(requests: Requests, namespace: str) -> dict[str, Any]:
    def ask(api: CustomObjectsApi) -> Any:
        return api.list_namespaced_custom_object(
            GROUP, VERSION, namespace, PLURAL, _request_timeout=requests.timeout
        )

    found = requests.send(ask, _refused("list", "", namespace)).get("items")
    if not found:
        raise ClusterError(
            f"project {namespace!r} has no pipeline server: make one in the dashboard (Pipelines > "
            f"Configure pipeline server) or apply a {KIND}; or name another project with -n"
        )
    if len(found) > 1:
        names = ", ".join(sorted(str(item["metadata"]["name"]) for item in found))
        raise ClusterError(
            f"project {namespace!r} has several pipeline servers; name one with --dspa: {names}"
        )
    only: dict[str, Any] = found[0]
    return only


def _refused(
    verb: str, name: str, namespace: str
) -> Callable[[ApiException, Access], ClusterError]:
    """Return what makes an error of a request that is refused for good."""
    object_name = f"{KIND} {name!r}" if name else f"a {KIND}"

    def error_for(error: ApiException, access: Access) -> ClusterError:
        said, host = server_message(error), access.api.configuration.host
        if error.status == 404 and not is_about_an_object(error):
            return ClusterError(
                f"this cluster knows no {PLURAL}.{GROUP}/{VERSION}: OpenShift AI is not installed "
                f"at {host}, or in an older version. For Kubeflow or plain KFP give --host URL"
            )
        if error.status == 404:
            return ClusterError(
                f"there is no {object_name} in project {namespace!r}; without --dspa the only one "
                "of the project is taken"
            )
        if error.status == 401:
            return ClusterError(
                f"{host} does not accept the kubeconfig's credentials: log in again (`oc login`)"
            )
        return ClusterError(
            f"may not {verb} {object_name} in project {namespace!r} at {host}: {said}"
        )

    return error_for


def _url(status: Mapping[str, Any], component: str) -> str:
    """Return a component's URL: the route's, else the Service's."""
    entry = (status.get("components") or {}).get(component) or {}
    return str(entry.get("externalUrl") or entry.get("url") or "").rstrip("/")


def _troubles(conditions: Any) -> list[str]:
    """Return the conditions that keep a pipeline server from being up; none if it is ready."""
    known = [entry for entry in conditions if entry.get("status") != "True"]
    if not any(entry.get("type") == _READY for entry in known):
        return [] if conditions else ["the operator has not said anything about it yet"]
    return [
        f"{entry.get('type')} is {entry.get('status')} ({_why(entry)})"
        for entry in sorted(known, key=lambda entry: entry.get("type") == _READY)
    ]


def _why(condition: Mapping[str, Any]) -> str:
    parts = (str(condition.get("reason") or ""), str(condition.get("message") or ""))
    return ": ".join(part for part in parts if part) or "no reason given"
