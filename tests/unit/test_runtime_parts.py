from __future__ import annotations

import logging
import re

import pyarrow as pa
import pytest

from kfp_sdg.errors import BlockError, SpecError, TeacherError
from kfp_sdg.runtime.console import plain_console
from kfp_sdg.runtime.files import decode_files
from kfp_sdg.runtime.preview import block_preview, dataset_preview
from kfp_sdg.runtime.task import metrics_of
from kfp_sdg.runtime.teacher import TeacherInputs
from kfp_sdg.storage import HistoryEntry


def entry(**changes):
    values = {
        "block": "gen",
        "type": "LLMBlock",
        "rows_in": 4,
        "rows_out": 5,
        "added": 4,
        "filtered": 0,
        "duplicates": 1,
        "rejected": 2,
        "rejected_by_reason": {"parse": 2},
        "requests": 4,
        "prompt_tokens": 1200,
        "completion_tokens": 34,
        "seconds": 1.25,
        "model": "granite",
    }
    return HistoryEntry(**values | changes)


def rejected(*rows):
    names = ("a", "rejected_reason", "rejected_message", "rejected_answer")
    return pa.table({n: [row[i] for row in rows] for i, n in enumerate(names)})


NONE_REJECTED = rejected()


def test_an_error_of_ours_ends_the_process_with_one_paragraph(capsys):
    with pytest.raises(SystemExit) as caught, plain_console():
        raise BlockError("missing column 'x'", block_name="keep")
    assert caught.value.code == 1
    assert caught.value.__suppress_context__
    assert capsys.readouterr().err == "error: block 'keep': missing column 'x'\n"


def test_a_warning_is_printed_once_and_no_request_at_all_whatever_kfp_logs(capsys, caplog):
    caplog.set_level("INFO")  # as KFP's executor sets its own handler
    with plain_console():
        logging.getLogger("kfp_sdg.blocks").warning("no family fits")
        logging.getLogger("httpx").info("HTTP Request: POST …")
        logging.getLogger("fsspec").warning("of another library")
    assert capsys.readouterr().out == "warning: no family fits\n"
    assert caplog.messages == ["of another library"]


def test_a_defect_keeps_its_traceback():
    with pytest.raises(ZeroDivisionError), plain_console():
        _ = 1 / 0


def test_files_come_as_mappings_or_as_the_text_of_yaml_files():
    files = decode_files('{"a.yaml": {"system": "x"}, "b.yaml": "system: y\\n"}', block_name="b")
    assert {path: file.content for path, file in files.items()} == {
        "a.yaml": {"system": "x"},
        "b.yaml": {"system": "y"},
    }
    assert str(files["a.yaml"].source.at("system")) == "a.yaml"
    assert str(files["b.yaml"].source.at("system")) == "b.yaml:1:1"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.yaml", "'files' is not JSON"),
        ("[]", "'files' must be a JSON object"),
        ('{"a.yaml": 1}', "'a.yaml' must be a mapping or the text"),
    ],
)
def test_files_that_are_none_are_an_error(text, message):
    with pytest.raises(BlockError, match=message):
        decode_files(text, block_name="b")


def test_a_files_broken_yaml_is_told_with_its_line():
    with pytest.raises(SpecError, match=r"a.yaml:2"):
        decode_files('{"a.yaml": "x: 1\\nx: 2\\n"}', block_name="b")


def test_without_an_address_no_teacher_is_connected():
    with TeacherInputs(model_id="m").context("b", max_rejected="7") as context:
        assert context.teachers is None
        assert context.model_id == "m"
        assert context.model_family is None
        assert context.max_rejected == "7"
        assert context.num_instructions_to_generate is None


def test_the_runs_settings_reach_the_blocks(stub_teacher):
    inputs = TeacherInputs(
        teacher_url=stub_teacher.url,
        model_family="granite",
        teacher_endpoints=f'{{"judge": "{stub_teacher.url}"}}',
        num_instructions_to_generate=7.0,  # KFP's local runner gives ints as floats
        max_num_tokens=99.0,
        constrain=True,
    )
    with inputs.context("b") as context:
        assert context.teachers.has_endpoint("judge")
        assert not context.teachers.has_endpoint("other")
        assert (context.num_instructions_to_generate, context.max_num_tokens) == (7, 99)
        assert (context.model_family, context.constrain) == ("granite", True)


@pytest.mark.parametrize("text", ["judge=http://x", '["http://x"]', '{"judge": 1}'])
def test_endpoints_that_are_no_object_of_urls_are_an_error(text):
    with (
        pytest.raises(TeacherError, match="teacher_endpoints"),
        TeacherInputs(teacher_endpoints=text).context("b"),
    ):
        pass


