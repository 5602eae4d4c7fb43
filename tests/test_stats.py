"""Medians, ratios, their intervals and verdicts, on data whose truth is known."""

from __future__ import annotations

from math import exp, inf, log

import numpy as np
import pytest

from bench import stats
from bench.stats import FASTER, SAME, SLOWER, UNDECIDED, Estimate

Random = np.random.Generator


def drawn(
    random: Random,
    processes: int,
    rounds: int = 4,
    between: float = 0.1,
    within: float = 0.1,
    level: float = 1.0,
) -> stats.Blocks:
    """Blocks of three samples about `level`; spreads are of logarithms."""
    centres = between * random.standard_normal(processes)
    return {
        (p, r): (level * np.exp(c + within * random.standard_normal(3))).tolist()
        for p, c in enumerate(centres)
        for r in range(rounds)
    }


def times(factor: float, blocks: stats.Blocks) -> stats.Blocks:
    return {block: [factor * s for s in samples] for block, samples in blocks.items()}


def covers(found: Estimate, truth: float) -> bool:
    return found.low <= truth <= found.high


# -- medians --------------------------------------------------------------------------------------


def test_blocks_come_to_their_medians_processes_to_those_of_blocks() -> None:
    blocks = {(0, 0): [1.0, 2.0, 99.0], (0, 1): [2.0], (0, 2): [50.0], (1, 0): [8.0]}
    assert stats.median(blocks).value == pytest.approx(4)  # between 2 and 8, by factors


def test_a_slow_sample_or_round_moves_nothing() -> None:
    calm = {(p, r): [1.0] * 5 for p in (0, 1) for r in (0, 1, 2)}
    disturbed = calm | {(0, 0): [1.0] * 4 + [50.0], (1, 2): [9.0] * 5}
    assert stats.median(disturbed) == stats.median(calm)


def test_outliers_are_counted_in_their_process() -> None:
    calm = {(p, r): [level * (1 + 0.01 * i) for i in range(9)] for p, level in ((0, 1.0), (1, 9.0))
            for r in (0, 1)}  # fmt: skip
    assert stats.outliers(calm) == 0
    assert stats.outliers(calm | {(0, 2): [1.02, 9.0, 0.1]}) == 2  # 9 is usual in the other one


def test_one_process_says_nothing_of_others() -> None:
    found = stats.median({(3, 0): [0.25], (3, 1): [0.25]})
    assert (found.value, found.low, found.high, found.width) == (0.25, 0, inf, inf)
    assert stats.verdicts([found]) == [UNDECIDED]


@pytest.mark.parametrize("count", [2, 3, 5, 12])
def test_the_interval_covers_the_truth_in_95_of_100_cases(count: int) -> None:
    random = np.random.default_rng(5)
    found = [stats.median(drawn(random, count)) for _ in range(600)]
    assert 0.93 <= np.mean([covers(f, 1) for f in found]) <= 0.975


def test_samples_and_rounds_do_not_replace_processes() -> None:
    """However many there are: three processes that differ by 10% know the time to some 20%."""
    random = np.random.default_rng(6)
    many = [stats.median(drawn(random, 3, rounds=50, within=0.01)) for _ in range(100)]
    assert np.mean([covers(f, 1) for f in many]) >= 0.9
    assert np.median([f.width for f in many]) > 0.15


def test_more_processes_narrow_the_interval() -> None:
    random = np.random.default_rng(8)
    few, many = (
        np.median([stats.median(drawn(random, n)).width for _ in range(30)]) for n in (4, 36)
    )
    assert many < few / 3


# -- ratios ---------------------------------------------------------------------------------------


def test_the_ratio_of_known_data() -> None:
    base = drawn(np.random.default_rng(9), 6)
    found = stats.ratio(times(3, base), base)
    assert found.value == pytest.approx(3) and found.width < 1e-9


def test_a_ratio_turned_round_is_the_inverse() -> None:
    random = np.random.default_rng(10)
    one, two = drawn(random, 6), drawn(random, 6)
    there, back = stats.ratio(one, two), stats.ratio(two, one)
    assert there.value == pytest.approx(1 / back.value)
    assert there.low == pytest.approx(1 / back.high)


