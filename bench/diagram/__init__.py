"""The block structure of a network as an SVG picture, for `bench show NETWORK --diagram`.

At the left the whole network, equal blocks folded; beside it a panel for each kind of block. The
layout is ours (see layout.py): libraries that place general graphs know neither branches that
belong together nor shortcuts, and those that do it well call a system's Graphviz.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bench.diagram import layout, structure, svg, words
from bench.diagram.structure import OUTSIDE, Level, Panel
from bench.diagram.svg import Element, width
from bench.diagram.words import LEADING, NAME, TEXT, Box
from bench.graph import Graph
from bench.layers import times

MARGIN, GAP = 24.0, 28.0  # around and between pictures


@dataclass
class Picture:
    """A level that is laid out: its extent, and what to draw."""

    area: layout.Area
    boxes: Sequence[Box]
    sizes: Sequence[str]  # of the results, below the boxes
    input: str
    title: Sequence[tuple[str, bool]] = ()  # lines, and whether bold
    notes: Sequence[Sequence[str]] = ()  # lines beside each box
    least: float = 0  # width

    head = 34.0  # above the first box: the input's size and an arrow
    foot = 34.0

    @property
    def width(self) -> float:
        lines = [width(line, NAME if bold else TEXT, bold) for line, bold in self.title]
        column = self.area.left + self.right + self.room
        return max(self.least, max([column, *lines]) + 2 * MARGIN)

    @property
    def right(self) -> float:
        return max(self.area.right, width(self.input, TEXT) / 2)

    @property
    def room(self) -> float:
        """Of the notes."""
        return max((14 + width(line, TEXT) for lines in self.notes for line in lines), default=0)

    @property
    def height(self) -> float:
        return self.area.height + self.head + self.foot + LEADING * len(self.title) + MARGIN


def draw(graph: Graph, paper: str = "") -> str:
    """The picture of a network as the text of an SVG file; `paper` is written below its name."""
    top = structure.level(graph, graph.nodes, 0)
    found = structure.panels(graph, top)
    marks = structure.marks(found)
    whole = noted(picture(graph, top, marks), top)
    details = [titled(graph, picture(graph, panel.level, marks), panel) for panel in found]
    places = arranged(details, MARGIN + whole.width + GAP, whole.height)
    right = max([MARGIN + whole.width, *(x + p.width for p, (x, _) in places)])
    lines = words.heading(graph, paper, max(right - MARGIN, 560))
    top_edge = MARGIN + sum(size + 6 for _, size, _ in lines) + 10
    right = max([right, *(MARGIN + width(*line) for line in lines)])
    bottom = max([whole.height, *(y + p.height for p, (_, y) in places)])
    root = page(
        graph, right + MARGIN, top_edge + bottom + MARGIN, words.described(graph, top, found)
    )
    write_heading(root, lines)
    paint(root, whole, MARGIN, top_edge)
    for detail, (x, y) in places:
        frame(root, detail, x, top_edge + y)
        paint(root, detail, x, top_edge + y)
    return svg.written(root)


# -- what is shown -------------------------------------------------------------------------------


def picture(graph: Graph, level: Level, marks: Mapping[Any, str]) -> Picture:
    """A level laid out."""
    boxes = [words.box(graph, item, marks) for item in level.items]
    sizes = [times(item.nodes[-1].output) for item in level.items]
    edges = [
        (a if a != OUTSIDE else layout.BEGIN, b) for b, s in enumerate(level.sources) for a in s
    ]
    edges += [(a, layout.END) for a in sorted(level.leaving)]
    rooms = [8 + width(size, TEXT) for size in sizes]
    area = layout.Layout(edges, [b.size for b in boxes], rooms).area()
    return Picture(area, boxes, sizes, words.entering(level))


def titled(graph: Graph, shown: Picture, panel: Panel) -> Picture:
    """The lines above a panel."""
    only = {n.name for n in panel.item.nodes} <= structure.training_only(graph)
    others = [name for name in panel.others if name.partition("..")[0] != panel.item.name]
    listed = ", ".join(others[:6]) + (f" and {len(others) - 6} more" if len(others) > 6 else "")
    lines = [f"also of this kind: {listed}"] if others else []
    lines += ["in training only"] if only else []
    room = max(300, shown.width - 2 * MARGIN)
    short = [(part, False) for line in lines for part in svg.wrapped(line, TEXT, room)]
    return replace(shown, title=[(f"Block {panel.mark}: {panel.item.name}", True), *short])


def noted(shown: Picture, level: Level) -> Picture:
    """Arithmetic beside the boxes of a network that is a plain column."""
    if any(x for x, _ in shown.area.boxes.values()):
        return shown
    return replace(shown, notes=[list(words.notes(item)) for item in level.items])


# -- where it is shown ----------------------------------------------------------------------------


def arranged(
    pictures: Sequence[Picture], left: float, height: float
) -> list[tuple[Picture, tuple[float, float]]]:
    """Panels in columns as high as the network, or as the highest panel; in each equally wide."""
    limit = max([height, *(p.height for p in pictures)])
    columns: list[list[Picture]] = []
    for p in pictures:
        filled = sum(above.height + GAP for above in columns[-1]) if columns else limit
        if filled + p.height > limit:
            columns.append([])
        columns[-1].append(p)
    found, x = [], left
    for column in columns:
        y, widest = 0.0, max(p.width for p in column)
        for p in column:
            found.append((replace(p, least=widest), (x, y)))
            y += p.height + GAP
        x += widest + GAP
    return found


def page(graph: Graph, wide: float, high: float, description: str) -> Element:
    root = Element("svg", {"xmlns": "http://www.w3.org/2000/svg", "role": "img"})
    root.set("viewBox", f"0 0 {svg.number(wide)} {svg.number(high)}")
    root.set("width", svg.number(wide))
    root.set("height", svg.number(high))
    root.set("aria-labelledby", "title desc")
    root.set("font-family", "sans-serif")
    svg.add(root, "title", f"The structure of {graph.name}", id="title")
    svg.add(root, "desc", description, id="desc")
    svg.add(root, "rect", width=wide, height=high, fill="#ffffff")
    return root


def write_heading(root: Element, lines: Sequence[tuple[str, float, bool]]) -> None:
    y = MARGIN - 6
    for line, size, bold in lines:
        y += size + 6
        svg.text(root, line, (MARGIN, y), size, bold)


def frame(root: Element, shown: Picture, x: float, y: float) -> None:
    """The edge of a panel and its title."""
    svg.add(root, "rect", x=x, y=y, width=shown.width, height=shown.height, rx=10,
            fill="#fcfcfc", stroke="#bbbbbb")  # fmt: skip


def paint(root: Element, shown: Picture, x: float, y: float) -> None:
    """A picture with its upper left corner there."""
    for text, bold in shown.title:
        y += LEADING
        svg.text(root, text, (x + MARGIN / 2, y + 6), NAME if bold else TEXT, bold)
    x += (shown.width - shown.area.left - shown.right - shown.room) / 2 + shown.area.left
    y += shown.head + MARGIN / 2
    end = y + shown.area.height
    svg.text(root, shown.input, (x, y - 22), TEXT, anchor="middle")
    svg.path(root, [(x, y - 16), (x, y)], arrow=shown.area.top, dashed=False)
    svg.path(root, [(x, end), (x, end + shown.foot - 8)], arrow=True, dashed=False)
    for line in shown.area.lines:
        svg.path(root, line.moved(x, y).points, line.arrow, dashed=line.side)
    for vertex, (bx, by) in shown.area.boxes.items():
        paint_box(root, shown.boxes[vertex], x + bx, y + by)
        below = y + by + shown.boxes[vertex].size[1]
        svg.text(root, shown.sizes[vertex], (x + bx + 6, below + 14), TEXT)
    for vertex, note in enumerate(shown.notes):
        middle = y + shown.area.boxes[vertex][1] + shown.boxes[vertex].size[1] / 2
        for number, text in enumerate(note):
            base = middle + LEADING * (number - len(note) / 2) + 11
            svg.text(root, text, (x + shown.right + 14, base), TEXT)


def paint_box(root: Element, box: Box, x: float, y: float) -> None:
    """A box with its text, x in its middle, y at its upper edge."""
    wide, high = box.size
    group = svg.add(root, "g", class_="box")
    dash = {"stroke_dasharray": "4 3"} if box.training_only else {}
    svg.add(group, "rect", x=x - wide / 2, y=y, width=wide, height=high,
            rx=high / 2 if box.join else 6, fill=box.fill, stroke=svg.LINE,
            stroke_width=2.2 if box.block else 1, **dash)  # fmt: skip
    svg.text(group, box.name, (x, y + LEADING + 2), NAME, bold=True, anchor="middle")
    for number, line in enumerate(box.words, 2):
        svg.text(group, line, (x, y + LEADING * number + 2), TEXT, anchor="middle")
