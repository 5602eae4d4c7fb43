"""A small network and a plan to race on it, for tests that care about something else."""

from __future__ import annotations

from bench.cases import Plan
from bench.graph import Graph, Tensor, build


def small(x: Tensor) -> Tensor:
    return x.conv(4, 3).relu().global_avgpool().dense(5)


GRAPHS: dict[str, Graph] = {"one": build(small, "one", (3, 9, 8))}
PLAN = Plan(
    contenders=(), models=("one",), phases=("inference",), batches=(2,), device="cpu",
    precision="fp32", threads=1, profile="smoke", budget=10, processes=1, within=0.1, seed=3,
)  # fmt: skip
