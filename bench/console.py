"""What people see: progress with the time left, and tables. Only `cli/` uses it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
from rich.box import SIMPLE_HEAD
from rich.console import Console, JustifyMethod
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from bench.figures import significant
from bench.layers import COLUMNS, WORDS, cells, grouped, times, totals
from bench.store import CELL

WIDTH = 500  # of a line in a file or a pipe
LONGEST = 60  # of a text in a table there
WIDE = 170  # what the layer table of a network of the papers needs
out = Console(highlight=False, width=None if sys.stdout.isatty() else WIDTH)
err = Console(stderr=True, highlight=False)


class Steps:
    """Progress over a known number of steps on standard error: a bar on a terminal, else lines.

    The time left is that of the steps so far, each weighted equally."""

    def __init__(self, title: str, total: int) -> None:
        self.title, self.total, self.count = title, total, 0
        self.start = time.monotonic()
        columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        self.bar = Progress(*columns, console=err) if err.is_terminal else None
        self.task = self.bar.add_task(title, total=total) if self.bar else None

    def __enter__(self) -> Steps:
        if self.bar:
            self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar:
            self.bar.stop()

    def step(self, message: str) -> None:
        """One more step is done."""
        self.count += 1
        line = f"{self.title} {self.count}/{self.total}, {self.left()} left: {message}"
        if self.bar and self.task is not None:
            left = f"{self.title} {self.count}/{self.total}, {self.left()} left"
            self.bar.update(self.task, completed=self.count, description=left)
            self.bar.print(f"  {message}", markup=False)
        else:
            say(line)

    def left(self) -> str:
        spent = time.monotonic() - self.start
        return duration(spent / self.count * (self.total - self.count))


class Watch:
    """Shows on standard error how it goes, see `session.Watch`."""

    def say(self, message: str) -> None:
        """A line of its own."""
        say(message)

    def steps(self, title: str, total: int) -> Steps:
        """Progress over many steps."""
        return Steps(title, total)


def say(message: str) -> None:
    """A line on standard error, whole however long it is, names with brackets as they are."""
    err.print(message, markup=False, soft_wrap=True)


def duration(seconds: float) -> str:
    """45 s, 3 min, 1 h 20 min."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], left: int = 2) -> None:
    """A table on standard output; the first `left` columns are text."""
    grid = Table(title=title or None, title_justify="left", header_style="bold", box=SIMPLE_HEAD)
    longest = None if out.is_terminal else LONGEST
    for index, column in enumerate(columns):
        justify: JustifyMethod = "left" if index < left else "right"
        grid.add_column(column, justify=justify, overflow="fold", max_width=longest)
    for row in rows:
        grid.add_row(*(str(cell).replace("[", r"\[") for cell in row))
    out.print(grid)


def layers(found: Mapping[str, Any]) -> None:
    """The layer table of a network, see `bench.layers`: paper and definition, rows, totals."""
    for text in filter(None, [found["paper"], found["definition"]]):
        out.print(text, markup=False)
    title = f"{found['name']}: input {times(found['input'])}"
    rows = [[grouped(cell) for cell in cells(row)] for row in found["layers"]]
    if out.is_terminal and out.width < WIDE:
        table(title, ["layer", "output", "parameters", *COLUMNS[-2:]], map(stacked, rows), left=3)
    else:
        table(title, COLUMNS, rows, left=WORDS)
    out.print(totals(found), markup=False)


def stacked(row: Sequence[str]) -> list[str]:
    """A row of the layer table where there is no room for nine columns: two lines."""
    name, op, kernel, output, size, arithmetic, count, *rest = row
    parameters = f"{arithmetic}\n= {count}" if count != "0" else count
    return [f"{name}\n{op} {kernel}", f"{output}\n{size}", parameters, *rest]


def summary(frame: pd.DataFrame) -> None:
    """The result of a run: a table for each cell, and below it what has no number or must be known
    of one."""
    columns = ["framework", "mode", "ms", "±", "images/s", "times the fastest", "verdict", "MiB",
               "× least", "first call s", "blocks"]  # fmt: skip
    for (model, batch, phase, *_), cell in frame.groupby(CELL, sort=False):
        first = cell.iloc[0]
        title = f"{model}, batch {batch}, {phase}, {first['device']}, {first['precision']}, "
        cases = cell.sort_values("median").to_dict("records")
        rows = [summary_row(case) for case in cases if case["status"] == "ok"]
        table(title + f"{first['threads']} threads", columns, rows)
        for case in cases:
            if said := remark(case):
                out.print(f"  {case['framework']} {mode(case)}: {said}", markup=False)


def remark(case: Mapping[Any, Any]) -> str:
    if case["status"] != "ok":
        return f"{case['status']}: {shortened(case['reason'], 100)}"
    disturbed = f"{case['disturbed']:.0f} of {case['blocks']:.0f} blocks disturbed"
    said = [case["marks"], disturbed if case["disturbed"] else "", shortened(case["reason"], 100)]
    return "; ".join(filter(None, said))


def largest(frame: pd.DataFrame) -> None:
    """The largest batches that were searched for."""
    columns = ["framework", "mode", "model", "phase", "largest batch", "too large", "limit MiB"]
    rows = [
        [case["framework"], mode(case), case["model"], case["phase"], str(case["batch"]),
         "" if pd.isna(case["too_large"]) else f"{case['too_large']:.0f}", mebibytes(case["limit"])]
        for case in frame.to_dict("records")
    ]  # fmt: skip
    table("The largest batch that fits", columns, rows, left=4)


def summary_row(case: Mapping[Any, Any]) -> list[str]:
    ratio = f"{case['ratio']:.2f}{interval(case['ratio_low'], case['ratio_high'])}"
    return [
        case["framework"], mode(case), significant(case["median"] * 1e3, 4),
        uncertainty(case["median"], case["high"]), significant(case["images_per_second"], 4),
        *(["fastest", ""] if case["ratio"] == 1 else [ratio, case["verdict"]]),
        mebibytes(case["peak_memory"]), significant(case["times_least"], 2),
        significant(case["first_call"]), f"{case['blocks']:.0f} in {case['processes']:.0f}",
    ]  # fmt: skip


def interval(low: float, high: float) -> str:
    """Both ends; nothing where there is none, a single process having been measured."""
    return "" if pd.isna(low) else f" ({low:.2f} to {high:.2f})"


def uncertainty(value: float, high: float | None) -> str:
    """Half of the 95% interval, relative to the value; nothing where there is none."""
    if high is None or pd.isna(high):
        return ""
    width = high / value - 1
    return f"{width:.1%}" if width < 0.1 else f"{width:.0%}" if width <= 1 else "> 100%"


def mode(case: Mapping[Any, Any]) -> str:
    """The mode, marked where the framework's tunings were left out."""
    return str(case["mode"]) + ("" if case["tuned"] else " untuned")


def mebibytes(value: float | None) -> str:
    return "" if value is None or pd.isna(value) else f"{value / 2**20:.0f}"


def shortened(text: str, width: int = 60) -> str:
    """The first line, cut where it is long; the whole reason is in the journal."""
    line = text.splitlines()[0] if text else ""
    return line if len(line) <= width else line[: width - 3] + "..."
