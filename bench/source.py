"""The program that a framework runs for a network, in the framework's own words."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench import cases, envs, frameworks, gate, parity, session
from bench.errors import Unavailable
from bench.graph import Graph


def native(graph: Graph, name: str, mode: str, watch: session.Watch) -> str:
    """The program of a framework in a mode; sets the framework up, raises where it cannot."""
    framework = frameworks.select(name)[0]
    contender = cases.contenders([framework], mode)[0]
    entrant = session.provision([contender], "cpu", watch)[contender]
    if isinstance(entrant, Unavailable):
        raise entrant
    referee = parity.Referee(graph, 1)
    logs = envs.cache_dir() / "logs"
    with (
        tempfile.TemporaryDirectory() as folder,
        gate.start(entrant, "cpu", "fp32", 1, logs) as worker,
    ):
        paths = parity.save(Path(folder), graph, referee.weights, referee.x, referee.y)
        worker.call("build", parity.LIMIT, graph=paths["graph"], weights=paths["weights"])
        return str(worker.call("source", parity.LIMIT)["source"])
