"""Builds environments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bench import cases, frameworks
from bench.cli.options import device_option, framework_option, json_option
from bench.cli.output import emit, show_rows
from bench.errors import NothingMeasured, Unavailable

if TYPE_CHECKING:
    from bench.cases import Contender
    from bench.entrants import Entrant


@click.command(name="setup")
@framework_option
@device_option
@json_option
def command(framework: str, device: str, as_json: bool) -> None:
    """Build the environments of frameworks, at the same time; those that are ready stay."""
    from bench import console, machine, session

    device = machine.choose_device(device)
    contenders = cases.contenders(frameworks.select(framework), "all")
    entrants = session.provision(contenders, device, console.Watch())
    rows = [entrant_row(c, e) for c, e in entrants.items()]
    rows = [row for number, row in enumerate(rows) if row not in rows[:number]]
    if as_json:
        emit(rows)
    else:
        show_rows("Environments", ["framework", "version", "status", "place or reason"], rows)
    if all(row["status"] == "unavailable" for row in rows):
        raise NothingMeasured("no framework could be set up")


def entrant_row(contender: Contender, entrant: Entrant | Unavailable) -> dict[str, str]:
    """Where a mode's framework is; modes with the same row are said once."""
    framework = frameworks.select(contender.framework)[0]
    if contender.mode in framework.absent:
        row = {"framework": str(contender), "version": framework.version}
        return row | {"status": "unavailable", "place": str(entrant)}
    row = {"framework": framework.name, "version": framework.place(contender.mode).version}
    if isinstance(entrant, Unavailable):
        return row | {"status": "unavailable", "place": str(entrant)}
    return row | {"status": "ready", "place": str(entrant.environment.path)}
