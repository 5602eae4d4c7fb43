"""scripts/newer.py, with an index that is made up."""

from __future__ import annotations

import pytest

from bench import frameworks
from scripts import newer


@pytest.mark.parametrize("version", ["unknown", "2.13.0", "2.13.0+cpu"])
def test_the_locked_version_is_not_newer(version: str) -> None:
    assert not newer.is_newer(version, "2.13.0")


def test_every_framework_that_an_index_has_is_asked_for() -> None:
    asked = {package for package, _, _ in newer.packages()}
    assert asked == {f.package for f in frameworks.discover().values()} - {"caffe"}


def test_a_newer_version_is_marked_and_is_the_exit_status(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(newer, "packages", lambda: [("a", "1.0", "3.9"), ("b", "2.0", "3.9")])
    monkeypatch.setattr(newer, "newest", lambda package, python: {"a": "1.0", "b": "2.1"}[package])
    with pytest.raises(SystemExit) as stop:
        newer.main()
    assert stop.value.code == 1
    a, b = capsys.readouterr().out.splitlines()[2:]
    assert "newer" not in a and b.endswith("| 2.1 | **newer** |")
