"""The CEL rules of the CRDs that our manifests meet, in Python.

An interpreter of CEL would be a project of its own. Each rule's text is a key here, so that a rule
which changes, or one that is met for the first time, is reported as unknown instead of passing
unseen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def broken_rules(schema: dict[str, Any], value: Any) -> Iterator[str]:
    """Yield the messages of the rules of a schema that a value breaks.

    Args:
        schema: A structural schema, perhaps with ``x-kubernetes-validations``.
        value: The value, of the schema's type.
    """
    for rule in schema.get("x-kubernetes-validations", ()):
        text = " ".join(rule["rule"].split())
        holds = _RULES.get(text)
        if holds is None:
            yield f"meets a CEL rule that tests/cluster/checks/cel.py does not know: {text}"
        elif not holds(value):
            yield str(rule.get("message", text))


def _get(value: Any, path: str) -> Any:
    """Return what is at a dotted path, None where a part of it is missing."""
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _idle_below_minimum(scaling: Any, keda: str) -> bool:
    """An idle count, where there is one, is below the minimum, where there is one."""
    idle, minimum = _get(scaling, f"{keda}.idleReplicaCount"), _get(scaling, "minReplicas")
    return idle is None or minimum is None or idle < minimum


def _idle_has_minimum(scaling: Any, keda: str) -> bool:
    """An idle count needs a minimum."""
    return _get(scaling, f"{keda}.idleReplicaCount") is None or "minReplicas" in scaling


def _no_modifiers(scaling: Any) -> bool:
    """The keda of wva has no scaling modifiers."""
    modifiers = _get(scaling, "keda.advanced.scalingModifiers") or {}
    return not any(
        modifiers.get(k) for k in ("formula", "target", "activationTarget", "metricType")
    )


_RULES: dict[str, Callable[[Any], bool]] = {
    # LLMInferenceService: spec, spec.prefill
    "!(has(self.replicas) && has(self.scaling))": lambda s: (
        not ("replicas" in s and "scaling" in s)
    ),
    # … their scaling
    "has(self.wva) || has(self.keda)": lambda s: "wva" in s or "keda" in s,
    "!(has(self.wva) && has(self.keda))": lambda s: not ("wva" in s and "keda" in s),
    "!has(self.keda) || size(self.keda.triggers) > 0": lambda s: (
        "keda" not in s or bool(_get(s, "keda.triggers"))
    ),
    "!has(self.minReplicas) || self.minReplicas <= self.maxReplicas": lambda s: (
        s.get("minReplicas", 0) <= s.get("maxReplicas", 0)
    ),
    "!has(self.keda) || !has(self.keda.idleReplicaCount) || has(self.minReplicas)": lambda s: (
        _idle_has_minimum(s, "keda")
    ),
    "!has(self.keda) || !has(self.keda.idleReplicaCount) || !has(self.minReplicas) || "
    "self.keda.idleReplicaCount < self.minReplicas": lambda s: _idle_below_minimum(s, "keda"),
    "!has(self.wva) || !has(self.wva.keda) || !has(self.wva.keda.idleReplicaCount) || "
    "has(self.minReplicas)": lambda s: _idle_has_minimum(s, "wva.keda"),
    "!has(self.wva) || !has(self.wva.keda) || !has(self.wva.keda.idleReplicaCount) || "
    "!has(self.minReplicas) || self.wva.keda.idleReplicaCount < self.minReplicas": lambda s: (
        _idle_below_minimum(s, "wva.keda")
    ),
    # … its keda, and wva
    "!has(self.advanced) || !has(self.advanced.horizontalPodAutoscalerConfig) || "
    "size(self.advanced.horizontalPodAutoscalerConfig.name) == 0": lambda s: (
        not _get(s, "advanced.horizontalPodAutoscalerConfig.name")
    ),
    "!(has(self.hpa) && has(self.keda))": lambda s: not ("hpa" in s and "keda" in s),
    "has(self.hpa) || has(self.keda)": lambda s: "hpa" in s or "keda" in s,
    "!has(self.keda) || !has(self.keda.advanced) || ("
    "size(self.keda.advanced.scalingModifiers.formula) == 0 && "
    "size(self.keda.advanced.scalingModifiers.target) == 0 && "
    "size(self.keda.advanced.scalingModifiers.activationTarget) == 0 && "
    "size(self.keda.advanced.scalingModifiers.metricType) == 0)": _no_modifiers,
    # DataSciencePipelinesApplication: spec.apiServer.workspace.volumeClaimTemplateSpec
    "has(self.accessModes) && size(self.accessModes) > 0": lambda s: bool(s.get("accessModes")),
    'has(self.storageClassName) && self.storageClassName != ""': lambda s: bool(
        s.get("storageClassName")
    ),
}
