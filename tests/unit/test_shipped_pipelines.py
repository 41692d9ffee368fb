"""The shipped pipelines keep InstructLab's facts: blocks, columns and settings."""

from __future__ import annotations

import re
from typing import Any

import pytest

from kfp_sdg.pipelines import SHIPPED_FOLDER, shipped, shipped_names
from kfp_sdg.spec import BlockSpec, load_pipeline
from kfp_sdg.spec.scaling import Amount

PAIR_PATTERN = (
    r"\[(?:Question|QUESTION)\]\s*(.*?)\s*\[(?:Answer|ANSWER)\]\s*(.*?)"
    r"\s*(?=\[(?:Question|QUESTION)\]|$)"
)
CUSTOM = {
    "parser_name": "custom",
    "parsing_pattern": PAIR_PATTERN,
    "parser_cleanup_tags": ["[END]", "[End]"],
}


def llm(
    name: str, config: str, *columns: str, unique: tuple[str, ...] = (), **settings: Any
) -> BlockSpec:
    """An LLMBlock with a shipped prompt config."""
    path = f"../configs/{config}.yaml"
    config_keys = {"config_path": path, "output_cols": list(columns), **settings}
    return BlockSpec(name, "LLMBlock", config_keys, drop_duplicates=unique)


def keep(
    name: str, column: str, operation: str, value: Any, *drop: str, number: bool = True
) -> BlockSpec:
    """A FilterByValueBlock; judgments in words are compared as they are."""
    config = {"filter_column": column, "filter_value": value, "operation": operation}
    if number:
        config["convert_dtype"] = "float"
    return BlockSpec(name, "FilterByValueBlock", config, drop_columns=drop)


def simple(name: str, config: str) -> list[BlockSpec]:
    gen_kwargs = {"max_tokens": 2048, "temperature": 0.7, "n": "scaled"}
    return [llm(name, config, "output", unique=("output",), gen_kwargs=gen_kwargs)]


def freeform(num_samples: str) -> list[BlockSpec]:
    samples = {"num_samples": num_samples}
    ask, judge = "skills/freeform_questions", "skills/evaluate_freeform_questions"
    answer, grade = "skills/freeform_responses", "skills/evaluate_freeform_pair"
    return [
        llm("gen_questions", ask, "question", unique=("question",), batch_kwargs=samples),
        llm("eval_questions", judge, "evaluation", "score"),
        keep("filter_questions", "score", "eq", 1.0, "evaluation", "score", "num_samples"),
        llm("gen_responses", answer, "response"),
        llm("evaluate_qa_pair", grade, "evaluation", "score"),
        keep("filter_qa_pair", "score", "ge", 2.0, "evaluation", "score"),
    ]


def grounded(context_tokens: int) -> list[BlockSpec]:
    sampling = {"temperature": 0.7, "max_tokens": context_tokens, "n": "scaled/3", "seed": 42}
    samples = {"num_samples": 3}
    ask, judge = "skills/grounded_questions", "skills/evaluate_grounded_questions"
    answer, grade = "skills/grounded_responses", "skills/evaluate_grounded_pair"
    combine = {"columns": ["context", "question"], "output_col": "question"}
    return [
        llm("gen_contexts", "skills/contexts", "context", unique=("context",), gen_kwargs=sampling),
        llm("gen_grounded_questions", ask, "question", unique=("question",), batch_kwargs=samples),
        llm("eval_grounded_questions", judge, "evaluation", "score"),
        keep("filter_grounded_questions", "score", "eq", 1.0, "evaluation", "score", "num_samples"),
        llm("gen_grounded_responses", answer, "response"),
        llm("evaluate_grounded_qa_pair", grade, "evaluation", "score"),
        keep("filter_grounded_qa_pair", "score", "ge", 2.0),
        BlockSpec("combine_question_and_context", "CombineColumnsBlock", combine),
    ]


def knowledge_judges(tokens: int) -> list[BlockSpec]:
    limit = {"gen_kwargs": {"max_tokens": tokens}}
    faithful, relevant = "knowledge/evaluate_faithfulness", "knowledge/evaluate_relevancy"
    alone = "knowledge/evaluate_question"
    last_drops = ("explanation", "rating", "__index_level_0__")
    no_number = {"number": False}
    return [
        llm("eval_faithfulness_qa_pair", faithful, "explanation", "judgment", **limit),
        keep(
            "filter_faithfulness", "judgment", "eq", "YES", "judgment", "explanation", **no_number
        ),
        llm("eval_relevancy_qa_pair", relevant, "feedback", "score", **limit),
        keep("filter_relevancy", "score", "eq", 2.0, "feedback", "score"),
        llm("eval_verify_question", alone, "explanation", "rating", **limit),
        keep("filter_verify_question", "rating", "eq", 1.0, *last_drops),
    ]


def column_block(name: str, block_type: str, **config: Any) -> BlockSpec:
    return BlockSpec(name, block_type, config)


def summary(name: str, config: str, column: str) -> BlockSpec:
    return llm(name, f"knowledge/{config}", column, gen_kwargs={"max_tokens": 2048})


