"""Where boxes and lines go: blocks are stacked in series and stand side by side in parallel.

Networks of the papers are nested series and parallels, so the layout follows them exactly: a
series is a column about one line, the branches of a parallel stand next to each other, a branch
that is empty (a shortcut) is a line around the others. What is neither is stacked in execution
order, with a line of its own for each edge that jumps. y grows downwards; all lengths in pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise

OUT, IN = 21.0, 15.0  # below a box, with room for the size; above one, with room for the arrow
BETWEEN, LANE = 26.0, 20.0  # between branches; beside a branch for a line around it
BEGIN, END = -1, -2  # what comes before and after the vertices

Point = tuple[float, float]
Size = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """Straight pieces between points; an arrow head at its end, or none."""

    points: tuple[Point, ...]
    arrow: bool = False
    side: bool = False  # leads to what is beside the network

    def moved(self, dx: float, dy: float) -> Line:
        return Line(tuple((x + dx, y + dy) for x, y in self.points), self.arrow, self.side)


@dataclass
class Area:
    """A part that is laid out about the line x = 0, which enters at y = 0 and leaves at the height;
    it reaches `left` and `right` of that line."""

    left: float = 0
    right: float = 0
    height: float = 0
    boxes: dict[int, Point] = field(default_factory=dict)  # middle of the upper edge
    lines: list[Line] = field(default_factory=list)
    top: bool = False  # begins with a box: a line that enters is an arrow
    bottom: bool = False  # ends with a box
    tails: list[Point] = field(default_factory=list)  # ends still to be led to what follows

    def put(self, part: Area, x: float, y: float) -> None:
        """Add a part, its line at x, its upper end at y."""
        self.boxes |= {v: (bx + x, by + y) for v, (bx, by) in part.boxes.items()}
        self.lines += [line.moved(x, y) for line in part.lines]
        self.left, self.right = max(self.left, part.left - x), max(self.right, part.right + x)
        self.height = max(self.height, y + part.height)

    def line(self, *points: Point, arrow: bool = False, side: bool = False) -> None:
        corners = tuple(point for point, _ in groupby(points))
        if len(corners) > 1:
            self.lines.append(Line(corners, arrow, side))


@dataclass(frozen=True)
class Layout:
    """Lays out vertices 0, 1, ... that are in topological order.

    `edges` are (from, to), with BEGIN and END; `sizes` are of the boxes; `rooms` is how far to the
    right of the line the text below a box reaches."""

    edges: Sequence[tuple[int, int]]
    sizes: Sequence[Size]
    rooms: Sequence[float]

    def area(self) -> Area:
        """Everything; what does not lead to the end hangs at the right."""
        vertices = range(len(self.sizes))
        leading = ancestors(self.edges, END)
        hanging = components([v for v in vertices if v not in leading], self.edges)
        joints = [[a for a, b in self.edges if b in part and a not in part] for part in hanging]
        # a part with several joints stays in the column, as if it led to the end
        kept = [
            v for part, ends in zip(hanging, joints, strict=True) if len(ends) > 1 for v in part
        ]
        whole = self.closed([*kept, *leading])
        found = whole.series(BEGIN, sorted(v for v in vertices if v in leading or v in kept), END)
        hung = [(part, ends[0]) for part, ends in zip(hanging, joints, strict=True)
                if len(ends) == 1]  # fmt: skip
        self.hang(found, hung)
        return found

    def closed(self, vertices: Iterable[int]) -> Layout:
        """With edges to END from the vertices that lead nowhere."""
        chosen = set(vertices) - {BEGIN, END}
        edges = [(a, b) for a, b in self.edges if {a, b} <= chosen | {BEGIN, END}]
        ends = chosen - {a for a, _ in edges}
        return Layout([*edges, *((v, END) for v in sorted(ends))], self.sizes, self.rooms)

    def hang(self, area: Area, parts: Iterable[tuple[list[int], int]]) -> None:
        """Put the parts at the right, each beside what follows the vertex that it hangs on."""
        left, free = area.right + BETWEEN, 0.0
        for part, joint in sorted(parts, key=lambda p: area.boxes.get(p[1], (0, 0))[1]):
            x, y = area.boxes.get(joint, (0.0, 0.0))
            y += self.sizes[joint][1] + OUT if joint in area.boxes else 0
            if y < free:
                left = area.right + BETWEEN
            inner = [(BEGIN if a == joint else a, b) for a, b in self.edges if b in part]
            hung = Layout(inner, self.sizes, self.rooms).closed(part).series(BEGIN, part, END)
            area.put(hung, left + hung.left, y + IN)
            column = left + hung.left
            area.line((x, y), (column, y), (column, y + IN), arrow=hung.top, side=True)
            free = y + IN + hung.height + OUT

    def series(self, begin: int, vertices: Sequence[int], end: int) -> Area:
        """A column from `begin` to `end`, both not in it: the vertices that every way passes, and
        what is between each two of them."""
        area, passed = Area(), self.cuts(begin, vertices, end)
        stops = [-1, *(vertices.index(v) for v in passed), len(vertices)]
        ways = list(pairwise([begin, *passed, end]))
        for (i, j), (a, b) in zip(pairwise(stops), ways, strict=True):
            between = self.between(a, vertices[i + 1 : j], b)
            if between:
                self.stack(area, between)
            if b != end:
                self.stack(area, self.box(b))
        self.finish(area)
        return area

    def stack(self, area: Area, part: Area) -> None:
        """Put a part below, lead the line to it, and the tails of what is above."""
        y = area.height
        if not area.boxes and not area.lines:
            area.top = part.top
        else:
            start = y
            y += OUT * area.bottom + IN * (part.top or not area.bottom)
            area.line((0, start), (0, y), arrow=part.top)
        area.put(part, 0, y)
        if part.top:
            self.enter(area, part, y)
        area.bottom, area.tails = part.bottom, [(tx, ty + y) for tx, ty in part.tails]

    def enter(self, area: Area, part: Area, y: float) -> None:
        """Lead the tails into the right side of the box that a part begins with."""
        (vertex,) = [v for v, place in part.boxes.items() if place == (0, 0)]
        width, height = self.sizes[vertex]
        for number, (x, top) in enumerate(area.tails, 1):
            level = y + height * number / (len(area.tails) + 1)
            area.line((x, top), (x, level), (width / 2, level), arrow=True)
        area.tails = []

    def finish(self, area: Area) -> None:
        """Lead the tails to the line at the lower end."""
        for x, y in area.tails:
            area.line((x, y), (x, area.height), (0, area.height))
        area.tails = []

    def box(self, vertex: int) -> Area:
        width, height = self.sizes[vertex]
        right = max(width / 2, self.rooms[vertex])
        return Area(width / 2, right, height, {vertex: (0, 0)}, top=True, bottom=True)

    def cuts(self, begin: int, vertices: Sequence[int], end: int) -> list[int]:
        """The vertices that no edge jumps over, but for one from `begin` to `end`: that is a branch
        beside these."""
        place = {begin: -1} | {v: i for i, v in enumerate(vertices)} | {end: len(vertices)}
        jumped: set[int] = set()
        for a, b in self.edges:
            if a in place and b in place and (a, b) != (begin, end):
                jumped.update(range(place[a] + 1, place[b]))
        return [v for i, v in enumerate(vertices) if i not in jumped]

    def between(self, a: int, inner: Sequence[int], b: int) -> Area | None:
        """What is between two vertices; None if it is a line."""
        empty = self.edges.count((a, b))
        branches = [
            self.series(a, part, b) if self.cuts(a, part, b) else self.tangle(a, part, b)
            for part in components(inner, self.edges)
        ]
        if not branches and empty < 2:
            return None
        if len(branches) == 1 and not empty:
            return branches[0]
        beyond = self.sizes[b][0] / 2 if b >= 0 else 0
        return side_by_side(branches or [Area()], empty - (not branches), beyond + LANE)

    def tangle(self, a: int, vertices: Sequence[int], b: int) -> Area:
        """Neither series nor parallel: a stack, and at its right the edges that jump."""
        area, tops = Area(height=IN), {}
        for v in vertices:
            tops[v] = area.height
            area.put(self.box(v), 0, area.height)
            area.height += OUT + IN * (v != vertices[-1])
        neighbours = set(pairwise([a, *vertices, b]))
        for u, v in self.edges:
            if not ({u, v} & tops.keys() and {u, v} <= {a, b, *vertices}):
                continue
            end = area.height if v == b else tops[v]
            if (u, v) in neighbours:
                begin = 0.0 if u == a else tops[u] + self.sizes[u][1]
                area.line((0, begin), (0, end), arrow=v != b)
                continue
            start = (0.0, 0.0) if u == a else self.side(tops, u, 2 / 3)
            stop = (0.0, end) if v == b else self.side(tops, v, 1 / 3)
            area.right += LANE
            area.line(start, (area.right, start[1]), (area.right, stop[1]), stop, arrow=v != b)
        return area

    def side(self, tops: dict[int, float], vertex: int, part: float) -> Point:
        """A point of a box's right side."""
        width, height = self.sizes[vertex]
        return width / 2, tops[vertex] + height * part


