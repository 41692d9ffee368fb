"""What of a model decides how much memory it takes: known models, and ``config.json`` files."""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kfp_sdg.errors import Position, Problem, SpecError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class ModelShape:
    """The numbers of a model that its memory comes from.

    Attributes:
        model: Its name on the Hugging Face Hub, or whatever it is called.
        parameters: How many parameters it has, those of all experts.
        layers: Its layers (``num_hidden_layers``).
        heads: Its attention heads, 0 where not known (``num_attention_heads``).
        kv_heads: Its heads of keys and values (``num_key_value_heads``).
        head_dim: The size of a head.
        context: The most tokens that it can look at (``max_position_embeddings``); 0: not known.
        service: What its InferenceService is called where nobody says; "": like the model.
    """

    model: str
    parameters: float
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    context: int = 0
    service: str = ""


def known_models() -> tuple[str, ...]:
    """Return the names of the models whose numbers are known here."""
    return tuple(shape.model for shape in _KNOWN)


def known_model(name: str) -> ModelShape | None:
    """Return a known model's numbers.

    Args:
        name: Its name on the Hub, that name's last part, or its service's name, in any case.
    """
    wanted = name.lower().rstrip("/")
    for shape in _KNOWN:
        full = shape.model.lower()
        if wanted in (full, full.rpartition("/")[2], shape.service or full):
            return shape
    return None


def unknown_model(name: str) -> SpecError:
    """Return the error for a model whose numbers are needed and not known."""
    short = {shape.model.lower().rpartition("/")[2]: shape.model for shape in _KNOWN}
    near = difflib.get_close_matches(name.lower().rpartition("/")[2], short, n=1)
    return SpecError(
        Problem(
            f"the model {name!r} is not known, so its memory cannot be estimated",
            Position("--model"),
            expected="--gpus N, 1 or more; --config FILE with its config.json; or --parameters "
            "46.7B --layers 32 --heads 32 --kv-heads 8 --head-dim 128",
            suggestion=f"did you mean {short[near[0]]}?" if near else None,
            code="unknown-model",
        )
    )


def model_of_config(path: Path, name: str, parameters: float | None = None) -> ModelShape:
    """Return the numbers of a model from its ``config.json``.

    Parameters, which are not in that file, are added up from the sizes of a decoder with gated
    feed-forward layers (Llama, Mistral, Qwen, Granite; Mixtral with its experts): embeddings in and
    out, and in each layer queries and outputs, keys and values, three matrices of each expert.
    Norms, biases and routers are left out: less than a thousandth of Mixtral-8x7B.

    Args:
        path: The file.
        name: What the model is called.
        parameters: How many it has, where somebody knows better.

    Raises:
        SpecError: The file cannot be read, or lacks a number.
    """
    config = _read_config(path)
    config = config.get("text_config", config)  # models that see have their language part in it
    numbers = {key: _number(config, key, path) for key in _NEEDED}
    hidden, heads = numbers["hidden_size"], numbers["num_attention_heads"]
    layers = numbers["num_hidden_layers"]
    kv_heads = _number(config, "num_key_value_heads", path, default=heads)
    head_dim = _number(config, "head_dim", path, default=hidden // heads)
    if parameters is None:
        experts = _number(config, "num_local_experts", path, default=1)
        attention = 2 * hidden * heads * head_dim + 2 * hidden * kv_heads * head_dim
        feed_forward = 3 * hidden * numbers["intermediate_size"] * experts
        tied = config.get("tie_word_embeddings", False)
        embeddings = numbers["vocab_size"] * hidden * (1 if tied else 2)
        parameters = float(embeddings + layers * (attention + feed_forward))
    context = _number(config, "max_position_embeddings", path, default=0)
    return ModelShape(name, parameters, layers, heads, kv_heads, head_dim, context)


_NEEDED = (
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "intermediate_size",
    "vocab_size",
)


def _read_config(path: Path) -> dict[str, Any]:
    """Return a JSON file that holds a mapping."""
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise _wrong(path, f"cannot be read: {error.strerror or error}") from None
    except ValueError as error:
        raise _wrong(path, f"is no JSON: {error}") from None
    if not isinstance(config, dict):
        raise _wrong(path, "is no mapping")
    return config


def _number(config: dict[str, Any], key: str, path: Path, default: int | None = None) -> int:
    """Return a whole number of a config; a null counts as missing."""
    value = config.get(key)
    if value is None:
        if default is not None:
            return default
        raise _wrong(path, f"has no {key}")
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise _wrong(path, f"has {value!r} as {key}")
    return value


def _wrong(path: Path, message: str) -> SpecError:
    """Return the error for a config.json."""
    return SpecError(
        Problem(
            f"the model's configuration {message}",
            Position(str(path)),
            expected="the config.json that lies beside a model's weights",
        )
    )


# From the config.json and the safetensors index of each repository.
_KNOWN = (
    ModelShape(
        "mistralai/Mixtral-8x7B-Instruct-v0.1",
        46.7e9,
        32,
        32,
        8,
        128,
        32_768,
        "mixtral-8x7b-instruct",
    ),
    ModelShape(
        "mistralai/Mistral-7B-Instruct-v0.2", 7.24e9, 32, 32, 8, 128, 32_768, "mistral-7b-instruct"
    ),
    ModelShape("mistralai/Mistral-7B-Instruct-v0.3", 7.25e9, 32, 32, 8, 128, 32_768),
    ModelShape("mistralai/Mixtral-8x22B-Instruct-v0.1", 140.6e9, 56, 48, 8, 128, 65_536),
    ModelShape("instructlab/merlinite-7b-lab", 7.24e9, 32, 32, 8, 128, 32_768),
    ModelShape("ibm-granite/granite-3.1-8b-instruct", 8.17e9, 40, 32, 8, 128, 131_072),
    ModelShape("meta-llama/Llama-3.1-8B-Instruct", 8.03e9, 32, 32, 8, 128, 131_072),
    ModelShape("meta-llama/Llama-3.3-70B-Instruct", 70.6e9, 80, 64, 8, 128, 131_072),
    ModelShape("meta-llama/Llama-3.1-405B-Instruct", 405.9e9, 126, 128, 8, 128, 131_072),
    ModelShape("Qwen/Qwen2.5-0.5B-Instruct", 0.494e9, 24, 14, 2, 64, 32_768),
    ModelShape("Qwen/Qwen2.5-7B-Instruct", 7.62e9, 28, 28, 4, 128, 32_768),
    ModelShape("Qwen/Qwen2.5-14B-Instruct", 14.8e9, 48, 40, 8, 128, 32_768),
    ModelShape("Qwen/Qwen2.5-32B-Instruct", 32.8e9, 64, 40, 8, 128, 32_768),
    ModelShape("Qwen/Qwen2.5-72B-Instruct", 72.7e9, 80, 64, 8, 128, 32_768),
    ModelShape("microsoft/phi-4", 14.7e9, 40, 40, 10, 128, 16_384),
)
