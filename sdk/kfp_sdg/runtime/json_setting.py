"""Inputs of the workflow's tasks that are JSON."""

from __future__ import annotations

import json
from typing import Any

from kfp_sdg.errors import Position, Problem, SpecError


def json_setting(name: str, text: str, kind: type, expected: str) -> Any:
    """Return the value of an input that is JSON.

    Args:
        name: The input's name.
        text: What it was given.
        kind: What the value has to be: ``dict`` or ``list``.
        expected: What the input should hold, for messages.

    Raises:
        SpecError: It is not JSON, or of another kind.
    """
    try:
        value = json.loads(text)
    except ValueError as error:
        problem = Problem(f"is not JSON ({error})", Position(name), expected=expected)
        raise SpecError(problem) from None
    if not isinstance(value, kind):
        problem = Problem(f"is not what it should be: {text}", Position(name), expected=expected)
        raise SpecError(problem)
    return value
