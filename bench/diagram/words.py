"""What is written in a picture of a network: in boxes, beside them, above, and for the blind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.diagram import structure, svg
from bench.diagram.structure import Item, Level, Panel
from bench.diagram.svg import width
from bench.graph import Graph, Node
from bench.layers import kernel, layers, size, times, totals
from bench.ops import (
    Add,
    AvgPool,
    Concat,
    Conv,
    Dense,
    Dropout,
    GlobalAvgPool,
    Lrn,
    MaxPool,
    Multiply,
    Slice,
)

NAME, TEXT, LEADING = 12, 11, 15  # font sizes, and from line to line
JOINS: dict[type, str] = {Add: "+", Multiply: "×", Concat: "concat"}
FILLS: dict[type | tuple[type, ...], str] = {
    Conv: "#e2ebf6",
    (MaxPool, AvgPool, GlobalAvgPool): "#e3f0e3",
    Dense: "#f7ead9",
    tuple(JOINS): "#ffffff",
}
PLAIN, BLOCK = "#f1f1f1", "#e9e3f3"


@dataclass(frozen=True)
class Box:
    """What is written in a box, and how it is drawn."""

    name: str
    words: tuple[str, ...]
    fill: str
    block: bool = False
    join: bool = False
    training_only: bool = False

    @property
    def size(self) -> tuple[float, float]:
        lines = [width(self.name, NAME, bold=True), *(width(line, TEXT) for line in self.words)]
        least = 44 if self.join else 90
        return max(least, max(lines) + 22), LEADING * len(lines) + 11


def entering(level: Level) -> str:
    """The sizes of what comes in."""
    inside = {node.name for item in level.items for node in item.nodes}
    shapes = {
        name: shape
        for item in level.items
        for node in item.nodes
        for name, shape in zip(node.inputs, node.input_shapes, strict=True)
        if name not in inside
    }
    return "input " + ", ".join(dict.fromkeys(times(shape) for shape in shapes.values()))


def box(graph: Graph, item: Item, marks: Mapping[Any, str]) -> Box:
    """What is written for an item: its name, then what it does."""
    only = {node.name for node in item.nodes} <= structure.training_only(graph)
    notes = [*structure.labels(graph, item.nodes), *(["training only"] if only else [])]
    name = item.name + (f" ×{item.count}" if item.count > 1 else "")
    if item.block:
        mark = marks[structure.representative(item).form(exact=False)]
        return Box(name, (f"block {mark}", *notes), BLOCK, block=True, training_only=only)
    first, *others = structure.representative(item).nodes
    also = ", ".join(map(said, others))
    join = JOINS.get(type(first.op))
    if join:
        join += f" ×{item.count}" if item.count > 1 else ""
        return Box(
            join, (*filter(None, [also]), *notes), fill(first), join=True, training_only=only
        )
    words = (said(first), *filter(None, [also]), *notes)
    return Box(name, words, fill(first), training_only=only)


def said(node: Node) -> str:
    """An operator with what distinguishes it."""
    op, extra = node.op, kernel(node)
    if isinstance(op, Dropout):
        extra = f"{op.rate:g}"
    elif isinstance(op, Slice):
        extra = f"{op.start} to {op.stop}"
    elif isinstance(op, Dense):
        extra = f"{node.input_shapes[0][0]}*{op.out}"
    elif isinstance(op, GlobalAvgPool):
        extra = times(node.input_shapes[0][1:])
    elif isinstance(op, Lrn):
        extra = f"over {op.size}"
    return f"{op.kind} {extra}".strip()


def fill(node: Node) -> str:
    return next((colour for ops, colour in FILLS.items() if isinstance(node.op, ops)), PLAIN)


def notes(item: Item) -> Iterator[str]:
    """How size and parameters of an item come about, as on a slide."""
    nodes = structure.representative(item).nodes
    count = sum(node.params for node in nodes)
    each = " each" * (item.count > 1)
    if item.block:
        yield f"{count:,} parameters{each}"
        return
    yield from filter(None, map(size, nodes))
    if count:
        terms = " + ".join(filter(None, (node.op.arithmetic(*node.input_shapes) for node in nodes)))
        yield f"{terms} = {count:,} parameters{each}"


def heading(graph: Graph, paper: str, room: float) -> list[tuple[str, float, bool]]:
    """Lines with their sizes: name, paper, totals."""
    found = [(graph.name, 20.0, True)]
    for words in (paper, graph.doc, totals(layers(graph))):
        lines = svg.wrapped(words, 12, min(room, 1000)) if words else []
        found += [(line, 12.0, False) for line in lines]
    return found


def described(graph: Graph, top: Level, found: Sequence[Panel]) -> str:
    """The picture in words, for those who do not see it."""
    way = ", ".join(item.name + f" ({item.count} times)" * (item.count > 1) for item in top.items)
    words = (
        f"{graph.name}: from input {times(graph.input)} through {way} to {graph.classes} logits."
    )
    for panel in found:
        steps = ", ".join(said(node) for node in panel.item.nodes)
        words += f" Block {panel.mark}, {panel.item.name}: {steps}."
    return words
