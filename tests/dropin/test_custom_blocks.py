"""Blocks that were written for InstructLab, run by the kfp-sdg engine."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any
from unittest.mock import MagicMock

import pytest
from datasets import Dataset

from dropin_helpers import answering, context_for, entry, pipeline_of
from instructlab.sdg import (
    Block,
    BlockRegistry,
    LLMBlock,
    LLMMessagesBlock,
    PipelineBlockError,
    PromptRegistry,
)
from instructlab.sdg.blocks.llmblock import template_from_struct_and_config
from stub_teacher import StubTeacher

if TYPE_CHECKING:
    from collections.abc import Iterator

QUESTIONS = Dataset.from_list([{"question": q} for q in ("one", "two", "three")])


@pytest.fixture
def stub() -> Iterator[StubTeacher]:
    """A teacher that repeats the last word of the question, with the number of the choice."""

    def repeat(ask: Any) -> str:
        word = ask.prompt.replace("[/INST]", "").split()[-1]
        return f"<answer>{word} {ask.place}</answer>"

    with StubTeacher(answer=repeat) as stub:
        yield stub


@pytest.fixture(autouse=True)
def _registry(monkeypatch):
    monkeypatch.setattr(BlockRegistry, "_types", dict(BlockRegistry.get_registry()))
    monkeypatch.setattr(PromptRegistry, "_formats", dict(PromptRegistry.get_registry()))


def test_a_block_with_generate_alone_runs_with_the_context_and_the_pipeline_it_knows(
    stub, tmp_path
):
    seen = {}

    @BlockRegistry.register("ShoutBlock")
    class ShoutBlock(Block):
        def __init__(self, ctx, pipe, block_name, column, marks="!") -> None:
            super().__init__(ctx, pipe, block_name)
            self.column = column
            self.marks = marks

        def generate(self, samples: Dataset) -> Dataset:
            seen["ctx"] = (self.ctx.client, self.ctx.dataset_num_procs, self.ctx.batch_size)
            seen["pipe"] = (self.pipe.config_path, self.pipe.ctx, self.pipe.chained_blocks)
            told = {"column": self.column, "marks": self.marks}
            return samples.map(self._shout, fn_kwargs=told, num_proc=self.ctx.dataset_num_procs)

        @staticmethod
        def _shout(row, column, marks):
            return {column: row[column].upper() + marks}

    context = context_for(stub, dataset_num_procs=2)
    shout = entry("shout", "ShoutBlock", {"column": "answer"})
    pipeline = pipeline_of(tmp_path, context, answering(), shout)
    made = pipeline.generate(QUESTIONS)
    assert made["answer"][:] == ["ONE 0!", "TWO 0!", "THREE 0!"]
    assert seen["ctx"] == (context.client, 2, 8)
    assert seen["pipe"][0] == pipeline.config_path
    assert seen["pipe"][1] is context
    assert seen["pipe"][2] is pipeline.chained_blocks


def test_a_block_loads_files_that_only_it_knows_of(stub, tmp_path):
    @BlockRegistry.register("GreetBlock")
    class GreetBlock(Block):
        def __init__(self, ctx, pipe, block_name, words) -> None:
            super().__init__(ctx, pipe, block_name)
            self.words = self._load_config(words)

        def generate(self, samples):
            return samples.add_column("greeting", [self.words["hello"]] * len(samples))

    words = tmp_path / "words.yaml"
    words.write_text("hello: Ahoy\n")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for path, folder in (("words.yaml", tmp_path), (str(words), elsewhere)):
        pipeline = pipeline_of(folder, context_for(stub), entry("g", "GreetBlock", {"words": path}))
        assert set(pipeline.generate(QUESTIONS)["greeting"]) == {"Ahoy"}


def test_a_block_asks_the_client_itself(stub, tmp_path):
    @BlockRegistry.register("DirectBlock")
    class DirectBlock(Block):
        def generate(self, samples):
            answers = [
                self.ctx.client.completions.create(model=self.ctx.model_id, prompt=q).choices[0]
                for q in samples["question"]
            ]
            return samples.add_column("raw", [answer.text for answer in answers])

    pipeline = pipeline_of(tmp_path, context_for(stub), entry("direct", "DirectBlock", {}))
    assert pipeline.generate(QUESTIONS)["raw"][0] == "<answer>one 0</answer>"


def test_an_error_of_a_block_is_told_with_the_block_and_is_what_it_was(stub, tmp_path):
    @BlockRegistry.register("BrokenBlock")
    class BrokenBlock(Block):
        def generate(self, samples):
            raise RuntimeError("out of ink")

    pipeline = pipeline_of(tmp_path, context_for(stub), entry("print", "BrokenBlock", {}))
    with pytest.raises(PipelineBlockError) as caught:
        pipeline.generate(QUESTIONS)
    error = caught.value
    assert (error.block_name, error.block_type) == ("print", "BrokenBlock")
    assert isinstance(error.exception, RuntimeError)
    assert error.exception_message == "out of ink"
    assert str(error) == "PipelineBlockError(BrokenBlock/print): out of ink"


def test_generate_overridden_around_an_llm_block(stub, tmp_path):
    @BlockRegistry.register("AroundBlock")
    class AroundBlock(LLMBlock):
        def generate(self, samples):
            made = super().generate(samples)
            return made.map(lambda row: {"answer": f"({row['answer']})"})

    pipeline = pipeline_of(tmp_path, context_for(stub), answering(kind="AroundBlock"))
    assert pipeline.generate(QUESTIONS)["answer"][:] == ["(one 0)", "(two 0)", "(three 0)"]


@pytest.mark.parametrize("n", [1, 2])
def test_generate_and_parse_overridden_in_an_llm_block(stub, tmp_path, n):
    @BlockRegistry.register("OwnBlock")
    class OwnBlock(LLMBlock):
        def _generate(self, samples):
            assert isinstance(samples[0], dict)
            return [text.replace("two", "2") for text in super()._generate(samples)]

        def _parse(self, generated_string):
            found = super()._parse(generated_string)
            return {"answer": found["answer"], "length": [len(a) for a in found["answer"]]}

    block = answering(kind="OwnBlock", gen_kwargs={"n": n, "temperature": 1})
    pipeline = pipeline_of(tmp_path, context_for(stub), block)
    made = pipeline.generate(QUESTIONS)
    assert made["answer"][::n][:] == ["one 0", "2 0", "three 0"]
    assert made["length"][::n][:] == [5, 3, 7]
    assert len(made) == 3 * n
    [entry_] = pipeline.outcome.history
    assert entry_.rows_in + entry_.added == entry_.rows_out == 3 * n
    assert entry_.requests == 3


def test_generate_overridden_without_our_teacher_needs_no_model_list(stub, tmp_path):
    @BlockRegistry.register("CannedBlock")
    class CannedBlock(LLMBlock):
        def _generate(self, samples):
            return [f"<answer>{s['question']}!</answer>" for s in samples[:-1]] + ["nothing"]

    pipeline = pipeline_of(tmp_path, context_for(stub), answering(kind="CannedBlock"))
    assert pipeline.generate(QUESTIONS)["answer"][:] == ["one!", "two!"]
    assert stub.calls == []
    [entry_] = pipeline.outcome.history
    assert (entry_.rows_out, entry_.rejected_by_reason) == (2, {"parse": 1})
    [rejected] = pipeline.outcome.rejected["answer"].to_pylist()
    assert (rejected["question"], rejected["rejected_answer"]) == ("three", "nothing")


def test_generate_and_underscore_generate_overridden_together_both_work_once(stub, tmp_path):
    class Base(LLMBlock):
        def _generate(self, samples):
            return [f"<answer>{s['question']}</answer>" for s in samples]

    @BlockRegistry.register("BothBlock")
    class BothBlock(Base):
        def generate(self, samples):
            return super().generate(samples).map(lambda row: {"answer": row["answer"] + "+"})

    pipeline = pipeline_of(tmp_path, context_for(stub), answering(kind="BothBlock"))
    assert pipeline.generate(QUESTIONS)["answer"][:] == ["one+", "two+", "three+"]


def test_a_prompt_of_its_own_still_streams(stub, tmp_path):
    @BlockRegistry.register("PoliteBlock")
    class PoliteBlock(LLMBlock):
        def _format_prompt(self, sample):
            return super()._format_prompt({**sample, "question": "please " + sample["question"]})

        def _validate(self, prompt_template, input_dict):
            return input_dict["question"] != "two"

        def _gen_kwargs(self, max_num_token_override, gen_kwargs, **defaults):
            made = super()._gen_kwargs(max_num_token_override, gen_kwargs, **defaults)
            return {**made, "top_p": 0.5}

    from kfp_sdg.engine.streams import can_stream

    pipeline = pipeline_of(tmp_path, context_for(stub), answering(kind="PoliteBlock"))
    made = pipeline.generate(QUESTIONS)
    assert made["answer"][:] == ["one 0", "three 0"]
    assert all("please" in prompt for prompt in stub.prompts)
    assert all(prompt.endswith("[/INST]") for prompt in stub.prompts)
    assert {request["top_p"] for request in stub.requests} == {0.5}
    assert pipeline.outcome.history[0].rejected_by_reason == {"prompt": 1}
    block = PoliteBlock(context_for(stub), pipeline, "x", "answer.yaml", ["answer"])
    assert can_stream(block)


def test_a_config_of_its_own_is_the_prompt(stub, tmp_path):
    @BlockRegistry.register("InlineBlock")
    class InlineBlock(LLMBlock):
        def _load_config(self, config_path):
            return {**super()._load_config(config_path), "generation": "Ask {{question}} loudly"}

    pipeline = pipeline_of(tmp_path, context_for(stub), answering(kind="InlineBlock"))
    assert pipeline.generate(QUESTIONS)["answer"][:] == ["loudly 0"] * 3


def test_a_template_of_its_own_is_the_prompt(stub, tmp_path):
    @BlockRegistry.register("ShortBlock")
    class ShortBlock(LLMBlock):
        def __init__(self, ctx, pipe, block_name, **config) -> None:
            super().__init__(ctx, pipe, block_name, **config)
            self.prompt_struct = "{system}\nSay {{{{other}}}}"
            self.prompt_template = template_from_struct_and_config(
                self.prompt_struct, {**self.block_config, "system": None}
            )

    pipeline = pipeline_of(tmp_path, context_for(stub), answering(kind="ShortBlock"))
    rows = Dataset.from_dict({"other": ["four", "five", "six"]})  # no question, as in the file
    assert pipeline.generate(rows)["answer"][:] == ["four 0", "five 0", "six 0"]
    assert "You answer." not in "".join(stub.prompts)


def test_the_attributes_that_subclasses_read(stub, tmp_path):
    pipeline = pipeline_of(tmp_path, context_for(stub))
    block = LLMBlock(
        context_for(stub),
        pipeline,
        "ask",
        "answer.yaml",
        ["answer"],
        gen_kwargs={"max_tokens": "100"},
        parser_kwargs={"parser_name": "custom", "parsing_pattern": "(.+)"},
        batch_kwargs={"num_samples": 4},
    )
    assert block.model_id == "stub-model"
    assert block.model_family == "mixtral"
    assert block.gen_kwargs == {"model": "stub-model", "temperature": 0.0, "max_tokens": 100}
    assert block.block_config["start_tags"] == ["<answer>"]
    again = template_from_struct_and_config(block.prompt_struct, block.block_config)
    assert again.render(question="x") == block.prompt_template.render(question="x")
    assert block.prompt_template.render(question="x").strip().endswith("Question: x")
    assert (block.parser_name, block.parsing_pattern) == ("custom", "(.+)")
    assert block.batch_params == {"num_samples": 4}
    assert block._format_prompt({"question": "x"}).startswith("<s> [INST] You answer.")
    assert block.server_supports_batched is True
    assert isinstance(block, Block)


def test_what_a_subclass_changes_in_gen_kwargs_counts(stub, tmp_path):
    @BlockRegistry.register("WarmBlock")
    class WarmBlock(LLMBlock):
        def __init__(self, *args, **settings) -> None:
            super().__init__(*args, **settings)
            self.gen_kwargs["temperature"] = 0.9

    pipeline_of(tmp_path, context_for(stub), answering(kind="WarmBlock")).generate(QUESTIONS)
    assert {request["temperature"] for request in stub.requests} == {0.9}


def test_a_block_made_by_hand_works_without_a_pipeline(stub, tmp_path):
    pipe = pipeline_of(tmp_path, None)
    block = LLMBlock(
        context_for(stub), pipe, "ask", config_path="answer.yaml", output_cols=["answer"]
    )
    assert block.generate(QUESTIONS)["answer"][:] == ["one 0", "two 0", "three 0"]


def test_messages_with_a_generate_of_their_own(stub, tmp_path):
    @BlockRegistry.register("EchoBlock")
    class EchoBlock(LLMMessagesBlock):
        def _generate(self, samples):
            return [f"{text}?" for text in super()._generate(samples)]

    messages = [[{"role": "user", "content": q}] for q in ("one", "two")]
    rows = Dataset.from_list([{"messages": m} for m in messages])
    block = entry("echo", "EchoBlock", {"input_col": "messages", "output_col": "said"})
    made = pipeline_of(tmp_path, context_for(stub), block).generate(rows)
    assert made["said"][:] == ["<answer>one 0</answer>?", "<answer>two 0</answer>?"]


def test_a_chat_format_registered_by_the_user_is_used(stub, tmp_path):
    @PromptRegistry.register("pirate")
    def pirate() -> str:
        return "Arr! {{ prompt }}"

    context = context_for(stub, model_family="pirate")
    pipeline_of(tmp_path, context, answering()).generate(QUESTIONS)
    assert all(prompt.startswith("Arr! You answer.") for prompt in stub.prompts)


def test_batches_are_as_large_as_the_context_says_and_go_side_by_side(stub, tmp_path):
    seen, meeting = [], threading.Barrier(2, timeout=20)

    @BlockRegistry.register("BatchBlock")
    class BatchBlock(Block):
        def generate(self, samples):
            seen.append((len(samples), id(self)))
            if len(samples) == 2:
                meeting.wait()  # for the other one of two at a time
            return samples.map(lambda row: {"question": row["question"] * 2})

    rows = Dataset.from_list([{"question": str(n)} for n in range(8)])
    block = entry("batches", "BatchBlock", {})
    context = context_for(stub, batch_size=2, batch_num_workers=2)
    made = pipeline_of(tmp_path, context, block).generate(rows)
    assert made["question"][:] == [str(n) * 2 for n in range(8)]
    assert [size for size, _ in seen] == [2, 2, 2, 2]
    for settings in ({"batch_size": 0}, {"batch_num_workers": 1}):
        seen.clear()
        pipeline_of(tmp_path, context_for(stub, **settings), block).generate(rows)
        assert [size for size, _ in seen] == [8]


def test_a_generate_of_ones_own_in_an_llm_block_is_given_batches_too(stub, tmp_path):
    sizes = []

    @BlockRegistry.register("ListBlock")
    class ListBlock(LLMBlock):
        def _generate(self, samples):
            sizes.append(len(samples))
            prompts = [self._format_prompt(sample) for sample in samples]
            asked = self.ctx.client.completions.create(prompt=prompts, **self.gen_kwargs)
            return [choice.text for choice in asked.choices]

    rows = Dataset.from_list([{"question": f"Q{n}"} for n in range(10)])
    context = context_for(stub, batch_size=4)
    pipeline = pipeline_of(tmp_path, context, answering(kind="ListBlock"))
    made = pipeline.generate(rows)
    assert [row["answer"].split()[0] for row in made] == [f"Q{n}" for n in range(10)]
    assert sorted(sizes) == [2, 4, 4]
    assert pipeline.outcome.history[0].rows_out == 10


def test_a_block_without_output_columns_is_there_for_its_prompts(stub, tmp_path):
    context = MagicMock(model_family="mixtral", model_id="m")
    pipe = pipeline_of(tmp_path, None)
    block = LLMBlock(context, pipe, "gen_knowledge", "answer.yaml", [], model_prompt="")
    assert block.output_cols == []
    assert block._format_prompt({"question": "why"}).endswith("Question: why")
    assert block._validate(block.prompt_template, {"question": "why"})
    assert not block._validate(block.prompt_template, {"other": "why"})
