"""The command line: exit statuses, messages that help, and JSON that is nothing but JSON."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from bench import cases, envs, frameworks, machine, models
from bench.cli import Commands
from bench.cli.commands import run
from bench.cli.options import list_option
from bench.errors import Unavailable
from bench.store import Run
from tests.conftest import Command


def unavailable(chosen: Any, device: str, progress: Any) -> dict[str, Unavailable]:
    """As `envs.ensure_all` on a machine where nothing can be had."""
    for framework in chosen:
        progress(framework.name, "looking")
    return {f.name: Unavailable("no way", "try elsewhere") for f in chosen}


# -- words that are wrong --------------------------------------------------------------------------

WRONG = {
    "command": (["rnu"], ["unknown command 'rnu'", "'run'", "check, ", "export, "]),
    "framework": (["run", "--framework", "troch"], ["'troch'", "'torch'", "all, "]),
    "framework to check": (["check", "--framework", "a,torch"], ["'a'", "torch"]),
    "framework to set up": (["setup", "--framework", "tensorflw"], ["'tensorflow'", "torch"]),
    "no framework": (["run", "--framework", ","], ["unknown framework", "torch"]),
    "model": (["run", "--model", "lenet"], ["'lenet'", "'lenet5'", "vgg16"]),
    "model to check": (["check", "--model", "alexnit"], ["'alexnit'", "'alexnet'", "lenet5"]),
    "file of a model": (["run", "--model", "no/such.py:net"], ["no file 'no/such.py'"]),
    "mode": (["run", "--framework", "torch", "--mode", "compil"], ["'compile'", "eager", "all"]),
    "phase": (["run", "--phase", "trian"], ["'trian'", "'train'", "forward, inference, step"]),
    "profile": (["run", "--profile", "smok"], ["'smok'", "'smoke'", "full, quick"]),
    "device": (["run", "--device", "gpu"], ["'gpu'", "'auto', 'cpu', 'cuda'"]),
    "precision": (["run", "--precision", "fp8"], ["'fp8'", "'fp32', 'tf32'"]),
    "option": (["run", "--modle", "lenet5"], ["--modle", "--model"]),
    "thing to list": (["list", "model"], ["'model'", "'models'", "frameworks"]),
    "format": (["export", ".", "--format", "cvs"], ["'cvs'", "'csv'", "parquet"]),
    "batch": (["run", "--batch", "1,O"], ["--batch 'O'", "whole number", "1,32"]),
    "batch of 0": (["run", "--batch", "0"], ["--batch '0'", "at least 1"]),
    "budget": (["run", "--budget", "10 minutes"], ["--budget '10 minutes'", "90s, 10m or 2h"]),
    "threads": (["run", "--threads", "0"], ["--threads", "0"]),
    "resume of no run": (["run", "--resume", "nowhere"], ["nowhere is no run", "run.json"]),
    "resume and out": (["run", "--resume", "a", "--out", "b"], ["--resume", "--out"]),
    "export of no run": (["export", "nowhere"], ["nowhere is no run"]),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_word_ends_with_2_and_says_what_is_right(command: Command, what: str) -> None:
    arguments, words = WRONG[what]
    done = command(*arguments)
    assert done.status == 2
    assert done.out == ""
    assert [word for word in words if word not in done.err] == []
    assert "Traceback" not in done.err


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_word_leaves_no_folder_behind(command: Command, what: str, tmp_path: Path) -> None:
    command(*WRONG[what][0])
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_other_things_is_not_written_into(command: Command, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    done = command("run", "--model", "lenet5", "--device", "cpu", "--out", str(tmp_path))
    assert done.status == 2
    assert f"{tmp_path} is not empty and is no run: choose another --out" in done.err


def test_a_run_is_not_resumed_with_another_network(command: Command, tmp_path: Path) -> None:
    source = {"source": "lenet5", "digest": "0" * 64}
    Run.create(tmp_path / "r", {"models": {"lenet5": source}, "plan": {}})
    done = command("run", "--resume", "r")
    assert done.status == 2
    assert "network lenet5 is not what it was in r" in done.err


# -- what cannot be had ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["run", "check", "setup"])
def test_cuda_without_a_gpu_ends_with_3_before_anything_is_installed(
    command: Command, name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(machine, "gpus", lambda: 0)
    done = command(name, "--device", "cuda")
    assert done.status == 3
    assert done.out == ""
    assert "--device cuda: the NVIDIA driver (libcuda.so.1) shows no GPU" in done.err
    assert "use --device cpu" in done.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["setup"],
        ["check", "--model", "lenet5"],
        ["run", "--profile", "smoke"],
        ["show", "lenet5", "--framework", "torch"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_nothing_to_be_had_ends_with_3(
    command: Command, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(envs, "ensure_all", unavailable)
    monkeypatch.setattr(machine, "gpus", lambda: 0)
    done = command(*arguments)
    assert done.status == 3
    assert "error: " in done.err
    assert "Traceback" not in done.err


def test_a_run_of_nothing_says_why_for_each_case(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(envs, "ensure_all", unavailable)
    monkeypatch.setattr(machine, "gpus", lambda: 0)
    done = command("run", "--profile", "smoke", "--framework", "torch", "--out", "r", "--json")
    rows = json.loads(done.out)
    assert [(row["framework"], row["phase"], row["status"]) for row in rows] == [
        ("torch", "inference", "unavailable"), ("torch", "train", "unavailable"),
    ]  # fmt: skip
    assert all("no way (try elsewhere)" in row["reason"] for row in rows)
    assert {path.name for path in (tmp_path / "r").iterdir()} >= {"run.json", "samples.jsonl"}


# -- answers ---------------------------------------------------------------------------------------


def test_list_frameworks_as_json(command: Command) -> None:
    done = command("list", "frameworks", "--json")
    rows = {row["name"]: row for row in json.loads(done.out)}
    assert done.status == 0
    assert set(rows) == set(frameworks.discover())
    for name, row in rows.items():
        keys = {"name", "version", "modes", "python", "available", "status", "reason"}
        assert row.keys() == keys
        assert row["modes"] == list(frameworks.discover()[name].modes)
        assert row["available"] is False  # the test's cache is empty
        assert row["reason"]


def test_list_models_as_json(command: Command) -> None:
    rows = {row["name"]: row for row in json.loads(command("list", "models", "--json").out)}
    assert set(rows) == set(models.discover())
    assert rows["lenet5"] == {
        "name": "lenet5", "input": "1x32x32", "params": 61_706, "macs": 416_520,
    }  # fmt: skip


def test_list_runs_as_json(command: Command, tmp_path: Path) -> None:
    assert json.loads(command("list", "runs", "--json").out) == []
    header = {"created": "now", "complete": True, "command": "bench run", "plan": {}}
    Run.create(tmp_path / "results" / "r", header)
    (row,) = json.loads(command("list", "runs", "--json").out)
    assert row == {k: header[k] for k in ("created", "complete", "command")} | {"run": "results/r"}
    (tmp_path / "results" / "r" / "run.json").write_text("{")
    (row,) = json.loads(command("list", "runs", "--json").out)
    assert "unreadable" in row["command"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["list", "frameworks", "--json"],
        ["list", "models", "--json"],
        ["list", "runs", "--json"],
        ["show", "googlenet", "--json"],
        ["setup", "--json"],
        ["check", "--model", "lenet5", "--json"],
        ["run", "--profile", "smoke", "--json"],
    ],
    ids=" ".join,
)
def test_json_is_all_that_is_printed(
    command: Command, arguments: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Progress goes to standard error."""
    monkeypatch.setattr(envs, "ensure_all", unavailable)
    monkeypatch.setattr(machine, "gpus", lambda: 0)
    done = command(*arguments)
    assert isinstance(json.loads(done.out), list | dict)


