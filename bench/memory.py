"""Weighs memory: one phase of a network in a process of its own.

The baseline is what a process holds that has imported the framework and taken two steps of a
trivial network in that phase: libraries, thread pools and the code of common operators. The peak
is Linux's own (VmHWM), reset before the steps: sampling would miss short-lived workspaces. Both
hold pages of files, which are mapped code and not the network's; their size is known, so what the
network took is anonymous memory, see `bench/weighing.py`.

The journal keeps what was read; every verdict is computed from that.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from bench import nvml, parity, weighing
from bench.cases import Cell
from bench.client import Failure, Worker
from bench.footprint import footprint
from bench.graph import Graph, Tensor, build
from bench.parity import LIMIT

LEAST, MOST, SECONDS = 8, 30, 3.0  # readings after the first step: at least, at most, how long


def trivial_network(x: Tensor) -> Tensor:
    return x.conv(8, 3, pad=1).batchnorm().relu().maxpool(2, 2).flatten().dense(10)


def plain_network(x: Tensor) -> Tensor:
    return x.conv(8, 3, stride=2, pad=1).relu().flatten().dense(10)


@cache
def trivial(network: Callable[[Tensor], Tensor] = trivial_network) -> Graph:
    """The network of the baseline: 8 KiB of activations for an image, 21 KiB of weights."""
    return build(network, "trivial", (3, 16, 16))


@dataclass(frozen=True)
class Weighed:
    """What a process said: `about` itself and its build, and its `memory`, for the journal."""

    about: dict[str, Any]
    memory: dict[str, Any]


def weigh(
    start: Callable[[], Worker],
    graph: Graph,
    cell: Cell,
    files: Mapping[str, str],
    after: Callable[[Worker], dict[str, Any]] | None = None,
) -> Weighed:
    """Memory of a phase. `start` gives a worker that has imported its framework, `files` are those
    of the network as `parity.save` wrote them; what `after` finds out when everything is weighed
    is said of the process. Raises Failure."""
    gpu = nvml.first() if cell.device == "cuda" else None
    before = gpu.used() if gpu else None
    with start() as worker:
        settled = settle(worker, cell.phase)
        pid = worker.process.pid
        baseline = gpu.used(pid) if gpu else None
        built = worker.call("build", LIMIT, graph=files["graph"], weights=files["weights"])
        steps = {"least": LEAST, "most": MOST, "seconds": SECONDS}
        found = worker.call("memory", LIMIT, phase=cell.phase, inputs=files["inputs"], **steps)
        device = {"before": before, "baseline": baseline, "last": gpu.used(pid)} if gpu else {}
        about = worker.about | built | (after(worker) if after else {})
    resident = {"baseline": settled["settled"].get("resident"), "peak": found["last"].get("peak")}
    least = footprint(graph, cell.batch, cell.phase, cell.precision)
    return Weighed(about, settled | found | resident | {
        "imported": about["rss"], "device_memory": device, "least": asdict(least),
    })  # fmt: skip


def in_short(line: Mapping[str, Any]) -> str:
    """What a weighing came to, for whoever watches."""
    row = weighing.weighed(line)
    if row["above_baseline"] is None:
        return str(row["marks"])
    ratio = row["times_least"]
    found = weighing.size(row["above_baseline"])
    found += f", {ratio:.1f} times the least" if ratio else ""
    return found + (f" ({row['marks']})" if row["marks"] else "")


def settle(worker: Worker, phase: str) -> dict[str, Any]:
    """Have a worker take the trivial network's steps; its memory after that."""
    try:
        return settle_on(worker, phase, trivial())
    except Failure as failure:
        if failure.status != "unsupported":
            raise
        return settle_on(worker, phase, trivial(plain_network))  # of the fewest operators


def settle_on(worker: Worker, phase: str, network: Graph) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="convmark-") as folder:
        files = parity.save_usual(Path(folder), network, 2)
        worker.call("build", LIMIT, graph=files["graph"], weights=files["weights"])
        found = worker.call("settle", LIMIT, phase=phase, inputs=files["inputs"])
    return {"settled": found["settled"], "allocator_settled": found["allocator"]}
