"""The layer table of a network, as a teacher would write it on a slide."""

from __future__ import annotations

from math import prod
from typing import Any

from bench.graph import Graph, Node
from bench.ops import AvgPool, Conv, MaxPool, Pair

BYTES = 4  # of a float32


def layers(graph: Graph) -> dict[str, Any]:
    """Name, totals and a row for each node: the JSON of `bench show`."""
    return {
        "name": graph.name,
        "params": graph.params,
        "macs": graph.macs,
        "activation_bytes": sum(prod(node.output) for node in graph.nodes) * BYTES,
        "input": list(graph.input),
        "layers": [row(node) for node in graph.nodes],
    }


def row(node: Node) -> dict[str, Any]:
    """One node; sizes for one image in float32."""
    return {
        "name": node.name,
        "op": node.op.kind,
        "kernel": kernel(node),
        "output": list(node.output),
        "arithmetic": node.op.arithmetic(*node.input_shapes),
        "params": node.params,
        "macs": node.macs,
        "activation_bytes": prod(node.output) * BYTES,
    }


def times(size: Pair | tuple[int, ...]) -> str:
    """3 x 3 as `3*3`, in the document's manner."""
    return "*".join(map(str, size))


def kernel(node: Node) -> str:
    """Kernel, stride, pad and groups, those that say something; empty for other operators."""
    op = node.op
    if not isinstance(op, Conv | MaxPool | AvgPool):
        return ""
    text = times(op.kernel)
    text += f" / {single(op.stride)}" if op.stride != (1, 1) else ""
    text += f" pad {single(op.pad)}" if op.pad != (0, 0) else ""
    groups = getattr(op, "groups", 1)
    return text + (f" groups {groups}" if groups > 1 else "")


def single(values: Pair) -> str:
    """2 for (2, 2), else both."""
    return str(values[0]) if values[0] == values[1] else times(values)
