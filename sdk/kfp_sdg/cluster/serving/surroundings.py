"""What stands around teachers: who may reach them, who watches them, how nodes are drained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kfp_sdg.cluster.serving.runtime import PORT, labels

if TYPE_CHECKING:
    from kfp_sdg.cluster.manifests import Manifest

NAME = "kfp-sdg-teacher"
_KEPT_PORT = 8443
"""Where OpenShift AI's kube-rbac-proxy answers for a teacher that asks for a token."""
_PIPELINE_POD = {"pipelines.kubeflow.org/v2_component": "true"}
"""What Kubeflow Pipelines labels the pods of steps with."""
_MONITORING = ["monitoring", "openshift-monitoring", "openshift-user-workload-monitoring"]


def teacher_selector() -> dict[str, str]:
    """Return the labels by which teachers are found: KServe passes them on to pods and services."""
    return {k: v for k, v in labels(NAME).items() if k != "app.kubernetes.io/name"}


def network_policy() -> Manifest:
    """Return who may reach the teachers of a namespace: its pipelines' steps, and monitoring."""
    monitoring = {
        "matchExpressions": [
            {"key": "kubernetes.io/metadata.name", "operator": "In", "values": _MONITORING}
        ]
    }
    ports = [{"protocol": "TCP", "port": port} for port in (PORT, _KEPT_PORT)]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": NAME, "labels": labels(NAME)},
        "spec": {
            "podSelector": {"matchLabels": teacher_selector()},
            "policyTypes": ["Ingress"],
            "ingress": [
                {"from": [{"podSelector": {"matchLabels": _PIPELINE_POD}}], "ports": ports},
                {"from": [{"namespaceSelector": monitoring}], "ports": ports},
            ],
        },
    }


def ingress_with_a_token() -> Manifest:
    """Return what OpenShift AI adds to the policy: its port with a token is open to the project.

    Workbenches and the dashboard's playground ask from pods of the same namespace, a route from the
    namespaces of the router; kube-rbac-proxy lets none of them in without a token. The port of vLLM
    itself, which asks for none, stays closed to them.
    """
    router = {"matchLabels": {"network.openshift.io/policy-group": "ingress"}}
    return {
        "from": [{"podSelector": {}}, {"namespaceSelector": router}],
        "ports": [{"protocol": "TCP", "port": _KEPT_PORT}],
    }


def service_monitor() -> Manifest:
    """Return what makes Prometheus read vLLM's series: the Services that KServe makes."""
    return {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "ServiceMonitor",
        "metadata": {"name": NAME, "labels": labels(NAME)},
        "spec": {
            "selector": {"matchLabels": teacher_selector()},
            "endpoints": [{"port": "http", "path": "/metrics", "interval": "15s"}],
        },
    }


def disruption_budget(teacher: str) -> Manifest:
    """Return that a drain of nodes takes one replica of a teacher at a time.

    Only for teachers with several replicas: one that never lets its only replica go blocks the
    node's maintenance, and a run outlives its teacher's absence.
    """
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": {"name": teacher, "labels": labels(teacher)},
        "spec": {
            "maxUnavailable": 1,
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
            "selector": {"matchLabels": {"serving.kserve.io/inferenceservice": teacher}},
        },
    }
