"""Where a compiled pipeline's teacher comes from: what is around the blocks, and the run form."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from kfp import dsl
from kfp.compiler import Compiler

from compiling import YAML_LOADER, column_filter, documents, llm, pipeline
from kfp_sdg.compiler import TeacherKey, TeacherSource, compile_pipeline, compile_workflow
from kfp_sdg.compiler.shipped import compiled_file
from kfp_sdg.errors import SpecError
from kfp_sdg.instructlab.pipeline_set import PipelineSet
from kfp_sdg.spec.model import BlockSpec

ASKS = pipeline(llm("gen q", gen_kwargs={"max_tokens": 300}), column_filter())
SERVICE = TeacherSource(inference_service="mixtral")
BY_ACCOUNT = TeacherSource(inference_service="mixtral", key=TeacherKey.SERVICE_ACCOUNT)
PREFLIGHT = TeacherSource(preflight=True)
KINDS = ("knowledge", "freeform-skills", "grounded-skills", "evaluation")


def pipelines(**others: Any) -> PipelineSet:
    return PipelineSet("mine", Path("here/mine"), **{"knowledge": ASKS, "freeform": ASKS, **others})


@cache
def one(source: TeacherSource) -> Any:
    """Compile the pipeline."""
    return compile_pipeline(ASKS, teacher=source)


@cache
def whole(source: TeacherSource) -> Any:
    """Compile the workflow."""
    return compile_workflow(pipelines(), teacher=source)


def form(compiled: Any) -> dict[str, Any]:
    found: dict[str, Any] = documents(compiled)[0]["root"]["inputDefinitions"]["parameters"]
    return found


def tasks(compiled: Any, component: str = "") -> dict[str, Any]:
    package = documents(compiled)[0]
    graph = package["components"][component] if component else package["root"]
    found: dict[str, Any] = graph["dag"]["tasks"]
    return found


def sources(task: dict[str, Any]) -> dict[str, tuple[str, str]]:
    """Return the tasks and their outputs that a task's parameters come from."""
    found = {}
    for name, value in task["inputs"]["parameters"].items():
        if output := value.get("taskOutputParameter"):
            found[name] = (output["producerTask"], output["outputParameterKey"])
    return found


def test_the_teacher_is_started_for_the_blocks_alone_and_stopped_after_them() -> None:
    compiled = one(SERVICE)
    assert set(tasks(compiled)) == {"load", "generate", "stop-teacher"}
    inside = tasks(compiled, "comp-generate")
    assert set(inside) == {"start-teacher", "preflight", "gen-q", "keep"}
    assert tasks(compiled)["generate"]["dependentTasks"] == ["load"]
    assert sources(inside["preflight"]) == {
        "teacher_url": ("start-teacher", "teacher_url"),
        "model_id": ("start-teacher", "model_id"),
    }
    assert sources(inside["gen-q"]) == {
        "teacher_url": ("preflight", "checked_url"),
        "model_id": ("start-teacher", "model_id"),
    }
    outputs = documents(compiled)[0]["root"]["dag"]["outputs"]["artifacts"]
    assert outputs["dataset"]["artifactSelectors"] == [
        {"producerSubtask": "generate", "outputArtifactKey": "dataset"}
    ]


def test_the_stop_is_what_kfp_makes_of_an_exit_handler(tmp_path: Path) -> None:
    from kfp_sdg.compiler.library import CHECK, ComponentLibrary

    component = ComponentLibrary().component(CHECK)

    def theirs():
        with dsl.ExitHandler(component(empty_leaves="")):
            component(empty_leaves="")

    Compiler().compile(dsl.pipeline(theirs), str(tmp_path / "theirs.yaml"))
    package = yaml.safe_load((tmp_path / "theirs.yaml").read_text(encoding="utf-8"))
    (exit_task,) = [
        task for task in package["root"]["dag"]["tasks"].values() if "triggerPolicy" in task
    ]
    handled = exit_task["dependentTasks"]
    assert len(handled) == 1

    ours = tasks(one(SERVICE))["stop-teacher"]
    assert ours["triggerPolicy"] == exit_task["triggerPolicy"]
    assert ours["dependentTasks"] == ["generate"]
    # Nothing of what has failed may be needed: all comes from the run form.
    assert not sources(ours)
    assert "artifacts" not in ours["inputs"]


def test_start_and_stop_name_the_same_run_which_no_two_runs_share() -> None:
    compiled = one(SERVICE)
    for task in (
        tasks(compiled, "comp-generate")["start-teacher"],
        tasks(compiled)["stop-teacher"],
    ):
        given = task["inputs"]["parameters"]["run_id"]["runtimeValue"]["constant"]
        assert given == dsl.PIPELINE_JOB_ID_PLACEHOLDER


