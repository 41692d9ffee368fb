"""Carry out what ``kfp-sdg submit`` was asked for, in its order, and say what becomes of it."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import typer

from kfp_sdg.cli.console import error_console, say, speaks_json, write_json
from kfp_sdg.cli.numbers import rows_phrase
from kfp_sdg.errors import ClusterError, Position, StorageError, Terminated

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path
    from typing import Any

    from kfp_sdg.cli.submit_options import ServerOptions
    from kfp_sdg.cluster.submit import (
        Given,
        Package,
        Recurrence,
        RunOrder,
        RunView,
        Server,
        Uploaded,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Following:
    """What is to happen while a run goes on and after it.

    Attributes:
        terminate: Whether Ctrl-C ends it.
        log_format: How it is shown.
        server: How the server was named, for the command that follows it again.
        output: Where to put what it has made; None for nowhere.
    """

    terminate: bool
    log_format: str | None
    server: ServerOptions
    output: Path | None = None

    def again(self, run_id: str) -> str:
        """Return the command that follows a run again, and then fetches as this one was to.

        Args:
            run_id: The run.
        """
        output = ("--output", str(self.output)) if self.output else ()
        return shlex.join(["kfp-sdg", "submit", "--follow", run_id, *self.server.words(), *output])


def given_parameters(file: Path | None, typed: Iterable[str], rows: str | None) -> dict[str, Given]:
    """Return a run's parameters as they were given: the file's, then those that were typed.

    Args:
        file: The parameter file.
        typed: ``NAME=VALUE``, each a parameter.
        rows: The rows to start from.

    Raises:
        typer.BadParameter: A text is not of the form ``NAME=VALUE``.
        SpecError: The file is no parameter file.
        StorageError: The rows cannot be read.
    """
    from kfp_sdg.cluster.submit import Given, read_parameter_file
    from kfp_sdg.cluster.submit.rows import rows_as_parameter

    given = read_parameter_file(file) if file else {}
    if rows:
        name, value = rows_as_parameter(rows)
        given[name] = value
    for text in typed:
        name, equals, value_text = text.partition("=")
        if not equals or not name.strip():
            raise typer.BadParameter(
                f"{text!r} is not of the form NAME=VALUE", param_hint="--param"
            )
        given[name.strip()] = Given(value_text, Position(f"--param {name.strip()}"), typed=True)
    return given


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A run to start.

    Attributes:
        package: Its pipeline.
        parameters: Its parameters, checked.
        experiment: The experiment that it is put into.
        name: Its name; None for that of the pipeline and the time.
        pipeline_root: Where its artifacts are put.
        service_account: The service account of its pods.
    """

    package: Package
    parameters: Mapping[str, Any]
    experiment: str
    name: str | None
    pipeline_root: str
    service_account: str

    def send(self, server: Server) -> str:
        """Upload the pipeline and start the run; return the run's id.

        Args:
            server: The server.

        Raises:
            ClusterError: The server refuses.
        """
        from kfp_sdg.cluster.submit import start_run, upload

        version = upload(server, self.package)
        now = datetime.now(UTC)
        name = self.name or f"{self.package.display_name} {now:%Y-%m-%d %H:%M:%S}"
        order = self._order(server, version, name)
        try:
            run_id = start_run(server, order)
        except KeyboardInterrupt:
            say(f"Nobody knows whether the run {name!r} began: look before you try again.")
            raise
        self._tell(server, version, run_id)
        return run_id

    def send_recurring(self, server: Server, recurrence: Recurrence) -> str:
        """Upload the pipeline and make a recurring run of it; return its id.

        Its name is that of the pipeline where none was given, so that the next one replaces it.

        Args:
            server: The server.
            recurrence: How it recurs.

        Raises:
            ClusterError: The server refuses.
        """
        from kfp_sdg.cluster.submit import start_recurring, upload

        version = upload(server, self.package)
        order = self._order(server, version, self.name or self.package.display_name)
        recurring_id = start_recurring(server, order, recurrence)
        state = "enabled" if recurrence.enabled else "disabled, enable it in the dashboard"
        say(
            f"recurring run {order.name!r} ({recurring_id}): {recurrence.cron!r}, at most "
            f"{recurrence.max_concurrency} at once, {state}"
        )
        typer.echo(recurring_id)
        return recurring_id

    def _order(self, server: Server, version: Uploaded, name: str) -> RunOrder:
        """Return the run as the server is told of it; its experiment is made if need be."""
        from kfp_sdg.cluster.submit import RunOrder, experiment

        return RunOrder(
            name=name,
            experiment_id=experiment(server, self.experiment),
            version=version,
            parameters=self.parameters,
            pipeline_root=self.pipeline_root,
            service_account=self.service_account,
        )

    def _tell(self, server: Server, version: Uploaded, run_id: str) -> None:
        """Say what was sent; the run's id alone goes to standard output."""
        package, page = self.package, server.target.run_page(run_id)
        if speaks_json():
            write_json(
                error_console(),
                "submitted",
                run_id=run_id,
                pipeline=package.name,
                version=package.version_name,
                uploaded=version.is_new,
                url=page,
                tasks=[str(task) for task in package.tasks],
            )
        else:
            how = "uploaded" if version.is_new else "was there already"
            say(f"pipeline   {package.display_name}, version {package.version_name} ({how})")
            say(f"run        {run_id}, in the experiment {self.experiment}")
            say(f"dashboard  {page}" if page else _where_in_dashboard(server))
        typer.echo(run_id)


