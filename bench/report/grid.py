"""Tables of the page: what is shown of each row, and what it is sorted and filtered by."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from bench.charts.panels import FILTERED
from bench.figures import significant

Row = Mapping[Any, Any]


@dataclass(frozen=True)
class Cell:
    """What is shown, and what it is sorted by."""

    text: str
    value: float | str


@dataclass(frozen=True)
class Line:
    """A row: its cells, what filters ask for, and the row of the summary that it opens."""

    cells: list[Cell]
    keys: dict[str, str]
    opens: int | None = None


@dataclass(frozen=True)
class Table:
    """A table of the page; `file` is its CSV, `numbers` says which columns are."""

    name: str
    title: str
    about: str
    columns: list[str]
    numbers: list[bool]
    lines: list[Line] = field(default_factory=list)
    file: str = ""


@dataclass(frozen=True)
class Column:
    """A heading, and what a row has under it."""

    title: str
    get: Callable[[Row], Any]
    show: Callable[[Any], str] = str
    number: bool = False

    def cell(self, row: Row) -> Cell:
        value = self.get(row)
        if value is None or (not isinstance(value, str) and pd.isna(value)):
            return Cell("", -1 if self.number else "")
        return Cell(self.show(value), float(value) if self.number else str(value))


def text(name: str, title: str = "") -> Column:
    return Column(title or name, lambda row: row.get(name))


def yes(name: str) -> Column:
    """`yes`, or nothing."""
    return Column(name, lambda row: "yes" if row.get(name) is True else "")


def number(
    name: str, title: str, scale: float = 1, show: Callable[[float], str] = significant
) -> Column:
    def get(row: Row) -> Any:
        value = row.get(name)
        return None if value is None or pd.isna(value) else value * scale

    return Column(title, get, show, number=True)


def whole(value: float) -> str:
    return f"{value:,.0f}"


def between(low: str, high: str, scale: float, title: str) -> Column:
    """An interval; empty where there is none."""

    def get(row: Row) -> Any:
        ends = [significant(row[end] * scale) for end in (low, high)]
        return None if pd.isna(row[low]) else " to ".join(ends)

    return Column(title, get)


def place(frame: pd.DataFrame) -> list[Column]:
    """Contender and situation; what is the same in all rows is left away, but for the network."""
    first = [text("contender"), text("model", "network")]
    others = ("phase", "batch", "device", "precision", "threads", "run")
    return first + [
        number(c, c, show=whole) if c in ("batch", "threads") else text(c)
        for c in others
        if c in frame and frame[c].nunique() > 1
    ]


def table(
    name: str, title: str, about: str, columns: list[Column], frame: pd.DataFrame, file: str = ""
) -> Table:
    """The rows of a frame under those of the columns that have a value. Rows of `times` open their
    samples."""
    rows = frame.to_dict("records")
    columns = [c for c in columns if any(c.cell(row).text for row in rows)]
    lines = [
        Line([c.cell(row) for c in columns], keys(row), index if name == "times" else None)
        for index, row in zip(frame.index.tolist(), rows, strict=True)
    ]
    titles, numbers = [c.title for c in columns], [c.number for c in columns]
    return Table(name, title, about, titles, numbers, lines, f"tables/{file}.csv" if file else "")


def keys(row: Mapping[Any, Any]) -> dict[str, str]:
    return {k: str(row[k]) for k in FILTERED if k in row and not pd.isna(row[k])}
