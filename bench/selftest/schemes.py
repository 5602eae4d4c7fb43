"""How contenders should take turns: equals raced in several ways, each for the same time.

A *race* gives each of two copies of one framework, both warm, the same seconds; its outcome is the
logarithm of the ratio of their times, whose truth is zero. The fairest way is that whose outcomes
scatter least from race to race. Races of all schemes alternate, in an order drawn anew.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import product
from math import sqrt
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import chi2, f

from bench import schedule, stats
from bench.guard import Guard, disturbance
from bench.lineup import Lineup
from bench.parity import LIMIT
from bench.store import Run

SIDE = 2.0  # seconds that each copy has in a race
WAY = ["scheme", "estimator", "paired", "undisturbed"]


@dataclass(frozen=True)
class Scheme:
    """`block`: seconds without a change of turns; `stops`: whether the idle one is stopped."""

    alternates: bool
    stops: bool
    block: float

    def __str__(self) -> str:
        if not self.alternates:
            return "one after the other"
        return f"alternating each {self.block:g} s" + ("" if self.stops else ", not stopped")


SCHEMES = (
    Scheme(False, True, 0.1),
    *(Scheme(True, True, block) for block in (0.02, 0.1, 0.5)),
    Scheme(True, False, 0.1),
)


def turns(scheme: Scheme, source: random.Random) -> Iterator[tuple[int, int]]:
    """The round and the side of each block of a race."""
    count = round(SIDE / scheme.block)
    sides = source.sample((0, 1), 2)
    if not scheme.alternates:
        yield from ((number, side) for side in sides for number in range(count))
        return
    for number in range(count):
        yield from ((number, side) for side in source.sample((0, 1), 2))


def race(
    run: Run,
    lineup: Lineup[int],
    guard: Guard,
    scheme: Scheme,
    phase: str,
    source: random.Random,
    **where: Any,
) -> str:
    """Run one, and journal its blocks."""
    lineup.stops = scheme.stops
    for side in lineup.workers:  # those that another scheme left stopped, or going
        with lineup.turn(side):
            pass
    taken: list[dict[str, Any]] = []
    for number, side in turns(scheme, source):
        asked = {"phase": phase, "seconds": scheme.block, "samples": schedule.MOST}
        with lineup.turn(side) as worker, guard.watch(worker.process.pid) as seen:
            samples = worker.call("measure", LIMIT, **asked)["samples"]
        marked = bool(disturbance(seen))
        taken.append({"round": number, "side": side, "samples": samples, "marked": marked})
    run.append("scheme", **asdict(scheme), **where, blocks=taken)
    return f"{outcome(taken, np.median, True):+.3f}"


Estimator = Callable[[Any], Any]
ESTIMATORS: Mapping[str, Estimator] = {
    "median": np.median,
    "lower quartile": lambda samples: np.quantile(samples, 0.25),
    "minimum": np.min,
    "mean": np.mean,
}


def outcome(blocks: list[dict[str, Any]], estimator: Estimator, paired: bool) -> float:
    """The logarithm of a race's ratio: the median over rounds of pairs of blocks, or the ratio of
    what each side's samples together come to."""
    sides: tuple[dict[int, list[float]], ...] = ({}, {})
    for block in blocks:
        sides[block["side"]][block["round"]] = block["samples"]
    if not paired:
        one, two = (estimator(np.concatenate(list(side.values()))) for side in sides)
        return float(np.log(one / two))
    logs = [np.log(estimator(sides[0][r]) / estimator(sides[1][r])) for r in sides[0]]
    return float(np.median(logs))


def undisturbed(blocks: list[dict[str, Any]], paired: bool) -> list[dict[str, Any]]:
    """Those that a race would judge by: `stats.unmarked`, of the pairs or of each side."""
    keys = [(0 if paired else b["side"], b["round"]) for b in blocks]
    marked = {key for key, b in zip(keys, blocks, strict=True) if b["marked"]}
    kept = stats.unmarked(dict.fromkeys(keys), marked)
    return [b for key, b in zip(keys, blocks, strict=True) if key in kept]


def outcomes(run: Run) -> pd.DataFrame:
    """A row for each race, estimator, pairing, and with all blocks or the undisturbed ones, with
    its `log_ratio`."""
    rows = []
    for entry in run.entries():
        if entry["kind"] != "scheme":
            continue
        scheme = str(Scheme(entry["alternates"], entry["stops"], entry["block"]))
        for estimator, paired, clean in product(ESTIMATORS, (True, False), (True, False)):
            blocks = undisturbed(entry["blocks"], paired) if clean else entry["blocks"]
            value = outcome(blocks, ESTIMATORS[estimator], paired)
            way = dict(zip(WAY, (scheme, estimator, paired, clean), strict=True))
            rows.append(way | {"log_ratio": value})
    return pd.DataFrame(rows, columns=[*WAY, "log_ratio"])


def scatter(found: pd.DataFrame) -> pd.DataFrame:
    """The standard deviation of `log_ratio` for each way, with its 95% interval (chi-square), and
    how many times narrower that is than one after the other with medians of all samples (F)."""
    ways = dict(list(found.groupby(WAY, sort=False)["log_ratio"]))
    base = ways[str(SCHEMES[0]), "median", False, False]
    return pd.DataFrame([
        dict(zip(WAY, way, strict=True)) | spread(values) | narrower(values, base)
        for way, values in ways.items()
    ])  # fmt: skip


def spread(values: pd.Series[float]) -> dict[str, float]:
    n, sd = len(values), float(values.std())
    low, high = (sd * sqrt((n - 1) / chi2.ppf(q, n - 1)) for q in (0.975, 0.025))
    return {"races": n, "sd": sd, "sd_low": low, "sd_high": high}


def narrower(values: pd.Series[float], base: pd.Series[float]) -> dict[str, float]:
    factor = float(base.std() / values.std())
    low, high = (factor * sqrt(f.ppf(q, len(values) - 1, len(base) - 1)) for q in (0.025, 0.975))
    return {"narrower": factor, "narrower_low": low, "narrower_high": high}
