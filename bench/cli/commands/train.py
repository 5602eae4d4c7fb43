"""Trains networks for the statements about training."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli.options import device_option, json_option, list_option, threads_option
from bench.cli.output import emit
from bench.errors import BenchError, NothingMeasured, unknown

if TYPE_CHECKING:
    from bench.cases import Contender
    from bench.store import Run

RESULTS = Path("results")
COUNT = click.IntRange(min=1)


@click.command(name="train")
@click.argument("folder", required=False, metavar="[RUN]", type=click.Path(path_type=Path))
@click.option("--framework", default="torch", show_default=True, metavar="NAME")
@click.option("--mode", default="default", show_default=True)
@list_option("--model", metavar="A,B", help="Networks, NAME_bare without batch norm.")
@click.option("--data", type=click.Path(path_type=Path), metavar="DIR", help="A subfolder a class.")
@click.option("--epochs", type=COUNT, help="Default: 12.")
@click.option("--seeds", type=COUNT, help="Replicates of each network; default: 5.")
@click.option("--size", type=click.IntRange(min=8), help="Pixels in a row; default: 8.")
@click.option("--batch", type=COUNT, help="Default: 64.")
@click.option("--learning-rate", type=click.FloatRange(min=0, min_open=True), help="Default: 0.02.")
@click.option("--budget", metavar="30m", help="No seed is begun that would not end in it.")
@device_option
@threads_option
@json_option
def command(folder: Path | None, model: str | None, as_json: bool, **options: Any) -> None:
    """Train networks with several seeds on digits, or on your images, and journal it in RUN, by
    default the newest in results/, or a new one. What the journal holds is not done again."""
    from bench import claims, store, training
    from bench.claims import plan

    names = [n.strip() for n in model.split(",")] if model else plan.trained(claims.load())
    place = hold(store.Run.open(folder) if folder else None, names, **options)
    frame = store.load(place.folder).training
    known = [training.network(name).name for name in names]
    rows = frame[frame["model"].isin(known)].to_dict("records")
    if as_json:
        emit([{k: v for k, v in row.items() if k != "curve"} for row in rows])
    else:
        show(rows)
        click.echo(f"samples: {place.journal}")
    if not any(row["status"] == "ok" for row in rows):
        raise NothingMeasured(f"nothing could be trained; reasons are in {place.journal}")


def hold(place: Run | None, names: list[str], data: Path | None = None, **options: Any) -> Run:
    """Train in a run that is there, the newest, or a new one; the run."""
    from bench import cases, console, course, machine, training

    known = {field.name for field in fields(training.Recipe)} - {"budget"}
    changed = {k: v for k, v in options.items() if k in known and v is not None}
    if options.get("budget"):
        changed["budget"] = cases.seconds(options["budget"])
    recipe = training.Recipe(**changed)
    images = training.data_of(data, recipe)
    device = machine.choose_device(options.get("device", "cpu"))
    contender = chosen(options.get("framework", "torch"), options.get("mode", "default"))
    for name in names:
        training.fitted(training.network(name), images, recipe)
    place = place or newest() or new(contender, names)
    threads = options.get("threads") or machine.processors()
    course.hold(place, contender, names, images, recipe, device, threads, console.Watch())
    return place


def chosen(framework: str, mode: str) -> Contender:
    """The one contender that trains; raises BenchError."""
    from bench import cases, frameworks

    known = frameworks.discover()
    if framework not in known:
        raise unknown("framework", framework, known)
    found = cases.contenders([known[framework]], mode)
    if len(found) != 1:
        raise BenchError(
            f"--mode {mode!r} is more than one: choices: {', '.join(known[framework].modes)}"
        )
    return found[0]


def newest() -> Run | None:
    """The newest run in results/."""
    from bench import store

    found = store.find(RESULTS)
    return store.Run.open(found[-1]) if found else None


def new(contender: Contender, names: list[str]) -> Run:
    """A run that times nothing."""
    from bench import session
    from bench.training import BARE

    models = ",".join(dict.fromkeys(name.removesuffix(BARE) for name in names))
    options = session.Options(contender.framework, models, mode=contender.mode, profile="smoke")
    place = session.new_run(None, options)
    header = place.header()
    place.replace(header | {"plan": header["plan"] | {"contenders": []}, "complete": True})
    return place


def show(rows: list[dict[Any, Any]]) -> None:
    from bench import console

    columns = ["network", "seed", "epochs", "training loss", "training error", "test loss",
               "test error"]  # fmt: skip
    keys = ["train_loss_end", "train_error_end", "test_loss_end", "test_error_end"]
    table = []
    for row in rows:
        cells = [row["model"], str(row["seed"]), str(row["epochs"])]
        if row["status"] == "ok":
            cells += [f"{row.get(key):.3g}" for key in keys]
        else:
            cells.append(f"{row['status']}: {row['reason']}")
        table.append(cells)
    console.table("After training", columns, table, left=1)
