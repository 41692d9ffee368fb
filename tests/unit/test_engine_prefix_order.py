"""Prompts that begin alike find their beginning in the server's prefix cache."""

from __future__ import annotations

from unittest import mock

import pyarrow as pa
import pytest

from engine_runs import FILES, asking
from kfp_sdg.blocks import PipelineContext
from kfp_sdg.engine import run
from kfp_sdg.spec import BlockSpec, PipelineSpec
from kfp_sdg.teacher import TeacherOptions, connect
from stub_prefix_cache import StubPrefixCache
from stub_teacher import StubTeacher

DOCUMENTS, ROWS_OF_EACH, WORDS = 32, 4, 64
ROOM = DOCUMENTS * WORDS // 16 // 2
"""Blocks of 16 words: the cache has room for half of the documents."""

ASK = asking("ask", "a")
AGAIN = BlockSpec("ask", "IterBlock", {"num_iters": 2, "block_type": "LLMBlock", **ASK.config})


def share_found(block: BlockSpec) -> float:
    """Return which share of its prompts the server finds, where the documents of rows alternate."""
    documents = [" ".join(f"d{d}w{w}" for w in range(WORDS)) for d in range(DOCUMENTS)]
    rows = pa.table({"topic": [f"{d} {q}" for q in range(ROWS_OF_EACH) for d in documents]})
    cache = StubPrefixCache(blocks=ROOM)
    with (
        StubTeacher(answer=lambda _: "[A]fine[/A]", prefix_cache=cache) as stub,
        connect(TeacherOptions(url=stub.url, max_concurrency=8)) as teachers,
    ):
        result = run(PipelineSpec((block,), FILES), rows, PipelineContext(teachers, "blank"))
    assert result.rows["topic"].to_pylist()[: len(rows)] == rows["topic"].to_pylist()
    return cache.hit / cache.queried


@pytest.mark.parametrize("block", [ASK, AGAIN], ids=["a block", "an IterBlock"])
def test_rows_whose_documents_alternate_find_them_in_the_prefix_cache(block: BlockSpec) -> None:
    ordered = share_found(block)
    with mock.patch("kfp_sdg.blocks.asking_stream.neighbours_first", lambda p: list(range(len(p)))):
        unordered = share_found(block)

    assert unordered < 0.1
    assert ordered > 0.6  # three of four rows, less what is not a whole block of 16 words
