"""Verdicts on tables whose truth is known, for each rule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import stats
from bench.claims import Judged, declare, judge, verdicts
from bench.claims.expect import Expectation
from bench.claims.rows import Row, exact, joint, measured
from bench.claims.verdicts import CONFIRMED, MIXED, REFUTED, UNDECIDED
from bench.claims.versus import by_process
from bench.stats import Estimate
from bench.store import Tables
from tests.journals import CELL, memory, tables, times, trained, who

NETS = ("lenet5", "alexnet", "resnet18")
RATIO = {"rule": "ratio", "subject": ["torch"], "rivals": ["tensorflow"], "expect": "less"}
TORCH, TENSORFLOW, CAFFE = "torch eager", "tensorflow function", "caffe layers"


def judged(found: Tables, *tests: dict[str, Any]) -> Judged:
    row = {"id": "x", "en": "e", "population": "p", "for": "f", "against": "a", "test": list(tests)}
    return judge([declare.read(row, "here")], found)[0]


def outcome(contender: str, status: str) -> dict[str, Any]:
    return {
        "kind": "outcome", **who(contender), **CELL, "model": "lenet5", "phase": "train",
        "process": 0, "status": status, "reason": "so it is",
    }  # fmt: skip


def race(folder: Path, factors: dict[str, float], **more: Any) -> Tables:
    """Torch takes `factor` seconds on each network, its rivals one."""
    truth = {(TORCH, net, "train"): factor for net, factor in factors.items()}
    truth |= {(rival, net, "train"): 1.0 for net in factors for rival in (TENSORFLOW, CAFFE)}
    return tables(folder, times(truth, **more))


# -- expectations ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expect", "margin", "below", "at", "above"),
    [
        ("less", 0.0, True, False, False),
        ("not more", 0.0, True, True, False),
        ("more", 0.0, False, False, True),
        ("not less", 0.0, False, True, True),
        ("equal", 0.1, True, True, True),
        ("less", 0.1, False, False, False),
        ("not more", 0.1, True, True, True),
    ],
)
def test_limits(expect: str, margin: float, below: bool, at: bool, above: bool) -> None:
    expected = Expectation(expect, 2.0, margin)
    assert [expected.inside(value) for value in (1.9, 2.0, 2.1)] == [below, at, above]


@pytest.mark.parametrize("expect", ["less", "not more", "more", "not less"])
@pytest.mark.parametrize("errors", [-9, -3, -2.5, 0, 2.5, 3, 9])
def test_chances_agree_with_the_interval(expect: str, errors: float) -> None:
    """Of a figure so many standard errors from the limit: 2.78 are the interval's."""
    expected = Expectation(expect, 1.0, 0.03)
    limit = next(end for end in expected.limits if np.isfinite(end))
    found = Estimate(limit * np.exp(0.05 * errors), 0.05, 4)
    clear = found.high < limit or found.low > limit
    assert clear == (abs(errors) >= 3)
    assert (expected.chance(found) < 1 - stats.LEVEL) == clear


def test_equal_needs_the_interval_within_both_limits() -> None:
    expected = Expectation("equal", 1.0, 0.1)
    assert expected.chance(Estimate(1.0, 0.01, 9)) < 0.05
    assert expected.chance(Estimate(1.0, 0.1, 9)) > 0.05
    assert expected.chance(Estimate(1.5, 0.01, 9)) < 0.05 and not expected.inside(1.5)


# -- means ----------------------------------------------------------------------------------------


def test_a_mean_over_rivals_counts_what_their_common_subject_did_once() -> None:
    """A subject whose processes differ, against ten rivals that do not: ten ratios, but no more is
    known than from one of them."""
    random = np.random.default_rng(1)
    covered, runs = 0, 400
    for _ in range(runs):
        subject = np.exp(0.1 * random.standard_normal(5))
        rows = [measured({"rival": n}, dict(enumerate(subject)), "lenet5") for n in range(10)]
        found = joint(rows)
        covered += found.low < 1 < found.high
    assert 0.92 < covered / runs < 0.98


