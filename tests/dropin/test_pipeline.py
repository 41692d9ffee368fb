"""``instructlab.sdg.Pipeline``: files, rows, clients and exceptions."""

from __future__ import annotations

import logging
import subprocess
import sys
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import openai
import pytest
import yaml
from datasets import Dataset

from dropin_helpers import answering, client_of, context_for, entry, pipeline_of, write_config
from instructlab.sdg import (
    BlockConfigParserError,
    FilterByValueBlock,
    FilterByValueBlockError,
    GenerateException,
    LLMBlock,
    Pipeline,
    PipelineBlockError,
    PipelineConfigParserError,
    PipelineContext,
)
from instructlab.sdg.blocks.llmblock import ConditionalLLMBlock
from instructlab.sdg.utils.json import jldump, jlload
from kfp_sdg.errors import BlockError, SpecError, TeacherError
from stub_teacher import StubTeacher

QUESTIONS = Dataset.from_list([{"question": q} for q in ("one", "two", "three")])


def answer_of(text: Any) -> str:
    return f"<answer>{text}</answer>"


@pytest.fixture
def stub():
    """A teacher that answers with the number of the choice; of row "two" it makes no sense."""
    reply = lambda ask: "none" if "two" in ask.prompt else answer_of(ask.place)  # noqa: E731
    with StubTeacher(answer=reply) as stub:
        yield stub


def write_pipeline(folder, *blocks, version="1.0", **more) -> Any:
    write_config(folder)
    path = folder / "pipeline.yaml"
    path.write_text(yaml.safe_dump({"version": version, "blocks": list(blocks), **more}))
    return path


def test_a_file_is_run_and_what_was_rejected_is_told_and_kept(stub, tmp_path, caplog):
    auxiliary = {"auxiliary_instructions": {"spellcheck": ["Mend it."]}}
    path = write_pipeline(tmp_path, answering(), datamixing=auxiliary)
    pipeline = Pipeline.from_file(context_for(stub), path)
    assert pipeline.auxiliary_inst == {"spellcheck": ["Mend it."]}
    made = pipeline.generate(QUESTIONS)
    assert isinstance(made, Dataset)
    assert made.to_list() == [
        {"question": "one", "answer": "0"},
        {"question": "three", "answer": "0"},
    ]
    assert "Block answer: 3 rows in, 2 out, 1 rejected (parse)" in caplog.text
    assert pipeline.outcome.rejected["answer"]["question"].to_pylist() == ["two"]


def test_blocks_that_were_changed_after_loading_are_run_as_they_are_now(stub, tmp_path):
    path = write_pipeline(tmp_path, answering())
    pipeline = Pipeline.from_file(context_for(stub), str(path))
    pipeline.chained_blocks[0]["config"]["gen_kwargs"] = {"n": 2, "temperature": 0.5}
    pipeline.chained_blocks.append(
        entry("copy", "DuplicateColumnsBlock", {"columns_map": {"answer": "a"}})
    )
    assert pipeline.generate(QUESTIONS.select([0]))["a"][:] == ["0", "1"]


def test_a_relative_path_is_looked_for_among_the_pipelines_that_ship(stub):
    for path in ("pipelines/simple/knowledge.yaml", "simple/knowledge.yaml"):
        pipeline = Pipeline.from_file(context_for(stub), path)
        assert pipeline.chained_blocks[0]["name"] == "gen_knowledge"


def test_a_pipeline_with_no_context_can_be_loaded_for_its_instructions():
    assert Pipeline.from_file(None, "pipelines/full/knowledge.yaml").auxiliary_inst


def test_no_rows_come_out_as_no_rows_with_all_columns(stub, tmp_path):
    empty = Dataset.from_dict({"question": []})
    made = pipeline_of(tmp_path, context_for(stub), answering()).generate(empty)
    assert (len(made), made.column_names) == (0, ["question", "answer"])


@pytest.mark.parametrize(("name", "limit"), [("gen_knowledge", 777), ("other", 50), ("bare", 4096)])
def test_max_num_tokens_is_for_gen_knowledge_alone(stub, tmp_path, name, limit):
    gen_kwargs = {} if name == "bare" else {"max_tokens": 50}
    context = context_for(stub, max_num_tokens=777)
    pipeline_of(tmp_path, context, answering(name, gen_kwargs=gen_kwargs)).generate(QUESTIONS)
    assert {request["max_tokens"] for request in stub.requests} == {limit}


def test_the_contexts_model_comes_before_the_blocks_and_that_of_gen_kwargs_before_both(tmp_path):
    with StubTeacher(models=("a", "b", "c"), answer=lambda ask: answer_of("x")) as stub:
        own = pipeline_of(tmp_path, context_for(stub, model_id=None), answering(model_id="b"))
        own.generate(QUESTIONS)
        both = pipeline_of(tmp_path, context_for(stub, model_id="a"), answering(model_id="b"))
        both.generate(QUESTIONS)
        gen_kwargs = {"model": "c"}
        config = answering(model_id="b", gen_kwargs=gen_kwargs)
        pipeline_of(tmp_path, context_for(stub, model_id="a"), config).generate(QUESTIONS)
        assert [request["model"] for request in stub.requests[::3]] == ["b", "a", "c"]


