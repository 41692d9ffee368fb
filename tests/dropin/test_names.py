"""The public names of instructlab-sdg: modules, signatures, defaults."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import os
import subprocess
import sys
from importlib import resources
from typing import Any

import pytest

import instructlab.sdg
from instructlab.sdg import PipelineContext
from kfp_sdg.blocks.catalog import BUILTIN_BLOCKS

ALL = [
    "Block",
    "BlockConfigParserError",
    "BlockRegistry",
    "CombineColumnsBlock",
    "ConditionalLLMBlock",
    "DuplicateColumnsBlock",
    "EmptyDatasetError",
    "FilterByValueBlock",
    "FilterByValueBlockError",
    "FlattenColumnsBlock",
    "GenerateException",
    "IterBlock",
    "LLMBlock",
    "LLMLogProbBlock",
    "LLMMessagesBlock",
    "Pipeline",
    "PipelineBlockError",
    "PipelineConfigParserError",
    "PipelineContext",
    "PromptRegistry",
    "RenameColumnsBlock",
    "SamplePopulatorBlock",
    "SelectorBlock",
    "SetToMajorityValueBlock",
    "FULL_PIPELINES_PACKAGE",
    "SIMPLE_PIPELINES_PACKAGE",
    "LLAMA_PIPELINES_PKG",
]

NEEDED = inspect.Parameter.empty
EVERY_BLOCK = {"ctx": NEEDED, "pipe": NEEDED, "block_name": NEEDED}
ASKING = {
    "model_id": None,
    "model_family": None,
    "model_prompt": None,
    "gen_kwargs": {},
    "parser_kwargs": {},
    "batch_kwargs": {},
}
CONTEXT = {
    "client": NEEDED,
    "model_family": None,
    "model_id": None,
    "num_instructions_to_generate": None,
    "dataset_num_procs": 8,
    "checkpoint_dir": None,
    "save_freq": 1,
    "max_num_tokens": 4096,
    "batch_size": 8,
    "batch_num_workers": None,
}

SIGNATURES: dict[str, dict[str, Any]] = {
    "blocks.block.Block": EVERY_BLOCK,
    "blocks.filterblock.FilterByValueBlock": {
        **EVERY_BLOCK,
        "filter_column": NEEDED,
        "filter_value": NEEDED,
        "operation": NEEDED,
        "convert_dtype": None,
        "default_value": None,
    },
    "blocks.iterblock.IterBlock": {**EVERY_BLOCK, "num_iters": NEEDED, "block_type": NEEDED},
    "blocks.llmblock.LLMBlock": {
        **EVERY_BLOCK,
        "config_path": NEEDED,
        "output_cols": NEEDED,
        **ASKING,
    },
    "blocks.llmblock.ConditionalLLMBlock": {
        **EVERY_BLOCK,
        "config_paths": NEEDED,
        "output_cols": NEEDED,
        "selector_column_name": NEEDED,
        **ASKING,
    },
    "blocks.llmblock.LLMLogProbBlock": {
        **EVERY_BLOCK,
        "config_path": NEEDED,
        "output_cols": NEEDED,
        **ASKING,
    },
    "blocks.llmblock.LLMMessagesBlock": {
        **EVERY_BLOCK,
        "input_col": NEEDED,
        "output_col": NEEDED,
        "model_id": None,
        "gen_kwargs": {},
    },
    "blocks.utilblocks.SamplePopulatorBlock": {
        **EVERY_BLOCK,
        "config_paths": NEEDED,
        "column_name": NEEDED,
        "post_fix": "",
    },
    "blocks.utilblocks.SelectorBlock": {
        **EVERY_BLOCK,
        "choice_map": NEEDED,
        "choice_col": NEEDED,
        "output_col": NEEDED,
    },
    "blocks.utilblocks.CombineColumnsBlock": {
        **EVERY_BLOCK,
        "columns": NEEDED,
        "output_col": NEEDED,
        "separator": "\n\n",
    },
    "blocks.utilblocks.FlattenColumnsBlock": {
        **EVERY_BLOCK,
        "var_cols": NEEDED,
        "value_name": NEEDED,
        "var_name": NEEDED,
    },
    "blocks.utilblocks.DuplicateColumnsBlock": {**EVERY_BLOCK, "columns_map": NEEDED},
    "blocks.utilblocks.RenameColumnsBlock": {**EVERY_BLOCK, "columns_map": NEEDED},
    "blocks.utilblocks.SetToMajorityValueBlock": {**EVERY_BLOCK, "col_name": NEEDED},
    "pipeline.Pipeline": {
        "ctx": NEEDED,
        "config_path": NEEDED,
        "chained_blocks": NEEDED,
        "auxiliary_inst": None,
    },
    "pipeline.Pipeline.from_file": {"ctx": NEEDED, "pipeline_yaml": NEEDED},
    "pipeline.Pipeline.generate": {"self": NEEDED, "dataset": NEEDED, "checkpoint_name": None},
    "pipeline.PipelineContext": CONTEXT,
    "pipeline.PipelineBlockError": {
        "exception": NEEDED,
        "block": None,
        "block_name": None,
        "block_type": None,
    },
    "checkpointing.Checkpointer": {"checkpoint_dir": None, "save_freq": 1},
    "checkpointing.Checkpointer.checkpoint": {"self": NEEDED, "dataset": NEEDED},
    "checkpointing.Checkpointer.load": {"self": NEEDED, "dataset": NEEDED},
    "registry.BlockRegistry.register": {"block_name": NEEDED},
    "registry.BlockRegistry.get_registry": {},
    "registry.PromptRegistry.register": {"names": NEEDED},
    "registry.PromptRegistry.get_template": {"name": NEEDED},
    "registry.PromptRegistry.template_from_string": {"template_str": NEEDED},
    "blocks.llmblock.server_supports_batched": {"client": NEEDED, "model_id": NEEDED},
    "utils.models.get_model_family": {"model_family": NEEDED, "model_path": NEEDED},
    "utils.json.jdump": {"obj": NEEDED, "f": NEEDED, "mode": "w", "indent": 4, "default": str},
    "utils.json.jload": {"f": NEEDED, "mode": "r"},
    "utils.json.jldump": {"data": NEEDED, "out": NEEDED},
    "utils.json.jlload": {"f": NEEDED, "mode": "r"},
    "utils.logging.setup_logger": {"level": "DEBUG"},
    "utils.pandas.dataset_from_pandas_dataframe": {"data_frame": NEEDED},
}


def found(name: str) -> Any:
    """Return what a dotted name below instructlab.sdg stands for."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            value = importlib.import_module(".".join(["instructlab.sdg", *parts[:length]]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            value = getattr(value, part)
        return value
    raise AssertionError(name)


