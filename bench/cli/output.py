"""How commands answer."""

from __future__ import annotations

import json
from typing import Any

import click


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
