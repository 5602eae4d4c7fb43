"""A session from its options to its journal: plan, set up, check, measure, or continue.

Nothing is printed here: what happens is told to a `Watch`, which the command line provides.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from math import inf
from pathlib import Path
from typing import Protocol

from bench import __version__, capacity, cases, entrants, envs, frameworks, gate, machine, models
from bench.cases import Contender, Plan
from bench.entrants import Entrants
from bench.errors import BenchError, Unavailable, unknown
from bench.graph import Graph
from bench.parity import Verdict
from bench.race import Race, as_long, stages
from bench.store import FORMAT, Run


class Steps(Protocol):
    """Progress over a known number of steps."""

    def step(self, message: str) -> None:
        """One more is done."""


class Watch(Protocol):
    """Whoever wants to know how it goes."""

    def say(self, message: str) -> None:
        """Something happened."""

    def steps(self, title: str, total: int) -> AbstractContextManager[Steps]:
        """Something of many steps begins."""


@dataclass(frozen=True)
class Options:
    """What `bench run` was asked for; None or empty where the profile decides."""

    framework: str = "all"
    model: str | None = None
    device: str = "auto"
    mode: str | None = None
    phase: str | None = None
    batch: str | None = None
    untuned: bool = False
    precision: str = "fp32"
    threads: str | None = None
    profile: str = "quick"
    budget: str | None = None
    processes: int | None = None
    within: str | None = None
    seed: int = 0
    largest_batch: bool = False
    memory_limit: str | None = None


def provision(contenders: Sequence[Contender], device: str, watch: Watch) -> Entrants:
    """What each contender needs, its environment built if there is none; or why it cannot be."""
    hosts = entrants.hosts(contenders, frameworks.discover())
    built = envs.ensure_all(hosts, device, lambda name, text: watch.say(f"{name}: {text}"))
    return entrants.enter(contenders, built, device)


def contenders(framework: str, mode: str, untuned: bool, device: str) -> list[Contender]:
    """The frameworks in the modes asked for, and again without their tunings if `untuned`.

    Raises BenchError."""
    found = cases.contenders(frameworks.select(framework), mode)
    return entrants.untuned(found, frameworks.discover(), device) if untuned else found


def pass_gate(
    judge: gate.Gate,
    contenders: Sequence[Contender],
    graphs: Sequence[Graph],
    watch: Watch,
    training: bool = False,
) -> list[Verdict]:
    """Verdicts of contenders on networks, or on training these for some steps, or on the operators
    where no network is given."""
    with watch.steps("parity", len(contenders) * max(1, len(graphs))) as steps:

        def report(what: str, verdicts: list[Verdict]) -> None:
            steps.step(f"{what}: {in_short(verdicts)}")

        if training:
            return judge.train(contenders, graphs, report)
        if graphs:
            return judge.check(contenders, graphs, report)
        return judge.conform(contenders, report)


def in_short(verdicts: list[Verdict]) -> str:
    """Passed, or the first reason why not."""
    bad = [verdict for verdict in verdicts if not verdict.ok]
    return f"{bad[0].phase} {bad[0].status}: {bad[0].reason}" if bad else "ok"


def new_run(out: Path | None, options: Options) -> Run:
    """A folder with the plan that the options mean; everything is checked before it is made."""
    sources = models.names(options.model or profile(options).models)
    graphs = [models.load(source) for source in sources]
    models.distinct(graphs)
    plan = planned(options, [graph.name for graph in graphs])
    now = datetime.now(UTC)
    header = {
        "created": now.isoformat(timespec="seconds"),
        "complete": False,
        "command": " ".join(["python -m bench", *sys.argv[1:]]),
        "revision": machine.revision(),
        "version": __version__,
        "machine": machine.described() | {"matrix_product": machine.matrix_product()},
        "plan": plan.to_json(),
        "models": {
            g.name: {"source": s, "params": g.params, "macs": g.macs, "digest": g.digest()}
            for g, s in zip(graphs, sources, strict=True)
        },
        "contenders": {},
    }
    return Run.create(out or Path("results") / f"{now:%Y%m%d-%H%M%S}-{os.getpid()}", header)


def profile(options: Options) -> cases.Profile:
    """The profile by name; raises BenchError."""
    if options.profile not in cases.PROFILES:
        raise unknown("profile", options.profile, cases.PROFILES)
    return cases.PROFILES[options.profile]


def planned(options: Options, names: Sequence[str]) -> Plan:
    """The plan for these networks, the profile's figures where the options are silent.

    Raises BenchError for what is unknown or cannot be."""
    usual = profile(options)
    device = machine.choose_device(options.device)
    mode = options.mode or usual.modes
    phases, batch, budget = options.phase, options.batch, options.budget
    threads, *more = counts(options.threads)
    return Plan(
        contenders=tuple(contenders(options.framework, mode, options.untuned, device)),
        models=tuple(names),
        phases=cases.choice("phase", phases, cases.PHASES) if phases is not None else usual.phases,
        batches=cases.numbers("--batch", batch) if batch is not None else usual.batches,
        device=device,
        precision=options.precision,
        threads=threads,
        more_threads=tuple(more),
        profile=options.profile,
        budget=cases.seconds(budget) if budget is not None else usual.budget,
        processes=options.processes or usual.processes,
        within=cases.share(options.within) if options.within is not None else usual.within,
        seed=options.seed,
        largest_batch=options.largest_batch,
        memory_limit=cases.bytes_of(options.memory_limit) if options.memory_limit else None,
    )


def counts(text: str | None) -> tuple[int, ...]:
    """Numbers of threads, every processor where nothing is said; raises BenchError for more."""
    most = machine.processors()
    found = cases.numbers("--threads", text) if text is not None else (most,)
    if max(found) > most:
        raise BenchError(f"--threads {max(found)}: this process may use {most} processors")
    return found


def resume(folder: Path) -> Run:
    """A run that was begun; raises BenchError where it is none or a network has changed since."""
    run = Run.open(folder)
    if run.header()["format"] != FORMAT:
        raise BenchError(f"{folder} was begun by an older version: read it, but start a new run")
    for name, known in run.header()["models"].items():
        if models.load(known["source"]).digest() != known["digest"]:
            raise BenchError(f"network {name} is not what it was in {folder}: start a new run")
    return run


def race(run: Run, watch: Watch, limit: float = inf) -> None:
    """Set up, check and measure what the run's journal does not hold yet. `limit` seconds after the
    gate nothing new is begun; the run is not complete then, and what is left is for the next."""
    header = run.header()
    plan = Plan.from_json(header["plan"])
    graphs = {name: models.load(known["source"]) for name, known in header["models"].items()}
    with run.writing():
        ready = provision(plan.contenders, plan.device, watch)
        same_environments(run, ready)
        races = [admit(run, part, graphs, ready, watch) for part in plan.by_threads()]
        end = time.monotonic() + limit
        measure(races, watch, limit)
        done = all(racing.done() for racing in races)
        if plan.largest_batch:
            enlarge(run, plan, graphs, ready, watch, end)
            done = done and time.monotonic() < end
        if done:
            run.replace(run.header() | {"complete": True})
        else:
            watch.say(f"the time limit is reached: continue with --resume {run.folder}")


def admit(run: Run, plan: Plan, graphs: dict[str, Graph], ready: Entrants, watch: Watch) -> Race:
    """A race that knows what the journal holds, of those who pass the gate."""
    logs, jobs = run.folder / "logs" / "parity", machine.processors()
    judge = gate.Gate(ready, plan.device, plan.threads, logs, jobs=jobs)
    racing = Race(run, plan, graphs, ready)
    racing.recall(run.entries())
    racing.refuse(pass_gate(judge, plan.contenders, list(graphs.values()), watch))
    return racing


def measure(races: Sequence[Race], watch: Watch, limit: float = inf) -> None:
    """Do what is left, as far as the time reaches."""
    for stage in stages(races, limit):
        with watch.steps(stage.title, stage.total) as steps:
            for what, message in stage.told:
                steps.step(f"{what}: {message}")


def enlarge(
    run: Run, plan: Plan, graphs: dict[str, Graph], ready: Entrants, watch: Watch, end: float = inf
) -> None:
    """Search for the largest batches; none is begun after `end`, of the monotonic clock."""
    found = capacity.explore(run, plan, graphs, ready)
    with watch.steps("largest batch", sum(len(capacity.cases(plan, name)) for name in graphs)) as s:
        for what, message in as_long(lambda: time.monotonic() < end, found):
            s.step(f"{what}: {message}")


def same_environments(run: Run, ready: Entrants) -> None:
    """Record what contenders run in; raises BenchError where a resumed run would mix two."""
    header = run.header()
    known = header.setdefault("contenders", {})
    for contender, entrant in ready.items():
        if isinstance(entrant, Unavailable):
            continue
        found = entrant.facts(header["plan"]["threads"])
        before = known.setdefault(str(contender), found)
        if before["lock"] != found["lock"]:
            raise BenchError(
                f"{contender} was measured in another environment ({before['version']}, lock "
                f"{before['lock']}; now {found['lock']}) in {run.folder}: start a new run"
            )
    run.replace(header)
