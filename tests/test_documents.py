"""What the documents say is so."""

from __future__ import annotations

import re

import pytest

from bench import frameworks, models
from bench.cli import bench
from tests.conftest import REPOSITORY

README = (REPOSITORY / "README.md").read_text()
COMMANDS = [line for line in README.splitlines() if line.startswith("python3 -m venv")]


def test_set_up_is_two_commands_and_ci_runs_the_second() -> None:
    run, test = COMMANDS
    assert run.endswith("-m bench run")
    assert test in (REPOSITORY / ".ci" / "run").read_text().splitlines()


@pytest.mark.parametrize("name", frameworks.discover())
def test_the_table_has_every_framework_with_its_version_and_modes(name: str) -> None:
    framework = frameworks.discover()[name]
    (row,) = (line for line in README.splitlines() if line.startswith(f"| `{name}`"))
    versions = " and ".join(dict.fromkeys(place.version for place in framework.places))
    assert row.split("|")[2].startswith(f" {versions} ")
    assert re.findall(r"`([\w-]+)`", row) == [name, *framework.modes]


def test_every_network_and_command_that_is_named_exists() -> None:
    (networks,) = (line for line in README.splitlines() if line.startswith("Networks:"))
    assert set(re.findall(r"`(\w+)`", networks)) == set(models.discover())
    named = {line.split()[1] for line in README.splitlines() if line.startswith("bench ")}
    assert named == set(bench.commands)