@pytest.mark.parametrize("name", ALL)
def test_every_public_name_is_there(name):
    assert name in instructlab.sdg.__all__
    assert getattr(instructlab.sdg, name) is not None


@pytest.mark.parametrize("name", SIGNATURES)
def test_a_signature_is_instructlabs(name):
    parameters = inspect.signature(found(name)).parameters.values()
    kept = [p for p in parameters if p.kind is not p.VAR_KEYWORD]
    assert [p.name for p in kept] == list(SIGNATURES[name])
    assert {p.name: p.default for p in kept} == SIGNATURES[name]
    only_by_name = {p.name for p in kept if p.kind is p.KEYWORD_ONLY}
    assert only_by_name <= {"block", "block_name", "block_type"}
    assert not only_by_name or name == "pipeline.PipelineBlockError"


def test_a_context_has_the_fields_in_their_order_and_its_constants():
    fields = [field.name for field in dataclasses.fields(PipelineContext)]
    assert fields == list(CONTEXT)
    assert PipelineContext.DEFAULT_BATCH_SIZE == PipelineContext.DEFAULT_DATASET_NUM_PROCS == 8
    assert PipelineContext(None).batching_enabled
    assert not PipelineContext(None, batch_size=0).batching_enabled
    assert not PipelineContext(None, batch_num_workers=1).batching_enabled
    with pytest.raises(TypeError):
        _ = PipelineContext(None, batch_size=None).batching_enabled


@pytest.mark.parametrize(
    ("package", "file"),
    [
        (instructlab.sdg.FULL_PIPELINES_PACKAGE, "knowledge.yaml"),
        (instructlab.sdg.SIMPLE_PIPELINES_PACKAGE, "freeform_skills.yaml"),
        (instructlab.sdg.LLAMA_PIPELINES_PKG, "grounded_skills.yaml"),
        ("instructlab.sdg.pipelines.eval", "mmlu_bench.yaml"),
        ("instructlab.sdg.pipelines", "full/knowledge.yaml"),
        ("instructlab.sdg.configs.knowledge", "mcq_generation.yaml"),
        ("instructlab.sdg.configs", "skills/contexts.yaml"),
    ],
)
def test_the_pipelines_that_ship_are_resources_of_the_packages_of_their_names(package, file):
    with resources.as_file(resources.files(package).joinpath(file)) as path:
        assert path.read_text().strip()
    assert os.path.isfile(os.path.join(resources.files(package), file))


def test_every_block_type_is_registered_once_the_package_is_imported():
    registered = "import instructlab.sdg as s; print(sorted(s.BlockRegistry.get_registry()))"
    printed = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {sys.path!r}; {registered}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(BUILTIN_BLOCKS) <= set(eval(printed.stdout))
    assert printed.stderr == ""


@pytest.mark.parametrize("module", ["subset_select", "subset_selection", "encoders"])
def test_what_is_left_out_says_so(module):
    with pytest.raises(ImportError, match=r"no subset selection.*original instructlab-sdg"):
        importlib.import_module(f"instructlab.sdg.{module}")


def test_the_registries_are_those_of_kfp_sdg():
    from instructlab.sdg.registry import BlockRegistry, PromptRegistry
    from kfp_sdg.blocks import BlockRegistry as Blocks
    from kfp_sdg.prompts import PromptRegistry as Prompts

    assert BlockRegistry is Blocks
    assert PromptRegistry is Prompts
    with pytest.raises(KeyError, match="no chat format 'nobody'"):
        PromptRegistry.get_template("nobody")
