"""Rows that stream from block to block are the rows that whole blocks, one after another, make."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections import Counter
from typing import TYPE_CHECKING, Any
from unittest import mock

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kfp_sdg.blocks import Account, Block, BlockRegistry, PipelineContext
from kfp_sdg.blocks.base import apply_block
from kfp_sdg.engine import RunResult, make_block, run
from kfp_sdg.engine.duplicates import drop_duplicates
from kfp_sdg.errors import TeacherError
from kfp_sdg.spec import BlockSpec, PipelineSpec
from kfp_sdg.teacher import Answer, Choice, TeacherPool, Usage
from scripted_teacher import pipeline

if TYPE_CHECKING:
    from datasets import Dataset

    from kfp_sdg.teacher import Request

TAGS = {"start_tags": ["[Q]", "[A]"], "end_tags": ["[/Q]", "[/A]"]}
FILES = pipeline(
    ask={"generation": "Ask about {{ topic }}.", **TAGS},
    judge={"generation": "Judge {{ topic }}.", "start_tags": ["[S]"], "end_tags": ["[/S]"]},
    score={"generation": "Score {{ topic }}.", "start_tags": ["[S]"], "end_tags": ["[/S]"]},
).files


class KeptAnswers:
    """A teacher whose answer to a request is always the same, by the request's key.

    So it is what a journal makes of any teacher. It answers in an order drawn by chance.
    """

    def __init__(self, seed: int = 0) -> None:
        self.random = random.Random(seed)
        self.keys: Counter[bytes] = Counter()

    async def complete(self, request: Request) -> Answer:
        self.keys[request.key] += 1
        for _ in range(self.random.choice([0, 0, 1, 5, 40])):
            await asyncio.sleep(0)
        number = int.from_bytes(hashlib.sha256(request.key).digest()[:4], "big")
        if number % 11 == 0:
            raise TeacherError("the prompt is poisoned")
        texts = [_text(number + 7 * place) for place in range(request.n)]
        return Answer(tuple(Choice(text, "stop") for text in texts), Usage(1, 1, 1))

    chat = complete

    async def models(self) -> tuple[str, ...]:
        return ("m",)

    async def has_completions(self) -> bool:
        return True

    async def close(self) -> None:
        pass


def _text(number: int) -> str:
    if number % 7 == 0:
        return "no tags at all"
    pairs = [f"[Q]q{number % 5}[/Q][A]a{number % 3 + i}[/A]" for i in range(1 + (number % 13 == 0))]
    return "".join(pairs) + f"[S]{number % 2}[/S]"


def asking(name: str, config: str, columns: list[str], n: int = 1) -> dict[str, Any]:
    return {
        "type": "LLMBlock",
        "config": {
            "config_path": f"{config}.yaml",
            "output_cols": columns,
            "gen_kwargs": {"n": n, "temperature": 0.7, "max_tokens": 9},
        },
    }


def again(times: int, inner: dict[str, Any]) -> dict[str, Any]:
    config = {"num_iters": times, "block_type": inner["type"], **inner["config"]}
    return {"type": "IterBlock", "config": config}


QUESTIONS = st.builds(lambda n: asking("ask", "ask", ["q", "topic"], n), st.integers(1, 3))
JUDGES = st.just(asking("judge", "judge", ["score"]))
ENTRIES = st.tuples(
    st.one_of(
        QUESTIONS,
        JUDGES,
        st.builds(again, st.integers(0, 3), st.one_of(QUESTIONS, JUDGES)),
        st.builds(again, st.integers(1, 2), st.builds(again, st.integers(1, 2), JUDGES)),
        st.just(
            {
                "type": "FilterByValueBlock",
                "config": {
                    "filter_column": "topic",
                    "filter_value": ["a0", "a1", "x", "y"],
                    "operation": "eq",
                },
            }
        ),
        st.just(
            {
                "type": "CombineColumnsBlock",
                "config": {"columns": ["topic", "kind"], "output_col": "copy"},
            }
        ),
        st.just({"type": "SetToMajorityValueBlock", "config": {"col_name": "kind"}}),
        st.just(
            {
                "type": "ConditionalLLMBlock",
                "config": {
                    "config_paths": [["judge.yaml", "x"], ["score.yaml", "y"]],
                    "output_cols": ["score"],
                    "selector_column_name": "topic",
                },
            }
        ),
        st.just(
            {
                "type": "FlattenColumnsBlock",
                "config": {"var_cols": ["kind"], "value_name": "kind", "var_name": "was"},
            }
        ),
        st.just({"type": "EveryOther", "config": {}}),
    ),
    st.sampled_from([(), ("score",), ("copy", "q")]),
    st.sampled_from([(), ("topic",), ("topic", "kind")]),
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {"topic": st.sampled_from(["x", "y", "z"]), "kind": st.sampled_from([1.5, None, -0.0, 0.0])}
    ),
    max_size=40,
)
SCHEMA = pa.schema([("topic", pa.string()), ("kind", pa.float64())])


class EveryOther(Block):
    """A custom block, which is given the whole dataset."""

    def generate(self, samples: Dataset) -> Dataset:
        return samples.select(range(0, len(samples), 2))


@pytest.fixture(autouse=True)
def _every_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BlockRegistry.get_registry(), "EveryOther", EveryOther)


def spec_of(entries: list[tuple[dict[str, Any], tuple[str, ...], tuple[str, ...]]]) -> PipelineSpec:
    blocks = []
    for number, (entry, dropped, unique) in enumerate(entries):
        names = (*dropped, "was")  # so that a dataset can be flattened twice
        blocks.append(
            BlockSpec(f"block {number}", **entry, drop_columns=names, drop_duplicates=unique)
        )
    return PipelineSpec(tuple(blocks), FILES)


def block_by_block(spec: PipelineSpec, rows: pa.Table) -> RunResult:
    """Let each block in turn work on all rows; what the engine has to equal."""
    with TeacherPool(KeptAnswers(), journal=mock.Mock()) as teachers:
        context = PipelineContext(teachers, "blank", max_rejected="100%")
        result = RunResult(rows)
        rejected = {}
        for block_spec in spec.blocks:
            block = make_block(block_spec, spec, context)
            block.prepare()
            account = Account()
            made = apply_block(block, rows, account)
            made = made.drop_columns([c for c in block_spec.drop_columns if c in made.column_names])
            if account.rejections:
                rejected[block_spec.name] = account.rejected_table(rows.schema)
            rows = drop_duplicates(made, block_spec.drop_duplicates)
        return RunResult(rows, rejected, result.history)


def same(result: RunResult, expected: RunResult) -> None:
    assert result.rows.schema.equals(expected.rows.schema)
    assert repr(result.rows.to_pylist()) == repr(expected.rows.to_pylist())
    assert {name: repr(table.to_pylist()) for name, table in result.rejected.items()} == {
        name: repr(table.to_pylist()) for name, table in expected.rejected.items()
    }


def balanced(result: RunResult, rows_in: int) -> None:
    for entry in result.history:
        assert entry.rows_in == rows_in
        assert entry.rows_in + entry.added == (
            entry.rows_out + entry.filtered + entry.duplicates + entry.rejected
        )
        rows_in = entry.rows_out


@settings(deadline=None, max_examples=120, suppress_health_check=[HealthCheck.too_slow])
@given(
    rows=ROWS,
    entries=st.lists(ENTRIES, min_size=1, max_size=5),
    batch=st.sampled_from([1, 2, 5, 256]),
    concurrency=st.sampled_from([1, 4, 64]),
    most=st.sampled_from([2, 4096]),
    seed=st.integers(0, 1000),
)
def test_the_rows_and_their_order_do_not_depend_on_chunks_and_timing(
    rows: list[dict[str, Any]],
    entries: list[Any],
    batch: int,
    concurrency: int,
    most: int,
    seed: int,
) -> None:
    spec = spec_of(entries)
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    expected = block_by_block(spec, table)
    teacher = KeptAnswers(seed)
    with (
        TeacherPool(teacher, journal=mock.Mock()) as teachers,
        mock.patch.object(teachers, "concurrency", return_value=concurrency),
        mock.patch("kfp_sdg.blocks.asking_stream.BATCH", batch),
        mock.patch("kfp_sdg.blocks.exchange.MOST_OUTSTANDING", most),
        mock.patch("kfp_sdg.engine.sink.COMPACT", batch),
    ):
        result = run(spec, table, PipelineContext(teachers, "blank", max_rejected="100%"))

    same(result, expected)
    balanced(result, len(rows))
    assert len(result.history) == len(spec.blocks)
    assert set(teacher.keys.values()) <= {1}  # no two requests have one key