def test_a_mean_over_networks_is_more_certain_than_each() -> None:
    random = np.random.default_rng(1)
    rows = [
        measured({}, dict(enumerate(np.exp(0.1 * random.standard_normal(5)))), net) for net in NETS
    ]
    found = joint(rows)
    assert found.error < 0.8 * max(row.found.error for row in rows) and found.freedom > 4


def test_a_mean_is_of_replicates_that_speak_of_the_same_rows() -> None:
    one, other = {0: 1.0, 1: 1.0, 2: 1.0}, {0: 4.0, 1: 4.0}
    found = joint([measured({}, one), measured({}, other)])
    assert (found.value, found.freedom) == (pytest.approx(2.0), 1)


def test_words_are_corrected_for_the_number_of_comparisons() -> None:
    """Of 500 families of 20 comparisons without a difference, at most a twentieth has one."""
    random = np.random.default_rng(2)
    wrong, runs = 0, 500
    for _ in range(runs):
        rows = [
            measured({"n": n}, dict(enumerate(np.exp(0.1 * random.standard_normal(6)))), n)
            for n in range(20)
        ]
        found = verdicts.corrected([(Expectation("less"), rows)])[0]
        wrong += any(row.holds is not None for row in found)
    assert wrong / runs <= 0.07


# -- ratio ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("factors", "verdict"),
    [
        (dict.fromkeys(NETS, 0.8), CONFIRMED),
        (dict.fromkeys(NETS, 1.2), REFUTED),
        (dict.fromkeys(NETS, 1.0), UNDECIDED),
        (dict(zip(NETS, (0.6, 1.0, 1.6), strict=True)), MIXED),
    ],
)
def test_ratio(tmp_path: Path, factors: dict[str, float], verdict: str) -> None:
    found = judged(race(tmp_path / "run", factors), RATIO)
    assert found.verdict == verdict
    _, effect = found.effect
    truth = float(np.exp(np.mean(np.log(list(factors.values())))))
    assert effect and effect.low < truth < effect.high < 1.15 * effect.low


def test_a_mixed_verdict_names_what_it_depends_on(tmp_path: Path) -> None:
    found = judged(race(tmp_path / "run", dict(zip(NETS, (0.6, 1.0, 1.6), strict=True))), RATIO)
    words = {row["value"]: row["verdict"] for row in found.depends() if row["on"] == "model"}
    assert words == {"lenet5": CONFIRMED, "alexnet": UNDECIDED, "resnet18": REFUTED}


def test_a_difference_within_the_margin_is_none(tmp_path: Path) -> None:
    found = race(tmp_path / "run", dict.fromkeys(NETS, 0.95), noise=0.005)
    assert judged(found, RATIO).verdict == CONFIRMED
    assert judged(found, RATIO | {"margin": 0.1}).verdict == REFUTED
    assert judged(found, RATIO | {"expect": "equal", "margin": 0.1}).verdict == CONFIRMED


def test_one_process_decides_nothing(tmp_path: Path) -> None:
    found = race(tmp_path / "run", dict.fromkeys(NETS, 0.1), processes=1)
    assert "with 2 processes each" in judged(found, RATIO).missing[0]
    found_one = judged(found, RATIO | {"processes": 1})
    assert found_one.verdict == UNDECIDED
    assert "at least 3 processes" in found_one.missing[0]
    assert found_one.to_json()["interval"] is None


def test_what_the_statement_speaks_of_must_have_been_measured(tmp_path: Path) -> None:
    found = race(tmp_path / "run", dict.fromkeys(NETS, 0.8))
    lacking = judged(found, RATIO | {"rivals": ["tensorflow", "mxnet"]})
    assert lacking.verdict == UNDECIDED and "mxnet hybrid" in lacking.missing[0]
    lacking = judged(found, RATIO | {"models": [*NETS, "vgg16"]})
    assert lacking.verdict == UNDECIDED and "model vgg16" in lacking.missing[0]
    lacking = judged(found, RATIO | {"networks": 4})
    assert lacking.verdict == UNDECIDED and "at least 4 networks, not 3" in lacking.missing[0]
    assert judged(found, RATIO | {"networks": 3}).verdict == CONFIRMED


