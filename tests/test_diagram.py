"""`bench show NETWORK --diagram`: what the picture holds, and that it can be read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import combinations, pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ImageFont

from bench import diagram, models
from bench.diagram import layout, structure, svg
from bench.graph import Tensor, block, build, network
from tests.conftest import Command

FILE = Path(__file__).with_name("networks.py")
ZOO, DEEP = f"{FILE}:zoo", f"{FILE}:deep"
NETWORKS = [*models.discover(), ZOO, DEEP]
SVG = "{http://www.w3.org/2000/svg}"
Rect = tuple[float, float, float, float]  # left, top, right, bottom


def drawn(name: str) -> ElementTree.Element:
    return ElementTree.fromstring(diagram.draw(models.load(name), "A paper & its <table>."))


def texts(root: ElementTree.Element) -> list[str]:
    return [element.text or "" for element in root.iter(f"{SVG}text")]


def number(element: ElementTree.Element, *names: str) -> list[float]:
    return [float(element.get(name, 0)) for name in names]


def boxes(root: ElementTree.Element) -> list[tuple[Rect, list[ElementTree.Element]]]:
    """Each box with the texts in it."""
    found = []
    for group in root.iter(f"{SVG}g"):
        (rect,) = group.findall(f"{SVG}rect")
        x, y, w, h = number(rect, "x", "y", "width", "height")
        found.append(((x, y, x + w, y + h), group.findall(f"{SVG}text")))
    return found


# -- the file -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETWORKS)
def test_the_picture_stands_alone_and_says_what_it_is(name: str) -> None:
    root = drawn(name)
    assert root.tag == f"{SVG}svg"
    kinds = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert kinds <= {"svg", "title", "desc", "rect", "text", "path", "polygon", "g"}
    text = ElementTree.tostring(root, encoding="unicode")
    assert not re.search(r"href|url\(|@import|onload|http(?!://www\.w3\.org/2000/svg)", text)
    labels = [root.find(f"{SVG}{tag}") for tag in ("title", "desc")]
    assert [e.get("id") for e in labels if e is not None] == root.get("aria-labelledby", "").split()
    graph = models.load(name)
    assert all(e is not None and graph.name in (e.text or "") for e in labels)


def test_markup_in_names_is_text() -> None:
    text = diagram.draw(models.load(ZOO), "A <paper> & more")
    assert "inverted_&lt;b&gt;&amp;amp;" in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; co." in text
    assert "A &lt;paper&gt; &amp; more" in text
    assert "<b>" not in text and "<script" not in text
    assert any("inverted_<b>&amp;" in words for words in texts(drawn(ZOO)))


def test_control_characters_do_not_spoil_the_file() -> None:
    @block
    def part(x: Tensor) -> Tensor:
        return x.conv(4, 1).relu().maxpool(2, 2)

    @network(3, 8, 8)
    def net(x: Tensor) -> Tensor:
        return part(x, name="\x00\x1b").flatten().dense(2)

    words = texts(ElementTree.fromstring(diagram.draw(build(net))))
    assert "part_??" in words


# -- what it holds --------------------------------------------------------------------------------


def panels(root: ElementTree.Element) -> list[str]:
    return [words.split(": ", 1)[1] for words in texts(root) if words.startswith("Block ")]


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("lenet5", []),
        ("alexnet", []),
        ("vgg16", []),
        ("googlenet", ["inception_3a"]),
        ("resnet50", ["bottleneck_2a", "bottleneck_2b"]),
        (ZOO, ["inverted_<b>&amp;", "inverted4", "head1", "mixed_a|0", "shuffled1", "tangled1",
               "squeeze_excite1"]),
        (DEEP, ["residual1", "residual2"]),
    ],
)  # fmt: skip
def test_every_kind_of_block_has_one_panel(name: str, kinds: list[str]) -> None:
    assert panels(drawn(name)) == kinds


@pytest.mark.parametrize("name", NETWORKS)
def test_no_layer_with_weights_is_left_out(name: str) -> None:
    """Boxes of the network, and of panels for its blocks, times their counts."""
    graph = models.load(name)
    top = structure.level(graph, graph.nodes, 0)
    inside = [node.name for item in top.items for node in item.nodes]
    assert sorted(inside) == sorted(node.name for node in graph.nodes)
    words = texts(drawn(name))
    for item in top.items:
        shown = item.name + f" ×{item.count}" * (item.count > 1)
        assert shown in words or item.nodes[0].op.kind in ("add", "multiply", "concat")


@pytest.mark.parametrize("name", NETWORKS)
def test_repeated_blocks_are_counted(name: str) -> None:
    """The counts in the picture add up to the blocks that the graph's names show."""
    graph = models.load(name)
    blocks = {node.name.split(".")[0] for node in graph.nodes if "." in node.name}
    top = structure.level(graph, graph.nodes, 0)
    counted = sum(item.count for item in top.items if "." in item.nodes[0].name)
    assert counted == len(blocks)


