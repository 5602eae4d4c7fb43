"""`trained`: figures of training runs (`bench train`), a network's against another's or its own.

    rule = "trained"
    model = "plain56"        as bench/training.py names networks
    metric = "train_loss"    or test_loss, train_error, test_error, early_gradient, late_gradient
    moment = "end"           or start: before the first step
    base = "plain20"         compared with this network, by default itself ...
    base_metric              ... in this metric, by default the same
    seeds = 3                at least
    expect, bound, margin    where the ratio is put

Each seed draws weights and the order of images anew and is a replicate: ratios are of equal seeds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from bench import training
from bench.claims import compare
from bench.claims.population import Evidence
from bench.claims.rule import Expecting, Needs, choice
from bench.claims.verdicts import Finding, Row, found
from bench.errors import BenchError
from bench.stats import Rounds
from bench.store import CONTENDER

METRICS = ("train_loss", "test_loss", "train_error", "test_error",
           "early_gradient", "late_gradient")  # fmt: skip
KIN = [*CONTENDER, "data", "image", "epochs", "learning_rate"]  # only these are compared


@dataclass(frozen=True, kw_only=True)
class Trained(Expecting, kind="trained"):
    """The ratio of two figures, seed by seed."""

    model: str
    metric: str = choice(*METRICS)
    moment: str = choice("start", "end", default="end")
    base: str = ""
    base_metric: str = choice("", *METRICS, default="")
    seeds: int = 3

    def check(self) -> None:
        """The networks can be trained; the two sides differ."""
        super().check()
        for name in self.sides:
            training.network(name)
        if self.sides[0] == self.sides[1] and self.base_metric in ("", self.metric):
            raise BenchError("base or base_metric is missing: a figure is compared with another")

    @property
    def sides(self) -> tuple[str, str]:
        return self.model, self.base or self.model

    def needs(self) -> Needs:
        return Needs(trained=tuple(dict.fromkeys(self.sides)))

    def judge(self, evidence: Evidence) -> Finding:
        """A row for each framework, data set and way to train."""
        rows = []
        frame = evidence.tables.training
        groups: Any = frame.groupby(KIN, sort=True) if len(frame) else []
        for key, group in groups:
            here = figure(group, self.model, self.metric, self.moment)
            there = figure(group, self.sides[1], self.base_metric or self.metric, self.moment)
            seeds = len(here.keys() & there.keys())
            if seeds >= self.seeds:
                rows.append((dict(zip(KIN, key, strict=True)), here, there, seeds))
        made = [
            Row(where | {"model": self.model, "base": self.sides[1], "moment": self.moment},
                (ratio := compare.ratio(here, there, len(rows))), self.expected.holds(ratio),
                {"seeds": seeds})
            for where, here, there, seeds in rows
        ]  # fmt: skip
        effect = compare.geometric([compare.ratio(h, t) for _, h, t, _ in rows]) if rows else None
        missing = [] if rows else [self.lacking()]
        return found(self.what or self.metric, made, self.expected, effect, missing)

    def lacking(self) -> str:
        names = " and ".join(dict.fromkeys(self.sides))
        return f"training of {names} with at least {self.seeds} seeds: bench train"


def figure(frame: pd.DataFrame, model: str, metric: str, moment: str) -> Rounds:
    """One figure of a network by seed, in all runs; figures that are no positive number are not
    there."""
    rows = frame[frame["model"] == model]
    values = pd.to_numeric(rows[f"{metric}_{moment}"], errors="coerce")
    return {
        int(str(seed)): [float(value)]
        for seed, value in zip(rows["seed"], values, strict=True)
        if 0 < value < float("inf")
    }