HEAVY = ("torch", "tensorflow", "jax", "mxnet", "caffe", "numpy", "pandas", "pyarrow", "sklearn",
         "scipy", "PIL", "rich")  # fmt: skip
LOOK = f"""
import sys
from bench.cli import main
main()
print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)
"""


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["list", "frameworks", "--json"], ["list", "--json"]])
def test_listing_frameworks_imports_no_framework_and_no_heavy_library(
    arguments: list[str],
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOOK, *arguments], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)
    assert done.stderr.strip() == "[]"


@pytest.mark.parametrize("name", Commands().list_commands(click.Context(Commands())))
def test_every_command_explains_itself(command: Command, name: str) -> None:
    done = command(name, "--help")
    assert done.status == 0
    assert done.out.startswith("Usage: ")


def test_the_help_of_run_names_the_choices(command: Command) -> None:
    text = command("run", "--help").out
    for word in (*cases.PHASES, *cases.PROFILES, *cases.PRECISIONS):
        assert word in text


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ([], "all"),
        (["--mode", "a,b"], "a,b"),
        (["--mode", "a", "--mode", "b"], "a,b"),  # not the last alone
    ],
)
def test_a_list_is_said_at_once_or_piece_by_piece(said: list[str], meant: str) -> None:
    command = click.command()(list_option("--mode", "all")(lambda mode: click.echo(mode)))
    assert CliRunner().invoke(command, said).output == f"{meant}\n"
    assert "[default: (all)]" in CliRunner().invoke(command, ["--help"]).output


def test_ctrl_c_ends_with_130(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(models, "load", interrupt)
    done = command("show", "lenet5")
    assert done.status == 130
    assert "--resume" in done.err


def test_what_a_run_tuned_is_said_once_for_all_it_was_set_for() -> None:
    def setting(name: str, tuning: bool) -> dict[str, object]:
        return {"name": name, "value": "1", "reason": "faster", "tuning": tuning}

    facts = {"settings": [setting("THREADS", False), setting("FAST", True)]}
    header = {"contenders": {"a x": facts, "a y": facts, "b z": {"settings": []}}}
    assert run.tunings(header) == ["tuned: a x, a y: FAST=1: faster"]
    assert run.tunings({}) == []
