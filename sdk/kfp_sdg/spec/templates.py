"""Whether a text is a Jinja template; nothing is rendered here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from kfp_sdg.spec.problems import did_you_mean

if TYPE_CHECKING:
    from jinja2.sandbox import SandboxedEnvironment

MARKS = ("{{", "{%", "{#")
"""What a template's own code begins with."""


@dataclass(frozen=True, slots=True)
class TemplateFault:
    """What is wrong with a template.

    Attributes:
        message: Jinja's own words.
        line: The line in the template, counted from 1.
    """

    message: str
    line: int


def template_fault(text: str) -> TemplateFault | None:
    """Return what is wrong with a Jinja template; None if it is valid.

    The text is parsed and not compiled: Jinja computes constants while it compiles, and
    ``{{ 9 ** (9 ** 9) }}`` would never end.
    """
    from jinja2 import TemplateSyntaxError, nodes

    try:
        tree = _environment().parse(text)
    except TemplateSyntaxError as error:
        return TemplateFault((error.message or "syntax error").rstrip("."), error.lineno)
    except RecursionError:
        return TemplateFault("it is nested too deeply", 1)
    for kind, known in ((nodes.Filter, _environment().filters), (nodes.Test, _environment().tests)):
        for node in tree.find_all(kind):
            if node.name not in known:
                what = f"there is no {kind.__name__.lower()} {node.name!r}"
                hint = did_you_mean(node.name, known)
                return TemplateFault(f"{what}; {hint}" if hint else what, node.lineno)
    return None


def template_variables(text: str) -> set[str]:
    """Return the variables that a valid template asks for."""
    from jinja2 import meta

    return meta.find_undeclared_variables(_environment().parse(text))


@cache
def _environment() -> SandboxedEnvironment:
    from jinja2.sandbox import SandboxedEnvironment

    return SandboxedEnvironment(autoescape=False)
