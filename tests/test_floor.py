"""impls/worker.py and impls/adapter.py run on the oldest Pythons that frameworks still need."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from bench.client import Worker
from bench.envs.uv import Uv, environment
from bench.errors import Unavailable

NUMPY = {"3.6": "1.16.6", "3.8": "1.23.5", "3.9": "1.23.5"}
ADAPTER = """
import numpy
from convmark import Adapter as Base, ChannelsLast, define, program
NAME = "floor"
MODES = ("plain",)
class Adapter(Base):
    def __init__(self, mode, device, precision, threads):
        pass
    def versions(self):
        return {"numpy": numpy.__version__}
    def build(self, graph, weights):
        head = "def forward(x):"
        op = {"conv": lambda node, x: x[0], "relu": lambda node, x: x[0],
              "dense": lambda node, x: x[0], "globalavgpool": lambda node, x: x[0]}
        self.run = define(program(graph, op, head), "forward", {})
        self.layout, self.weights = ChannelsLast(graph), weights
    def parameters(self):
        there = {k: self.layout.to_native(k, v) for k, v in self.weights.items()}
        return {k: self.layout.to_graph(k, v) for k, v in there.items()}
    def logits(self, x):
        return self.run(x)
    def step(self, phase, x, y):
        return lambda: self.run(x)
    def wait(self, result):
        pass
"""


def interpreter(version: str, folder: Path) -> Path:
    """A Python of that version with NumPy; skips where this machine can have none."""
    uv = Uv(folder / "log", lambda message: None)
    try:
        uv.venv(folder / "env", version)
    except Unavailable as error:
        pytest.skip(f"Python {version}: {error.reason}")
    python = folder / "env" / "bin" / "python"
    command = ["pip", "install", "--quiet", "--only-binary", ":all:", f"numpy=={NUMPY[version]}"]
    uv_binary = environment() | dict(os.environ)
    from uv import find_uv_bin

    done = subprocess.run(
        [find_uv_bin(), *command, "--python", str(python)], env=uv_binary, check=False
    )
    if done.returncode:
        pytest.skip(f"NumPy {NUMPY[version]} cannot be installed for Python {version}")
    return python


@pytest.mark.slow
@pytest.mark.parametrize("version", sorted(NUMPY))
def test_the_worker_serves_on(version: str, tmp_path: Path) -> None:
    from bench.parity import save
    from bench.weights import batch, weights
    from tests.test_race import GRAPHS

    graph = GRAPHS["one"]
    adapter = tmp_path / "floor" / "adapter.py"
    adapter.parent.mkdir()
    adapter.write_text(ADAPTER)
    values = weights(graph)
    files = save(tmp_path, graph, values, *batch(graph, 2))
    with Worker(interpreter(version, tmp_path), adapter, 1, {}, tmp_path / "log") as worker:
        about = worker.call("hello", 60, mode="plain", device="cpu", precision="fp32", threads=1)
        assert about["python"].startswith(version) and about["versions"]["numpy"] == NUMPY[version]
        worker.call("build", 60, graph=files["graph"], weights=files["weights"])
        counted = worker.call("parameters", 60, out=str(tmp_path / "p"))
        assert counted["parameters"] == graph.params
        asked = {"phase": "train", "inputs": files["inputs"]}
        worker.call("warmup", 60, **asked, seconds=0.05, shortest=1e-3)
        block = worker.call("measure", 60, phase="train", samples=3, seconds=0.05)
        assert len(block["samples"]) == 3 or block["wall"] >= 0.05
        assert worker.call("settle", 60, **asked)["settled"]["resident"] > 0
        weighed = worker.call("memory", 60, **asked, least=1, most=1, seconds=0)
        assert weighed["last"]["peak"] >= weighed["last"]["resident"] > 0