def follow_run(server: Server, run_id: str, package: Package, following: Following) -> None:
    """Show a run until it has ended, and fetch what it made if that is wanted.

    Args:
        server: The server.
        run_id: The run.
        package: Its pipeline.
        following: How to do it.

    Raises:
        ClusterError: The run did not succeed, the server is away for too long, or what the run made
            cannot be fetched.
        StorageError: What it made is damaged, or cannot be written.
        KeyboardInterrupt: Ctrl-C; the run goes on, unless it is to be ended.
    """
    from kfp_sdg.cli.run_views import ended, summary_line, view_for
    from kfp_sdg.cluster.submit import follow, terminate
    from kfp_sdg.runtime.signals import terminated_in_order

    console = error_console()
    view = view_for(following.log_format, console)
    server.tell_with(view.tell)
    try:
        with terminated_in_order(), view:
            run = follow(server, run_id, package.tasks, view)
    except (KeyboardInterrupt, Terminated) as ending:
        if following.terminate and isinstance(ending, KeyboardInterrupt):
            terminate(server, run_id)
            say(f"The run {run_id} is being ended.")
        else:
            say(f"The run goes on. To follow it again: {following.again(run_id)}")
        raise
    except ClusterError as error:
        error.add_note(f"The run may go on. To follow it again: {following.again(run_id)}")
        raise
    if speaks_json():
        write_json(console, "run_ended", **ended(run))
    else:
        say(summary_line(run))
    if not run.state.is_success:
        raise _failure(server, run)
    if not following.output:
        return
    again = f"To fetch what it made: {following.again(run_id)}"
    try:
        with terminated_in_order():
            _fetch(server, run, package, following.output)
    except (KeyboardInterrupt, Terminated):
        say(f"The run is done. {again}")
        raise
    except (ClusterError, StorageError) as error:
        error.add_note(again)
        raise


def _fetch(server: Server, run: RunView, package: Package, folder: Path) -> None:
    """Fetch what a run made, and say where it is."""
    from kfp_sdg.cli.summary import books_tables
    from kfp_sdg.cluster.submit import fetch

    console, width = error_console(), 0
    for found in fetch(server, run.run_id, package, folder):
        if speaks_json():
            place = str(found.folder)
            write_json(console, "fetched", output=found.output, path=place, rows=found.rows)
            continue
        if found.history and not width:
            console.print()
            for table in books_tables(found.history, console):
                console.print(table)
        width = width or max(len(found.output), len("dataset"))
        rows = "" if found.rows is None else f"  ({rows_phrase(found.rows)})"
        say(f"{found.output:<{width}}  {found.folder}{rows}")


def _failure(server: Server, run: RunView) -> ClusterError:
    """Return the error of a run that did not succeed, with what its tasks say of it."""
    from kfp_sdg.cluster.submit import RunState, failures, last_words

    name = f"the run {run.name!r} ({run.run_id})"
    where = server.target.run_page(run.run_id) or "the run's page in the dashboard"
    if run.state is RunState.CANCELED:
        return ClusterError(f"{name} was ended by somebody before it was done; see {where}")
    if run.state is RunState.SKIPPED:
        return ClusterError(f"{name} was skipped, nothing ran; see {where}")
    failed = failures(run)
    if not failed:
        why = f": {run.error}" if run.error else ", and the server does not say why"
        return ClusterError(f"{name} failed{why}; see {where}")
    first = failed[0]
    words = first.error or last_words(server, run.run_id, first)
    what = f"{name} failed at {', '.join(str(view.task) for view in failed)}"
    why = f": {_one_line(words)}" if words else (f": {run.error}" if run.error else "")
    return ClusterError(f"{(what + why).rstrip('.')}. {_log_of(server, first.pod, where)}")


def _one_line(text: str) -> str:
    """Return lines as sentences of a paragraph."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return " ".join(line if line.endswith((".", ":", ",", ";")) else f"{line}." for line in lines)


def _log_of(server: Server, pod: str, where: str) -> str:
    """Return where the whole log of a task is."""
    if not pod:
        return f"Its log: {where}"
    space = server.target.namespace or "kubeflow"
    return f"Its log: {where}, or `kubectl logs -n {space} {pod} -c main` while the pod is there"


def _where_in_dashboard(server: Server) -> str:
    """Return where in the dashboard of OpenShift AI a run is, whose address nobody can know."""
    space = server.target.namespace
    return "dashboard  Pipelines > Runs" + (f", project {space}" if space else "")
