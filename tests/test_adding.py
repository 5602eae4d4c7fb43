"""A network is a new file and a framework a new folder: the steps of CONTRIBUTING, nothing else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import REPOSITORY

NETWORK = '''
"""A new network."""

from bench.graph import Tensor, network


@network(3, 32, 32)
def newnet(x: Tensor) -> Tensor:
    """One convolution."""
    return x.conv(8, 3).relu().global_avgpool().dense(10)
'''
FRAMEWORK = """
title = "New"
package = "new"
version = "1.0"
python = "3.11"
[cpu]
lock = "requirements-cpu.txt"
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What a contributor has after the steps, but for the environment."""
    ignore = shutil.ignore_patterns("__pycache__")
    for name in ("bench", "impls"):
        shutil.copytree(REPOSITORY / name, tmp_path / name, ignore=ignore)
    (tmp_path / "bench" / "models" / "newnet.py").write_text(NETWORK)
    folder = tmp_path / "impls" / "newframework"
    folder.mkdir()
    (folder / "framework.toml").write_text(FRAMEWORK)
    (folder / "requirements-cpu.txt").touch()
    (folder / "adapter.py").write_text('NAME = "newframework"\nMODES = ("only",)\n')
    return tmp_path


def bench(clone: Path, *arguments: str) -> Any:
    variables = os.environ | {"CONVMARK_CACHE": str(clone / "cache")}
    command = [sys.executable, "-m", "bench", *arguments, "--json"]
    done = subprocess.run(command, cwd=clone, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_new_file_is_a_network_everywhere(clone: Path) -> None:
    rows = {row["name"]: row for row in bench(clone, "list", "models")}
    assert rows["newnet"]["params"] == 3 * 9 * 8 + 8 + 8 * 10 + 10
    assert bench(clone, "show", "newnet")["name"] == "newnet"


def test_a_new_folder_is_a_framework_everywhere(clone: Path) -> None:
    rows = {row["name"]: row for row in bench(clone, "list", "frameworks")}
    assert (rows["newframework"]["modes"], rows["newframework"]["status"]) == (["only"], "absent")
