"""Writes runs for other programs."""

from __future__ import annotations

from pathlib import Path

import click

FORMATS = "csv|parquet|pytest-benchmark|github-action-benchmark"


@click.command(name="export")
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--format", "kind", default="csv", show_default=True, metavar=FORMATS)
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FILE",
    help="Default: in RUN/export. Of csv, parquet: a folder for all tables, or the samples' file.",
)  # fmt: skip
def command(folder: Path, kind: str, out: Path | None) -> None:
    """Write RUN in the format of other programs: its tables, or its cases as benchmarks."""
    from bench import export, store

    chosen = export.find(kind)
    for path in export.write(store.Run.open(folder), chosen, out):
        click.echo(path)
