"""Drifts, two kinds of samples and impossible speeds are named; honest noise is not."""

from __future__ import annotations

from math import exp

import numpy as np
import pytest

from bench import suspicion
from bench.stats import Blocks
from bench.suspicion import Kinds

Random = np.random.Generator


def drawn(
    random: Random, slope: float = 0.0, kinds: float = 1.0, rounds: int = 12, share: float = 0.5
) -> Blocks:
    """Three processes that differ; with a drift from round to round, or a second kind."""
    found = {}
    for process in range(3):
        centre = 1e-3 * exp(0.1 * random.standard_normal())
        for number in range(rounds):
            noise = 0.03 * random.standard_normal(20) + 0.03 * random.standard_normal()
            slow = np.where(random.random(20) < share, kinds, 1.0)
            found[process, number] = (centre * slow * np.exp(noise + slope * number)).tolist()
    return found


def test_a_drift_is_named_with_its_size() -> None:
    said = suspicion.drift(drawn(np.random.default_rng(1), slope=0.03))
    assert said.startswith("drifts by +") and 25 < int(said.split("+")[1].split("%")[0]) < 55


def test_noise_is_no_drift() -> None:
    random = np.random.default_rng(2)
    assert [s for s in (suspicion.drift(drawn(random)) for _ in range(200)) if s] == []


def test_a_drift_of_the_machine_is_nobodys() -> None:
    random = np.random.default_rng(3)
    own, rival = drawn(random, slope=0.03), drawn(random, slope=0.03)
    assert suspicion.drift(own) and not suspicion.drift(own, [suspicion.levelled(rival)])
    assert suspicion.drift(own, [suspicion.levelled(drawn(random))])


def test_a_drift_too_small_to_matter_is_not_named() -> None:
    calm = {(p, r): [1e-3 * (1 + 0.001 * r)] for p in range(3) for r in range(20)}
    assert not suspicion.drift(calm)
    assert suspicion.drift({(p, r): [1e-3 * (1 + 0.01 * r)] for p, r in calm})


def test_two_kinds_are_named_with_their_times() -> None:
    said = str(suspicion.modes(drawn(np.random.default_rng(4), kinds=1.5)))
    assert said.startswith("two kinds of samples, ")
    low, high = (float(word) for word in said.split() if word[0].isdigit())
    assert high / low == pytest.approx(1.5, rel=0.05)


@pytest.mark.parametrize(("kinds", "share"), [(1.0, 0.5), (1.5, 0.02), (1.05, 0.5)])
def test_one_kind_a_few_outliers_or_kinds_alike_are_not(kinds: float, share: float) -> None:
    random = np.random.default_rng(5)
    found = [suspicion.modes(drawn(random, kinds=kinds, share=share)) for _ in range(100)]
    assert [said for said in found if said] == []


def test_a_slow_state_of_whole_blocks_is_a_kind_though_its_samples_are_few() -> None:
    random = np.random.default_rng(6)
    found = {}
    for process in range(3):
        for number in range(16):
            slow = random.random() < 0.4
            noise = np.exp(0.03 * random.standard_normal(2 if slow else 80))
            found[process, number] = ((0.04 if slow else 0.001) * noise).tolist()
    assert str(suspicion.modes(found)).startswith("two kinds of ")


def test_two_speeds_of_most_are_the_machines_but_of_who_has_them_further_apart() -> None:
    machine, own = Kinds("samples", 1.0, 1.6), Kinds("blocks", 1.0, 9.0)
    assert suspicion.theirs({"a": machine, "b": machine, "c": None}) == {}
    assert suspicion.theirs({"a": machine, "b": machine, "c": own}) == {"c": own}
    assert suspicion.theirs({"a": machine, "b": None, "c": None}) == {"a": machine}
    assert suspicion.theirs({"a": machine, "b": machine}) == {"a": machine, "b": machine}


def test_too_few_samples_say_nothing() -> None:
    few = {(p, r): [1e-3 * (1 + r)] for p in range(3) for r in range(5)}
    assert not suspicion.drift(few) and not suspicion.modes(few)


@pytest.mark.parametrize(
    ("seconds", "phase", "said"),
    [(1.0, "inference", ""), (0.021, "inference", ""), (0.019, "inference", "800"),
     (0.059, "train", "800"), (0.061, "train", "")],
)  # fmt: skip
def test_a_speed_beyond_a_matrix_products_is_named(seconds: float, phase: str, said: str) -> None:
    found = suspicion.impossible(seconds, macs=10**9, batch=4, phase=phase, peak=1e11)
    assert bool(found) == bool(said)
    assert not suspicion.impossible(seconds, 10**9, 4, phase, None)


def test_whoever_leaves_work_undone_is_named_and_says_how_fast() -> None:
    said = suspicion.impossible(1e-6, macs=10**6, batch=1, phase="inference", peak=1e11)
    assert said.startswith("faster than possible: 2000 Gflop/s, a matrix product here 100")
