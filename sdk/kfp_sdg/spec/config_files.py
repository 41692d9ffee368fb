"""The files that a pipeline's blocks refer to: found, read and checked."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from kfp_sdg.errors import SpecError
from kfp_sdg.spec.files import FileFinder, FileMissingError, FileNotAllowedError, file_references
from kfp_sdg.spec.model import ConfigFile
from kfp_sdg.spec.prompt_file import check_prompt_config
from kfp_sdg.spec.prompt_settings import PromptSettings, prompting_type
from kfp_sdg.spec.yaml_source import Document, read_yaml

if TYPE_CHECKING:
    from kfp_sdg.spec.entries import Entry
    from kfp_sdg.spec.model import NodePath
    from kfp_sdg.spec.problems import Findings


class ConfigFiles:
    """Collects the files of one pipeline.

    Attributes:
        files: What was read, by the path by which blocks ask for it.
    """

    def __init__(self, pipeline: Document, finder: FileFinder, findings: Findings) -> None:
        """Start with no files.

        Args:
            pipeline: The pipeline's document.
            finder: Finds its files.
            findings: Takes what is wrong or doubtful.
        """
        self.files: dict[str, ConfigFile] = {}
        self.pipeline = pipeline
        self.finder = finder
        self.findings = findings
        self._documents: dict[str, Document | None] = {}
        self._checked: set[str] = set()

    def add(self, entry: Entry) -> None:
        """Read and check the files of a block, and its settings that belong to them."""
        kind = prompting_type(entry.type, entry.config)
        settings = (
            PromptSettings(entry.name, kind, entry.config, self.pipeline, entry.node, self.findings)
            if kind and entry.sound
            else None
        )
        if settings:
            settings.check()
        for reference in file_references(entry.type, entry.config):
            document = self._read(entry, reference.path, (*entry.node, *reference.node))
            if document is None or kind is None:
                continue
            if document.source.root.file not in self._checked:
                self._checked.add(document.source.root.file)
                check_prompt_config(document, self.findings, entry.name)
            if settings:
                settings.check_tags(document, reference.path)

    def _read(self, entry: Entry, path: str, node: NodePath) -> Document | None:
        if path in self._documents:
            return self._documents[path]
        self._documents[path] = None
        try:
            place = self.finder.find(path)
            document = read_yaml(place, kind="config file", findings=self.findings)
        except FileNotAllowedError:
            self.findings.error(
                self.pipeline.source.at(*node),
                f"the path {path!r} leads out of the folders that a pipeline may read",
                code="path-not-allowed",
                block=entry.name,
                expected="a path inside the pipeline's folder, or inside a folder named configs "
                "in, beside or above it",
                suggestion="allow further folders with --config-root FOLDER",
            )
        except FileMissingError as error:
            self.findings.error(
                self.pipeline.source.at(*node),
                f"there is no config file {path!r}",
                code="missing-file",
                block=entry.name,
                expected=f"a file in {self.finder.searched()}",
                suggestion=f"did you mean {error.nearest!r}?" if error.nearest else None,
            )
        except SpecError as error:
            self.findings.errors += [replace(p, block=entry.name) for p in error.problems]
        else:
            self._documents[path] = document
            self.files[path] = ConfigFile(path, document.content, document.source)
        return self._documents[path]