def test_the_preview_shows_the_books_the_first_rows_and_an_example_of_each_reason():
    rows = pa.table({"q": [f"question {i}" for i in range(7)], "n": [1, None, 3, 4, 5, 6, 7]})
    bad = rejected(("r1", "parse", "no tag", "Sorry"), ("r2", "parse", "no end", "x"))
    page = block_preview(entry(), rows, bad)
    assert page.startswith("# gen\n\nLLMBlock\n\n")
    assert "| 4 | 4 | 0 | 1 | 2 | 5 |" in page
    assert "model granite, 4 requests, 1,200 prompt tokens, 34 completion tokens.\n" in page
    assert "## First 5 of 7 rows" in page
    assert "| question 4 | 5 |" in page
    assert "question 5" not in page
    assert "| question 1 |  |" in page
    assert "| parse | 2 | no tag | Sorry |" in page


def test_the_preview_shows_what_a_block_made_before_what_it_was_given():
    given = [f"c{i}" for i in range(12)]
    rows = pa.table({name: ["x"] for name in [*given, "question", "response"]})
    page = block_preview(entry(), rows, NONE_REJECTED, given)
    assert "\n| question | response | c0 | c1 |" in page
    assert "Further columns: c8, c9, c10, c11." in page


def test_the_preview_tells_what_asking_took():
    books = entry(
        retries=3,
        retries_by_cause={"429": 2, "timeout": 1},
        journal_hits=1200,
        latency_p50=0.5,
        latency_p95=1.25,
        latency_p99=20.0,
    )
    page = block_preview(books, pa.table({"a": [1]}), NONE_REJECTED)
    assert (
        "34 completion tokens; latency p50 0.50 s, p95 1.25 s, p99 20.00 s; "
        "3 retries (2 × 429, 1 × timeout); 1,200 requests answered from the journal.\n"
    ) in page


def test_the_preview_of_a_block_all_of_whose_answers_were_kept_says_so():
    books = entry(requests=0, prompt_tokens=0, completion_tokens=0, journal_hits=4)
    page = block_preview(books, pa.table({"a": [1]}), NONE_REJECTED)
    assert "0 completion tokens; 4 requests answered from the journal." in page


def test_the_metrics_have_every_number_of_the_books():
    books = entry(
        retries=3,
        retries_by_cause={"429": 2, "timeout": 1},
        journal_hits=7,
        wait_seconds=1.23456,
        latency_p50=0.5,
        latency_p95=0.75,
        latency_p99=1.00001,
    )
    assert metrics_of(books) == {
        "rows_in": 4,
        "rows_out": 5,
        "added": 4,
        "filtered": 0,
        "duplicates": 1,
        "rejected": 2,
        "parse_failures": 2,
        "requests": 4,
        "prompt_tokens": 1200,
        "completion_tokens": 34,
        "retries": 3,
        "retries_429": 2,
        "retries_timeout": 1,
        "journal_hits": 7,
        "wait_seconds": 1.235,
        "latency_p50": 0.5,
        "latency_p95": 0.75,
        "latency_p99": 1.0,
        "seconds": 1.25,
    }


def test_the_preview_of_a_block_without_a_teacher_says_nothing_of_requests():
    page = block_preview(entry(requests=0, model=None), pa.table({"a": [1]}), NONE_REJECTED)
    assert "Teacher" not in page
    assert "Rejected rows" not in page


@pytest.mark.parametrize(
    ("cell", "shown"),
    [
        ("a|b", "a&#124;b"),
        ("one\ntwo", "one ↵ two"),
        ("<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"),
        ("![x](http://tracker)", r"!\[x\](http://tracker)"),
        ("**bold** `code` _it_", r"\*\*bold\*\* \`code\` \_it\_"),
        ("x" * 300, "x" * 100 + "…"),
    ],
)
def test_a_cell_of_the_preview_cannot_hold_markup(cell, shown):
    page = dataset_preview("load", pa.table({"a": [cell]}))
    assert page.splitlines()[-1] == f"| {shown} |"


def test_nested_cells_and_many_columns_stay_readable():
    table = pa.table({f"c{i}": [[{"role": "user"}]] for i in range(12)})
    page = dataset_preview("load", table)
    assert r'\[{"role": "user"}\]' in page
    assert "Further columns: c10, c11." in page


def test_an_empty_dataset_still_shows_its_columns():
    page = dataset_preview("load", pa.table({"a": pa.array([], pa.string())}))
    assert re.search(r"No rows\.\n\nColumns: a\.", page)
