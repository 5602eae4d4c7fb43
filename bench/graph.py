"""A CNN described once: symbolic tensors, blocks, and the flat list of nodes they leave behind.

@network(3, 224, 224)
def toy(x: Tensor) -> Tensor:
    return x.conv(8, 3, pad=1).relu().global_avgpool().dense(10)

build(toy).nodes
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import itertools
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import prod
from typing import Any

from bench.errors import BenchError
from bench.ops import (
    Add,
    AvgPool,
    BatchNorm,
    ChannelShuffle,
    Concat,
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool,
    HardSigmoid,
    HardSwish,
    Lrn,
    MaxPool,
    Multiply,
    Op,
    Pair,
    Relu,
    Relu6,
    Shape,
    ShapeError,
    Sigmoid,
    Slice,
    StochasticDepth,
    Swish,
    pair,
)

FORMAT = 2  # 1: nodes, training (learning rate and momentum); 2: auxiliary classifiers
INPUT = "input"  # the name by which nodes refer to the network's input
SMALLEST = 96  # pixels of an image for checks
STEP = 32  # pixels: sizes that are so many apart stay even or odd through five halvings
LEARNING_RATE, MOMENTUM = 1e-4, 0.9  # small, so that hundreds of timed steps stay on real numbers


class GraphError(BenchError):
    """A network cannot be built: names the line, the node, the value and what is allowed."""


@dataclass(frozen=True)
class Node:
    """One operator applied: everything resolved, nothing left to a framework's defaults."""

    name: str
    op: Op
    inputs: tuple[str, ...]
    input_shapes: tuple[Shape, ...]
    output: Shape

    @property
    def weights(self) -> dict[str, Shape]:
        """Shapes of the trainable parameters."""
        return self.op.weights(*self.input_shapes)

    @property
    def state(self) -> dict[str, Shape]:
        """Shapes of the statistics that are kept but not trained."""
        return self.op.state(*self.input_shapes)

    @property
    def params(self) -> int:
        """Number of trainable parameters."""
        return sum(map(prod, self.weights.values()))

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one image."""
        return self.op.macs(*self.input_shapes)

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "name": self.name,
            "op": self.op.kind,
            "inputs": list(self.inputs),
            "attrs": self.op.attributes(),
            "input_shapes": [list(shape) for shape in self.input_shapes],
            "output": list(self.output),
            "weights": {k: list(v) for k, v in self.weights.items()},
            "state": {k: list(v) for k, v in self.state.items()},
            "macs": self.macs,
        }


@dataclass(frozen=True)
class Graph:
    """A network: its nodes in execution order; the last one gives the logits.

    `auxiliary` are further classifiers, each with the weight of its loss: the loss of training is
    that of the logits plus theirs. In inference they are not computed."""

    name: str
    input: Shape
    nodes: tuple[Node, ...]
    doc: str = ""
    learning_rate: float = LEARNING_RATE
    momentum: float = MOMENTUM
    auxiliary: tuple[tuple[str, float], ...] = ()

    @property
    def classes(self) -> int:
        """Number of logits."""
        return self.nodes[-1].output[0]

    @property
    def params(self) -> int:
        """Number of trainable parameters."""
        return sum(node.params for node in self.nodes)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of convolution and dense layers, for one image."""
        return sum(node.macs for node in self.nodes)

    @property
    def losses(self) -> dict[str, float]:
        """The weight in the loss of each node that training compares with the labels."""
        return {self.nodes[-1].name: 1.0, **dict(self.auxiliary)}

    def to_json(self) -> dict[str, Any]:
        """Plain data: what crosses to a worker."""
        evaluated = {node.name for node in self.evaluated().nodes}
        return {
            "format": FORMAT,
            "name": self.name,
            "input": list(self.input),
            "classes": self.classes,
            "training": {"learning_rate": self.learning_rate, "momentum": self.momentum},
            "auxiliary": [list(pair) for pair in self.auxiliary],
            "nodes": [n.to_json() | {"evaluated": n.name in evaluated} for n in self.nodes],
        }

    def ancestors(self, names: Iterable[str]) -> set[str]:
        """The nodes that these are computed from, and they themselves."""
        found = set(names)
        for node in reversed(self.nodes):
            if node.name in found:
                found.update(node.inputs)
        return found

    def evaluated(self) -> Graph:
        """What inference computes: the network without its auxiliary classifiers."""
        if not self.auxiliary:
            return self
        kept = self.ancestors([self.nodes[-1].name])
        nodes = tuple(node for node in self.nodes if node.name in kept)
        return replace(self, nodes=nodes, auxiliary=())

    def resized(self, height: int, width: int) -> Graph:
        """The same layers on images of another size; raises ShapeError where these do not fit.

        A dense layer behind a flatten changes with the size: see `for_checks`."""
        shapes: dict[str, Shape] = {INPUT: (self.input[0], height, width)}
        nodes = []
        for node in self.nodes:
            inputs = tuple(shapes[name] for name in node.inputs)
            shapes[node.name] = node.op.output(*inputs)
            nodes.append(replace(node, input_shapes=inputs, output=shapes[node.name]))
        return replace(self, input=shapes[INPUT], nodes=tuple(nodes))

    def for_checks(self) -> Graph:
        """The network on the smallest images of at least 96 pixels that its windows fit in, where
        its weights do not depend on their size.

        Every operator is still there, and sizes stay even or odd, which decides where padding
        falls."""
        for more in range(0, max(self.input[1:]) - SMALLEST + 1, STEP):
            height, width = (min(size, smaller(size) + more) for size in self.input[1:])
            if small := self.fitting(height, width):
                return small
        return self

    def fitting(self, height: int, width: int) -> Graph | None:
        """The same weights on images of another size; None where they or the windows do not fit."""
        try:
            small = self.resized(height, width)
        except ShapeError:
            return None
        same = [node.weights for node in small.nodes] == [node.weights for node in self.nodes]
        return small if same and all(map(covered, small.nodes)) else None

    def digest(self) -> str:
        """A hash of everything that a worker is told, but for the name."""
        content = json.dumps(self.to_json() | {"name": ""}, sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()

    def without_dropout(self) -> Graph:
        """The same network with every dropout rate 0, for checks that must be deterministic."""
        nodes = (
            replace(n, op=type(n.op)(0.0)) if isinstance(n.op, Dropout) else n for n in self.nodes
        )
        return replace(self, nodes=tuple(nodes))


def covered(node: Node) -> bool:
    """Whether a sliding window is no larger than its image: CNTK refuses the others, and GoogLeNet
    has so many equal maxima in such poolings that correct programs part."""
    kernel: Pair = getattr(node.op, "kernel", (1, 1))
    return all(k <= n for k, n in zip(kernel, node.input_shapes[0][1:], strict=False))


def smaller(size: int) -> int:
    """The smallest size of at least SMALLEST that differs by steps; small ones as they are."""
    return size if size < SMALLEST + STEP else SMALLEST + size % STEP


class Builder:
    """Collects nodes while a network function runs."""

    def __init__(self, shape: Shape) -> None:
        self.nodes: list[Node] = []
        self.shapes: dict[str, Shape] = {INPUT: shape}
        self.scopes: list[str] = []
        self.counts: Counter[str] = Counter()
        self.names = {INPUT}  # of nodes and blocks
        self.auxiliary: dict[str, float] = {}

    def name(self, stem: str, suffix: str = "") -> str:
        """`scope.stem1`, `scope.stem2`, ...; or `scope.stem_suffix` where the caller names it."""
        path = ".".join([*self.scopes, stem])
        self.counts[path] += 1
        name = f"{path}_{suffix}" if suffix else f"{path}{self.counts[path]}"
        if name in self.names:
            raise GraphError(f"{caller()}: a node or block named {name!r} exists already")
        self.names.add(name)
        return name

    @contextmanager
    def scope(self, stem: str, suffix: str) -> Iterator[None]:
        self.scopes.append(self.name(stem, suffix).rpartition(".")[2])
        yield
        self.scopes.pop()

    def add(self, op: Op, inputs: tuple[str, ...]) -> Tensor:
        name = self.name(op.kind)
        shapes = tuple(self.shapes[i] for i in inputs)
        try:
            output = op.output(*shapes)
        except ShapeError as error:
            raise GraphError(f"{caller()}: {name}: {error}") from None
        self.nodes.append(Node(name, op, inputs, shapes, output))
        self.shapes[name] = output
        return Tensor(self, name, output)


def caller() -> str:
    """`file:line` of the network description that is being run."""
    frame = sys._getframe(1)
    while frame.f_back and frame.f_globals.get("__name__") in (__name__, "contextlib"):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"


@dataclass(frozen=True, eq=False)
class Tensor:
    """A symbolic activation of known shape; each method adds a node and gives its result."""

    builder: Builder
    name: str
    shape: Shape

    def apply(self, op: Op, *others: Tensor) -> Tensor:
        """Apply any operator to this tensor, and others after it."""
        return self.builder.add(op, (self.name, *(t.name for t in others)))

    def conv(
        self,
        out: int,
        kernel: int | Pair,
        stride: int | Pair = 1,
        pad: int | Pair = 0,
        groups: int = 1,
        bias: bool = True,
    ) -> Tensor:
        return self.apply(Conv(out, pair(kernel), pair(stride), pair(pad), groups, bias))

    def dense(self, out: int, bias: bool = True) -> Tensor:
        return self.apply(Dense(out, bias))

    def batchnorm(self, eps: float = 1e-5) -> Tensor:
        return self.apply(BatchNorm(eps))

    def relu(self) -> Tensor:
        return self.apply(Relu())

    def relu6(self) -> Tensor:
        return self.apply(Relu6())

    def sigmoid(self) -> Tensor:
        return self.apply(Sigmoid())

    def hard_sigmoid(self) -> Tensor:
        return self.apply(HardSigmoid())

    def swish(self) -> Tensor:
        return self.apply(Swish())

    def hard_swish(self) -> Tensor:
        return self.apply(HardSwish())

    def lrn(self, size: int, alpha: float, beta: float, k: float) -> Tensor:
        return self.apply(Lrn(size, alpha, beta, k))

    def maxpool(self, kernel: int | Pair, stride: int | Pair = 1, pad: int | Pair = 0) -> Tensor:
        return self.apply(MaxPool(pair(kernel), pair(stride), pair(pad)))

    def avgpool(self, kernel: int | Pair, stride: int | Pair = 1, pad: int | Pair = 0) -> Tensor:
        return self.apply(AvgPool(pair(kernel), pair(stride), pair(pad)))

    def global_avgpool(self) -> Tensor:
        return self.apply(GlobalAvgPool())

    def flatten(self) -> Tensor:
        return self.apply(Flatten())

    def dropout(self, rate: float) -> Tensor:
        return self.apply(Dropout(rate))

    def stochastic_depth(self, rate: float) -> Tensor:
        return self.apply(StochasticDepth(rate))

    def channel_shuffle(self, groups: int) -> Tensor:
        return self.apply(ChannelShuffle(groups))

    def channels(self, start: int, stop: int) -> Tensor:
        return self.apply(Slice(start, stop))

    def split(self, *sizes: int) -> list[Tensor]:
        """The channels in parts of these sizes, in order."""
        ends = list(itertools.accumulate(sizes))
        if ends[-1:] != [self.shape[0]]:
            raise GraphError(f"{caller()}: parts of {sizes} are not the {self.shape[0]} channels")
        return [self.channels(end - size, end) for size, end in zip(sizes, ends, strict=True)]

    def multiply(self, gate: Tensor) -> Tensor:
        return self.apply(Multiply(), gate)

    def auxiliary(self, weight: float) -> None:
        """Take these logits as an auxiliary classifier, with this weight in the training loss."""
        self.builder.auxiliary[self.name] = weight

    def add(self, *others: Tensor) -> Tensor:
        return self.apply(Add(), *others)

    def concat(self, *others: Tensor) -> Tensor:
        return self.apply(Concat(), *others)


Network = Callable[[Tensor], Tensor]


def block(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Name the nodes made inside after the function: `inception_3a.conv1` where the call gives
    `name="3a"`, `inception1.conv1` where it does not."""

    @functools.wraps(function)
    def wrapper(x: Tensor, *args: Any, name: str = "", **kwargs: Any) -> Tensor:
        with x.builder.scope(function.__name__, name):
            return function(x, *args, **kwargs)

    return wrapper


def network(*shape: int) -> Callable[[Network], Network]:
    """Say what input a network function takes: (C, H, W)."""

    def mark(function: Network) -> Network:
        function.input_shape = shape  # type: ignore[attr-defined]
        return function

    return mark


def build(function: Network, name: str = "", shape: Shape | None = None) -> Graph:
    """Run a network function on a symbolic image and return its graph; raises GraphError."""
    inner = function.func if isinstance(function, functools.partial) else function
    name = name or inner.__name__
    shape = shape or getattr(function, "input_shape", None)
    if shape is None:
        raise GraphError(f"network {name!r} does not say its input: decorate it @network(C, H, W)")
    builder = Builder(shape)
    result = function(Tensor(builder, INPUT, shape))
    check(name, builder, result)
    doc, auxiliary = inspect.cleandoc(inner.__doc__ or ""), tuple(builder.auxiliary.items())
    return Graph(name, shape, tuple(builder.nodes), doc, auxiliary=auxiliary)


def check(name: str, builder: Builder, result: Any) -> None:
    """A network must return its last tensor, flat, and leave nothing unused."""
    if not isinstance(result, Tensor):
        raise GraphError(f"network {name!r} returned {result!r}, not a Tensor")
    if len(result.shape) != 1:
        raise GraphError(f"network {name!r} ends in {result.shape}; logits are flat (classes,)")
    for head in builder.auxiliary:
        if builder.shapes[head] != result.shape:
            ends = f"{head} ends in {builder.shapes[head]}, the logits in {result.shape}"
            raise GraphError(f"network {name!r}: the auxiliary classifier {ends}")
    used = {i for node in builder.nodes for i in node.inputs} | {result.name, *builder.auxiliary}
    unused = [node.name for node in builder.nodes if node.name not in used]
    if not builder.nodes:
        raise GraphError(f"network {name!r} returns its input and computes nothing")
    if unused or result.name != builder.nodes[-1].name:
        raise GraphError(f"network {name!r} computes {unused or result.name} and does not use it")
