"""LLMLogProbBlock: the probabilities of the teacher's tokens."""

from __future__ import annotations

from kfp_sdg.blocks.base import register
from kfp_sdg.blocks.llm import LLMBlock


@register("LLMLogProbBlock")
class LLMLogProbBlock(LLMBlock):
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
            for messages to /v1/chat/completions; a run's own comes first. Guessed from the model.
        model_prompt: A chat format of one's own, a template with {{prompt}}; empty text sends the
            bare prompt.
        gen_kwargs: Fields of the request; logprobs says how many tokens to report at each place,
            default 10.
        parser_kwargs: Accepted as for LLMBlock; has no effect, since no text is parsed.
        batch_kwargs: num_samples, a number for the prompt.
    """