def test_everybody_is_those_who_could_be_measured(tmp_path: Path) -> None:
    from bench import frameworks

    entries = list(times({(TORCH, "lenet5", "train"): 0.5, (CAFFE, "lenet5", "train"): 1.0}))
    everybody = RATIO | {"rivals": ["*"]}
    assert judged(tables(tmp_path / "one", entries), everybody).verdict == UNDECIDED
    for name, framework in frameworks.discover().items():
        if name not in ("torch", "caffe"):
            entries.append(outcome(f"{name} {framework.modes[0]}", "unavailable"))
    assert judged(tables(tmp_path / "two", entries), everybody).verdict == CONFIRMED


def test_times_found_wrong_while_they_ran_are_not_compared(tmp_path: Path) -> None:
    entries = list(times({(TORCH, "lenet5", "train"): 0.5, (TENSORFLOW, "lenet5", "train"): 1.0}))
    assert judged(tables(tmp_path / "one", entries), RATIO).verdict == CONFIRMED
    entries.append(outcome(TORCH, "wrong"))
    assert judged(tables(tmp_path / "two", entries), RATIO).outcomes[0].rows == ()


def test_disturbed_blocks_do_not_decide(tmp_path: Path) -> None:
    blocks = {(p, r): [1.0] for p in range(3) for r in range(3)}
    slow = {block: [9.0] if block[1] == 0 else samples for block, samples in blocks.items()}
    watched = stats.Watched(slow, [block for block in slow if block[1] == 0])
    assert {p: list(own) for p, own in by_process(watched).items()} == {
        p: [(p, 1), (p, 2)] for p in range(3)
    }


def test_what_ran_apart_is_not_compared(tmp_path: Path) -> None:
    from bench import store
    from tests.journals import written

    one = written(tmp_path / "one", times({(TORCH, "lenet5", "train"): 0.5}))
    two = written(tmp_path / "two", times({(TENSORFLOW, "lenet5", "train"): 1.0}))
    found = judged(store.load(one, two), RATIO)
    assert found.verdict == UNDECIDED and not found.outcomes[0].rows


def test_pairs_have_rivals_of_their_own(tmp_path: Path) -> None:
    found = race(tmp_path / "run", dict.fromkeys(NETS, 0.8))
    pairs = {"rule": "ratio", "pairs": ["torch / caffe", "caffe / tensorflow"], "expect": "less"}
    rows = judged(found, pairs).outcomes[0].rows
    assert {(r.where["contender"], r.where["rival"]) for r in rows} == {
        (TORCH, CAFFE), (CAFFE, TENSORFLOW),
    }  # fmt: skip


def test_memory_is_weighed_once_so_that_networks_are_the_replicates(tmp_path: Path) -> None:
    entries = [
        memory(contender, net, phase, size * (1 + number / 50))
        for contender, size in ((TORCH, 80), (TENSORFLOW, 100))
        for number, net in enumerate(NETS)
        for phase in ("inference", "train")
    ]
    entries += [memory(TORCH, "vgg16", "train", 79), memory(TENSORFLOW, "vgg16", "train", 100)]
    weighing = RATIO | {"metric": "memory"}
    found = judged(tables(tmp_path / "run", entries), weighing)
    assert found.verdict == CONFIRMED
    assert found.effect[1].freedom == pytest.approx(2)  # vgg16 lacks a phase
    alone = judged(tables(tmp_path / "two", entries[:1] + entries[6:7]), weighing)
    assert alone.verdict == UNDECIDED and "networks" in alone.missing[0]


