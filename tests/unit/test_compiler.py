"""What a pipeline is compiled to."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from compiling import PROMPT, column_filter, documents, llm, pipeline
from kfp_sdg.compiler import compile_pipeline
from kfp_sdg.components.build import ROOT as COMPONENTS
from kfp_sdg.errors import Position, SpecError
from kfp_sdg.spec.model import BlockSpec, ConfigFile, PipelineSpec, SourceMap
from kfp_sdg.storage.object_store import SECRET_FOLDER

if TYPE_CHECKING:
    from kfp_sdg.compiler import CompiledPipeline

TEACHER_PARAMETERS = {
    "teacher_url",
    "model_id",
    "model_family",
    "teacher_endpoints",
    "teacher_secret",
    "max_num_tokens",
    "max_concurrency",
    "teacher_patience",
    "teacher_timeout",
    "checkpoint_uri",
    "storage_secret",
    "constrain",
}
FIRST_ROWS = {"input_uri", "seed_samples", "storage_secret"}


def tasks(compiled: CompiledPipeline) -> dict[str, Any]:
    found: dict[str, Any] = documents(compiled)[0]["root"]["dag"]["tasks"]
    return found


def constants(task: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value["runtimeValue"]["constant"]
        for name, value in task["inputs"]["parameters"].items()
        if "runtimeValue" in value
    }


def from_form(task: dict[str, Any]) -> set[str]:
    """The names of a task's inputs that the run form gives."""
    parameters = task["inputs"].get("parameters", {})
    return {name for name, value in parameters.items() if "componentInputParameter" in value}


def test_each_block_is_a_task_named_after_it_and_they_form_a_chain() -> None:
    compiled = compile_pipeline(pipeline(llm("knowledge generation"), column_filter("keep_good")))

    chain = tasks(compiled)
    assert set(chain) == {"load", "knowledge-generation", "keep-good"}
    assert chain["knowledge-generation"]["taskInfo"]["name"] == "knowledge generation"
    producers = {
        name: task["inputs"]["artifacts"]["rows"]["taskOutputArtifact"]
        for name, task in chain.items()
        if name != "load"
    }
    assert producers == {
        "knowledge-generation": {"producerTask": "load", "outputArtifactKey": "output_rows"},
        "keep-good": {
            "producerTask": "knowledge-generation",
            "outputArtifactKey": "output_rows",
        },
    }
    assert compiled.tasks == {
        "knowledge generation": "knowledge-generation",
        "keep_good": "keep-good",
    }


def test_every_task_is_a_container_and_no_pipeline_inside_the_pipeline() -> None:
    package = documents(compile_pipeline(pipeline(llm(), column_filter())))[0]
    executors = package["deploymentSpec"]["executors"]
    assert set(executors) == {"exec-load", "exec-gen-q", "exec-keep"}
    assert all("dag" not in component for component in package["components"].values())


def test_a_tasks_program_is_its_components_without_the_docstring() -> None:
    package = documents(compile_pipeline(pipeline(llm())))[0]
    program = package["deploymentSpec"]["executors"]["exec-gen-q"]["container"]["command"][-1]
    file = COMPONENTS / "blocks" / "llm" / "component.py"
    functions = [
        next(node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef))
        for text in (program, file.read_text(encoding="utf-8"))
    ]
    assert ast.get_docstring(functions[0]) is None
    assert ast.get_docstring(functions[1]) is not None
    assert ast.dump(functions[0].args) == ast.dump(functions[1].args)
    ours, theirs = (list(map(ast.dump, function.body)) for function in functions)
    assert ours == theirs[1:]


def test_the_pipelines_output_is_the_last_blocks_dataset() -> None:
    package = documents(compile_pipeline(pipeline(llm(), column_filter())))[0]
    assert package["root"]["dag"]["outputs"]["artifacts"]["dataset"]["artifactSelectors"] == [
        {"producerSubtask": "keep", "outputArtifactKey": "output_rows"}
    ]


def test_a_block_called_load_leaves_room_for_the_task_that_loads_the_rows() -> None:
    compiled = compile_pipeline(pipeline(column_filter("load")))
    assert compiled.tasks == {"load": "load"}
    assert set(tasks(compiled)) == {"load", "load-2"}
    assert tasks(compiled)["load"]["dependentTasks"] == ["load-2"]


