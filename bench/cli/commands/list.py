"""Lists what there is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from bench import frameworks
from bench.cli.options import json_option
from bench.cli.output import emit, show_rows
from bench.errors import unknown


@click.command(name="list")
@click.argument("what", default="frameworks")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option("--dir", "folder", type=click.Path(path_type=Path), default=Path("results"))
@json_option
def command(what: str, device: str, folder: Path, as_json: bool) -> None:
    """List frameworks, models, runs or claims."""
    from bench import listing

    listers: dict[str, Callable[[], list[dict[str, Any]]]] = {
        "frameworks": lambda: [listing.framework(f, device) for f in frameworks.select("all")],
        "models": listing.models,
        "claims": listing.claims,
        "runs": lambda: listing.runs(folder),
    }
    if what not in listers:
        raise unknown("thing to list", what, listers)
    rows = listers[what]()
    if as_json:
        return emit(rows)
    show_rows(what.capitalize(), list(rows[0]) if rows else [what], rows)
