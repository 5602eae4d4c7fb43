"""Measures."""

from __future__ import annotations

import json
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench import cases
from bench.cli.options import (
    device_option,
    framework_option,
    json_option,
    list_option,
    untuned_option,
)
from bench.cli.output import emit
from bench.errors import BenchError, NothingMeasured

if TYPE_CHECKING:
    from bench.session import Options


@click.command(name="run")
@framework_option
@list_option("--model", metavar="all|quick|A,B", help="Networks, or file.py:function.")
@device_option
@list_option("--mode", metavar="default|all|A,B")
@untuned_option
@list_option("--phase", metavar="A,B", help=f"Of {', '.join(cases.PHASES)}.")
@list_option("--batch", metavar="1,32")
@click.option("--precision", type=click.Choice(cases.PRECISIONS), default="fp32")
@list_option("--threads", metavar="1,2", help="Default: every processor. Several: how it scales.")
@click.option("--profile", default="quick", show_default=True, metavar="|".join(cases.PROFILES))
@click.option("--budget", metavar="10m", help="Time for measuring, all together.")
@click.option("--time-limit", metavar="2h", help="Begin nothing after that: --resume goes on.")
@click.option("--processes", type=click.IntRange(min=1), help="Of each contender, as planned.")
@click.option("--within", metavar="3%", help="Stop where ratios are known so precisely.")
@click.option("--seed", type=int, default=0, help="Of the order of turns.")
@click.option("--largest-batch", is_flag=True, help="Search also for the largest that fits.")
@click.option("--memory-limit", metavar="4G", help="Of that, on the CPU. Default: 90% of the free.")
@click.option("--resume", type=click.Path(path_type=Path), metavar="RUN", help="Complete a run.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="The new run's folder.")
@click.option(
    "--for-claims",
    is_flag=False,
    flag_value="all",
    metavar="[ID,...]",
    help="Measure what the statements need, all or these; train networks too.",
)
@json_option
def command(
    resume: Path | None,
    out: Path | None,
    for_claims: str | None,
    time_limit: str | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Set up, check, measure, and print the table. Without options: the quick profile.

    The budget is of measuring, so that every contender gets its share; weighing memory and starting
    the planned processes take their time besides. The time limit is of all that follows the check,
    and what is left then is for --resume."""
    from bench import console, session, store, summary, threads
    from bench.cli.commands import scaling

    if resume and out:
        raise BenchError("--resume continues a run where it is; leave --out away")
    chosen, trained = wanted(session.Options(**options), for_claims)
    most = limit(time_limit, chosen, for_claims)
    place = session.resume(resume) if resume else session.new_run(out, chosen)
    session.race(place, console.Watch(), most)
    if trained:
        from bench.cli.commands import train

        train.hold(place, **trained)
    tables = store.load(place.folder)
    frame = summary.summarise(place, tables)
    if as_json:
        emit(json.loads(frame.to_json(orient="records")))
    else:
        console.summary(frame)
        if len(tables.largest):
            console.largest(tables.largest)
        if len(scaled := threads.scaling(tables)):
            scaling.show(scaled)
        lines = [*tunings(place.header()), *summary.stops(tables), *summary.slowed(tables)]
        for line in lines:
            console.out.print(line, markup=False)
        console.say(f"samples: {place.journal}")
    if not (frame["status"] == "ok").any():
        raise NothingMeasured(f"nothing could be measured; reasons are in {place.journal}")


def limit(given: str | None, chosen: Options, for_claims: str | None) -> float:
    """Seconds after which nothing is begun: a run for claims takes no longer than its budget."""
    text = given or (chosen.budget if for_claims else None)
    return cases.seconds(text, "--time-limit") if text else inf


def wanted(options: Options, for_claims: str | None) -> tuple[Options, dict[str, Any]]:
    """The options with what claims need, and what to train for them: names, device, budget."""
    if not for_claims:
        return options, {}
    from bench import claims
    from bench.claims import plan

    chosen = claims.select(claims.load(), for_claims)
    names = plan.trained(chosen)
    training = {"names": names, "device": options.device, "threads": options.threads,
                "budget": f"{plan.training_budget(chosen, options)}s"}  # fmt: skip
    return plan.options(chosen, options), training if names else {}


def tunings(header: dict[str, Any]) -> list[str]:
    """A line for each tuning that a run applied: what was set, for whom, and why."""
    found: dict[str, list[str]] = {}
    for who, facts in header.get("contenders", {}).items():
        for row in facts["settings"]:
            if row["tuning"]:
                text = f"{row['name']}={row['value']}: {row['reason']}"
                found.setdefault(text, []).append(who)
    return [f"tuned: {', '.join(who)}: {text}" for text, who in found.items()]
