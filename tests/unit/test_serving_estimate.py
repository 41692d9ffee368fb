"""How many GPUs a teacher needs: the formula by hand, and what it refuses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfp_sdg.cluster.serving.estimate import (
    GIB,
    Need,
    WeightType,
    can_be_cut,
    checked_estimate,
    estimate,
    estimate_lines,
    fewest_gpus,
    token_bytes,
)
from kfp_sdg.cluster.serving.models import (
    ModelShape,
    known_model,
    known_models,
    model_of_config,
)
from kfp_sdg.errors import SpecError

if TYPE_CHECKING:
    from pathlib import Path


def shape(name: str) -> ModelShape:
    found = known_model(name)
    assert found is not None
    return found


def need(name: str, **options: Any) -> Need:
    defaults: dict[str, Any] = {"weights": WeightType.BFLOAT16, "context": 8192}
    return Need(shape(name), **{**defaults, **options})


MIXTRAL = "mixtral-8x7b-instruct"


def test_a_tokens_cache_is_keys_and_values_of_every_layer_and_head() -> None:
    assert token_bytes(shape(MIXTRAL)) == 2 * 32 * 8 * 128 * 2 == 131_072


def test_key_value_heads_are_cut_among_gpus_and_repeated_when_there_are_more_gpus() -> None:
    qwen = shape("Qwen2.5-72B-Instruct")  # 8 of them
    assert [token_bytes(qwen, gpus) for gpus in (1, 2, 8)] == [327_680, 163_840, 40_960]
    assert token_bytes(qwen, 16) == token_bytes(qwen, 8)


def test_mixtral_in_16_bits_is_87_gib_and_takes_two_gpus_of_80() -> None:
    found = fewest_gpus(need(MIXTRAL))
    assert found.gpus == 2
    assert found.weights * 2 == pytest.approx(46.7e9 * 2 / GIB)
    assert found.cache * 2 == pytest.approx(16 * 8192 * 131_072 / GIB) == pytest.approx(16)
    assert found.total < found.usable == pytest.approx(73.6)


@pytest.mark.parametrize(
    ("name", "options", "gpus"),
    [
        ("mistral-7b-instruct", {}, 1),
        ("mistral-7b-instruct", {"gpu_memory": 24}, 2),
        ("mistral-7b-instruct", {"gpu_memory": 24, "sequences": 2}, 1),
        (MIXTRAL, {"weights": WeightType.FP8}, 1),
        (MIXTRAL, {"weights": WeightType.INT4, "gpu_memory": 48, "sequences": 8}, 1),
        (MIXTRAL, {"gpu_memory": 40}, 4),
        ("Llama-3.3-70B-Instruct", {}, 4),
        ("Llama-3.1-405B-Instruct", {"weights": WeightType.FP8}, 8),
    ],
)
def test_the_fewest_gpus_that_do(name: str, options: dict[str, Any], gpus: int) -> None:
    assert fewest_gpus(need(name, **options)).gpus == gpus


def test_what_does_not_fit_on_a_node_is_refused_with_ways_out() -> None:
    with pytest.raises(SpecError, match="does not fit on 8 GPUs of 80 GiB") as caught:
        fewest_gpus(need("Llama-3.1-405B-Instruct"))
    assert "--dtype fp8" in str(caught.value)


def test_gpus_that_heads_cannot_be_shared_among_are_refused() -> None:
    with pytest.raises(SpecError, match="3 GPUs cannot share the 32 attention heads") as caught:
        checked_estimate(need(MIXTRAL), 3)
    assert "one of 1, 2, 4, 8" in str(caught.value)
    with pytest.raises(SpecError, match=r"one of 1, 2, 4$"):
        checked_estimate(need("Qwen2.5-7B-Instruct"), 8)  # 28 heads, 4 of keys and values


def test_too_few_gpus_are_refused_when_no_request_of_full_length_fits() -> None:
    with pytest.raises(SpecError, match="not even its weights fit"):
        checked_estimate(need(MIXTRAL), 1)
    with pytest.raises(SpecError, match=r"room for 4\d,\d{3} tokens, and one request may have 65,"):
        checked_estimate(need("mistral-7b-instruct", context=65_536, gpu_memory=24), 1)


def test_fewer_requests_than_asked_for_are_a_doubt_and_no_error() -> None:
    found = checked_estimate(need("mistral-7b-instruct", gpu_memory=24), 1)
    assert not found.fits
    assert 8192 <= found.cache_tokens < 16 * 8192


@given(
    name=st.sampled_from(known_models()),
    gpus=st.sampled_from([1, 2, 4, 8]),
    context=st.integers(256, 32_768),
    weights=st.sampled_from(list(WeightType)),
)
def test_more_gpus_and_smaller_weights_never_need_more_of_a_gpu(
    name: str, gpus: int, context: int, weights: WeightType
) -> None:
    one = estimate(need(name, context=context, weights=weights), gpus)
    more = estimate(need(name, context=context, weights=weights), gpus * 2)
    assert more.weights < one.weights
    assert more.cache <= one.cache
    assert estimate(need(name, context=context), gpus).total >= one.total
    room = one.cache_tokens * token_bytes(one.need.shape, gpus) / GIB
    assert one.weights + one.overhead + room <= max(one.usable, one.weights + one.overhead)


def test_an_estimate_reads_as_a_sum() -> None:
    text = "\n".join(estimate_lines(fewest_gpus(need(MIXTRAL, adapters=2))))
    assert "on 2 GPUs of 80 GiB; in GiB on each:" in text
    assert "46.7B parameters × 2 bytes (bfloat16)" in text
    assert "16 requests × 8,192 tokens × 128 KiB" in text
    assert "2 adapters" in text
    assert "of 73.6 GiB that vLLM may take (92%)" in text


def test_every_known_model_can_be_cut_for_one_gpu_and_is_found_by_its_names() -> None:
    for name in known_models():
        found = shape(name)
        assert can_be_cut(found, 1)
        assert found.heads % found.kv_heads == 0
        assert known_model(name.partition("/")[2].upper()) == found
    assert known_model("nobody/nothing") is None


MIXTRAL_CONFIG = {
    "hidden_size": 4096,
    "intermediate_size": 14336,
    "max_position_embeddings": 32768,
    "num_attention_heads": 32,
    "num_hidden_layers": 32,
    "num_key_value_heads": 8,
    "num_local_experts": 8,
    "vocab_size": 32000,
}
QWEN_CONFIG = {
    "hidden_size": 896,
    "intermediate_size": 4864,
    "max_position_embeddings": 32768,
    "num_attention_heads": 14,
    "num_hidden_layers": 24,
    "num_key_value_heads": 2,
    "tie_word_embeddings": True,
    "vocab_size": 151936,
}


@pytest.mark.parametrize(
    ("config", "known"),
    [(MIXTRAL_CONFIG, MIXTRAL), (QWEN_CONFIG, "Qwen2.5-0.5B-Instruct")],
    ids=["mixtral", "qwen"],
)
def test_a_config_gives_the_numbers_of_the_table(
    config: dict[str, Any], known: str, tmp_path: Path
) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps(config))
    read, table = model_of_config(file, "x"), shape(known)
    assert read.parameters == pytest.approx(table.parameters, rel=0.002)
    assert (read.layers, read.heads, read.kv_heads, read.head_dim, read.context) == (
        table.layers,
        table.heads,
        table.kv_heads,
        table.head_dim,
        table.context,
    )


def test_a_model_that_sees_has_its_language_part_in_its_config(tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"text_config": MIXTRAL_CONFIG, "vision_config": {}}))
    assert model_of_config(file, "x", 5e9).parameters == 5e9


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is no JSON"),
        ("[]", "is no mapping"),
        ("{}", "has no hidden_size"),
        (json.dumps({**QWEN_CONFIG, "num_hidden_layers": "24"}), "has '24' as num_hidden_layers"),
        (json.dumps({**QWEN_CONFIG, "vocab_size": 0}), "has 0 as vocab_size"),
    ],
)
def test_a_config_that_is_none_is_refused_by_name(text: str, said: str, tmp_path: Path) -> None:
    file = tmp_path / "config.json"
    file.write_text(text)
    with pytest.raises(SpecError, match=said) as caught:
        model_of_config(file, "x")
    assert str(file) in str(caught.value)
