"""A pipeline written by hand in plain KFP, with the same components that YAML compiles to.

    python pipelines/examples/by_hand.py by_hand.yaml

Questions about each seed row are asked of a teacher, and those with a good score are kept.
"""

import sys

from kfp import compiler, dsl

from kfp_sdg.components import json_input
from kfp_sdg.components.blocks.filter_by_value import filter_by_value
from kfp_sdg.components.blocks.llm import llm
from kfp_sdg.components.datasets.load import load

PROMPT = {
    "system": "You write questions for people who learn.",
    "introduction": "Write one question that the text answers, and say how clear it is.",
    "principles": "The score is 2 for a clear question, 1 for a doubtful one and 0 for a bad one.",
    "examples": "",
    "generation": "Text:\n{{document}}",
    "start_tags": ["[Question]", "[Score]"],
    "end_tags": ["[End of Question]", "[End of Score]"],
}


@dsl.pipeline(name="questions-by-hand")
def questions_by_hand(
    teacher_url: str, model_id: str, input_uri: str = "", seed_samples: str = ""
) -> dsl.Dataset:
    """Ask questions about documents and keep the clear ones.

    Args:
        teacher_url: Base URL of the teacher's OpenAI-compatible server, with /v1.
        model_id: The model to ask.
        input_uri: A file with a column document.
        seed_samples: The rows themselves as a JSON list, in the place of input_uri.

    Returns:
        The questions with their documents and scores.
    """
    seeds = load(input_uri=input_uri, seed_samples=seed_samples)
    asked = llm(
        rows=seeds.outputs["output_rows"],
        block_name="ask",
        config_path="question.yaml",
        files=json_input({"question.yaml": PROMPT}),
        output_cols=json_input(["question", "score"]),
        gen_kwargs=json_input({"max_tokens": 256, "temperature": 0.7, "n": 2}),
        drop_duplicates=json_input(["question"]),
        teacher_url=teacher_url,
        model_id=model_id,
        model_family="chat",
    )
    kept = filter_by_value(
        rows=asked.outputs["output_rows"],
        block_name="keep_clear",
        filter_column="score",
        filter_value=json_input(2),
        operation="ge",
        convert_dtype="float",
    )
    return kept.outputs["output_rows"]


if __name__ == "__main__":
    compiler.Compiler().compile(questions_by_hand, sys.argv[1])
