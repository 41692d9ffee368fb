"""The limiter's rule against simulated servers; all seconds are simulated ones."""

from __future__ import annotations

import math
import random
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from kfp_sdg.teacher.congestion import CongestionControl
from kfp_sdg.teacher.gathering import pause
from limit_simulator import Client, Clock, Fixed, Server, Simulation, simulate

if TYPE_CHECKING:
    from collections.abc import Callable


def run(
    server: Server,
    *others: Callable[[Clock], Client],
    until: float = 1e9,
    most: int = 1024,
    start: int = 64,
    seed: int = 1,
    **client: Any,
) -> tuple[Simulation, Client]:
    clock = Clock()
    own = Client(CongestionControl(most, start=start, clock=clock), **client)
    clients = [own, *(other(clock) for other in others)]
    return simulate(server, clients, clock, until=until, seed=seed), own


def share_of_best(best: int, server: Callable[[], Server], seed: int = 1, **client: Any) -> float:
    """Return the time that the best fixed limit takes over the time that ours takes."""
    fixed = simulate(server(), [Client(Fixed(best), **client)], seed=seed)
    return fixed.last_answer / run(server(), seed=seed, **client)[0].last_answer


def one_in_two(seed: int = 5) -> Callable[[int, float], str]:
    """Return long and short answers in any order."""
    dice = random.Random(seed)
    return lambda number, now: dice.choice(("generate", "judge"))


# -- it settles ---------------------------------------------------------------------------------


@pytest.mark.parametrize("jitter", [0.0, 0.5, 0.8])
@pytest.mark.parametrize(
    ("slots", "seconds", "least", "most"),
    [
        (4, 0.1, 5, 16),
        (4, 1.0, 5, 16),
        (64, 0.1, 80, 150),
        (64, 1.0, 80, 150),
        (512, 0.1, 650, 1024),
    ],
)
def test_it_settles_within_three_seconds_whatever_the_slots(
    slots: int, seconds: float, least: int, most: int, jitter: float
) -> None:
    until = 15.0 if slots == 512 else max(20.0, 60 * seconds)
    simulation, client = run(Server(slots, {"ask": seconds}, jitter), until=until)
    assert simulation.utilisation(3.0, until) >= 0.97
    assert least <= client.limit_in(until * 0.7, until) <= most


@pytest.mark.parametrize("jitter", [0.0, 0.5])
def test_512_slots_of_a_second_are_full_after_three_round_trips(jitter: float) -> None:
    simulation, _ = run(Server(512, {"ask": 1.0}, jitter), until=30.0)
    assert simulation.utilisation(2.7, 5.0) >= 0.97
    assert simulation.utilisation(3.0, 30.0) >= 0.97


@pytest.mark.parametrize(("seconds", "jitter"), [(0.1, 0.0), (0.1, 0.8), (1.0, 0.5)])
def test_the_ramp_of_a_short_run_costs_next_to_nothing(seconds: float, jitter: float) -> None:
    server = partial(Server, 64, {"ask": seconds}, jitter)
    shares = [share_of_best(128, server, seed, requests=1000) for seed in range(5)]
    assert sum(shares) / len(shares) >= 0.98
    assert min(shares) >= 0.95


@pytest.mark.parametrize("jitter", [0.0, 0.8])
def test_64_slots_stay_full_over_ten_thousand_requests(jitter: float) -> None:
    simulation, _ = run(Server(64, {"ask": 0.1}, jitter), requests=10_000)
    assert simulation.utilisation() >= 0.98


def test_64_slots_are_full_from_the_first_moment() -> None:
    simulation, _ = run(Server(64, {"ask": 0.1}), until=0.1)
    assert simulation.utilisation(0.001, 0.1) >= 0.99


def test_a_slow_server_of_four_slots_shows_before_its_first_64_answers() -> None:
    _, client = run(Server(4, {"ask": 20.0}, 0.5), until=150.0)
    assert len(client.answered_at) < 32
    assert client.control.limit <= 20


def test_a_start_that_is_known_is_kept_to() -> None:
    _, client = run(Server(4, {"ask": 1.0}, 0.3), until=60.0, start=8)
    assert max(limit for _, limit in client.limits) <= 20


