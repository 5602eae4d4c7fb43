"""Images to learn from: scikit-learn's digits, or the user's folder with a subfolder a class."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from bench import digits
from bench.errors import BenchError
from bench.ops import Shape
from bench.weights import Array, generator

KINDS = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
TESTED = 0.2  # of the images, never trained on


@dataclass(frozen=True)
class Images:
    """Images (N, C, H, W) in about -1 to 1 and labels (N,), in a fixed random order; the last
    fifth is for testing."""

    name: str
    x: Array = field(repr=False)
    y: NDArray[np.int64] = field(repr=False)
    classes: int

    def __len__(self) -> int:
        return len(self.y)

    @property
    def shape(self) -> Shape:
        return self.x.shape[1:]

    def part(self, part: str) -> slice:
        """Which of them `train` or `test` are."""
        split = len(self) - round(TESTED * len(self))
        return slice(split) if part == "train" else slice(split, None)

    def count(self, part: str) -> int:
        return len(self.y[self.part(part)])

    def probes(self, part: str, batches: int, size: int) -> tuple[Array, NDArray[np.int64]]:
        """The first batches of a part, as many as there are: (batches, size, ...)."""
        x, y = self.x[self.part(part)], self.y[self.part(part)]
        return cut(x, y, min(batches, len(y) // size), size)

    def epoch(self, seed: int, epoch: int, size: int) -> tuple[Array, NDArray[np.int64]]:
        """All training images in an order of its own, in whole batches."""
        x, y = self.x[self.part("train")], self.y[self.part("train")]
        order = generator("epoch", seed, epoch).permutation(len(y))
        return cut(x[order], y[order], len(y) // size, size)


def cut(x: Array, y: NDArray[np.int64], batches: int, size: int) -> tuple[Array, NDArray[np.int64]]:
    count = batches * size
    return x[:count].reshape(batches, size, *x.shape[1:]), y[:count].reshape(batches, size)


def digits_of(shape: Shape) -> Images:
    """The 1,797 digits."""
    pixels, labels = digits.digits()
    x = np.stack([digits.image(p, shape) for p in pixels])
    return Images("digits", x, labels, digits.CLASSES)


def from_folder(folder: Path, shape: Shape) -> Images:
    """Every image of every subfolder; raises BenchError with the place of what is wrong."""
    if not folder.is_dir():
        raise BenchError(f"--data {folder}: no such folder")
    classes = sorted(path for path in folder.iterdir() if path.is_dir())
    if len(classes) < 2:
        found = ", ".join(path.name for path in classes) or "none"
        raise BenchError(
            f"--data {folder}: a subfolder for each class is needed, at least two; found: {found}"
        )
    files = [(path, label) for label, place in enumerate(classes) for path in pictures(place)]
    order = generator("images").permutation(len(files))
    x = np.stack([opened(files[i][0], shape) for i in order])
    y = np.array([files[i][1] for i in order], np.int64)
    return Images(folder.name, x, y, len(classes))


def pictures(folder: Path) -> Iterator[Path]:
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in KINDS)
    if not found:
        raise BenchError(f"--data: {folder} holds no image ({', '.join(KINDS)})")
    yield from found


def opened(path: Path, shape: Shape) -> Array:
    """One image at (3, H, W), in -1 to 1."""
    try:
        with Image.open(path) as picture:
            size = (shape[2], shape[1])
            small = picture.convert("RGB").resize(size, Image.Resampling.BILINEAR)
    except (UnidentifiedImageError, OSError) as error:
        raise BenchError(f"--data: {path} cannot be read as an image: {error}") from None
    return np.asarray(small, np.float32).transpose(2, 0, 1) / 127.5 - 1
