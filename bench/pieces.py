"""Where the values of a network lie in memory, if views take none: which pieces each consists of.

A flattened or shuffled value is its input, a slice is a part of its source, and a concatenation is
its inputs, which were written there at once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from math import prod

from bench.graph import INPUT, Graph, Node

VIEWS = ("flatten", "channelshuffle", "slice", "concat")


@dataclass(frozen=True)
class Piece:
    """Channels that node `owner` wrote, all of them in the same values."""

    owner: str
    start: int
    stop: int


Pieces = frozenset[Piece]


class Layout:
    """The pieces of each value of a graph, and their sizes."""

    def __init__(self, graph: Graph) -> None:
        self.shapes = {INPUT: graph.input} | {node.name: node.output for node in graph.nodes}
        spans = {INPUT: [Piece(INPUT, 0, graph.input[0])]}
        for node in graph.nodes:
            spans[node.name] = span(node, spans)
        ends: dict[str, set[int]] = defaultdict(set)
        for piece in (piece for found in spans.values() for piece in found):
            ends[piece.owner] |= {piece.start, piece.stop}
        self.of = {name: frozenset(cut(found, ends)) for name, found in spans.items()}

    def inputs(self, node: Node) -> Pieces:
        """The pieces of all that a node reads."""
        return frozenset[Piece]().union(*(self.of[name] for name in node.inputs))

    def numbers(self, pieces: Iterable[Piece]) -> int:
        """How many numbers these hold, for one image."""
        return sum((p.stop - p.start) * prod(self.shapes[p.owner][1:]) for p in pieces)


def span(node: Node, known: Mapping[str, list[Piece]]) -> list[Piece]:
    """The memory of a node's result, in order: its own, or if it is a view that of its inputs."""
    if node.op.kind not in VIEWS:
        return [Piece(node.name, 0, node.output[0])]
    whole = [piece for name in node.inputs for piece in known[name]]
    attrs = node.op.attributes()
    return part(whole, attrs["start"], attrs["stop"]) if node.op.kind == "slice" else whole


def part(whole: Iterable[Piece], start: int, stop: int) -> list[Piece]:
    """The channels from `start` up to `stop` of pieces that follow each other."""
    found, place = [], 0
    for piece in whole:
        size = piece.stop - piece.start
        low, high = max(start - place, 0), min(stop - place, size)
        if low < high:
            found.append(Piece(piece.owner, piece.start + low, piece.start + high))
        place += size
    return found


def cut(pieces: Iterable[Piece], ends: Mapping[str, set[int]]) -> Iterator[Piece]:
    """The pieces, cut wherever some value begins or ends in them."""
    for piece in pieces:
        marks = sorted(m for m in ends[piece.owner] if piece.start <= m <= piece.stop)
        for start, stop in pairwise(marks):
            yield Piece(piece.owner, start, stop)
