"""The JSON of github-action-benchmark, for its tool `customSmallerIsBetter`: milliseconds per step.

https://github.com/benchmark-action/github-action-benchmark
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from bench import export
from bench.store import Run, Tables

NAME = "github-action-benchmark.json"


def write(run: Run, tables: Tables, out: Path) -> list[Path]:
    """A list with an entry for each case that has a number."""
    entries = [entry(row) for row in export.measured(run, tables)]
    out.write_text(json.dumps(entries, indent=1) + "\n")
    return [out]


def entry(row: dict[str, Any]) -> dict[str, Any]:
    """The median, half of the 95% interval (the longer half) as its range, and what it is of."""
    found = {"name": export.title(row), "unit": "ms", "value": row["median"] * 1e3}
    if not pd.isna(row["low"]):
        half = max(row["high"] - row["median"], row["median"] - row["low"])
        found["range"] = f"± {half * 1e3:.4g}"
    return found | {"extra": f"{row['samples']} samples, {row['processes']} processes"}
