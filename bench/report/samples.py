"""The samples that the page draws when a figure is opened."""

from __future__ import annotations

from typing import Any

from bench.charts.data import Data
from bench.report import files
from bench.store import CELL, CONTENDER

MOST = 200_000  # samples within the page, all together: about 2 MB; the files have every one
CASE = ["run", *CELL, *CONTENDER]


def drawn(data: Data) -> dict[int, dict[str, Any]]:
    """For each row of the summary: its file, of how many samples how many are drawn, and these as
    [process, round, milliseconds]; evenly thinned where the page would grow too large."""
    samples = data.tables.samples
    if samples.empty:
        return {}
    step = -(-len(samples) // MOST)
    names = files.names(samples)
    keys = data.summary[CASE].itertuples(index=False, name=None)
    rows = dict(zip(keys, data.summary.index.tolist(), strict=True))
    found = {}
    for key, group in samples.groupby(CASE, sort=False):
        taken = group.iloc[::step]
        columns = (taken["process"], taken["round"], (taken["seconds"] * 1e3).map(rounded))
        found[rows[tuple(key)]] = {
            "file": f"tables/samples/{names[tuple(key)[: len(files.PLACE)]]}",
            "count": len(group),
            "rows": list(map(list, zip(*(c.tolist() for c in columns), strict=True))),
        }
    return found


def rounded(value: float) -> float:
    """Five significant digits: what a picture can show."""
    return float(f"{value:.5g}")
