"""kfp-sdg teacher check: a run's preflight from a laptop."""

from __future__ import annotations

import json

import pytest

from kfp_sdg.cli.__main__ import main
from stub_teacher import StubTeacher

JUDGE = """\
version: "1.0"
blocks:
  - name: judge
    type: LLMMessagesBlock
    config: {input_col: messages, output_col: verdict, model_id: judge}
"""


def test_a_teacher_that_fits_the_pipelines_is_ready(stub_teacher, capsys):
    arguments = ["--pipeline", "instructlab/full", "--model-family", "mixtral"]
    assert main(["teacher", "check", stub_teacher.url.removesuffix("/v1"), *arguments]) == 0
    out = capsys.readouterr().out
    assert "passed  answer   stub-model: one token in" in out
    assert out.endswith("The teacher is ready.\n")
    assert {call.path for call in stub_teacher.calls if call.body} == {"/v1/completions"}


def test_what_is_missing_is_told_and_the_exit_code_is_1(stub_teacher, tmp_path, capsys):
    (tmp_path / "judge.yaml").write_text(JUDGE)
    arguments = ["--pipeline", str(tmp_path / "judge.yaml"), "--model", "an-adapter"]
    assert main(["teacher", "check", stub_teacher.url, *arguments]) == 1
    out = capsys.readouterr().out
    assert "failed  model    judge: the server does not serve it (asked for by block judge)" in out
    assert "failed  model    an-adapter: the server does not serve it; it serves stub-model" in out
    assert "2 of 3 checks failed." in out


def test_a_models_endpoint_is_checked_too(stub_teacher, tmp_path):
    (tmp_path / "judge.yaml").write_text(JUDGE)
    with StubTeacher(models=("judge",)) as other:
        arguments = ["--teacher-endpoint", f"judge={other.url}"]
        arguments += ["--pipeline", str(tmp_path / "judge.yaml")]
        assert main(["teacher", "check", stub_teacher.url, *arguments]) == 0
        assert [body["messages"][0]["role"] for body in other.requests] == ["user"]


def test_programs_get_one_object(stub_teacher, capsys):
    main(["teacher", "check", stub_teacher.url, "--model", "other", "--format", "json"])
    report = json.loads(capsys.readouterr().out)
    assert report["ready"] is False
    assert [(f["check"], f["subject"], f["state"]) for f in report["findings"]] == [
        ("server", stub_teacher.url, "passed"),
        ("model", "other", "failed"),
    ]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["localhost:8000"], "URL: error: 'localhost:8000' has no http://"),
        (["http://h", "--pipeline", "no-such"], "no shipped pipeline of that name"),
        (["http://h", "--teacher-endpoint", "judge"], "not of the form ID=URL"),
    ],
)
def test_mistakes_of_the_command_line_exit_with_2(arguments, words, capsys):
    assert main(["teacher", "check", *arguments]) == 2
    assert words in capsys.readouterr().err
