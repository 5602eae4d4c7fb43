"""The command line: the only place that parses arguments, prints and exits.

Exit status: 0 done, 1 a check or comparison failed, 2 bad arguments, 3 nothing could be measured,
130 stopped by Ctrl-C. A command is a file in `commands/`, loaded when it is called; commands import
what they need when they run: short answers are quick.
"""

from __future__ import annotations

import importlib
import signal
import sys
from pathlib import Path
from typing import Any

import click

from bench import __version__
from bench.errors import BenchError, unknown


class Commands(click.Group):
    """The files of `commands/`; unknown commands get the choices and a "did you mean"."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        files = (Path(__file__).parent / "commands").glob("[a-z]*.py")
        return sorted(path.stem for path in files)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        module = importlib.import_module(f"bench.cli.commands.{cmd_name}")
        command: click.Command = module.command
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if self.get_command(ctx, args[0]) is None:
            raise unknown("command", args[0], self.list_commands(ctx))
        return super().resolve_command(ctx, args)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="convmark")
def bench() -> None:
    """The same CNN in every deep-learning framework: proved equal, then measured fairly."""


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
