"""A whole run against a server with each fault: every row is accounted for, every request counted.

Twenty rows go through a block that asks and one that renames. Whatever the server does, a row comes
out, is filtered, is a duplicate or is rejected with a reason; or the run stops with one paragraph.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

from asking import connected
from certificates import self_signed
from kfp_sdg.blocks import PipelineContext
from kfp_sdg.engine import run
from kfp_sdg.errors import SdgError, TeacherError
from kfp_sdg.spec import BlockSpec, ConfigFile, PipelineSpec
from stub_teacher import StubTeacher

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kfp_sdg.engine import RunResult
    from stub_answers import Ask

PROMPT = ConfigFile(
    "ask.yaml",
    {
        "system": "",
        "introduction": "About topic-{{id}}.",
        "principles": "",
        "examples": "",
        "generation": "[Q]",
        "start_tags": ["[Q]"],
        "end_tags": ["[/Q]"],
    },
)
ASK = BlockSpec(
    "ask",
    "LLMBlock",
    {
        "config_path": "ask.yaml",
        "output_cols": ["question"],
        "model_family": "blank",
        "gen_kwargs": {"n": 1, "temperature": 0.5, "max_tokens": 50},
    },
)
SHORT = BlockSpec("short", "RenameColumnsBlock", {"columns_map": {"question": "q"}})
SPEC = PipelineSpec((ASK, SHORT), {"ask.yaml": PROMPT})
COUNT = 20
ROWS = pa.table({"id": [f"{i:02}" for i in range(COUNT)]})


def answer(ask: Ask) -> str:
    return f"[Q]why {ask.number}[/Q]"


def run_against(stub: StubTeacher, **options: Any) -> RunResult:
    quick = {"max_retries": 4, "timeout": 0.3, "longest_delay": 0.05, **options}
    with connected(stub.url, **quick) as teachers:
        context = PipelineContext(teachers=teachers, model_id="stub-model")
        return run(SPEC, ROWS, context)


def balanced(result: RunResult) -> bool:
    return all(
        entry.rows_in + entry.added
        == entry.rows_out + entry.filtered + entry.duplicates + entry.rejected
        for entry in result.history
    )


@dataclass
class Case:
    """A fault that a run survives.

    Attributes:
        name: What the server does.
        sicken: Makes the server do it.
        causes: What the retries are counted as.
        requests: How many requests reach the server, where that is certain.
        rejected: How many rows are rejected,
        words: and what their errors say.
        options: How the teacher is asked.
    """

    name: str
    sicken: Callable[[StubTeacher], None]
    causes: set[str] = field(default_factory=set)
    requests: int | None = None
    rejected: int = 0
    words: str = ""
    options: dict[str, Any] = field(default_factory=dict)


def _poison(status: int) -> Callable[[StubTeacher], None]:
    return lambda stub: setattr(stub, "poison", {"topic-07": status})


def _next(kind: str, times: int = 3, **what: Any) -> Callable[[StubTeacher], None]:
    return lambda stub: stub.fail_next(kind=kind, times=times, **what)


def _often(status: int, **what: Any) -> Callable[[StubTeacher], None]:
    return lambda stub: stub.fail_often(0.3, status, **what)


def _set(**attributes: Any) -> Callable[[StubTeacher], None]:
    def change(stub: StubTeacher) -> None:
        for name, value in attributes.items():
            setattr(stub, name, value)

    return change


TORN = b'{"choices": [{"te'
GOOD = b'{"choices": [{"text": "[Q]why[/Q]"}], "usage": {"prompt_tokens": "%s"}}'
HALF = b'{"choices": [{"text": "[Q]why \\ud83d[/Q]"}]}'
BRACKETS = b'{"choices":' + b"[" * 200_000
NO_TEXT = {"choices": [{"index": 0, "text": None, "finish_reason": "stop"}]}
CUT = {"choices": [{"index": 0, "text": "[Q]wh", "finish_reason": "length"}]}
LARGE = {"choices": [{"index": 0, "text": f"[Q]{'x' * 10_000_000}[/Q]"}]}
SURVIVED = [
    Case("429 often", _often(429), {"429"}),
    Case("429 with a wish", _often(429, retry_after=0.01), {"429"}),
    Case("500 next", _next("status", status=500), {"500"}, COUNT + 3),
    Case("502 burst", lambda stub: stub.fail_for(0.3, 502), {"502"}),
    Case("503 burst", lambda stub: stub.fail_for(0.3, 503), {"503"}),
    Case("408", _next("status", status=408), {"408"}, COUNT + 3),
    Case("reset in mid answer", _next("reset"), {"broken"}, COUNT + 3),
    Case("half-written JSON", _next("raw", body=TORN), {"malformed"}, COUNT + 3),
    Case("empty body", _next("raw", body=b""), {"malformed"}, COUNT + 3),
    Case("brackets without end", _next("raw", body=BRACKETS), {"malformed"}, COUNT + 3),
    Case("half an emoji", _next("raw", body=HALF), requests=COUNT),
    Case("token counts that are none", _next("raw", body=GOOD), requests=COUNT),
    Case(
        "a refusal with half an emoji",
        _next("status", 1, status=400, body=b'{"error": {"message": "no \\ud83d"}}'),
        requests=COUNT,
        rejected=1,
    ),
    Case("invalid UTF-8", _next("raw", body=b'{"choices": "\xff"}'), {"malformed"}, COUNT + 3),
    Case("hang", _next("hang"), {"timeout"}, COUNT + 3),
    Case("slow drip", _next("drip"), {"timeout"}, COUNT + 3),
    Case(
        "restart",
        lambda stub: stub.restart(0.3, after=0.08),
        {"unreachable", "broken"},
        options={"max_concurrency": 2},
    ),
    Case("choices out of order", _set(reverse_choices=True), requests=COUNT),
    Case("10 MB", _next("raw", times=1, body=LARGE), requests=COUNT),
    Case("null text", _next("raw", times=1, body=NO_TEXT), requests=COUNT, rejected=1),
    Case("finish_reason length", _next("raw", times=1, body=CUT), requests=COUNT, rejected=1),
    Case("poison 400", _poison(400), requests=COUNT, rejected=1, words="poisoned prompt"),
    Case("poison 500", _poison(500), {"500"}, COUNT + 4, 1, "poisoned prompt"),
    Case("poison 413", _poison(413), requests=COUNT, rejected=1, words="poisoned prompt"),
]


@pytest.mark.parametrize("case", SURVIVED, ids=lambda case: case.name)
def test_every_row_is_accounted_for(case: Case) -> None:
    with StubTeacher(answer=answer, latency=0.02) as stub:
        case.sicken(stub)
        result = run_against(stub, **case.options)
    asked = result.history[0]
    assert balanced(result)
    assert (asked.rows_in, asked.rejected) == (COUNT, case.rejected)
    assert result.rows.num_rows == COUNT - case.rejected
    assert set(asked.retries_by_cause) <= case.causes
    if case.causes:
        assert asked.retries > 0
    if case.requests is not None:
        assert len(stub.requests) == case.requests
    if case.words:
        (row,) = result.rejected["ask"].to_pylist()
        assert row["id"] == "07"
        assert case.words in row["rejected_message"]


def test_a_prompt_longer_than_the_context_is_rejected_with_the_servers_words() -> None:
    rows = pa.table({"id": ["short", "long " * 50]})
    with StubTeacher(answer=answer, max_context=20) as stub, connected(stub.url) as teachers:
        result = run(SPEC, rows, PipelineContext(teachers=teachers, model_id="stub-model"))
        assert len(stub.requests) == 2
    assert balanced(result)
    (row,) = result.rejected["ask"].to_pylist()
    assert "maximum context length is 20 tokens" in row["rejected_message"]


def test_choices_that_a_server_holds_back_are_asked_for() -> None:
    block = BlockSpec("ask", "LLMBlock", {**ASK.config, "gen_kwargs": {"n": 4, "max_tokens": 50}})
    spec = PipelineSpec((block,), {"ask.yaml": PROMPT})
    with StubTeacher(answer=answer, most_choices=2, count_repeats=True) as stub:
        with connected(stub.url) as teachers:
            result = run(spec, ROWS, PipelineContext(teachers=teachers, model_id="stub-model"))
        assert len(stub.requests) == COUNT * 3  # four, of which two come; and one by one the rest
    assert balanced(result)
    assert result.rows.num_rows == COUNT * 4


def _stopped(stub_url: str, words: list[str], **options: Any) -> None:
    quick = {"max_retries": 2, "timeout": 0.3, "patience": 0.3, **options}
    with connected(stub_url, **quick) as teachers:
        context = PipelineContext(teachers=teachers, model_id="stub-model")
        with pytest.raises(SdgError) as caught:
            run(SPEC, ROWS, context)
    assert isinstance(caught.value, TeacherError)
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_key_that_is_refused_stops_the_run_with_where_to_set_it() -> None:
    with StubTeacher(answer=answer, api_key="right") as stub:
        _stopped(stub.url, ["401", "KFP_SDG_API_KEY"])
        assert not stub.requests


def test_a_model_that_vanishes_in_the_middle_stops_the_run_at_once() -> None:
    with StubTeacher(answer=answer, latency=0.01) as stub:
        stub.poison = {"topic-10": 404}
        stub.fail_next(404, body={"error": {"message": "The model `stub-model` does not exist."}})
        _stopped(stub.url, ["404", "does not exist"])
        assert len(stub.requests) <= COUNT


def test_a_server_that_fails_every_prompt_stops_the_run() -> None:
    with StubTeacher(answer=answer) as stub:
        stub.fail_often(1.0, 500)
        _stopped(stub.url, ["500"])


def test_a_server_that_stays_away_stops_the_run_when_the_patience_is_over() -> None:
    with StubTeacher(answer=answer, latency=0.05) as stub:
        stub.restart(3600.0, after=0.1)
        words = ["Connection refused", "waited", "--teacher-patience"]
        _stopped(stub.url, words, max_concurrency=2)


def test_a_host_that_does_not_exist_stops_the_run_before_its_first_block() -> None:
    _stopped("http://no-such-host.invalid:8000", ["no-such-host.invalid", "host and port"])


def test_a_certificate_that_nobody_trusts_stops_the_run(tmp_path: Path) -> None:
    with StubTeacher(answer=answer, tls=self_signed(tmp_path)[1]) as stub:
        _stopped(stub.url, ["not trusted", "SSL_CERT_FILE"])
        assert not stub.requests
