"""Whether a text is a Jinja template; nothing is rendered here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

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
    """Return what is wrong with a Jinja template; None if it is valid."""
    from jinja2 import TemplateSyntaxError

    try:
        _environment().compile(text)
    except TemplateSyntaxError as error:
        return TemplateFault((error.message or "syntax error").rstrip("."), error.lineno)
    except RecursionError:
        return TemplateFault("it is nested too deeply", 1)
    return None


def template_variables(text: str) -> set[str]:
    """Return the variables that a valid template asks for."""
    from jinja2 import meta

    return meta.find_undeclared_variables(_environment().parse(text))


@cache
def _environment() -> SandboxedEnvironment:
    from jinja2.sandbox import SandboxedEnvironment

    return SandboxedEnvironment(autoescape=False)
