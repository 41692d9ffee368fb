"""The run form: the parameters that a compiled pipeline asks for when it is started.

Whatever changes rows is a parameter, because KFP's cache knows a task by its parameters and not by
its environment. How patiently the teacher is asked and where answers are kept are parameters too,
since nothing else reaches a task; with another value a task is no longer in KFP's cache, but its
answers still are in the checkpoint. A credential never is one: KFP logs parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kfp_sdg.blocks.catalog import BUILTIN_BLOCKS
from kfp_sdg.spec.scaling import scaled_settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kfp_sdg.spec import BlockSpec

TEACHER_URL = "teacher_url"
MODEL_ID = "model_id"
TEACHER_SECRET = "teacher_secret"  # noqa: S105 - the name of a parameter that names a Secret
STORAGE_SECRET = "storage_secret"  # noqa: S105 - likewise
MAX_REJECTED = "max_rejected"


@dataclass(frozen=True, slots=True)
class RunParameter:
    """One field of the run form.

    Attributes:
        name: The parameter's name.
        type: ``str``, ``int``, ``bool``, ``list`` or ``dict``.
        description: What the form says about it.
        default: The value that the form starts with; None where the person has to give one.
            Never None for a field that may stay empty: that is ``""``, because KFP's local runner
            cannot pass a missing optional value on.
    """

    name: str
    type: type
    description: str
    default: str | int | bool | list[Any] | dict[str, Any] | None = None


_STORAGE = RunParameter(
    STORAGE_SECRET,
    str,
    "The Kubernetes Secret for addresses that begin with s3://, with the keys of an S3 connection "
    "of OpenShift AI: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_DEFAULT_REGION and, for a "
    "store that is not AWS's, AWS_S3_ENDPOINT. It need not exist, and cannot be the teacher's.",
    "kfp-sdg-storage",
)
_ROWS = (
    RunParameter(
        "input_uri",
        str,
        "The rows to start from: the address of a .jsonl, .json, .csv or .parquet file or of a "
        "dataset folder. Empty where seed_samples gives the rows. KFP's cache knows a file by its "
        "address only: give other rows another one.",
        "",
    ),
    RunParameter(
        "seed_samples",
        str,
        "The rows to start from, written out: a JSON list of objects with the same keys. Empty "
        "where input_uri names them.",
        "",
    ),
    _STORAGE,
)
_TEACHER = (
    RunParameter(
        TEACHER_URL,
        str,
        "The base URL of the teacher's OpenAI-compatible server, up to and including /v1.",
    ),
    RunParameter(
        MODEL_ID,
        str,
        "The model to ask, over what the blocks say. Empty: each block's own model, else the "
        "only one that the server has.",
        "",
    ),
    RunParameter(
        "model_family",
        str,
        "The chat format of the model: merlinite, granite, mixtral, mistral, llama, blank, or "
        "chat for the server's own template. Empty: what each block says.",
        "",
    ),
    RunParameter(
        "teacher_endpoints",
        str,
        "Further teachers: a JSON object from model id to base URL. Blocks that name one of these "
        "models are answered there.",
        "{}",
    ),
    RunParameter(
        TEACHER_SECRET,
        str,
        "The Kubernetes Secret with the teacher's API key under api_token or api_key; its name has "
        "no dots. It need not exist where the server asks for no key, but KFP wants a name here.",
        "kfp-sdg-teacher",
    ),
    RunParameter(
        "max_num_tokens",
        int,
        "The longest answer, in tokens, of blocks that set no max_tokens of their own.",
        4096,
    ),
    RunParameter(
        "max_concurrency",
        int,
        "The most answers that the teacher writes at once for a task. 0: the task finds the best "
        "number by itself.",
        0,
    ),
    RunParameter(
        "teacher_patience",
        int,
        "How many seconds a task waits for a teacher that is away before it fails.",
        600,
    ),
    RunParameter(
        "teacher_timeout",
        int,
        "How many seconds one answer may take before it is asked for again.",
        600,
    ),
    RunParameter(
        "checkpoint_uri",
        str,
        "Where tasks keep every answer as soon as it is there, so that a task that is tried again "
        "asks only for what is missing: a folder of a volume that all tasks have, or the address "
        "of one such as s3://bucket/run-1. Another run with the same address takes the answers to "
        "equal requests from there. Empty: nothing is kept.",
        "",
    ),
    _STORAGE,
    RunParameter(
        "constrain",
        bool,
        "Send a grammar with each request so that answers parse by construction. The server must "
        "know grammars (vLLM, llama.cpp).",
        False,
    ),
)
_REJECTED = RunParameter(
    MAX_REJECTED,
    str,
    "How many rows a block may reject before its task fails: a share of its rows such as 5% (but "
    "at least 20 rows), or a number of rows. 100%: any number.",
    "5%",
)
_INSTRUCTIONS = RunParameter(
    "num_instructions_to_generate",
    int,
    "How many instructions to generate from each row: what 'scaled' in the pipeline stands for.",
    30,
)


def pipeline_parameters(of_blocks: Sequence[RunParameter]) -> tuple[RunParameter, ...]:
    """Return the parameters of a pipeline that starts from given rows.

    Args:
        of_blocks: Those that its blocks have a use for.
    """
    return in_order([*_ROWS, *of_blocks])


def block_parameters(
    asking: Sequence[BlockSpec], rejecting: Sequence[BlockSpec]
) -> tuple[RunParameter, ...]:
    """Return the parameters that blocks have a use for.

    Args:
        asking: The blocks that ask a teacher.
        rejecting: Those that may reject rows.
    """
    rejected = (_REJECTED,) if rejecting else ()
    if not asking:
        return rejected
    scaled = any(
        block.type not in BUILTIN_BLOCKS or any(scaled_settings(block.config)) for block in asking
    )
    return (*_TEACHER, *rejected, *((_INSTRUCTIONS,) if scaled else ()))


def in_order(parameters: Iterable[RunParameter]) -> tuple[RunParameter, ...]:
    """Return each parameter once, those without a default first, as a signature needs them."""
    once = {parameter.name: parameter for parameter in parameters}
    return tuple(sorted(once.values(), key=lambda parameter: parameter.default is not None))
