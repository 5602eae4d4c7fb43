"""Prints the verdicts on the document's statements, or on the user's own."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bench.cli.options import json_option
from bench.cli.output import emit, show_rows
from bench.errors import BenchError

if TYPE_CHECKING:
    from bench.store import Tables

MOST = 40  # comparisons that a terminal is shown; --json has all
LANGUAGES = ("en", "zh")
WORDS = {
    "en": {
        "title": "Statements", "claim": "claim", "statement": "statement", "verdict": "verdict",
        "effect": "effect", "of": "of", "rule": "rule", "tests": "Tests", "on": "on",
        "depends": "It depends", "value": "value", "evidence": "Evidence",
        "population": "population", "for": "for", "against": "against", "note": "note",
        "missing": "would decide it", "CONFIRMED": "CONFIRMED", "REFUTED": "REFUTED",
        "MIXED": "MIXED", "UNDECIDED": "UNDECIDED",
        "more": "On what a verdict depends, and what would decide it: bench claims ID",
    },
    "zh": {
        "title": "论断", "claim": "编号", "statement": "原文", "verdict": "结论",
        "effect": "效应", "of": "指标", "rule": "规则", "tests": "检验", "on": "依据",
        "depends": "取决于", "value": "取值", "evidence": "证据",
        "population": "范围", "for": "支持条件", "against": "反对条件", "note": "说明",
        "missing": "尚需", "CONFIRMED": "证实", "REFUTED": "推翻",
        "MIXED": "视情况而定", "UNDECIDED": "未定",
        "more": "结论取决于什么、还缺什么：bench claims 编号",
    },
}  # fmt: skip


@click.command(name="claims")
@click.argument("words", nargs=-1, metavar="[RUN...] [ID...]")
@click.option("--file", type=click.Path(path_type=Path), metavar="MINE.toml", help="Your own.")
@click.option("--lang", type=click.Choice(LANGUAGES), default="en", show_default=True)
@json_option
def command(words: tuple[str, ...], file: Path | None, lang: str, as_json: bool) -> None:
    """Judge the document's statements by the samples of RUN, by default of the newest run in
    results/. With an ID: its evidence, and what would decide it."""
    from bench import claims

    known = claims.load(file) if file else claims.load()
    chosen, runs = parted(words, [claim.id for claim in known])
    asked = claims.select(known, ",".join(chosen) or "all")
    rows = [judged.to_json() for judged in claims.judge(asked, measured(runs))]
    if as_json:
        emit(rows)
    elif chosen:
        for row in rows:
            show(row, lang)
    else:
        overview(rows, lang)


def parted(words: tuple[str, ...], known: list[str]) -> tuple[list[str], list[Path]]:
    """The ids and the runs among the words; raises BenchError for what is neither."""
    chosen = [word for word in words if word in known]
    runs = [Path(word) for word in words if word not in known]
    for run in runs:
        if not run.exists():
            from bench.errors import unknown

            raise BenchError(
                f"{run} is neither a run nor a claim: {unknown('claim', str(run), known)}"
            )
    return chosen, runs


def measured(runs: list[Path]) -> Tables:
    """The tables of these runs, or of the newest; empty ones where there is none."""
    from bench import store
    from bench.cli.commands.train import newest

    if not runs and (place := newest()):
        runs = [place.folder]
    return store.load(*runs)


def overview(rows: list[dict[str, Any]], lang: str) -> None:
    """A line for each claim, and how many there are of each verdict."""
    from bench.claims.words import translated

    words = WORDS[lang]
    table = [
        {"id": r["id"],
         "statement": " ".join((r["statement"][lang] or r["statement"]["en"]).split()),
         "verdict": words[r["verdict"]], "effect": effect(r["effect"]["value"], r["interval"]),
         "of": translated(r["effect"]["metric"], lang)}
        for r in rows
    ]  # fmt: skip
    columns = [words[key] for key in ("claim", "statement", "verdict", "effect", "of")]
    show_rows(words["title"], columns, table)
    counts = Counter(row["verdict"] for row in rows)
    click.echo(", ".join(f"{count} {words[verdict]}" for verdict, count in sorted(counts.items())))
    if counts["UNDECIDED"] or counts["MIXED"]:
        click.echo(words["more"])


def effect(value: float | None, interval: list[float | None] | None) -> str:
    """The figure with its interval, where it has one."""
    if value is None:
        return ""
    low, high = interval or (None, None)
    if low is None or high is None:
        return f"{value:.3g}"
    return f"{value:.6g}" if low == high else f"{value:.3g} ({low:.3g} to {high:.3g})"


def show(row: dict[str, Any], lang: str) -> None:
    """One claim: the sentence, the verdict, each test, on what it depends, the comparisons."""
    from bench.claims.words import translated

    words = WORDS[lang]
    for text in filter(None, row["statement"].values()):
        click.echo(text)
    figure = effect(row["effect"]["value"], row["interval"])
    metric = translated(row["effect"]["metric"], lang)
    click.echo(f"\n{row['id']}: {words[row['verdict']]}  {figure}  {metric}")
    told = row | (row["chinese"] if lang == "zh" else {})
    for key in ("population", "for", "against", "note"):
        if told[key]:
            click.echo(f"  {words[key]}: {told[key]}")
    tests = [
        {"verdict": words[t["verdict"]], "rule": translated(t["rule"], lang),
         "of": translated(t["metric"], lang),
         "effect": effect(t["value"], [t["low"], t["high"]])}
        for t in row["tests"]
    ]  # fmt: skip
    show_rows(words["tests"], [words[k] for k in ("verdict", "rule", "of", "effect")], tests)
    if row["depends"]:
        split = [
            {"on": d["on"], "value": d["value"],
             "effect": effect(d["effect"], [d["low"], d["high"]]), "verdict": words[d["verdict"]],
             "of": translated(d["of"], lang)}
            for d in row["depends"]
        ]  # fmt: skip
        columns = [words[key] for key in ("on", "value", "effect", "verdict", "of")]
        show_rows(words["depends"], columns, split)
    evidence(row["evidence"], lang)
    for text in row["missing"]:
        click.echo(f"{words['missing']}: {translated(text, lang)}")


PLACES = ("run", "framework", "contender", "rival", "model", "base", "nodes", "op", "phase",
          "batch", "device", "moment", "data", "epochs")  # fmt: skip


def evidence(rows: list[dict[str, Any]], lang: str) -> None:
    """The comparisons behind a verdict, those that are decided first."""
    from bench.claims.words import translated

    words = WORDS[lang]
    if not rows:
        return
    first = sorted(rows, key=lambda row: row["holds"] is None)[:MOST]
    keys = [key for key in PLACES if any(key in row for row in first)]
    table = [
        {key: str(row.get(key, "")) for key in keys}
        | {"value": str(row["found"]) if "found" in row
           else effect(row["value"], [row["low"], row["high"]]),
           "holds": translated({True: "yes", False: "no", None: "open"}[row["holds"]], lang)}
        for row in first
    ]  # fmt: skip
    left = len(rows) - len(first)
    title = words["evidence"] + (f" (+{left}: --json)" if left else "")
    show_rows(title, list(table[0]), table)
