"""Every table of the page, from the summary down to what the machine was."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from bench import summary
from bench.charts.data import SITUATION, Data
from bench.charts.panels import ordered, ranked
from bench.charts.words import Words
from bench.report.grid import Table, between, number, place, table, text, whole, yes
from bench.store import CONTENDER

MIB = 1 / 2**20
MS = 1e3


def every(data: Data) -> list[Table]:
    """Those that have a row."""
    found = [times(data), memory(data), starts(data), failures(data), parity(data), stops(data),
             versions(data), settings(data), machines(data)]  # fmt: skip
    return [table for table in found if table.lines]


def times(data: Data) -> Table:
    about = "Open a row to see every sample that its figures come from."
    columns = [
        *place(data.summary), number("median", "ms per step", MS),
        between("low", "high", MS, "95% interval"), number("images_per_second", "images/s"),
        number("ratio", "ratio"), between("ratio_low", "ratio_high", 1, "95% interval"),
        text("verdict"), number("peak_memory", "peak MiB", MIB, whole),
        number("first_call", "first call, s"), number("processes", "processes", show=whole),
        number("samples", "samples", show=whole), text("marks"),
    ]  # fmt: skip
    labels, _ = Words().panels(data.measured, SITUATION)
    frame = ordered(ranked(data.measured.assign(panel=labels), ["panel"], "median"))
    base = frame["rank"] == 0
    frame = frame.assign(
        verdict=frame["verdict"].astype(object).mask(base, "fastest").str.lower(),
        ratio_low=frame["ratio_low"].mask(base),
    )
    return table("times", "Times", about, columns, frame, "summary")


def memory(data: Data) -> Table:
    about = "Each phase in a process of its own; the least is what the graph cannot do without."
    frame = known(data, data.tables.memory)
    columns = [
        *place(frame), number("baseline", "baseline MiB", MIB, whole),
        number("used", "peak MiB", MIB, whole),
        number("above_baseline", "above baseline MiB", MIB, whole),
        number("least", "least MiB", MIB, whole), number("times_least", "times the least"),
        number("growth_per_step", "growth KiB a step", 1024 * MIB), text("marks"),
    ]  # fmt: skip
    return table("memory", "Memory", about, columns, frame, "memory")


def starts(data: Data) -> Table:
    """A row for each process."""
    about = "Each process: importing the framework, building the network."
    frame = known(data, data.tables.processes)
    columns = [
        *place(frame), number("process", "process", show=whole),
        number("import_seconds", "import, s"), number("build_seconds", "build, s"),
    ]  # fmt: skip
    return table("starts", "Import and build", about, columns, frame, "processes")


def failures(data: Data) -> Table:
    about = "These are results too, with the framework's own reason."
    frame = data.summary[data.summary["median"].isna() | (data.summary["reason"] != "")]
    columns = [*place(data.summary), text("status"), text("reason")]
    return table("failures", "Not measured, or not to the end", about, columns, frame, "outcomes")


def parity(data: Data) -> Table:
    about = "No parity, no number: the largest error against the referee, and what was allowed."
    frame = known(data, data.tables.verdicts)
    columns = [
        *place(frame), text("status"), number("worst_error", "largest error", show=scientific),
        number("bound", "allowed", show=scientific), text("worst_tensor", "where"), text("reason"),
    ]  # fmt: skip
    return table("parity", "Parity", about, columns, frame, "verdicts")


def scientific(value: float) -> str:
    return f"{value:.1e}"


def stops(data: Data) -> Table:
    about = "Why no more processes were taken."
    frame = pd.DataFrame({"said": summary.stops(data.tables)})
    return table("stops", "Where it stopped", about, [text("said", "")], frame, "stops")


def versions(data: Data) -> Table:
    about = "What was measured; run.json has more."
    frame = pd.DataFrame(list(contenders(data)))
    columns = [text(c) for c in ("run", "contender", "version", "environment")]
    return table("versions", "Versions", about, columns, frame)


def settings(data: Data) -> Table:
    about = "Environment variables that were set. A tuning: faster than what people get by default."
    rows = [row | s for row in contenders(data) for s in row["settings"]]
    columns = [text("contender"), text("name"), text("value"), yes("tuning"), text("reason")]
    return table("settings", "Settings", about, columns, pd.DataFrame(rows))


def machines(data: Data) -> Table:
    rows = [
        {"run": run, "name": name, "value": value}
        for run, header in data.headers.items()
        for name, value in facts(header)
    ]
    columns = [text("run"), text("name", ""), text("value", "")]
    return table("machines", "Machine", "Where it ran.", columns, pd.DataFrame(rows))


def facts(header: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What a number cannot be understood without; the processor's long list of flags is left to
    run.json."""
    for name in ("created", "command", "revision", "version"):
        yield name, str(header.get(name, ""))
    for name, value in header.get("machine", {}).items():
        if name != "flags":
            yield name, str(value)


def contenders(data: Data) -> Iterator[dict[str, Any]]:
    """What each run says of its contenders."""
    for run, header in data.headers.items():
        for name, about in header.get("contenders", {}).items():
            yield {"settings": [], **about, "run": run, "contender": name}


def known(data: Data, frame: pd.DataFrame) -> pd.DataFrame:
    """A table of the store with the names of its contenders."""
    key = ["run", *CONTENDER]
    names = data.summary.drop_duplicates(key).set_index(key)["contender"]
    found = [names.get(tuple(row), "") for row in frame[key].itertuples(index=False, name=None)]
    return frame.assign(contender=found)
