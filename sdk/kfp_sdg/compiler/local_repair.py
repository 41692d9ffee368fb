"""What KFP's local runner gets wrong and a cluster does not, put right in the runner's process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kfp.local.io import IOStore
    from kfp.pipeline_spec.pipeline_spec_pb2 import DagOutputsSpec


def repair_local_runner() -> None:
    """Let KFP's local runner choose among the artifacts of ``dsl.OneOf``.

    KFP 2.17 does so for parameters only; with artifacts it stops with "Expected 1 artifact in
    ArtifactSelectorSpec". On a cluster the output is that of the branch that ran.
    """
    from kfp.local.orchestrator.orchestrator_utils import OrchestratorUtils

    OrchestratorUtils.get_dag_output_artifacts = classmethod(_artifacts_of_the_branch_that_ran)


def _artifacts_of_the_branch_that_ran(
    cls: type, dag_outputs_spec: DagOutputsSpec, io_store: IOStore
) -> dict[str, Any]:
    """Return the output artifacts of a pipeline, in the place of the runner's own method."""
    return {
        name: _artifact(name, selector.artifact_selectors, io_store)
        for name, selector in dag_outputs_spec.artifacts.items()
    }


def _artifact(name: str, selectors: Any, io_store: IOStore) -> Any:
    """Return the one artifact that was made of those that an output may be."""
    made = []
    for selector in selectors:
        try:
            made.append(
                io_store.get_task_output(selector.producer_subtask, selector.output_artifact_key)
            )
        except ValueError:  # this branch did not run
            continue
    if len(made) != 1:
        raise ValueError(f"output {name!r}: expected 1 of its branches to run, not {len(made)}")
    return made[0]
