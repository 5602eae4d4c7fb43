"""Networks of the referee: forward, loss and backward over a whole graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.graph import INPUT, Graph, Node
from bench.reference.operators import BACKWARD, FORWARD, Array, Arrays, At
from bench.reference.ties import EVERY, TIES

Near = Callable[[Node, Array], Array]


@dataclass
class Run:
    """One pass over a network: the logits, in training also those of auxiliary classifiers by
    node, what the backward needs, and that with ties decided the other way."""

    graph: Graph
    logits: Array
    outputs: Arrays
    saved: dict[str, Any]
    other: dict[str, Any]


def node_weights(node: Node, weights: Mapping[str, Array], dtype: Any) -> Arrays:
    names = [*node.weights, *node.state]
    return {w: weights[f"{node.name}/{w}"].astype(dtype, copy=False) for w in names}


def rms(x: Array) -> float:
    """Root of the mean square, summed in float64."""
    return float(np.sqrt(np.mean(np.square(x, dtype=np.float64))))


def last_uses(graph: Graph) -> dict[str, str]:
    """For each value the node after which nobody reads it."""
    return {i: node.name for node in graph.nodes for i in node.inputs}


def run(
    graph: Graph,
    weights: Mapping[str, Array],
    x: Array,
    *,
    training: bool = False,
    dtype: Any = np.float64,
    keep: bool = False,
    near: Near | None = None,
    every: bool = False,
    observe: Callable[[Node, Array], Mapping[str, Array]] | None = None,
) -> Run:
    """Run a network. With `keep` what its backward needs is kept, with `near` also that with every
    tie decided the other way; `every` gives the gradient of a max pooling to each of equal maxima.
    `observe` sees each node and its first input beforehand and may
    replace its weights (calibration). Inference leaves auxiliary classifiers out."""
    graph = graph if training else graph.evaluated()
    values, last = {INPUT: x.astype(dtype)}, last_uses(graph)
    saved: dict[str, Any] = {}
    other: dict[str, Any] = {}
    y = values[INPUT]
    for node in graph.nodes:
        inputs = [values[i] for i in node.inputs]
        own = node_weights(node, weights, dtype)
        if observe:
            own.update(observe(node, inputs[0]))
        y, rest = FORWARD[node.op.kind](node.op, At(inputs, own, training))
        values[node.name] = y
        if every and node.op.kind in EVERY:
            rest = EVERY[node.op.kind](node.op, inputs[0], y, rest)
        if keep:
            saved[node.name] = rest
        if near and node.op.kind in TIES:
            limit = near(node, inputs[0])
            turned = (TIES | EVERY if every else TIES)[node.op.kind]
            other[node.name] = turned(node.op, inputs[0], y, rest, limit)
        for name in {i for i in node.inputs if last[i] == node.name and i not in graph.losses}:
            del values[name]
    outputs = {name: values[name] for name in graph.losses}
    return Run(graph, y, outputs, saved, saved | other)


def cross_entropy(logits: Array, labels: Array) -> tuple[float, Array]:
    """Mean softmax cross-entropy of (N, classes) and (N,), and its gradient."""
    shifted = logits - logits.max(1, keepdims=True)
    exponentials = np.exp(shifted)
    total = exponentials.sum(1, keepdims=True)
    rows = np.arange(len(labels))
    loss = float((np.log(total[:, 0]) - shifted[rows, labels]).mean())
    gradient = exponentials / total
    gradient[rows, labels] -= 1
    return loss, gradient / len(labels)


def backpropagate(passed: Run, labels: Array) -> tuple[float, Arrays, Array]:
    """The loss of a kept training pass, and the gradients of every parameter and of the input."""
    loss, flowing, found = 0.0, Arrays(), Arrays()
    for name, weight in passed.graph.losses.items():
        value, gradient = cross_entropy(passed.outputs[name], labels)
        loss, flowing[name] = loss + weight * value, weight * gradient
    for node in reversed(passed.graph.nodes):
        step = BACKWARD[node.op.kind]
        dinputs, dweights = step(node.op, passed.saved[node.name], flowing.pop(node.name))
        found |= {f"{node.name}/{w}": g for w, g in dweights.items()}
        for name, gradient in zip(node.inputs, dinputs, strict=True):
            flowing[name] = flowing[name] + gradient if name in flowing else gradient
    return loss, found, flowing[INPUT]


def train(
    graph: Graph, weights: Mapping[str, Array], x: Array, dtype: Any = np.float64, **hooks: Any
) -> Run:
    """A training pass that can be backpropagated, see `run`."""
    return run(graph, weights, x, training=True, dtype=dtype, keep=True, **hooks)


def sgd(graph: Graph, values: Arrays, velocity: Arrays, gradients: Arrays) -> None:
    """A step of SGD with momentum, in place: v = momentum v + g; w = w - learning_rate v."""
    for key, gradient in gradients.items():
        rate, momentum = (gradient.dtype.type(n) for n in (graph.learning_rate, graph.momentum))
        velocity[key] = momentum * velocity.get(key, 0 * gradient) + gradient
        values[key] = values[key] - rate * velocity[key]


def descend(
    graph: Graph,
    weights: Mapping[str, Array],
    batches: Iterable[tuple[Array, Array]],
    dtype: Any,
    **hooks: Any,
) -> tuple[list[float], Arrays]:
    """Train on one batch after the other: the loss before each step, and the parameters at last."""
    values: Arrays = {k: v.astype(dtype) for k, v in weights.items()}
    losses, velocity = [], Arrays()
    for x, y in batches:
        loss, gradients, _ = backpropagate(train(graph, values, x, dtype, **hooks), y)
        losses.append(loss)
        sgd(graph, values, velocity, gradients)
    return losses, {k: values[k] for k in velocity}
