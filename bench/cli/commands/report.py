"""Writes the report."""

from __future__ import annotations

from pathlib import Path

import click

from bench.cli.options import json_option, runs_argument
from bench.cli.output import emit


@click.command(name="report")
@runs_argument
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Default: RUN/report.")
@json_option
def command(folders: tuple[Path, ...], out: Path | None, as_json: bool) -> None:
    """Write one folder from RUN, by default the newest in results/: a page that works from a file,
    pictures, and tables as CSV."""
    from bench import charts, claims, report

    runs = folders or charts.newest()
    data = charts.gather(runs)
    judged = [claim.to_json() for claim in claims.judge(claims.load(), data.tables)]
    page = report.write(data, out or runs[-1] / "report", judged)
    emit({"page": str(page)}) if as_json else click.echo(page)
