"""The JSON of the stub teacher's answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def model_list(names: Sequence[str]) -> dict[str, Any]:
    """Return what ``/v1/models`` says."""
    return {"object": "list", "data": [{"id": name, "object": "model"} for name in names]}


def text_choice(
    index: int, text: str | None, body: Mapping[str, Any], reason: str = "stop"
) -> dict[str, Any]:
    """Return a choice of ``/v1/completions``."""
    k = body.get("logprobs")
    logprobs = None
    if k is not None:
        tokens = (text or "").split()
        logprobs = {
            "tokens": tokens,
            "token_logprobs": [-0.5] * len(tokens),
            "top_logprobs": [dict(_rivals(token, k)) for token in tokens],
            "text_offset": [0] * len(tokens),
        }
    return {"index": index, "text": text, "logprobs": logprobs, "finish_reason": reason}


def chat_choice(
    index: int, text: str | None, body: Mapping[str, Any], reason: str = "stop"
) -> dict[str, Any]:
    """Return a choice of ``/v1/chat/completions``."""
    logprobs = None
    if body.get("logprobs"):
        k = body.get("top_logprobs") or 0
        content = [
            {
                "token": token,
                "logprob": -0.5,
                "top_logprobs": [{"token": t, "logprob": p} for t, p in _rivals(token, k)],
            }
            for token in (text or "").split()
        ]
        logprobs = {"content": content}
    return {
        "index": index,
        "message": {"role": "assistant", "content": text},
        "logprobs": logprobs,
        "finish_reason": reason,
    }


def _rivals(token: str, k: int) -> list[tuple[str, float]]:
    """Return the token and its k - 1 rivals, best first."""
    return [(token if i == 0 else f"{token}~{i}", -0.5 - i) for i in range(k)]
