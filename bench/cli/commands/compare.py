"""Regressions between two runs."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli.options import fail_on_option, json_option
from bench.cli.output import emit
from bench.errors import BenchError
from bench.figures import significant

if TYPE_CHECKING:
    import pandas as pd


@click.command(name="compare")
@click.argument("base", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@click.option(
    "--margin", type=click.FloatRange(min=0), default=5, show_default=True, metavar="PERCENT",
    help="A smaller difference is none.",
)  # fmt: skip
@click.option("--across-machines", is_flag=True, help="Warn where the machines differ, go on.")
@fail_on_option
@json_option
def command(
    base: Path, new: Path, margin: float, across_machines: bool, fail_on: str, as_json: bool
) -> None:
    """What is slower in run NEW than in run BASE of the same machine; exit status 1 if anything."""
    from bench import compare, store

    before, after = (store.Run.open(folder) for folder in (base, new))
    warnings = warned(before, after, across_machines)
    frame = compare.compare(before, after, margin / 100)
    overall = compare.overall(frame)
    words = {"regression": compare.REGRESSIONS, "change": compare.CHANGES, "nothing": ()}[fail_on]
    if as_json:
        rows = json.loads(frame.to_json(orient="records", double_precision=15))
        emit({
            "base": str(base), "new": str(new), "margin": margin / 100, "warnings": warnings,
            "ratio_of_all": overall, "regressions": compare.count(frame["verdict"]), "cases": rows,
        })  # fmt: skip
    else:
        show(frame, f"{new} against {base}", overall)
    sys.exit(1 if compare.count(frame["verdict"], words) else 0)


def warned(base: Any, new: Any, across_machines: bool) -> list[str]:
    """What may explain every difference, said on stderr; raises BenchError for two machines."""
    from bench import compare, console

    conflicts = compare.conflicts(base, new)
    if conflicts and not across_machines:
        raise BenchError(
            f"{base.folder} and {new.folder} are of different machines: {'; '.join(conflicts)}. "
            "To see the ratios all the same: --across-machines"
        )
    said = [f"not the same machine: {text}" for text in conflicts]
    said += [f"not as it was: {text}" for text in compare.warnings(base, new)]
    for text in said:
        console.say(f"warning: {text}")
    return said


def show(frame: pd.DataFrame, title: str, overall: float | None) -> None:
    from bench import compare, console

    columns = ["verdict", "framework", "mode", "network", "batch", "phase", "base ms", "new ms",
               "new / base", "95% interval", "changed, or why"]  # fmt: skip
    cells = [
        [r["verdict"], r["framework"], console.mode(r), r["model"], str(r["batch"]), r["phase"],
         *figures(r), "; ".join(filter(None, [r["reason"], *r["changed"]]))]
        for r in frame.to_dict("records")
    ]  # fmt: skip
    console.table(title, columns, cells, left=6)
    if overall:
        console.out.print(f"All cases together: {overall:.3f} times; far from 1: the machine?")
    console.out.print(f"{compare.count(frame['verdict'])} regressions in {len(frame)} cases")


def figures(row: dict[Any, Any]) -> list[str]:
    """Milliseconds before and after, the ratio and its interval; blank where there is no number."""
    import pandas as pd

    if pd.isna(row["ratio"]):
        return ["", "", "", ""]
    known = not pd.isna(row["ratio_low"])
    interval = f"{row['ratio_low']:.3f} to {row['ratio_high']:.3f}" if known else "one process"
    before, after = (significant(row[side] * 1e3, 4) for side in ("base", "new"))
    return [before, after, f"{row['ratio']:.3f}", interval]
