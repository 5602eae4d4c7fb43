"""Options that several commands have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])


def list_option(name: str, default: str | None = None, **more: Any) -> Callable[[F], F]:
    """Words separated by commas, or the option said more than once: one text either way."""

    def joined(
        context: click.Context, option: click.Parameter, said: tuple[str, ...]
    ) -> str | None:
        return ",".join(said) if said else default

    shown: bool | str = default or False
    return click.option(name, multiple=True, callback=joined, show_default=shown, **more)


framework_option = list_option("--framework", "all", metavar="all|A,B")


def device_option(function: F) -> F:
    device = click.Choice(["auto", "cpu", "cuda"])
    return click.option("--device", type=device, default="auto", show_default=True)(function)


def mode_option(default: str) -> Callable[[F], F]:
    return list_option("--mode", default, metavar="default|all|A,B")


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
