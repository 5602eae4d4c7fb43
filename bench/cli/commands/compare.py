"""Regressions between two runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from bench.cli.options import json_option
from bench.cli.output import emit
from bench.errors import BenchError


@click.command(name="compare")
@click.argument("base", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.option(
    "--margin", type=click.FloatRange(min=0), default=5, show_default=True, metavar="PERCENT",
    help="A smaller difference is none.",
)  # fmt: skip
@click.option("--across-machines", is_flag=True, help="Warn where the machines differ, go on.")
@json_option
def command(base: Path, new: Path, margin: float, across_machines: bool, as_json: bool) -> None:
    """What is slower in run NEW than in run BASE of the same machine; exit status 1 if anything."""
    from bench import compare, console, provenance, store

    runs = [store.Run.open(folder) for folder in (base, new)]
    conflicts = provenance.conflicts(*(run.header() for run in runs))
    if conflicts and not across_machines:
        raise BenchError(
            f"{base} and {new} cannot be compared: {'; '.join(conflicts)}. "
            "To see the ratios all the same: --across-machines"
        )
    for conflict in conflicts:
        console.say(f"warning: not the same machine: {conflict}")
    frame = compare.compare(*runs, margin / 100)
    count, overall = compare.regressions(frame["verdict"]), compare.overall(frame)
    if as_json:
        rows = json.loads(frame.to_json(orient="records", double_precision=15))
        emit({
            "base": str(base), "new": str(new), "margin": margin / 100, "warnings": conflicts,
            "ratio_of_all": overall, "regressions": count, "cases": rows,
        })  # fmt: skip
    else:
        show(frame.to_dict("records"), f"{new} against {base}", overall, count)
    sys.exit(1 if count else 0)


def show(rows: list[dict[Any, Any]], title: str, overall: float | None, count: int) -> None:
    from bench import console

    columns = ["verdict", "framework", "mode", "network", "batch", "phase", "base ms", "new ms",
               "new / base", "95% interval", "changed, or why"]  # fmt: skip
    cells = [
        [r["verdict"], r["framework"], console.mode(r), r["model"], str(r["batch"]), r["phase"],
         *figures(r), "; ".join(filter(None, [r["reason"], *r["changed"]]))]
        for r in rows
    ]  # fmt: skip
    console.table(title, columns, cells, left=6)
    if overall:
        console.out.print(
            f"All cases together: {overall:.3f} times; far from 1, look at the machine"
        )
    console.out.print(f"{count} regressions in {len(rows)} cases")


def figures(row: dict[Any, Any]) -> list[str]:
    """Milliseconds before and after, the ratio and its interval; blank where there is no number."""
    if row["ratio"] != row["ratio"]:
        return ["", "", "", ""]
    return [
        f"{row['base'] * 1e3:.4g}", f"{row['new'] * 1e3:.4g}", f"{row['ratio']:.3f}",
        f"{row['ratio_low']:.3f} to {row['ratio_high']:.3f}",
    ]  # fmt: skip
