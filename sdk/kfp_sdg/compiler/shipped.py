"""Compile every pipeline that ships: ``python -m kfp_sdg.compiler.shipped``.

The packages in ``pipelines/compiled`` are for people who upload a pipeline without installing
anything; a test holds them fresh.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from kfp_sdg.compiler.graph import compile_pipeline
from kfp_sdg.compiler.teacher_source import TeacherKey, TeacherSource
from kfp_sdg.compiler.workflow import compile_workflow
from kfp_sdg.instructlab.pipeline_set import find_pipelines
from kfp_sdg.pipelines import SHIPPED_FOLDER, shipped, shipped_names
from kfp_sdg.spec import load_pipeline

if TYPE_CHECKING:
    from pathlib import Path

    from kfp_sdg.compiler.package import CompiledGraph

COMPILED_FOLDER: Path = SHIPPED_FOLDER / "compiled"
_NEED_A_PLUGIN = frozenset({"examples/custom_block/pipeline"})
"""Pipelines with block types that no image of ours knows."""

_WORKFLOW = "instructlab"
_WITH_TEACHER = f"{_WORKFLOW}/with_teacher"
"""The whole workflow, which starts its teacher by itself."""

_TEACHER = TeacherSource(inference_service="mixtral-8x7b-instruct", key=TeacherKey.SERVICE_ACCOUNT)
"""The InferenceService of ``manifests/teacher`` that the shipped prompts were written for."""

_WORKFLOWS_PIPELINES = "full"
"""The set of pipelines that the shipped package of the whole workflow is made of."""

_SDK_VERSION = re.compile(r"^sdkVersion: .*\n", re.MULTILINE)


def compiled_names() -> list[str]:
    """Return the names of the shipped pipelines that have a package, and of the workflow's two."""
    return [
        _WORKFLOW,
        _WITH_TEACHER,
        *(name for name in shipped_names() if name not in _NEED_A_PLUGIN),
    ]


def compiled_file(name: str) -> Path:
    """Return where a shipped pipeline's package belongs.

    Args:
        name: One of ``compiled_names()``.
    """
    return COMPILED_FOLDER / f"{name}.yaml"


def compiled_pipeline(name: str) -> CompiledGraph:
    """Return a shipped pipeline in KFP's form.

    Args:
        name: One of ``compiled_names()``; it is the pipeline's name at KFP too.
    """
    if name in (_WORKFLOW, _WITH_TEACHER):
        pipelines = find_pipelines(str(SHIPPED_FOLDER / _WORKFLOW / _WORKFLOWS_PIPELINES))
        teacher = _TEACHER if name == _WITH_TEACHER else None
        return compile_workflow(pipelines, name=name, teacher=teacher)
    return compile_pipeline(load_pipeline(shipped(name)), name=name)


def source_of(name: str) -> str:
    """Return where a shipped pipeline's YAML is: a file or a folder below ``pipelines``.

    Args:
        name: One of ``compiled_names()``.
    """
    return _WORKFLOW if name in (_WORKFLOW, _WITH_TEACHER) else f"{name}.yaml"


def compiled_text(name: str) -> str:
    """Return what a shipped pipeline compiles to, as a PipelineSpec package.

    Args:
        name: One of ``compiled_names()``.
    """
    return compiled_pipeline(name).to_yaml()


def is_fresh(name: str) -> bool:
    """Tell whether a package is what its pipeline compiles to, whatever KFP SDK wrote it.

    Args:
        name: One of ``compiled_names()``.
    """
    file = compiled_file(name)
    if not file.exists():
        return False
    written = file.read_text(encoding="utf-8")
    return _SDK_VERSION.sub("", written) == _SDK_VERSION.sub("", compiled_text(name))


def main() -> None:
    """Write the packages that are not fresh, and remove those of pipelines that are gone."""
    names = compiled_names()
    expected = {compiled_file(name) for name in names}
    for file in COMPILED_FOLDER.rglob("*.yaml"):
        if file not in expected:
            file.unlink()
    for name in names:
        if not is_fresh(name):
            file = compiled_file(name)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(compiled_text(name), encoding="utf-8")
            sys.stdout.write(f"{file.relative_to(SHIPPED_FOLDER.parent)}\n")


if __name__ == "__main__":
    main()
