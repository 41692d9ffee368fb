"""Sampling: exact counts, no repeats before everything was used, the same in every run."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfp_sdg.errors import SpecError
from kfp_sdg.instructlab.mixing import TrainingSettings
from kfp_sdg.instructlab.mixing.chance import Chance
from kfp_sdg.instructlab.mixing.sampling import parse_sampling_size, sample, sampled_rows

SIZES = st.integers(1, 60)


def drawn(rows: int, count: int, seed: int = 42) -> list[int]:
    return list(sample(lambda: range(rows), rows, count, Chance(seed, "test")))


@pytest.mark.parametrize(
    ("rows", "size", "count"),
    [
        (100, 1, 1),
        (100, 1.0, 100),
        (100, 30, 30),
        (20, 30, 30),
        (100, 0.29, 29),
        (7, 0.5, 3),
        (3, 0.1, 0),
        (3, 0, 0),
        (3, 0.0, 0),
        (3, 2.5, 7),
        (0, 30, 0),
        (0, 1.0, 0),
    ],
)
def test_a_whole_number_is_a_count_and_a_decimal_one_a_ratio(
    rows: int, size: int | float, count: int
) -> None:
    assert sampled_rows(rows, size) == count
    assert len(drawn(rows, count)) == count


@given(SIZES, st.integers(0, 200), st.integers())
def test_no_row_comes_twice_before_every_row_came_once(rows: int, count: int, seed: int) -> None:
    numbers = drawn(rows, count, seed)
    assert len(numbers) == count
    for start in range(0, count, rows):
        part = numbers[start : start + rows]
        assert len(set(part)) == len(part)
    times = Counter(numbers)
    assert max(times.values(), default=0) - min(times[n] for n in range(rows)) <= 1


@given(SIZES, st.floats(0, 3, allow_nan=False))
def test_a_ratio_never_gives_more_than_its_part(rows: int, ratio: float) -> None:
    assert 0 <= sampled_rows(rows, ratio) <= rows * ratio + 1e-9
    assert sampled_rows(rows, ratio) > rows * ratio - 1 - 1e-9


def test_every_row_is_drawn_as_often_as_any_other() -> None:
    times = Counter(n for seed in range(2000) for n in drawn(10, 3, seed))
    assert sorted(times) == list(range(10))
    assert all(500 < n < 700 for n in times.values())  # 600 on average


def test_the_draws_of_a_seed_never_change() -> None:
    # golden: another Python, machine or process has to draw the same
    assert drawn(20, 5) == [1, 8, 9, 14, 17]
    assert Chance(42, "a", "b").sample(10, 4) == [5, 3, 7, 2]
    assert drawn(20, 5, seed=43) != drawn(20, 5)


@given(SIZES, st.data())
def test_a_sample_by_number_has_different_numbers(size: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, size))
    numbers = Chance(1, "x").sample(size, count)
    assert len(set(numbers)) == len(numbers) == count
    assert set(numbers) <= set(range(size))


def test_two_purposes_do_not_choose_alike() -> None:
    purposes = (("ab", "c"), ("a", "bc"), ("abc",))
    assert len({tuple(Chance(1, *purpose).sample(1000, 5)) for purpose in purposes}) == 3


@pytest.mark.parametrize(("text", "size"), [("30", 30), ("1", 1), ("1.0", 1.0), ("0.5", 0.5)])
def test_a_text_means_a_count_or_a_ratio(text: str, size: int | float) -> None:
    assert parse_sampling_size(text) == size
    assert type(parse_sampling_size(text)) is type(size)


@pytest.mark.parametrize("text", ["", "all", "-1", "-0.5", "nan", "inf", "1,5"])
def test_a_text_that_means_neither_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_sampling_size(text)


@pytest.mark.parametrize("size", [-1, -0.5, float("nan"), float("inf"), True, "30"])
def test_settings_refuse_what_is_no_sampling_size(size: object) -> None:
    for name in ("skills_sampling_size", "precomputed_sampling_size"):
        with pytest.raises(SpecError, match=f"'{name}' is .* expected a count of rows"):
            TrainingSettings(**{name: size})  # type: ignore[arg-type]
