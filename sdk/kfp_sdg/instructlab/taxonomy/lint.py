"""Taxonomy files are linted, whatever is on the PATH.

yamllint is under the GPL, so it is run as a program and never imported.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from kfp_sdg.errors import Position, SdgError
from kfp_sdg.spec.yaml_nodes import fail

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from kfp_sdg.instructlab.taxonomy.files import QnaFile
    from kfp_sdg.spec.problems import Findings

DEFAULT_RULES = "{extends: relaxed, rules: {line-length: disable}}"
"""The rules that InstructLab's own checks go by."""

PRESETS = ("default", "relaxed")

_FINDING = re.compile(r":(?P<line>\d+):(?P<column>\d+): \[\w+\] ")
_MESSAGE = re.compile(r"(?P<message>.*?)(?: \((?P<rule>[a-z-]+)\))?")
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


def lint(files: Sequence[QnaFile], rules: str, findings: Findings) -> None:
    """Note what yamllint does not like in files; all of it is an error, as for InstructLab.

    A place where something is wrong already is left alone.

    Args:
        files: Files that can be read.
        rules: A configuration for yamllint.
        findings: Takes what is wrong.

    Raises:
        SpecError: The rules are not valid.
        SdgError: yamllint cannot be run.
    """
    told = {problem.where for problem in findings.errors}
    shown = {str(file.path.absolute()): file.shown for file in files}
    for line in _yamllint(list(shown), rules):
        found = next((f for f in _FINDING.finditer(line) if line[: f.start()] in shown), None)
        if found is None:  # the rest of a message of several lines
            continue
        file = shown[line[: found.start()]]
        where = Position(file, int(found["line"]), int(found["column"]))
        said = _MESSAGE.fullmatch(line, found.end())
        if said and where not in told:
            rule = said["rule"] or "syntax"
            findings.error(where, f"{said['message']} (yamllint: {rule})", code=f"yamllint-{rule}")


def _is_mapping(text: str) -> bool:
    try:
        return isinstance(yaml.safe_load(text), dict)
    except yaml.YAMLError:
        return False


def _yamllint(paths: Sequence[str], rules: str) -> Iterator[str]:
    # -P: a folder called yamllint in the current folder is not what is meant.
    command = [sys.executable, "-P", "-W", "ignore", "-m", "yamllint", "-f", "parsable"]
    environment = os.environ | {"PYTHONUTF8": "1", "YAMLLINT_FILE_ENCODING": "utf-8"}
    for start in range(0, len(paths), _FILES_AT_ONCE):
        some = paths[start : start + _FILES_AT_ONCE]
        try:
            result = subprocess.run(  # noqa: S603  our own interpreter, paths are absolute
                [*command, "-d", rules, *some],
                check=False,
                capture_output=True,
                env=environment,
            )
        except (OSError, ValueError) as error:
            raise SdgError(f"yamllint cannot be run: {error}") from error
        said = result.stderr.decode("utf-8", "replace").strip()
        if "invalid config" in said:
            fail(
                Position("YAML rules"),
                f"yamllint does not understand the rules: {said.partition('invalid config: ')[2]}",
                code="yaml-rules",
            )
        if said or result.returncode not in (0, 1, 2):
            reason = said.splitlines()[-1] if said else f"exit code {result.returncode}"
            raise SdgError(f"yamllint cannot be run: {reason}")
        yield from result.stdout.decode("utf-8", "replace").splitlines()
