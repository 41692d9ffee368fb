"""The signatures of the workflow's functions and classes."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import pytest

NEEDED = inspect.Parameter.empty
SIGNATURES: dict[str, dict[str, Any]] = {
    "generate_data.generate_data": {
        "client": NEEDED,
        "logger": ...,
        "system_prompt": None,
        "use_legacy_pretraining_format": True,
        "model_family": None,
        "model_name": None,
        "num_cpus": None,
        "num_instructions_to_generate": 30,
        "taxonomy": None,
        "taxonomy_base": None,
        "output_dir": None,
        "console_output": True,
        "yaml_rules": None,
        "chunk_word_count": None,
        "server_ctx_size": None,
        "pipeline": "simple",
        "batch_size": None,
        "checkpoint_dir": None,
        "max_num_tokens": 4096,
    },
    "generate_data.preprocess_taxonomy": {
        "taxonomy_dir": NEEDED,
        "output_dir": NEEDED,
        "chunk_word_count": 1000,
        "server_ctx_size": 4096,
        "taxonomy_base": "empty",
        "teacher_model_path": None,
        "yaml_rules": None,
        "test_output_file": None,
        "system_prompt": None,
    },
    "generate_data.generate_taxonomy": {
        "client": NEEDED,
        "input_dir": NEEDED,
        "output_dir": NEEDED,
        "logger": ...,
        "model_family": None,
        "model_id": None,
        "num_cpus": None,
        "num_instructions_to_generate": 30,
        "console_output": True,
        "pipeline": "simple",
        "batch_size": None,
        "checkpoint_dir": None,
        "max_num_tokens": 4096,
    },
    "generate_data.generate_taxonomy_eval": {
        "client": NEEDED,
        "input_dir": NEEDED,
        "output_dir": NEEDED,
        "date_suffix": NEEDED,
        "model_family": None,
        "model_id": None,
        "num_cpus": None,
        "num_instructions_to_generate": 30,
        "batch_size": None,
        "max_num_tokens": 4096,
    },
    "generate_data.postprocess_taxonomy": {
        "input_dir": NEEDED,
        "output_dir": NEEDED,
        "date_suffix": NEEDED,
        "pipeline": "simple",
        "num_procs": 8,
        "system_prompt": ...,
        "use_legacy_pretraining_format": True,
    },
    "generate_data.mix_datasets": {
        "recipe_file": NEEDED,
        "output_file": NEEDED,
        "num_proc": 8,
        "system_prompt": None,
    },
    "datamixing.Recipe": {"recipe_path": None, "sys_prompt": ""},
    "datamixing.Recipe.add_dataset": {"self": NEEDED, "path": NEEDED, "sampling_size": NEEDED},
    "datamixing.Recipe.save_recipe": {"self": NEEDED, "output_path": NEEDED},
    "datamixing.DataMixer": {
        "data_dirs": NEEDED,
        "output_dir": NEEDED,
        "date_suffix": NEEDED,
        "sys_prompt": NEEDED,
        "num_procs": NEEDED,
        "auxiliary_inst": None,
    },
    "utils.taxonomy.read_taxonomy": {
        "taxonomy": NEEDED,
        "taxonomy_base": NEEDED,
        "yaml_rules": None,
        "document_output_dir": None,
    },
    "utils.taxonomy.read_taxonomy_leaf_nodes": {
        "taxonomy": NEEDED,
        "taxonomy_base": NEEDED,
        "yaml_rules": NEEDED,
        "document_output_dir": None,
    },
    "eval_data.generate_eval_task_data": {
        "mmlubench_pipe": NEEDED,
        "task_name": NEEDED,
        "samples": NEEDED,
        "output_dir": NEEDED,
        "date_suffix": NEEDED,
    },
    "eval_data.mmlubench_pipe_init": {"ctx": NEEDED},
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_a_signature_is_instructlabs(name):
    *module, owner, attribute = ["instructlab", "sdg", *name.split(".")]
    try:
        found = getattr(importlib.import_module(".".join([*module, owner])), attribute)
    except ModuleNotFoundError:
        found = getattr(getattr(importlib.import_module(".".join(module)), owner), attribute)
    parameters = inspect.signature(found).parameters
    wanted = SIGNATURES[name]
    assert list(parameters) == list(wanted)
    for parameter, default in wanted.items():
        assert default is ... or parameters[parameter].default == default