DUPLICATE = column_block(
    "duplicate_document_col", "DuplicateColumnsBlock", columns_map={"document": "base_document"}
)
FULL_KNOWLEDGE = [
    DUPLICATE,
    summary("gen_spellcheck", "spellcheck", "spellcheck"),
    column_block(
        "flatten_auxiliary_columns",
        "FlattenColumnsBlock",
        var_cols=["spellcheck", "base_document"],
        value_name="corrected_document",
        var_name="dataset_type",
    ),
    column_block(
        "rename_to_document_column",
        "RenameColumnsBlock",
        columns_map={"document": "raw_document", "corrected_document": "document"},
    ),
    llm(
        "gen_knowledge",
        "knowledge/generate_questions_responses",
        "question",
        "response",
        unique=("question",),
        parser_kwargs=CUSTOM,
        gen_kwargs={"max_tokens": 2048},
    ),
    *knowledge_judges(2048),
]
LLAMA_KNOWLEDGE = [
    DUPLICATE,
    summary("gen_detailed_summary", "detailed_summary", "summary_detailed"),
    summary("gen_atomic_facts", "atomic_facts", "summary_atomic_facts"),
    summary("gen_extractive_summary", "extractive_summary", "summary_extractive"),
    column_block(
        "flatten_summary_columns",
        "FlattenColumnsBlock",
        var_cols=[
            "summary_detailed",
            "summary_extractive",
            "summary_atomic_facts",
            "base_document",
        ],
        value_name="summary",
        var_name="dataset_type",
    ),
    column_block(
        "rename_to_document_column",
        "RenameColumnsBlock",
        columns_map={"document": "raw_document", "summary": "document"},
    ),
    llm(
        "knowledge generation",
        "knowledge/generate_questions_responses",
        "question",
        "response",
        batch_kwargs={"batched": True},
        parser_kwargs=CUSTOM,
        gen_kwargs={"max_tokens": 4096},
    ),
    *knowledge_judges(512),
]
MMLU_BENCH = [
    llm(
        "gen_mmlu_knowledge",
        "knowledge/mcq_generation",
        "mmlubench_question",
        "mmlubench_answer",
        unique=("mmlubench_question",),
        gen_kwargs={"temperature": 0.7, "max_tokens": 2048},
    )
]
BLOCKS = {
    "simple/knowledge": simple("gen_knowledge", "knowledge/simple_generate_qa"),
    "simple/freeform_skills": simple("gen_skill_freeform", "skills/simple_generate_qa_freeform"),
    "simple/grounded_skills": simple("gen_skill_grounded", "skills/simple_generate_qa_grounded"),
    "full/knowledge": FULL_KNOWLEDGE,
    "full/freeform_skills": freeform("scaled"),
    "full/grounded_skills": grounded(2048),
    "llama/knowledge": LLAMA_KNOWLEDGE,
    "llama/freeform_skills": freeform("scaled*5/3"),
    "llama/grounded_skills": grounded(4096),
    "eval/mmlu_bench": MMLU_BENCH,
}
AUXILIARY_INSTRUCTIONS = {
    "full/knowledge": {"spellcheck": 2},
    "llama/knowledge": {
        "summary_detailed": 10,
        "summary_extractive": 10,
        "summary_atomic_facts": 10,
    },
}


@pytest.mark.parametrize("name", shipped_names())
def test_every_shipped_pipeline_loads_without_a_problem_or_a_warning(name):
    spec = load_pipeline(shipped(name), custom_types=["WordCountBlock"])

    assert spec.blocks
    assert spec.warnings == ()


@pytest.mark.parametrize("name", BLOCKS)
def test_a_pipeline_has_instructlabs_blocks_in_their_order_with_their_settings(name):
    spec = load_pipeline(shipped(f"instructlab/{name}"))

    assert [(b.name, b.type) for b in spec.blocks] == [(b.name, b.type) for b in BLOCKS[name]]
    assert list(spec.blocks) == BLOCKS[name]
    instructions = {k: len(set(v)) for k, v in spec.auxiliary_instructions.items()}
    assert instructions == AUXILIARY_INSTRUCTIONS.get(name, {})


@pytest.mark.parametrize(
    ("name", "numbers"),
    [
        ("simple/knowledge", [30]),
        ("full/freeform_skills", [30]),
        ("llama/freeform_skills", [50]),
        ("full/grounded_skills", [10, 3]),
        ("llama/grounded_skills", [10, 3]),
    ],
)
def test_at_the_scale_factor_30_a_pipeline_asks_for_as_much_as_instructlabs(name, numbers):
    asked = []
    for block in load_pipeline(shipped(f"instructlab/{name}")).blocks:
        for section, key in (("gen_kwargs", "n"), ("batch_kwargs", "num_samples")):
            if key in (settings := block.config.get(section, {})):
                asked.append(Amount.read(settings[key], key).of(30))
    assert asked == numbers


def test_these_pipelines_of_instructlab_ship_and_no_others():
    ours = {name for name in shipped_names() if name.startswith("instructlab/")}

    assert ours == {f"instructlab/{name}" for name in BLOCKS}


def test_a_pipeline_that_does_not_ship_is_refused_with_the_names_of_those_that_do():
    with pytest.raises(KeyError, match="instructlab/full/knowledge"):
        shipped("instructlab/full/knowlege")


@pytest.mark.parametrize("name", ["simple", "full", "llama"])
def test_every_pipeline_says_what_it_does_and_what_it_reads_before_its_first_line(name):
    for path in (SHIPPED_FOLDER / "instructlab" / name).glob("*.yaml"):
        what, columns, version = path.read_text("utf-8").splitlines()[:3]
        assert what.startswith("# ")
        assert re.fullmatch(r"# Reads .*; adds .*\.", columns)
        assert version == 'version: "1.0"'
