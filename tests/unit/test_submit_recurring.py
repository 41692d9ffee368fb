"""kfp-sdg submit --recurring: schedules that KFP understands, and one recurring run of a name."""

from __future__ import annotations

import pytest

from fake_kfp import FakeKfp
from kfp_sdg.cli.__main__ import main
from kfp_sdg.cluster.submit import schedule
from kfp_sdg.errors import SpecError
from submit_runs import hurry, write_inputs


@pytest.fixture
def kfp(monkeypatch):
    hurry(monkeypatch)
    with FakeKfp() as kfp:
        yield kfp


def submit(kfp, tmp_path, *more):
    pipeline, rows = write_inputs(tmp_path)
    return main(["submit", str(pipeline), "--host", kfp.url, "--input", str(rows), *more])


def words(text):
    return " ".join(text.split())


def test_a_recurring_run_starts_nothing_now_and_catches_nothing_up(kfp, tmp_path, capsys):
    assert submit(kfp, tmp_path, "--recurring", "0 0 2 * * *", "--max-concurrency", "2") == 0
    printed = capsys.readouterr()
    assert printed.out == "recurring_run-1\n"
    assert "'0 0 2 * * *', at most 2 at once, enabled" in words(printed.err)
    (body,) = kfp.bodies("POST recurringruns")
    assert body["trigger"] == {"cron_schedule": {"cron": "0 0 2 * * *"}}
    assert (body["max_concurrency"], body["mode"], body["no_catchup"]) == ("2", "ENABLE", True)
    assert body["display_name"] == "demo"
    assert kfp.runs == {}


def test_a_disabled_one_waits_for_somebody_to_enable_it(kfp, tmp_path, capsys):
    assert submit(kfp, tmp_path, "--recurring", "@daily", "--disabled") == 0
    (body,) = kfp.bodies("POST recurringruns")
    assert body["mode"] == "DISABLE"
    assert "disabled, enable it in the dashboard" in words(capsys.readouterr().err)


def test_five_fields_become_six_and_it_is_said(kfp, tmp_path, capsys):
    assert submit(kfp, tmp_path, "--recurring", "30 2 * * 1-5") == 0
    (body,) = kfp.bodies("POST recurringruns")
    assert body["trigger"]["cron_schedule"]["cron"] == "0 30 2 * * 1-5"
    assert "KFP's have the seconds first: '0 30 2 * * 1-5'" in words(capsys.readouterr().err)


def test_one_of_the_same_name_is_replaced_only_if_that_is_wanted(kfp, tmp_path, capsys):
    assert submit(kfp, tmp_path, "--recurring", "@daily") == 0
    assert submit(kfp, tmp_path, "--recurring", "@hourly") == 1
    assert "there is a recurring run 'demo' already (recurring_run-1); with --replace" in words(
        capsys.readouterr().err
    )
    assert submit(kfp, tmp_path, "--recurring", "@hourly", "--replace") == 0
    (left,) = kfp.recurring.values()
    assert left["trigger"]["cron_schedule"]["cron"] == "0 0 * * * *"
    assert submit(kfp, tmp_path, "--recurring", "@daily", "--run-name", "nightly") == 0
    assert len(kfp.recurring) == 2


@pytest.mark.parametrize("option", ["--disabled", "--replace"])
def test_options_of_recurring_runs_need_one(kfp, tmp_path, capsys, option):
    assert submit(kfp, tmp_path, option) == 2
    assert "add --recurring CRON" in words(capsys.readouterr().err)
    assert kfp.calls == []


@pytest.mark.parametrize(
    ("text", "cron"),
    [
        ("*/30 0 2,14 1-15/2 JAN-mar ?", "*/30 0 2,14 1-15/2 JAN-mar ?"),
        ("0 0 0 * * sun", "0 0 0 * * sun"),
        ("@Weekly", "0 0 0 * * 0"),
        ("0 2 * * *", "0 0 2 * * *"),
    ],
)
def test_what_kfp_understands_is_a_schedule(text, cron):
    assert schedule(text).cron == cron


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it has 0 fields"),
        ("0 0 2 * *  * 2026", "it has 7 fields"),
        ("60 0 2 * * *", "'60' cannot be the second, which is from 0 to 59"),
        ("0 0 24 * * *", "'24' cannot be the hour"),
        ("0 0 2 0 * *", "'0' cannot be the day of the month"),
        ("0 0 2 * * 7", "'7' cannot be the day of the week, which is from 0 to 6"),
        ("0 0 2 * foo *", "'foo' cannot be the month"),
        ("0 9-3 * * * *", "'9-3' begins after its end"),
        ("0 */0 * * * *", "'*/0' has a step of 0"),
        ("0 0 2 * * mon#2", "'mon#2' cannot be the day of the week"),
        ("@every 5m", "it has 2 fields"),
    ],
)
def test_what_kfp_would_refuse_or_misread_is_none(text, why):
    with pytest.raises(SpecError, match="is no schedule") as raised:
        schedule(text)
    assert why in str(raised.value)
