"""Prints the verdicts on the document's statements, or on the user's own."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli.options import json_option
from bench.cli.output import emit, show_rows
from bench.errors import BenchError

if TYPE_CHECKING:
    from bench.store import Tables

MOST = 40  # rows of evidence that a terminal is shown; --json has all


@click.command(name="claims")
@click.argument("words", nargs=-1, metavar="[RUN...] [ID]")
@click.option("--file", type=click.Path(path_type=Path), metavar="MINE.toml", help="Your own.")
@json_option
def command(words: tuple[str, ...], file: Path | None, as_json: bool) -> None:
    """Judge the document's statements by the samples of RUN, by default of the newest run in
    results/. With an ID: its evidence, and what would decide it."""
    from bench import claims

    known = claims.load(file) if file else claims.load()
    chosen, runs = parted(words, [claim.id for claim in known])
    tables = measured(runs)
    asked = claims.select(known, ",".join(chosen) or "all")
    rows = [judged.to_json() for judged in claims.judge(asked, tables)]
    if as_json:
        emit(rows)
    elif chosen:
        for row in rows:
            show(row)
    else:
        overview(rows)


def parted(words: tuple[str, ...], known: list[str]) -> tuple[list[str], list[Path]]:
    """The ids and the runs among the words; raises BenchError for what is neither."""
    chosen = [word for word in words if word in known]
    runs = [Path(word) for word in words if word not in known]
    for run in runs:
        if not run.exists():
            from bench.errors import unknown

            raise BenchError(
                f"{run} is neither a run nor a claim: {unknown('claim', str(run), known)}"
            )
    return chosen, runs


def measured(runs: list[Path]) -> Tables:
    """The tables of these runs, or of the newest; empty ones where there is none."""
    from bench import store
    from bench.cli.commands.train import newest

    if not runs and (place := newest()):
        runs = [place.folder]
    return store.load(*runs)


def overview(rows: list[dict[str, Any]]) -> None:
    """A line for each claim, and how many there are of each verdict."""
    table = [
        {"id": r["id"], "verdict": r["verdict"], "effect": effect(r), "of": r["effect"]["metric"]}
        for r in rows
    ]
    show_rows("Statements", ["claim", "verdict", "effect", "of"], table)
    counts = Counter(row["verdict"] for row in rows)
    click.echo(", ".join(f"{count} {verdict}" for verdict, count in sorted(counts.items())))


def effect(row: dict[str, Any]) -> str:
    """The figure with its interval, where it has one."""
    value = row["effect"]["value"]
    if value is None:
        return ""
    low, high = row["interval"] or (value, value)
    if low == high:
        return f"{value:.6g}"
    return f"{value:.3g} ({figure(low)} to {figure(high)})"


def figure(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3g}"


def show(row: dict[str, Any]) -> None:
    """One claim: the sentence, the verdict, each test, on what it depends, the cells."""
    for key in ("zh", "en"):
        click.echo(row["statement"][key])
    click.echo(f"\n{row['id']}: {row['verdict']}  {effect(row)}  {row['effect']['metric']}")
    words = {"population": row["population"], "for": row["for"], "against": row["against"],
             "note": row["note"]}  # fmt: skip
    for key, text in words.items():
        if text:
            click.echo(f"  {key}: {text}")
    tests = [
        {"verdict": t["verdict"], "rule": t["rule"], "of": t["metric"],
         "effect": effect({"effect": {"value": t["effect"]}, "interval": [t["low"], t["high"]]})}
        for t in row["tests"]
    ]  # fmt: skip
    show_rows("Tests", ["verdict", "rule", "of", "effect"], tests)
    if row["depends"]:
        on = row["depends"][0]["on"]
        table = [{k: v for k, v in line.items() if k != "on"} for line in row["depends"]]
        show_rows(f"It depends on: {on}", [on, "holds", "fails", "open"], table)
    evidence(row["evidence"])
    for text in row["missing"]:
        click.echo(f"would decide it: {text}")


PLACES = ("contender", "rival", "model", "base", "nodes", "op", "phase", "batch", "device",
          "figure", "moment")  # fmt: skip


def evidence(rows: list[dict[str, Any]]) -> None:
    """The cells behind a verdict, those that are decided first."""
    if not rows:
        return
    first = sorted(rows, key=lambda row: row["holds"] is None)[:MOST]
    keys = [key for key in PLACES if any(key in row for row in first)]
    table = [
        {key: str(row.get(key, "")) for key in keys}
        | {"value": cell(row), "holds": {True: "yes", False: "no", None: "open"}[row["holds"]]}
        for row in first
    ]
    left = len(rows) - len(first)
    title = "Evidence" + (f" ({left} more with --json)" if left else "")
    show_rows(title, list(table[0]), table)


def cell(row: dict[str, Any]) -> str:
    if row["low"] == row["high"]:
        return str(row.get("found", f"{row['value']:.6g}"))
    return f"{figure(row['value'])} ({figure(row['low'])} to {figure(row['high'])})"
