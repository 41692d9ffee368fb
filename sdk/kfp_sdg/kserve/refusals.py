"""What the Kubernetes API refuses, worded for the person who can change it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from kfp_sdg.errors import ClusterError
from kfp_sdg.kserve.service import GROUP, PLURAL, VERSION
from kfp_sdg.kube import is_about_an_object, server_message

if TYPE_CHECKING:
    from kubernetes.client.exceptions import ApiException

    from kfp_sdg.kube import Access

_WHO = re.compile(r'User "([^"]+)" cannot (\w+) resource')

_NOBODY = "system:anonymous"
"""Who somebody without credentials is, or whose login plugin failed."""

_UNTRUSTED = "CERTIFICATE_VERIFY_FAILED"

_ROLES = (
    "The Role kfp-sdg-teacher of manifests/rbac (plain for KFP alone, kubeflow for a profile's "
    "namespace, openshift-ai) allows get and patch, of the teachers that its resourceNames list"
)


def refusal(
    error: ApiException, verb: str, name: str, namespace: str, access: Access
) -> ClusterError:
    """Return the error to raise for a request that the API server refused for good.

    Args:
        error: What the client raised.
        verb: What was asked for: "get" or "patch".
        name: The InferenceService's name.
        namespace: Where it was looked for.
        access: How the server was asked.
    """
    said = server_message(error)
    place = f"InferenceService {name!r} in namespace {namespace!r}"
    if error.status == 0:  # no answer: the client's way of telling of TLS
        where = "the service account's ca.crt" if access.in_cluster else "the kubeconfig"
        cure = f"; {where} has to name the authority that signed it" if _UNTRUSTED in said else ""
        return ClusterError(
            f"cannot talk to the Kubernetes API at {access.api.configuration.host}: {said}{cure}"
        )
    denied = _WHO.search(said) if error.status == 403 else None
    if error.status == 401 or (denied and denied[1] == _NOBODY):
        cure = (
            "the pod's service-account token is not accepted"
            if access.in_cluster
            else "log in again (`oc login`), the kubeconfig's credentials are not accepted"
        )
        return ClusterError(f"may not {verb} {place}: {cure} (the API server said: {said})")
    if error.status == 404 and not is_about_an_object(error):
        return ClusterError(
            f"this cluster knows no {PLURAL}.{GROUP}/{VERSION}: KServe is not installed at "
            f"{access.api.configuration.host}, or in another version"
        )
    if denied:
        return ClusterError(
            f"{denied[1]} may not {denied[2]} {PLURAL}.{GROUP} in namespace {namespace!r}, which "
            f"{name!r} needs. {_ROLES}: apply it, bound to this account, with {name!r} among them"
        )
    return ClusterError(f"the Kubernetes API refused to {verb} {place}: {said}")