def test_building_and_first_calls_are_compared(tmp_path: Path) -> None:
    entries = list(times({(c, "lenet5", "train"): 1.0 for c in (TORCH, TENSORFLOW)}))
    for contender, factor in ((TORCH, 2.0), (TENSORFLOW, 1.0)):
        for process in range(4):
            shared = {**who(contender), "model": "lenet5", "batch": 4, "process": process}
            entries.append({"kind": "process", **shared, "import_seconds": 1.0,
                            "build_seconds": factor * (1 + process / 100)})  # fmt: skip
            entries.append({"kind": "warmup", **shared, "phase": "train", "device": "cpu",
                            "precision": "fp32", "threads": 1, "level": True, "seconds": 1.0,
                            "first_call": factor, "samples": [1.0]})  # fmt: skip
    found = tables(tmp_path / "run", entries)
    for metric in ("build", "first_call"):
        one = judged(found, RATIO | {"metric": metric, "expect": "more"})
        assert one.verdict == CONFIRMED and one.effect[1].value == pytest.approx(2)


# -- spread, fit, rank ----------------------------------------------------------------------------


@pytest.mark.parametrize(("own", "verdict"), [(0.002, CONFIRMED), (0.2, REFUTED)])
def test_spread(tmp_path: Path, own: float, verdict: str) -> None:
    torch = {(TORCH, net, "train"): 1.0 for net in NETS}
    rival = {(TENSORFLOW, net, "train"): 3.0 for net in NETS}
    entries = [*times(torch, processes=8, noise=own), *times(rival, processes=8, seed=1)]
    found = tables(tmp_path / "run", entries)
    assert judged(found, RATIO | {"rule": "spread", "expect": "not more"}).verdict == verdict


def test_spread_holds_what_changes_from_process_to_process(tmp_path: Path) -> None:
    entries = list(times({(TORCH, net, "train"): 1.0 for net in NETS}, processes=8, noise=0.01))
    for entry in entries:
        entry["samples"] = [value * 1.5 ** entry["process"] for value in entry["samples"]]
    entries += times({(TENSORFLOW, net, "train"): 1.0 for net in NETS}, processes=8, noise=0.01)
    steadier = RATIO | {"rule": "spread", "expect": "not more", "bound": 2}
    assert judged(tables(tmp_path / "run", entries), steadier).verdict == REFUTED


def lined(folder: Path, slope: float, intercept: float) -> Tables:
    """Keras on TensorFlow takes intercept + slope * TensorFlow's time, on networks and batches."""
    entries: list[dict[str, Any]] = []
    for batch in (1, 4):
        plain = {net: seconds * batch for net, seconds in zip(NETS, (0.1, 0.5, 2), strict=True)}
        truth = {(TENSORFLOW, net, "train"): t for net, t in plain.items()}
        truth |= {("keras tensorflow", n, "train"): intercept + slope * t for n, t in plain.items()}
        entries += times(truth, noise=0.002, batch=batch)
    return tables(folder, entries)


@pytest.mark.parametrize(
    ("slope", "intercept", "words"),
    [(1.2, 0.0, (CONFIRMED, REFUTED)), (1.0, 0.02, (REFUTED, CONFIRMED))],
)
def test_fit(tmp_path: Path, slope: float, intercept: float, words: tuple[str, str]) -> None:
    test = {"rule": "fit", "pairs": ["keras / tensorflow"], "expect": "more", "margin": 0.03}
    tests = [test | {"figure": figure} for figure in ("slope", "intercept")]
    found = judged(lined(tmp_path / "run", slope, intercept), *tests)
    assert tuple(outcome.verdict for outcome in found.outcomes) == words
    rises, starts = (outcome.effect.value for outcome in found.outcomes if outcome.effect)
    assert rises == pytest.approx(slope, rel=0.01)
    assert starts == pytest.approx(1 + intercept / 0.1, rel=0.01)


