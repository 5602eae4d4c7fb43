"""What can be said of each situation, in words: who is fastest, who is slower, who is not told
apart."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import pandas as pd

from bench import stats
from bench.charts.data import SITUATION, Data
from bench.charts.words import Words
from bench.figures import significant

SAID = (stats.FASTER, stats.SAME, stats.UNDECIDED, stats.SLOWER)


@dataclass(frozen=True)
class Word:
    """A contender, what it comes to, the row of the summary behind it, and the reason if none."""

    framework: str
    contender: str
    figure: str
    row: int
    reason: str = ""


@dataclass(frozen=True)
class Cell:
    """A situation with its contenders, by verdict; the fastest is apart."""

    model: str
    phase: str
    device: str
    label: str
    fastest: Word | None
    said: dict[str, list[Word]] = field(default_factory=dict)
    failed: list[Word] = field(default_factory=list)


def cells(data: Data) -> list[Cell]:
    """Every situation of the summary, in its order."""
    labels, _ = Words().panels(data.summary, SITUATION)
    return [cell(label, group) for label, group in grouped(data.summary.assign(panel=labels))]


def grouped(frame: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    return [(str(label), group) for label, group in frame.groupby("panel", sort=False)]


def cell(label: str, group: pd.DataFrame) -> Cell:
    first = group.iloc[0]
    found = Cell(first["model"], first["phase"], first["device"], label, fastest(group))
    for index, row in group.sort_values("ratio").iterrows():
        word = Word(row["framework"], row["contender"], f"{row['ratio']:.2f}×", int(str(index)))
        if row["verdict"] in SAID:
            found.said.setdefault(row["verdict"], []).append(word)
        elif pd.isna(row["median"]):
            reason = Word(word.framework, word.contender, row["status"], word.row, row["reason"])
            found.failed.append(reason)
    return found


def fastest(group: pd.DataFrame) -> Word | None:
    """The one that the others are compared with."""
    measured = group[group["median"].notna()].sort_values("median")
    if measured.empty:
        return None
    row = measured.iloc[0]
    time = f"{significant(row['median'] * 1e3)} ms"
    return Word(row["framework"], row["contender"], time, int(measured.index[0]))


def counts(found: list[Cell]) -> dict[str, int]:
    """How often each verdict was given."""
    return dict(Counter(v for cell in found for v, words in cell.said.items() for _ in words))
