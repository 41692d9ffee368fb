"""What the tests of runs with KFP on this machine share: a prompt, rows and an observer."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from kfp_sdg.engine import Observer
from kfp_sdg.spec.model import BlockSpec, ConfigFile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kfp_sdg.engine import RunResult
    from kfp_sdg.storage import HistoryEntry
    from kfp_sdg.teacher import RequestStatistics, Usage

PROMPT = ConfigFile(
    "q.yaml",
    {
        "system": "You write questions.",
        "introduction": "Write [Question] your question [End].",
        "principles": "",
        "examples": "",
        "generation": "{{document}}",
        "start_tags": ["[Question]"],
        "end_tags": ["[End]"],
    },
)
DROP_B = BlockSpec(
    "drop b",
    "FilterByValueBlock",
    {"filter_column": "kind", "filter_value": "b", "operation": "ne"},
)
ROWS = [
    {"text": "one", "kind": "a", "n": 1, "tags": ["x"], "document": "About rivers."},
    {"text": "two", "kind": "b", "n": 2, "tags": [], "document": "About stones."},
    {"text": "one", "kind": "a", "n": 3, "tags": ["z"], "document": "About {{birds}}."},
    {"text": "drei „3“", "kind": "c", "n": None, "tags": None, "document": "About wind."},
]


class Notes(Observer):
    """Writes down what an observer is told."""

    def __init__(self) -> None:
        self.started: list[tuple[int, int, str, str, int | None]] = []
        self.finished: list[HistoryEntry] = []
        self.sums: dict[int, Counter[str]] = {}
        self.stopped: tuple[RunResult, str] | None = None

    def block_started(
        self,
        index: int,
        total: int,
        name: str,
        block_type: str,
        rows_in: int | None,
        statistics: RequestStatistics | None = None,
    ) -> None:
        self.started.append((index, total, name, block_type, rows_in))

    def block_progress(
        self, index: int, *, arrived: int, done: int, rejected: int, usage: Usage
    ) -> None:
        sums = self.sums.setdefault(index, Counter())
        sums.update(arrived=arrived, done=done, rejected=rejected, requests=usage.requests)

    def block_finished(self, index: int, entry: HistoryEntry) -> None:
        self.finished.append(entry)
        told = self.sums[index]
        assert told["arrived"] == told["done"] == entry.rows_in
        assert (told["rejected"], told["requests"]) == (entry.rejected, entry.requests)

    def run_stopped(self, partial: RunResult, block_name: str) -> None:
        self.stopped = (partial, block_name)


class Meddler(Notes):
    """Does something when a block has told that some of its rows are done."""

    def __init__(self, block: int, act: Callable[[], None]) -> None:
        """Wait for it.

        Args:
            block: The block's number, from 1.
            act: What to do.
        """
        super().__init__()
        self._block = block
        self._act = act

    def block_progress(
        self, index: int, *, arrived: int, done: int, rejected: int, usage: Usage
    ) -> None:
        if index == self._block and done:
            self._act()
        super().block_progress(index, arrived=arrived, done=done, rejected=rejected, usage=usage)


def interrupt() -> None:
    """Do as Ctrl-C does."""
    raise KeyboardInterrupt


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write a JSON object per line."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path
