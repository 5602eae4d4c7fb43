"""Arrays by name in a file, as they travel between us and a worker: an array of the names, then
each of theirs, one `numpy.save` after the other.

Not a .npz, which sums up every byte: that takes ten times as long, and the gate writes the weights
and gradients of every network for every framework. `impls/worker.py` has the same two functions,
for the halves share no code.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]


def write(path: str | Path, arrays: Arrays) -> str:
    """The path, as a text."""
    with Path(path).open("wb") as file:
        np.save(file, np.array(list(arrays), dtype=str), allow_pickle=False)
        for array in arrays.values():
            np.save(file, array, allow_pickle=False)
    return str(path)


def read(path: str | Path) -> dict[str, NDArray[Any]]:
    """What was written, in its order."""
    with Path(path).open("rb") as file:
        names = np.load(file, allow_pickle=False).tolist()
        return {name: np.load(file, allow_pickle=False) for name in names}
