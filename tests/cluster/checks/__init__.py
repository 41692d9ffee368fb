"""What a cluster would say to a render, without a cluster.

Kubernetes' own kinds and CRDs as strictly as a server-side dry run; KServe's webhooks; Pod Security
"restricted". It is no API server: defaults are not set, quotas and admission plugins are not asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cluster.checks.crds import CRDS, needs_crds
from cluster.checks.findings import Finding, Manifest, name_of, read_manifests
from cluster.checks.kserve import kserve_findings
from cluster.checks.objects import cluster_scoped, object_findings
from cluster.checks.pod_security import pod_security_findings, restricted_problems
from cluster.checks.pods import Pod, pods_of

if TYPE_CHECKING:
    from collections.abc import Iterable


def all_findings(
    manifests: Iterable[Manifest], runtimes: Iterable[Manifest] = (), *, fixed_user: bool = False
) -> list[Finding]:
    """Return everything that any of the checkers finds.

    Args:
        manifests: A render (``read_manifests(kustomize's output)``).
        runtimes: ServingRuntimes that it refers to and that are applied before it.
        fixed_user: Whether pods may say which user they run as, which OpenShift refuses.
    """
    manifests, runtimes = list(manifests), list(runtimes)
    return [
        *object_findings(manifests),
        *kserve_findings(manifests, runtimes),
        *pod_security_findings(manifests, runtimes, fixed_user=fixed_user),
    ]


__all__ = [
    "CRDS",
    "Finding",
    "Manifest",
    "Pod",
    "all_findings",
    "cluster_scoped",
    "kserve_findings",
    "name_of",
    "needs_crds",
    "object_findings",
    "pod_security_findings",
    "pods_of",
    "read_manifests",
    "restricted_problems",
]
