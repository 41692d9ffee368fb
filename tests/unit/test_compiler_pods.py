"""The pods of compiled pipelines: what reaches every task, and the run form."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from compiling import column_filter, documents, llm, pipeline
from kfp_sdg.compiler import PodOptions, compile_pipeline, compile_workflow
from kfp_sdg.compiler.pods import PodParameter, Toleration
from kfp_sdg.compiler.resources import Resource, ResourceOverride, TaskKind
from kfp_sdg.components.image import RUNTIME_IMAGE, TAXONOMY_IMAGE
from kfp_sdg.instructlab.pipeline_set import PipelineSet

if TYPE_CHECKING:
    from kfp_sdg.compiler import CompiledWorkflow

SPEC = pipeline(llm("gen q"), column_filter())
EVERYTHING = PodOptions(
    tolerations=(Toleration("batch", "sdg", "NoSchedule"),),
    node_selector={"pool": "cpu", "zone": "a"},
    image_pull_secrets=("first", "second"),
    labels={"team": "sdg"},
    annotations={"example.com/note": "any text"},
)


def workflow(pods: PodOptions | None = None) -> CompiledWorkflow:
    pipelines = PipelineSet("mine", Path("here/mine"), None, SPEC, None)
    return compile_workflow(pipelines, pods=pods)


def containers(compiled: Any) -> dict[str, Any]:
    executors = documents(compiled)[0]["deploymentSpec"]["executors"]
    return {name: executor["container"] for name, executor in executors.items()}


def platform(compiled: Any) -> dict[str, Any]:
    executors: dict[str, Any] = documents(compiled)[1]["platforms"]["kubernetes"]["deploymentSpec"][
        "executors"
    ]
    return executors


def container_tasks(compiled: Any) -> dict[str, list[Any]]:
    """Return the tasks by the executor that they run."""
    package = documents(compiled)[0]
    components = package["components"]
    graphs = [package["root"], *components.values()]
    found: dict[str, list[Any]] = {}
    for graph in graphs:
        for task in graph.get("dag", {}).get("tasks", {}).values():
            label = components[task["componentRef"]["name"]].get("executorLabel")
            if label:
                found.setdefault(label, []).append(task)
    return found


@pytest.mark.parametrize("compiled", [compile_pipeline(SPEC), workflow()], ids=["one", "workflow"])
def test_every_task_has_resources_and_may_not_run_as_root(compiled: Any) -> None:
    of_containers, of_platform = containers(compiled), platform(compiled)
    assert of_containers.keys() == of_platform.keys() == container_tasks(compiled).keys()
    for name, container in of_containers.items():
        assert {key for key in container["resources"] if key.startswith("resource")} == {
            "resourceCpuRequest",
            "resourceCpuLimit",
            "resourceMemoryRequest",
            "resourceMemoryLimit",
        }, name
        # Never a number: OpenShift gives each namespace users of its own.
        assert of_platform[name]["securityContext"] == {"runAsNonRoot": True}


def test_what_a_task_asks_for_depends_on_what_it_does() -> None:
    def limit(name: str) -> str:
        return str(found[name]["resources"]["resourceMemoryLimit"])

    found = containers(compile_pipeline(SPEC))
    assert (limit("exec-gen-q"), limit("exec-keep"), limit("exec-load")) == ("4Gi", "2Gi", "2Gi")
    found = containers(workflow())
    assert (limit("exec-preprocess"), limit("exec-gen-q")) == ("4Gi", "4Gi")
    for_asking = ResourceOverride(Resource.MEMORY_LIMIT, "9Gi", TaskKind.ASKING)
    found = containers(compile_pipeline(SPEC, pods=PodOptions(resources=(for_asking,))))
    assert (limit("exec-gen-q"), limit("exec-keep")) == ("9Gi", "2Gi")


def test_tasks_are_tried_again_later_unless_nothing_was_paid_for_or_they_only_check() -> None:
    policies = {
        name: [task.get("retryPolicy") for task in tasks]
        for name, tasks in container_tasks(workflow()).items()
    }
    once = {name for name, found in policies.items() if found == [None]}
    assert once == {"exec-preprocess", "exec-check-leaves"}
    (policy,) = policies["exec-gen-q"]
    assert policy["maxRetryCount"] == 2
    assert policy["backoffDuration"] == "30s"
    # Argo counts this from a task's beginning: not even a block of a week is given up for it.
    assert int(policy["backoffMaxDuration"].rstrip("s")) > 7 * 24 * 3600
    load = container_tasks(compile_pipeline(SPEC))["exec-load"]
    assert ["retryPolicy" in task for task in load] == [False]


def test_without_retries_no_task_has_a_policy() -> None:
    compiled = workflow(PodOptions(retries=0))
    assert "retryPolicy" not in compiled.to_yaml()


@pytest.mark.parametrize("compile_with", [lambda pods: compile_pipeline(SPEC, pods=pods), workflow])
def test_where_and_how_pods_run_reaches_every_task(compile_with: Any) -> None:
    for name, config in platform(compile_with(EVERYTHING)).items():
        del config["securityContext"]
        config.pop("secretAsVolume", None)
        assert config == {
            "tolerations": [
                {"key": "batch", "operator": "Equal", "value": "sdg", "effect": "NoSchedule"}
            ],
            "nodeSelector": {"labels": {"pool": "cpu", "zone": "a"}},
            "imagePullSecret": [
                {"secretName": secret, "secretNameParameter": constant(secret)}
                for secret in ("first", "second")
            ],
            "podMetadata": {
                "labels": {"team": "sdg"},
                "annotations": {"example.com/note": "any text"},
            },
        }, name


def constant(text: str) -> dict[str, Any]:
    return {"runtimeValue": {"constant": text}}


def test_root_is_allowed_only_where_that_was_asked_for() -> None:
    compiled = compile_pipeline(SPEC, pods=PodOptions(run_as_non_root=False))
    assert all("securityContext" not in config for config in platform(compiled).values())


def test_images_of_ones_own_take_the_place_of_ours() -> None:
    ours = {container["image"] for container in containers(workflow()).values()}
    assert ours == {RUNTIME_IMAGE, TAXONOMY_IMAGE}
    own = PodOptions(runtime_image="mirror.example/r:1", taxonomy_image="mirror.example/t:1")
    images = {name: found["image"] for name, found in containers(workflow(own)).items()}
    assert images.pop("exec-preprocess") == "mirror.example/t:1"
    assert set(images.values()) == {"mirror.example/r:1"}


@pytest.mark.parametrize("compile_with", [lambda pods: compile_pipeline(SPEC, pods=pods), workflow])
def test_the_run_form_asks_for_pods_only_where_that_was_asked_for(compile_with: Any) -> None:
    def form(pods: PodOptions) -> dict[str, Any]:
        found: dict[str, Any] = documents(compile_with(pods))[0]["root"]["inputDefinitions"][
            "parameters"
        ]
        return {name: field for name, field in found.items() if name.startswith("pod_")}

    assert form(EVERYTHING) == {}
    asked = form(
        PodOptions(
            tolerations=EVERYTHING.tolerations,
            node_selector={"pool": "cpu"},
            parameters=tuple(PodParameter),
        )
    )
    assert all(field["description"] for field in asked.values())
    assert {name: field["defaultValue"] for name, field in asked.items()} == {
        "pod_cpu_limit": "2",
        "pod_memory_limit": "4Gi",
        "pod_tolerations": [
            {"key": "batch", "operator": "Equal", "value": "sdg", "effect": "NoSchedule"}
        ],
        "pod_node_selector": {"pool": "cpu"},
        "pod_image_pull_secret": "kfp-sdg-pull",
    }


def test_the_comments_above_a_package_are_the_same_in_every_process() -> None:
    """KFP writes defaults there in the order of protobuf's maps, which no seed settles."""
    tolerations = (Toleration("b", "sdg", "NoSchedule"), Toleration("a", None, "NoExecute"))
    pods = PodOptions(
        tolerations=tolerations,
        node_selector={"zone": "a", "pool": "cpu"},
        parameters=(PodParameter.TOLERATIONS, PodParameter.NODE_SELECTOR),
    )
    comments = [line for line in workflow(pods).to_yaml().splitlines() if line.startswith("#")]
    assert '#    pod_node_selector: dict [Default: {"pool": "cpu", "zone": "a"}]' in comments
    assert (
        '#    pod_tolerations: list [Default: [{"effect": "NoSchedule", "key": "b", "operator": '
        '"Equal", "value": "sdg"}, {"effect": "NoExecute", "key": "a", "operator": "Exists"}]]'
    ) in comments


