"""Says how quiet this machine is."""

from __future__ import annotations

import sys
from dataclasses import asdict

import click

from bench.cli.options import json_option
from bench.cli.output import emit, show_rows


@click.command(name="doctor")
@click.option("--seconds", type=click.FloatRange(min=0.1), default=3.0, show_default=True)
@json_option
def command(seconds: float, as_json: bool) -> None:
    """Say how quiet this machine is and what can be done; exit status 1 where it is noisy."""
    from bench import doctor

    found = doctor.examine(seconds)
    noisy, rows = doctor.noisy(found), [asdict(finding) for finding in found]
    if as_json:
        emit({"quiet": not noisy, "seconds": seconds, "findings": rows})
    else:
        show_rows("Noisy" if noisy else "Quiet", list(rows[0]), rows)
    sys.exit(1 if noisy else 0)