def test_equal_blocks_in_a_row_are_one_box() -> None:
    words = texts(drawn("resnet50"))
    for name in ("bottleneck_2b..2c ×2", "bottleneck_3b..3d ×3", "bottleneck_4b..4f ×5"):
        assert name in words
    deep = texts(drawn(DEEP))
    assert "mixed_a|0..3 ×4" in texts(drawn(ZOO))
    assert "residual2..15 ×14" in deep and "residual17..30 ×14" in deep
    assert "also of this kind: residual17..30" in deep


def test_blocks_of_other_sizes_are_not_folded() -> None:
    first = [lines[0].text or "" for _, lines in boxes(drawn("googlenet"))]
    names = [name for name in first if name.startswith("inception_")]
    assert names == [
        f"inception_{m}" for m in ("3a", "3b", "4a", "4b", "4c", "4d", "4e", "5a", "5b")
    ]


def test_what_ends_in_a_sum_is_not_folded_into_a_sum_with_itself() -> None:
    @network(3, 8, 8)
    def net(x: Tensor) -> Tensor:
        x = x.conv(4, 1).add(x.conv(4, 1))
        x = x.add(x)
        return x.add(x).maxpool(2, 2).flatten().dense(2)

    words = texts(ElementTree.fromstring(diagram.draw(build(net))))
    assert [word for word in words if word.startswith("+")] == ["+", "+ ×2"]


def test_the_column_of_alexnet_has_the_documents_arithmetic() -> None:
    words = texts(drawn("alexnet"))
    for line in ("55 = (227-11)/4+1", "(11*11*3)*96 + 96 = 34,944 parameters", "96*55*55",
                 "27 = (55-3)/2+1", "conv 11*11 / 4", "A paper & its <table>."):  # fmt: skip
        assert line in words


def test_an_inception_has_four_branches_side_by_side() -> None:
    graph = models.load("googlenet")
    (panel,) = structure.panels(graph, structure.level(graph, graph.nodes, 0))
    shown = diagram.picture(graph, panel.level, {})
    last = [panel.level.items[v] for v in panel.level.sources[-1]]
    assert [item.name.rpartition(".")[2] for item in last] == ["conv1", "conv3", "conv5", "conv6"]
    places = [shown.area.boxes[v] for v in panel.level.sources[-1]]
    assert [x for x, _ in places] == sorted({x for x, _ in places})


def test_auxiliary_classifiers_are_dashed_and_say_their_loss() -> None:
    root = drawn(ZOO)
    words = texts(root)
    assert words.count("loss * 0.3") == 2  # in the network, and in the panel
    assert words.count("loss * 0.25") == 1
    for group in root.iter(f"{SVG}g"):
        inside = [element.text for element in group.findall(f"{SVG}text")]
        dashed = group.find(f"{SVG}rect[@stroke-dasharray]") is not None
        assert dashed == ("training only" in inside)
    assert root.findall(f"{SVG}path[@stroke-dasharray]")
    assert not drawn("googlenet").findall(".//*[@stroke-dasharray]")


# -- whether it can be read -----------------------------------------------------------------------


def measured(element: ElementTree.Element) -> float:
    """Pixels of a text in Pillow's own font, another one than the estimate was made for."""
    (size,) = number(element, "font-size")
    return float(ImageFont.load_default(size).getlength(element.text or ""))


@pytest.mark.parametrize("name", NETWORKS)
def test_text_fits_its_box(name: str) -> None:
    for (left, top, right, bottom), lines in boxes(drawn(name)):
        for line in lines:
            x, y, size = number(line, "x", "y", "font-size")
            wide = max(
                measured(line), svg.width(line.text or "", size, bool(line.get("font-weight")))
            )
            assert left < x - wide / 2 and x + wide / 2 < right, line.text
            assert top < y - 0.75 * size and y + 0.2 * size < bottom, line.text


def test_the_estimate_is_above_what_text_takes() -> None:
    letters = "".join(map(chr, range(33, 127)))
    for text in (*letters, letters, "bottleneck_3b..3d ×3"):
        assert ImageFont.load_default(100).getlength(text) <= svg.width(text, 100)
    assert svg.width("网络", 12) == 24


def overlap(a: Rect, b: Rect) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


@pytest.mark.parametrize("name", NETWORKS)
def test_nothing_covers_anything(name: str) -> None:
    """Boxes and the texts outside of them, all on the page."""
    root = drawn(name)
    found = boxes(root)
    inside = {id(line) for _, lines in found for line in lines}
    things = [rect for rect, _ in found]
    for element in root.iter(f"{SVG}text"):
        if id(element) not in inside:
            x, y, size = number(element, "x", "y", "font-size")
            wide = svg.width(element.text or "", size, bool(element.get("font-weight")))
            x -= wide / 2 if element.get("text-anchor") == "middle" else 0
            things.append((x, y - 0.75 * size, x + wide, y + 0.2 * size))
    assert [pair for pair in combinations(things, 2) if overlap(*pair)] == []
    wide, high = number(root, "width", "height")
    assert all(x >= 0 and y >= 0 and u <= wide and v <= high for x, y, u, v in things)


# -- lines ----------------------------------------------------------------------------------------

