"""What vLLM's own metrics say of the prefix cache."""

from __future__ import annotations

import pytest

from kfp_sdg.teacher.server_metrics import PrefixCache, read_prefix_cache
from replay import RECORDINGS, recording
from stub_prefix_cache import StubPrefixCache


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
