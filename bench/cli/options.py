"""Options that several commands have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


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


def fail_on_option(function: F) -> F:
    text = "What makes the exit status 1: something slower or lost; any change; never."
    words = click.Choice(["regression", "change", "nothing"])
    return click.option(
        "--fail-on", type=words, default="regression", show_default=True, help=text
    )(function)


def runs_argument(function: F) -> F:
    place = click.Path(path_type=Path)
    return click.argument("folders", nargs=-1, type=place, metavar="[RUN...]")(function)