@pytest.mark.parametrize("most", [1, 16, 100])
def test_the_cap_is_never_exceeded_and_always_used(most: int) -> None:
    simulation, client = run(Server(128, {"ask": 0.1}, 0.5), until=20.0, most=most)
    assert max(limit for _, limit in client.limits) <= most
    assert simulation.utilisation() >= 0.97 * most / 128


@pytest.mark.parametrize("jitter", [0.0, 0.5, 0.8])
def test_looking_how_long_an_answer_takes_alone_costs_little(jitter: float) -> None:
    for seed in range(3):
        simulation, _ = run(Server(64, {"ask": 1.0}, jitter), until=60.0, seed=seed)
        assert simulation.utilisation(10.0, 60.0) >= 0.995


# -- answers that are let gather ----------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "jitter"), [(0.1, 0.0), (0.1, 0.8), (1.0, 0.5)])
def test_a_client_that_lets_answers_gather_keeps_the_server_full(
    seconds: float, jitter: float
) -> None:
    clock, pauses = Clock(), []
    control = CongestionControl(1024, clock=clock)

    def gather(flight: int) -> float:
        pauses.append(pause(control.slack(flight)))
        return pauses[-1]

    client = Client(control, requests=3000, pause=gather)
    simulation = simulate(Server(64, {"ask": seconds}, jitter), [client], clock)
    assert simulation.utilisation(0.0, simulation.last_answer - 1.5 * seconds) >= 0.98
    assert sum(pauses) / len(pauses) >= 0.05 * seconds  # of several answers at a time


@pytest.mark.parametrize("slots", [4, 64])
def test_the_slack_is_what_waits_in_line_over_the_throughput(slots: int) -> None:
    _, client = run(Server(slots, {"ask": 0.1}, 0.3), until=20.0)
    assert client.control.slack(2 * slots) == pytest.approx(0.1, rel=0.3)
    assert client.control.slack(slots // 2) == 0.0


def test_a_server_that_takes_no_more_than_it_works_on_leaves_no_slack() -> None:
    _, client = run(Server(64, {"ask": 0.1}, 0.3), until=20.0, most=48)
    assert client.control.slack(48) < 0.01


def test_nothing_is_known_of_the_slack_while_all_requests_were_refused() -> None:
    _, client = run(Server(64, {"ask": 0.3}, refuses=1.0), until=1.0)
    assert client.control.slack(4) == 0.0


# -- unequal answers ----------------------------------------------------------------------------


def test_ten_answers_per_request_take_ten_places_each() -> None:
    server = partial(Server, 64, {"ask": 0.1}, 0.8)
    assert share_of_best(200, server, requests=1000, places=10) >= 0.96


def test_a_server_of_four_slots_and_ten_answers_per_request_has_no_long_queue() -> None:
    simulation, client = run(Server(4, {"ask": 0.1}, 0.5), until=60.0, places=10)
    assert simulation.utilisation() >= 0.98
    assert client.limit_in(40.0, 60.0) <= 60


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(lambda: one_in_two(), id="mixed"),
        pytest.param(lambda: lambda i, now: "judge" if i < 2000 else "generate", id="long-last"),
        pytest.param(lambda: lambda i, now: "generate" if i < 2000 else "judge", id="short-last"),
        pytest.param(lambda: lambda i, now: "generate" if now % 20 < 10 else "judge", id="in-turn"),
    ],
)
def test_answers_ten_times_shorter_do_not_disturb_it(
    kind: Callable[[], Callable[[int, float], str]],
) -> None:
    simulation, client = run(
        Server(64, {"generate": 1.0, "judge": 0.1}, 0.5), requests=4000, kind=kind()
    )
    assert simulation.utilisation(0.0, simulation.last_answer - 2.0) >= 0.97
    assert max(limit for _, limit in client.limits) <= 500


@pytest.mark.parametrize("jitter", [0.0, 0.5, 0.8])
@pytest.mark.parametrize("first", [200, 256])
def test_a_block_that_begins_at_a_full_server_does_not_raise_the_limit(
    first: int, jitter: float
) -> None:
    def kind(number: int, now: float) -> str:
        return "judge" if number >= first and number // 64 % 2 else "generate"

    server = Server(64, {"generate": 0.1, "judge": 0.1}, jitter)
    for seed in range(3):
        simulation, client = run(server, until=20.0, kind=kind, seed=seed)
        assert max(limit for _, limit in client.limits) <= 260
        assert client.limit_in(3.0, 20.0) <= 160
        assert simulation.utilisation(3.0, 20.0) >= 0.98


