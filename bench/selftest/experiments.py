"""The experiments: what is run, and in which folder it is kept. A run of `bench.store` each."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from pathlib import Path

import pandas as pd

from bench import gate, machine, parity, schedule, store, summary
from bench.cases import Plan
from bench.client import processors
from bench.entrants import Entrant
from bench.graph import Graph
from bench.guard import Guard
from bench.lineup import Lineup
from bench.parity import LIMIT
from bench.race import Race
from bench.selftest import power, schemes
from bench.selftest.contenders import copies
from bench.selftest.neighbour import neighbour
from bench.store import Run

EQUAL, SHARES = 6, (0.01, 0.02, 0.05, 0.10)
CONDITIONS = ("quiet", "noisy")
SECONDS = 1.5  # of a copy in a process, warm-up included


@dataclass(frozen=True)
class Experiment:
    """One framework on one network, in one phase."""

    entrant: Entrant
    graph: Graph
    batch: int
    phase: str
    threads: int
    processes: int
    races: int
    seed: int

    def plan(self) -> Plan:
        """That of the copies' race: they are never precise enough, and nothing else is asked."""
        entrants = copies(self.entrant, EQUAL, SHARES)
        return Plan(
            contenders=tuple(entrants), models=(self.graph.name,), phases=(self.phase,),
            batches=(self.batch,), device="cpu", precision="fp32", threads=self.threads,
            profile="selftest", budget=SECONDS * len(entrants) * self.processes,
            processes=self.processes, within=0.0, seed=self.seed,
        )  # fmt: skip

    def steps(self) -> int:
        races = self.races * len(schemes.SCHEMES) + 2
        return races + self.processes * (len(self.plan().contenders) + 1)


def create(folder: Path, experiment: Experiment, condition: str) -> Run:
    """The folder of an experiment in one condition."""
    header = {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "selftest": condition,
        "revision": machine.revision(),
        "machine": machine.described(),
        "plan": experiment.plan().to_json(),
    }
    return Run.create(folder / condition, header)


def conduct(run: Run, experiment: Experiment, condition: str) -> Iterator[str]:
    """Both experiments, with the neighbour or without."""
    with neighbour(condition == "noisy", experiment.seed), run.writing():
        yield from take_turns(run, experiment)
        yield from compete(run, experiment)


def take_turns(run: Run, experiment: Experiment) -> Iterator[str]:
    """The races of all schemes, on two copies that stay the same: what differs from process to
    process is not what schemes are compared by."""
    source = random.Random(experiment.seed)
    with tempfile.TemporaryDirectory(prefix="convmark-") as folder, ExitStack() as stack:
        files = parity.save_usual(Path(folder), experiment.graph, experiment.batch)
        lineup = stack.enter_context(Lineup[int](True))
        two = copies(experiment.entrant, 2, ()).values()
        for side, entrant in enumerate(two):
            enter(lineup, side, entrant, experiment, files, run.folder / "logs")
            yield f"copy {side} is warm"
        guard = Guard.here("cpu", processors(experiment.threads))
        for number in range(experiment.races):
            for scheme in source.sample(schemes.SCHEMES, len(schemes.SCHEMES)):
                asked = (scheme, experiment.phase, source)
                said = schemes.race(run, lineup, guard, *asked, race=number)
                yield f"race {number + 1} {scheme}: {said}"


def enter(
    lineup: Lineup[int],
    side: int,
    entrant: Entrant,
    experiment: Experiment,
    files: dict[str, str],
    logs: Path,
) -> None:
    """Start and warm up a copy."""
    lineup.enter(side, gate.start(entrant, "cpu", "fp32", experiment.threads, logs))
    with lineup.turn(side) as worker:
        worker.call("build", LIMIT, graph=files["graph"], weights=files["weights"])
        worker.call(
            "warmup", LIMIT, phase=experiment.phase, inputs=files["inputs"], seconds=SECONDS,
            shortest=schedule.SHORTEST["cpu"],
        )  # fmt: skip


def compete(run: Run, experiment: Experiment) -> Iterator[str]:
    """All copies in the race that everybody runs."""
    plan, graph = experiment.plan(), experiment.graph
    entrants = copies(experiment.entrant, EQUAL, SHARES)
    race = Race(run, plan, {graph.name: graph}, entrants)
    race.recall(run.entries())
    with tempfile.TemporaryDirectory(prefix="convmark-") as folder:
        for _ in range(plan.processes):
            for what, message in race.repeat((graph.name, experiment.batch), Path(folder)):
                yield f"{what}: {message}"


@dataclass(frozen=True)
class Findings:
    """What one condition came to: see `schemes.scatter`, and in `power` the functions of these
    names."""

    condition: str
    schemes: pd.DataFrame
    power: pd.DataFrame
    alarms: dict[str, float]
    tables: dict[int, float]
    start: float  # seconds that starting and warming up a copy took, the median


def read(folder: Path) -> list[Findings]:
    """From the samples; of the conditions that were run."""
    return [find(Run.open(folder / c), c) for c in CONDITIONS if (folder / c).is_dir()]


def find(run: Run, condition: str) -> Findings:
    tables = store.load(run.folder)
    pool = {str(mode): summary.blocks(rows) for mode, rows in tables.samples.groupby("mode")}
    outcomes = schemes.outcomes(run)
    scattered = schemes.scatter(outcomes) if len(outcomes) else outcomes
    alarms = power.false_alarms(pool) if pool else {}
    wrong = power.tables(pool) if pool else {}
    return Findings(condition, scattered, power.report(pool), alarms, wrong, starting(tables))


def starting(tables: store.Tables) -> float:
    """Seconds from start to warm."""
    warm, built = tables.warmups, tables.processes
    if warm.empty:
        return inf
    first = warm["first_call"].median() + warm["seconds"].median()
    return float(first + built["import_seconds"].median() + built["build_seconds"].median())
