"""Many runs: a series of medians for each case and machine, and the steps in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import provenance, stats, steps, store, summary
from bench.cases import Contender
from bench.errors import BenchError
from bench.provenance import Facts
from bench.store import CELL, CONTENDER, Run

CASE = [*CELL, *CONTENDER]
NEAR = 1  # runs by which another run more may move a step


@dataclass(frozen=True)
class Point:
    """One run's median of a case, in seconds, and what is known of its circumstances."""

    run: str
    created: str
    seconds: float
    facts: Facts


@dataclass(frozen=True)
class Series:
    """The points of a case on one machine, oldest first."""

    machine: Mapping[str, str]
    case: Mapping[str, Any]
    points: Sequence[Point]

    @property
    def seconds(self) -> list[float]:
        """The medians."""
        return [point.seconds for point in self.points]


def find(paths: Iterable[Path]) -> list[Run]:
    """The runs that are meant: each path is a run or a folder of runs; oldest first.

    Raises BenchError where there is none."""
    places = list(paths)
    folders = [f for path in places for f in ([path] if Run(path).path.is_file() else below(path))]
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
        machine = tuple(provenance.machine(header).items())
        for key, group in tables.samples.groupby(CASE, sort=False):
            case = dict(zip(CASE, key, strict=True))
            known = facts.get(str(Contender(*(case[k] for k in CONTENDER))), {})
            point = Point(
                run.folder.name,
                header.get("created", ""),
                stats.median(summary.blocks(group)).value,
                known,
            )
            digest = header.get("models", {}).get(case["model"], {}).get("digest")
            found.setdefault((machine, tuple(case.items()), digest), []).append(point)
    return [Series(dict(m), dict(c), points) for (m, c, _), points in found.items()]


def judged(found: Sequence[Series]) -> list[dict[str, Any]]:
    """A row for each series with its steps, as plain data; the correction is over all of them."""
    long = sum(len(series.points) >= 2 * steps.SHORTEST for series in found)
    return [
        {
            **series.case,
            "machine": dict(series.machine),
            "runs": [point.run for point in series.points],
            "medians": series.seconds,
            "steps": list(described(series, long)),
        }
        for series in found
    ]


def described(series: Series, count: int) -> Iterable[dict[str, Any]]:
    """The steps of a series: where, how much, how sure, and what changed there. `new` marks those
    that the last run brought to light."""
    earlier = [step.index for step in steps.find(series.seconds[:-1], count)]
    for step in steps.find(series.seconds, count):
        before, after = series.points[step.index - 1], series.points[step.index]
        yield {
            "run": after.run,
            "created": after.created,
            "factor": step.factor,
            "p_value": step.p_value,
            "verdict": "SLOWER" if step.factor > 1 else "FASTER",
            "new": not any(abs(step.index - index) <= NEAR for index in earlier),
            "changed": provenance.differences(before.facts, after.facts),
        }


def alarms(rows: Iterable[Mapping[str, Any]]) -> int:
    """How many slowdowns the last run brought to light."""
    return sum(s["new"] and s["verdict"] == "SLOWER" for row in rows for s in row["steps"])