def test_it_goes_on_while_a_larger_batch_gives_more_throughput() -> None:
    def speed(batch: int) -> float:
        return batch if batch <= 64 else 64 * math.sqrt(min(batch, 256) / 64)

    simulation, client = run(Server(1024, {"ask": 1.0}, 0.5, speed=speed), until=100.0)
    assert simulation.utilisation(20.0, 100.0) >= 0.95
    assert client.limit_in(50.0, 100.0) <= 2.8 * 256


@pytest.mark.parametrize(
    "drift",
    [
        pytest.param(lambda now: 4.0 if now > 20 else 1.0, id="at-once"),
        pytest.param(lambda now: 1 + 3 * min(now, 100) / 100, id="slowly"),
        pytest.param(lambda now: 1 - 0.75 * min(now, 100) / 100, id="faster"),
    ],
)
def test_answers_that_grow_longer_or_shorter_starve_no_server(
    drift: Callable[[float], float],
) -> None:
    server = Server(64, {"ask": 0.4}, 0.5, drift=drift)
    shares = [run(server, until=150.0, seed=seed)[0].utilisation() for seed in range(1, 5)]
    assert sum(shares) / len(shares) >= 0.94  # a single one depends on what its dips meet


# -- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize("threshold", [8, 40, 80])
def test_a_server_that_refuses_above_a_threshold_is_kept_just_below_it(threshold: int) -> None:
    server = Server(64, {"ask": 0.3}, 0.5, most=threshold)
    simulation, client = run(server, until=60.0)
    assert simulation.utilisation() >= 0.96 * min(threshold, 64) / 64
    assert client.refused - 60 <= 0.04 * len(client.answered_at)  # 60: of the first moment


def test_refusals_that_have_nothing_to_do_with_the_load_are_not_obeyed() -> None:
    simulation, _ = run(Server(64, {"ask": 0.3}, 0.5, refuses=0.3), until=60.0)
    assert simulation.utilisation(10.0, 60.0) >= 0.9


def test_requests_that_time_out_make_it_ask_for_less() -> None:
    simulation, client = run(Server(4, {"ask": 0.5}, 0.5), until=60.0, timeout=2.0)
    assert simulation.utilisation() >= 0.97
    assert client.timed_out <= 80  # nearly all of them of the first 64


def test_a_server_that_refuses_everything_is_asked_little() -> None:
    _, client = run(Server(64, {"ask": 0.3}, refuses=1.0), until=1.0)
    assert client.control.limit <= 4


# -- a server for others too, or for nobody -----------------------------------------------------


def test_another_client_gets_its_share_and_the_rest_is_ours_again_when_it_leaves() -> None:
    def other(clock: Clock) -> Client:
        return Client(Fixed(128), begins=20.0, ends=60.0)

    _, client = run(Server(64, {"ask": 0.3}, 0.5), other, until=100.0)
    at_full_speed = 64 / 0.3
    assert 0.25 <= client.answers(40.0, 60.0) / (20 * at_full_speed) <= 0.6
    assert client.answers(70.0, 100.0) / (30 * at_full_speed) >= 0.97
    assert client.limit_in(25.0, 60.0) <= 256


def test_two_that_adapt_keep_the_server_full_and_neither_goes_without() -> None:
    others: list[Client] = []

    def other(clock: Clock) -> Client:
        others.append(Client(CongestionControl(1024, clock=clock), begins=10.0))
        return others[0]

    simulation, client = run(Server(64, {"ask": 0.3}, 0.5), other, until=300.0)
    assert simulation.utilisation() >= 0.98
    answers = client.answers(60.0, 300.0), others[0].answers(60.0, 300.0)
    assert min(answers) >= 0.1 * sum(answers)
    assert client.limit_in(240.0, 300.0) + others[0].limit_in(240.0, 300.0) < 1000


def test_a_time_with_few_requests_changes_nothing() -> None:
    def supply(now: float) -> int:
        return 5 if now < 30 else 1000

    simulation, client = run(Server(64, {"ask": 0.3}, 0.5), until=60.0, supply=supply)
    assert client.limit_in(0.0, 30.0) == 64
    assert simulation.utilisation(31.0, 60.0) >= 0.97
