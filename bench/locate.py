"""Where a framework's program parts from the referee: the first node that is computed wrongly.

A prefix of a network is what one node needs, closed by a small dense layer that mixes all its
values: an ordinary network, which every adapter can build. Prefixes are checked by bisection until
the one before a node agrees and the one up to it does not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import prod

from bench.graph import Graph, Node
from bench.ops import Dense, Flatten, Op, Shape

CLASSES = 8  # of the dense layer at the end of a prefix

Check = Callable[[Graph], str]  # how far a prefix is off, or nothing where it agrees


def prefix(graph: Graph, index: int) -> Graph:
    """The network up to node `index`, with a classifier of its own."""
    kept = graph.ancestors([graph.nodes[index].name])
    nodes = [node for node in graph.nodes[: index + 1] if node.name in kept]
    if len(nodes[-1].output) > 1:
        nodes.append(head("flatten", Flatten(), nodes[-1], (prod(nodes[-1].output),)))
    nodes.append(head("dense", Dense(CLASSES), nodes[-1], (CLASSES,)))
    return replace(graph, nodes=tuple(nodes), auxiliary=())


def head(name: str, op: Op, before: Node, output: Shape) -> Node:
    return Node(f"prefix.{name}", op, (before.name,), (before.output,), output)


def first_wrong(graph: Graph, check: Check) -> str:
    """The node at which prefixes begin to be wrong, in words; or that all of them agree."""
    wrong = check(prefix(graph, len(graph.nodes) - 1))
    if not wrong:
        return "every prefix of the network agrees: look at the loss, or at how heads are joined"
    low, high = -1, len(graph.nodes) - 1  # agrees up to `low`, not up to `high`
    while high - low > 1:
        middle = (low + high) // 2
        found = check(prefix(graph, middle))
        low, high, wrong = (low, middle, found) if found else (middle, high, wrong)
    node = graph.nodes[high]
    shared = "" if high else " (or what all prefixes share: input, loss, how gradients are read)"
    return f"the first wrong node is {node.name}, {described(node)}{shared}: {wrong}"


def described(node: Node) -> str:
    """An operator with its attributes and the shapes of its inputs."""
    attributes = ", ".join(f"{k}={v}" for k, v in node.op.attributes().items())
    return f"{node.op.kind}({attributes}) of {', '.join(map(str, node.input_shapes))}"
