"""How a block wants its answers: the types of ``gen_kwargs``, ``parser_kwargs``, ``batch_kwargs``.

The schema, the command line's ``blocks show`` and the components are generated from these types.
"""

from __future__ import annotations

from typing import Any, Literal, TypedDict


class GenKwargs(TypedDict, total=False):
    """What goes into the request besides the prompt: the fields of OpenAI's two endpoints.

    Attributes:
        model: The model to ask, over every other setting.
        temperature: Sampling temperature; default 0. Text such as "0.7" is read as a number.
        max_tokens: Longest answer in tokens; default is the run's ``max_num_tokens``.
        n: Answers per row; ``scaled`` stands for the run's ``num_instructions_to_generate``.
        top_p: Share of the probability mass to sample from.
        stop: Text, or several, at which an answer ends.
        seed: Seed of the sampling.
        frequency_penalty: Penalty on tokens by how often they occurred.
        presence_penalty: Penalty on tokens that occurred.
        logprobs: Number of most likely tokens to report at each place (a chat server takes it as
            ``top_logprobs``).
        top_logprobs: The same under the name that chat servers use.
        logit_bias: Token id → bias from -100 to 100.
        best_of: How many answers the server makes to choose from.
        echo: Give the prompt back before the answer (completions only).
        suffix: Text that comes after the answer (completions only).
        max_completion_tokens: Longest answer with its reasoning (chat only).
        reasoning_effort: How long a reasoning model thinks (chat only).
        verbosity: How long a model's answers are (chat only).
        response_format: The form of an answer, such as a JSON schema (chat only).
        user: A name for the end user.
        extra_body: Further fields of the request body, such as vLLM's ``structured_outputs``.
        constrain: Send a grammar so that answers parse; default is the run's own choice. Not part
            of the request.
    """

    model: str
    temperature: float | str
    max_tokens: int | str
    n: int | Literal["scaled"]
    top_p: float
    stop: str | list[str]
    seed: int
    frequency_penalty: float
    presence_penalty: float
    logprobs: int | bool
    top_logprobs: int
    logit_bias: dict[str, float]
    best_of: int
    echo: bool
    suffix: str
    max_completion_tokens: int
    reasoning_effort: str
    verbosity: str
    response_format: dict[str, Any]
    user: str
    extra_body: dict[str, Any]
    constrain: bool


class ParserKwargs(TypedDict, total=False):
    """How an answer becomes rows when the prompt config's tags are not enough.

    Attributes:
        parser_name: ``custom`` for a parser of one's own; left out, the tags of the prompt config.
        parsing_pattern: Regular expression with one group per output column; each match is a row.
            A dot also matches a line break.
        parser_cleanup_tags: Texts to remove from every value.
    """

    parser_name: Literal["custom"] | None
    parsing_pattern: str | None
    parser_cleanup_tags: list[str] | None


class BatchKwargs(TypedDict, total=False):
    """What InstructLab's pipelines say about batches.

    Attributes:
        num_samples: Value of a column ``num_samples`` for the prompt, unless the rows have one.
        batched: Accepted for old pipelines; has no effect.
    """

    num_samples: int | None
    batched: bool
