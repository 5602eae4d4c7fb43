"""The command line: the only place that parses arguments, prints and exits.

Exit status: 0 done, 1 a check or comparison failed, 2 bad arguments, 3 nothing could be measured,
130 stopped by Ctrl-C. Commands import what they need when they run: short answers are quick.
"""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from bench import __version__, cases, frameworks
from bench.errors import BenchError, NothingMeasured, Unavailable, unknown

if TYPE_CHECKING:
    from bench.cases import Contender
    from bench.entrants import Entrant
    from bench.graph import Graph
    from bench.parity import Verdict

F = TypeVar("F", bound=Callable[..., Any])


class Commands(click.Group):
    """Unknown commands get the choices and a "did you mean"."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if self.get_command(ctx, args[0]) is None:
            raise unknown("command", args[0], self.list_commands(ctx))
        return super().resolve_command(ctx, args)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="convmark")
def bench() -> None:
    """The same CNN in every deep-learning framework: proved equal, then measured fairly."""


def framework_option(function: F) -> F:
    return click.option("--framework", default="all", show_default=True, metavar="all|A,B")(
        function
    )


def device_option(function: F) -> F:
    device = click.Choice(["auto", "cpu", "cuda"])
    return click.option("--device", type=device, default="auto", show_default=True)(function)


def mode_option(default: str) -> Callable[[F], F]:
    return click.option("--mode", default=default, metavar="default|all|A,B")


def untuned_option(function: F) -> F:
    text = "Also without the tunings of framework.toml: what people get who do nothing."
    return click.option("--untuned", is_flag=True, help=text)(function)


def threads_option(function: F) -> F:
    count = click.IntRange(min=1)
    return click.option("--threads", type=count, help="Default: every processor.")(function)


def json_option(function: F) -> F:
    return click.option("--json", "as_json", is_flag=True, help="JSON on standard output.")(
        function
    )


# -- setup and list -------------------------------------------------------------------------------


@bench.command()
@framework_option
@device_option
@json_option
def setup(framework: str, device: str, as_json: bool) -> None:
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


@bench.command("list")
@click.argument("what", default="frameworks")
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True)
@click.option("--dir", "folder", type=click.Path(path_type=Path), default=Path("results"))
@json_option
def list_(what: str, device: str, folder: Path, as_json: bool) -> None:
    """List frameworks, models or runs."""
    from bench import listing

    listers: dict[str, Callable[[], list[dict[str, Any]]]] = {
        "frameworks": lambda: [listing.framework(f, device) for f in frameworks.select("all")],
        "models": listing.models,
        "runs": lambda: listing.runs(folder),
    }
    if what not in listers:
        raise unknown("thing to list", what, listers)
    rows = listers[what]()
    if as_json:
        return emit(rows)
    show_rows(what.capitalize(), list(rows[0]) if rows else [what], rows)


# -- show -----------------------------------------------------------------------------------------

SHOWN = ("table", "md", "csv", "json")


@bench.command()
@click.argument("model")
@click.option("--framework", "name", help="Print this framework's native program instead.")
@click.option("--mode", default="default", help="Of the framework.")
@click.option("--diagram", is_flag=True, help="Draw the structure as SVG instead.")
@click.option("--out", type=click.Path(path_type=Path), metavar="FILE.svg", help="Of the diagram.")
@click.option("--format", "kind", metavar="|".join(SHOWN), help="Of the table; default: table.")
@json_option
def show(model: str, kind: str | None, as_json: bool, **wanted: Any) -> None:
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


# -- check ----------------------------------------------------------------------------------------


@bench.command()
@framework_option
@click.option("--model", metavar="all|quick|operators|A,B", help="Default: all.")
@click.option(
    "--training", is_flag=True, help="Twenty steps on digits, by default of lenet5 and resnet20."
)
@mode_option("all")
@untuned_option
@device_option
@threads_option
@click.option("--fresh", is_flag=True, help="Do not take results from the cache.")
@click.option("--full-size", is_flag=True, help="Never on smaller images than the network's own.")
@click.option(
    "--jobs", type=click.IntRange(min=1), help="Frameworks at a time; default: every processor."
)
@json_option
def check(
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
    threads, jobs = threads or machine.processors(), jobs or machine.processors()
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
         number(v.bound), v.worst_tensor or v.reason]
        for v in verdicts
    ]  # fmt: skip
    console.table("Parity with the referee (errors relative to rms)", columns, rows, left=5)


def number(value: float | None) -> str:
    return "" if value is None else f"{value:.1e}"


# -- run ------------------------------------------------------------------------------------------


@bench.command()
@framework_option
@click.option("--model", metavar="all|quick|A,B", help="Networks, or file.py:function.")
@device_option
@click.option("--mode", metavar="default|all|A,B")
@untuned_option
@click.option("--phase", metavar="A,B", help=f"Of {', '.join(cases.PHASES)}.")
@click.option("--batch", metavar="1,32")
@click.option("--precision", type=click.Choice(cases.PRECISIONS), default="fp32")
@threads_option
@click.option("--profile", default="quick", show_default=True, metavar="|".join(cases.PROFILES))
@click.option("--budget", metavar="10m", help="Time for measuring, all together.")
@click.option("--rounds", type=click.IntRange(min=1), help="Processes of each contender.")
@click.option("--seed", type=int, default=0, help="Of the order of turns.")
@click.option("--resume", type=click.Path(path_type=Path), metavar="RUN", help="Complete a run.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="The new run's folder.")
@json_option
def run(resume: Path | None, out: Path | None, as_json: bool, **options: Any) -> None:
    """Set up, check, measure, and print the table. Without options: the quick profile."""
    from bench import console, session, store, summary

    if resume and out:
        raise BenchError("--resume continues a run where it is; leave --out away")
    place = session.resume(resume) if resume else session.new_run(out, session.Options(**options))
    session.race(place, console.Watch())
    frame = summary.summarise(place, store.load(place.folder))
    if as_json:
        emit(json.loads(frame.to_json(orient="records")))
    else:
        console.summary(frame)
        for line in tunings(place.header()):
            console.out.print(line, markup=False)
        console.say(f"samples: {place.journal}")
    if not (frame["status"] == "ok").any():
        raise NothingMeasured(f"nothing could be measured; reasons are in {place.journal}")


def tunings(header: dict[str, Any]) -> list[str]:
    """A line for each tuning that a run applied: what was set, for whom, and why."""
    found: dict[str, list[str]] = {}
    for who, facts in header.get("contenders", {}).items():
        for row in facts["settings"]:
            if row["tuning"]:
                text = f"{row['name']}={row['value']}: {row['reason']}"
                found.setdefault(text, []).append(who)
    return [f"tuned: {', '.join(who)}: {text}" for text, who in found.items()]


# -- export ---------------------------------------------------------------------------------------

FORMATS = ("csv", "parquet")


@bench.command()
@click.argument("folder", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--format", "kind", default="csv", show_default=True, metavar="|".join(FORMATS))
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="Default: RUN/export.")
def export(folder: Path, kind: str, out: Path | None) -> None:
    """Write the tables of RUN: samples, blocks, memory, processes, outcomes, verdicts, summary."""
    from bench import store, summary

    if kind not in FORMATS:
        raise unknown("format", kind, FORMATS)
    tables = store.load(folder)
    frames = vars(tables) | {"summary": summary.summarise(store.Run.open(folder), tables)}
    target = out or folder / "export"
    target.mkdir(parents=True, exist_ok=True)
    for name, frame in frames.items():
        click.echo(write(frame, target / f"{name}.{kind}", kind))


def write(frame: Any, path: Path, kind: str) -> str:
    """Write one table; nested values, such as versions, as JSON text."""
    nested = [c for c in frame if frame[c].map(lambda v: isinstance(v, dict | list)).any()]
    frame = frame.assign(**{c: frame[c].map(json.dumps) for c in nested})
    if kind == "csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path, index=False)
    return str(path)


# -- shared ---------------------------------------------------------------------------------------


def emit(value: Any) -> None:
    """JSON, and nothing else, on standard output."""
    click.echo(json.dumps(value, indent=1))


def show_rows(title: str, columns: list[str], rows: list[dict[str, Any]]) -> None:
    from bench import console

    cells = [[plain(value) for value in row.values()] for row in rows]
    console.table(title, columns, cells, left=len(columns))


def plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return ", ".join(value) if isinstance(value, list) else str(value)


def stop(number: int, frame: Any) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """Run a command; turn every foreseen error into one line and an exit status."""
    signal.signal(signal.SIGTERM, stop)
    try:
        bench.main(standalone_mode=False)
    except BenchError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(error.status)
    except click.ClickException as error:
        error.show()
        sys.exit(2)
    except (KeyboardInterrupt, click.Abort):
        click.echo("stopped; a run is continued with --resume and its folder", err=True)
        sys.exit(130)
