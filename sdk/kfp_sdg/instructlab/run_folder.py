"""Where the workflow writes: everything of one run has its date in its name."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import re
import shutil
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from kfp_sdg.engine import write_run
from kfp_sdg.engine.results import PARTIAL
from kfp_sdg.errors import Position, Problem, SpecError, StorageError
from kfp_sdg.instructlab.generate import EVALUATION
from kfp_sdg.instructlab.model import LeafKind
from kfp_sdg.storage.json_lines import write_json_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path
    from typing import Any

    from kfp_sdg.instructlab.generate import Generated, Stopped

logger = logging.getLogger(__name__)

UNFINISHED = "unfinished_run.json"
"""Says under which date a run was begun that has not succeeded yet, by the run's taxonomy: the next
one goes on there. What another taxonomy's run has written may be all that somebody wants of it."""

_DATE = "%Y-%m-%dT%H_%M_%S"
_SUFFIX = re.compile(r"[A-Za-z0-9_.-]{1,100}")
_REJECTED = "rejected_for_{name}.jsonl"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The output folder of one run.

    Attributes:
        output: The folder. Those of other runs may be in it too.
        date_suffix: What names of this run end in.
        taxonomy: What it generates from.
        goes_on: Whether an unfinished run gave it its date.
    """

    output: Path
    date_suffix: str
    taxonomy: str = ""
    goes_on: bool = False

    @classmethod
    def choose(cls, output: Path, date_suffix: str | None, taxonomy: str = "") -> RunFolder:
        """Choose where a run writes: where one that has not succeeded did, or a new place.

        Args:
            output: The output folder; made where it is not there.
            date_suffix: What names end in; None for the date of the unfinished run of the same
                taxonomy, or of now.
            taxonomy: What is generated from: an absolute path.

        Raises:
            SpecError: The suffix cannot be part of a file's name.
            StorageError: The folder cannot be written to; with the exit code of the user's
                mistakes.
        """
        if date_suffix is not None and not _SUFFIX.fullmatch(date_suffix):
            raise SpecError(
                Problem(
                    f"{date_suffix!r} cannot be part of a file's name",
                    Position("--date-suffix"),
                    expected="letters, digits, -, _ and dots, such as 2026-01-31T12_00_00",
                    code="wrong-setting",
                )
            )
        try:
            output.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=output):
                pass
        except OSError as error:
            message = f"cannot write to the output folder {output}: {error.strerror or error}"
            raise _mistake(message) from error
        unfinished = None if date_suffix else _unfinished(output).get(taxonomy)
        suffix = date_suffix or unfinished or _new_date(output)
        return cls(output, suffix, taxonomy, goes_on=unfinished is not None)

    @classmethod
    @contextmanager
    def hold(cls, output: Path, date_suffix: str | None, taxonomy: str = "") -> Iterator[RunFolder]:
        """Choose where a run writes, and keep other runs out of the output folder meanwhile.

        The lock is the kernel's, on the folder itself: it leaves no file, and is free as soon as
        its holder is dead.

        Args:
            output: The output folder, see ``choose``.
            date_suffix: What names end in, see ``choose``.
            taxonomy: What is generated from, see ``choose``.

        Raises:
            SpecError: The suffix cannot be part of a file's name.
            StorageError: The folder cannot be written to, or another run writes there; with the
                exit code of the user's mistakes.
        """
        cls.choose(output, date_suffix, taxonomy)
        with _locked(output):
            yield cls.choose(output, date_suffix, taxonomy)  # a run may have ended there since

    def begin(self) -> None:
        """Take note that the run has begun.

        Raises:
            StorageError: The disk refuses.
        """
        self._note({**_unfinished(self.output), self.taxonomy: self.date_suffix})

    def _note(self, unfinished: Mapping[str, str]) -> None:
        note = self.output / UNFINISHED
        try:
            if unfinished:
                note.write_text(json.dumps(unfinished) + "\n", "utf-8")
            else:
                note.unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(f"cannot write {note}: {error.strerror or error}") from error

    def path(self, name: str, ending: str = "") -> Path:
        """Return where something is: ``("train", ".jsonl")``."""
        return self.output / f"{name}_{self.date_suffix}{ending}"

    def clear(self, name: str, *patterns: str) -> Path:
        """Remove what an earlier attempt at this run left in a folder of it, and nothing else.

        Args:
            name: The folder's name without the suffix.
            patterns: What was left, as glob patterns.

        Returns:
            The folder, which may not be there.

        Raises:
            StorageError: The disk refuses.
        """
        folder = self.path(name)
        try:
            for path in [path for pattern in patterns for path in folder.glob(pattern)]:
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                else:
                    path.unlink()
        except OSError as error:
            raise StorageError(f"cannot clear {folder}: {error.strerror or error}") from error
        return folder

    def write_books(self, generated: Generated) -> None:
        """Write the books of each pipeline, its rows and its rejected rows, over older ones.

        Raises:
            StorageError: The disk refuses.
        """
        parts = [*(kind.value for kind in LeafKind), EVALUATION]
        self.clear("run", *parts, _REJECTED.format(name="*"))
        results = {kind.value: result for kind, result in generated.results.items()}
        if generated.evaluation is not None:
            results[EVALUATION] = generated.evaluation
        for name, result in results.items():
            write_run(result, self.path("run") / name)

    def write_stopped(self, stopped: Stopped) -> None:
        """Write what was finished of a run that stopped.

        Raises:
            StorageError: The disk refuses.
        """
        self.write_books(stopped.finished)
        partial = stopped.partial
        if stopped.part and partial and (partial.history or partial.rejected):
            write_run(partial, self.path("run") / stopped.part / PARTIAL)

    def write_rejected(self, name: str, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write generated rows that could not be used, if there are any.

        Args:
            name: What they could not be used for.
            rows: The rows, with the columns that say why.

        Raises:
            StorageError: The disk refuses.
        """
        found = list(rows)
        if found:
            write_json_lines(self.path("run") / _REJECTED.format(name=name), found)

    def end(self) -> None:
        """Take note that the run has succeeded."""
        others = _unfinished(self.output)
        others.pop(self.taxonomy, None)
        with suppress(StorageError):
            self._note(others)

    @property
    def others_unfinished(self) -> tuple[str, ...]:
        """The taxonomies of other runs in the output folder that have not succeeded."""
        return tuple(name for name in _unfinished(self.output) if name != self.taxonomy)


