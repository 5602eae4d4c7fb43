"""Steps over many runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from bench.cli.options import json_option
from bench.cli.output import emit


@click.command(name="history")
@click.argument("places", nargs=-1, type=click.Path(path_type=Path), metavar="[RUN...]")
@click.option(
    "--selftest", is_flag=True, help="Measure the rate of false alarms on noise like these runs'."
)
@json_option
def command(places: tuple[Path, ...], selftest: bool, as_json: bool) -> None:
    """Where times of RUN... (runs or folders of them; default: results) changed for good, and what
    changed there. Exit status 1 if the last run brings a slowdown to light."""
    from bench import history

    runs = history.find(places or (Path("results"),))
    if selftest:
        return check(history.collect(runs), as_json)
    rows = history.judged(history.collect(runs))
    if as_json:
        emit(rows)
    else:
        show(rows)
    sys.exit(1 if history.alarms(rows) else 0)


def show(rows: list[dict[str, Any]]) -> None:
    from bench import console

    columns = ["framework", "mode", "network", "batch", "phase", "runs", "first ms", "last ms",
               "steps"]  # fmt: skip
    cells = [
        [r["framework"], console.mode(r), r["model"], str(r["batch"]), r["phase"],
         str(len(r["runs"])), f"{r['medians'][0] * 1e3:.4g}", f"{r['medians'][-1] * 1e3:.4g}",
         "\n".join(map(sentence, r["steps"]))]
        for r in rows
    ]  # fmt: skip
    for machine in dict.fromkeys(tuple(r["machine"].items()) for r in rows):
        chosen = [c for c, r in zip(cells, rows, strict=True) if dict(machine) == r["machine"]]
        console.table(", ".join(f"{k} {v}" for k, v in machine), columns, chosen, left=5)


def sentence(step: dict[str, Any]) -> str:
    """One step in words."""
    changed = "; ".join(step["changed"]) or "nothing that runs record"
    return (
        f"{'new: ' if step['new'] else ''}{step['verdict']} by {step['factor']:.3f} from "
        f"{step['run']} on (p {step['p_value']:.2g}); changed there: {changed}"
    )


def check(found: Any, as_json: bool) -> None:
    from bench import alarms, console

    report = alarms.measure(alarms.noise_of(found))
    if as_json:
        emit(report)
    else:
        console.out.print(report["noise"]["text"], markup=False)
        for name in ("false_alarms", "power", "compare"):
            rows = report[name]
            cells = [[f"{v:.3g}" for v in row.values()] for row in rows]
            console.table(name.replace("_", " "), list(rows[0]), cells, left=0)
    sys.exit(0 if report["ok"] else 1)
