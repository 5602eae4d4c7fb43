"""Environment variables that a worker is started with, as framework.toml lists them.

[[setting]]
name, value, reason     the value may hold {threads}, {prefix} (the environment's folder) and
{site} (its packages)
device = "cuda"         only there
when = "amd"            only on such processors: one of machine.TRAITS
tuning = true           faster than what people get who do nothing: `--untuned` leaves it out
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from bench import machine
from bench.errors import BenchError, unknown

DEVICES = ("cpu", "cuda")
KEYS = {"name", "value", "reason", "device", "when", "tuning"}


@dataclass(frozen=True)
class Setting:
    """An environment variable of a worker; `device` and `when` are empty where it always holds."""

    name: str
    value: str
    reason: str
    device: str = ""
    when: str = ""
    tuning: bool = False

    def applies(self, device: str, tuned: bool = True) -> bool:
        """Whether it is set here for a worker on that device."""
        here = not self.when or self.when in machine.traits()
        return here and self.device in ("", device) and (tuned or not self.tuning)


def applied(settings: Iterable[Setting], device: str, tuned: bool) -> list[Setting]:
    """Those that are set; of two for one variable the later, so that a tuning may replace it."""
    rows = [setting for setting in settings if setting.applies(device, tuned)]
    return list({row.name: row for row in rows}.values())


def read(row: Mapping[str, Any], path: object) -> Setting:
    """One [[setting]] of the file `path`. Raises BenchError with the place of what is wrong."""
    name = text_of(row, "name", f"{path}: [[setting]]")
    place = f"{path}: [[setting]] {name}"
    for key in row.keys() - KEYS:
        raise BenchError(f"{place}: {unknown('key', key, KEYS)}")
    value, reason = text_of(row, "value", place), text_of(row, "reason", place)
    try:
        value.format(threads=1, prefix="", site="")
    except (KeyError, IndexError, ValueError) as error:
        raise BenchError(
            f"{place}: {value!r} holds more than {{threads}}, {{prefix}}, {{site}}: {error!r}"
        ) from None
    return Setting(
        name, value, reason,
        optional(row, "device", DEVICES, place), optional(row, "when", machine.TRAITS, place),
        row.get("tuning", False) is True,
    )  # fmt: skip


def optional(row: Mapping[str, Any], key: str, choices: Iterable[str], place: str) -> str:
    """A key that may be left away; raises BenchError if it is none of the choices."""
    value = str(row.get(key, ""))
    if value and value not in choices:
        raise BenchError(f"{place}: {unknown(key, value, choices)}")
    return value


def text_of(table: Mapping[str, Any], key: str, place: object) -> str:
    """A text that must be there; raises BenchError if it is not."""
    value = table.get(key)
    if not isinstance(value, str) or not value:
        raise BenchError(f"{place}: {key} is missing or not a text")
    return value