def test_what_the_run_form_says_about_pods_reaches_every_task() -> None:
    pods = PodOptions(parameters=tuple(PodParameter))
    for compiled in (compile_pipeline(SPEC, pods=pods), workflow(pods)):
        for name, config in platform(compiled).items():
            assert "pod_tolerations" in str(config["tolerations"]), name
            assert "pod_node_selector" in str(config["nodeSelector"]), name
            assert "pod_image_pull_secret" in str(config["imagePullSecret"]), name
        for name, container in containers(compiled).items():
            assert "pod_memory_limit" in container["resources"]["resourceMemoryLimit"], name
            assert "pod_cpu_limit" in container["resources"]["resourceCpuLimit"], name


def test_every_pipeline_around_a_task_leads_the_forms_pods_to_it() -> None:
    package = documents(workflow(PodOptions(parameters=tuple(PodParameter))))[0]
    graphs = [component for component in package["components"].values() if "dag" in component]
    assert len(graphs) >= 4
    for graph in graphs:
        known = graph["inputDefinitions"]["parameters"].keys()
        for task in graph["dag"]["tasks"].values():
            for source in task["inputs"].get("parameters", {}).values():
                assert source.get("componentInputParameter", next(iter(known))) in known


def test_no_component_has_an_input_that_kfp_would_overwrite_with_a_resource() -> None:
    from kfp_sdg.compiler.library import ComponentLibrary
    from kfp_sdg.components.build import component_folders

    library = ComponentLibrary()
    taken = {"cpu_limit", "cpu_request", "memory_limit", "memory_request", "base_image"}
    taken |= {"accelerator_type", "accelerator_count"}
    for folder in component_folders():
        assert not library.inputs(folder) & taken, folder


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": {"pipelines.kubeflow.org/v2_component": "false"}}, "sets itself"),
        ({"labels": {"a b": "c"}}, "'a b' is no key"),
        ({"node_selector": {"a": "b c"}}, "'b c' is no value"),
        ({"annotations": {"a": "{{workflow.name}}"}}, "opening braces"),
        ({"image_pull_secrets": ("A",)}, "'A' is no name"),
        ({"runtime_image": "A B"}, "'A B' is no image"),
        ({"retries": -1}, "-1 is no number of retries"),
        (
            {
                "resources": (ResourceOverride(Resource.CPU_LIMIT, None),),
                "parameters": (PodParameter.CPU_LIMIT,),
            },
            "cannot ask for the cpu-limit where it is none",
        ),
    ],
)
def test_what_kubernetes_would_refuse_is_found_before_anything_is_compiled(
    options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        PodOptions(**options)
