"""Parity alone, without timing."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from bench.cli.options import (
    device_option,
    framework_option,
    json_option,
    list_option,
    mode_option,
    untuned_option,
)
from bench.cli.output import emit
from bench.errors import BenchError, NothingMeasured

if TYPE_CHECKING:
    from bench.parity import Verdict


@click.command(name="check")
@framework_option
@list_option("--model", metavar="all|quick|operators|A,B", help="Default: all.")
@click.option(
    "--training", is_flag=True, help="Twenty steps on digits, by default of lenet5 and resnet20."
)
@mode_option("all")
@untuned_option
@device_option
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    help="Of each; default: its share of the processors.",
)
@click.option("--fresh", is_flag=True, help="Do not take results from the cache.")
@click.option("--full-size", is_flag=True, help="Never on smaller images than the network's own.")
@click.option(
    "--jobs", type=click.IntRange(min=1), help="Frameworks at a time; default: every processor."
)
@json_option
def command(
    framework: str,
    model: str | None,
    training: bool,
    mode: str,
    untuned: bool,
    device: str,
    threads: int | None,
    fresh: bool,
    full_size: bool,
    jobs: int | None,
    as_json: bool,
) -> None:
    """Compare frameworks with the referee: parity alone, without timing."""
    from bench import console, curves, envs, gate, machine, models, session, subjects

    device = machine.choose_device(device)
    contenders = session.contenders(framework, mode, untuned, device)
    if training and model == subjects.OPERATORS:
        raise BenchError("--training is of whole networks: --model operators has its own steps")
    model = model or (",".join(curves.MODELS) if training else "all")
    graphs = [] if model == subjects.OPERATORS else models.select(model)
    watch, logs = console.Watch(), envs.cache_dir() / "logs" / "check"
    entrants = session.provision(contenders, device, watch)
    jobs = jobs or machine.processors()
    threads = threads or max(1, machine.processors() // jobs)
    judge = gate.Gate(entrants, device, threads, logs, not fresh, jobs, full_size)
    verdicts = session.pass_gate(judge, contenders, graphs, watch, training)
    if as_json:
        emit([asdict(verdict) for verdict in verdicts])
    else:
        show_verdicts(verdicts)
    wrong = [v for v in verdicts if v.status not in ("ok", "unsupported", "unavailable")]
    if not any(v.ok for v in verdicts):
        raise NothingMeasured("nothing could be checked")
    sys.exit(1 if wrong else 0)


def show_verdicts(verdicts: list[Verdict]) -> None:
    from bench import console

    columns = ["framework", "mode", "network", "phase", "status", "worst error", "bound", "where"]
    rows = [
        [v.framework, console.mode(vars(v)), v.model, v.phase, v.status, number(v.worst_error),
         number(v.bound), v.reason if v.status == "unsupported" else v.worst_tensor or v.reason]
        for v in verdicts
    ]  # fmt: skip
    console.table("Parity with the referee (errors relative to rms)", columns, rows, left=5)


def number(value: float | None) -> str:
    return "" if value is None else f"{value:.1e}"
