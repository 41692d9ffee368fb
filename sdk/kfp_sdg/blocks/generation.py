"""How a block wants its answers: the types of ``gen_kwargs``, ``parser_kwargs``, ``batch_kwargs``.

The schema, the command line's ``blocks show`` and the components are generated from these types.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NewType, TypedDict

from kfp_sdg.spec.scaling import Amount, whole_number

if TYPE_CHECKING:
    from collections.abc import Mapping

Scaled = NewType("Scaled", str)
"""A share of the scale factor: "scaled", "scaled*5/3"."""


class GenKwargs(TypedDict, total=False):
    """What goes into the request besides the prompt: the fields of OpenAI's two endpoints.

    Attributes:
        model: The model to ask, over every other setting.
        temperature: Sampling temperature; default 0. Text such as "0.7" is read as a number.
        max_tokens: Longest answer in tokens; default is the run's ``max_num_tokens``.
        n: Answers per row; ``scaled`` stands for the row's ``num_instructions_to_generate``, a
            column, or else the run's. ``scaled*A/B`` is that share of it, rounded up.
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
    n: int | Scaled
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
        num_samples: Value of a column ``num_samples`` for the prompt, unless the rows have one; may
            be ``scaled`` or ``scaled*A/B`` like ``n``.
        batched: Accepted for old pipelines; has no effect.
    """

    num_samples: int | Scaled | None
    batched: bool


@dataclass(frozen=True, slots=True)
class Generation:
    """A block's ``gen_kwargs``, read and completed with defaults.

    Attributes:
        model: The model that the block insists on, or None.
        n: Answers per row.
        constrain: Whether to send a grammar; None leaves it to the run.
        options: The other fields of the request; ``temperature`` and a limit of tokens are always
            among them.
    """

    model: str | None
    n: Amount
    constrain: bool | None
    options: Mapping[str, Any]

    @classmethod
    def read(cls, gen_kwargs: GenKwargs | None, *, max_num_tokens: int) -> Generation:
        """Read ``gen_kwargs``.

        Args:
            gen_kwargs: As the pipeline has them.
            max_num_tokens: The longest answer where the block does not say.

        Raises:
            ValueError: A number is none.
        """
        options: dict[str, Any] = {k: v for k, v in (gen_kwargs or {}).items() if v is not None}
        model = options.pop("model", None)
        n = Amount.read(options.pop("n", 1), "gen_kwargs.n")
        constrain = options.pop("constrain", None)
        options["temperature"] = _number(options.get("temperature", 0), "temperature")
        limit = "max_completion_tokens" if "max_completion_tokens" in options else "max_tokens"
        options[limit] = _count(options.get(limit, max_num_tokens), limit)
        return cls(model, n, constrain, options)

    @property
    def max_tokens(self) -> int:
        """The longest answer, in tokens."""
        limit = "max_completion_tokens" if "max_completion_tokens" in self.options else "max_tokens"
        return int(self.options[limit])

    def options_for(self, *, chat: bool) -> dict[str, Any]:
        """Return the fields of a request in the spelling of an endpoint.

        The two endpoints differ in log-probabilities: completions take their number as
        ``logprobs``; chat takes ``logprobs: true`` and the number as ``top_logprobs``.

        Args:
            chat: Whether the request goes to ``/v1/chat/completions``.
        """
        options = dict(self.options)
        wanted, top = options.pop("logprobs", None), options.pop("top_logprobs", None)
        if top is None and wanted is not None and not isinstance(wanted, bool):
            top = wanted
        if top is not None:
            options |= {"logprobs": True, "top_logprobs": top} if chat else {"logprobs": top}
        elif wanted:
            options["logprobs"] = True if chat else 1
        return options


def _count(value: Any, name: str) -> int:
    """Return a whole number from 1; a float like 2.0, which JSON makes of 2, is one."""
    number = whole_number(value)
    if number is None:
        raise ValueError(f"gen_kwargs.{name} is {value!r}; expected a whole number from 1")
    return number


def _number(value: Any, name: str) -> float:
    """Return a setting as a number."""
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ValueError(f"gen_kwargs.{name} is {value!r}; expected a number") from None
