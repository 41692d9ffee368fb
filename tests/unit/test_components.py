from __future__ import annotations

import importlib
import inspect
import re

import pytest
import yaml

from kfp_sdg.blocks.catalog import BUILTIN_BLOCKS, block_class
from kfp_sdg.components.build import ROOT, component_folders, is_fresh, load_component
from kfp_sdg.components.image import component_image
from kfp_sdg.runtime.encoding import config_inputs

FOLDERS = list(component_folders())
KFP_TYPES = {
    "text": "String",
    "json": "String",
    "integer": "Integer",
    "number": "Double",
    "boolean": "Boolean",
}
COMMON = {
    "rows": ("Dataset", None),
    "block_name": ("String", None),
    "drop_columns": ("String", "[]"),
    "drop_duplicates": ("String", "[]"),
}
OPTIONAL = {
    "max_rejected": ("String", "5%"),
    "files": ("String", "{}"),
    "plugins": ("String", "[]"),
}
TEACHER = {
    "teacher_url": ("String", None),
    "model_id": ("String", ""),
    "model_family": ("String", ""),
    "teacher_endpoints": ("String", "{}"),
    "num_instructions_to_generate": ("Integer", 30),
    "max_num_tokens": ("Integer", 4096),
    "max_concurrency": ("Integer", 0),
    "teacher_patience": ("Integer", 600),
    "teacher_timeout": ("Integer", 600),
    "checkpoint_uri": ("String", ""),
    "checkpoint_folder": ("String", ""),
    "constrain": ("Boolean", False),
}
RESERVED = {  # a resource setting from a pipeline parameter silently replaces inputs of these names
    "cpu_limit",
    "cpu_request",
    "memory_limit",
    "memory_request",
    "accelerator_type",
    "accelerator_count",
    "base_image",
}


def block_folder(block_type):
    return f"blocks/{BUILTIN_BLOCKS[block_type].rpartition('.')[2]}"


def inputs_of(folder):
    inputs = load_component(folder).component_spec.inputs
    return {
        name: (entry.type if "." not in entry.type else entry.type.partition("@")[0][7:], entry)
        for name, entry in inputs.items()
    }


def test_every_block_type_has_a_component():
    assert {block_folder(name) for name in BUILTIN_BLOCKS} | {
        "blocks/custom",
        "datasets/empty",
        "datasets/load",
        "datasets/merge",
        "taxonomy/check_leaves",
        "taxonomy/postprocess",
        "taxonomy/preprocess",
        "teacher/preflight",
        "teacher/start",
        "teacher/stop",
    } == set(FOLDERS)


@pytest.mark.parametrize("block_type", BUILTIN_BLOCKS)
def test_a_components_inputs_are_the_settings_of_its_block(block_type):
    inputs = inputs_of(block_folder(block_type))
    for setting in config_inputs(block_class(block_type)):
        kind, entry = inputs.pop(setting.name)
        assert kind == KFP_TYPES[setting.kind], setting.name
        assert entry.optional == (setting.default is not None), setting.name
        assert entry.default == setting.default, setting.name
    allowed = COMMON | TEACHER | OPTIONAL
    for name, (kind, entry) in inputs.items():
        expected_kind, default = allowed[name]
        assert kind == expected_kind, name
        if default is not None:
            assert entry.default == default, name
    assert COMMON.keys() <= inputs.keys()


@pytest.mark.parametrize("folder", [f for f in FOLDERS if f.startswith("blocks/")])
def test_a_block_component_asks_for_all_teacher_settings_or_for_none(folder):
    assert len(TEACHER.keys() & inputs_of(folder).keys()) in (0, len(TEACHER))


@pytest.mark.parametrize("folder", [f for f in FOLDERS if f.startswith("blocks/")])
def test_a_component_that_may_reject_rows_takes_a_limit_and_no_other_does(folder):
    column_blocks_that_reject = {"blocks/selector", "blocks/sample_populator"}
    inputs = inputs_of(folder)
    rejects = "teacher_url" in inputs or folder in column_blocks_that_reject
    assert ("max_rejected" in inputs) == rejects


@pytest.mark.parametrize("folder", [f for f in FOLDERS if f.startswith("blocks/")])
def test_a_block_component_gives_rows_rejected_rows_metrics_and_a_preview(folder):
    outputs = load_component(folder).component_spec.outputs
    assert {name: spec.type.partition("@")[0] for name, spec in outputs.items()} == {
        "output_rows": "system.Dataset",
        "rejected_rows": "system.Dataset",
        "metrics": "system.Metrics",
        "preview": "system.Markdown",
    }


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_compiled_component_is_fresh(folder):
    assert is_fresh(folder), "run: python -m kfp_sdg.components.build"


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_component_runs_in_our_image_and_installs_nothing(folder):
    compiled = yaml.safe_load((ROOT / folder / "component.yaml").read_text())
    (executor,) = compiled["deploymentSpec"]["executors"].values()
    assert executor["container"]["image"] == component_image(folder)
    assert "pip install" not in " ".join(executor["container"]["command"])


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_component_has_no_reserved_input_and_no_template_in_its_source(folder):
    assert not RESERVED & inputs_of(folder).keys()
    assert "{{" not in (ROOT / folder / "component.py").read_text()


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_input_is_described(folder):
    compiled = yaml.safe_load((ROOT / folder / "component.yaml").read_text())
    (component,) = compiled["components"].values()
    definitions = component.get("inputDefinitions", {})
    for entries in definitions.values():
        for name, entry in entries.items():
            assert entry.get("description"), name


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_readme_lists_every_input_as_the_component_declares_it(folder):
    readme = (ROOT / folder / "README.md").read_text()
    compiled = yaml.safe_load((ROOT / folder / "component.yaml").read_text())
    (component,) = compiled["components"].values()
    described = {
        name: entry["description"]
        for entries in component["inputDefinitions"].values()
        for name, entry in entries.items()
    }
    listed = dict(re.findall(r"^\| `(\w+)` \|.*\| ([^|]+) \|$", readme, re.MULTILINE))
    outputs = load_component(folder).component_spec.outputs or {}
    assert {k: v for k, v in listed.items() if k not in outputs} == described


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_readmes_say_of_a_component_what_it_says_of_itself(folder):
    docstring = inspect.getdoc(load_component(folder).python_func)
    said = docstring.partition("\n\nArgs:")[0].split()
    readme = (ROOT / folder / "README.md").read_text()
    overview = re.search(r"^## Overview .*?\n(.*?)^## ", readme, re.MULTILINE | re.DOTALL)
    assert overview is not None
    assert overview.group(1).split() == said
    category, name = folder.split("/")
    title = name.replace("_", " ").title()
    summary = " ".join(docstring.partition("\n\n")[0].split())
    line = f"- [{title}](./{name}/README.md): {summary}\n"
    assert line in (ROOT / category / "README.md").read_text()


@pytest.mark.parametrize("folder", FOLDERS)
def test_the_folder_name_is_the_metadata_name_and_one_component_is_exported(folder):
    metadata = yaml.safe_load((ROOT / folder / "metadata.yaml").read_text())
    assert metadata["name"] == folder.rpartition("/")[2]
    assert yaml.safe_load((ROOT / folder / "OWNERS").read_text())["approvers"]
    module = importlib.import_module(f"kfp_sdg.components.{folder.replace('/', '.')}")
    assert len(module.__all__) == 1