Edges = list[tuple[int, int]]


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Edges, list[tuple[float, float]]]:
    """Any network of up to eight boxes: each reads what is before it, the last ends it all."""
    count = draw(st.integers(1, 8))
    edges = [
        (a, b)
        for b in range(count)
        for a in draw(st.lists(st.integers(-1, b - 1), min_size=1, max_size=3))
    ]
    read = {a for a, _ in edges}
    edges += [(v, layout.END) for v in range(count) if v not in read]
    size = st.tuples(st.sampled_from([44.0, 90.0, 210.0]), st.sampled_from([26.0, 56.0]))
    return edges, [draw(size) for _ in range(count)]


def on(point: layout.Point, line: layout.Line) -> bool:
    """Whether a point is on one of a line's straight pieces."""
    x, y = point
    return any(
        min(a[0], b[0]) <= x <= max(a[0], b[0]) and min(a[1], b[1]) <= y <= max(a[1], b[1])
        for a, b in pairwise(line.points)
    )


def followed(area: layout.Area, sizes: list[tuple[float, float]]) -> set[tuple[int, int]]:
    """The edges that an eye finds which follows the lines from box to box."""
    rects = {v: (x - sizes[v][0] / 2, y, x + sizes[v][0] / 2, y + sizes[v][1])
             for v, (x, y) in area.boxes.items()}  # fmt: skip

    def at(point: layout.Point) -> int | None:
        x, y = point
        return next((v for v, r in rects.items() if r[0] <= x <= r[2] and r[1] <= y <= r[3]), None)

    def reached(lines: list[layout.Line]) -> Iterator[int]:
        for line in lines:  # grows while it is walked
            end = at(line.points[-1])
            if end is not None:
                yield end
            elif line.points[-1] == (0, area.height):
                yield layout.END
            else:
                starting = (n for n in area.lines if n not in lines and on(n.points[0], line))
                lines.extend(n for n in starting if at(n.points[0]) is None)

    found = {
        (v, end) for v in rects for end in reached([n for n in area.lines if at(n.points[0]) == v])
    }
    entering = [n for n in area.lines if n.points[0] == (0, 0) and at((0, 0)) is None]
    return found | {(layout.BEGIN, end) for end in reached(entering)}


@settings(deadline=None, max_examples=300)
@given(graphs())
def test_lines_lead_where_the_edges_do(graph: tuple[Edges, list[tuple[float, float]]]) -> None:
    edges, sizes = graph
    area = layout.Layout(edges, sizes, [70.0] * len(sizes)).area()
    expected = set(edges)
    if area.top:
        expected -= {(layout.BEGIN, 0)}  # the box itself is where the line enters
    last = {v for v, (x, y) in area.boxes.items() if (x, y + sizes[v][1]) == (0, area.height)}
    expected -= {(v, layout.END) for v in last if area.bottom}
    assert followed(area, sizes) == expected


@settings(deadline=None, max_examples=300)
@given(graphs())
def test_no_box_is_on_another_or_on_a_line(graph: tuple[Edges, list[tuple[float, float]]]) -> None:
    edges, sizes = graph
    area = layout.Layout(edges, sizes, [70.0] * len(sizes)).area()
    rects = [(x - sizes[v][0] / 2 + 1, y + 1, x + sizes[v][0] / 2 - 1, y + sizes[v][1] - 1)
             for v, (x, y) in area.boxes.items()]  # fmt: skip
    assert sorted(area.boxes) == list(range(len(sizes)))
    assert [pair for pair in combinations(rects, 2) if overlap(*pair)] == []
    for line in area.lines:
        for (x, y), (u, v) in pairwise(line.points):
            piece = (min(x, u), min(y, v), max(x, u), max(y, v))
            assert not any(overlap(piece, rect) for rect in rects)
        assert all(-area.left <= x <= area.right for x, _ in line.points)
        assert all(0 <= y <= area.height for _, y in line.points)


def test_a_line_left_out_would_be_missed() -> None:
    edges, sizes = [(-1, 0), (0, 1), (0, 2), (1, 2), (2, layout.END)], [(90.0, 26.0)] * 3
    area = layout.Layout(edges, sizes, [70.0] * 3).area()
    whole = followed(area, sizes)
    assert whole == {(0, 1), (0, 2), (1, 2)}
    for line in list(area.lines):
        area.lines.remove(line)
        assert followed(area, sizes) < whole
        area.lines.append(line)


# -- the command ----------------------------------------------------------------------------------


def test_the_picture_goes_to_standard_output_or_to_a_file(command: Command, tmp_path: Path) -> None:
    done = command("show", "resnet50", "--diagram")
    assert (done.status, done.err) == (0, "")
    assert command("show", "resnet50", "--diagram", "--out", "r.svg").out == ""
    assert (tmp_path / "r.svg").read_text(encoding="utf-8").rstrip() == done.out.rstrip()
    assert "Deep residual learning" in done.out


def test_a_users_network_is_drawn(command: Command) -> None:
    root = ElementTree.fromstring(command("show", ZOO, "--diagram").out)
    assert "squeeze_excite1" in panels(root)
