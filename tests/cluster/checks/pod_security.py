"""Pod Security "restricted", and what OpenShift's restricted-v2 asks beyond it, of every pod.

The list: https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cluster.checks.findings import Finding, Manifest
from cluster.checks.pods import pods_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_VOLUMES = frozenset(
    [
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "persistentVolumeClaim",
        "projected",
        "secret",
    ]
)
_SECCOMP = ("RuntimeDefault", "Localhost")
_FIXED_IDS = ("runAsUser", "runAsGroup", "fsGroup", "supplementalGroups")
_SYSCTLS = frozenset(
    {
        "kernel.shm_rmid_forced",
        "net.ipv4.ip_local_port_range",
        "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.ping_group_range",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes",
        "net.ipv4.tcp_keepalive_time",
        "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.tcp_wmem",
    }
)


def pod_security_findings(
    manifests: Iterable[Manifest], runtimes: Iterable[Manifest] = (), *, fixed_user: bool = False
) -> list[Finding]:
    """Return what a namespace that enforces "restricted" would refuse.

    Args:
        manifests: A render.
        runtimes: ServingRuntimes that are applied before it.
        fixed_user: Whether pods may say which user they run as, which OpenShift refuses.

    Raises:
        LookupError: An InferenceService names a runtime that is in neither.
    """
    return [
        Finding(pod.where, pod.path + path, message)
        for pod in pods_of(manifests, runtimes)
        for path, message in restricted_problems(pod.spec)
        if not (fixed_user and path.endswith(_FIXED_IDS))
    ]


def restricted_problems(spec: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what is not "restricted" about a pod's spec: path and message."""
    pod = spec.get("securityContext") or {}
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(key):
            yield f".{key}", "shares the node's"
    for index, volume in enumerate(spec.get("volumes") or ()):
        if kinds := set(volume) - {"name"} - _VOLUMES:
            yield f".volumes[{index}]", f"is of the kind {', '.join(sorted(kinds))}"
    for sysctl in pod.get("sysctls") or ():
        if sysctl["name"] not in _SYSCTLS:
            yield ".securityContext.sysctls", f"sets {sysctl['name']}"
    yield from _context_problems(pod, ".securityContext")
    for group in ("containers", "initContainers", "ephemeralContainers"):
        for index, container in enumerate(spec.get(group) or ()):
            for path, message in _container_problems(container, pod):
                yield f".{group}[{index}]{path}", message


def _container_problems(
    container: dict[str, Any], pod: dict[str, Any]
) -> Iterator[tuple[str, str]]:
    """Yield what is not "restricted" about a container."""
    own = container.get("securityContext") or {}
    here = ".securityContext"
    yield from _context_problems(own, here)
    if own.get("allowPrivilegeEscalation") is not False:
        yield f"{here}.allowPrivilegeEscalation", "is not false"
    if own.get("runAsNonRoot", pod.get("runAsNonRoot")) is not True:
        yield f"{here}.runAsNonRoot", "is true neither here nor for the pod"
    seccomp = own.get("seccompProfile") or pod.get("seccompProfile") or {}
    if seccomp.get("type") not in _SECCOMP:
        yield f"{here}.seccompProfile", "is RuntimeDefault neither here nor for the pod"
    capabilities = own.get("capabilities") or {}
    if "ALL" not in (capabilities.get("drop") or ()):
        yield f"{here}.capabilities.drop", "does not drop ALL"
    if added := set(capabilities.get("add") or ()) - {"NET_BIND_SERVICE"}:
        yield f"{here}.capabilities.add", f"adds {', '.join(sorted(added))}"
    if own.get("privileged"):
        yield f"{here}.privileged", "is true"
    if own.get("procMount", "Default") != "Default":
        yield f"{here}.procMount", "is not Default"
    for index, port in enumerate(container.get("ports") or ()):
        if port.get("hostPort"):
            yield f".ports[{index}].hostPort", "takes a port of the node"
    for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
        for action in ("httpGet", "tcpSocket"):
            if ((container.get(probe) or {}).get(action) or {}).get("host"):
                yield f".{probe}.{action}.host", "reaches another host"


def _context_problems(context: dict[str, Any], path: str) -> Iterator[tuple[str, str]]:
    """Yield what is wrong in a security context, a pod's or a container's."""
    if context.get("runAsUser") == 0 or context.get("runAsNonRoot") is False:
        yield path, "runs as root"
    for key in _FIXED_IDS:
        if key in context:
            yield f"{path}.{key}", "is fixed: OpenShift gives every namespace a range of its own"
    if (context.get("seccompProfile") or {}).get("type") == "Unconfined":
        yield f"{path}.seccompProfile", "is Unconfined"
    if (context.get("windowsOptions") or {}).get("hostProcess"):
        yield f"{path}.windowsOptions.hostProcess", "is true"
    options = context.get("seLinuxOptions") or {}
    if options.get("user") or options.get("role") or options.get("type"):
        yield f"{path}.seLinuxOptions", "sets a user, role or type"
    if (context.get("appArmorProfile") or {}).get("type") == "Unconfined":
        yield f"{path}.appArmorProfile", "is Unconfined"
