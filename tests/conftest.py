"""Fakes shared by the tests: frameworks that need no environment of their own."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench import gate
from bench.client import Worker

REPOSITORY = Path(__file__).resolve().parents[1]
ADAPTERS = Path(__file__).parent / "adapters"


class Fake(SimpleNamespace):
    """An environment whose interpreter is ours and whose adapter is one of tests/adapters."""

    def variables(self, threads: int) -> dict[str, str]:
        return {"CONVMARK_REPOSITORY": str(REPOSITORY), "CONVMARK_FAILURE": self.framework.name}


def fake(name: str, lock: str = "0") -> Any:
    """The environment of tests/adapters/<name>.py, or of failing.py in the way of that name."""
    adapter = ADAPTERS / f"{name}.py"
    adapter = adapter if adapter.exists() else ADAPTERS / "failing.py"
    framework = SimpleNamespace(name=name, version="1", adapter=adapter)
    return Fake(framework=framework, python=Path(sys.executable), lock_hash=lock, build="cpu")


def worker(name: str, log: Path) -> Worker:
    """A worker of `fake(name)` that has not been greeted."""
    environment = fake(name)
    adapter = environment.framework.adapter
    return Worker(environment.python, adapter, 1, environment.variables(1), log)


@pytest.fixture(autouse=True)
def own_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[None]:
    """Each test has a cache of its own, but for those that run real frameworks."""
    if not request.node.get_closest_marker("frameworks"):
        monkeypatch.setenv("CONVMARK_CACHE", str(tmp_path / "cache"))
    gate.judges.cache_clear()
    yield
    os.environ.pop("CONVMARK_REAL", None)
