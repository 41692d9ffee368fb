"""A run's tasks, told apart in the nodes of Argo's workflow; a package's tasks and outputs."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
import yaml
from kfp_server_api import ApiClient

from argo_nodes import ArgoNodes
from kfp_sdg.cli.compiling import CompileOrder
from kfp_sdg.cli.pipeline_file import PipelineSource
from kfp_sdg.cluster.submit import package_of, read_package
from kfp_sdg.cluster.submit.states import RunState, TaskState, view_of
from kfp_sdg.compiler import PodOptions, TeacherSource
from kfp_sdg.errors import SpecError


@pytest.fixture(scope="module")
def workflow():
    order = CompileOrder(
        pipeline="instructlab/simple",
        source=PipelineSource(),
        name=None,
        description=None,
        pods=PodOptions(),
        teacher=TeacherSource(inference_service="teacher"),
    )
    return package_of(order.compile()[0])


def view(package, state, tasks):
    spec = next(d for d in yaml.safe_load_all(package.text) if "pipelineInfo" in d)
    run = {
        "run_id": "r",
        "state": state,
        "run_details": {"task_details": ArgoNodes(spec, tasks).details},
    }

    class Answer:
        data = json.dumps(run)

    seen = view_of(ApiClient().deserialize(Answer, "V2beta1Run"), package.tasks, datetime.now(UTC))
    return {str(task.task): task.state for task in seen.tasks}


def test_tasks_have_the_names_of_blocks_and_of_their_part_of_the_workflow(workflow):
    names = [str(task) for task in workflow.tasks]
    assert names[:1] == ["preprocess"]
    assert "stop-teacher" in names
    assert "knowledge/gen_knowledge" in names
    assert "start-teacher" in names
    assert names.index("start-teacher") < names.index("preflight")
    assert names.index("preflight") < names.index("knowledge/gen_knowledge")
    assert len(set(names)) == len(names)


def test_tasks_of_one_name_are_told_apart_by_what_they_are_in(workflow):
    inside = "generate/{}/condition-branches-1/condition-{}"
    states = view(
        workflow,
        "RUNNING",
        {
            "preprocess": "succeeded",
            "start-teacher": "succeeded",
            "preflight": "succeeded",
            f"{inside.format('freeform-skills', 3)}/no-rows": "succeeded",
            f"{inside.format('freeform-skills', 2)}": "skipped",
            f"{inside.format('knowledge', 2)}/gen-knowledge": "running",
            f"{inside.format('knowledge', 3)}": "skipped",
        },
    )
    assert states["knowledge/gen_knowledge"] is TaskState.RUNNING
    assert states["freeform-skills/no-rows"] is TaskState.SUCCEEDED
    assert states["knowledge/no-rows"] is TaskState.WAITING
    assert states["grounded-skills/no-rows"] is TaskState.WAITING


def test_what_did_not_begin_before_the_end_did_not_run(workflow):
    states = view(workflow, "FAILED", {"preprocess": "failed"})
    assert states["preprocess"] is TaskState.FAILED
    assert states["postprocess"] is TaskState.NOT_RUN


def test_pods_that_were_ended_with_the_run_did_not_fail_by_themselves(workflow):
    states = view(workflow, "CANCELED", {"preprocess": "failed"})
    assert states["preprocess"] is TaskState.CANCELED


@pytest.mark.parametrize(
    ("word", "final", "success"),
    [
        *(("PENDING", False, False), ("RUNNING", False, False), ("PAUSED", False, False)),
        *(("CANCELING", False, False), ("SUCCEEDED", True, True), ("SKIPPED", True, False)),
        *(("FAILED", True, False), ("ERROR", True, False), ("CANCELED", True, False)),
        *(
            ("Error", True, False),
            ("RUNTIME_STATE_UNSPECIFIED", False, False),
            (None, False, False),
        ),
    ],
)
def test_every_state_of_a_run_is_known(word, final, success):
    state = RunState.of(word)
    assert (state.is_final, state.is_success) == (final, success)


def test_the_outputs_of_a_workflow_are_its_training_data(workflow):
    made = {output.name: output.producers for output in workflow.outputs}
    assert made == {
        name: ((("postprocess",), name),)
        for name in ("knowledge_train", "skills_train", "training_data")
    }


def test_where_a_condition_chooses_each_branch_may_have_made_an_output(tmp_path):
    spec = {
        "pipelineInfo": {"name": "p"},
        "root": {
            "dag": {
                "outputs": {
                    "artifacts": {
                        "out": {
                            "artifactSelectors": [
                                {"producerSubtask": "condition-1", "outputArtifactKey": "x"},
                                {"producerSubtask": "condition-2", "outputArtifactKey": "y"},
                            ]
                        }
                    }
                },
                "tasks": {
                    "condition-1": {"componentRef": {"name": "comp-a"}},
                    "condition-2": {"componentRef": {"name": "comp-b"}},
                },
            },
            "outputDefinitions": {"artifacts": {"out": {}}},
        },
        "components": {
            "comp-a": branch("x", "make"),
            "comp-b": branch("y", "empty"),
            "comp-leaf": {"executorLabel": "e"},
        },
    }
    file = tmp_path / "p.yaml"
    file.write_text(yaml.safe_dump(spec))
    package = read_package(file)
    assert package.outputs[0].producers == (
        (("condition-1", "make"), "rows"),
        (("condition-2", "empty"), "rows"),
    )


def branch(output, task):
    selector = {"producerSubtask": task, "outputArtifactKey": "rows"}
    return {
        "dag": {
            "outputs": {"artifacts": {output: {"artifactSelectors": [selector]}}},
            "tasks": {task: {"componentRef": {"name": "comp-leaf"}}},
        }
    }


def test_what_kfp_would_not_take_is_told_with_its_file(tmp_path):
    file = tmp_path / "p.yaml"
    file.write_text("pipelineInfo: {name: p}\nroot: {dag: {taks: {}}}\n")
    with pytest.raises(SpecError, match="KFP does not take this for a compiled pipeline"):
        read_package(file)


@pytest.mark.parametrize("text", ["version: '1.0'\nblocks: []\n", "# pipelineInfo\n[", "\xff"])
def test_what_is_no_compiled_pipeline_is_left_to_the_compiler(tmp_path, text):
    file = tmp_path / "p.yaml"
    file.write_bytes(text.encode("latin-1"))
    assert read_package(file) is None
