"""Shapes of a picture as SVG elements: no script, no style sheet, no font, nothing from outside."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from itertools import pairwise
from math import hypot
from xml.etree import ElementTree

Element = ElementTree.Element
Point = tuple[float, float]

LINE, PALE = "#333333", "#777777"
NARROW, WIDE, BROAD = " .,:;'|!iIjl()[]/ftr", "mMwW@%", "+=<>~#&"


def width(text: str, size: float, bold: bool = False) -> float:
    """Pixels that a text takes at most in the sans-serif fonts in use (DejaVu is the widest)."""
    ems = sum(map(em, text))
    return ems * size * (1.12 if bold else 1)


def em(letter: str) -> float:
    if letter in NARROW:
        return 0.42
    if letter in WIDE or unicodedata.east_asian_width(letter) in "WF":
        return 1.0
    return 0.84 if letter.isupper() or letter in BROAD or not letter.isascii() else 0.64


def wrapped(text: str, size: float, room: float, bold: bool = False) -> list[str]:
    """Lines of a text that are no wider than the room, where its words allow it."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if width(longer, size, bold) <= room or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def printable(text: str) -> str:
    """Without what XML cannot hold."""
    return "".join(c if c.isprintable() else "?" for c in text)


def number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def add(parent: Element, tag: str, words: str = "", **attributes: str | float) -> Element:
    """A child element; `font_size` is written font-size, and numbers in short."""
    values = {
        name.rstrip("_").replace("_", "-"): number(v) if isinstance(v, int | float) else v
        for name, v in attributes.items()
    }
    child = ElementTree.SubElement(parent, tag, values)
    child.text = printable(words) or None
    return child


def text(
    parent: Element, words: str, at: Point, size: float = 12, bold: bool = False, anchor: str = ""
) -> None:
    """One line of text, `at` its baseline."""
    extra = {"text_anchor": anchor} if anchor else {}
    extra |= {"font_weight": "bold"} if bold else {}
    add(parent, "text", words, x=at[0], y=at[1], font_size=size, **extra)


def path(parent: Element, points: Sequence[Point], arrow: bool, dashed: bool) -> None:
    """A line with round corners, and a head at its end where it is an arrow."""
    dash = {"stroke_dasharray": "4 3"} if dashed else {}
    add(parent, "path", d=rounded(points), fill="none", stroke=LINE, stroke_width=1.3, **dash)
    if arrow:
        head(parent, points[-2], points[-1])


def head(parent: Element, before: Point, tip: Point) -> None:
    """An arrow head at the tip."""
    x, y = toward(tip, before, 7)
    dx, dy = (tip[1] - y) / 2, (tip[0] - x) / 2
    corners = [tip, (x - dx, y + dy), (x + dx, y - dy)]
    points = " ".join(f"{number(a)},{number(b)}" for a, b in corners)
    add(parent, "polygon", points=points, fill=LINE)


def rounded(points: Sequence[Point], radius: float = 7) -> str:
    """Path data through the points, corners cut by curves."""
    parts = [f"M {pair(points[0])}"]
    for (before, corner), (_, after) in pairwise(pairwise(points)):
        parts.append(f"L {pair(toward(corner, before, radius))}")
        parts.append(f"Q {pair(corner)} {pair(toward(corner, after, radius))}")
    return " ".join([*parts, f"L {pair(points[-1])}"])


def toward(a: Point, b: Point, length: float) -> Point:
    """The point this far from a on the way to b, at most half of it."""
    distance = hypot(b[0] - a[0], b[1] - a[1])
    part = min(length / distance, 0.5) if distance else 0
    return a[0] + (b[0] - a[0]) * part, a[1] + (b[1] - a[1]) * part


def pair(point: Point) -> str:
    return f"{number(point[0])} {number(point[1])}"


def written(root: Element) -> str:
    """The picture as a text, indented."""
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode")
