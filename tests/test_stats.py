"""Medians, ratios and their intervals, on data whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from bench import stats
from bench.stats import Estimate

RandomState = np.random.Generator


def rounds(random: RandomState, count: int, samples: int, spread: float = 0.1) -> stats.Rounds:
    """Samples about 1: each round has its own centre, spread as far as the samples are."""
    centres = 1 + spread * random.standard_normal(count)
    return {
        r: (c + spread * random.standard_normal(samples)).tolist() for r, c in enumerate(centres)
    }


def width(found: Estimate) -> float:
    return found.high - found.low


def test_the_median_is_that_of_the_rounds_medians() -> None:
    found = stats.median({0: [1.0, 2.0, 99.0], 1: [5.0], 2: [9.0, 7.0, 8.0, 8.0]})
    assert found.value == 5.0
    assert 0 < found.low < 5 < found.high


def test_a_slow_first_sample_moves_the_median_little() -> None:
    assert stats.median({0: [1.0] * 10 + [50.0], 1: [1.0] * 10 + [60.0]}) == Estimate(1, 1, 1)


def test_a_single_sample_is_its_own_interval() -> None:
    assert stats.median({3: [0.25]}) == Estimate(0.25, 0.25, 0.25)
    assert stats.ratio({3: [0.25]}, {3: [0.125]}) == Estimate(2, 2, 2)


def test_estimates_are_reproducible() -> None:
    data = rounds(np.random.default_rng(0), 4, 9)
    assert stats.median(data) == stats.median(data)
    assert stats.ratio(data, data) == stats.ratio(data, data)


@pytest.mark.parametrize("count", [2, 3, 5, 12])
def test_the_interval_covers_the_true_median_for_few_rounds_too(count: int) -> None:
    """Plain bootstrap intervals cover it in 68% of cases for two rounds, 86% for three."""
    random = np.random.default_rng(5)
    found = [stats.median(rounds(random, count, 15, 0.02)) for _ in range(100)]
    assert np.mean([f.low <= 1 <= f.high for f in found]) >= 0.93
    assert np.mean([width(f) for f in found]) < 10 * 0.02 * stats.widening(count)


def test_the_interval_of_a_single_round_covers_the_median_of_its_process() -> None:
    random = np.random.default_rng(6)
    found = [stats.median({0: random.standard_normal(31).tolist()}) for _ in range(150)]
    covered = np.mean([f.low <= 0 <= f.high for f in found])
    assert 0.88 <= covered <= 0.995


def test_the_interval_knows_that_rounds_differ() -> None:
    """Many samples of few processes: only the bootstrap over rounds sees what differs."""
    random = np.random.default_rng(7)
    data = {r: (c + 1e-4 * random.standard_normal(200)).tolist() for r, c in enumerate((1, 2, 3))}
    assert width(stats.median(data)) > 0.9


def test_more_rounds_narrow_the_interval() -> None:
    random = np.random.default_rng(8)
    few, many = (
        np.mean([width(stats.median(rounds(random, n, 5))) for _ in range(8)]) for n in (6, 48)
    )
    assert many < few / 2


def test_the_ratio_of_known_data() -> None:
    random = np.random.default_rng(9)
    base = rounds(random, 12, 15, 0.02)
    slower = {r: [3 * s for s in samples] for r, samples in base.items()}
    found = stats.ratio(slower, base)
    assert found.value == pytest.approx(3)
    assert found.low <= 3 <= found.high
    assert width(found) < 0.2


def test_a_ratio_turned_round_is_the_inverse() -> None:
    random = np.random.default_rng(10)
    one, two = rounds(random, 6, 9), rounds(random, 6, 9)
    there, back = stats.ratio(one, two), stats.ratio(two, one)
    assert there.value == pytest.approx(1 / back.value)
    assert there.low == pytest.approx(1 / back.high, rel=0.05)


def common_factor(random: RandomState) -> tuple[stats.Rounds, stats.Rounds]:
    """Two contenders, the second twice as slow, on a machine whose speed changes by round."""
    speeds = np.exp(0.4 * random.standard_normal(10))
    one, two = (
        {r: (level * s * (1 + 0.01 * random.standard_normal(9))).tolist()
         for r, s in enumerate(speeds)}
        for level in (1.0, 2.0)
    )  # fmt: skip
    return one, two


def test_rounds_that_share_a_condition_are_paired() -> None:
    one, two = common_factor(np.random.default_rng(11))
    paired = stats.ratio(two, one)
    strangers = stats.ratio({(r + 3) % 10: samples for r, samples in two.items()}, one)
    assert paired.low <= 2 <= paired.high
    assert width(paired) < width(strangers) / 4


def test_rounds_that_only_one_side_has_are_left_out_of_a_ratio() -> None:
    one, two = common_factor(np.random.default_rng(12))
    more = {**two, 99: [1000.0]}
    assert stats.ratio(more, one) == stats.ratio(two, one)


def test_rounds_without_a_partner_are_drawn_apart() -> None:
    one, two = common_factor(np.random.default_rng(13))
    apart = stats.ratio({r + 100: samples for r, samples in two.items()}, one)
    assert width(apart) > 4 * width(stats.ratio(two, one))
