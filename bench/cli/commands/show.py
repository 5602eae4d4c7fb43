"""Shows one network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli.options import json_option
from bench.cli.output import emit
from bench.errors import BenchError, unknown

if TYPE_CHECKING:
    from bench.graph import Graph


SHOWN = ("table", "md", "csv", "json")


@click.command(name="show")
@click.argument("model")
@click.option("--framework", "name", help="Print this framework's native program instead.")
@click.option("--mode", default="default", help="Of the framework.")
@click.option("--diagram", is_flag=True, help="Draw the structure as SVG instead.")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE.svg", help="Of the diagram.")
@click.option("--format", "kind", metavar="|".join(SHOWN), help="Of the table; default: table.")
@json_option
def command(model: str, kind: str | None, as_json: bool, **wanted: Any) -> None:
    """The layer table of MODEL (a name, or file.py:function), its diagram, or its program."""
    from bench import console, layers, models

    kind = show_kind(kind, as_json, **wanted)
    graph = models.load(model)
    if wanted["name"]:
        return show_source(graph, wanted["name"], wanted["mode"], kind)
    if wanted["diagram"]:
        return show_diagram(graph, layers.paper(model), wanted["out"])
    found = layers.layers(graph, layers.paper(model))
    if kind == "json":
        emit(found)
    elif kind == "table":
        console.layers(found)
    else:
        click.echo(layers.WRITERS[kind](found))


def show_kind(
    kind: str | None, as_json: bool, name: str | None, diagram: bool, out: Path | None, mode: str
) -> str:
    """The format that the options ask for; raises BenchError where they contradict each other."""
    if kind is not None and kind not in SHOWN:
        raise unknown("format", kind, SHOWN)
    if as_json and kind not in (None, "json"):
        raise BenchError(f"--json and --format {kind}: choose one")
    chosen = "json" if as_json else kind or "table"
    if diagram and name:
        raise BenchError("--diagram draws the network, --framework prints a program: choose one")
    if diagram and chosen != "table":
        raise BenchError(f"--diagram is SVG: leave {'--json' if as_json else '--format'} away")
    if name and chosen not in ("table", "json"):
        raise BenchError(f"--framework prints a program: --format {kind} is for the layer table")
    if out and not diagram:
        raise BenchError("--out says where a diagram goes: add --diagram, or redirect the output")
    return chosen


def show_source(graph: Graph, name: str, mode: str, kind: str) -> None:
    from bench import console, source

    text = source.native(graph, name, mode, console.Watch())
    if kind == "json":
        emit({"name": graph.name, "framework": name, "mode": mode, "source": text})
    else:
        click.echo(text)


def show_diagram(graph: Graph, paper: str, out: Path | None) -> None:
    from bench import diagram

    text = diagram.draw(graph, paper)
    try:
        out.write_text(text, encoding="utf-8") if out else click.echo(text)
    except OSError as error:
        raise BenchError(f"--out {out}: {error.strerror}") from error
