"""A compiled pipeline as a server needs it and as its run form has it, from a spec or from a file.

Everything is read from KFP's own form, so that a package of anybody can be sent and followed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kfp_sdg.cluster.submit.plan import Output, PlannedTask, outputs_of, tasks_of
from kfp_sdg.errors import Position, Problem, SpecError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from kfp_sdg.compiler.package import CompiledGraph

_VERSION_KIND = "PipelineVersion"


@dataclass(frozen=True, slots=True)
class RootInput:
    """One field of a run form, as the package has it.

    Attributes:
        name: Its name.
        type: KFP's name of its type: "STRING", "NUMBER_INTEGER", "NUMBER_DOUBLE", "BOOLEAN",
            "LIST", "STRUCT".
        required: Whether a run without it cannot start.
    """

    name: str
    type: str
    required: bool


@dataclass(frozen=True, slots=True)
class Package:
    """A pipeline that can be sent.

    Attributes:
        name: The pipeline's name at KFP.
        display_name: The name that people see.
        version_name: The name of its version, with a hash of its content.
        text: What is uploaded.
        inputs: The fields of its run form by name.
        tasks: Its tasks, in the order in which they can run.
        outputs: What comes out of it as artifacts.
    """

    name: str
    display_name: str
    version_name: str
    text: str
    inputs: Mapping[str, RootInput]
    tasks: tuple[PlannedTask, ...]
    outputs: tuple[Output, ...]


def package_of(compiled: CompiledGraph) -> Package:
    """Return a pipeline that was just compiled as a package.

    Args:
        compiled: The pipeline.
    """
    text = compiled.to_yaml()
    spec = next(document for document in _documents(text) if "pipelineInfo" in document)
    return _package(spec, text, compiled.version_name, display_name=compiled.display_name)


def read_package(path: Path) -> Package | None:
    """Read a file that is compiled already: a KFP package, or its Kubernetes resources.

    Args:
        path: The file.

    Returns:
        The package; None where the file is something else, such as a pipeline to compile.

    Raises:
        SpecError: KFP would not take it for a pipeline.
    """
    import yaml

    try:
        text = path.read_text(encoding="utf-8-sig")
        if "pipelineInfo" not in text:
            return None
        documents = _documents(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return None  # whoever reads pipelines will say it better
    for document in documents:
        if document.get("kind") == _VERSION_KIND:
            return _from_resource(document, path)
    for document in documents:
        if isinstance(document.get("pipelineInfo"), dict) and "root" in document:
            _check(document, path)
            name = str(document["pipelineInfo"].get("name") or "pipeline")
            return _package(document, text, f"{name}-{_digest(text)}")
    return None


def package_of_version(name: str, spec: Mapping[str, Any]) -> Package:
    """Return a version of a pipeline that a server has.

    Args:
        name: The version's name.
        spec: Its spec as the API gives it: the pipeline's, or an object with the pipeline's and
            the platform's.
    """
    pipeline = spec.get("pipeline_spec") or spec.get("pipelineSpec") or spec
    return _package(pipeline, "", name)


def _from_resource(document: Mapping[str, Any], path: Path) -> Package:
    """Return what a PipelineVersion holds; its own name says which content it is."""
    import yaml

    body = document.get("spec") or {}
    pipeline = body.get("pipelineSpec") or {}
    _check(pipeline, path)
    parts = [pipeline, *([body["platformSpec"]] if body.get("platformSpec") else [])]
    text = yaml.safe_dump_all(parts, sort_keys=True, allow_unicode=True)
    name = str(pipeline["pipelineInfo"].get("name"))
    version = str((document.get("metadata") or {}).get("name") or f"{name}-{_digest(text)}")
    return _package(pipeline, text, version)


def _package(
    spec: Mapping[str, Any], text: str, version_name: str, *, display_name: str = ""
) -> Package:
    info = spec.get("pipelineInfo") or {}
    name = str(info.get("name") or "pipeline")
    definitions = (spec.get("root") or {}).get("inputDefinitions") or {}
    inputs = {
        name: RootInput(
            name,
            str(entry.get("parameterType") or "STRING"),
            not entry.get("isOptional") and "defaultValue" not in entry,
        )
        for name, entry in (definitions.get("parameters") or {}).items()
    }
    return Package(
        name=name,
        display_name=display_name or str(info.get("displayName") or name),
        version_name=version_name,
        text=text,
        inputs=inputs,
        tasks=tasks_of(spec),
        outputs=outputs_of(spec),
    )


def _documents(text: str) -> Sequence[dict[str, Any]]:
    """Return the mappings that a YAML text holds."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    loaded = yaml.load_all(text, Loader=loader)  # a safe one, written in C
    return [document for document in loaded if isinstance(document, dict)]


def _check(spec: Mapping[str, Any], path: Path) -> None:
    """Raise a ``SpecError`` unless KFP's own classes take it for a pipeline."""
    from google.protobuf import json_format
    from kfp.pipeline_spec import pipeline_spec_pb2

    try:
        json_format.ParseDict(dict(spec), pipeline_spec_pb2.PipelineSpec())
    except json_format.ParseError as error:
        raise SpecError(
            Problem(
                f"KFP does not take this for a compiled pipeline: {error}",
                Position(str(path)),
                suggestion="compile it anew",
                code="not-a-package",
            )
        ) from error


def _digest(text: str) -> str:
    """Return ten digits that tell one content from another, as compiled pipelines have them."""
    return hashlib.sha256(text.encode()).hexdigest()[:10]
