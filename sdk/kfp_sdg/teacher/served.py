"""What a server's ``/v1/models`` says: names, and how much fits into a context."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True, slots=True)
class ServedModel:
    """A model, or an adapter, that a server lists.

    Attributes:
        name: What requests call it.
        context: Tokens of prompt and answer together; None where the server does not say.
        trained_context: Tokens that the model was made for, of which a server may offer fewer.
        parent: The model that it is an adapter of; None for a model of its own.
        owner: Who the server says it is of: "vllm", "llamacpp".
    """

    name: str
    context: int | None = None
    trained_context: int | None = None
    parent: str | None = None
    owner: str | None = None


def read_listing(payload: Any) -> tuple[ServedModel, ...] | None:
    """Read the body of ``/v1/models``.

    vLLM lists each name and each adapter (with its ``parent``) as a model of its own and tells
    ``max_model_len``, of adapters none; llama.cpp lists one model with its other names beside it
    (``aliases``) and tells ``meta.n_ctx``, the tokens of one slot.

    Args:
        payload: The body's JSON value; None where it is no JSON.

    Returns:
        Each name once, in the server's order; None where this is no list of models.
    """
    listed = payload.get("data") if isinstance(payload, dict) else None
    if not isinstance(listed, list):
        return None
    found: dict[str, ServedModel] = {}
    for entry in listed:
        for model in _models_of(entry) if isinstance(entry, dict) else ():
            found.setdefault(model.name, model)
    return tuple(found.values())


def context_of(name: str, served: Iterable[ServedModel]) -> int | None:
    """Return a model's context in tokens, an adapter's that of its model; None if unknown.

    Args:
        name: The model.
        served: What its server lists.
    """
    by_name = {model.name: model for model in served}
    model = by_name.get(name)
    if model is not None and model.context is None and model.parent is not None:
        model = by_name.get(model.parent)
    return model.context if model else None


def _models_of(entry: Mapping[str, Any]) -> list[ServedModel]:
    meta = entry.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    names = [entry.get("id"), *(entry.get("aliases") or ())]
    return [
        ServedModel(
            name,
            context=_count(entry.get("max_model_len")) or _count(meta.get("n_ctx")),
            trained_context=_count(meta.get("n_ctx_train")),
            parent=_text(entry.get("parent")),
            owner=_text(entry.get("owned_by")),
        )
        for name in names
        if isinstance(name, str)
    ]


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
