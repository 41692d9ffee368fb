"""LLMLogProbBlock: the probabilities of the teacher's tokens."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from kfp_sdg.blocks.account import Rejection
from kfp_sdg.blocks.base import register
from kfp_sdg.blocks.generation import (
    BatchKwargs,
    GenKwargs,
    ParserKwargs,
)
from kfp_sdg.blocks.prompting import PromptingBlock

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kfp_sdg.blocks.context import PipelineContext
    from kfp_sdg.prompts import Parser, PromptConfig
    from kfp_sdg.spec import PipelineSpec
    from kfp_sdg.teacher import Choice

MOST_LIKELY = 10
"""Tokens reported at each place where the block does not say."""

IMPOSSIBLE = -9999.0
"""What vLLM reports for a probability of 0; JSON has no minus infinity."""


@register("LLMLogProbBlock")
class LLMLogProbBlock(PromptingBlock):
    """Ask as LLMBlock does and keep the log-probabilities of the generated tokens as JSON text.

    The text is a list with one object per token: ``{"token": str, "logprob": float, "top":
    [[str, float], …]}``, where ``top`` holds the most likely tokens at that place, best first. The
    logarithms are natural ones. The answer itself is the tokens joined.

    Args:
        config_path: The prompt config: a YAML file with the parts of the prompt.
        output_cols: The column for the JSON text; only the first one is used.
        model_id: The model to ask; a run's own model comes first, unless the run names an endpoint
            for this one.
        model_family: The chat format: granite, merlinite, mixtral, mistral, llama, blank, or chat
            for messages to /v1/chat/completions; a run's own comes first where its model does.
            Guessed from the model.
        model_prompt: A chat format of one's own, a template with {{prompt}}; empty text sends the
            bare prompt.
        gen_kwargs: Fields of the request; logprobs says how many tokens to report at each place,
            default 10.
        parser_kwargs: Accepted as for LLMBlock; has no effect, since no text is parsed.
        batch_kwargs: num_samples, a number for the prompt.
    """

    def __init__(
        self,
        ctx: PipelineContext,
        pipe: PipelineSpec,
        block_name: str,
        config_path: str,
        output_cols: list[str],
        model_id: str | None = None,
        model_family: str | None = None,
        model_prompt: str | None = None,
        gen_kwargs: GenKwargs | None = None,
        parser_kwargs: ParserKwargs | None = None,
        batch_kwargs: BatchKwargs | None = None,
    ) -> None:
        wanted: GenKwargs = gen_kwargs or {}
        if "top_logprobs" not in wanted and wanted.get("logprobs", True) is True:
            wanted = {**wanted, "logprobs": MOST_LIKELY}
        super().__init__(
            ctx,
            pipe,
            block_name,
            config_paths={"": config_path},
            output_cols=output_cols[:1],
            model_id=model_id,
            model_family=model_family,
            model_prompt=model_prompt,
            gen_kwargs=wanted,
            parser_kwargs=parser_kwargs,
            batch_kwargs=batch_kwargs,
        )

    def parser(self, config: PromptConfig) -> Parser | None:
        """Return None: the tokens are kept as they are."""
        return None

    def read_choice(
        self, row: Mapping[str, Any], key: str, choice: Choice
    ) -> tuple[Sequence[Mapping[str, Any]], Rejection | None]:
        """Return the token probabilities of one answer as JSON text."""
        if choice.logprobs is None:
            message = "the server reports no log-probabilities"
            return (), Rejection(row, "teacher", message, choice.text)
        tokens = [
            {
                "token": t.token,
                "logprob": max(t.logprob, IMPOSSIBLE),
                "top": [(token, max(logprob, IMPOSSIBLE)) for token, logprob in t.top],
            }
            for t in choice.logprobs
        ]
        return [{self.output_cols[0]: json.dumps(tokens, ensure_ascii=False)}], None
