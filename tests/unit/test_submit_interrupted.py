"""Ctrl-C at kfp-sdg submit: nothing is left half done, and the user is told how to go on."""

from __future__ import annotations

import os
import signal

import pyarrow as pa
import pytest

from fake_artifacts import FakeArtifacts
from fake_kfp import FakeKfp
from kfp_sdg.cli.__main__ import main
from kfp_sdg.storage import read_dataset, write_dataset
from submit_runs import SUCCESS, hurry, write_inputs

URI = "minio://mlpipeline/v2/artifacts/demo/run-1/rename-it/5f0c/output_rows"


@pytest.fixture
def kfp(monkeypatch):
    hurry(monkeypatch)
    with FakeKfp(script=SUCCESS) as kfp:
        yield kfp


def submit(kfp, tmp_path, *more):
    pipeline, rows = write_inputs(tmp_path)
    return main(["submit", str(pipeline), "--host", kfp.url, "--input", str(rows), *more])


def interrupting(answer):
    """Press Ctrl-C while a request is answered."""

    def answer_late(call):
        os.kill(os.getpid(), signal.SIGINT)
        return answer(call)

    return answer_late


def words(text):
    return " ".join(text.split())


def test_before_a_run_is_asked_for_there_is_none(kfp, tmp_path, capsys):
    kfp.extra["/apis/v2beta1/experiments"] = interrupting(lambda call: (200, {}, ""))
    assert submit(kfp, tmp_path) == 130
    assert (len(kfp.versions), len(kfp.runs)) == (1, 0)
    assert "the run" not in words(capsys.readouterr().err)


def test_while_a_run_is_asked_for_nobody_knows_whether_it_began(kfp, tmp_path, capsys):
    kfp.extra["/apis/v2beta1/runs"] = interrupting(lambda call: (200, {"run_id": "run-1"}, ""))
    assert submit(kfp, tmp_path, "--run-name", "mine") == 130
    printed = capsys.readouterr()
    assert "Nobody knows whether the run 'mine' began: look before you" in words(printed.err)
    assert printed.out == ""


def test_while_fetching_nothing_stays_half_done_and_it_can_be_fetched_later(kfp, tmp_path, capsys):
    artifacts = FakeArtifacts(kfp)
    write_dataset(tmp_path / "store", pa.table({"q": ["a", "b"]}))
    artifacts.add(("rename-it",), "output_rows", URI, tmp_path / "store")
    served = kfp.extra["/artifacts/"]
    kfp.extra["/artifacts/"] = interrupting(served)
    out = tmp_path / "out"
    assert submit(kfp, tmp_path, "-o", str(out)) == 130
    again = ["submit", "--follow", "run-1", "--host", kfp.url, "--output", str(out)]
    told = f"The run is done. To fetch what it made: kfp-sdg {' '.join(again)}"
    assert told in words(capsys.readouterr().err)
    assert list(out.rglob("*")) == []
    kfp.extra["/artifacts/"] = served
    assert main(again) == 0
    assert read_dataset(out / "dataset").table.num_rows == 2
