"""The checkpoint of a run: where answers are kept until the run has succeeded."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from kfp_sdg.cli.console import say
from kfp_sdg.cli.numbers import answers_phrase
from kfp_sdg.engine.results import CHECKPOINT
from kfp_sdg.errors import SpecError, StorageError
from kfp_sdg.storage import places

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from kfp_sdg.teacher.journal import Journal

_OTHER_RUNNER = (
    "{place} has the answers of a run with --runner {runner}; go on with such a runner, or begin "
    "anew with another --checkpoint"
)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where a run keeps its answers.

    Attributes:
        place: A folder, or a URL.
        lasting: Whether it stays after a run that succeeded.
    """

    place: str
    lasting: bool = False


def choose_checkpoint(place: str | None, output: Path) -> Checkpoint:
    """Return the checkpoint of a run.

    Args:
        place: What ``--checkpoint`` says; None for the one in the output folder.
        output: The output folder.

    Raises:
        StorageError: It is where results go, which are replaced. The exit code is that of the
            user's mistakes.
    """
    if place is None:
        return Checkpoint(str(output / CHECKPOINT))
    place = place.removeprefix("file://")
    if not places.is_url(place):
        folder, results = Path(place).resolve(), output.resolve()
        inside = folder.is_relative_to(results) and not folder.is_relative_to(results / CHECKPOINT)
        if inside or results.is_relative_to(folder):
            raise _mistake(
                f"--checkpoint {place} and --output {output} lie in each other, and results are "
                f"replaced; choose a folder elsewhere, or {output / CHECKPOINT}"
            )
    return Checkpoint(place, lasting=True)


@contextmanager
def opened(checkpoint: Checkpoint | None, tell: Callable[[str], None]) -> Iterator[Journal | None]:
    """Open the journal of a run in this process, and say what an earlier run left in it.

    Args:
        checkpoint: The checkpoint.
        tell: Says it.

    Yields:
        The journal; None where there is no checkpoint.

    Raises:
        StorageError: It cannot be used; with the exit code of the user's mistakes.
    """
    if checkpoint is None:
        yield None
        return
    from kfp_sdg.teacher.journal import open_journal

    if _of_tasks(checkpoint):
        raise _mistake(_OTHER_RUNNER.format(place=checkpoint.place, runner="kfp or container"))
    try:
        journal = open_journal(checkpoint.place)
    except StorageError as error:
        raise _mistake(str(error)) from error
    with journal:
        if journal.kept:
            tell(_resuming(checkpoint, journal.kept))
        yield journal


def prepare_for_tasks(checkpoint: Checkpoint | None, tell: Callable[[str], None]) -> None:
    """Make sure that tasks can keep their answers, and say what an earlier run left there.

    Each task has a journal in a folder of its own.

    Args:
        checkpoint: The checkpoint.
        tell: Says it.

    Raises:
        StorageError: They cannot; with the exit code of the user's mistakes.
    """
    if checkpoint is None:
        return
    if places.is_url(checkpoint.place):
        try:
            places.file_system(checkpoint.place)
        except StorageError as error:
            raise _mistake(str(error)) from error
        return
    try:
        os.makedirs(checkpoint.place, exist_ok=True)
    except OSError as error:
        raise _mistake(
            f"no checkpoint can be at {checkpoint.place}: {error.strerror or error}; choose "
            "another folder with --checkpoint"
        ) from error
    if _is_journal(Path(checkpoint.place)):
        raise _mistake(_OTHER_RUNNER.format(place=checkpoint.place, runner="engine"))
    try:
        count = _count(_of_tasks(checkpoint))
    except StorageError as error:
        raise _mistake(str(error)) from error
    if count:
        tell(_resuming(checkpoint, count))


def tell_kept(
    checkpoint: Checkpoint | None,
    error: BaseException,
    then: str = "the same command goes on from there",
) -> None:
    """Say what a run that did not succeed has kept; remove its checkpoint if that is nothing.

    What is damaged there is neither mended nor told of: the run did so, or the next one will.

    Args:
        checkpoint: The checkpoint.
        error: What the run failed of. If that is the checkpoint itself, nothing is said: it is
            another process's, or no journal at all.
        then: What becomes of the answers.
    """
    refused = isinstance(error, StorageError) and error.exit_code == SpecError.exit_code
    if checkpoint is None or refused:
        return
    if places.is_url(checkpoint.place):
        say(f"The answers that came are kept in {checkpoint.place}; {then}.")
        return
    from kfp_sdg.teacher.journal.recovery import count_kept

    folder = Path(checkpoint.place)
    journals = [folder] if _is_journal(folder) else _of_tasks(checkpoint)
    try:
        count = sum(map(count_kept, journals))
    except StorageError:  # what the run failed of, and told of then
        return
    if count:
        verb = "is" if count == 1 else "are"
        say(f"{answers_phrase(count)} {verb} kept in {folder}; {then}.")
    else:
        discard(checkpoint)


def discard(checkpoint: Checkpoint | None) -> None:
    """Remove the checkpoint of a run, unless it is one that lasts."""
    if checkpoint is None or checkpoint.lasting:
        return
    folder = Path(checkpoint.place)
    for journal in [folder] if _is_journal(folder) else _of_tasks(checkpoint):
        shutil.rmtree(journal, ignore_errors=True)
    with suppress(OSError):  # not there, or somebody put other things into it
        folder.rmdir()


def _is_journal(folder: Path) -> bool:
    """Tell whether there is a journal in a folder."""
    from kfp_sdg.teacher.journal.folder import LOCK_NAME

    return (folder / LOCK_NAME).is_file()


def _of_tasks(checkpoint: Checkpoint) -> list[Path]:
    """Return the folders in which tasks kept their answers, where that is on this machine."""
    folder = Path(checkpoint.place)
    if places.is_url(checkpoint.place) or not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _is_journal(path))


def _count(journals: Iterable[Path]) -> int:
    """Return how many answers are kept in folders; what is damaged is cut off and told of.

    Raises:
        StorageError: One cannot be read, or is in use.
    """
    from kfp_sdg.teacher.journal import open_journal

    count = 0
    for folder in journals:
        with open_journal(folder) as journal:
            count += journal.kept
    return count


def _resuming(checkpoint: Checkpoint, count: int) -> str:
    """Return what is said of the answers that are there."""
    verb = "is" if count == 1 else "are"
    return (
        f"Resuming from {checkpoint.place}: {answers_phrase(count)} of an earlier run {verb} there."
    )


def _mistake(message: str) -> StorageError:
    """Return an error with the exit code of the user's mistakes."""
    error = StorageError(message)
    error.exit_code = SpecError.exit_code
    return error
