"""The least memory that a network can be run in, computed from its graph: pure functions.

A lower bound for programs that run the nodes in order, compute nothing twice and write each
operator's result to memory. Beyond that it errs on the low side: what can be done in place is,
views take no memory (`bench/pieces.py`), a mask takes a bit an element, and no operator needs room
to work in. A program that never writes some intermediate result, such as a convolution that adds
onto a shortcut, could stay below it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import ceil, prod

import numpy as np

from bench.graph import INPUT, Graph, Node
from bench.ops import Dropout
from bench.pieces import VIEWS, Layout, Piece

SIZES = {"fp32": 4, "tf32": 4, "bf16": 2, "fp16": 2}  # bytes of a number
IN_PLACE = {  # may write the result over an input, and the input's gradient over the result's
    *("relu", "relu6", "sigmoid", "hardsigmoid", "swish", "hardswish", "dropout"),
    *("stochasticdepth", "batchnorm", "add", "multiply"),
}


@dataclass(frozen=True)
class Reads:
    """What the backward pass of an operator reads of the forward pass.

    All its inputs, if `inputs`. One of `either`, if that is kept anyway; if not, `bits` for each
    element of the output (for each image, if `image`), or without bits the first of `either`. And
    `vectors` of as many numbers as there are channels."""

    inputs: bool = False
    either: tuple[str, ...] = ()
    bits: int = 0
    image: bool = False
    vectors: int = 0


NOTHING, INPUTS = Reads(), Reads(inputs=True)
MASK = Reads(either=("output", "input"), bits=1)  # whether the gradient passes
READS = {
    "conv": INPUTS,  # for the gradient of its kernels
    "dense": INPUTS,
    "multiply": INPUTS,  # each for the gradient of the other
    "batchnorm": Reads(either=("input", "output"), vectors=2),  # and mean and deviation
    "lrn": INPUTS,
    "relu": MASK,
    "relu6": MASK,
    "hardsigmoid": MASK,
    "sigmoid": Reads(either=("output", "input")),  # the slope is y (1 - y)
    "swish": INPUTS,  # the output does not tell: two inputs give it
    "hardswish": INPUTS,
    "maxpool": Reads(either=("input",), bits=8),  # which place of the window won
    "dropout": Reads(bits=1),
    "stochasticdepth": Reads(bits=1, image=True),
    **dict.fromkeys(("avgpool", "globalavgpool", "add", *VIEWS), NOTHING),
}


@dataclass(frozen=True)
class Footprint:
    """Bytes. `weights` with stored statistics; `gradients` of all parameters and their `velocity`,
    0 where the phase has none; `input`, the batch; `kept`, what the backward pass reads of the
    forward pass beside the batch; `least`, all that must exist at once at the fullest moment.

    `least` is not their sum: gradients grow while activations go, and in the phase `step` a
    gradient may go as soon as it is applied."""

    weights: int
    gradients: int
    velocity: int
    input: int
    kept: int
    least: int


def footprint(graph: Graph, batch: int, phase: str, precision: str = "fp32") -> Footprint:
    """The least memory of a phase, for a batch of that size."""
    graph = graph.evaluated() if phase == "inference" else graph
    size, trains = SIZES[precision], phase in ("train", "step")
    statistics = sum(prod(shape) for node in graph.nodes for shape in node.state.values())
    gradients = graph.params * size * trains
    weights, velocity = (graph.params + statistics) * size, gradients * (phase == "step")
    image = prod(graph.input) * batch * size
    layout = Layout(graph)
    kept = Kept(graph, layout, batch, size) if trains else None
    lives = [*forward(graph, layout, batch * size, kept)]
    lives += backward(graph, kept, size, phase == "step") if kept else ()
    least = weights + velocity + image + fullest(graph, lives)
    return Footprint(weights, gradients, velocity, image, kept.bytes if kept else 0, least)


def differentiable(graph: Graph) -> set[str]:
    """The values whose gradient is wanted: those that parameters have a part in."""
    found: set[str] = set()
    for node in graph.nodes:
        if node.weights or found & set(node.inputs):
            found.add(node.name)
    return found


class Kept:
    """What is kept for the backward pass: pieces of values with the node that reads them last, and
    bytes of masks and vectors that belong to a node."""

    def __init__(self, graph: Graph, layout: Layout, batch: int, size: int) -> None:
        self.layout, self.batch, self.size = layout, batch, size
        self.order = positions(graph)
        self.until = dict.fromkeys(self.layout.of[INPUT], -1)  # the batch is always there
        self.masks: dict[str, int] = {}
        wanted = differentiable(graph)
        readers = [n for n in reversed(graph.nodes) if n.weights or wanted & set(n.inputs)]
        for node in readers:
            self.keep(self.layout.inputs(node) if reads(node).inputs else (), node)
        for node in sorted(readers, key=lambda node: reads(node).bits):
            self.choose(node, reads(node))

    def keep(self, pieces: Iterable[Piece], node: Node) -> None:
        """For a node; of several nodes the first one is the last to read them."""
        for piece in pieces:
            index = self.order[node.name]
            self.until[piece] = min(index, self.until.get(piece, index))

    def choose(self, node: Node, wants: Reads) -> None:
        """What is kept anyway, if it will do, or else the least."""
        places = {"input": self.layout.inputs(node), "output": self.layout.of[node.name]}
        choices = [places[name] for name in wants.either]
        there = [pieces for pieces in choices if pieces <= self.until.keys()]
        if there or (choices and not wants.bits):
            self.keep((there or choices)[0], node)
        elif wants.bits:
            elements = 1 if wants.image else prod(node.output)
            self.masks[node.name] = ceil(elements * self.batch * wants.bits / 8)
        if wants.vectors:
            self.masks[node.name] = wants.vectors * node.output[0] * self.size

    @property
    def bytes(self) -> int:
        """All that is kept, but for the batch."""
        own = [piece for piece in self.until if piece.owner != INPUT]
        return self.layout.numbers(own) * self.batch * self.size + sum(self.masks.values())


def reads(node: Node) -> Reads:
    """What a node's backward pass reads; nothing where chance has no part in a dropout."""
    idle = isinstance(node.op, Dropout) and node.op.rate == 0
    return NOTHING if idle else READS[node.op.kind]


