"""Many runs: a series of medians for each case and machine, and the steps in it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bench import provenance, stats, steps, store, summary
from bench.errors import BenchError
from bench.provenance import Facts
from bench.steps import Step
from bench.store import Run
from bench.summary import CASE

NEAR = 1  # runs by which another run more may move a step
POINT = ["run", "created", "seconds", "low", "high", "level"]
STEP = ["step", "factor", "p_value", "new", "together", "changed"]
COLUMNS = ["machine", *CASE, *POINT, "version", "revision", *STEP]


@dataclass(frozen=True)
class Point:
    """One run's median of a case, in seconds, with its interval, and what is known of its
    circumstances."""

    run: str
    created: str
    time: stats.Estimate
    facts: Facts


@dataclass(frozen=True)
class Series:
    """The points of a case on one machine, oldest first, and the steps in them. `earlier`: where
    steps were seen before the last run."""

    machine: str
    case: Mapping[str, Any]
    points: Sequence[Point]
    steps: Sequence[Step] = ()
    earlier: Sequence[int] = ()

    @property
    def seconds(self) -> list[float]:
        """The medians."""
        return [point.time.value for point in self.points]

    def is_new(self, step: Step) -> bool:
        """Whether the last run brought the step to light."""
        return not any(abs(step.index - index) <= NEAR for index in self.earlier)


def find(paths: Iterable[Path]) -> list[Run]:
    """The runs that are meant: each path is a run or a folder of runs; oldest first.

    Raises BenchError where there is none."""
    folders = [f for path in paths for f in ([path] if Run(path).path.is_file() else below(path))]
    runs = [Run.open(folder) for folder in dict.fromkeys(folders)]
    return sorted(runs, key=lambda run: str(run.header().get("created", "")))


def below(path: Path) -> list[Path]:
    """The runs in a folder."""
    found = store.find(path)
    if not found:
        raise BenchError(f"{path} is no run and holds none")
    return found


def collect(runs: Iterable[Run]) -> list[Series]:
    """A series for each case and machine; a network that was changed is another case."""
    found: dict[tuple[Any, ...], list[Point]] = {}
    for run in runs:
        header, tables = run.header(), store.load(run.folder)
        facts = provenance.facts(run, tables)
        machine = ", ".join(f"{k} {v}" for k, v in provenance.machine(header).items())
        for key, blocks in summary.measured(tables).items():
            case = dict(zip(CASE, key, strict=True))
            about = facts.get(provenance.name(case), {})
            time = stats.median(blocks)
            point = Point(run.folder.name, str(header.get("created", "")), time, about)
            place = (machine, tuple(case.items()), provenance.digest(header, str(case["model"])))
            found.setdefault(place, []).append(point)
    return [Series(machine, dict(case), points) for (machine, case, _), points in found.items()]


def judged(found: Sequence[Series]) -> list[Series]:
    """The series with their steps, which are judged together; and with those that were seen before
    the last run."""
    now = steps.find([series.seconds for series in found])
    before = steps.find([series.seconds[:-1] for series in found])
    return [
        Series(s.machine, s.case, s.points, seen, [step.index for step in earlier])
        for s, seen, earlier in zip(found, now, before, strict=True)
    ]


def table(runs: Iterable[Run]) -> pd.DataFrame:
    """One row for each machine, case and run, oldest run first: the median and its 95% interval in
    seconds (empty where a single process was measured), the level that the run belongs to, and the
    framework's version.

    Where a new level begins, `step` is SLOWER or FASTER (else empty), `factor` new level over old,
    `p_value` of such a step by chance, `new` whether the last run brought it to light, `together`
    how many series of this machine step there, and `changed` what is not as in the run before."""
    return pd.DataFrame(rows(judged(collect(runs))), columns=COLUMNS)


def rows(found: Sequence[Series]) -> list[dict[str, Any]]:
    """The rows of `table`."""
    places = Counter((s.machine, s.points[step.index].run) for s in found for step in s.steps)
    return [
        {"machine": series.machine, **series.case, **row} | with_company(row, series, places)
        for series in found
        for row in told(series)
    ]


def with_company(
    row: Mapping[str, Any], series: Series, places: Mapping[tuple[str, str], int]
) -> dict[str, Any]:
    return {"together": places[series.machine, row["run"]] if row["step"] else 0}


def told(series: Series) -> Iterable[dict[str, Any]]:
    """A row for each point of a series, without what is the same in all."""
    at = {step.index: step for step in series.steps}
    levels = levelled(series)
    for index, point in enumerate(series.points):
        low, high = point.time.interval() if point.time.freedom > 0 else (None, None)
        yield {
            "run": point.run, "created": point.created, "seconds": point.time.value,
            "low": low, "high": high, "level": levels[index],
            "version": point.facts.get(str(series.case["framework"]), provenance.UNKNOWN),
            "revision": point.facts.get("revision", provenance.UNKNOWN),
            **(described(series, at[index]) if index in at else NO_STEP),
        }  # fmt: skip


def levelled(series: Series) -> list[float]:
    """The median of the level that each run belongs to, seconds."""
    starts = [0, *(step.index for step in series.steps), len(series.points)]
    found: list[float] = []
    for start, end in pairwise(starts):
        found += [float(np.median(series.seconds[start:end]))] * (end - start)
    return found


NO_STEP: Mapping[str, Any] = {
    "step": "", "factor": None, "p_value": None, "new": False, "changed": [],
}  # fmt: skip


def described(series: Series, step: Step) -> dict[str, Any]:
    """A step: how much, how sure, and what changed there."""
    before, after = series.points[step.index - 1], series.points[step.index]
    return {
        "step": stats.SLOWER if step.factor > 1 else stats.FASTER,
        "factor": step.factor,
        "p_value": step.p_value,
        "new": series.is_new(step),
        "changed": provenance.differences(before.facts, after.facts),
    }


def alarms(frame: pd.DataFrame, words: Sequence[str] = (stats.SLOWER,)) -> int:
    """How many such steps the last run brought to light."""
    return int((frame["new"].astype(bool) & frame["step"].isin(words)).sum())