@contextmanager
def _locked(output: Path) -> Iterator[None]:
    """Hold the lock of an output folder.

    Raises:
        StorageError: Another run holds it, or the folder cannot be read.
    """
    try:
        folder = os.open(output, os.O_RDONLY)
    except OSError as error:
        message = f"cannot read the output folder {output}: {error.strerror or error}"
        raise _mistake(message) from error
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _mistake(
                f"another run writes to the output folder {output} now; wait for it to end, or "
                "choose another folder"
            ) from None
        except OSError:  # the file system has no locks, or none for folders
            logger.info("%s cannot be locked; no other run may write to it now", output)
        yield
    finally:
        os.close(folder)


def _mistake(message: str) -> StorageError:
    """Return an error with the exit code of the user's mistakes."""
    error = StorageError(message)
    error.exit_code = SpecError.exit_code
    return error


def _new_date(output: Path) -> str:
    """Return the date of now, or of the first second after it that no run in the folder has."""
    now = datetime.now()
    while any(output.glob(f"*_{now.strftime(_DATE)}*")):
        now += timedelta(seconds=1)
    return now.strftime(_DATE)


def _unfinished(output: Path) -> dict[str, str]:
    """Return the dates of runs that were begun and have not succeeded, by their taxonomies."""
    try:
        note = json.loads((output / UNFINISHED).read_text("utf-8"))
    except (OSError, ValueError):  # cut short by a crash is as good as none
        return {}
    if not isinstance(note, dict):
        return {}
    return {
        taxonomy: suffix
        for taxonomy, suffix in note.items()
        if isinstance(suffix, str) and _SUFFIX.fullmatch(suffix)
    }
