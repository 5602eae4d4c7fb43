"""Who meets whom, in which order, for how long."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace

import pytest

from bench import schedule
from bench.cases import Contender
from bench.stats import Components
from tests.test_cases import PLAN

NETWORK = ("lenet5", 1)
COUNTS = {Contender("a", "eager"): 12, Contender("b", "eager"): 12, Contender("c", "eager"): 3}


def test_the_order_of_networks_is_drawn_anew_and_has_each_once() -> None:
    orders = [schedule.networks(PLAN, number) for number in range(4)]
    wanted = sorted((m, b) for m in PLAN.models for b in PLAN.batches)
    assert all(sorted(order) == wanted for order in orders)
    assert len({tuple(order) for order in orders}) == 4


def test_the_order_is_that_of_the_seed() -> None:
    def drawn(plan: object) -> list[schedule.Heat]:
        return schedule.heats(plan, 0, NETWORK, PLAN.contenders, lambda _: 0, 1)  # type: ignore[arg-type]

    assert drawn(PLAN) == drawn(replace(PLAN))
    assert any(drawn(PLAN) != drawn(replace(PLAN, seed=seed)) for seed in range(5))


@pytest.mark.parametrize(("room", "sizes"), [(10.0, [4]), (2.5, [2, 2]), (0.5, [1, 1, 1, 1])])
def test_as_many_race_at_a_time_as_fit_into_memory(room: float, sizes: list[int]) -> None:
    found = schedule.heats(PLAN, 2, NETWORK, PLAN.contenders, lambda _: 1.0, room)
    assert [len(heat.contenders) for heat in found] == sizes
    assert Counter(c for heat in found for c in heat.contenders) == Counter(PLAN.contenders)
    assert {(heat.process, heat.model, heat.batch) for heat in found} == {(2, *NETWORK)}


def test_everyone_takes_the_blocks_that_are_theirs() -> None:
    taken = Counter(
        c for _, group in schedule.rounds(COUNTS, random.Random(1)) for c in group
    )  # fmt: skip
    assert taken == COUNTS


def test_who_has_fewer_blocks_meets_the_others_all_through_the_race() -> None:
    slow = Contender("c", "eager")
    found = [n for n, group in schedule.rounds(COUNTS, random.Random(1)) if slow in group]
    assert found == [0, 4, 8]


def test_the_order_within_a_round_is_drawn_anew() -> None:
    counts = dict.fromkeys(PLAN.contenders, 40)
    firsts = Counter(group[0] for _, group in schedule.rounds(counts, random.Random(1)))
    assert set(firsts) == set(counts) and max(firsts.values()) < 20


@pytest.mark.parametrize(
    ("share", "step", "blocks"), [(1.0, 0.001, 10), (1.0, 0.5, 2), (0.1, 3.0, 1), (1e9, 0.001, 60)]
)
def test_a_share_holds_so_many_blocks(share: float, step: float, blocks: int) -> None:
    assert schedule.affordable(share, step) == blocks


@pytest.mark.parametrize(("length", "samples"), [(0.01, 1000), (0.06, 1), (2.0, 1)])
def test_a_long_step_is_a_block_of_its_own(length: float, samples: int) -> None:
    assert schedule.samples(length) == samples


def test_rounds_follow_from_the_variances() -> None:
    """Kalibera and Jones: the square root of cost and variance, each as a quotient."""
    noise = Components(process=1e-4, round=4e-4)
    assert schedule.wanted(noise, start=10.0, block=0.1) == 20
    assert schedule.wanted(noise, start=0.1, block=0.1) == schedule.ROUNDS[0]
    assert schedule.wanted(Components(0.0, 1e-4), 10.0, 0.1) == schedule.ROUNDS[1]
    assert schedule.wanted(None, 10.0, 0.1) == schedule.ROUNDS[1]
