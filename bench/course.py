"""A course of training: networks and seeds in turn, journaled in a run, within a budget."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench import gate, machine, session
from bench.cases import Contender
from bench.client import Failure
from bench.entrants import Entrant
from bench.errors import Unavailable
from bench.graph import Graph
from bench.images import Images
from bench.session import Watch
from bench.store import Run
from bench.trainee import Trainee
from bench.training import BARE, Recipe, fitted, network


def hold(
    run: Run, contender: Contender, names: Sequence[str], data: Images, recipe: Recipe,
    device: str, threads: int, watch: Watch,
) -> None:  # fmt: skip
    """Set up the framework, check it on these networks, train them. Raises Unavailable.

    A framework that fails the gate trains nothing: its verdict is journaled as the outcome."""
    entrants = session.provision([contender], device, watch)
    entrant = entrants[contender]
    if isinstance(entrant, Unavailable):
        raise entrant
    jobs, logs = machine.processors(), run.folder / "logs" / "parity"
    judge = gate.Gate(entrants, device, threads, logs, jobs=jobs)
    whole = dict.fromkeys(name.removesuffix(BARE) for name in names)
    verdicts = session.pass_gate(judge, [contender], [network(name) for name in whole], watch)
    with run.writing():
        for verdict in verdicts:
            run.append("verdict", **asdict(verdict))
        refused = {verdict.model for verdict in verdicts if not verdict.ok}
        passed = [n for n in names if network(n).name.removesuffix(BARE) not in refused]
        shared = facts(entrant, data, recipe, device, threads)
        left = turns(run, [network(name).name for name in passed], shared, recipe)
        with watch.steps("training", len(left)) as steps:
            for said in train(run, entrant, passed, data, recipe, device, threads):
                steps.step(said)


def facts(
    entrant: Entrant, data: Images, recipe: Recipe, device: str, threads: int
) -> dict[str, Any]:
    """What all journal lines of a course have in common."""
    return asdict(entrant.contender) | {
        "data": data.name, "image": "x".join(map(str, data.shape)), "images": len(data),
        "device": device, "threads": threads, "epochs": recipe.epochs, "batch_size": recipe.batch,
        "learning_rate": recipe.learning_rate,
    }  # fmt: skip


def turns(
    run: Run, names: Sequence[str], shared: dict[str, Any], recipe: Recipe
) -> list[tuple[int, str]]:
    """Seeds and networks that the journal does not hold: each seed with every network."""
    done = {
        (entry["seed"], entry["model"])
        for entry in run.entries()
        if entry["kind"] == "training" and shared.items() <= entry.items()
    }
    every = [(seed, name) for seed in range(recipe.seeds) for name in names]
    return [turn for turn in every if turn not in done]


def train(
    run: Run, entrant: Entrant, names: Iterable[str], data: Images, recipe: Recipe,
    device: str, threads: int,
) -> Iterator[str]:  # fmt: skip
    """Train each network with each seed and journal it; yields what each came to, in words.

    Stops at the budget, between seeds, so that every network has the same ones."""
    graphs = {graph.name: fitted(graph, data, recipe) for graph in map(network, names)}
    shared = facts(entrant, data, recipe, device, threads)
    start, longest, begun = time.monotonic(), 0.0, time.monotonic()
    left = turns(run, list(graphs), shared, recipe)
    for index, (seed, name) in enumerate(left):
        if index and seed != left[index - 1][0]:
            longest, begun = max(longest, time.monotonic() - begun), time.monotonic()
            if begun + longest - start > recipe.budget:
                yield f"budget of {recipe.budget:.0f} s: stopped after seed {left[index - 1][0]}"
                return
        yield attempt(run, entrant, graphs[name], data, recipe, seed, shared)


def attempt(
    run: Run, entrant: Entrant, graph: Graph, data: Images, recipe: Recipe, seed: int,
    shared: dict[str, Any],
) -> str:  # fmt: skip
    """One network with one seed, in a process of its own."""
    began = time.monotonic()
    try:
        logs = run.folder / "logs"
        with (
            tempfile.TemporaryDirectory(prefix="convmark-") as folder,
            gate.start(entrant, shared["device"], "fp32", shared["threads"], logs) as worker,
        ):
            figures = Trainee(worker, graph, data, recipe, seed, Path(folder)).learn()
            figures |= {"status": "ok", "reason": ""}
    except Failure as failure:
        figures = {"status": failure.status, "reason": failure.reason}
    spent = time.monotonic() - began
    row = {"model": graph.name, "seed": seed, "seconds": spent, **figures}
    run.append("training", **shared, **row)
    if figures["status"] != "ok":
        return f"seed {seed} {graph.name}: {figures['status']}: {figures['reason']}"
    loss, error = figures["train_loss_end"], figures["test_error_end"]
    said = "diverged" if loss is None else f"training loss {loss:.3g}, test error {error:.1%}"
    return f"seed {seed} {graph.name}: {said}, {spent:.0f} s"
