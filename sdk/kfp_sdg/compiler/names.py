"""Names: what people call blocks and pipelines, in the letters that Kubernetes allows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

LOAD_TASK = "load"
"""The task that reads a pipeline's first rows."""

_LONGEST = 63
"""Kubernetes' limit for a label and for most names."""


def kubernetes_name(text: str, longest: int = _LONGEST) -> str:
    """Return a name in lower-case letters, digits and single dashes.

    This is KFP's own rule for task names (``kfp.dsl.utils.maybe_rename_for_k8s``) with a limit.

    Args:
        text: Any name; "" comes back where it has no letter or digit of ASCII.
        longest: The most characters that the name may have.
    """
    return re.sub("[^0-9a-z]+", "-", text.lower()).strip("-")[:longest].rstrip("-")


def pipeline_name(text: str) -> str:
    """Return a pipeline's name; its versions' names, with a dash and ten digits, are valid too.

    Args:
        text: Any name.
    """
    return kubernetes_name(text, _LONGEST - 11) or "pipeline"


def task_names(block_names: Iterable[str], *, pipeline: str = "") -> dict[str, str]:
    """Return the name of each block's task, in the order of the blocks.

    Two blocks whose names differ only in what Kubernetes does not allow ("gen q" and "gen_q") get
    "gen-q" and "gen-q-2"; a block whose name has nothing that it allows is called "block".

    Args:
        block_names: The blocks' names, each once.
        pipeline: The pipeline's name, which no task may have: KFP would take the task for the whole
            pipeline when it loads it (``kfp.dsl.structures``).
    """
    taken = {pipeline: pipeline}
    names: dict[str, str] = {}
    for block_name in block_names:
        name = unique_name(kubernetes_name(block_name) or "block", taken)
        names[block_name] = taken[name] = name
    return names


def unique_name(name: str, taken: Container[str]) -> str:
    """Return the name, or the name with the first free number from 2 on."""
    candidate, number = name, 1
    while candidate in taken:
        number += 1
        suffix = f"-{number}"
        candidate = name[: _LONGEST - len(suffix)] + suffix
    return candidate


def without_templates(text: str) -> str:
    """Return a text for people in which no workflow engine sees a template."""
    return text.replace("{{", "{ {").replace("}}", "} }")