def test_what_is_around_the_blocks_is_done_in_every_run_and_only_the_stop_is_tried_again() -> None:
    compiled = one(SERVICE)
    around = {
        "start-teacher": tasks(compiled, "comp-generate")["start-teacher"],
        "preflight": tasks(compiled, "comp-generate")["preflight"],
        "stop-teacher": tasks(compiled)["stop-teacher"],
    }
    assert not any(task["cachingOptions"].get("enableCache") for task in around.values())
    assert [name for name, task in around.items() if "retryPolicy" in task] == ["stop-teacher"]


def test_the_form_asks_for_the_service_and_not_for_a_url() -> None:
    fields = form(one(SERVICE))
    assert fields["inference_service"]["defaultValue"] == "mixtral"
    assert fields["teacher_namespace"]["defaultValue"] == ""
    assert fields["teacher_start_timeout"]["defaultValue"] == 3600
    assert fields["teacher_lease"]["defaultValue"] == 24 * 3600
    assert not fields.keys() & {"teacher_url", "model_id"}
    assert all(field["description"] for field in fields.values())
    assert not [name for name, field in fields.items() if not field.get("isOptional")]


@pytest.mark.parametrize(
    "spec",
    [
        pipeline(llm("gen q", model_id="an-adapter"), llm("other")),
        pipeline(llm("gen q", gen_kwargs={"model": "an-adapter"})),
        pipeline(BlockSpec("mine", "PirateBlock", {"column": "text"})),
    ],
    ids=["model_id", "gen_kwargs", "custom"],
)
def test_a_block_that_names_a_model_keeps_it_unless_the_form_says_otherwise(spec: Any) -> None:
    compiled = compile_pipeline(spec, teacher=SERVICE)
    assert form(compiled)["model_id"]["defaultValue"] == ""
    assert sources(tasks(compiled, "comp-generate")["preflight"]) == {
        "teacher_url": ("start-teacher", "teacher_url")
    }


def test_the_workflow_has_one_teacher_around_all_kinds_and_none_around_the_taxonomy() -> None:
    compiled = whole(SERVICE)
    assert set(tasks(compiled)) == {
        *("preprocess", "generate", "stop-teacher", "postprocess", "check-leaves"),
    }
    assert set(tasks(compiled, "comp-generate")) == {"start-teacher", "preflight", *KINDS}
    last = tasks(compiled)["postprocess"]["inputs"]["artifacts"]
    made = {name: artifact["taskOutputArtifact"]["producerTask"] for name, artifact in last.items()}
    assert made == {
        **dict.fromkeys(("leaves", "seed_rows"), "preprocess"),
        **dict.fromkeys((kind.replace("-", "_") for kind in KINDS), "generate"),
    }
    assert form(compiled).keys() >= {"taxonomy_repo", "inference_service"}


@pytest.mark.parametrize("source", [SERVICE, PREFLIGHT])
def test_the_preflight_is_told_what_the_blocks_need(source: TeacherSource) -> None:
    def preflight(compiled: Any) -> dict[str, Any]:
        inside = "comp-generate" if source is SERVICE else ""
        found: dict[str, Any] = tasks(compiled, inside)["preflight"]["inputs"]["parameters"]
        return found

    given = preflight(one(source))
    (need,) = json.loads(given["models"]["runtimeValue"]["constant"])
    assert (need["block"], need["max_tokens"]) == ("gen q", 300)
    assert need["prompt_tokens"] > 0
    assert "context_length" not in given
    given = preflight(whole(source))
    blocks = [need["block"] for need in json.loads(given["models"]["runtimeValue"]["constant"])]
    assert blocks == ["gen q", "gen_mmlu_knowledge"]
    assert given["context_length"] == {"componentInputParameter": "server_ctx_size"}


def test_a_preflight_alone_leaves_the_url_to_the_form_and_needs_no_pipeline_inside() -> None:
    compiled = one(PREFLIGHT)
    found = tasks(compiled)
    assert set(found) == {"load", "preflight", "gen-q", "keep"}
    assert form(compiled).keys() == form(one(TeacherSource())).keys()
    assert sources(found["gen-q"]) == {"teacher_url": ("preflight", "checked_url")}
    assert found["preflight"]["inputs"]["parameters"]["teacher_url"] == {
        "componentInputParameter": "teacher_url"
    }