def test_blocks_whose_names_collide_on_a_cluster_are_told_apart() -> None:
    compiled = compile_pipeline(pipeline(column_filter("keep it"), column_filter("keep_it")))
    assert set(tasks(compiled)) == {"load", "keep-it", "keep-it-2"}
    assert tasks(compiled)["keep-it-2"]["taskInfo"]["name"] == "keep_it"


def test_settings_travel_under_their_names_and_structured_ones_as_json() -> None:
    block = llm(gen_kwargs={"temperature": 0.5, "max_tokens": 100}, model_id="other")
    spec = pipeline(BlockSpec(block.name, block.type, block.config, ("a", "b"), ("c",)))
    given = constants(tasks(compile_pipeline(spec))["gen-q"])

    assert given["block_name"] == "gen_q"
    assert given["config_path"] == "configs/q.yaml"
    assert given["block_model_id"] == "other"
    assert json.loads(given["output_cols"]) == ["question"]
    assert json.loads(given["gen_kwargs"]) == {"temperature": 0.5, "max_tokens": 100}
    assert json.loads(given["drop_columns"]) == ["a", "b"]
    assert json.loads(given["drop_duplicates"]) == ["c"]
    assert json.loads(given["files"]) == {"configs/q.yaml": PROMPT}


def test_a_task_gets_only_the_files_that_its_block_names() -> None:
    files = {
        name: ConfigFile(name, {"generation": name}) for name in ("a.yaml", "b.yaml", "c.yaml")
    }
    one = BlockSpec("one", "LLMBlock", {"config_path": "a.yaml", "output_cols": ["x"]})
    two = BlockSpec(
        "two",
        "ConditionalLLMBlock",
        {
            "config_paths": [["c.yaml", "yes"], ["b.yaml", "no"]],
            "output_cols": ["x"],
            "selector_column_name": "s",
        },
    )
    chain = tasks(compile_pipeline(PipelineSpec((one, two), files=files)))
    assert list(json.loads(constants(chain["one"])["files"])) == ["a.yaml"]
    assert list(json.loads(constants(chain["two"])["files"])) == ["c.yaml", "b.yaml"]


def test_a_pipeline_that_asks_no_model_has_no_teacher_in_its_form() -> None:
    compiled = compile_pipeline(pipeline(column_filter()))
    assert {parameter.name for parameter in compiled.parameters} == FIRST_ROWS
    assert "teacher_" not in compiled.to_yaml()


def test_the_form_asks_for_the_teacher_and_describes_every_field() -> None:
    package = documents(compile_pipeline(pipeline(llm())))[0]
    form = package["root"]["inputDefinitions"]["parameters"]
    assert set(form) == {*FIRST_ROWS, "max_rejected", *TEACHER_PARAMETERS}
    assert all(field["description"] for field in form.values())
    defaults = {name: field.get("defaultValue") for name, field in form.items()}
    assert defaults == {
        "input_uri": "",
        "seed_samples": "",
        "teacher_url": None,
        "model_id": "",
        "model_family": "",
        "teacher_endpoints": "{}",
        "teacher_secret": "kfp-sdg-teacher",
        "max_num_tokens": 4096,
        "max_concurrency": 0,
        "teacher_patience": 600,
        "teacher_timeout": 600,
        "checkpoint_uri": "",
        "storage_secret": "kfp-sdg-storage",
        "constrain": False,
        "max_rejected": "5%",
    }


@pytest.mark.parametrize(
    "block",
    [
        llm(gen_kwargs={"n": "scaled"}),
        BlockSpec(
            "again",
            "IterBlock",
            {
                "num_iters": 2,
                "block_type": "LLMBlock",
                "config_path": "configs/q.yaml",
                "output_cols": ["question"],
                "gen_kwargs": {"n": "scaled"},
            },
        ),
    ],
    ids=["llm", "iter"],
)
def test_the_form_asks_for_the_number_of_instructions_where_n_is_scaled(block: BlockSpec) -> None:
    package = documents(compile_pipeline(pipeline(block)))[0]
    form = package["root"]["inputDefinitions"]["parameters"]
    assert form["num_instructions_to_generate"]["defaultValue"] == 30
    name = {"gen_q": "gen-q", "again": "again"}[block.name]
    assert package["root"]["dag"]["tasks"][name]["inputs"]["parameters"][
        "num_instructions_to_generate"
    ] == {"componentInputParameter": "num_instructions_to_generate"}


