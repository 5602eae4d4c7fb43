"""What a picture of a network shows: an item for each box, block by block.

A level is what stands side by side under one scope: the network itself, or the inside of a block.
An item is an operator with the elementwise ones that follow it (convolution, batch norm, ReLU), or
a block, or a run of equal ones folded into one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from string import digits
from typing import Any

from bench.graph import Graph, Node
from bench.ops import (
    BatchNorm,
    Dropout,
    Flatten,
    HardSigmoid,
    HardSwish,
    Relu,
    Relu6,
    Sigmoid,
    Swish,
)

FOLLOWERS = (BatchNorm, Dropout, Flatten, HardSigmoid, HardSwish, Relu, Relu6, Sigmoid, Swish)
OUTSIDE = -1  # in the place of an item's number: what comes from outside of the level


@dataclass(frozen=True)
class Item:
    """One box: the nodes in it in execution order, how many equal ones it stands for."""

    name: str
    nodes: tuple[Node, ...]
    block: bool = False  # has an inside worth a picture of its own
    count: int = 1

    @property
    def end(self) -> str:
        """The node whose result leaves the item."""
        return self.nodes[-1].name

    @property
    def sources(self) -> list[str]:
        """The nodes outside that it reads, once each; an operator that reads one twice, twice."""
        inside = {node.name for node in self.nodes}
        read = [name for node in self.nodes for name in node.inputs if name not in inside]
        return list(dict.fromkeys(read)) if self.block else list(self.nodes[0].inputs)

    def form(self, exact: bool) -> tuple[Any, ...]:
        """Equal for items of one kind; `exact`: with equal sizes too, whatever the drop rate."""
        place = {node.name: number for number, node in enumerate(self.nodes)}
        return tuple(
            (
                node.op if exact and not isinstance(node.op, Dropout) else node.op.kind,
                tuple(place.get(name, OUTSIDE) for name in node.inputs),
                node.input_shapes if exact else (),
            )
            for node in self.nodes
        )


@dataclass(frozen=True)
class Level:
    """Items in execution order, and for each the numbers of those whose results it reads."""

    items: tuple[Item, ...]
    sources: tuple[tuple[int, ...], ...]
    leaving: frozenset[int]  # whose result is used outside


@dataclass(frozen=True)
class Panel:
    """The inside of a kind of block, shown for the first of them."""

    mark: str
    item: Item
    others: tuple[str, ...]  # of the same kind, with other sizes
    level: Level


def level(graph: Graph, nodes: Sequence[Node], depth: int) -> Level:
    """What stands under a scope that is `depth` names deep, equal runs folded."""
    items = folded(graph, parts(graph, nodes, depth))
    number = {node.name: i for i, item in enumerate(items) for node in item.nodes}
    outside = {name for n in graph.nodes if n.name not in number for name in n.inputs}
    sources = [tuple(number.get(name, OUTSIDE) for name in item.sources) for item in items]
    left = {number[name] for name in outside & number.keys()} | {len(items) - 1}
    return Level(tuple(items), tuple(sources), frozenset(left))


def parts(graph: Graph, nodes: Sequence[Node], depth: int) -> list[Item]:
    """Items in execution order; an elementwise operator joins the one that only it reads."""
    readers = Counter(name for node in graph.nodes for name in node.inputs)
    items: list[Item] = []
    for (*_, name), group in groupby(nodes, lambda n: tuple(n.name.split(".")[: depth + 1])):
        members = tuple(group)
        first = members[0]
        inside = first.name.count(".") > depth
        block = inside and len(parts(graph, members, depth + 1)) > 1
        joins = not inside and isinstance(first.op, FOLLOWERS) and readers[first.inputs[0]] == 1
        holder = next((i for i, item in enumerate(items) if item.end == first.inputs[0]), None)
        if joins and holder is not None and not items[holder].block:
            items[holder] = replace(items[holder], nodes=(*items[holder].nodes, first))
            continue
        items.append(Item(name, members, block))
    return items


def folded(graph: Graph, items: Sequence[Item]) -> list[Item]:
    """Runs of equal items, each reading nothing but the one before, as one item."""
    found: list[list[Item]] = []
    for item in items:
        if found and repeats(graph, found[-1][-1], item):
            found[-1].append(item)
        else:
            found.append([item])
    return [joined(run) for run in found]


def repeats(graph: Graph, before: Item, item: Item) -> bool:
    """Whether an item does the same again, and nothing else sees what is between."""
    inside = {node.name for node in item.nodes}
    readers = {node.name for node in graph.nodes if before.end in node.inputs}
    heads = {name for name, _ in graph.auxiliary}
    return (
        before.form(exact=True) == item.form(exact=True)
        and len(set(before.sources)) == 1  # the sum of two is no beginning for sums with itself
        and set(item.sources) == {before.end}
        and readers <= inside
        and before.end not in heads
    )


def joined(run: Sequence[Item]) -> Item:
    """A run of equal items as one; it ends where its last one ends."""
    nodes = tuple(node for item in run for node in item.nodes)
    name = named([item.name for item in run])
    return replace(run[0], name=name, nodes=nodes, count=len(run))


def named(names: Sequence[str]) -> str:
    """`bottleneck_3b..3d` for a run of names."""
    first, last = names[0], names[-1]
    if first == last:
        return first
    stems = [first.rstrip(digits), first[: first.rfind("_") + 1]]
    stem = next((s for s in stems if s and last.startswith(s)), "")
    return f"{first}..{last[len(stem) :]}"


def panels(graph: Graph, top: Level) -> list[Panel]:
    """A panel for each kind of block, those of the network first, then those inside of them."""
    waiting = [(top, 1)]
    kinds: dict[tuple[Any, ...], tuple[Item, int, list[str]]] = {}
    for shown, depth in waiting:  # grows while it is walked
        for item in filter(lambda item: item.block, shown.items):
            kind = representative(item).form(exact=False)
            if kind not in kinds:
                kinds[kind] = (representative(item), depth, [])
                waiting.append((inside(graph, item, depth), depth + 1))
            kinds[kind][2].append(item.name)
    return [
        Panel(mark(number), item, tuple(names), inside(graph, item, depth))
        for number, (item, depth, names) in enumerate(kinds.values())
    ]


def representative(item: Item) -> Item:
    """The first of a run."""
    first = item.nodes[: len(item.nodes) // item.count]
    return replace(item, name=item.name.partition("..")[0], nodes=first, count=1)


def inside(graph: Graph, item: Item, depth: int) -> Level:
    return level(graph, representative(item).nodes, depth)


def mark(number: int) -> str:
    """A, B, ... Z, then numbers."""
    return chr(ord("A") + number) if number < 26 else str(number + 1)


def marks(found: Sequence[Panel]) -> dict[tuple[Any, ...], str]:
    """The mark of the panel that shows a kind of block."""
    return {panel.item.form(exact=False): panel.mark for panel in found}


def training_only(graph: Graph) -> frozenset[str]:
    """Names of the nodes that inference leaves out."""
    kept = {node.name for node in graph.evaluated().nodes}
    return frozenset(node.name for node in graph.nodes if node.name not in kept)


def labels(graph: Graph, nodes: Sequence[Node]) -> Iterator[str]:
    """What training adds to the loss here."""
    weights = dict(graph.auxiliary)
    for node in nodes:
        if node.name in weights:
            yield f"loss * {weights[node.name]:g}"
