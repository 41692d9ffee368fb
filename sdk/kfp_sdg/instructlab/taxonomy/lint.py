"""Taxonomy files are linted, whatever is on the PATH.

yamllint is under the GPL, so it is run as a program and never imported.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import yaml

from kfp_sdg.errors import Position, SdgError
from kfp_sdg.spec.yaml_nodes import fail

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from kfp_sdg.spec.problems import Findings

DEFAULT_RULES = "{extends: relaxed, rules: {line-length: disable}}"
"""The rules that InstructLab's own checks go by."""

PRESETS = ("default", "relaxed")

_FINDING = re.compile(
    r"(?P<file>\d+):(?P<line>\d+):(?P<column>\d+): \[\w+\] (?P<message>.*?)"
    r"(?: \((?P<rule>[a-z-]+)\))?"
)
_FILES_AT_ONCE = 2_000
"""A command line is not endless."""


def lint_rules(yaml_rules: str | os.PathLike[str] | None) -> str:
    """Return a configuration for yamllint.

    Args:
        yaml_rules: A file with the configuration, or the configuration itself; None for
            InstructLab's.

    Raises:
        SpecError: It is neither.
    """
    if yaml_rules is None:
        return DEFAULT_RULES
    text = os.fspath(yaml_rules)
    where = Position(text.partition("\n")[0])
    try:
        if "\n" not in text and Path(text).is_file():
            return Path(text).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        fail(where, f"these YAML rules cannot be read: {error}", code="unreadable")
    if not (text in PRESETS or _is_mapping(text)):
        fail(
            where,
            "there is no such file of YAML rules",
            code="missing-file",
            expected="a yamllint configuration, as a file or as text",
        )
    return text


def lint(texts: Mapping[str, str], rules: str, findings: Findings) -> None:
    """Note what yamllint does not like; all of it is an error, as for InstructLab.

    A place where something is wrong already is left alone.

    Args:
        texts: The text of each file, by the file's name for messages.
        rules: A configuration for yamllint.
        findings: Takes what is wrong.

    Raises:
        SpecError: The rules are not valid.
        SdgError: yamllint cannot be run.
    """
    told = {problem.where for problem in findings.errors}
    shown = list(texts)
    for line in _yamllint(list(texts.values()), rules):
        said = _FINDING.fullmatch(line)
        if said is None:  # the rest of a message of several lines
            continue
        where = Position(shown[int(said["file"])], int(said["line"]), int(said["column"]))
        if where not in told:
            rule = said["rule"] or "syntax"
            findings.error(where, f"{said['message']} (yamllint: {rule})", code=f"yamllint-{rule}")


def _is_mapping(text: str) -> bool:
    try:
        return isinstance(yaml.safe_load(text), dict)
    except yaml.YAMLError:
        return False


def _yamllint(texts: Sequence[str], rules: str) -> Iterator[str]:
    """Yield what yamllint prints; a text's file is called by its number."""
    # -P: a folder called yamllint in the current folder is not what is meant.
    command = [sys.executable, "-P", "-W", "ignore", "-m", "yamllint", "-f", "parsable"]
    environment = os.environ | {"PYTHONUTF8": "1", "YAMLLINT_FILE_ENCODING": "utf-8"}
    with TemporaryDirectory() as folder:
        for number, text in enumerate(texts):
            # The line ends of Windows are nobody's mistake, as for InstructLab.
            lines = text.replace("\r\n", "\n").replace("\r", "\n")
            Path(folder, str(number)).write_bytes(lines.encode())
        # The current folder stays: rules may extend a file that is named from there.
        for start in range(0, len(texts), _FILES_AT_ONCE):
            numbers = range(start, min(start + _FILES_AT_ONCE, len(texts)))
            files = [os.path.join(folder, str(number)) for number in numbers]
            for line in _run([*command, "-d", rules, *files], environment):
                yield line.removeprefix(os.path.join(folder, ""))


def _run(command: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    try:
        result = subprocess.run(  # noqa: S603  our own interpreter, our own file names
            command, check=False, capture_output=True, env=environment
        )
    except (OSError, ValueError) as error:
        raise SdgError(f"yamllint cannot be run: {error}") from error
    found = result.stdout.decode("utf-8", "replace").splitlines()
    said = result.stderr.decode("utf-8", "replace").strip()
    if "invalid config" in said:
        fail(
            Position("YAML rules"),
            f"yamllint does not understand the rules: {said.partition('invalid config: ')[2]}",
            code="yaml-rules",
        )
    # Python's own status for a program that cannot run is yamllint's for errors that it found.
    if result.returncode not in (0, 1) or (result.returncode == 1 and not found):
        reason = said.splitlines()[-1] if said else f"exit code {result.returncode}"
        raise SdgError(f"yamllint cannot be run: {reason}")
    return found
