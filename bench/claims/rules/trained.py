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
from bench.claims.measured import Evidence
from bench.claims.rows import Row, measured
from bench.claims.rule import Expecting, Needs, choice
from bench.claims.verdicts import Finding
from bench.claims.words import Message
from bench.errors import BenchError
from bench.store import CONTENDER

METRICS = ("train_loss", "test_loss", "train_error", "test_error",
           "early_gradient", "late_gradient")  # fmt: skip
SEEDS = "seeds (bench train --seeds)"
LACKS = "training of {names} with at least {seeds} seeds that stay finite: bench train"
RECIPE = ["data", "image", "images", "epochs", "batch_size", "learning_rate"]  # only equal ones


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
        if self.seeds < 2:
            raise BenchError(f"seeds = {self.seeds}: at least 2, to tell how far seeds differ")

    @property
    def sides(self) -> tuple[str, str]:
        return self.model, self.base or self.model

    def needs(self) -> Needs:
        return Needs(trained=tuple(dict.fromkeys(self.sides)))

    def judge(self, evidence: Evidence) -> Finding:
        """A row for each framework and way to train."""
        frame = evidence.tables.training
        groups: Any = frame.groupby([*CONTENDER, *RECIPE]) if len(frame) else []
        made = [self.row(dict(zip([*CONTENDER, *RECIPE], key, strict=True)), group)
                for key, group in groups]  # fmt: skip
        rows = tuple(row for row in made if row and len(row.values) >= self.seeds)
        names = tuple(dict.fromkeys(self.sides))
        missing = () if rows else (Message(LACKS, names=names, seeds=self.seeds),)
        return Finding(self.says(self.metric), self.expected, rows, missing, SEEDS)

    def row(self, where: dict[str, Any], group: pd.DataFrame) -> Row | None:
        """One framework's; frameworks with the same seeds and recipe share their replicates."""
        model, base = (training.network(name).name for name in self.sides)
        here = figure(group, model, self.metric, self.moment)
        there = figure(group, base, self.base_metric or self.metric, self.moment)
        values = {seed: here[seed] / there[seed] for seed in sorted(here.keys() & there.keys())}
        unit = tuple(where[key] for key in RECIPE)
        named = where | {"model": model, "base": base, "moment": self.moment}
        detail = {"seeds": len(values), "figures": {"model": here, "base": there}}
        return measured(named, values, unit, **detail) if values else None


def figure(frame: pd.DataFrame, model: str, metric: str, moment: str) -> dict[int, float]:
    """One figure of a network by seed, in all runs; figures that are no positive number are not
    there."""
    rows = frame[(frame["model"] == model) & (frame["status"] == "ok")]
    column = f"{metric}_{moment}"
    if column not in rows:
        return {}
    values = pd.to_numeric(rows[column], errors="coerce")
    pairs = zip(rows["seed"].tolist(), values.tolist(), strict=True)
    return {seed: value for seed, value in pairs if 0 < value < float("inf")}
