"""What many families have in common."""

from __future__ import annotations

from bench.graph import Tensor


def conv_norm(
    x: Tensor, out: int, kernel: int, stride: int = 1, groups: int = 1, eps: float = 1e-5
) -> Tensor:
    """Convolution that keeps the size at stride 1, without a bias, and batch norm."""
    return x.conv(out, kernel, stride, kernel // 2, groups, bias=False).batchnorm(eps)


def rounded(width: float, step: int = 8) -> int:
    """To the nearest multiple of `step`, at least `step`, and never more than a tenth down: how
    MobileNet and what came after it widen and squeeze."""
    near = max(step, int(width + step / 2) // step * step)
    return near + step if near < 0.9 * width else near


def label(stage: int, index: int) -> str:
    """The name of a block in its stage: 2a, 2b, ...; from the 27th on 4b26, ..."""
    return f"{stage}{chr(ord('a') + index)}" if index < 26 else f"{stage}b{index}"
