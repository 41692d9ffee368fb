"""Templates: Jinja in its sandbox, where a missing variable is an error and None is no text."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from jinja2 import StrictUndefined, TemplateSyntaxError, meta, nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from kfp_sdg.errors import SdgError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2.runtime import Context


class PromptError(SdgError):
    """A template, a parser or a chat format cannot be used; blocks add where it happened."""


_LARGEST_FACTOR = 10**12


class _Nothing(str):
    """What templates are given for None: an empty text, and yet ``is none``.

    None itself would be the text "None" behind a filter or ``~``.
    """

    __slots__ = ()


_NOTHING = _Nothing()


def _empty_for_none(value: Any) -> Any:
    return _NOTHING if value is None else value


def _is_none(value: Any) -> bool:
    return value is None or value is _NOTHING


class _PromptEnvironment(ImmutableSandboxedEnvironment):
    """Jinja's sandbox without the arithmetic that could keep a run busy for ever.

    Jinja computes constants while it compiles, so ``{{ 9**9**9 }}`` would not even be reached by a
    time limit on rendering; it leaves intercepted operators alone.
    """

    intercepted_binops = frozenset({"**", "*"})

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Compute a product of two modest numbers, and nothing else."""
        if operator == "**":
            raise SecurityError("powers are not computed in a prompt")
        if not all(isinstance(factor, int | float) for factor in (left, right)):
            raise SecurityError("only numbers are multiplied in a prompt")
        if max(abs(left), abs(right)) > _LARGEST_FACTOR:
            raise SecurityError(f"a factor is above {_LARGEST_FACTOR:,}")
        return super().call_binop(context, operator, left, right)


_environment = _PromptEnvironment(
    undefined=StrictUndefined,
    finalize=_empty_for_none,
    autoescape=False,
)
_environment.tests["none"] = _is_none


class PromptTemplate:
    """A compiled template.

    Attributes:
        source: The template's text.
        variables: Every variable the template may ask for.
        required: Those that it asks for whatever the values are; the others stand in a branch or a
            loop, or are tested with ``is defined`` or given a ``default``.
    """

    def __init__(self, source: str) -> None:
        """Compile a template.

        Args:
            source: Jinja text.

        Raises:
            PromptError: It is not valid Jinja; the message has the line within the template.
        """
        self.source = source
        try:
            tree = _environment.parse(source)
            self._template = _environment.from_string(source)
            # Jinja goes through these for each text; through its ChainMap that takes ten times as
            # long as through a dict.
            self._template.globals = dict(self._template.globals)
        except TemplateSyntaxError as error:
            raise PromptError(f"line {error.lineno}: {error.message}") from error
        self.variables = frozenset(meta.find_undeclared_variables(tree))
        self.required = self.variables & set(_asked_for(tree)) - set(_optional(tree))

    def render(self, *args: Mapping[str, Any], **values: Any) -> str:
        """Return the text for some values.

        Args:
            *args: At most one mapping of values by variable name.
            **values: Further values.

        Raises:
            PromptError: A variable is missing, or the template fails on these values.
        """
        try:
            given = dict(*args, **values)
            return self._template.render({k: _empty_for_none(v) for k, v in given.items()})
        except Exception as error:  # a template is the user's program; it may fail in any way
            raise PromptError(f"{type(error).__name__}: {error}") from error


@lru_cache(maxsize=256)
def compile_template(source: str) -> PromptTemplate:
    """Return the compiled template of a text, the same object for the same text.

    Raises:
        PromptError: It is not valid Jinja.
    """
    return PromptTemplate(source)


def _asked_for(node: nodes.Node) -> list[str]:
    """Return the names that are read outside of branches and loops."""
    names = [node.name] if isinstance(node, nodes.Name) else []
    if isinstance(node, nodes.If | nodes.CondExpr):
        return names + _asked_for(node.test)
    if isinstance(node, nodes.For):
        return names + _asked_for(node.iter)
    if isinstance(node, nodes.And | nodes.Or):
        return names + _asked_for(node.left)
    if isinstance(node, nodes.Macro):
        return names
    for child in node.iter_child_nodes():
        names += _asked_for(child)
    return names


def _optional(tree: nodes.Node) -> list[str]:
    """Return the names that the template itself provides for being missing."""
    guards = [
        *(t for t in tree.find_all(nodes.Test) if t.name in {"defined", "undefined"}),
        *(f for f in tree.find_all(nodes.Filter) if f.name in {"default", "d"}),
    ]
    return [guard.node.name for guard in guards if isinstance(guard.node, nodes.Name)]