def on_one_machine(random: Random, processes: int = 6) -> tuple[stats.Blocks, stats.Blocks]:
    """Two contenders, the second twice as slow, on a machine whose speed changes by round."""
    speeds = {(p, r): exp(0.4 * random.standard_normal()) for p in range(processes) for r in (0, 1)}
    one, two = (
        {block: (level * s * (1 + 0.01 * random.standard_normal(5))).tolist()
         for block, s in speeds.items()}
        for level in (1.0, 2.0)
    )  # fmt: skip
    return one, two


def test_what_the_machine_did_to_both_in_a_round_falls_out() -> None:
    one, two = on_one_machine(np.random.default_rng(11))
    paired = stats.ratio(two, one)
    shifted = {((p + 3) % 6, r): samples for (p, r), samples in two.items()}
    assert covers(paired, 2)
    assert paired.width < stats.ratio(shifted, one).width / 4


def test_rounds_that_only_one_side_has_are_left_out_of_a_ratio() -> None:
    one, two = on_one_machine(np.random.default_rng(12))
    assert stats.ratio({**two, (0, 99): [1000.0]}, one) == stats.ratio(two, one)


def test_two_that_share_no_round_have_errors_of_their_own() -> None:
    one, two = on_one_machine(np.random.default_rng(13))
    apart = stats.ratio({(p + 100, r): samples for (p, r), samples in two.items()}, one)
    assert apart.width > 4 * stats.ratio(two, one).width
    assert apart == stats.quotient(stats.median(two), stats.median(one))


def test_a_quotient_covers_the_truth_in_95_of_100_cases_where_spreads_differ() -> None:
    random = np.random.default_rng(14)
    found = [
        stats.quotient(
            stats.median(drawn(random, 4, between=0.3)), stats.median(drawn(random, 9, level=2))
        )
        for _ in range(600)
    ]
    assert 0.93 <= np.mean([covers(f, 0.5) for f in found]) <= 0.975


def test_the_geometric_mean_of_networks() -> None:
    parts = [Estimate(2, 0.01, 5), Estimate(8, 0.02, 5)]
    found = stats.geometric(parts)
    assert found.value == pytest.approx(4)
    assert found.error == pytest.approx(np.hypot(0.01, 0.02) / 2)
    assert covers(stats.geometric([parts[0]]), 2)


def test_the_geometric_mean_covers_the_truth_in_95_of_100_cases() -> None:
    random = np.random.default_rng(15)
    truth = (1.5, 0.7, 3.0)
    found = [
        stats.geometric([stats.median(drawn(random, 4, level=level)) for level in truth])
        for _ in range(400)
    ]
    mean = exp(np.mean([log(level) for level in truth]))
    assert 0.925 <= np.mean([covers(f, mean) for f in found]) <= 0.975


def ended(random: Random, spread: float, within: float = 0.03, most: int = 30) -> Estimate:
    """What a race comes to that takes processes until it is precise, three at least."""
    logs = spread * random.standard_normal(most)
    for count in range(3, most + 1):
        blocks = {(p, 0): [exp(value)] for p, value in enumerate(logs[:count])}
        if (found := stats.median(blocks)).width <= within:
            break
    return found


@pytest.mark.parametrize(("spread", "least"), [(0.01, 0.93), (0.05, 0.87)])
def test_to_end_where_it_is_precise_costs_a_little_of_the_coverage(
    spread: float, least: float
) -> None:
    random = np.random.default_rng(22)
    assert np.mean([covers(ended(random, spread), 1.0) for _ in range(800)]) >= least


