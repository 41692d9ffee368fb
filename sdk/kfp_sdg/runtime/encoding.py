"""How a block's settings travel as the inputs of its component, and back.

A block declares its settings as the keyword parameters of its ``__init__``; its component has one
input for each. Plain scalars are typed inputs. Everything else is one JSON string, since KFP
turns the ints of dict and list constants into floats and refuses None. Braces inside JSON strings
are written as escapes, so that no workflow engine takes a prompt's variables for its own.
"""

from __future__ import annotations

import inspect
import json
import re
import types
from dataclasses import dataclass
from typing import (
    TYPE_CHECKING,
    Any,
    Literal,
    TypeAlias,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from kfp_sdg.errors import BlockError, Problem, SpecError
from kfp_sdg.spec.model import NOWHERE, SourceMap

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Scalar: TypeAlias = str | int | float | bool
"""What a component input can be."""

Kind: TypeAlias = Literal["text", "integer", "number", "boolean", "json"]
"""How an input holds its setting; "json" is a text with JSON in it."""

NOT_GIVEN = ""
"""The value of a JSON input, or of a text input that may be None, that was left out."""

INPUT_NAMES = {"model_id": "block_model_id", "model_family": "block_model_family"}
"""Settings whose input has another name, since the run's own model has theirs."""

ALWAYS_JSON = frozenset({"model_prompt"})
"""Texts that are JSON all the same: a chat template holds braces, and an empty one is not None."""

_NOT_SETTINGS = ("self", "ctx", "pipe", "block_name")
_SCALARS: dict[Any, Kind] = {bool: "boolean", int: "integer", float: "number"}
_JSON_STRING_OR_BRACES = re.compile(r'("(?:[^"\\]|\\.)*")|\}(?=\})')


def dump_json(value: Any) -> str:
    """Return JSON text that no template engine on its way can mistake for a template.

    Args:
        value: A JSON value.

    Returns:
        One line of JSON with no brace inside a string and never two closing braces in a row.

    Raises:
        TypeError: The value is not JSON.
        ValueError: The value holds a number that JSON does not know (NaN, infinity).
    """

    def protect(match: re.Match[str]) -> str:
        string = match[1]
        if string is None:
            return "} "
        return string.replace("{", r"\u007b").replace("}", r"\u007d")

    return _JSON_STRING_OR_BRACES.sub(
        protect, json.dumps(value, ensure_ascii=False, allow_nan=False)
    )


@dataclass(frozen=True, slots=True)
class ConfigInput:
    """How one setting of a block travels.

    Attributes:
        key: The setting's name in the pipeline YAML.
        name: The component input's name.
        kind: How the input holds the setting.
        default: The component input's default; None where the setting is required.
        none_is_empty: Whether the empty text stands for None.
        gathers: Whether the input holds every setting that has no input of its own.
    """

    key: str
    name: str
    kind: Kind
    default: Scalar | None = None
    none_is_empty: bool = False
    gathers: bool = False

    def encode(self, value: Any) -> Scalar:
        """Return the input for a value of the setting.

        Raises:
            ValueError: The value does not fit, or cannot be protected; says what was expected.
        """
        match self.kind:
            case "json":
                try:
                    return dump_json(value)
                except (TypeError, ValueError) as error:
                    raise ValueError(f"is not a JSON value: {error}") from None
            case "text":
                return self._encode_text(value)
            case "boolean" if isinstance(value, bool):
                return value
            case "integer" if _is_number(value) and float(value).is_integer():
                return int(value)
            case "number" if _is_number(value):
                return float(value)
        expected = {"boolean": "true or false", "integer": "a whole number", "number": "a number"}
        raise ValueError(f"must be {expected[self.kind]}, not {value!r}")

    def decode(self, value: Any) -> Any:
        """Return the setting for a component input.

        Raises:
            ValueError: A JSON input is not JSON.
        """
        if self.kind == "json":
            return json.loads(value)
        return int(value) if self.kind == "integer" else value

    def is_left_out(self, value: Any) -> bool:
        """Tell whether an input means that the setting was not given."""
        return value == NOT_GIVEN and (self.kind == "json" or self.none_is_empty)

    def _encode_text(self, value: Any) -> str:
        if value is None and self.none_is_empty:
            return NOT_GIVEN
        if not isinstance(value, str):
            raise ValueError(f"must be a text, not {value!r}")
        if "{{" in value:
            raise ValueError(
                f"must not hold two opening braces in a row, which workflow engines take for a "
                f"template of theirs: {value!r}"
            )
        return value


def config_inputs(block_class: type) -> tuple[ConfigInput, ...]:
    """Return the component inputs for a block class's settings, in their order.

    Args:
        block_class: A block class; the keyword parameters of its ``__init__`` are its settings.
    """
    init = inspect.signature(block_class.__init__)  # type: ignore[misc]  # the class's own
    hints = _annotations(block_class)
    return tuple(
        _config_input(parameter, hints.get(name))
        for name, parameter in init.parameters.items()
        if name not in _NOT_SETTINGS
    )


def encode_config(
    config: Mapping[str, Any],
    inputs: Iterable[ConfigInput],
    *,
    block_name: str,
    source: SourceMap = NOWHERE,
) -> dict[str, Scalar]:
    """Turn a block's settings into component inputs.

    Args:
        config: The settings as the pipeline YAML has them.
        inputs: The inputs of the block's component.
        block_name: The block's name, for errors.
        source: Where the block's nodes stand, for errors.

    Returns:
        The value of each input whose setting is given, by the input's name.

    Raises:
        SpecError: Settings that do not fit or cannot be protected, all of them.
    """
    rest = dict(config)
    values: dict[str, Scalar] = {}
    problems: list[Problem] = []
    for entry in sorted(inputs, key=lambda entry: entry.gathers):
        if entry.gathers:
            value, rest = rest, {}
        elif entry.key in rest:
            value = rest.pop(entry.key)
        else:
            continue
        try:
            values[entry.name] = entry.encode(value)
        except ValueError as error:
            where = source.at("config", entry.key)
            problems.append(Problem(f"{entry.key!r} {error}", where, block=block_name))
    for key in rest:
        where = source.at("config", key)
        problems.append(Problem(f"the component has no input for {key!r}", where, block=block_name))
    if problems:
        raise SpecError(problems)
    return values


def decode_config(
    values: Mapping[str, Any], inputs: Iterable[ConfigInput], *, block_name: str
) -> dict[str, Any]:
    """Turn component inputs back into a block's settings.

    Args:
        values: What the component was given, by the inputs' names.
        inputs: The inputs of the block's component.
        block_name: The block's name, for errors.

    Returns:
        The settings that were given; the block's own defaults stand for the others.

    Raises:
        BlockError: An input is unknown, missing or not JSON.
    """
    config: dict[str, Any] = {}
    known = list(inputs)
    unknown = sorted(values.keys() - {entry.name for entry in known})
    if unknown:
        raise BlockError(f"unknown component inputs {', '.join(unknown)}", block_name=block_name)
    for entry in known:
        value = values.get(entry.name, NOT_GIVEN if entry.default is None else entry.default)
        if entry.is_left_out(value):
            if entry.default is None:
                raise BlockError(f"component input {entry.name!r} is empty", block_name=block_name)
            continue
        try:
            setting = entry.decode(value)
        except ValueError as error:
            raise BlockError(
                f"component input {entry.name!r} is not JSON ({error}): {_shortened(value)}; "
                f"write the value as json.dumps gives it",
                block_name=block_name,
            ) from None
        if entry.gathers:
            config.update(setting)
        else:
            config[entry.key] = setting
    return config


def _annotations(block_class: type) -> dict[str, Any]:
    """Return the annotations of ``__init__``, those of the run's own arguments aside."""
    own = {"PipelineContext": Any, "PipelineSpec": Any}
    return get_type_hints(block_class.__init__, localns=own)  # type: ignore[misc]  # as above


def _config_input(parameter: inspect.Parameter, annotation: Any) -> ConfigInput:
    name = INPUT_NAMES.get(parameter.name, parameter.name)
    if parameter.kind is inspect.Parameter.VAR_KEYWORD:
        return ConfigInput(parameter.name, name, "json", default="{}", gathers=True)
    required = parameter.default is inspect.Parameter.empty
    kind, none_is_empty = _kind(parameter, annotation)
    entry = ConfigInput(parameter.name, name, kind, none_is_empty=none_is_empty)
    if required:
        return entry
    default = NOT_GIVEN if parameter.default is None else entry.encode(parameter.default)
    return ConfigInput(parameter.name, name, kind, default, none_is_empty)


def _kind(parameter: inspect.Parameter, annotation: Any) -> tuple[Kind, bool]:
    """Return the kind of input for a parameter, and whether the empty text stands for None.

    A text whose default cannot be typed into a form (line breaks) is JSON too.
    """
    if parameter.name in ALWAYS_JSON:
        return "json", False
    if annotation in _SCALARS:
        return _SCALARS[annotation], False
    if _is_text(annotation):
        default = parameter.default
        return ("json" if isinstance(default, str) and not default.isprintable() else "text"), False
    if get_origin(annotation) in (Union, types.UnionType) and parameter.default is None:
        others = [member for member in get_args(annotation) if member is not types.NoneType]
        if len(others) == 1 and _is_text(others[0]):
            return "text", True
    return "json", False


def _is_text(annotation: Any) -> bool:
    if get_origin(annotation) is Literal:
        return all(isinstance(value, str) for value in get_args(annotation))
    return annotation is str


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shortened(value: Any, length: int = 80) -> str:
    text = str(value)
    return text if len(text) <= length else f"{text[:length]}…"
