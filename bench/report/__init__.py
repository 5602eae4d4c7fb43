"""The report: one folder with a page that works from a file, pictures, and tables as CSV."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench import charts
from bench.charts import pictures
from bench.charts.data import Data
from bench.errors import BenchError
from bench.report import files, page, samples, tables, verdicts

__all__ = ["write"]


def write(data: Data, folder: Path, claims: Sequence[Mapping[str, Any]] = ()) -> Path:
    """Write the report of these runs; the path of its page. `claims` are rows as `bench claims
    --json` gives them, shown first. Raises BenchError where the folder holds something else."""
    prepare(folder)
    drawn = charts.draw(data, font=pictures.font("en"))
    pictures.write(drawn.specs, folder / "pictures", ("svg", "png", "json"))
    files.write(data, folder / "tables")
    content = page.render(
        data=data, drawn=drawn, verdicts=verdicts.cells(data), tables=tables.every(data),
        samples=samples.drawn(data), claims=claims,
    )  # fmt: skip
    path = folder / page.NAME
    path.write_text(content, encoding="utf-8")
    return path


def prepare(folder: Path) -> None:
    """A new or empty folder, or that of a former report."""
    if folder.exists() and not folder.is_dir():
        raise BenchError(f"--out {folder} is a file: name a folder")
    if folder.is_dir() and any(folder.iterdir()) and not (folder / page.NAME).is_file():
        raise BenchError(f"--out {folder} holds something else than a report: choose another")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BenchError(f"--out {folder}: {error.strerror}") from error
