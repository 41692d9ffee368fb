"""From the pipelines for a taxonomy's kinds of leaves to one KFP pipeline of the whole workflow.

preprocess reads the taxonomy and its documents; each kind's rows go through its own pipeline, and
those of knowledge through the evaluation's too, all at the same time; postprocess makes training
data of what they generate. A pipeline that no rows came for is skipped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kfp_sdg.compiler.branch import Branch
from kfp_sdg.compiler.chain import mount_secret, too_many_tasks
from kfp_sdg.compiler.function import PipelineFunction
from kfp_sdg.compiler.library import POSTPROCESS, PREPROCESS, ComponentLibrary
from kfp_sdg.compiler.names import pipeline_name, unique_name, without_templates
from kfp_sdg.compiler.package import CompiledWorkflow
from kfp_sdg.compiler.workflow_parameters import GIT_SECRET, workflow_parameters
from kfp_sdg.errors import Position
from kfp_sdg.instructlab.model import LeafKind
from kfp_sdg.runtime.encoding import dump_json
from kfp_sdg.runtime.git_access import SECRET_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kfp.dsl import PipelineTask

    from kfp_sdg.spec import PipelineSpec

GIT_SECRET_FOLDER = "/var/run/secrets/kfp-sdg/git"  # noqa: S105 - a place, not a secret
"""Where the task that reads repositories finds their Secret: one file per key."""

_NAMES = {
    LeafKind.KNOWLEDGE: "knowledge",
    LeafKind.FREEFORM: "freeform-skills",
    LeafKind.GROUNDED: "grounded-skills",
}
"""The names of the pipelines in the pipeline."""

_INPUTS = {kind: name.replace("-", "_") for kind, name in _NAMES.items()}
"""The inputs of postprocess that their rows go into."""

_EVALUATION = "evaluation"
_FIRST = "preprocess"
_LAST = "postprocess"
_OUTPUTS = {"training_data": "Artifact", "knowledge_train": "Dataset", "skills_train": "Dataset"}
"""The pipeline's outputs, with the names of KFP's types."""


def compile_workflow(
    pipelines: Mapping[LeafKind, PipelineSpec],
    evaluation: PipelineSpec,
    *,
    name: str,
    description: str | None = None,
    plugins: Iterable[str] = (),
) -> CompiledWorkflow:
    """Turn the pipelines of a taxonomy's kinds into one KFP pipeline.

    Args:
        pipelines: The pipeline for each kind of leaf.
        evaluation: The pipeline that writes multiple-choice questions about documents.
        name: The pipeline's name at KFP. Letters that Kubernetes does not allow become dashes; the
            dashboard shows the name as given.
        description: What the dashboard says about the pipeline; a summary of it without one.
        plugins: Modules that the tasks import to know custom block types. They have to be in the
            image that the tasks run in.

    Raises:
        SpecError: One of the pipelines cannot be a KFP pipeline: it has no blocks, or a block's
            settings and files are too large for a task.
    """
    from kfp import dsl

    library = ComponentLibrary()
    branches = {
        kind: Branch(_NAMES[kind], pipelines[kind], library, tuple(plugins)) for kind in LeafKind
    }
    questions = Branch(_EVALUATION, evaluation, library, tuple(plugins))
    every = (*branches.values(), questions)
    parameters = workflow_parameters([p for branch in every for p in branch.parameters])
    instructions = pipelines[LeafKind.KNOWLEDGE].auxiliary_instructions

    def tasks(run: Mapping[str, Any]) -> dict[str, Any]:
        first = _first_task(library, run)
        made = {
            _INPUTS[kind]: branch.add(*_rows_of(kind, first), run)
            for kind, branch in branches.items()
        }
        made[_EVALUATION] = questions.add(*_rows_of(LeafKind.KNOWLEDGE, first), run)
        last = _last_task(library, first, made, instructions, run)
        return {name: last.outputs[name] for name in _OUTPUTS}

    outputs = {name: getattr(dsl, kind) for name, kind in _OUTPUTS.items()}
    display_name = without_templates(name)
    graph = dsl.pipeline(
        PipelineFunction(tasks, parameters, outputs=outputs),
        # KFP takes a task for the whole pipeline if both have one name.
        name=unique_name(pipeline_name(display_name), {_FIRST, _LAST, *(b.name for b in every)}),
        display_name=display_name,
        description=without_templates(description or _description(pipelines)),
    )
    return CompiledWorkflow(
        name=graph.name,
        display_name=display_name,
        pipelines={branch.name: branch.tasks for branch in every},
        parameters=parameters,
        graph=graph,
        warnings=too_many_tasks(
            sum(len(branch.tasks) + 1 for branch in every) + 2, Position(display_name)
        ),
    )


def _first_task(library: ComponentLibrary, run: Mapping[str, Any]) -> PipelineTask:
    task = library.task(PREPROCESS, _FIRST, run)
    # KFP knows the task by its parameters; what is at a branch of a repository may change.
    task.set_caching_options(enable_caching=False)
    mount_secret(task, run[GIT_SECRET], GIT_SECRET_FOLDER)
    task.set_env_variable(SECRET_VARIABLE, GIT_SECRET_FOLDER)
    return task


def _rows_of(kind: LeafKind, first: PipelineTask) -> tuple[Any, Any]:
    """Return the channels of the first rows of a kind, and of their number."""
    prefix = kind.value.removesuffix("_skill")
    return first.outputs[f"{prefix}_rows"], first.outputs[f"{prefix}_count"]


def _last_task(
    library: ComponentLibrary,
    first: PipelineTask,
    made: Mapping[str, Any],
    instructions: Mapping[str, tuple[str, ...]],
    run: Mapping[str, Any],
) -> PipelineTask:
    given = {
        "leaves": first.outputs["leaves"],
        "seed_rows": first.outputs["seed_rows"],
        "auxiliary_instructions": dump_json({k: list(v) for k, v in instructions.items()}),
        **made,
    }
    return library.task(POSTPROCESS, _LAST, {**run, **given})


def _description(pipelines: Mapping[LeafKind, PipelineSpec]) -> str:
    """Return what the dashboard says about a workflow."""
    return "\n".join(
        [
            "From a taxonomy to training data and evaluation data. The pipelines of its leaves:",
            *(
                f"{_NAMES[kind]}: {', '.join(block.name for block in pipelines[kind].blocks)}"
                for kind in LeafKind
            ),
        ]
    )
