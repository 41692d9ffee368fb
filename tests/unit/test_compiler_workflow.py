"""The InstructLab workflow as one KFP pipeline."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from compiling import column_filter, documents, llm, pipeline
from kfp_sdg.compiler import compile_workflow
from kfp_sdg.errors import SpecError
from kfp_sdg.instructlab.pipeline_set import PipelineSet, find_pipelines
from kfp_sdg.spec.model import PipelineSpec

if TYPE_CHECKING:
    from kfp_sdg.compiler import CompiledWorkflow

ASKS = pipeline(llm("gen q", gen_kwargs={"n": "scaled"}), column_filter())
KINDS = ("knowledge", "freeform-skills", "grounded-skills")
NAMES = (*KINDS, "evaluation")


def workflow(
    name: str | None = "My Workflow", **pipelines: PipelineSpec | None
) -> CompiledWorkflow:
    """Compile a workflow in which all pipelines are the same but for those that are given."""
    everything = {"knowledge": ASKS, "freeform": ASKS, "grounded": ASKS, **pipelines}
    return compile_workflow(PipelineSet("mine", Path("here/mine"), **everything), name=name)


@pytest.fixture(scope="module")
def package() -> Any:
    return documents(workflow())[0]


def tasks_in(package: Any, component: str) -> dict[str, Any]:
    """Return the container tasks anywhere inside a component, by their names."""
    found = {}
    for name, task in package["components"][component].get("dag", {}).get("tasks", {}).items():
        inner = tasks_in(package, task["componentRef"]["name"])
        found |= inner or {name: task}
    return found


def test_a_taxonomy_goes_through_the_pipelines_of_its_kinds_to_training_data(package: Any) -> None:
    tasks = package["root"]["dag"]["tasks"]
    assert set(tasks) == {"preprocess", *NAMES, "postprocess", "check-leaves"}
    rows = {
        name: (
            tasks[name]["inputs"]["artifacts"]["rows"]["taskOutputArtifact"]["outputArtifactKey"],
            tasks[name]["inputs"]["parameters"]["row_count"]["taskOutputParameter"][
                "outputParameterKey"
            ],
        )
        for name in NAMES
    }
    assert rows == {
        "knowledge": ("knowledge_rows", "knowledge_count"),
        "freeform-skills": ("freeform_rows", "freeform_count"),
        "grounded-skills": ("grounded_rows", "grounded_count"),
        "evaluation": ("knowledge_rows", "evaluation_count"),
    }
    last = tasks["postprocess"]["inputs"]["artifacts"]
    assert {
        name: source["taskOutputArtifact"]["producerTask"] for name, source in last.items()
    } == {
        "leaves": "preprocess",
        "seed_rows": "preprocess",
        **{name.replace("-", "_"): name for name in NAMES},
    }
    assert tasks["check-leaves"]["dependentTasks"] == ["postprocess"]
    assert set(package["root"]["outputDefinitions"]["artifacts"]) == {
        "training_data",
        "knowledge_train",
        "skills_train",
    }


def test_each_block_is_a_task_of_its_own_inside_the_pipeline_of_its_kind(package: Any) -> None:
    for name in KINDS:
        assert set(tasks_in(package, f"comp-{name}")) == {"gen-q", "keep", "no-rows"}
    assert set(tasks_in(package, "comp-evaluation")) == {"gen-mmlu-knowledge", "no-rows"}
    assert workflow().pipelines == {
        **{name: {"gen q": "gen-q", "keep": "keep"} for name in KINDS},
        "evaluation": {"gen_mmlu_knowledge": "gen-mmlu-knowledge"},
    }


def test_a_kind_without_a_pipeline_has_a_task_that_gives_nothing_and_its_leaves_are_refused() -> (
    None
):
    package = documents(workflow(knowledge=None))[0]
    tasks = package["root"]["dag"]["tasks"]
    images = package["deploymentSpec"]["executors"]
    for name in ("knowledge", "evaluation"):
        component = package["components"][tasks[name]["componentRef"]["name"]]
        container = images[component["executorLabel"]]["container"]
        assert container["args"][-1] == "empty"
    given = tasks["preprocess"]["inputs"]["parameters"]["kinds"]["runtimeValue"]["constant"]
    assert json.loads(given) == ["freeform_skill", "grounded_skill"]


def test_every_name_is_one_that_kubernetes_allows(package: Any) -> None:
    graphs = [package["root"], *package["components"].values()]
    names = {name for graph in graphs for name in graph.get("dag", {}).get("tasks", {})}
    assert names > set(NAMES)
    assert all(re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", name) for name in names)


def test_the_pipelines_do_not_wait_for_each_other(package: Any) -> None:
    tasks = package["root"]["dag"]["tasks"]
    assert all(tasks[name]["dependentTasks"] == ["preprocess"] for name in NAMES)


def test_the_form_asks_for_the_taxonomy_and_the_teacher_and_describes_every_field(
    package: Any,
) -> None:
    form = package["root"]["inputDefinitions"]["parameters"]
    assert all(field["description"] for field in form.values())
    assert {name for name, field in form.items() if not field.get("isOptional")} == {
        "taxonomy_repo",
        "teacher_url",
    }
    assert form.keys() >= {"taxonomy_branch", "pull_request", "taxonomy_base", "git_secret"}
    assert form.keys() >= {"yaml_rules", "skills_sampling_size"}
    assert form.keys() >= {"model_id", "teacher_secret", "num_instructions_to_generate"}
    assert not form.keys() & {"input_uri", "seed_samples"}


def test_pipelines_that_ask_no_teacher_need_none_in_the_form() -> None:
    plain = pipeline(column_filter())
    package = documents(workflow(knowledge=None, freeform=plain, grounded=plain))[0]
    form = package["root"]["inputDefinitions"]["parameters"]
    assert not {name for name in form if "teacher" in name or "model" in name}


def test_secrets_come_as_files_from_names_that_the_form_gives_and_may_be_missing() -> None:
    package, platform = documents(workflow())
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    (volume,) = executors["exec-preprocess"]["secretAsVolume"]
    assert volume["optional"] is True
    assert volume["secretNameParameter"] == {"componentInputParameter": "git_secret"}
    environment = package["deploymentSpec"]["executors"]["exec-preprocess"]["container"]["env"]
    assert environment == [{"name": "KFP_SDG_GIT_TOKEN_FILE", "value": volume["mountPath"]}]
    asking = {name for name in executors if name.startswith("exec-gen")}
    assert len(asking) == 4
    assert all(executors[name]["secretAsVolume"][0]["optional"] for name in asking)


def test_only_what_a_repository_has_today_is_not_taken_from_the_cache(package: Any) -> None:
    every = {**package["root"]["dag"]["tasks"]}
    for name in NAMES:
        every |= {f"{name}/{key}": task for key, task in tasks_in(package, f"comp-{name}").items()}
    containers = {n: task for n, task in every.items() if n not in NAMES}
    cached = {n for n, task in containers.items() if task["cachingOptions"].get("enableCache")}
    assert containers.keys() - cached == {"preprocess"}


def test_the_knowledge_pipelines_auxiliary_instructions_reach_the_last_task() -> None:
    spec = PipelineSpec(
        ASKS.blocks, files=ASKS.files, auxiliary_instructions={"spellcheck": ("Say {{it}}.",)}
    )
    package = documents(workflow(knowledge=spec))[0]
    given = package["root"]["dag"]["tasks"]["postprocess"]["inputs"]["parameters"]
    text = given["auxiliary_instructions"]["runtimeValue"]["constant"]
    assert json.loads(text) == {"spellcheck": ["Say {{it}}."]}
    assert "{{" not in text


def test_no_template_reaches_the_workflow_engine() -> None:
    compiled = workflow(name="{{workflow.name}}")
    for text in (compiled.to_yaml(), compiled.to_yaml("crd")):
        # KFP's own placeholder for a task's input is the only template there is.
        assert "{{" not in text.replace("'{{$}}'", "")
        assert "}}" not in text.replace("'{{$}}'", "")


def test_a_workflow_is_called_like_the_folder_of_its_pipelines() -> None:
    assert workflow(name=None).name == "mine"


def test_a_workflow_may_be_called_like_one_of_its_pipelines() -> None:
    from kfp.components import load_component_from_text

    compiled = workflow(name="knowledge")
    loaded = load_component_from_text(compiled.to_yaml())
    assert set(loaded.required_inputs) == {"taxonomy_repo", "teacher_url"}
    assert compiled.display_name == "knowledge"


@pytest.mark.parametrize("name", ["full", "llama"])
def test_the_shipped_pipelines_stay_below_the_limits_of_clusters(name: str) -> None:
    import yaml

    compiled = compile_workflow(find_pipelines(name))
    version = list(yaml.safe_load_all(compiled.to_yaml("crd")))[1]
    # What `kubectl apply` without --server-side keeps in an annotation.
    assert len(json.dumps(version, separators=(",", ":"))) < 262_144
    assert compiled.warnings == ()


def test_the_resources_for_a_cluster_hold_the_same_pipeline() -> None:
    import yaml

    compiled = workflow()
    parent, version = yaml.safe_load_all(compiled.to_yaml("crd", namespace="team-a"))
    assert (parent["metadata"]["name"], version["kind"]) == ("my-workflow", "PipelineVersion")
    assert [version["spec"]["pipelineSpec"], version["spec"]["platformSpec"]] == documents(compiled)


def test_a_pipeline_without_blocks_is_refused() -> None:
    with pytest.raises(SpecError, match="no blocks"):
        workflow(grounded=PipelineSpec(()))


def test_too_many_tasks_together_are_warned_of() -> None:
    many = pipeline(*(column_filter(f"keep {i}") for i in range(40)))
    compiled = workflow(knowledge=many, freeform=many, grounded=many)
    (warning,) = compiled.warnings
    executors = documents(compiled)[0]["deploymentSpec"]["executors"]
    assert len(executors) > 120
    assert f"the pipeline has {len(executors)} tasks" in warning.message


COMPILE_AND_PRINT = """
import sys
sys.path.insert(0, "tests/unit")
sys.path.insert(0, "tests")
from test_compiler_workflow import workflow
print(workflow().to_yaml() + workflow().to_yaml("crd"))
"""


def compiled_elsewhere(**environment: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", COMPILE_AND_PRINT],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_the_same_pipelines_give_the_same_bytes_in_any_process() -> None:
    first = compiled_elsewhere(PYTHONHASHSEED="1")
    second = compiled_elsewhere(PYTHONHASHSEED="2", KFP_DISABLE_EXECUTION_CACHING_BY_DEFAULT="true")
    assert "preprocess" in first
    assert second == first
