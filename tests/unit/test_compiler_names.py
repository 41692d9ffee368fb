"""How blocks and pipelines are called on a cluster."""

from __future__ import annotations

import pytest

from kfp_sdg.compiler.names import kubernetes_name, task_names, unique_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("gen_questions", "gen-questions"),
        ("knowledge generation", "knowledge-generation"),
        ("__Gen  Q1!", "gen-q1"),
        ("müller", "m-ller"),
        ("生成", ""),
        ("a" * 100, "a" * 63),
        ("a" * 62 + "-b", "a" * 62),
    ],
)
def test_a_name_keeps_only_what_kubernetes_allows(text: str, name: str) -> None:
    assert kubernetes_name(text) == name


@pytest.mark.parametrize("text", ["gen_q", "Knowledge Generation", "--a--b--", "3 x", "É"])
def test_names_are_sanitised_as_kfp_does_it(text: str) -> None:
    from kfp.dsl.utils import maybe_rename_for_k8s

    assert kubernetes_name(text) == maybe_rename_for_k8s(text)


def test_blocks_whose_names_become_the_same_get_numbers() -> None:
    assert task_names(["gen q", "gen_q", "gen-q", "gen q 2"]) == {
        "gen q": "gen-q",
        "gen_q": "gen-q-2",
        "gen-q": "gen-q-3",
        "gen q 2": "gen-q-2-2",
    }


def test_a_block_without_any_allowed_letter_is_called_block() -> None:
    assert task_names(["生成", "評価"]) == {"生成": "block", "評価": "block-2"}


def test_a_number_does_not_make_a_name_too_long() -> None:
    long = "a" * 63
    assert unique_name(long, {long}) == "a" * 61 + "-2"
