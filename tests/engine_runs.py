"""Runs of the engine with a scripted teacher, and an observer that remembers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from kfp_sdg.blocks import PipelineContext
from kfp_sdg.engine import Observer, RunResult, run
from kfp_sdg.spec import BlockSpec, PipelineSpec
from kfp_sdg.teacher import TeacherPool, Usage
from scripted_teacher import pipeline

if TYPE_CHECKING:
    from kfp_sdg.storage import HistoryEntry
    from kfp_sdg.teacher import RequestStatistics

FILES = pipeline(
    ask={"generation": "Ask about {{ topic }}", "start_tags": ["[A]"], "end_tags": ["[/A]"]},
    judge={"generation": "Judge {{ topic }}", "start_tags": ["[A]"], "end_tags": ["[/A]"]},
).files


def asking(name: str, column: str, **gen_kwargs: Any) -> BlockSpec:
    """Return an asking block with the prompt config of its name."""
    config = {"config_path": f"{name}.yaml", "output_cols": [column], "gen_kwargs": gen_kwargs}
    return BlockSpec(name, "LLMBlock", config)


ASK = asking("ask", "a")
JUDGE = asking("judge", "j")


def TOPICS(count: int) -> pa.Table:
    """Return rows with the topics "0", "1", …"""
    return pa.table({"topic": [str(number) for number in range(count)]})


def tagged(text: str) -> str:
    """Return an answer that parses."""
    return f"[A]{text}[/A]"


class Notes(Observer):
    """Writes down what it is told.

    Attributes:
        told: The calls.
        partial: What ``run_stopped`` was given.
    """

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.partial: tuple[RunResult, str] | None = None

    def block_started(
        self,
        index: int,
        total: int,
        name: str,
        block_type: str,
        rows_in: int | None,
        statistics: RequestStatistics | None = None,
    ) -> None:
        self.told.append(("started", index, name, rows_in))

    def block_progress(
        self, index: int, *, arrived: int, done: int, rejected: int, usage: Usage
    ) -> None:
        self.told.append(("progress", index, arrived, done, rejected, usage))

    def block_finished(self, index: int, entry: HistoryEntry) -> None:
        self.told.append(("finished", index, entry.block))

    def run_stopped(self, partial: RunResult, block_name: str) -> None:
        self.partial = (partial, block_name)


def asked(
    teacher: Any,
    *blocks: BlockSpec,
    rows: pa.Table | None = None,
    observer: Observer | None = None,
    **settings: Any,
) -> RunResult:
    """Run blocks, ``ASK`` alone if none are given, over 500 topics unless told otherwise."""
    spec = PipelineSpec(blocks or (ASK,), FILES)
    with TeacherPool(teacher) as teachers:
        context = PipelineContext(teachers, "blank", **settings)
        return run(spec, TOPICS(500) if rows is None else rows, context, observer=observer)
