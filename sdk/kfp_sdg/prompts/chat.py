"""Chat formats: how one prompt is dressed for a family of models.

A format is a template with the variables ``prompt`` (the bare text), ``messages`` (the same as one
user message) and ``add_generation_prompt`` (True). The family ``chat`` has no format here: its
messages go to ``/v1/chat/completions``, where the server applies the model's own.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from functools import cache
from typing import ClassVar

from kfp_sdg.prompts.template import PromptError, PromptTemplate, compile_template

logger = logging.getLogger(__name__)

CHAT = "chat"
"""The family that leaves the format to the server."""

Format = Callable[[], str]


class UnknownFormatError(PromptError, KeyError):
    """There is no chat format of that name; a ``KeyError`` for those who know InstructLab's."""

    __str__ = PromptError.__str__  # a KeyError's is its argument in quotes


class PromptRegistry:
    """The chat formats there are, by the names of the model families they are for."""

    _formats: ClassVar[dict[str, PromptTemplate]] = {}
    _shipped: ClassVar[dict[str, Format]] = {}
    """Those below, which are compiled when somebody asks for them: together they take 12 ms."""

    @classmethod
    def register(cls, *names: str) -> Callable[[Format], Format]:
        """Return a decorator for a function that returns a format's template text.

        Args:
            *names: The families the format is for.
        """

        def decorate(function: Format) -> Format:
            template = cls.template_from_string(function())
            cls._formats.update(dict.fromkeys(names, template))
            return function

        return decorate

    @classmethod
    def get_template(cls, name: str) -> PromptTemplate:
        """Return the format of a family.

        Raises:
            UnknownFormatError: There is none of that name.
        """
        if not cls.knows(name):
            known = ", ".join(sorted({*cls._formats, *cls._shipped}))
            raise UnknownFormatError(f"no chat format {name!r}; there are {known}")
        if name not in cls._formats:
            cls.register(name)(cls._shipped[name])
        return cls._formats[name]

    @classmethod
    def knows(cls, name: str) -> bool:
        """Tell whether there is a format for a family."""
        return name in cls._formats or name in cls._shipped

    @classmethod
    def get_registry(cls) -> dict[str, PromptTemplate]:
        """Return all formats by family."""
        for name in cls._shipped:
            cls.get_template(name)
        return cls._formats

    @classmethod
    def template_from_string(cls, template_str: str) -> PromptTemplate:
        """Return the compiled template of a text, with a missing variable being an error.

        Raises:
            PromptError: It is not valid Jinja.
        """
        return compile_template(template_str)


def resolve_family(
    model_id: str | None, *, run: str | None = None, block: str | None = None
) -> str:
    """Return the family whose chat format a model gets.

    The run's setting comes before the block's, and both before a guess: the first word of the last
    part of the model's id, in lower case (``mistralai/Mixtral-8x7B`` → ``mixtral``). A family that
    nobody knows becomes ``chat``, with one warning.

    Args:
        model_id: The model to ask.
        run: The family that the run asks for.
        block: The family that the block asks for.
    """
    named = run or block
    guess = re.match(r"\w*", (model_id or "").rstrip("/").rsplit("/", 1)[-1])
    family = named or (guess.group().lower() if guess else "")
    if family == CHAT or PromptRegistry.knows(family):
        return family
    _warn_of_unknown_family(named, model_id)
    return CHAT


def wrap_prompt(template: PromptTemplate, prompt: str) -> str:
    """Return a prompt in a chat format, without white space around it.

    Args:
        template: The format.
        prompt: The bare prompt.

    Raises:
        PromptError: The format asks for something else than ``prompt``, ``messages`` and
            ``add_generation_prompt``.
    """
    return template.render(
        prompt=prompt,
        messages=[{"role": "user", "content": prompt}],
        add_generation_prompt=True,
    ).strip()


@cache
def _warn_of_unknown_family(named: str | None, model_id: str | None) -> None:
    what = f"model family {named!r} is unknown" if named else f"no model family fits {model_id!r}"
    known = ", ".join(sorted({*PromptRegistry.get_registry(), CHAT}))
    logger.warning(
        "%s; messages are sent to /v1/chat/completions for the server to format. "
        "Set model_family to one of %s to silence this.",
        what,
        known,
    )


def _shipped(*names: str) -> Callable[[Format], Format]:
    """Return a decorator like ``PromptRegistry.register``, for formats of ours."""

    def decorate(function: Format) -> Format:
        PromptRegistry._shipped.update(dict.fromkeys(names, function))
        return function

    return decorate


@_shipped("blank")
def blank() -> str:
    """Return the format that adds nothing."""
    return "{{ prompt }}"


@_shipped("merlinite", "granite")
def merlinite() -> str:
    """Return the format of Merlinite and of Granite up to 3.0."""
    return """\
{% for message in messages -%}
{{ '<|%s|>\n' % message.role }}{{ message.content }}
{{- '<|endoftext|>' if message.role == 'assistant' }}
{% endfor -%}
{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% endif %}"""


@_shipped("mixtral", "mistral")
def mixtral() -> str:
    """Return the format of the first Mistral and Mixtral instruction models."""
    return """\
{{ '<s>' }}
{%- for message in messages %}
    {%- if message.role == 'system' %}
        {{- ' [INST] ' + message.content + '\n\n' }}
    {%- elif message.role == 'user' %}
        {{- '' if loop.index0 == 1 and messages[0].role == 'system' else ' [INST] ' }}
        {{- message.content + ' [/INST]' }}
    {%- else %}
        {{- ' ' + message.content + '</s>' }}
    {%- endif %}
{%- endfor %}"""


@_shipped("llama")
def llama() -> str:
    """Return the format of Llama 3.3, with the dates that its own template has by default."""
    return """\
{%- macro turn(role, text) -%}
{{ '<|start_header_id|>' + role + '<|end_header_id|>\n\n' + text + '<|eot_id|>' }}
{%- endmacro %}
{%- set has_system = messages[0].role == 'system' %}
{%- set dates = 'Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n' %}
{{- '<|begin_of_text|>' }}
{{- turn('system', dates + (messages[0].content | trim if has_system else '')) }}
{%- for message in (messages[1:] if has_system else messages) %}
    {{- turn(message.role, message.content | trim) }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|start_header_id|>assistant<|end_header_id|>\n\n' }}
{%- endif %}"""
