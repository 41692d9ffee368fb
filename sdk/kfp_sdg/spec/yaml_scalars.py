"""What a YAML scalar means: text, number, true or false, or nothing."""

from __future__ import annotations

import math
import re

import yaml

PREFIX = "tag:yaml.org,2002:"

NAMES = {"bool": "truth value", "int": "whole number", "float": "number"}


LARGEST = 2**64
"""Whole numbers from here on fit into no column, and Python refuses to print the longest."""


class ScalarError(ValueError):
    """A scalar that has no JSON value.

    Attributes:
        code: The kind of problem, for machines.
        suggestion: What to do.
    """

    def __init__(self, message: str, code: str, suggestion: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.suggestion = suggestion


class ScalarResolver(yaml.resolver.BaseResolver):
    """Tells what an unquoted scalar is, by YAML 1.1's rules without its dates and base 60.

    Numbers are as YAML 1.2 has them too: ``1e-3`` is a number.
    """


class ProseResolver(yaml.resolver.BaseResolver):
    """The same for files that hold texts: ``12e4567`` is text, the beginning of a git commit.

    As for PyYAML, a number with an exponent has a point and a sign.
    """


_FLOAT = (
    r"[-+]?(?:[0-9][0-9_]*)?\.[0-9_]+(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?[0-9][0-9_]*(?:\.[0-9_]*)?[eE][-+]?[0-9]+"
    r"|[-+]?[0-9][0-9_]*\."
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_FLOAT_IN_PROSE = (
    r"[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+][0-9]+)?"
    r"|\.[0-9][0-9_]*(?:[eE][-+][0-9]+)?"
    r"|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_INT = r"[-+]?0b[0-1_]+|[-+]?0x[0-9a-fA-F_]+|[-+]?0[0-7_]*|[-+]?[1-9][0-9_]*"
_BOOL = "yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF"

for _resolver, _number in ((ScalarResolver, _FLOAT), (ProseResolver, _FLOAT_IN_PROSE)):
    for _tag, _pattern, _first in (
        ("bool", _BOOL, "yYnNtTfFoO"),
        ("float", _number, "-+0123456789."),
        ("int", _INT, "-+0123456789"),
        ("null", "~|null|Null|NULL|", ["~", "n", "N", ""]),
        ("merge", "<<", "<"),
    ):
        _resolver.add_implicit_resolver(
            PREFIX + _tag, re.compile(rf"(?:{_pattern})\Z"), list(_first)
        )

_constructor = yaml.constructor.SafeConstructor()


def scalar_value(node: yaml.ScalarNode) -> str | int | float | bool | None:
    """Return what a scalar stands for.

    Args:
        node: The scalar with its tag resolved.

    Raises:
        ScalarError: It stands for nothing that JSON knows.
    """
    kind = node.tag.removeprefix(PREFIX)
    quote = "put it in quotes if you mean the text"
    if kind in ("str", "merge"):
        return str(node.value)
    if kind == "null":
        return None
    try:
        if kind == "bool":
            return bool(_constructor.construct_yaml_bool(node))
        if kind == "int":
            integer = int(_constructor.construct_yaml_int(node))
            if abs(integer) >= LARGEST:
                raise ScalarError("this whole number has more than 64 bits", "too-large", quote)
            return integer
        if kind == "float":
            number = float(_constructor.construct_yaml_float(node))
            if not math.isfinite(number):
                raise ScalarError(f"{node.value} is not a finite number", "not-finite", quote)
            return number
    except ScalarError:
        raise
    except (ValueError, KeyError, IndexError):
        raise ScalarError(f"{node.value[:40]!r} is not a {NAMES[kind]}", "scalar", quote) from None
    raise tag_error(node.tag)


def tag_error(tag: str) -> ScalarError:
    """Return the error for a tag, which could make any object of Python where it was obeyed."""
    return ScalarError(
        f"the YAML tag {tag.replace(PREFIX, '!!')} is not allowed", "tag", "remove the tag"
    )
