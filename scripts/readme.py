"""Writes what README says of the reference run, and the tables beside that run's samples.

    python scripts/readme.py [RUN]            # by default results/reference
    python scripts/readme.py [RUN] --check    # exit status 1 where README or a table is not this

Everything comes from the samples: the chart, the verdicts, the times. Pictures are drawn and not
compared, for their text differs with the fonts of a machine.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from bench import charts, claims, store, summary  # noqa: E402
from bench.charts import data, overview, pictures  # noqa: E402
from bench.errors import BenchError  # noqa: E402
from bench.figures import significant  # noqa: E402

REFERENCE = ROOT / "results" / "reference"
BEGIN, END = "<!-- results: python scripts/readme.py -->", "<!-- end of results -->"
CHART = "overview"
PHASES = ("inference", "train")
NETWORK = "resnet50"  # whose times are shown, if the run has it
STATEMENT = 90  # characters of a statement
DIGITS = "%.6g"  # more differ between machines that sum in another order
COLUMNS = [*summary.CASE, "status", "median", "low", "high", "ratio", "ratio_low", "ratio_high",
           "verdict", "peak_memory", "above_baseline", "samples", "outliers", "blocks",
           "disturbed", "processes"]  # fmt: skip


def derived(run: store.Run, tables: store.Tables) -> dict[str, pd.DataFrame]:
    """The tables that are committed beside the samples, by the name of their file."""
    return {
        "summary.csv": summary.summarise(run, tables)[COLUMNS],
        "claims.csv": pd.DataFrame([judged(claim) for claim in everything(tables)]),
    }


def everything(tables: store.Tables) -> list[dict[str, Any]]:
    """Every claim as plain data."""
    return [claim.to_json() for claim in claims.judge(claims.load(), tables)]


def judged(claim: dict[str, Any]) -> dict[str, Any]:
    """A claim's row: the effect with its interval, where it has one."""
    low, high = claim["interval"] or (None, None)
    return {"id": claim["id"], "verdict": claim["verdict"], "effect": claim["effect"]["value"],
            "low": low, "high": high, "of": claim["effect"]["metric"]}  # fmt: skip


def section(run: store.Run, tables: store.Tables, folder: str) -> str:
    """What stands in README between the marks; `folder` is the run's, seen from there."""
    frame, header = summary.summarise(run, tables), run.header()
    begun = pd.Timestamp(header["created"])
    spent = f"{(tables.blocks['time'].max() - begun.timestamp()) / 60:.0f} minutes with the gate"
    lines = [
        BEGIN, f"![{overview.TITLE}]({folder}/charts/{CHART}.svg)", "",
        f"From `{folder}`: {frame['framework'].nunique()} frameworks, {frame['model'].nunique()} "
        f"networks; {data.machine(header)}; {begun:%Y-%m-%d}, {spent}; "
        f"`{header.get('command', 'bench run')}`. "
        f"{trained(tables.training)}`bench report {folder}` shows it all, down to each sample.", "",
        *verdicts(everything(tables)), "", *times(frame), END,
    ]  # fmt: skip
    return "\n".join(lines)


def trained(rows: pd.DataFrame) -> str:
    """What was trained for the claims on training, with which command."""
    if rows.empty:
        return ""
    one, who = rows.iloc[0], rows[["framework", "mode"]].drop_duplicates().agg(" ".join, axis=1)
    return (
        f"Trained for the claims on it (`python -m bench train`): {rows['model'].nunique()} "
        f"networks, {rows['seed'].nunique()} seeds, {one['epochs']} epochs of {one['data']}, "
        f"{', '.join(who)}. "
    )


def verdicts(found: list[dict[str, Any]]) -> Iterator[str]:
    """A line for each claim."""
    yield "| statement | verdict | effect | 95% interval |"
    yield "| --- | --- | --- | --- |"
    for claim in found:
        row = judged(claim)
        text = short(claim["statement"]["en"])
        value = "" if row["effect"] is None else significant(row["effect"])
        known = row["low"] is not None and row["low"] != row["high"]
        interval = f"{significant(row['low'])} to {significant(row['high'])}" if known else ""
        yield f"| `{row['id']}`: {text} | {row['verdict']} | {value} | {interval} |"


