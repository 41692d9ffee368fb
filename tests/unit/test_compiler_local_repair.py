"""What is put right in KFP's local runner is still what the runner has."""

from __future__ import annotations

import inspect

import pytest
from kfp.local.io import IOStore
from kfp.local.orchestrator.orchestrator_utils import OrchestratorUtils
from kfp.pipeline_spec.pipeline_spec_pb2 import DagOutputsSpec

from kfp_sdg.compiler import local_repair


@pytest.fixture
def repaired(monkeypatch: pytest.MonkeyPatch) -> type[OrchestratorUtils]:
    """The runner's class with the repair, for one test."""
    theirs = OrchestratorUtils.__dict__["get_dag_output_artifacts"]
    monkeypatch.setattr(OrchestratorUtils, "get_dag_output_artifacts", theirs)
    local_repair.repair_local_runner()
    return OrchestratorUtils


def either(*tasks: str) -> DagOutputsSpec:
    """The outputs of a pipeline: a dataset that one of some tasks makes."""
    spec = DagOutputsSpec()
    for task in tasks:
        selector = spec.artifacts["dataset"].artifact_selectors.add()
        selector.producer_subtask, selector.output_artifact_key = task, "rows"
    return spec


def made_by(*tasks: str) -> IOStore:
    """What is known when some tasks have run."""
    store = IOStore()
    for task in tasks:
        store.put_task_output(task, "rows", f"rows of {task}")
    return store


def test_the_runner_has_the_method_that_is_replaced_and_calls_it_with_the_same_names() -> None:
    theirs = inspect.signature(OrchestratorUtils.get_dag_output_artifacts)
    assert list(theirs.parameters) == ["dag_outputs_spec", "io_store"], (
        "KFP's local runner has changed: look whether it chooses among artifacts by itself now, "
        "and then remove kfp_sdg.compiler.local_repair"
    )
    assert "get_dag_output_artifacts(" in inspect.getsource(OrchestratorUtils.get_dag_outputs)


@pytest.mark.parametrize("ran", ["left", "right"])
def test_the_artifact_is_that_of_the_branch_that_ran(
    repaired: type[OrchestratorUtils], ran: str
) -> None:
    outputs = repaired.get_dag_outputs(
        dag_outputs_spec=either("left", "right"), io_store=made_by(ran)
    )
    assert outputs == {"dataset": f"rows of {ran}"}


def test_an_output_without_a_choice_stays_as_it_is(repaired: type[OrchestratorUtils]) -> None:
    spec, store = either("only"), made_by("only", "another")
    outputs = repaired.get_dag_outputs(dag_outputs_spec=spec, io_store=store)
    assert outputs == {"dataset": "rows of only"}


@pytest.mark.parametrize("ran", [(), ("left", "right")])
def test_nothing_is_guessed_where_no_branch_ran_or_several_did(
    repaired: type[OrchestratorUtils], ran: tuple[str, ...]
) -> None:
    with pytest.raises(ValueError, match=f"expected 1 of its branches to run, not {len(ran)}"):
        repaired.get_dag_outputs(dag_outputs_spec=either("left", "right"), io_store=made_by(*ran))
