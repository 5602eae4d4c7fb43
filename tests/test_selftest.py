"""The experiments that prove the race, on data whose truth is known and on a toy."""

from __future__ import annotations

import random
import sys
from itertools import pairwise
from math import log
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest

from bench.cases import Contender
from bench.client import Worker
from bench.conformance import case
from bench.parity import save
from bench.selftest import power, schemes
from bench.selftest.contenders import HANDICAP, copies, label, share_of
from bench.selftest.neighbour import duration, neighbour
from bench.selftest.schemes import SCHEMES, Scheme
from bench.weights import batch, weights
from tests.conftest import ADAPTERS, fake

Random = np.random.Generator


# -- schemes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", SCHEMES, ids=str)
def test_every_scheme_gives_both_sides_the_same_time(scheme: Scheme) -> None:
    taken = list(schemes.turns(scheme, random.Random(1)))
    count = round(schemes.SIDE / scheme.block)
    assert sorted(taken) == [(n, side) for n in range(count) for side in (0, 1)]
    changes = sum(one[1] != two[1] for one, two in pairwise(taken))
    assert changes >= count if scheme.alternates else changes == 1


def blocks(random: Random, drift: float, noise: float = 0.0) -> list[dict[str, Any]]:
    """A race of equals on a machine that becomes slower from round to round."""
    return [
        {"round": n, "side": side,
         "samples": np.exp(drift * n + noise * random.standard_normal(5)).tolist()}
        for n in range(9)
        for side in (0, 1)
    ]  # fmt: skip


@pytest.mark.parametrize("estimator", schemes.ESTIMATORS.values())
def test_pairs_of_one_round_know_nothing_of_a_drift(estimator: schemes.Estimator) -> None:
    taken = blocks(np.random.default_rng(1), 0.5)
    assert schemes.outcome(taken, estimator, True) == pytest.approx(0)
    later = [b | {"samples": [2 * s for s in b["samples"]]} if b["side"] == 0 else b for b in taken]
    assert schemes.outcome(later, estimator, True) == pytest.approx(log(2))


def test_scatter_and_how_many_times_narrower() -> None:
    random = np.random.default_rng(2)
    rows = [
        {"scheme": str(scheme), "estimator": "median", "paired": paired, "undisturbed": False,
         "log_ratio": (0.2 if scheme == SCHEMES[0] else 0.02) * random.standard_normal()}
        for scheme in SCHEMES[:2]
        for paired in (True, False)
        for _ in range(400)
    ]  # fmt: skip
    found = schemes.scatter(pd.DataFrame(rows)).set_index(["scheme", "paired"])
    first, other = found.loc[(str(SCHEMES[0]), False)], found.loc[(str(SCHEMES[1]), True)]
    assert first["sd"] == pytest.approx(0.2, rel=0.1) and first["sd_low"] < 0.2 < first["sd_high"]
    assert other["narrower"] == pytest.approx(10, rel=0.2)
    assert other["narrower_low"] < 10 < other["narrower_high"]


def test_disturbed_blocks_are_left_out_with_their_pair_where_a_side_keeps_others() -> None:
    taken = [b | {"marked": False} for b in blocks(np.random.default_rng(1), 0.0)]
    for block in taken[2:11:2]:  # of side 0, as slow as its neighbour makes it
        block |= {"marked": True, "samples": [3.0] * 5}
    for paired, count in ((True, 8), (False, 13)):
        left = schemes.undisturbed(taken, paired)
        assert len(left) == count
        assert schemes.outcome(taken, np.median, paired) == pytest.approx(log(3))
        assert schemes.outcome(left, np.median, paired) == pytest.approx(0)
    throughout = [b | {"marked": b["side"] == 0} for b in taken]
    assert all(schemes.undisturbed(throughout, paired) == throughout for paired in (True, False))


# -- false alarms and power -----------------------------------------------------------------------


def pool(random: Random, bias: float = 0.0) -> dict[str, Any]:
    """Four equals and one that is slower by 10%, in 24 processes; `bias` falls on the first."""
    entrant: Any = SimpleNamespace(contender=Contender("toy", "plain"))
    found = {}
    for share, copy in [(0.0, 0), (0.0, 1), (0.0, 2), (0.0, 3), (0.1, 0)]:
        level = (1 + share) * (1 + bias * (copy == 0 and share == 0))
        found[label(entrant, share, copy).mode] = {
            (p, r): (level * np.exp(0.02 * random.standard_normal(3))).tolist()
            for p in range(24)
            for r in range(10)
        }
    return found