@pytest.mark.parametrize(
    ("seconds", "verdict"), [((1, 2, 3), CONFIRMED), ((3, 2, 1), REFUTED), ((2, 1, 3), REFUTED)]
)
def test_rank(tmp_path: Path, seconds: tuple[int, ...], verdict: str) -> None:
    nets = ("lenet5", "alexnet", "vgg16")  # fewer multiply-accumulates first
    truth = {(TORCH, net, "train"): float(s) for net, s in zip(nets, seconds, strict=True)}
    test = {"rule": "rank", "subject": ["torch"], "networks": 3, "expect": "not less", "bound": 0.9}
    found = judged(tables(tmp_path / "run", times(truth)), test)
    assert found.verdict == verdict
    share = {CONFIRMED: 1.0}.get(verdict, 2 / 3 if seconds[0] == 2 else 1e-3)
    assert found.outcomes[0].rows[0].found.value == pytest.approx(share)
    few = judged(tables(tmp_path / "two", times(truth)), test | {"networks": 4})
    assert few.verdict == UNDECIDED and "at least 4 networks" in few.missing[0]


# -- trained, counted, never ----------------------------------------------------------------------

TRAINED = {"rule": "trained", "model": "plain56", "base": "plain20", "metric": "train_loss",
           "expect": "more"}  # fmt: skip


def test_seeds_are_paired(tmp_path: Path) -> None:
    """Seeds differ by much more than the networks do with the same seed."""
    losses = (0.1, 1.0, 10.0)
    entries = [trained("plain20", seed, train_loss_end=loss) for seed, loss in enumerate(losses)]
    entries += [
        trained("plain56", seed, train_loss_end=1.2 * loss * (1 + seed / 100))
        for seed, loss in enumerate(losses)
    ]
    found = tables(tmp_path / "run", entries)
    assert judged(found, TRAINED).verdict == CONFIRMED
    few = judged(found, TRAINED | {"seeds": 4})
    assert few.verdict == UNDECIDED and "at least 4 seeds" in few.missing[0]


def test_training_that_diverged_is_no_figure(tmp_path: Path) -> None:
    entries = [trained(net, seed, train_loss_end=None if seed else 0.1)
               for net in ("plain20", "plain56") for seed in range(4)]  # fmt: skip
    assert judged(tables(tmp_path / "run", entries), TRAINED).verdict == UNDECIDED


def counted(**test: Any) -> Judged:
    from bench import store

    return judged(store.load(), {"rule": "counted", **test})


def test_counts_are_exact() -> None:
    assert counted(models=["lenet5"], figure="params", bound=61706).verdict == CONFIRMED
    assert counted(models=["lenet5"], figure="params", bound=61705).verdict == REFUTED
    assert counted(models=["vgg16"], op="lrn", figure="count", bound=0).verdict == CONFIRMED
    same = {"models": ["vgg16"], "figure": "params", "base": "vgg16"}
    assert counted(**same, expect="less").verdict == REFUTED
    assert counted(**same, expect="not more").verdict == CONFIRMED


def test_some_networks_of_several_are_a_mixed_verdict() -> None:
    found = counted(models=["lenet5", "vgg16"], figure="params", expect="less", bound=1_000_000)
    assert found.verdict == MIXED and found.effect[1] == exact(0.5)
    words = {row["value"]: row["verdict"] for row in found.depends()}
    assert words == {"lenet5": CONFIRMED, "vgg16": REFUTED}


def test_what_cannot_be_measured_says_what_it_takes() -> None:
    from bench import store

    found = judged(store.load(), {"rule": "never", "missing": "a cluster"})
    assert (found.verdict, found.missing) == (UNDECIDED, ["a cluster"])


@pytest.mark.parametrize(
    ("parts", "whole"),
    [
        ([CONFIRMED, CONFIRMED], CONFIRMED),
        ([REFUTED], REFUTED),
        ([CONFIRMED, REFUTED], MIXED),
        ([CONFIRMED, MIXED, UNDECIDED], MIXED),
        ([CONFIRMED, UNDECIDED], UNDECIDED),
    ],
)
def test_parts_make_a_whole(parts: list[str], whole: str) -> None:
    assert verdicts.combine(parts) == whole


def test_a_row_of_one_replicate_has_no_word() -> None:
    assert verdicts.corrected([(Expectation("less"), [measured({}, {0: 0.1})])])[0][0].holds is None
    assert Row({}, exact(1.0)).holds is None