def test_an_iteration_over_a_column_block_asks_no_teacher() -> None:
    block = BlockSpec(
        "again",
        "IterBlock",
        {"num_iters": 2, "block_type": "DuplicateColumnsBlock", "columns_map": {"a": "b"}},
    )
    compiled = compile_pipeline(pipeline(block))
    assert {parameter.name for parameter in compiled.parameters} == FIRST_ROWS


def test_a_column_block_that_may_reject_rows_takes_the_limit_and_nothing_of_the_teacher() -> None:
    selector = BlockSpec(
        "pick", "SelectorBlock", {"choice_map": {"a": "x"}, "choice_col": "c", "output_col": "o"}
    )
    compiled = compile_pipeline(pipeline(selector, column_filter()))
    names = {parameter.name for parameter in compiled.parameters}
    assert names == {*FIRST_ROWS, "max_rejected"}
    assert from_form(tasks(compiled)["pick"]) == {"max_rejected"}
    assert from_form(tasks(compiled)["keep"]) == set()
    asking_too = tasks(compile_pipeline(pipeline(llm(), selector)))
    assert from_form(asking_too["pick"]) == {"max_rejected"}
    assert from_form(asking_too["gen-q"]) == {
        "max_rejected",
        *(TEACHER_PARAMETERS - {"teacher_secret", "storage_secret"}),
    }


def test_the_secrets_are_mounted_from_names_that_the_form_gives_and_may_be_missing() -> None:
    package, platform = documents(compile_pipeline(pipeline(llm(), column_filter())))
    executors = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert {n for n, executor in executors.items() if "secretAsVolume" in executor} == {
        "exec-gen-q",
        "exec-load",
    }
    volume, storage = executors["exec-gen-q"]["secretAsVolume"]
    assert volume["secretNameParameter"] == {"componentInputParameter": "teacher_secret"}
    assert storage["secretNameParameter"] == {"componentInputParameter": "storage_secret"}
    assert storage["mountPath"] == SECRET_FOLDER
    assert executors["exec-load"]["secretAsVolume"] == [storage]
    assert volume["optional"] is storage["optional"] is True
    container = package["deploymentSpec"]["executors"]["exec-gen-q"]["container"]
    assert container["env"] == [{"name": "KFP_SDG_API_KEY_FILE", "value": volume["mountPath"]}]


def test_no_prompt_variable_reaches_the_workflow_engine() -> None:
    compiled = compile_pipeline(pipeline(llm(), column_filter()))
    for text in (compiled.to_yaml(), compiled.to_yaml("crd")):
        # KFP's own placeholder for a task's input is the only template there is.
        assert "{{" not in text.replace("'{{$}}'", "")
        assert "}}" not in text.replace("'{{$}}'", "")


def test_a_block_name_that_is_a_template_is_refused() -> None:
    with pytest.raises(SpecError, match="two opening braces"):
        compile_pipeline(pipeline(column_filter("keep {{workflow.name}}")))


def test_a_pipeline_name_that_is_a_template_does_not_reach_the_workflow_engine() -> None:
    compiled = compile_pipeline(pipeline(column_filter()), name="{{workflow.name}}")
    assert "{{" not in compiled.to_yaml().replace("'{{$}}'", "")


def test_prompts_that_do_not_fit_into_a_task_are_refused_by_block_and_file() -> None:
    source = SourceMap(Position("demo.yaml"), {("config",): Position("demo.yaml", 7, 5)})
    block = BlockSpec("gen_q", "LLMBlock", llm().config, source=source)
    with pytest.raises(SpecError) as caught:
        compile_pipeline(pipeline(block, prompt={**PROMPT, "examples": "word " * 30_000}))
    text = str(caught.value)
    assert text.startswith("demo.yaml:7:5: block 'gen_q': ")
    assert "'configs/q.yaml'" in text
    assert "100,000 bytes" in text


def test_prompts_of_a_common_size_fit() -> None:
    compile_pipeline(pipeline(llm(), prompt={**PROMPT, "examples": "word " * 10_000}))