def short(text: str) -> str:
    """The beginning of a statement, as a cell of a table holds it."""
    words = " ".join(text.split()).replace("|", "\\|")
    return words if len(words) <= STATEMENT else words[:STATEMENT].rsplit(" ", 1)[0] + " …"


def times(frame: pd.DataFrame) -> Iterator[str]:
    """The times of one network at the smallest batch and the most threads, the fastest first; a
    contender that has none, with its status."""
    models = list(dict.fromkeys(frame["model"]))
    model = NETWORK if NETWORK in models else models[-1]
    chosen = frame[(frame["model"] == model) & frame["phase"].isin(PHASES)]
    batch, threads = chosen["batch"].min(), chosen["threads"].max()
    first = chosen[(chosen["batch"] == batch) & (chosen["threads"] == threads)]
    phases = list(dict.fromkeys(first["phase"]))
    yield f"{model}, batch {batch}, ms per step:"
    yield ""
    yield "| framework | mode | " + " | ".join(f"{p} | 95% interval" for p in phases) + " |"
    yield "| --- | --- |" + " --- | --- |" * len(phases)
    order = first[first["phase"] == phases[0]].sort_values("median")
    for who in order[store.CONTENDER].itertuples(index=False, name=None):
        own = first[(first[store.CONTENDER] == list(who)).all(axis=1)].set_index("phase")
        cells = [cell for phase in phases for cell in figures(own.loc[phase])]
        mode = who[1] if who[2] else f"{who[1]}, untuned"
        yield f"| {who[0]} | {mode} | " + " | ".join(cells) + " |"


def figures(row: pd.Series[Any]) -> tuple[str, str]:
    """Milliseconds and their interval; without a time, why."""
    if pd.isna(row["median"]):
        return str(row["status"]), ""
    ends = (row["low"], row["high"])
    known = not any(map(pd.isna, ends))
    text = " to ".join(significant(end * 1e3) for end in ends) if known else "one process"
    return significant(row["median"] * 1e3), text


def placed(readme: str, found: str) -> str:
    """README with the section in its place; raises BenchError where the marks are missing."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise BenchError(f"README has no lines {BEGIN!r} and {END!r}: put them where it belongs")
    return before + found + after


def text(frame: pd.DataFrame) -> str:
    return frame.to_csv(index=False, float_format=DIGITS, lineterminator="\n")


def draw(run: store.Run) -> None:
    """The picture of the section, in the folder of the run."""
    drawn = charts.draw(charts.gather([run.folder]), only=[CHART], font=pictures.font("en"))
    pictures.write(drawn.specs, run.folder / "charts", ("svg",))


@click.command()
@click.argument("place", type=click.Path(path_type=Path), default=REFERENCE, metavar="[RUN]")
@click.option("--readme", type=click.Path(path_type=Path), default=ROOT / "README.md")
@click.option("--check", is_flag=True, help="Write nothing; exit status 1 where anything differs.")
def main(place: Path, readme: Path, check: bool) -> None:
    """README's results and the derived tables of RUN, from its samples."""
    try:
        run = store.Run.open(place)
        tables = store.load(place)
        folder = place.resolve().relative_to(readme.resolve().parent).as_posix()
        wanted = {place / name: text(t) for name, t in derived(run, tables).items()}
        old = readme.read_text(encoding="utf-8")
        wanted[readme] = placed(old, section(run, tables, folder))
    except (BenchError, ValueError) as error:
        raise click.UsageError(str(error)) from None
    stale = [p for p, new in wanted.items() if not p.is_file() or p.read_text("utf-8") != new]
    for path in stale:
        click.echo(f"{path}: {'not what the run gives' if check else 'written'}")
        if not check:
            path.write_text(wanted[path], encoding="utf-8")
    if not check:
        draw(run)
    sys.exit(1 if check and stale else 0)


if __name__ == "__main__":
    main()
