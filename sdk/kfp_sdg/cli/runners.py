"""The ways to run a pipeline from the command line, told apart by nobody above."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kfp_sdg.cli.checkpoint import prepare_for_tasks
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

    from kfp_sdg.cli.asking import AskingOrder
    from kfp_sdg.cli.progress import Watcher
    from kfp_sdg.compiler.containers import ContainerTool
    from kfp_sdg.spec import PipelineSpec
    from kfp_sdg.storage import HistoryEntry


@dataclass(frozen=True, slots=True)
class RunOrder:
    """What ``kfp-sdg run`` was asked to do.

    Attributes:
        spec: The pipeline.
        input: Where its rows are.
        output: The folder for the results.
        asking: Whom to ask and how.
        plugins: Modules that register custom blocks and prompts.
        containers: What runs each task in a container, where there are tasks; None: processes.
    """

    spec: PipelineSpec
    input: str
    output: Path
    asking: AskingOrder
    plugins: tuple[str, ...]
    containers: ContainerTool | None = None


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
    with order.asking.open(watcher, tell) as context:
        result = run(order.spec, table, context, earlier=earlier, observer=watcher)
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
    asking = order.asking
    prepare_for_tasks(asking.checkpoint, tell)
    with started(asking.teacher) as choice:
        # What cannot work is found before the first task.
        with connected(choice, outage_watcher=watcher) as teachers:
            context = asking.context(choice, teachers)
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
            checkpoint=asking.checkpoint.place if asking.checkpoint else None,
            max_rejected=context.max_rejected,
            constrain=context.constrain,
            plugins=order.plugins,
            containers=order.containers,
        )
        return run_with_kfp(order.spec, order.input, order.output, options, watcher)


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


def _input(order: RunOrder) -> tuple[pa.Table, tuple[HistoryEntry, ...]]:
    """Return the input rows and what was done to them, once all was checked that costs nothing.

    Raises:
        SpecError: The pipeline needs a number of instructions and there is none.
        StorageError: The rows cannot be read or the results cannot be put where they should; with
            the exit code of the user's mistakes.
    """
    from kfp_sdg.spec import require_num_instructions

    require_num_instructions(order.spec, order.asking.num_instructions)
    try:
        check_output(order.output)
        return read_place(order.input)
    except StorageError as error:
        error.exit_code = SpecError.exit_code
        raise
