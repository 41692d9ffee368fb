"""LLMBlock against a real server: the smallest model gives rows when answers are constrained."""

from __future__ import annotations

import pyarrow as pa
import pytest

from kfp_sdg.blocks import Account, PipelineContext
from kfp_sdg.blocks.llm import LLMBlock
from kfp_sdg.teacher import TeacherOptions, connect
from scripted_teacher import assert_books_balance, pipeline

CONFIG = {
    "introduction": "Write a question about the text, then the answer.",
    "generation": "Text: {{ document }}",
    "start_tags": ["[Question]", "[Answer]"],
    "end_tags": ["[Answer]", "[End]"],
}
DOCUMENTS = pa.table(
    {
        "document": [
            "The harbour wall is 620 metres long and was built in 1911.",
            "Bees dance to tell each other where flowers are.",
            "The lighthouse keeper counts the ships that pass at night.",
        ]
    }
)


@pytest.mark.embedded
@pytest.mark.parametrize("family", ["chat", "granite"])
def test_constrained_answers_of_the_embedded_model_parse(embedded_url, family):
    with connect(TeacherOptions(embedded_url)) as teachers:
        ctx = PipelineContext(teachers, model_family=family, max_num_tokens=160, constrain=True)
        block = LLMBlock(
            ctx,
            pipeline(qa=CONFIG),
            "gen_qa",
            config_path="qa.yaml",
            output_cols=["question", "answer"],
            gen_kwargs={"n": 2, "temperature": 0.7, "seed": 3},
        )
        account = Account()
        made = block.apply(DOCUMENTS, account)
    # A value's bound is for text, and this model may count to fifty instead.
    assert made.num_rows >= 4, account.rejections
    assert all(made["question"].to_pylist())
    assert account.statistics.usage.completion_tokens > 0
    assert_books_balance(3, made.num_rows, account)
