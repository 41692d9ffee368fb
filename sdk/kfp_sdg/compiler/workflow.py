"""From the pipelines for a taxonomy's kinds of leaves to one KFP pipeline of the whole workflow.

preprocess reads the taxonomy and its documents; each kind's rows go through its own pipeline, and
those of knowledge through the evaluation's too, all at the same time; postprocess makes training
data of what they generate, and a last task fails where nothing came of a leaf. A pipeline that no
rows came for is skipped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from kfp_sdg.compiler.branch import Branch
from kfp_sdg.compiler.chain import mount_secret, too_many_tasks
from kfp_sdg.compiler.function import PipelineFunction
from kfp_sdg.compiler.library import CHECK, EMPTY, POSTPROCESS, PREPROCESS, ComponentLibrary
from kfp_sdg.compiler.names import pipeline_name, unique_name, without_templates
from kfp_sdg.compiler.package import CompiledWorkflow
from kfp_sdg.compiler.parameters import RunParameter, in_order
from kfp_sdg.compiler.teacher_section import TeacherSection
from kfp_sdg.compiler.teacher_source import TeacherSource
from kfp_sdg.compiler.workflow_parameters import CONTEXT, GIT_SECRET, workflow_parameters
from kfp_sdg.errors import Position
from kfp_sdg.instructlab.model import LeafKind
from kfp_sdg.instructlab.pipeline_set import evaluation_pipeline
from kfp_sdg.runtime.encoding import dump_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kfp.dsl import PipelineTask

    from kfp_sdg.compiler.pods import PodOptions
    from kfp_sdg.instructlab.pipeline_set import PipelineSet
    from kfp_sdg.spec import PipelineSpec

GIT_SECRET_FOLDER = "/var/run/secrets/kfp-sdg/git"  # noqa: S105 - a place, not a secret
"""Where the task that reads repositories finds their Secret: one file per key."""


class _Place(NamedTuple):
    """A pipeline's place in the workflow.

    Attributes:
        name: Its name at KFP.
        rows: The output of preprocess that it reads.
        row_count: The output of preprocess that says how many of them there are.
        result: The input of postprocess that reads what it makes.
    """

    name: str
    rows: str
    row_count: str
    result: str


_BRANCHES = {
    LeafKind.KNOWLEDGE: _Place("knowledge", "knowledge_rows", "knowledge_count", "knowledge"),
    LeafKind.FREEFORM: _Place(
        "freeform-skills", "freeform_rows", "freeform_count", "freeform_skills"
    ),
    LeafKind.GROUNDED: _Place(
        "grounded-skills", "grounded_rows", "grounded_count", "grounded_skills"
    ),
}
_EVALUATION = _Place("evaluation", "knowledge_rows", "evaluation_count", "evaluation")
_FIRST = "preprocess"
_DATA = "postprocess"
_LAST = "check-leaves"
_PLACES = (*_BRANCHES.values(), _EVALUATION)
_TAKEN = {_FIRST, _DATA, _LAST, *(place.name for place in _PLACES)}
"""The names of tasks and pipelines in the workflow."""

_REPEATED = (
    "Each run reads the taxonomy anew. Runs with one checkpoint_uri ask the teacher only for what "
    "none of them has asked before."
)
_OUTPUTS = {"training_data": "Artifact", "knowledge_train": "Dataset", "skills_train": "Dataset"}
"""The pipeline's outputs, with the names of KFP's types."""


def compile_workflow(
    pipelines: PipelineSet,
    *,
    name: str | None = None,
    description: str | None = None,
    plugins: Iterable[str] = (),
    pods: PodOptions | None = None,
    teacher: TeacherSource | None = None,
) -> CompiledWorkflow:
    """Turn the pipelines of a taxonomy's kinds into one KFP pipeline.

    Args:
        pipelines: The pipelines. Where one is missing, the first task fails for a taxonomy with
            leaves of its kind.
        name: The pipeline's name at KFP; that of the pipelines' folder without one. Letters that
            Kubernetes does not allow become dashes; the dashboard shows the name as given.
        description: What the dashboard says about the pipeline; a summary of it without one.
        plugins: Modules that the tasks import to know custom block types. They have to be in the
            image that the tasks run in.
        pods: How the pods of the tasks are to be.
        teacher: Where the teacher comes from; None for a URL in the run form, taken as it is.

    Raises:
        SpecError: One of the pipelines cannot be a KFP pipeline: it has no blocks, or a block's
            settings and files are too large for a task; or there is no use for a teacher.
    """
    from kfp import dsl

    library = ComponentLibrary(pods)
    specs = {_BRANCHES[kind]: spec for kind, spec in _known(pipelines).items()}
    if pipelines.knowledge:
        specs[_EVALUATION] = evaluation_pipeline()
    source = teacher or TeacherSource()
    branches = {
        place: Branch(place.name, spec, library, tuple(plugins), source)
        for place, spec in specs.items()
    }
    section = _section(pipelines, specs, branches, library, source)
    parameters = workflow_parameters(section.parameters)
    constants = {
        "kinds": dump_json([kind.value for kind in _known(pipelines)]),
        "auxiliary_instructions": dump_json(
            {name: list(texts) for name, texts in pipelines.auxiliary_instructions.items()}
        ),
    }

    def tasks(run: Mapping[str, Any]) -> dict[str, Any]:
        run = {**run, **constants}
        first = _first_task(library, run)
        made = section.add({**run, **first.outputs})
        data = library.task(POSTPROCESS, _DATA, {**run, **first.outputs, **made})
        # A task of its own, since KFP keeps nothing of what a task wrote that fails.
        library.task(CHECK, _LAST, {**run, "empty_leaves": data.outputs["empty_leaves"]})
        return {name: data.outputs[name] for name in _OUTPUTS}

    outputs = {name: getattr(dsl, kind) for name, kind in _OUTPUTS.items()}
    display_name = without_templates(name or pipelines.folder.resolve().name)
    graph = dsl.pipeline(
        PipelineFunction(tasks, parameters, outputs=outputs),
        # KFP takes a task for the whole pipeline if both have one name.
        name=unique_name(pipeline_name(display_name), _TAKEN | {*section.names.values()}),
        display_name=display_name,
        description=without_templates(description or _description(pipelines) + source.remark),
    )
    return CompiledWorkflow(
        name=graph.name,
        display_name=display_name,
        pipelines={branch.name: branch.tasks for branch in branches.values()},
        parameters=parameters,
        graph=graph,
        warnings=too_many_tasks(graph, Position(str(pipelines.folder))),
    )


def _known(pipelines: PipelineSet) -> dict[LeafKind, PipelineSpec]:
    """Return the pipelines that a set has."""
    found = {
        LeafKind.KNOWLEDGE: pipelines.knowledge,
        LeafKind.FREEFORM: pipelines.freeform,
        LeafKind.GROUNDED: pipelines.grounded,
    }
    return {kind: spec for kind, spec in found.items() if spec is not None}


def _first_task(library: ComponentLibrary, run: Mapping[str, Any]) -> PipelineTask:
    from kfp_sdg.runtime.git_access import SECRET_VARIABLE

    task = library.task(PREPROCESS, _FIRST, run)
    mount_secret(task, run[GIT_SECRET], GIT_SECRET_FOLDER)
    task.set_env_variable(SECRET_VARIABLE, GIT_SECRET_FOLDER)
    return task


def _section(
    pipelines: PipelineSet,
    specs: Mapping[_Place, PipelineSpec],
    branches: Mapping[_Place, Branch],
    library: ComponentLibrary,
    source: TeacherSource,
) -> TeacherSection:
    """Return the part of the workflow that asks the teacher: the pipelines, side by side."""
    from kfp import dsl

    def pipelines_of_kinds(run: Mapping[str, Any]) -> dict[str, Any]:
        return {
            place.result: _rows_of(place, branches.get(place), library, run) for place in _PLACES
        }

    counts = [RunParameter(place.row_count, int, "") for place in branches]
    of_blocks = [p for branch in branches.values() for p in branch.parameters]
    return TeacherSection(
        pipelines_of_kinds,
        library,
        source,
        list(specs.values()),
        artifacts=list(dict.fromkeys(place.rows for place in branches)),
        of_blocks=in_order([*of_blocks, *library.pods.run_parameters]),
        others=[*counts, RunParameter(CONTEXT, int, "")],
        outputs={place.result: dsl.Dataset for place in _PLACES},
        taken=_TAKEN,
        where=Position(str(pipelines.folder)),
    )


def _rows_of(
    place: _Place, branch: Branch | None, library: ComponentLibrary, run: Mapping[str, Any]
) -> Any:
    """Return the channel of what a pipeline made of its rows; of nothing if there is none."""
    if branch is None:
        reason = f"there is no pipeline {place.name!r}"
        empty = library.task(EMPTY, place.name, {"reason": reason}, run)
        return empty.outputs["output_rows"]
    return branch.add(run[place.rows], run[place.row_count], run)


def _description(pipelines: PipelineSet) -> str:
    """Return what the dashboard says about a workflow."""
    lines = [
        f"{_BRANCHES[kind].name}: {', '.join(block.name for block in spec.blocks)}"
        for kind, spec in _known(pipelines).items()
    ]
    head = "From a taxonomy to training data and evaluation data. The pipelines of its leaves:"
    return "\n".join([head, *lines, _REPEATED])