# -- node i is computed at time i, the loss at n, the gradients that node i passes on at 2 n - i ---

KINDS = ("value", "gradient", "parameter", "mask")


@dataclass(frozen=True)
class Life:
    """Memory that is used from one time to another, both included; of one of KINDS, where
    `gradient` is that of a value and `parameter` that of a parameter."""

    kind: str
    birth: int
    death: int
    bytes: int


def forward(graph: Graph, layout: Layout, unit: int, kept: Kept | None) -> Iterator[Life]:
    """Values, from their computation until nobody reads them; `unit` is the bytes of a number for
    each image of the batch."""
    end, order = len(graph.nodes), positions(graph)
    last = last_readers(graph, layout)
    for piece in {piece for pieces in layout.of.values() for piece in pieces}:
        if piece.owner == INPUT:
            continue
        birth = order[piece.owner]
        death = last.get(piece, birth)
        if kept and piece in kept.until:
            death = 2 * end - kept.until[piece]
        yield Life("value", birth, death, layout.numbers([piece]) * unit)


def backward(graph: Graph, kept: Kept, size: int, applied: bool) -> Iterator[Life]:
    """Masks until they are read; gradients of values from their last reader to their writer, those
    of parameters for good, or for a moment if they are `applied` at once."""
    layout, order, final = kept.layout, positions(graph), 2 * len(graph.nodes)
    wanted = differentiable(graph)
    for piece, time in last_readers(graph, layout).items():
        if piece.owner in wanted:
            numbers = layout.numbers([piece]) * kept.batch * size
            yield Life("gradient", final - time, final - order[piece.owner], numbers)
    for name, bytes_ in kept.masks.items():
        yield Life("mask", order[name], final - order[name], bytes_)
    for node in graph.nodes:
        time = final - order[node.name]
        yield Life("parameter", time, time if applied else final + 1, node.params * size)


def positions(graph: Graph) -> dict[str, int]:
    return {node.name: index for index, node in enumerate(graph.nodes)}


def last_readers(graph: Graph, layout: Layout) -> dict[Piece, int]:
    """The time at which the forward pass or the loss reads each piece for the last time."""
    last = {p: index for index, node in enumerate(graph.nodes) for p in layout.inputs(node)}
    return last | {p: len(graph.nodes) for head in graph.losses for p in layout.of[head]}


def fullest(graph: Graph, lives: Iterable[Life]) -> int:
    """Bytes at the fullest moment."""
    count = len(graph.nodes)
    through = np.zeros(2 * count + 3, np.int64)
    born, dying = ({kind: np.zeros_like(through) for kind in KINDS} for _ in range(2))
    for life in lives:
        born[life.kind][life.birth] += life.bytes
        dying[life.kind][life.death] += life.bytes * (life.death > life.birth)
        through[life.birth + 1] += life.bytes
        through[max(life.death, life.birth + 1)] -= life.bytes
    fixed = through.cumsum() + born["mask"] + dying["mask"] + born["parameter"]
    fresh, gone = (side["value"] + side["gradient"] for side in (born, dying))
    both = fixed + fresh + gone
    overwritten = fixed + np.maximum(fresh, gone)
    passed = fixed + dying["gradient"] + np.maximum(born["gradient"], dying["value"])
    found = [int(overwritten[count])]  # the gradient of the logits, over the logits
    for time, node in enumerate(graph.nodes):
        there, back = (overwritten,) * 2 if node.op.kind in IN_PLACE else (both, passed)
        found += [int(there[time]), int(back[2 * count - time])]
    return max(found)