def test_a_block_type_of_a_plugin_runs_in_the_component_for_custom_blocks() -> None:
    block = BlockSpec("pirate", "PirateBlock", {"column": "text", "times": 2})
    compiled = compile_pipeline(pipeline(block), plugins=["my_blocks"])
    given = constants(tasks(compiled)["pirate"])
    assert given["block_type"] == "PirateBlock"
    assert json.loads(given["config"]) == {"column": "text", "times": 2}
    assert json.loads(given["plugins"]) == ["my_blocks"]
    # Nobody knows whether it asks a model, so the form has what it may need.
    names = {parameter.name for parameter in compiled.parameters}
    assert names >= TEACHER_PARAMETERS | {"num_instructions_to_generate"}


def test_more_than_a_hundred_tasks_are_warned_of() -> None:
    blocks = [column_filter(f"keep_{i}") for i in range(100)]  # and the task that loads the rows
    (warning,) = compile_pipeline(pipeline(*blocks)).warnings
    assert "101 tasks" in warning.message
    assert compile_pipeline(pipeline(*blocks[:99])).warnings == ()


def test_a_pipeline_without_blocks_is_refused() -> None:
    with pytest.raises(SpecError, match="no blocks"):
        compile_pipeline(PipelineSpec(()))


def test_a_setting_that_is_missing_is_named() -> None:
    spec = pipeline(BlockSpec("keep", "FilterByValueBlock", {"filter_column": "score"}))
    with pytest.raises(SpecError, match=r"block 'keep'.*filter_value"):
        compile_pipeline(spec)


def test_the_dashboard_is_told_the_name_and_the_blocks() -> None:
    info = documents(compile_pipeline(pipeline(llm(), column_filter()), name="My Demo"))[0][
        "pipelineInfo"
    ]
    assert info["name"] == "my-demo"
    assert info["displayName"] == "My Demo"
    assert "1. gen_q (LLMBlock)" in info["description"]
    assert "2. keep (FilterByValueBlock)" in info["description"]


def test_a_description_of_ones_own_is_used() -> None:
    compiled = compile_pipeline(pipeline(column_filter()), description="Keeps the good rows.")
    assert documents(compiled)[0]["pipelineInfo"]["description"] == "Keeps the good rows."


def test_fifty_blocks_compile() -> None:
    compiled = compile_pipeline(pipeline(*(llm(f"gen_{i}") for i in range(50))))
    assert len(tasks(compiled)) == 51


def test_what_is_written_loads_as_a_kfp_component() -> None:
    from kfp.components import load_component_from_text

    compiled = compile_pipeline(pipeline(llm("knowledge generation"), column_filter()))
    loaded = load_component_from_text(compiled.to_yaml())
    assert loaded.required_inputs == ["teacher_url"]


@pytest.mark.parametrize("name", ["keep", "Keep", "load"])
def test_a_task_is_not_taken_for_a_pipeline_of_its_name(name: str) -> None:
    from kfp.components import load_component_from_text

    compiled = compile_pipeline(pipeline(llm(), column_filter()), name=name)
    assert name.lower() not in tasks(compiled)
    assert {"keep", "Keep", "load"} & {t["taskInfo"]["name"] for t in tasks(compiled).values()}
    assert load_component_from_text(compiled.to_yaml()).required_inputs == ["teacher_url"]


COMPILE_AND_PRINT = """
import sys
sys.path.insert(0, "tests")
from compiling import column_filter, llm, pipeline
from kfp_sdg.compiler import compile_pipeline
spec = pipeline(llm(gen_kwargs={"n": "scaled"}), column_filter(), path=sys.argv[1])
compiled = compile_pipeline(spec)
print(compiled.to_yaml() + compiled.to_yaml("crd"))
"""


def compiled_elsewhere(path: str, **environment: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", COMPILE_AND_PRINT, path],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def test_the_same_pipeline_gives_the_same_bytes_in_any_process_and_any_folder() -> None:
    first = compiled_elsewhere("/here/demo.yaml", PYTHONHASHSEED="1")
    second = compiled_elsewhere(
        "/somewhere/else/demo.yaml",
        PYTHONHASHSEED="2",
        KFP_DISABLE_EXECUTION_CACHING_BY_DEFAULT="true",
    )
    assert "gen-q" in first
    assert second == first