def test_n_scaled_is_the_contexts_number(stub, tmp_path):
    context = context_for(stub, num_instructions_to_generate=4)
    block = answering(gen_kwargs={"n": "scaled", "temperature": 1})
    assert len(pipeline_of(tmp_path, context, block).generate(QUESTIONS)) == 8


# -- clients ------------------------------------------------------------------------------------


@pytest.mark.parametrize("own", [{}, {"http_client": openai.DefaultHttpxClient()}])
def test_clients_of_the_openai_package(stub, tmp_path, own):
    client = openai.OpenAI(base_url=stub.url, api_key="x", **own)
    context = PipelineContext(client, "mixtral", "stub-model")
    pipeline = pipeline_of(tmp_path, context, answering())
    assert len(pipeline.generate(QUESTIONS)) == 2
    assert len(pipeline.generate(QUESTIONS)) == 2  # the client is as good as before


class Calls:
    """Something that has the calls of a client and nothing else."""

    def __init__(self, fails=None) -> None:
        self.asked: list[dict[str, Any]] = []
        self.completions = SimpleNamespace(create=self.create)
        self.fails = fails

    def create(self, *, prompt, model, n=1, extra_body=None, **options):
        self.asked.append({"prompt": prompt, "extra_body": extra_body, **options})
        if self.fails:
            raise self.fails
        return SimpleNamespace(choices=[SimpleNamespace(text=answer_of(k)) for k in range(n)])


def test_any_object_with_a_clients_calls_is_a_client(tmp_path):
    calls = Calls()
    block = answering(gen_kwargs={"n": 2, "temperature": 1, "extra_body": {"guided": "x"}})
    context = PipelineContext(calls, "mixtral", "m")
    made = pipeline_of(tmp_path, context, block).generate(QUESTIONS)
    assert made["answer"][:] == ["0", "1"] * 3
    assert calls.asked[0]["extra_body"] == {"guided": "x"}
    assert calls.asked[0]["max_tokens"] == 4096


@pytest.mark.parametrize("mock", [MagicMock(), MagicMock(spec=openai.OpenAI)])
def test_a_mock_of_a_client_is_a_client(tmp_path, mock):
    mock.completions = MagicMock()
    choice = MagicMock()
    choice.text = answer_of("mocked")
    mock.completions.create.return_value.choices = [choice]
    context = PipelineContext(mock, "mixtral", "m")
    made = pipeline_of(tmp_path, context, answering()).generate(QUESTIONS)
    assert made["answer"][:] == ["mocked"] * 3


def test_what_a_client_raises_is_the_reason_of_the_error_and_not_asked_again(tmp_path):
    calls = Calls(fails=LookupError("no such ink"))
    with pytest.raises(PipelineBlockError, match="LookupError: no such ink"):
        pipeline_of(tmp_path, PipelineContext(calls, "mixtral", "m"), answering()).generate(
            QUESTIONS
        )
    assert len(calls.asked) == len(QUESTIONS)


def test_a_clients_broken_connection_is_asked_again(tmp_path):
    class Wavering(Calls):
        def create(self, **options):
            self.fails = None if self.asked else ConnectionResetError("gone")
            return super().create(**options)

    calls = Wavering()
    made = pipeline_of(tmp_path, PipelineContext(calls, "mixtral", "m"), answering()).generate(
        QUESTIONS
    )
    assert made["answer"][:] == ["0"] * len(QUESTIONS)
    assert len(calls.asked) == len(QUESTIONS) + 1


# -- exceptions ---------------------------------------------------------------------------------


def failure(pipeline: Pipeline) -> PipelineBlockError:
    with pytest.raises(PipelineBlockError) as caught:
        pipeline.generate(QUESTIONS)
    return caught.value


