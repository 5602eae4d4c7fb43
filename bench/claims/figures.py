"""What can be counted from a graph, or from some of its nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from bench import layers, models
from bench.errors import BenchError, unknown
from bench.graph import Graph, Node

SILENT = ("relu", "dropout", "flatten", "batchnorm")  # what a sequence of layers leaves out


@cache
def load(name: str) -> Graph:
    return models.load(name)


def networks(patterns: Iterable[str]) -> list[str]:
    """The networks that names and patterns mean; raises BenchError where one means none."""
    found: dict[str, None] = {}
    for pattern in patterns:
        names = [pattern] if ":" in pattern else matching(pattern, models.discover())
        if not names:
            raise unknown("network", pattern, models.discover())
        found |= dict.fromkeys(names)
    return list(found)


def matching(pattern: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if fnmatchcase(name, pattern)]


def chosen(name: str, nodes: str, op: str) -> tuple[Graph, list[Node]]:
    """A network and some of its nodes; raises BenchError where there are none of the name.

    No node of an operator is no error: that there is none may be what is counted."""
    graph = load(name)
    named = [node for node in graph.nodes if fnmatchcase(node.name, nodes)]
    if not named:
        raise unknown(f"node of {name}", nodes, [node.name for node in graph.nodes])
    return graph, [node for node in named if fnmatchcase(node.op.kind, op)]


def of(figure: str, name: str, nodes: str = "*", op: str = "*") -> Any:
    """One figure: a number, or a tuple; raises BenchError."""
    graph, some = chosen(name, nodes, op)
    return FIGURES[figure](graph, some)


def listed(value: Any) -> list[Any]:
    """A figure as a flat list, as a file declares it."""
    return list(value) if isinstance(value, tuple | list) else [value]


def distinct(attribute: str) -> Callable[[Graph, Sequence[Node]], tuple[Any, ...]]:
    """The different values of an attribute, a square pair as one number."""

    def figure(graph: Graph, nodes: Sequence[Node]) -> tuple[Any, ...]:
        values = [getattr(node.op, attribute) for node in nodes if hasattr(node.op, attribute)]
        return tuple(dict.fromkeys(single(value) for value in values))

    return figure


def single(value: Any) -> Any:
    if isinstance(value, tuple):
        return value[0] if len(set(value)) == 1 else layers.times(value)
    return value


def output(graph: Graph, nodes: Sequence[Node]) -> tuple[int, ...]:
    """(C, H, W) of the last of the nodes."""
    if not nodes:
        raise BenchError(f"{graph.name} has no such node, so no output of it")
    return nodes[-1].output


def reach(graph: Graph, nodes: Sequence[Node]) -> int:
    """How many inputs in a row one output sees through the convolutions and pools, in order."""
    size, step = 1, 1
    for node in nodes:
        kernel = getattr(node.op, "kernel", (1, 1))[0]
        size, step = size + (kernel - 1) * step, step * getattr(node.op, "stride", (1, 1))[0]
    return size


FIGURES: dict[str, Callable[[Graph, Sequence[Node]], Any]] = {
    "params": lambda graph, nodes: sum(node.params for node in nodes),
    "macs": lambda graph, nodes: sum(node.macs for node in nodes),
    "count": lambda graph, nodes: len(nodes),
    "depth": lambda graph, nodes: layers.depth(graph),
    "output": output,
    "depth_out": lambda graph, nodes: output(graph, nodes)[0],
    "depth_in": lambda graph, nodes: nodes[0].input_shapes[0][0],
    "kernel": distinct("kernel"),
    "stride": distinct("stride"),
    "pad": distinct("pad"),
    "groups": distinct("groups"),
    "reach": reach,
    "sequence": lambda graph, nodes: tuple(
        node.op.kind for node in nodes if node.op.kind not in SILENT
    ),
}
