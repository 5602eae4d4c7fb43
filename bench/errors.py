"""The errors that the harness foresees. Only the command line turns them into exit statuses."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class BenchError(Exception):
    """Something the user can mend: the message names the place, the value and the choices."""

    status = 2


class Unavailable(BenchError):
    """A framework cannot be had on this machine; `mend` says what would change that."""

    status = 3

    def __init__(self, reason: str, mend: str = "") -> None:
        super().__init__(reason + (f" ({mend})" if mend else ""))
        self.reason = reason
        self.mend = mend


class NothingMeasured(BenchError):
    """No contender was left that could be measured."""

    status = 3


def unknown(what: str, name: str, choices: Iterable[str]) -> BenchError:
    """An error for a name that is not one of `choices`, with the nearest of them."""
    known = sorted(choices)
    near = get_close_matches(name, known, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return BenchError(f"unknown {what} {name!r}.{hint} Choices: {', '.join(known)}")
