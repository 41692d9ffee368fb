"""The parameters of a run: read, and checked against the run form before anything is sent.

A server takes a wrong name for nothing and a wrong type for a failure of the run, minutes later.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kfp_sdg.compiler.arguments import LARGEST
from kfp_sdg.errors import Position
from kfp_sdg.runtime.encoding import dump_json
from kfp_sdg.spec.problems import Findings, did_you_mean
from kfp_sdg.spec.yaml_source import read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from kfp_sdg.cluster.submit.package import Package, RootInput
    from kfp_sdg.errors import Problem

INPUT_URI = "input_uri"
SEED_SAMPLES = "seed_samples"
"""The fields of the run form that a pipeline's first rows come from; one has to be given."""

_NAMED = {
    "STRING": "text",
    "NUMBER_INTEGER": "a whole number",
    "NUMBER_DOUBLE": "a number",
    "BOOLEAN": "true or false",
    "LIST": "a list",
    "STRUCT": "a mapping",
}
_PASSWORD_IN_URL = re.compile(r"\w://[^/@\s:]+:[^/@\s]+@")
_LARGEST_NUMBER = 1 << 53
"""KFP's parameters are numbers of protobuf's ``Value``, doubles: beyond this they are rounded."""
_CREDENTIAL = re.compile(r"(^|_)(api_?key|token|password|passwd|access_?key)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Given:
    """A value that somebody gives a parameter.

    Attributes:
        value: The value; text where it was typed on the command line.
        where: Its place.
        typed: Whether it was typed, so that its type follows from the parameter's.
    """

    value: Any
    where: Position
    typed: bool = False


def read_parameter_file(path: Path) -> dict[str, Given]:
    """Read a YAML mapping from parameter to value, as ``kfp-sdg migrate`` writes it.

    Args:
        path: The file.

    Raises:
        SpecError: There is no such file, or it is no mapping.
    """
    findings = Findings()
    document = read_yaml(path, kind="parameter file", findings=findings)
    findings.raise_errors()
    return {name: Given(v, document.source.at(name)) for name, v in document.content.items()}


def check_parameters(
    package: Package, given: Mapping[str, Given]
) -> tuple[dict[str, Any], tuple[Problem, ...]]:
    """Return the values of a run's parameters, each of the type that the run form has.

    Args:
        package: The pipeline, which says what its run form asks for.
        given: What somebody gives, by name.

    Returns:
        The values by name, and what is doubtful.

    Raises:
        SpecError: A name is unknown, a value is of another type, holds a password or is too large,
            or one that has to be given is missing; all problems at once.
    """
    findings = Findings()
    values: dict[str, Any] = {}
    for name, entry in given.items():
        known = package.inputs.get(name)
        if known is None:
            findings.error(
                entry.where,
                f"{package.display_name} has no parameter {name!r}",
                code="unknown-parameter",
                expected=None if did_you_mean(name, package.inputs) else _known(package.inputs),
                suggestion=did_you_mean(name, package.inputs),
            )
        elif _look_at_secrets(name, entry, findings):
            values[name] = _value(known, entry, findings)
    _require_all(package, given, findings)
    _require_fit(values, given, findings)
    findings.raise_errors()
    return values, tuple(findings.warnings)


def _look_at_secrets(name: str, entry: Given, findings: Findings) -> bool:
    """Tell whether a value may be sent: KFP shows parameters to everybody and logs them."""
    if any(_PASSWORD_IN_URL.search(text) for text in _texts(entry.value)):
        findings.error(
            entry.where,
            f"the value of {name!r} holds a password, which everybody could read in the dashboard",
            code="credential",
            expected="a URL without user and password; a Kubernetes Secret that the run form names "
            "is the place for credentials",
        )
        return False
    if _CREDENTIAL.search(name):
        findings.warn(
            entry.where,
            f"{name!r} sounds like a credential, and KFP shows and logs parameters",
            code="credential",
            suggestion="let the pipeline read it from a Kubernetes Secret",
        )
    return True


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts in a value, however deep."""
    match value:
        case str():
            yield value
        case dict():
            for name, inner in value.items():
                yield from (name, *_texts(inner))
        case list():
            for inner in value:
                yield from _texts(inner)


def _value(known: RootInput, entry: Given, findings: Findings) -> Any:
    """Return a value of the parameter's type, or None after a note of what is wrong."""
    try:
        return _typed(known, entry.value) if entry.typed else _fitting(known, entry.value)
    except ValueError as error:
        value = repr(entry.value) if entry.typed else _as_written(entry.value)
        value = value if len(value) <= 80 else "its value"
        findings.error(
            entry.where,
            f"parameter {known.name!r} cannot be {value}{error}",
            code="wrong-type",
            expected=_NAMED.get(known.type, known.type),
        )
        return None


def _as_written(value: Any) -> str:
    """Return a value of a file as YAML has it: true and null, not Python's words."""
    return repr(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _typed(known: RootInput, text: str) -> Any:
    """Return what a text of the command line means as a value of a type.

    Raises:
        ValueError: It means none.
    """
    if known.type == "STRING":
        return text
    if known.type == "BOOLEAN":
        words = {"true": True, "false": False}
        if text.lower() not in words:
            raise ValueError
        return words[text.lower()]
    try:
        value = json.loads(text)
        json.dumps(value, allow_nan=False)  # Python reads NaN and 1e999, which no JSON can hold
    except ValueError as error:
        if known.type in ("LIST", "STRUCT"):
            raise ValueError(f", which is no JSON ({error})") from None
        raise ValueError from None
    return _fitting(known, value)


def _fitting(known: RootInput, value: Any) -> Any:
    """Return a value that fits a parameter's type.

    Raises:
        ValueError: It is of another type.
    """
    truth = isinstance(value, bool)
    number = isinstance(value, int | float) and not truth
    match known.type:
        case "STRING" if isinstance(value, list | dict):
            return dump_json(value)  # our run forms have JSON in texts
        case "STRING" if isinstance(value, str):
            return value
        case "NUMBER_INTEGER" if number and abs(value) <= _LARGEST_NUMBER and value == int(value):
            return int(value)
        case "NUMBER_DOUBLE" if number and abs(value) <= sys.float_info.max:
            return float(value)
        case "BOOLEAN" if truth:
            return value
        case "LIST" if isinstance(value, list):
            return value
        case "STRUCT" if isinstance(value, dict):
            return value
    quoted = known.type == "STRING" and (number or truth)
    raise ValueError(' without quotes; write "…" around it' if quoted else "")


def _require_all(package: Package, given: Mapping[str, Given], findings: Findings) -> None:
    """Note what has to be given and is not."""
    for known in package.inputs.values():
        if known.required and known.name not in given:
            findings.error(
                _anywhere(given),
                f"parameter {known.name!r} has to be given, it has no default",
                code="missing-parameter",
                expected=_NAMED.get(known.type, known.type),
                suggestion=f"--param {known.name}=…",
            )
    if {INPUT_URI, SEED_SAMPLES} <= package.inputs.keys():
        count = sum(bool(given[name].value) for name in (INPUT_URI, SEED_SAMPLES) if name in given)
        if count != 1:
            findings.error(
                _anywhere(given),
                "the pipeline has no rows to start from"
                if count == 0
                else f"both {INPUT_URI!r} and {SEED_SAMPLES!r} name rows to start from",
                code="rows",
                expected="one of --input ROWS, input_uri and seed_samples",
            )


def _require_fit(values: Mapping[str, Any], given: Mapping[str, Given], findings: Findings) -> None:
    """Note a text that no task can be given: all of a task's inputs are one argument of Linux."""
    for name, value in values.items():
        size = len(json.dumps(value))
        if size > LARGEST:
            findings.error(
                given[name].where,
                f"the value of {name!r} makes {size:,} bytes as the input of a task",
                code="too-large",
                expected=f"at most {LARGEST:,} bytes, since a task gets all of its inputs in one "
                "command line argument",
                suggestion="put the rows into an object store and give their address: "
                "--input s3://bucket/rows.jsonl"
                if name == SEED_SAMPLES
                else None,
            )


def _anywhere(given: Mapping[str, Given]) -> Position:
    """Return the place of what is missing: the parameter file, if there is one."""
    files = [entry.where.file for entry in given.values() if not entry.typed]
    return Position(files[0] if files else "parameters")


def _known(inputs: Iterable[str]) -> str:
    return f"one of {', '.join(inputs)}"
