"""What pipelines need of their teacher, read from their settings."""

from __future__ import annotations

import pytest

from kfp_sdg.engine.needs import BlockNeed, as_values, from_values, needs_of
from kfp_sdg.pipelines import shipped, shipped_names
from kfp_sdg.spec import load_pipeline
from kfp_sdg.spec.model import BlockSpec, ConfigFile, PipelineSpec

PROMPT = {
    "system": None,
    "introduction": "x" * 400,
    "principles": "",
    "examples": "",
    "generation": "{{document}} {% if a %}{% endif %}",
}


def need_of(kind, **config):
    block = BlockSpec("ask", kind, config)
    return needs_of([PipelineSpec((block,), {"p.yaml": ConfigFile("p.yaml", PROMPT)})])


def test_a_block_tells_its_model_its_longest_answer_and_the_text_of_every_prompt():
    (need,) = need_of(
        "LLMBlock",
        config_path="p.yaml",
        output_cols=["a"],
        model_id="mixtral",
        model_family="mixtral",
        gen_kwargs={"max_tokens": "512", "constrain": False},
    )
    assert need == BlockNeed(
        "ask",
        model_id="mixtral",
        model_family="mixtral",
        max_tokens=512,
        prompt_tokens=100,
        constrain=False,
    )


def test_the_model_of_gen_kwargs_comes_first_and_the_longest_of_several_prompts_counts():
    (need,) = need_of(
        "ConditionalLLMBlock",
        config_paths=[["p.yaml", "A"]],
        gen_kwargs={"model": "judge", "max_completion_tokens": 7},
    )
    assert (need.insisted, need.max_tokens, need.prompt_tokens) == ("judge", 7, 100)


def test_the_block_inside_an_iterblock_is_the_one_that_asks():
    (need,) = need_of("IterBlock", num_iters=2, block_type="LLMMessagesBlock", model_id="m")
    assert need.messages
    assert need.model_id == "m"
    assert not need_of("IterBlock", num_iters=2, block_type="RenameColumnsBlock")


def test_blocks_that_ask_nobody_need_nothing_and_custom_ones_are_known_by_their_settings():
    assert not need_of("RenameColumnsBlock", columns_map={"a": "b"})
    assert not need_of("acme.Sorter", by="a")
    assert need_of("acme.Judge", model_id="judge")[0].model_id == "judge"


BUILT_IN = [name for name in shipped_names() if "custom_block" not in name]


@pytest.mark.parametrize("name", BUILT_IN)
def test_needs_survive_the_way_through_json(name):
    needs = needs_of([load_pipeline(shipped(name))])
    assert from_values(as_values(needs)) == needs
    assert all("block" in value for value in as_values(needs))


def test_names_of_models_are_needs_too_and_floats_of_kfp_are_numbers():
    assert from_values(["a", {"block": "b", "max_tokens": 5.0}]) == (
        BlockNeed(insisted="a"),
        BlockNeed("b", max_tokens=5),
    )


@pytest.mark.parametrize("wrong", [7, "", {"modle": "x"}, {"max_tokens": "5"}, {"messages": 1}])
def test_anything_else_is_refused_and_shown(wrong):
    with pytest.raises(ValueError, match=r"7|''|modle|max_tokens|messages"):
        from_values([wrong])