@pytest.mark.parametrize("source", [SERVICE, PREFLIGHT, BY_ACCOUNT])
@pytest.mark.parametrize("workflow", [False, True])
def test_the_preflight_shows_the_key_that_the_blocks_show(
    source: TeacherSource, workflow: bool
) -> None:
    compiled = whole(source) if workflow else one(source)
    package, platform = documents(compiled)
    executors = package["deploymentSpec"]["executors"]
    config = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    who = {
        name: (executor["container"]["env"], config[name].get("secretAsVolume"))
        for name, executor in executors.items()
        if "API_KEY" in str(executor["container"].get("env"))
    }
    assert {"exec-preflight", "exec-gen-q"} <= who.keys()
    assert "exec-keep" not in who
    for env, volumes in who.values():
        if source is BY_ACCOUNT:
            assert env[0]["value"] == "/var/run/secrets/kubernetes.io/serviceaccount/token"
            assert all("storage" in volume["mountPath"] for volume in volumes or ())
        else:
            assert env[0]["value"] == volumes[0]["mountPath"]
            assert volumes[0]["optional"] is True
    assert ("teacher_secret" in form(compiled)) == (source is not BY_ACCOUNT)


def test_the_hosts_that_may_see_the_token_are_told_to_all_who_show_it_and_to_no_form() -> None:
    hosts = ("teacher.apps.example.com", "*.models.example.com")
    named = TeacherSource(
        inference_service="mixtral", key=TeacherKey.SERVICE_ACCOUNT, key_hosts=hosts
    )
    compiled = whole(named)
    executors = documents(compiled)[0]["deploymentSpec"]["executors"].values()
    environments = [
        {variable["name"]: variable["value"] for variable in executor["container"].get("env", [])}
        for executor in executors
    ]
    showing = [variables for variables in environments if "KFP_SDG_API_KEY_FILE" in variables]
    assert len(showing) > 3
    assert {variables["KFP_SDG_TOKEN_HOSTS"] for variables in showing} == {" ".join(hosts)}
    assert sum("KFP_SDG_TOKEN_HOSTS" in variables for variables in environments) == len(showing)
    assert form(compiled).keys() == form(whole(BY_ACCOUNT)).keys()


@pytest.mark.parametrize(
    "settings",
    [
        {"key_hosts": ("teacher.example.com",)},
        {"key": TeacherKey.SERVICE_ACCOUNT, "key_hosts": ("*.com",)},
    ],
    ids=["nobody shows a token", "half the internet"],
)
def test_hosts_for_a_token_are_looked_at_before_anything_is_compiled(settings: Any) -> None:
    with pytest.raises(ValueError, match=r"is no host|only the token"):
        TeacherSource(**settings)


def test_blocks_with_the_names_of_what_is_around_them_are_told_apart() -> None:
    names = ("generate", "preflight", "start-teacher", "stop-teacher", "load")
    spec = pipeline(llm("ask"), *(column_filter(name) for name in names))
    compiled = compile_pipeline(spec, teacher=SERVICE)
    assert set(compiled.tasks.values()) == {"ask", *names}
    assert set(tasks(compiled)) == {"load-2", "generate-2", "stop-teacher-2"}
    assert "preflight-2" in tasks(compiled, "comp-generate-2")


@pytest.mark.parametrize("source", [SERVICE, PREFLIGHT])
def test_a_pipeline_that_asks_nobody_has_no_use_for_a_teacher(source: TeacherSource) -> None:
    plain = pipeline(column_filter())
    with pytest.raises(SpecError, match="no block asks a teacher"):
        compile_pipeline(plain, teacher=source)
    with pytest.raises(SpecError, match="no block asks a teacher"):
        compile_workflow(pipelines(knowledge=None, freeform=plain), teacher=source)


@pytest.mark.parametrize("name", ["", "Mixtral", "8x7b", "a.b", "a-", "x" * 64])
def test_a_name_that_kserve_would_refuse_is_found_here(name: str) -> None:
    with pytest.raises(ValueError, match="is no name of an InferenceService"):
        TeacherSource(inference_service=name)


def test_no_template_but_kfps_own_reaches_the_workflow_engine() -> None:
    for compiled in (one(SERVICE), whole(SERVICE)):
        text = compiled.to_yaml()
        for placeholder in ("'{{$}}'", f"'{dsl.PIPELINE_JOB_ID_PLACEHOLDER}'"):
            text = text.replace(placeholder, "")
        assert "{{" not in text


def test_the_shipped_workflow_with_a_teacher_stays_below_the_limit_of_clusters() -> None:
    text = compiled_file("instructlab/with_teacher").read_text(encoding="utf-8")
    package = list(yaml.load_all(text, YAML_LOADER))
    # What `kubectl apply` without --server-side keeps in an annotation, but for the metadata.
    assert len(json.dumps(package, separators=(",", ":"))) < 262_144 - 2_000
