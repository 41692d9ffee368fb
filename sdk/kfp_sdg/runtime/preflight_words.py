"""What a preflight says, each text for the person who can act on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kfp_sdg.runtime.preflight_report import State
from kfp_sdg.spec.problems import nearest
from kfp_sdg.teacher.transport import Trouble

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kfp_sdg.engine.needs import BlockNeed
    from kfp_sdg.errors import TeacherError
    from kfp_sdg.teacher.credentials import Key
    from kfp_sdg.teacher.served import ServedModel

LAB_ADAPTERS = ("skill-classifier-v3-clm", "text-classifier-knowledge-v3-clm")
"""The adapters of InstructLab's agentic pipelines, served beside the teacher's model."""

NO_LIST = "answers, but has no list of models, so that their names cannot be checked"

_LLAMA_CPP = "llamacpp"
_SHOWN = 12
"""Names of models that are listed before the rest is only counted."""


def serves(served: Sequence[ServedModel]) -> str:
    """Return what a server has."""
    return f"answers and serves {_listed([_told(model) for model in served])}"


def api_elsewhere(url: str) -> str:
    """Return where the API is, for a URL that has none."""
    return f"there is no OpenAI-compatible API at this URL, but there is one at {url}: give that"


def key_taken(key: Key) -> str:
    """Return which key a server has answered to."""
    return f"the one from {key.source} was sent" if key.given else "none was sent, and none wanted"


def key_refused(error: TeacherError) -> str:
    """Return what a refused key means."""
    text = without_url(error)
    if "RBAC: access denied" in (error.server_message or ""):
        text += (
            "; Istio says this where no policy lets the pipeline's pods call the teacher: allow "
            "its port with an AuthorizationPolicy, or leave the sidecar out of the teacher's pod"
        )
    return text


def without_url(error: TeacherError) -> str:
    """Return an error's text without the server's address, which stands before it already."""
    return str(error).removeprefix(f"teacher at {error.url}: ")


def unreachable(error: TeacherError) -> str:
    """Return why a server does not answer, and where that may be for want of TLS."""
    text = without_url(error)
    if Trouble.BROKEN.value in text and (error.url or "").startswith("http://"):
        text += "; or it speaks TLS alone, and the URL has to begin with https://"
    return text


def no_model(needs: Iterable[BlockNeed], served: Sequence[ServedModel]) -> str:
    """Return what is wrong where neither block nor run names a model."""
    names = _listed([model.name for model in served]) if served else "none that it tells of"
    names_of_blocks = _of_blocks(needs)
    who = f"{names_of_blocks} and the run name" if names_of_blocks else "the run names"
    return f"{who} no model, and the server does not have just one; set model_id to one of: {names}"


def not_served(model: str, needs: Iterable[BlockNeed], served: Sequence[ServedModel]) -> str:
    """Return what is wrong where a server does not list a model that blocks ask for."""
    names = [entry.name for entry in served]
    asking = _of_blocks(needs)
    text = f"the server does not serve it{f' (asked for by {asking})' if asking else ''}"
    text += f"; it serves {_listed(names)}"
    near = nearest(model, names)
    if near:
        text += f"; did you mean {near!r}?"
    if model in LAB_ADAPTERS:
        text += (
            "; it is a LoRA adapter of InstructLab's agentic pipelines: serve it beside the model "
            f"(vLLM: --enable-lora --lora-modules {model}=FOLDER), or set model_id to ask one "
            "model for everything"
        )
    elif _is_llama_cpp(served):
        text += (
            "; llama.cpp would answer for any name with the one model it has: set model_id to "
            f"{names[0]!r} if that is the model you want"
        )
    return text


def context_verdict(
    context: int | None,
    needs: Sequence[BlockNeed],
    served: Sequence[ServedModel],
    *,
    max_num_tokens: int,
    whole: int,
) -> tuple[State, str]:
    """Hold a context against what blocks put into it.

    vLLM refuses ``max_tokens`` above its ``max_model_len``, which llama.cpp takes, and both refuse
    a prompt that leaves no room. An answer that only fits in part is cut short without a word.

    Args:
        context: Tokens of prompt and answer together; None where the server does not say.
        needs: What the blocks need.
        served: What the server lists.
        max_num_tokens: The longest answer of blocks that do not say.
        whole: Tokens that the run says it needs together; 0 where it does not.
    """
    sizes = [(need.max_tokens or max_num_tokens, need.prompt_tokens, need) for need in needs]
    answer, _, longest = max(sizes, key=lambda size: size[0])
    together = max(a + p for a, p, _ in sizes)
    prompt, fullest = max(((p, need) for _, p, need in sizes), key=lambda size: size[0])
    needed = f"{max(whole, together):,} tokens are wanted for a prompt and its answer"
    if context is None:
        return State.PASSED, f"the server does not say; {needed}"
    has = f"the server has {context:,} tokens"
    if whole > context:
        return State.FAILED, f"{has}, and the run needs {whole:,}; {_MORE_CONTEXT}"
    if prompt >= context:
        return (
            State.FAILED,
            f"{has}, and the prompt of {_named(fullest)} alone has {prompt:,}; {_MORE_CONTEXT}",
        )
    if answer > context and not _is_llama_cpp(served):
        advice = "lower max_tokens there" if longest.max_tokens else "lower max_num_tokens"
        return (
            State.FAILED,
            f"{has}, and {_named(longest)} asks for answers of {answer:,}, which vLLM refuses; "
            f"{advice}, or {_MORE_CONTEXT}",
        )
    if together > context:
        return State.WARNING, f"{has}; {needed}, so that the longest answers are cut short"
    return State.PASSED, f"{has}; {needed}"


def answered(seconds: float, *, chat: bool) -> str:
    """Return how long one token took."""
    return f"one token in {seconds:.2f} s, by {endpoint(chat=chat)}"


def endpoint(*, chat: bool) -> str:
    """Return the path of an endpoint."""
    return "/v1/chat/completions" if chat else "/v1/completions"


def ignores_grammars(*, chat: bool) -> str:
    """Return what is wrong where a server does not obey a grammar."""
    return (
        f"the server ignores grammars at {endpoint(chat=chat)}, and the run wants them: leave "
        "constrain off, or take a server that knows them (vLLM, llama.cpp)"
    )


_MORE_CONTEXT = "serve the model with more (vLLM: --max-model-len)"


def _is_llama_cpp(served: Iterable[ServedModel]) -> bool:
    return any(model.owner == _LLAMA_CPP for model in served)


def _told(model: ServedModel) -> str:
    return f"{model.name} (adapter of {model.parent})" if model.parent else model.name


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _of_blocks(needs: Iterable[BlockNeed]) -> str:
    names = list(dict.fromkeys(need.block for need in needs if need.block))
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    word = "block" if len(names) == 1 else "blocks"
    return f"{word} {', '.join(names[:3])}{more}" if names else ""


def _named(need: BlockNeed) -> str:
    return f"block {need.block!r}" if need.block else "the run"
