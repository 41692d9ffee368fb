"""A key says what determines an answer, the same in every process and version."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfp_sdg.teacher import Request
from kfp_sdg.teacher.journal import Keys

BASE = {"prompt": "Say hello.", "model": "m", "n": 1, "options": {"max_tokens": 9}}

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def key(scope: str = "gen", **changes) -> bytes:
    return Keys(scope).of(Request(**{**BASE, **changes}))


def as_sent(value: object) -> str:
    """Return JSON that tells 1 from 1.0 and -0.0 from 0.0, with sorted keys."""
    return json.dumps(value, sort_keys=True)


CHAT = ({"role": "user", "content": "Say hello."},)
PINNED = {
    "a completion": {},
    "no options": {"options": {}},
    "several answers": {"n": 10},
    "a chat": {"prompt": CHAT},
    "a prompt of other scripts": {"prompt": "Grüße, 世界 \U0001f600 \ud800 \0"},
    "numbers": {"options": {"a": 1, "b": 1.0, "c": 0.1, "d": -0.0, "e": 1e300, "f": 10**20}},
    "nested": {"options": {"extra_body": {"b": [True, None, {"z": 1, "a": "ü"}], "a": {}}}},
    "a tool call": {
        "prompt": ({"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}, *CHAT)
    },
    "odd options": {"options": {"logit_bias": {50256: -100, 5: 1}, "inf": float("inf")}},
}
# What journals in the field were written with: when one of these changes, none is of use.
DIGESTS = {
    "a completion": "8648ff8da926690ebaf64bddf0253863",
    "no options": "6f93913e6755dec3e864c2aa2930e21f",
    "several answers": "20ac1dc1fb149642e5cd2dabe31e5c0f",
    "a chat": "956f971aecf78fb14210efe08493c8af",
    "a prompt of other scripts": "0bb8565f9d1c5f3b2a3543a0dd4b084c",
    "numbers": "4cdb47316d7ac811431a487322a86889",
    "nested": "1c6826d2806ba18ba402225e77364cad",
    "a tool call": "6120878b0252989231952ac20a526aeb",
    "odd options": "087398465d80f0d7776064c61e87718d",
}
OF_THREE_EQUAL_ONES = [
    "65d055c1d02f99a2e4519b715beb1713",
    "144a586b8fe2e09894dfa3cf30cfa3be",
    "21d2abc4509ac3a7e8f0c51d75559d5a",
]


@pytest.mark.parametrize("name", PINNED)
def test_a_key_is_the_same_in_every_version(name):
    assert key(**PINNED[name]).hex() == DIGESTS[name]


def test_the_keys_of_equal_requests_are_the_same_in_every_version():
    keys = Keys("gen/2")
    assert [keys.of(Request(**BASE)).hex() for _ in range(3)] == OF_THREE_EQUAL_ONES


def test_a_key_is_the_same_in_another_process_whatever_its_hash_seed():
    code = (
        "from kfp_sdg.teacher import Request; from kfp_sdg.teacher.journal import Keys\n"
        "options = {'max_tokens': 9, 'stop': ['a', 'b'], 'extra_body': {'y': 1, 'x': 2}}\n"
        "print(Keys('gen').of(Request('p', 'm', 1, options)).hex())"
    )
    seen = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(seen) == 1
    assert len(seen.pop().strip()) == 32


@pytest.mark.parametrize(
    "change",
    [
        {"scope": "other"},
        {"prompt": "Say hello!"},
        {"prompt": CHAT},
        {"model": "m2"},
        {"n": 2},
        {"options": {"max_tokens": 10}},
        {"options": {"max_tokens": 9.0}},
        {"options": {"max_tokens": "9"}},
        {"options": {"max_tokens": 9, "temperature": 0}},
        {"options": {"max_tokens": 9, "extra_body": {"top_k": 5}}},
    ],
    ids=str,
)
def test_what_determines_the_answer_changes_the_key(change):
    assert key(**change) != key()


@pytest.mark.parametrize("change", [{"index": 5}, {"key": b"k"}, {"scope": "gen/1"}], ids=str)
def test_where_a_request_stands_does_not_change_its_key(change):
    assert Keys("gen").of(Request(**{**BASE, **change})) == key()


def test_the_order_of_settings_and_of_message_fields_does_not_change_the_key():
    options = {"max_tokens": 9, "extra_body": {"a": 1, "b": 2}}
    turned = {"extra_body": {"b": 2, "a": 1}, "max_tokens": 9}
    assert key(options=options) == key(options=turned)
    turned_message = ({"content": "Say hello.", "role": "user"},)
    assert key(prompt=CHAT) == key(prompt=turned_message)


def test_the_order_of_messages_and_lists_changes_the_key():
    two = ({"role": "user", "content": "a"}, {"role": "user", "content": "b"})
    assert key(prompt=two) != key(prompt=two[::-1])
    assert key(options={"stop": ["a", "b"]}) != key(options={"stop": ["b", "a"]})


def test_no_text_moves_from_one_field_to_the_next():
    assert key(scope="a", model="bc") != key(scope="ab", model="c")
    assert key(model="m", prompt="xy") != key(model="mx", prompt="y")
    assert key(prompt='[{"content":"Say hello.","role":"user"}]') != key(prompt=CHAT)


def test_equal_requests_get_keys_of_their_own_and_the_first_ones_is_that_of_a_single_request():
    keys = Keys("gen")
    given_keys = [keys.of(Request(**BASE)) for _ in range(5)]
    assert len(set(given_keys)) == 5
    assert given_keys[0] == key()


def test_a_row_added_at_the_top_does_not_change_the_keys_of_the_others():
    prompts = ["a", "b", "a", "c", "a"]
    before, after = Keys("gen"), Keys("gen")
    old = [before.of(Request(**{**BASE, "prompt": p})) for p in prompts]
    new = [after.of(Request(**{**BASE, "prompt": p})) for p in ["new", *prompts]]
    assert new[1:] == old


def test_settings_that_json_cannot_say_have_a_key_all_the_same():
    assert key(options={"x": object}) != key(options={"x": {1, 2}})
    assert key(options={1: "a", "b": 2, None: 3}) == key(options={None: 3, "b": 2, 1: "a"})


@given(JSON, JSON)
def test_two_settings_have_one_key_only_if_the_same_is_sent(one, other):
    same = as_sent(one) == as_sent(other)
    assert (key(options={"x": one}) == key(options={"x": other})) == same


@given(st.lists(st.sampled_from("abc"), max_size=30))
def test_no_two_requests_of_a_scope_share_a_key(prompts):
    keys = Keys("gen")
    made = [keys.of(Request(**{**BASE, "prompt": p})) for p in prompts]
    assert len(set(made)) == len(made)
    assert all(len(k) == 16 for k in made)