# -- verdicts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ratio", "word"),
    [
        (Estimate(1.20, 0.01, 5), SLOWER),
        (Estimate(0.80, 0.01, 5), FASTER),
        (Estimate(1.00, 0.005, 5), SAME),
        (Estimate(1.01, 0.001, 5), SAME),  # different for sure, by less than matters
        (Estimate(1.05, 0.001, 5), SLOWER),
        (Estimate(1.20, 0.20, 5), UNDECIDED),
        (Estimate(1.00, 0.20, 5), UNDECIDED),
        (Estimate(1.03, 0.005, 5), SLOWER),  # at the margin, and not 1
        (Estimate(9.00, 0.00, 0), UNDECIDED),
        (stats.ONE, SAME),
    ],
)
def test_words(ratio: Estimate, word: str) -> None:
    assert stats.verdicts([ratio]) == [word]


def test_equals_are_called_different_in_a_table_no_more_often_than_in_5_of_100() -> None:
    """Ten comparisons of a thing with itself: without Holm some 4 tables of 10 would be wrong."""
    random = np.random.default_rng(16)
    wrong = 0
    for _ in range(300):
        ratios = [stats.median(drawn(random, 5)) for _ in range(10)]
        wrong += bool({FASTER, SLOWER} & set(stats.verdicts(ratios)))
    assert wrong / 300 <= 0.075  # 5% and twice the error of 300 draws


def test_equals_are_called_slower_than_the_fastest_of_them_no_more_often_than_in_5_of_100() -> None:
    """Corrected for ten ratios, not for the choice of their base, 12 tables of 100 were wrong."""
    random = np.random.default_rng(20)
    wrong = 0
    for _ in range(300):
        equals = {name: drawn(random, 10, 1, 0.03, 0.0) for name in range(11)}
        wrong += any(word == SLOWER for _, word in stats.to_fastest([equals]).values())
    assert wrong / 300 <= 0.075


def test_ratios_are_to_the_fastest_of_the_cell() -> None:
    base = drawn(np.random.default_rng(21), 5, between=0.01, within=0.001)
    cells = [
        {("a", n): times(n, base) for n in (2, 1, 4)},
        {("b", n): times(n, base) for n in (6, 3)},
    ]
    found = stats.to_fastest(cells)
    assert {key: ratio.value for key, (ratio, _) in found.items()} == pytest.approx(
        {("a", 2): 2, ("a", 4): 4, ("b", 6): 2}
    )
    assert {word for _, word in found.values()} == {SLOWER}


def test_things_at_the_margin_are_called_the_same_no_more_often_than_in_5_of_100() -> None:
    random = np.random.default_rng(17)
    level = 1 + stats.MARGIN
    found = [
        stats.verdicts([stats.median(drawn(random, 6, between=0.01, within=0.01, level=level))])[0]
        for _ in range(400)
    ]
    assert found.count(SAME) / 400 <= 0.075


def test_what_is_there_is_found() -> None:
    random = np.random.default_rng(18)
    calm = {"between": 0.01, "within": 0.01}
    found = [
        stats.verdicts([stats.median(drawn(random, 6, level=1.05, **calm))])[0]  # type: ignore[arg-type]
        for _ in range(200)
    ]
    assert found.count(SLOWER) / 200 > 0.9


def test_holm_on_the_values_of_a_textbook() -> None:
    assert stats.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


# -- where the noise comes from -------------------------------------------------------------------


@pytest.mark.parametrize(("between", "within"), [(0.1, 0.02), (0.0, 0.1), (0.05, 0.05)])
def test_variances_of_processes_and_rounds_are_told_apart(between: float, within: float) -> None:
    random = np.random.default_rng(19)
    found = []
    for _ in range(40):
        centres = between * random.standard_normal(12)
        values = {
            (p, r): exp(c + within * random.standard_normal())
            for p, c in enumerate(centres)
            for r in range(15)
        }
        found.append(stats.components(values))
    assert all(found)
    process = np.mean([f.process for f in found if f])
    assert np.mean([f.round for f in found if f]) == pytest.approx(within**2, rel=0.15)
    assert process == pytest.approx(between**2, rel=0.25, abs=within**2 / 15)


@pytest.mark.parametrize("blocks", [[(0, 0), (0, 1)], [(0, 0), (1, 0)], []])
def test_too_little_to_tell_variances_apart(blocks: list[stats.Block]) -> None:
    assert stats.components(dict.fromkeys(blocks, 1.0)) is None
