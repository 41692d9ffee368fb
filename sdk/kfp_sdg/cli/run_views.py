"""Show a run on a cluster: bars in a terminal, lines elsewhere, or JSON for what collects logs.

In JSON every object has ``time`` and ``event``, as those of a run here have
(``kfp_sdg.cli.json_lines``). What else it has depends on the event:

======================  =======================================================================
``submitted``           ``run_id``, ``pipeline``, ``version``, ``uploaded`` (false where
                        the version was there), ``url`` (its page, "" where not known), ``tasks``
``run_state``           ``run_id``, ``state``: PENDING, RUNNING, PAUSED, CANCELING, SUCCEEDED,
                        SKIPPED, FAILED, ERROR or CANCELED
``task_state``          ``index`` (from 1), ``tasks`` (how many there are), ``task``, ``section``
                        ("" or the part of the pipeline), ``state``: running, succeeded, cached,
                        skipped, failed, canceled or "not run"; ``retries``, ``seconds`` (null
                        before its end), ``pod`` (of a failure, else "")
``run_ended``           ``run_id``, ``state``, ``seconds``
``fetched``             ``output``, ``path``, ``rows`` (null where it is no dataset)
``message``, ``error``  ``message``
======================  =======================================================================

Names are added, never changed.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from rich.console import Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from kfp_sdg.cli.console import say, write_json
from kfp_sdg.cli.numbers import clock
from kfp_sdg.cluster.submit.states import RunState, TaskState

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from rich.console import Console, RenderableType

    from kfp_sdg.cluster.submit.states import RunView, TaskView

_STYLES = {
    TaskState.SUCCEEDED: "green",
    TaskState.CACHED: "cyan",
    TaskState.SKIPPED: "dim",
    TaskState.NOT_RUN: "dim",
    TaskState.FAILED: "bold red",
    TaskState.CANCELED: "yellow",
}
_WORDS = {TaskState.CACHED: "from KFP's cache"}
_ON_THE_WAY = {
    RunState.PAUSED: "The run is paused; it goes on when somebody resumes it.",
    RunState.CANCELING: "Somebody ends the run; it waits for its pods.",
}
_QUIET = (TaskState.WAITING, TaskState.NOT_RUN)
"""What is not worth a line of its own: that nothing happens."""

_REMIND = 60.0
"""Seconds after which lines say that tasks still run."""


class PlainRun:
    """Writes a line when a task begins and when it has ended, and one now and then meanwhile."""

    def __init__(self, console: Console) -> None:
        """Watch a run.

        Args:
            console: Where the lines go.
        """
        self._console = console
        self._of = 0
        self._said = time.monotonic()

    def __enter__(self) -> Self:
        """Begin to show."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End showing."""

    def run_changed(self, run: RunView) -> None:
        """Say what a person would wonder about: that a run is paused or ended by somebody."""
        self._of = len(run.tasks)
        if run.state in _ON_THE_WAY:
            self._write(Text(_ON_THE_WAY[run.state], style="yellow"))

    def task_changed(self, index: int, view: TaskView, before: TaskView) -> None:
        """Write a line about a task."""
        if view.state in _QUIET:
            return
        if view.state is TaskState.RUNNING and before.state is TaskState.RUNNING:
            self._write(_line(index, self._of, view, f"tried again ({_retries(view)})", "yellow"))
        elif view.state is TaskState.RUNNING:
            self._write(_line(index, self._of, view, "running", ""))
        else:
            self._write(done_line(index, self._of, view))

    def looked(self, run: RunView) -> None:
        """Write now and then which tasks run."""
        if time.monotonic() - self._said < _REMIND:
            return
        running = [str(view.task) for view in run.tasks if view.state is TaskState.RUNNING]
        what = f"running: {', '.join(running)}" if running else "no task runs yet"
        self._write(Text(f"still {what}; after {clock(run.seconds)}"))

    def tell(self, message: str) -> None:
        """Write a line about the server."""
        self._write(Text(message, style="yellow"))

    def _write(self, text: Text) -> None:
        self._said = time.monotonic()
        self._console.print(text, soft_wrap=True)


