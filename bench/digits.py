"""Real images to train on that need no download: scikit-learn's 1,797 digits of 8 x 8 pixels.

Alpaydin, Kaynak, "Optical recognition of handwritten digits", UCI machine learning repository 1998.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bench.ops import Shape
from bench.weights import Array, generator

CLASSES = 10
WHITE = 16.0  # the largest value of a pixel


@cache
def digits() -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """All images (1797, 8, 8) and labels (1797,), in a fixed random order."""
    from sklearn.datasets import load_digits

    data = load_digits()
    order = generator("digits").permutation(len(data.target))
    return data.images[order], data.target[order].astype(np.int64)


def image(pixels: NDArray[np.float64], shape: Shape) -> Array:
    """One digit at (C, H, W), the same in each channel, in about -1 to 1."""
    channels, height, width = shape
    small = Image.fromarray(pixels.astype(np.float32), "F")
    large = np.asarray(small.resize((width, height), Image.Resampling.BILINEAR), np.float32)
    return np.repeat((large[None] / WHITE - 0.5) * 2, channels, axis=0)


def batches(shape: Shape, steps: int, size: int) -> tuple[Array, NDArray[np.int64]]:
    """The first `steps` batches: images (steps, size, C, H, W) and labels (steps, size)."""
    pixels, labels = digits()
    count = steps * size
    images = np.stack([image(p, shape) for p in pixels[:count]])
    return images.reshape(steps, size, *shape), labels[:count].reshape(steps, size)
