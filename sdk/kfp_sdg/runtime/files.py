"""The files that a block refers to, from one component input."""

from __future__ import annotations

import json
from typing import Any

from kfp_sdg.errors import BlockError, Position
from kfp_sdg.spec.model import ConfigFile, SourceMap


def decode_files(text: str, *, block_name: str) -> dict[str, ConfigFile]:
    """Return the files of a component input.

    Args:
        text: A JSON object from path to content: a mapping, or the text of a YAML file, which is
            easier to write by hand.
        block_name: The block's name, for errors.

    Raises:
        BlockError: The input is not a JSON object of files.
        SpecError: A file's text is not YAML.
    """
    try:
        files = json.loads(text)
    except ValueError as error:
        raise BlockError(
            f"component input 'files' is not JSON ({error})", block_name=block_name
        ) from None
    if not isinstance(files, dict):
        raise BlockError(
            "component input 'files' must be a JSON object from path to content",
            block_name=block_name,
        )
    return {path: _file(path, content, block_name) for path, content in files.items()}


def _file(path: str, content: Any, block_name: str) -> ConfigFile:
    if isinstance(content, dict):
        return ConfigFile(path, content, SourceMap(Position(path)))
    if isinstance(content, str):
        from kfp_sdg.spec.problems import Findings
        from kfp_sdg.spec.yaml_source import parse_yaml

        findings = Findings()
        document = parse_yaml(content, file=path, kind="file", findings=findings)
        findings.raise_errors()
        return ConfigFile(path, document.content, document.source)
    raise BlockError(
        f"component input 'files': {path!r} must be a mapping or the text of a YAML file",
        block_name=block_name,
    )