class LiveRun(PlainRun):
    """Shows the tasks that run below the lines of those that have ended."""

    def __init__(self, console: Console) -> None:
        """Watch a run.

        Args:
            console: The terminal.
        """
        super().__init__(console)
        self._run: RunView | None = None
        self._looked = 0.0
        self._spinner = Spinner("dots")
        self._live = Live(
            get_renderable=self.picture, console=console, transient=True, refresh_per_second=8
        )

    def __enter__(self) -> Self:
        """Put the tasks on the screen."""
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take them off the screen; the lines above stay."""
        self._live.stop()

    def task_changed(self, index: int, view: TaskView, before: TaskView) -> None:
        """Write a line once a task has ended; while it runs it is below."""
        if view.state is not TaskState.RUNNING:
            super().task_changed(index, view, before)

    def looked(self, run: RunView) -> None:
        """Keep what is to be shown."""
        self._run, self._looked = run, time.monotonic()

    def picture(self) -> RenderableType:
        """Return what is on the screen now."""
        run = self._run
        if run is None:
            return Text("waiting for the run", style="dim")
        later = 0.0 if run.state.is_final else time.monotonic() - self._looked
        table = Table.grid(padding=(0, 1, 0, 0))
        room = max(self._console.height - 4, 1)
        running = [
            (index, view)
            for index, view in enumerate(run.tasks, start=1)
            if view.state is TaskState.RUNNING
        ]
        for index, view in running[:room]:
            table.add_row(
                self._spinner,
                Text(f"[{index}/{len(run.tasks)}]", style="dim"),
                Text(str(view.task), style="bold"),
                Text(clock(run.since(view.started) + later) if view.started else "", style="dim"),
                Text(_retries(view) if view.retries else "", style="yellow"),
            )
        done = sum(view.state.is_final for view in run.tasks)
        word = {RunState.PAUSED: "paused", RunState.CANCELING: "being ended"}.get(run.state, "")
        hidden = f", {len(running) - room} more running" if len(running) > room else ""
        foot = f"{done} of {len(run.tasks)} tasks done{hidden}, {clock(run.seconds + later)}"
        foot += f", {word}" if word else ""
        return Group(table, Text(f"{foot} (Ctrl-C leaves the run going)", style="dim"))


class JsonRun(PlainRun):
    """Writes an object on a line of its own for everything that changes."""

    def run_changed(self, run: RunView) -> None:
        """Write the run's state."""
        self._of = len(run.tasks)
        write_json(self._console, "run_state", run_id=run.run_id, state=run.state.value)

    def task_changed(self, index: int, view: TaskView, before: TaskView) -> None:
        """Write a task's state."""
        write_json(
            self._console,
            "task_state",
            index=index,
            tasks=self._of,
            task=view.task.label,
            section=view.task.section,
            state=view.state.value,
            retries=view.retries,
            seconds=view.seconds,
            pod=view.pod,
        )

    def looked(self, run: RunView) -> None:
        """Write nothing: whatever changed is written."""

    def tell(self, message: str) -> None:
        """Write a message."""
        say(message, console=self._console)


def view_for(log_format: str | None, console: Console) -> PlainRun:
    """Return the view of a run that was asked for.

    Args:
        log_format: "rich", "plain" or "json"; None for what fits the console.
        console: Where the run is shown.
    """
    if log_format == "json":
        return JsonRun(console)
    if log_format == "rich" or (log_format is None and console.is_terminal):
        return LiveRun(console)
    return PlainRun(console)


def done_line(index: int, of: int, view: TaskView) -> Text:
    """Return one line about a task that has ended."""
    words = _WORDS.get(view.state, view.state.value)
    text = _line(index, of, view, words, _STYLES.get(view.state, ""))
    if view.retries:
        text.append(f", {_retries(view)}", style="yellow")
    if view.seconds is not None and view.state not in (TaskState.CACHED, TaskState.SKIPPED):
        text.append(f"  {clock(view.seconds)}", style="dim")
    return text


def summary_line(run: RunView) -> str:
    """Return how a run ended: "Succeeded after 12 s: 5 tasks succeeded, 2 from KFP's cache"."""
    counts = Counter(view.state for view in run.tasks)
    parts = [
        f"{counts[state]} {_WORDS.get(state, state.value)}" for state in TaskState if counts[state]
    ]
    of_tasks = f": {', '.join(parts)}" if parts else ""
    return f"{run.state.value.capitalize()} after {clock(run.seconds)}{of_tasks}"


def ended(run: RunView) -> dict[str, Any]:
    """Return what a machine wants to know of a run's end."""
    return {"run_id": run.run_id, "state": run.state.value, "seconds": round(run.seconds, 3)}


def _line(index: int, of: int, view: TaskView, words: str, style: str) -> Text:
    text = Text()
    text.append(f"[{index}/{of}] ", style="dim")
    text.append(str(view.task), style="bold")
    text.append(f"  {words}", style=style)
    return text


def _retries(view: TaskView) -> str:
    return f"{view.retries} {'retry' if view.retries == 1 else 'retries'}"
