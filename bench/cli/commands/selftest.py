"""Measures the race itself."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
import pandas as pd

from bench.cli.options import json_option, threads_option
from bench.cli.output import emit
from bench.errors import BenchError
from bench.figures import significant

HELP = "Read this folder's samples instead of measuring."


@click.command(name="selftest")
@click.option("--framework", default="torch", show_default=True)
@click.option("--mode", default="default", show_default=True)
@click.option("--model", default="lenet5", show_default=True)
@click.option("--batch", type=click.IntRange(min=1), default=4, show_default=True)
@click.option("--phase", default="inference", show_default=True)
@threads_option
@click.option("--condition", type=click.Choice(["quiet", "noisy", "both"]), default="both")
@click.option("--processes", type=click.IntRange(min=6), default=12, show_default=True)
@click.option("--races", type=click.IntRange(min=3), default=20, show_default=True)
@click.option("--seed", type=int, default=0)
@click.option("--read", "known", type=click.Path(path_type=Path), metavar="DIR", help=HELP)
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="The new folder.")
@json_option
def command(known: Path | None, out: Path | None, as_json: bool, **options: Any) -> None:
    """Race a framework against itself, and against itself with a known slowdown: how often equals
    are called different, which slowdown is found, and how contenders should take turns; on the
    machine as it is, and with a neighbour that keeps one processor busy in bursts."""
    from bench.selftest import experiments

    folder = known or measure(out, options)
    if not known and not folder.is_dir():
        raise BenchError(f"{folder} is no folder of a selftest")
    findings = experiments.read(folder)
    if not findings:
        raise BenchError(f"{folder} holds none of {', '.join(experiments.CONDITIONS)}")
    if as_json:
        emit([plain(asdict(found)) for found in findings])
    else:
        for found in findings:
            show(found)


def measure(out: Path | None, options: dict[str, Any]) -> Path:
    """Run the experiments; the folder."""
    from datetime import UTC, datetime

    from bench import console, machine, models, session
    from bench.errors import Unavailable
    from bench.selftest import experiments

    condition, mode = options.pop("condition"), options.pop("mode")
    contender = session.contenders(options.pop("framework"), mode, False, "cpu")[0]
    entrant = session.provision([contender], "cpu", console.Watch())[contender]
    if isinstance(entrant, Unavailable):
        raise BenchError(f"{contender} is unavailable: {entrant}")
    options["graph"] = models.load(options.pop("model"))
    options["threads"] = options["threads"] or machine.processors()
    experiment = experiments.Experiment(entrant, **options)
    folder = out or Path("results") / f"selftest-{datetime.now(UTC):%Y%m%d-%H%M%S}"
    for each in experiments.CONDITIONS if condition == "both" else [condition]:
        run = experiments.create(folder, experiment, each)
        with console.Watch().steps(each, experiment.steps()) as steps:
            for message in experiments.conduct(run, experiment, each):
                steps.step(message)
    console.say(f"samples: {folder}")
    return folder


def plain(found: dict[str, Any]) -> dict[str, Any]:
    """Frames as lists of rows."""
    return {
        k: json.loads(v.to_json(orient="records")) if isinstance(v, pd.DataFrame) else v
        for k, v in found.items()
    }


def within(row: dict[Any, Any], key: str) -> str:
    """A figure with its interval."""
    value, low, high = (significant(row[f"{key}{end}"], 2) for end in ("", "_low", "_high"))
    return f"{value} ({low} to {high})"


def show(found: Any) -> None:
    """The tables of one condition."""
    from bench import console

    if len(found.schemes):
        rows = [
            [row["scheme"], row["estimator"], "rounds" if row["paired"] else "no",
             "undisturbed" if row["undisturbed"] else "all",
             within(row, "sd"), within(row, "narrower")]
            for row in found.schemes.to_dict("records")
        ]  # fmt: skip
        columns = ["turns", "estimator", "paired by", "blocks", "sd of ln ratio", "times narrower"]
        console.table(f"{found.condition}: races of 2 s a side", columns, rows, left=4)
    shares = ["FASTER", "SLOWER", "SAME", "covered", "width"]
    rows = [
        [f"{row['share']:.0%}", f"{row['processes']}", f"{row['rounds']}",
         *(f"{row[k]:.1%}" for k in shares), f"{row['bias']:+.2%}"]
        for row in found.power.to_dict("records")
    ]  # fmt: skip
    columns = ["slowdown", "processes", "rounds", *shares, "bias"]
    console.table(f"{found.condition}: verdicts", columns, rows, left=0)
    console.out.print(
        f"  equals called different: {found.alarms['alarms']} of {found.alarms['trials']} "
        f"independent trials (95%: {found.alarms['low']:.1%} to {found.alarms['high']:.1%}); "
        f"starting a copy takes {found.start:.1f} s"
    )
    for processes, share in found.tables.items():
        console.out.print(f"  tables of all equals, {processes} processes: {share:.1%} are wrong")