def side_by_side(branches: Sequence[Area], empty: int, beyond: float) -> Area:
    """Branches between two lines across; up to two have the taller on the main line and the other
    at its right, more of them are centred. `empty` branches go around at the right. What leads to
    the side of the box below is at least `beyond` the main line."""
    inner = max(branch.height + OUT * branch.bottom for branch in branches)
    area = Area(height=IN + inner)
    main = max(branches, key=lambda branch: branch.height) if len(branches) < 3 else None
    ordered = [main, *(b for b in branches if b is not main)] if main else list(branches)
    for branch, x in zip(ordered, columns(ordered, centred=main is None), strict=True):
        y = IN + (inner - branch.height - OUT * branch.bottom) / 2
        through = main is None or branch is main
        x = x if through else max(x, beyond)
        area.put(branch, x, y)
        area.line((0, 0), (x, 0), (x, y), arrow=branch.top)
        if through:
            area.line((x, y + branch.height), (x, IN + inner), (0, IN + inner))
        else:
            area.tails.append((x, y + branch.height))
    for _ in range(empty):
        area.right = max(area.right + LANE, beyond)
        area.line((0, 0), (area.right, 0), (area.right, IN))
        area.tails.append((area.right, IN))
    return area


def columns(branches: Sequence[Area], centred: bool) -> list[float]:
    """x of each branch's line: one after the other from 0, or centred about it."""
    found = [0.0]
    for before, branch in pairwise(branches):
        found.append(found[-1] + before.right + BETWEEN + branch.left)
    if not centred:
        return found
    middle = (found[-1] + branches[-1].right - branches[0].left) / 2
    near = min(found, key=lambda x: abs(x - middle))
    middle = near if abs(near - middle) < BETWEEN else middle  # no small jogs
    return [x - middle for x in found]


def ancestors(edges: Sequence[tuple[int, int]], vertex: int) -> set[int]:
    """The vertices from which a way leads to this one."""
    found: set[int] = set()
    fresh = {vertex}
    while fresh:
        fresh = {a for a, b in edges if b in fresh} - found
        found |= fresh
    return found


def components(vertices: Sequence[int], edges: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Vertices that hang together by edges between them, in order."""
    group = {v: v for v in vertices}
    for a, b in edges:
        if a in group and b in group and group[a] != group[b]:
            old, new = group[b], group[a]
            group |= {v: new for v, g in group.items() if g == old}
    found: dict[int, list[int]] = {}
    for v in vertices:
        found.setdefault(group[v], []).append(v)
    return list(found.values())
