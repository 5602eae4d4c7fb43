"""Arrays on their way between us and a worker."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench import arrays

SOME = {
    "conv1/weight": np.arange(24.0, dtype=np.float32).reshape(2, 3, 4),
    "turned": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "every other": np.arange(8)[::2],
    "loss": np.array(0.5),
    "none": np.zeros((0, 3), np.float32),
}


@pytest.mark.parametrize("some", [SOME, {}], ids=["some", "none"])
def test_what_is_read_is_what_was_written(some: arrays.Arrays, tmp_path: Path) -> None:
    path = arrays.write(tmp_path / "file", some)
    found = arrays.read(path)
    assert list(found) == list(some)
    for name, array in some.items():
        assert found[name].dtype == array.dtype and np.array_equal(found[name], array)


def test_objects_do_not_travel(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Object arrays"):
        arrays.write(tmp_path / "file", {"object": np.array([object()])})
