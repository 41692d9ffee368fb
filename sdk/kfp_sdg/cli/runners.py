"""The two ways to run a pipeline from the command line, told apart by nobody above."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kfp_sdg.blocks import PipelineContext
from kfp_sdg.cli.checkpoint import opened, prepare_for_tasks
from kfp_sdg.cli.console import say
from kfp_sdg.cli.numbers import rows_phrase
from kfp_sdg.cli.teachers import connected, started
from kfp_sdg.engine import RunResult, check_output, prepare_blocks, run, write_run
from kfp_sdg.engine.results import PARTIAL
from kfp_sdg.errors import SpecError, StorageError
from kfp_sdg.runtime.artifacts import read_place
from kfp_sdg.runtime.signals import terminated_in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pyarrow as pa

    from kfp_sdg.cli.checkpoint import Checkpoint
    from kfp_sdg.cli.progress import Watcher
    from kfp_sdg.cli.teachers import TeacherChoice
    from kfp_sdg.spec import PipelineSpec
    from kfp_sdg.storage import HistoryEntry
    from kfp_sdg.teacher import TeacherPool
    from kfp_sdg.teacher.server_metrics import PrefixCache


@dataclass(frozen=True, slots=True)
class RunOrder:
    """What ``kfp-sdg run`` was asked to do.

    Attributes:
        spec: The pipeline.
        input: Where its rows are.
        output: The folder for the results.
        teacher: The teacher.
        checkpoint: Where answers are kept until the run has succeeded; None for nowhere.
        max_rejected: How many rows a block may reject.
        model_id: The model to ask, over what the blocks say.
        model_family: The chat format, over what the blocks say.
        num_instructions: What ``n: scaled`` stands for.
        max_num_tokens: ``max_tokens`` of blocks that do not set their own.
        constrain: Whether grammars are sent.
        plugins: Modules that register custom blocks and prompts.
    """

    spec: PipelineSpec
    input: str
    output: Path
    teacher: TeacherChoice
    checkpoint: Checkpoint | None
    max_rejected: str
    model_id: str | None
    model_family: str | None
    num_instructions: int | None
    max_num_tokens: int
    constrain: bool
    plugins: tuple[str, ...]


def run_here(order: RunOrder, watcher: Watcher, tell: Callable[[str], None]) -> RunResult:
    """Run a pipeline in this process and write its results.

    Args:
        order: What to run.
        watcher: Who shows how far it is.
        tell: Shows what is to be known beforehand.

    Raises:
        SdgError: It cannot be run; the watcher has what was finished until then.
    """
    table, earlier = _input(order)
    with (
        opened(order.checkpoint, tell) as journal,
        started(order.teacher) as choice,
        connected(choice, journal=journal, outage_watcher=watcher) as teachers,
    ):
        context = _context(order, choice, teachers)
        before = teachers.prefix_cache() if teachers else None
        result = run(order.spec, table, context, earlier=earlier, observer=watcher)
        if teachers and before:
            _tell_of_prefix_cache(before, teachers.prefix_cache(), tell)
    write_run(result, order.output)
    return result


def run_on_kfp(order: RunOrder, watcher: Watcher, tell: Callable[[str], None]) -> RunResult:
    """Compile a pipeline, run it through KFP's local runner and write its results.

    Args:
        order: What to run.
        watcher: Who shows how far it is.
        tell: Shows what is to be known beforehand.

    Raises:
        SdgError: It cannot be run; the watcher has what was finished until then.
    """
    from kfp_sdg.compiler import LocalRunOptions, run_with_kfp

    table, _ = _input(order)
    prepare_for_tasks(order.checkpoint, tell)
    with started(order.teacher) as choice:
        # What cannot work is found before the first task.
        with connected(choice, outage_watcher=watcher) as teachers:
            context = _context(order, choice, teachers)
            prepare_blocks(order.spec, table.column_names, context)
        options = LocalRunOptions(
            teacher_url=choice.url,
            model_id=context.model_id,
            model_family=context.model_family,
            teacher_endpoints=choice.endpoints,
            num_instructions_to_generate=context.num_instructions_to_generate,
            max_num_tokens=context.max_num_tokens,
            max_concurrency=choice.max_concurrency,
            teacher_patience=choice.patience,
            teacher_timeout=choice.timeout,
            checkpoint=order.checkpoint.place if order.checkpoint else None,
            max_rejected=context.max_rejected,
            constrain=context.constrain,
            plugins=order.plugins,
        )
        return run_with_kfp(order.spec, order.input, order.output, options, watcher)


def _tell_of_prefix_cache(
    before: PrefixCache, after: PrefixCache | None, tell: Callable[[str], None]
) -> None:
    """Say how much of the prompts the teacher did not have to read, where it counts that."""
    meanwhile = after - before if after else None
    if meanwhile and meanwhile.queried:
        tell(
            f"The teacher's prefix cache held {meanwhile.hit / meanwhile.queried:.0%} of "
            f"{meanwhile.queried:,} prompt tokens "
            "(vllm:prefix_cache_hits / vllm:prefix_cache_queries, all its clients together)."
        )


def keep_partial(watcher: Watcher, output: Path) -> None:
    """Save what a failed run finished, and say where."""
    if watcher.stopped is None:
        return
    partial, block_name = watcher.stopped
    if not partial.history and not partial.rejected:
        return
    try:
        write_run(partial, output / PARTIAL)
    except StorageError as error:
        say(f"what was finished could not be saved: {error}", label="Warning")
        return
    kept = "The input"
    if partial.history:
        kept = f"{rows_phrase(partial.rows.num_rows)} after block {partial.history[-1].block!r}"
    say(
        f"Block {block_name!r} did not finish. {kept} and the rows rejected until then are kept in "
        f"{output / PARTIAL}."
    )


@contextmanager
def ended_in_order() -> Iterator[None]:
    """Let a SIGTERM end a run in order, and a closed terminal as Ctrl-C does; what is done is kept.

    A signal that is ignored (``nohup``) stays ignored.
    """
    number = getattr(signal, "SIGHUP", None)
    before = None if number is None else signal.getsignal(number)
    with terminated_in_order():
        if number is None or before is signal.SIG_IGN:
            yield
            return
        signal.signal(number, signal.default_int_handler)
        try:
            yield
        finally:
            signal.signal(number, before)


def _context(
    order: RunOrder, choice: TeacherChoice, teachers: TeacherPool | None
) -> PipelineContext:
    """Return the run's settings: what was asked for, else what fits the teacher."""
    return PipelineContext(
        teachers=teachers,
        model_family=order.model_family or choice.model_family,
        model_id=order.model_id or choice.model_id,
        num_instructions_to_generate=order.num_instructions,
        max_num_tokens=order.max_num_tokens,
        constrain=order.constrain,
        max_rejected=order.max_rejected,
    )


def _input(order: RunOrder) -> tuple[pa.Table, tuple[HistoryEntry, ...]]:
    """Return the input rows and what was done to them, once all was checked that costs nothing.

    Raises:
        SpecError: The pipeline needs a number of instructions and there is none.
        StorageError: The rows cannot be read or the results cannot be put where they should; with
            the exit code of the user's mistakes.
    """
    from kfp_sdg.spec import require_num_instructions

    require_num_instructions(order.spec, order.num_instructions)
    try:
        check_output(order.output)
        return read_place(order.input)
    except StorageError as error:
        error.exit_code = SpecError.exit_code
        raise
