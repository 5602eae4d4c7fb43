"""The tables as CSV: samples in a file for each situation, everything else in one for each kind."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

import pandas as pd
import pyarrow as pa
from pyarrow import csv

from bench.charts.data import Data
from bench.store import CELL, Tables

PLACE = ["run", *CELL]


def write(data: Data, folder: Path) -> None:
    """Every table; the samples are those of `names`."""
    (folder / "samples").mkdir(parents=True, exist_ok=True)
    for name, frame in others(data).items():
        save(frame, folder / f"{name}.csv")
    found = names(data.tables.samples)
    for key, group in data.tables.samples.groupby(PLACE, sort=False):
        save(group, folder / "samples" / found[tuple(key)])


def others(data: Data) -> dict[str, pd.DataFrame]:
    kinds = [f.name for f in fields(Tables) if f.name != "samples"]
    return {"summary": data.summary} | {kind: getattr(data.tables, kind) for kind in kinds}


def save(frame: pd.DataFrame, path: Path) -> None:
    """By Arrow, ten times as fast as pandas for a million rows; what is no plain value as text."""
    nested = [str(c) for c in frame if frame[c].dtype == object]
    plain = frame.assign(**{c: frame[c].map(text, na_action="ignore") for c in nested})
    csv.write_csv(pa.Table.from_pandas(plain, preserve_index=False), str(path))


def text(value: object) -> str:
    return str(value)


def names(samples: pd.DataFrame) -> Mapping[tuple[object, ...], str]:
    """A file name for each situation, made of what it is; a number tells apart what looks alike
    without its special characters."""
    found: dict[tuple[object, ...], str] = {}
    for values in samples[PLACE].drop_duplicates().itertuples(index=False, name=None):
        stem = "-".join(re.sub(r"[^\w.]+", "_", str(value)) for value in values)
        same = sum(name.startswith(f"{stem}.") for name in found.values())
        found[values] = f"{stem}.{same}.csv" if same else f"{stem}.csv"
    return found
