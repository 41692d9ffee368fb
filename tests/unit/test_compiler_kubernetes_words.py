"""Kubernetes' words for pods: what is taken and what is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from kfp_sdg.compiler.kubernetes_words import (
    annotation_value,
    cpu_millicores,
    image_reference,
    key_and_value,
    label_key,
    label_value,
    memory_bytes,
    object_name,
)
from kfp_sdg.compiler.pods import Toleration
from kfp_sdg.compiler.resources import (
    DEFAULT_RESOURCES,
    Resource,
    ResourceOverride,
    TaskKind,
    task_resources,
)

if TYPE_CHECKING:
    from collections.abc import Callable

DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(("text", "expected"), [("500m", 500), ("2", 2000), ("1.5", 1500)])
def test_an_amount_of_cpu_is_counted_in_thousandths(text: str, expected: int) -> None:
    assert cpu_millicores(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"), [("512Mi", 512 * 2**20), ("4Gi", 2**32), ("2G", 2 * 10**9), ("7", 7)]
)
def test_an_amount_of_memory_is_counted_in_bytes(text: str, expected: int) -> None:
    assert memory_bytes(text) == expected


def test_what_is_taken_as_a_quantity_is_one_for_kfp_too() -> None:
    from kfp.dsl import PipelineTask

    for cpu in ("500m", "2", "1.5"):
        assert PipelineTask._validate_cpu_request_limit(None, cpu) == cpu
    for memory in ("512Mi", "4Gi", "2G", "1Ei", "7"):
        assert PipelineTask._validate_memory_request_limit(None, memory) == memory


@pytest.mark.parametrize("text", ["", "0", "0m", "-1", "1.2345", "two", "1.5m", "1 ", "1Gi"])
def test_what_is_no_amount_of_cpu_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no amount of CPU; expected a number such as"):
        cpu_millicores(text)


@pytest.mark.parametrize("text", ["", "0", "0Gi", "1.5Gi", "4GB", "5K", "5k", "4gi", "-1Gi"])
def test_what_is_no_amount_of_memory_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no amount of memory; expected a whole number"):
        memory_bytes(text)


@pytest.mark.parametrize(
    ("check", "good", "bad"),
    [
        (
            label_key,
            ["team", "a.b/c_D-e.f", "x" * 63],
            ["", "-a", "a/", "/a", "A/b/c", "x" * 64, "Team A", "{{a}}"],
        ),
        (label_value, ["", "a", "A_b.c-9"], ["-", "a b", "x" * 64, "{{a}}"]),
        (annotation_value, ["", "any text, a: {b}"], ["{{workflow.name}}"]),
        (object_name, ["a", "a-b.c9"], ["", "A", "a_b", "-a", "a..b", "x" * 254]),
        (
            image_reference,
            ["a", "ghcr.io/a/b:v1", "localhost:5000/a/b", f"a/b@{DIGEST}", f"a/b:v1@{DIGEST}"],
            ["", "a b", "https://ghcr.io/a", "a:", "a@sha256:1", "ghcr.io/A/b", "{{x}}"],
        ),
    ],
)
def test_names_are_those_of_kubernetes(
    check: Callable[[str], str], good: list[str], bad: list[str]
) -> None:
    assert [check(text) for text in good] == good
    for text in bad:
        with pytest.raises(ValueError, match=r"is no |braces"):
            check(text)


def test_a_label_without_a_value_is_not_taken_for_one() -> None:
    assert key_and_value("team=sdg") == ("team", "sdg")
    assert key_and_value("team=") == ("team", "")
    with pytest.raises(ValueError, match="has no =; expected KEY=VALUE"):
        key_and_value("team")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "batch=sdg:NoSchedule",
            {"key": "batch", "operator": "Equal", "value": "sdg", "effect": "NoSchedule"},
        ),
        (
            "nvidia.com/gpu:NoExecute",
            {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoExecute"},
        ),
        (
            "a=:PreferNoSchedule",
            {"key": "a", "operator": "Equal", "value": "", "effect": "PreferNoSchedule"},
        ),
    ],
)
def test_a_toleration_is_written_as_a_taint_is(text: str, expected: dict[str, str]) -> None:
    assert Toleration.parse(text).as_json() == expected


@pytest.mark.parametrize("text", ["", "a", "a=b", "a:Never", ":NoSchedule", "a=b c:NoSchedule"])
def test_what_is_no_toleration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected"):
        Toleration.parse(text)


def resources_of(kind: TaskKind, *typed: tuple[Resource, str]) -> dict[Resource, str]:
    overrides = tuple(ResourceOverride.parse(resource, text) for resource, text in typed)
    return dict(task_resources(overrides)[kind])


def test_a_quantity_is_for_all_tasks_or_for_those_of_a_kind() -> None:
    typed = [(Resource.MEMORY_LIMIT, "asking=8Gi"), (Resource.MEMORY_LIMIT, "3Gi")]
    limits = {kind: resources_of(kind, *typed)[Resource.MEMORY_LIMIT] for kind in TaskKind}
    assert limits == {TaskKind.ASKING: "8Gi", TaskKind.COLUMN: "3Gi", TaskKind.TAXONOMY: "3Gi"}


def test_the_default_of_the_other_half_gives_way_so_that_no_request_is_above_its_limit() -> None:
    default = dict(DEFAULT_RESOURCES[TaskKind.COLUMN])
    low = resources_of(TaskKind.COLUMN, (Resource.MEMORY_LIMIT, "128Mi"))
    assert low == {**default, Resource.MEMORY_REQUEST: "128Mi", Resource.MEMORY_LIMIT: "128Mi"}
    high = resources_of(TaskKind.COLUMN, (Resource.CPU_REQUEST, "3"))
    assert high == {**default, Resource.CPU_REQUEST: "3", Resource.CPU_LIMIT: "3"}


def test_none_sets_nothing() -> None:
    left = resources_of(TaskKind.COLUMN, (Resource.CPU_LIMIT, "none"))
    assert Resource.CPU_LIMIT not in left
    assert Resource.CPU_REQUEST in left


def test_a_request_above_a_limit_that_was_given_too_is_a_mistake() -> None:
    typed = [(Resource.MEMORY_REQUEST, "2Gi"), (Resource.MEMORY_LIMIT, "1Gi")]
    with pytest.raises(ValueError, match="memory-request 2Gi of asking tasks is above their"):
        resources_of(TaskKind.ASKING, *typed)


def test_a_kind_of_task_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="'gpu' is no kind of task; expected one of asking,"):
        ResourceOverride.parse(Resource.CPU_LIMIT, "gpu=1")
