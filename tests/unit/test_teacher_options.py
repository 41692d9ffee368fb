"""Where a teacher is, with which key and how patiently it is asked."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import pytest

from kfp_sdg.errors import SpecError
from kfp_sdg.teacher import TeacherOptions
from kfp_sdg.teacher.credentials import find_api_key
from kfp_sdg.teacher.retry import RetryPolicy, retry_after_seconds


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("http://host:8000", "http://host:8000/v1"),
        ("http://host:8000/", "http://host:8000/v1"),
        ("http://host:8000/v1", "http://host:8000/v1"),
        (" https://host/v1/ ", "https://host/v1"),
        ("https://host/openai", "https://host/openai/v1"),
        ("https://host/v1beta/openai", "https://host/v1beta/openai"),
        ("http://host/v1/chat/completions", "http://host/v1"),
        ("http://[::1]:8000", "http://[::1]:8000/v1"),
    ],
)
def test_a_url_may_be_written_with_or_without_its_version(written, meant):
    options = TeacherOptions(written, endpoints={"m": written})
    assert options.url == meant
    assert options.endpoints == {"m": meant}


@pytest.mark.parametrize(
    ("written", "complaint"),
    [
        ("localhost:8000", "has no http://.*http://localhost:8000"),
        ("", "has no http://"),
        ("ftp://host", "has no http://"),
        ("http://", "names no host"),
        ("http://:8000", "names no host"),
        ("http://host:0", "names no host and port"),
        ("http://host:99999", "is no URL"),
        ("http://[::1", "is no URL"),
        ("http://host/v1?key=1", "query"),
    ],
)
def test_a_url_that_cannot_be_one_is_refused_with_an_example(written, complaint):
    with pytest.raises(SpecError, match=complaint) as caught:
        TeacherOptions(written)
    assert "http://localhost:8000/v1" in str(caught.value)


@pytest.mark.parametrize(
    "written",
    ["http://u:geheim@host", "u:geheim@host:80/v1", "http://u:geheim@[::1", "http://h/v1?k=geheim"],
)
def test_a_secret_in_a_url_is_refused_and_not_repeated(written):
    with pytest.raises(SpecError, match=r"user name or password|query") as caught:
        TeacherOptions(written)
    assert "geheim" not in str(caught.value)


def test_a_bad_endpoint_is_named_by_its_model():
    with pytest.raises(SpecError, match="teacher endpoint of 'judge'"):
        TeacherOptions("http://host", endpoints={"judge": "host:1"})


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_concurrency": 0},
        {"max_retries": -1},
        {"timeout": 0},
        {"timeout": float("inf")},
        {"connect_timeout": float("nan")},
        {"first_delay": -1},
        {"patience": -1},
        {"patience_at_start": float("nan")},
    ],
)
def test_a_value_out_of_range_is_refused_by_name(wrong):
    with pytest.raises(SpecError, match=next(iter(wrong))):
        TeacherOptions("http://host", **wrong)


def test_the_key_comes_from_the_first_place_that_has_one(tmp_path):
    file = tmp_path / "key"
    file.write_text("from-file\n")
    everywhere = {
        "KFP_SDG_API_KEY": "from-variable",
        "KFP_SDG_API_KEY_FILE": str(file),
        "OPENAI_API_KEY": "from-openai",
    }
    found = []
    while everywhere:
        found.append(find_api_key(everywhere).value)
        del everywhere[next(iter(everywhere))]
    found.append(find_api_key({}).value)
    assert found == ["from-variable", "from-file", "from-openai", "EMPTY"]


@pytest.mark.parametrize("name", ["api_token", "api_key"])
def test_a_mounted_secret_is_a_folder_with_the_key_in_it(tmp_path, name):
    (tmp_path / name).write_text("secret")
    key = find_api_key({"KFP_SDG_API_KEY_FILE": str(tmp_path)})
    assert key.value == "secret"
    assert name in key.source


@pytest.mark.parametrize("place", ["", "absent"])
def test_an_optional_secret_that_is_not_there_is_no_error(tmp_path, place):
    assert not find_api_key({"KFP_SDG_API_KEY_FILE": str(tmp_path / place)}).given


@pytest.mark.parametrize("value", ["two words", "line\nbreak", "schlüssel", "nul\0"])
def test_a_key_that_no_header_can_hold_is_refused_and_not_shown(value):
    with pytest.raises(SpecError, match="KFP_SDG_API_KEY") as caught:
        find_api_key({"KFP_SDG_API_KEY": value})
    assert value not in str(caught.value)


def test_a_key_does_not_show_in_its_representation():
    assert "geheim" not in repr(find_api_key({"KFP_SDG_API_KEY": "geheim"}))


def test_waits_stay_within_bounds_that_double_and_then_end():
    policy = RetryPolicy(retries=6, first_delay=1.0, longest_delay=8.0)
    for attempt, bound in enumerate([1.0, 2.0, 4.0, 8.0, 8.0, 8.0], start=1):
        waits = [policy.delay(attempt) for _ in range(200)]
        assert all(0 <= wait <= bound for wait in waits)
        assert max(waits) - min(waits) > bound / 3  # jitter
    assert policy.delay(7) is None


def test_all_retries_together_outlast_a_burst_of_errors():
    policy = RetryPolicy()
    totals = [sum(policy.delay(attempt) for attempt in range(1, 9)) for _ in range(200)]
    assert min(totals) > 40


def test_what_is_nobodys_fault_costs_no_retry_but_does_not_last_for_ever():
    policy = RetryPolicy(retries=2, longest_time=100.0)
    assert policy.delay(9, spared=7, elapsed=99.0) is not None
    assert policy.delay(9, spared=6) is None
    assert policy.delay(9, spared=7, elapsed=101.0) is None
    assert policy.delay(9, retry_after=50.0, spared=7, elapsed=60.0) is None


def test_a_server_is_not_asked_sooner_than_it_wishes_and_too_long_a_wish_ends_it():
    policy = RetryPolicy(longest_wish=300.0)
    assert all(20.0 <= policy.delay(1, retry_after=20.0) <= 21.0 for _ in range(50))
    assert policy.delay(1, retry_after=301.0) is None
    assert RetryPolicy(retries=0).delay(1, retry_after=1.0) is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("nan", None),
        ("7", 7.0),
        ("0.25", 0.25),
        ("-3", 0.0),
        ("Sun, 22 Nov 2026 12:00:30 GMT", 30.0),
        ("Sun, 22 Nov 2026 11:00:00 GMT", 0.0),
        ("Sun, 22 Nov 2026 12:00:30", 30.0),
    ],
)
def test_retry_after_is_seconds_or_a_date(header, seconds):
    noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert retry_after_seconds(header, now=noon) == seconds


def test_the_package_is_imported_without_a_client_or_a_model_server():
    script = (
        "import sys, kfp_sdg.teacher; "
        "clients = 'openai httpx httpx2 pydantic xllamacpp anyio aiohttp'.split(); "
        "print([name for name in clients if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr
