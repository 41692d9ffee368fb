"""Kubernetes' tolerations and node selectors as options of ``kfp-sdg compile``."""

from __future__ import annotations

from typing import Any

_OPERATORS = ("Exists", "Equal")


def pod_options(
    tolerations: list[Any], selectors: dict[str, Any]
) -> tuple[tuple[str, ...], list[str]]:
    """Return the options, and what of the tolerations has none.

    Args:
        tolerations: Objects with ``key``, ``operator``, ``value`` and ``effect``.
        selectors: Labels that a node has to have.
    """
    options, refused = [], []
    for toleration in tolerations:
        text = _taint(toleration) if isinstance(toleration, dict) else None
        if text is None:
            refused.append(f"no option of kfp-sdg compile can say this toleration: {toleration!r}")
        else:
            options.append(f"--toleration={text}")
    options += [f"--node-selector={key}={value}" for key, value in selectors.items()]
    return tuple(options), refused


def _taint(toleration: dict[str, Any]) -> str | None:
    """Return KEY[=VALUE]:EFFECT; None for one that tolerates any key or any effect."""
    key, effect = toleration.get("key"), toleration.get("effect")
    operator = toleration.get("operator", "Equal")
    if not key or not effect or operator not in _OPERATORS or "tolerationSeconds" in toleration:
        return None
    value = "" if operator == "Exists" else f"={toleration.get('value', '')}"
    return f"{key}{value}:{effect}"
