"""The JSON of pytest-benchmark: `pytest-benchmark compare FILE...` reads it.

Its rounds are our samples: each is the mean of so many iterations.
https://pytest-benchmark.readthedocs.io
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench import export
from bench.store import CELL, CONTENDER, Run, Tables
from bench.summary import CASE

NAME = "pytest-benchmark.json"
VERSION = "5.1.0"  # of the format
FENCE = 1.5  # interquartile ranges beyond the quartiles, where outliers begin (Tukey)


def write(run: Run, tables: Tables, out: Path) -> list[Path]:
    """One benchmark for each case that has a number; a cell is a group."""
    header = run.header()
    groups = dict(iter(tables.samples.groupby(CASE, sort=False)))
    found = {
        "machine_info": machine(header),
        "commit_info": commit(header),
        "benchmarks": [
            benchmark(row, groups[tuple(row[k] for k in CASE)])
            for row in export.measured(run, tables)
        ],
        "datetime": str(header.get("created", "")),
        "version": VERSION,
    }
    out.write_text(json.dumps(found, indent=1) + "\n")
    return [out]


def machine(header: dict[str, Any]) -> dict[str, Any]:
    """As pytest-benchmark calls what it knows of a machine."""
    about = header.get("machine", {})
    return {
        "node": "", "processor": about.get("processor", ""), "machine": "",
        "python_implementation": "", "python_version": about.get("python", ""),
        "system": about.get("system", ""), "release": "",
        "cpu": {"brand_raw": about.get("processor", ""), "count": about.get("processors", 0)},
    }  # fmt: skip


def commit(header: dict[str, Any]) -> dict[str, Any]:
    revision = str(header.get("revision") or "unversioned")
    return {
        "id": revision.removesuffix("+"), "dirty": revision.endswith("+"), "branch": "(unknown)",
        "time": str(header.get("created", "")), "project": "convmark",
    }  # fmt: skip


def benchmark(row: dict[str, Any], samples: Any) -> dict[str, Any]:
    params = {k: row[k] for k in (*CELL, *CONTENDER)}
    cell, _, contender = export.title(row).partition(": ")
    return {
        "group": cell, "name": export.title(row), "fullname": export.title(row),
        "params": params, "param": contender, "extra_info": {"processes": row["processes"]},
        "options": {"disable_gc": False, "timer": "perf_counter", "min_rounds": 1, "max_time": 0,
                    "min_time": 0, "warmup": True},
        "stats": statistics(samples["seconds"].to_numpy())
        | {"iterations": int(samples["repeats"].median())},
    }  # fmt: skip


def statistics(seconds: NDArray[np.float64]) -> dict[str, Any]:
    """As pytest-benchmark reckons them: sample deviation, quartiles between values by their weight,
    outliers by Tukey's fences and by one deviation."""
    q1, median, q3 = map(float, np.quantile(seconds, [0.25, 0.5, 0.75], method="hazen"))
    mean, deviation, iqr = float(seconds.mean()), spread(seconds), q3 - q1
    low, high = q1 - FENCE * iqr, q3 + FENCE * iqr
    fenced = int(((seconds < low) | (seconds > high)).sum())
    far = int((abs(seconds - mean) > deviation).sum())
    return {
        "min": float(seconds.min()), "max": float(seconds.max()), "mean": mean,
        "stddev": deviation, "rounds": len(seconds), "median": median, "iqr": iqr,
        "q1": q1, "q3": q3, "iqr_outliers": fenced, "stddev_outliers": far,
        "outliers": f"{far};{fenced}", "ld15iqr": float(seconds[seconds >= low].min()),
        "hd15iqr": float(seconds[seconds <= high].max()), "ops": 1 / mean,
        "total": float(seconds.sum()),
    }  # fmt: skip


def spread(seconds: NDArray[np.float64]) -> float:
    return float(seconds.std(ddof=1)) if len(seconds) > 1 else 0.0