@pytest.mark.parametrize(
    ("block", "kind", "told"),
    [
        (entry("x", "NoBlock", {}), PipelineConfigParserError, "unknown block type 'NoBlock'"),
        ({"name": "x", "type": "LLMBlock"}, KeyError, "config"),
        (answering("x", gen_kwargs={"n": "scaled"}), BlockConfigParserError, "scaled"),
        (answering("x", model_family="nobody"), GenerateException, "nobody"),
        (answering("x", config_path="missing.yaml"), BlockError, "missing.yaml"),
        (answering("x", config_path="../../../etc/hosts"), BlockError, "absolute path"),
        (answering("x", typo=1), BlockConfigParserError, "unknown setting 'typo'"),
        (
            entry("x", "ConditionalLLMBlock", {
                "config_paths": [], "output_cols": ["a"], "selector_column_name": "question",
            }),
            BlockConfigParserError,
            "config_paths",
        ),
        (
            entry("x", "FilterByValueBlock", {
                "filter_column": "question", "filter_value": "a", "operation": "like",
            }),
            FilterByValueBlockError,
            "like",
        ),
        (
            entry("x", "RenameColumnsBlock", {"columns_map": {"absent": "b"}}),
            BlockError,
            "absent",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)  # fmt: skip
def test_what_is_wrong_with_a_block_is_told_with_its_name(stub, tmp_path, block, kind, told):
    context = context_for(stub, model_family=None if "model_family" in str(block) else "mixtral")
    error = failure(pipeline_of(tmp_path, context, block))
    assert isinstance(error.exception, kind)
    assert told in str(error)
    assert error.block_name == "x"
    assert error.block_type == block["type"]
    assert stub.requests == []


def test_an_error_in_a_pipelines_file_has_its_line(stub, tmp_path):
    path = write_pipeline(tmp_path, answering("x", output_cols="answer"))
    error = failure(Pipeline.from_file(context_for(stub), path))
    assert isinstance(error.exception, SpecError)
    assert f"{path}:" in str(error)
    assert error.block_name == "x"


def test_a_teacher_that_refuses_the_key_ends_the_block(stub, tmp_path):
    stub.api_key = "other"
    error = failure(pipeline_of(tmp_path, context_for(stub), answering("x")))
    assert isinstance(error.exception, TeacherError)
    assert error.block_name == "x"
    assert error.block_type == "LLMBlock"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ({"version": "2.0", "blocks": []}, PipelineConfigParserError),
        ({"version": "1.0"}, PipelineConfigParserError),
        ({"version": 1.0, "blocks": []}, PipelineConfigParserError),
        ({"blocks": []}, KeyError),
        ([], PipelineConfigParserError),
    ],
)
def test_a_file_that_is_no_pipeline_is_refused_when_it_is_loaded(tmp_path, content, kind):
    path = tmp_path / "p.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(kind):
        Pipeline.from_file(None, path)


def test_a_file_of_a_newer_minor_version_is_read_with_a_warning(tmp_path, caplog):
    Pipeline.from_file(None, write_pipeline(tmp_path, answering(), version="1.3"))
    assert "newer than 1.0" in caplog.text


def test_blocks_made_by_hand_raise_their_own_errors(stub, tmp_path):
    pipe = pipeline_of(tmp_path, context_for(stub))
    with pytest.raises(BlockConfigParserError, match="requires a model_id"):
        LLMBlock(PipelineContext(client_of(stub)), pipe, "x", "answer.yaml", ["answer"])
    context = context_for(stub, model_family="nobody")
    with pytest.raises(GenerateException, match="Unknown model family"):
        LLMBlock(context, pipe, "x", "answer.yaml", ["answer"])
    with pytest.raises(BlockConfigParserError, match="config_paths"):
        ConditionalLLMBlock(context_for(stub), pipe, "x", [], ["answer"], "question")
    with pytest.raises(FilterByValueBlockError, match="like"):
        FilterByValueBlock(context_for(stub), pipe, "x", "question", "a", "like")
    assert str(BlockConfigParserError("just this")) == "just this"


# -- the command line ---------------------------------------------------------------------------


def run_pipeline(*arguments: Any) -> subprocess.CompletedProcess[str]:
    code = (
        f"import sys, runpy; sys.path[:0] = {sys.path!r}; sys.argv[1:] = {[*map(str, arguments)]!r}"
    )
    code += "; runpy.run_module('instructlab.sdg.cli.run_pipeline', run_name='__main__')"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_the_command_line_runs_a_pipeline_over_a_file(stub, tmp_path):
    path = write_pipeline(tmp_path, answering(gen_kwargs={"n": "scaled", "temperature": 1}))
    jldump(QUESTIONS, tmp_path / "in.jsonl")
    where = ("--endpoint-url", stub.url, "--model-id", "stub-model")
    files = (
        "--pipeline",
        path,
        "--input",
        tmp_path / "in.jsonl",
        "--output",
        tmp_path / "out.jsonl",
    )
    done = run_pipeline(*files, *where)
    assert done.returncode == 0, done.stderr
    assert len(jlload(tmp_path / "out.jsonl")) == 2 * 30
    assert "INFO" in done.stderr


def test_the_command_line_fails_with_one_line_and_an_exit_code(stub, tmp_path):
    path = write_pipeline(tmp_path, answering())
    files = ("--pipeline", path, "--input", tmp_path / "absent.jsonl", "--output", "out.jsonl")
    done = run_pipeline(*files, "--log-level", "ERROR")
    assert done.returncode == 1
    assert "absent.jsonl" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_log_is_the_librarys_own(stub, tmp_path, caplog):
    caplog.set_level(logging.INFO, logger="instructlab.sdg")
    pipeline_of(tmp_path, context_for(stub), answering()).generate(QUESTIONS)
    assert "Running block 1 of 1: answer" in caplog.text