def test_equals_are_seldom_called_different_and_what_is_there_is_found() -> None:
    found = power.report(pool(np.random.default_rng(3))).set_index(["share", "processes", "rounds"])
    equal, slower = found.loc[(0.0, 5, 10)], found.loc[(0.1, 5, 10)]
    assert equal["FASTER"] + equal["SLOWER"] < 0.1 and equal["covered"] > 0.9
    assert slower["SLOWER"] > 0.95 and abs(slower["bias"]) < 0.01


def test_a_race_that_favours_somebody_shows_in_the_false_alarms() -> None:
    fair, unfair = (power.false_alarms(pool(np.random.default_rng(4), bias)) for bias in (0, 0.1))
    assert fair["trials"] == unfair["trials"] == 16  # two pairs of copies, eight groups of three
    assert fair["alarms"] <= 2 and unfair["alarms"] >= 6
    assert fair["low"] <= 0.05 < unfair["low"]


def test_tables_of_equals_are_seldom_wrong_and_those_of_a_favoured_one_are() -> None:
    fair, unfair = (power.tables(pool(np.random.default_rng(5), bias)) for bias in (0, -0.1))
    assert fair.keys() == unfair.keys() == {3, 5, 8}
    assert max(fair.values()) <= 0.05 < 0.9 < unfair[8]


def test_labels_say_the_handicap() -> None:
    entrant: Any = SimpleNamespace(contender=Contender("toy", "plain"))
    assert share_of(label(entrant, 0.05, 0).mode) == pytest.approx(0.05)
    assert share_of(label(entrant, 0.0, 3).mode) == 0


# -- what is run ----------------------------------------------------------------------------------


@pytest.mark.alone
def test_a_handicap_makes_steps_longer_by_its_share_and_leaves_results_alone(
    tmp_path: Path,
) -> None:
    graph = case("relu")
    files = save(tmp_path, graph, weights(graph), *batch(graph, 64))
    known = fake("toy").variables(1) | {"CONVMARK_REAL": str(ADAPTERS / "toy.py")}
    found = {}
    with (
        Worker(Path(sys.executable), HANDICAP, 1, known | {"CONVMARK_HANDICAP": "0"}) as equal,
        Worker(Path(sys.executable), HANDICAP, 1, known | {"CONVMARK_HANDICAP": "1"}) as slow,
    ):
        for name, worker in (("equal", equal), ("slow", slow)):
            worker.call("hello", 60, mode="plain", device="cpu", precision="fp32", threads=1)
            worker.call("build", 60, graph=files["graph"], weights=files["weights"])
            asked = {"phase": "inference", "inputs": files["inputs"]}
            worker.call("warmup", 60, **asked, seconds=0.2, shortest=0.0)
            found[name] = []
        for _ in range(15):
            for name, worker in (("equal", equal), ("slow", slow)):
                said = worker.call("measure", 60, phase="inference", seconds=0.02, samples=999)
                found[name].append(min(said["samples"]))
    ratio = min(found["slow"]) / min(found["equal"])  # of steps that nobody disturbed
    assert 1.6 < ratio < 2.5


def test_copies_are_so_many_equals_and_one_for_each_share() -> None:
    from bench.entrants import Entrant

    entrant = Entrant(Contender("toy", "plain"), None, None, ())  # type: ignore[arg-type]
    found = copies(entrant, 3, (0.01, 0.1))
    assert [share_of(contender.mode) for contender in found] == [0, 0, 0, 0.01, 0.1]
    assert len(set(found)) == 5


@pytest.mark.alone
def test_the_neighbour_is_busy_now_and_then_and_goes() -> None:
    before = set(psutil.Process().children())
    with neighbour(True):
        (process,) = set(psutil.Process().children()) - before
        while process.cpu_times().user < 0.3:
            pass
    assert not process.is_running()
    source = random.Random(1)
    lengths = [duration(source) for _ in range(500)]
    assert 0.02 <= min(lengths) < 0.04 and 0.5 < max(lengths) <= 1.0
    with neighbour(False):
        assert set(psutil.Process().children()) == before
