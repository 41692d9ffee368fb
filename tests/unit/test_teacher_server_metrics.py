"""What vLLM's own metrics say of the prefix cache."""

from __future__ import annotations

import json

import pytest

from kfp_sdg.cli.__main__ import main
from kfp_sdg.teacher import TeacherOptions, connect
from kfp_sdg.teacher.server_metrics import PrefixCache, read_prefix_cache
from replay import RECORDINGS, recording
from stub_prefix_cache import StubPrefixCache
from stub_teacher import StubTeacher


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recordings are not here")
def test_the_counters_of_a_real_vllm_are_read():
    before = read_prefix_cache(recording("vllm", "metrics")["response"]["text"])
    after = read_prefix_cache(recording("vllm", "metrics_after")["response"]["text"])

    assert before is not None
    assert after == PrefixCache(queried=1994, hit=0)
    assert (after - before).queried == 1994 - before.queried


def test_a_server_without_a_prefix_cache_has_no_counters():
    assert read_prefix_cache("llamacpp:requests_processing 0\n") is None
    assert read_prefix_cache("<html>not found</html>") is None


def test_counters_of_several_engines_are_added_up():
    text = (
        'vllm:prefix_cache_queries_total{engine="0"} 100.0\n'
        'vllm:prefix_cache_queries_total{engine="1"} 1.5e+02\n'
        'vllm:prefix_cache_hits_total{engine="0"} 40.0\n'
        'vllm:prefix_cache_hits_total{engine="1"} 60.0\n'
        'vllm:prefix_cache_queries_created{engine="1"} 1.7e+09\n'
        'vllm:external_prefix_cache_queries_total{engine="0"} 7.0\n'
    )

    assert read_prefix_cache(text) == PrefixCache(queried=250, hit=100)


def test_a_server_that_was_restarted_counts_from_its_start():
    assert PrefixCache(10, 5) - PrefixCache(1000, 900) == PrefixCache(10, 5)


def test_the_stub_counts_as_vllm_does():
    cache = StubPrefixCache()
    document = " ".join(f"word{i}" for i in range(40))

    cache.read(f"{document} first question")
    cache.read(f"{document} second question")

    assert read_prefix_cache(cache.metrics()) == PrefixCache(queried=84, hit=32)


def test_a_pool_asks_all_of_its_servers():
    first, second = StubPrefixCache(queried=10, hit=4), StubPrefixCache(queried=5, hit=1)
    with (
        StubTeacher(prefix_cache=first) as one,
        StubTeacher(prefix_cache=second) as two,
        StubTeacher() as plain,
    ):
        endpoints = {"two": two.url, "plain": plain.url}
        with connect(TeacherOptions(url=one.url, endpoints=endpoints)) as pool:
            assert pool.prefix_cache() == PrefixCache(queried=15, hit=5)
        with connect(TeacherOptions(url=plain.url)) as pool:
            assert pool.prefix_cache() is None
    with connect(TeacherOptions(url=one.url)) as pool:  # nobody is there any more
        assert pool.prefix_cache() is None


def test_a_run_tells_what_the_prefix_cache_saved_while_it_went_on(tmp_path, capsys):
    prompt = dict.fromkeys(("system", "introduction", "principles", "examples"), "")
    prompt |= {"generation": "{{text}}", "start_tags": ["[R]"], "end_tags": ["[/R]"]}
    block = {"config_path": "ask.yaml", "output_cols": ["reply"], "model_family": "blank"}
    pipeline = {"version": "1.0", "blocks": [{"name": "a", "type": "LLMBlock", "config": block}]}
    (tmp_path / "ask.yaml").write_text(json.dumps(prompt))
    (tmp_path / "p.yaml").write_text(json.dumps(pipeline))
    row = json.dumps({"text": " ".join(f"word{i}" for i in range(32))})
    (tmp_path / "rows.jsonl").write_text(f"{row}\n{row}\n")
    command = ["run", str(tmp_path / "p.yaml"), "--input", str(tmp_path / "rows.jsonl")]

    with StubTeacher(prefix_cache=StubPrefixCache(queried=10**6, hit=10**6)) as stub:
        assert main([*command, "--output", str(tmp_path / "out"), "--teacher-url", stub.url]) == 0

    told = " ".join(capsys.readouterr().err.split())
    assert "The teacher's prefix cache held 50% of 64 prompt tokens" in told
    assert "vllm:prefix_cache_hits / vllm:prefix_cache_queries" in told
