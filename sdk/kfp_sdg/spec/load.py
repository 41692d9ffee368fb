"""A pipeline's YAML becomes a ``PipelineSpec``, or a ``SpecError`` with all that is wrong."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kfp_sdg.spec.check import Checker, whole_numbers
from kfp_sdg.spec.config_files import ConfigFiles
from kfp_sdg.spec.entries import CONFIG_KEYS, Entry, EntryChecker
from kfp_sdg.spec.files import FileFinder
from kfp_sdg.spec.model import BlockSpec, PipelineSpec, SourceMap
from kfp_sdg.spec.phrases import describe_value
from kfp_sdg.spec.problems import Findings, in_file_order
from kfp_sdg.spec.scaling import scaled_settings
from kfp_sdg.spec.schema_file import load_schema
from kfp_sdg.spec.yaml_source import Document, parse_yaml, read_yaml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kfp_sdg.errors import Position
    from kfp_sdg.spec.model import NodePath

KIND = "pipeline"
NEWEST = (1, 0)


def load_pipeline(
    path: str | Path,
    *,
    config_roots: Iterable[str | Path] = (),
    custom_types: Iterable[str] = (),
) -> PipelineSpec:
    """Load a pipeline and every file that its blocks refer to.

    Args:
        path: The YAML file.
        config_roots: Further folders in which config files are looked for; see ``FileFinder``.
        custom_types: Block types that exist besides the built-in ones.

    Returns:
        The pipeline; what is doubtful in it is in ``warnings``.

    Raises:
        SpecError: Something is wrong; it holds all problems in the order of the files.
    """
    findings = Findings()
    document = read_yaml(Path(path), kind=KIND, findings=findings, file=str(path))
    return _Loader(document, path, findings, config_roots, custom_types).load()


def load_pipeline_text(
    text: str,
    *,
    path: str | Path,
    config_roots: Iterable[str | Path] = (),
    custom_types: Iterable[str] = (),
) -> PipelineSpec:
    """Load a pipeline whose text is at hand, as ``load_pipeline`` does.

    Args:
        text: The YAML text.
        path: Where the text is from: its folder is where config files are looked for first. The
            file itself need not exist.
        config_roots: Further folders in which config files are looked for.
        custom_types: Block types that exist besides the built-in ones.

    Raises:
        SpecError: Something is wrong; it holds all problems in the order of the files.
    """
    findings = Findings()
    document = parse_yaml(text, file=str(path), kind=KIND, findings=findings)
    return _Loader(document, path, findings, config_roots, custom_types).load()


class _Loader:
    def __init__(
        self,
        document: Document,
        path: str | Path,
        findings: Findings,
        config_roots: Iterable[str | Path],
        custom_types: Iterable[str],
    ) -> None:
        self.document = document
        self.source = document.source
        self.path = str(path)
        self.findings = findings
        self.checker = EntryChecker(document.source, findings, custom_types)
        finder = FileFinder(Path(path).parent, config_roots)
        self.files = ConfigFiles(document, finder, findings)

    def load(self) -> PipelineSpec:
        content = self.document.content
        self._check_top(content)
        blocks = content.get("blocks")
        entries = [
            entry
            for index, raw in enumerate(blocks if isinstance(blocks, list) else ())
            if (entry := self.checker.entry(index, raw))
        ]
        for entry in entries:
            self.files.add(entry)
        self.findings.raise_errors()
        sources = _block_sources(self.source)
        mixing = (content.get("datamixing") or {}).get("auxiliary_instructions") or {}
        return PipelineSpec(
            blocks=tuple(_block_spec(entry, sources[entry.index]) for entry in entries),
            files=self.files.files,
            version=content["version"],
            auxiliary_instructions={name: tuple(texts) for name, texts in mixing.items()},
            config_path=self.path,
            warnings=in_file_order(self.findings.warnings),
            source=self.source,
        )

    def _check_top(self, content: Mapping[str, Any]) -> None:
        schema = load_schema()
        # Blocks are checked one by one, for their names; the version has advice of its own.
        properties = schema["properties"] | {"blocks": {"type": "array", "minItems": 1}}
        properties["version"] = {}
        Checker(self.source, self.findings).check(content, schema | {"properties": properties}, ())
        if "version" in content:
            self._check_version(content["version"])

    def _check_version(self, version: Any) -> None:
        where = self.source.at("version")
        quoted = isinstance(version, (int, float)) and not isinstance(version, bool)
        found = re.fullmatch(r"(\d{1,9})\.(\d{1,9})", version) if isinstance(version, str) else None
        if found is None:
            self.findings.error(
                where,
                f"'version' is {describe_value(version)}",
                code="version",
                expected='version: "1.0"',
                suggestion=f'put it in quotes: "{float(version)}"' if quoted else None,
            )
        elif int(found[1]) != NEWEST[0]:
            self.findings.error(
                where,
                f"version {version} of the format is unknown",
                code="version",
                expected='version: "1.0"',
            )
        elif int(found[2]) > NEWEST[1]:
            self.findings.warn(
                where,
                f"version {version} of the format is newer than 1.0, the newest known here",
                code="version",
                suggestion="what is new in it is refused or has no effect",
            )


def require_num_instructions(spec: PipelineSpec, num_instructions: int | None) -> None:
    """Refuse a run without a scale factor of a pipeline that follows it (``n: scaled``).

    Args:
        spec: The pipeline.
        num_instructions: What ``scaled`` stands for in this run; None where nothing was said.

    Raises:
        SpecError: The number is needed and is None or below 1; one problem for each block.
    """
    findings = Findings()
    if num_instructions is not None and num_instructions >= 1:
        return
    found = "not given" if num_instructions is None else num_instructions
    for block in spec.blocks:
        for section, key in scaled_settings(block.config):
            findings.error(
                block.source.at("config", section, key),
                f"{key}: {block.config[section][key]} follows the run's number of instructions, "
                f"which is {found}",
                code="num-instructions",
                block=block.name,
                expected="a whole number of at least 1",
                suggestion="run with --num-instructions N",
            )
    findings.raise_errors()


def _block_spec(entry: Entry, source: SourceMap) -> BlockSpec:
    return BlockSpec(
        name=entry.name,
        type=entry.type,
        config=whole_numbers(entry.config, entry.schema or {}),
        drop_columns=tuple(entry.raw.get("drop_columns", ())),
        drop_duplicates=tuple(entry.raw.get("drop_duplicates", ())),
        source=source,
    )


def _block_sources(source: SourceMap) -> list[SourceMap]:
    """Return the positions of each block's nodes, with ``block_config`` as ``config``."""
    roots: dict[int, Position] = {}
    nodes: dict[int, dict[NodePath, Position]] = {}
    for path, position in source.nodes.items():
        match path:
            case ("blocks", int(index)):
                roots[index] = position
                nodes[index] = {}
            case ("blocks", int(index), str(key), *rest):
                key = "config" if key in CONFIG_KEYS else key
                nodes[index][key, *rest] = position
    return [SourceMap(root, nodes[index]) for index, root in roots.items()]
