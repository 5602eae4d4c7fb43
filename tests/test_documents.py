"""What the documents say is so."""

from __future__ import annotations

import re

import click
import pytest

from bench import frameworks, models
from bench.cli import bench
from tests.conftest import REPOSITORY

README = (REPOSITORY / "README.md").read_text()
ROWS = [line for line in README.splitlines() if re.match(r"\| `\w+` .*\|.*\| .*`", line)]
DOCUMENT = (  # the frameworks of the document that this project implements
    "caffe", "caffe2", "cntk", "jax", "keras", "mindspore", "mxnet", "paddlepaddle", "tensorflow",
    "theano", "torch",
)  # fmt: skip
COMMANDS = [line for line in README.splitlines() if line.startswith("python3 -m venv")]


def test_set_up_is_two_commands_and_ci_runs_the_second() -> None:
    run, test = COMMANDS
    assert run.endswith("-m bench run")
    assert test in (REPOSITORY / ".ci" / "run").read_text().splitlines()


def test_the_table_has_every_framework_of_the_document() -> None:
    assert set(DOCUMENT) <= {row.split("`")[1] for row in ROWS}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.split("`")[1])
def test_the_table_says_version_and_modes(row: str) -> None:
    name, *modes = re.findall(r"`([\w-]+)`", row)
    framework = frameworks.discover()[name]
    versions = " and ".join(dict.fromkeys(place.version for place in framework.places))
    assert row.split("|")[2].startswith(f" {versions} ")
    assert modes == list(framework.modes)


def test_every_network_and_command_that_is_named_exists() -> None:
    networks = README[README.index("Networks:") :].split("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", networks)) <= set(models.discover())
    named = {line.split()[1] for line in README.splitlines() if line.startswith("bench ")}
    assert named == set(bench.list_commands(click.Context(bench)))
