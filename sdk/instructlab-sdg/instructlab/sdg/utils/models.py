"""Model families: which chat format a model gets."""

from __future__ import annotations

import re

from instructlab.sdg.utils import GenerateException
from kfp_sdg.prompts import CHAT, PromptRegistry

DEFAULT_MODEL_FAMILY = "merlinite"


def get_model_family(model_family: str | None, model_path: str | None) -> str:
    """Return the family of a model.

    Args:
        model_family: The family somebody asks for; ``chat`` leaves the format to the server.
        model_path: The model's id or path, from whose first word a family is guessed.

    Returns:
        The family asked for, else the guess if there is such a family, else
        ``DEFAULT_MODEL_FAMILY``.

    Raises:
        GenerateException: There is no family of the name that was asked for.
    """
    known = PromptRegistry.get_registry()
    if model_family:
        if model_family not in known and model_family != CHAT:
            families = ", ".join(sorted({*known, CHAT}))
            raise GenerateException(
                f"Unknown model family: {model_family}; expected one of {families}"
            )
        return model_family
    first_word = re.match(r"\w*", (model_path or "").rsplit("/", 1)[-1])
    guess = first_word.group().lower() if first_word else ""
    return guess if guess in known else DEFAULT_MODEL_FAMILY
