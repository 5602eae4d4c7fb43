"""ShuffleNet V2: Ma, Zhang, Zheng, Sun, "ShuffleNet V2: practical guidelines for efficient CNN
architecture design", 2018, table 5."""

from functools import partial

from bench.graph import Network, Tensor, block, network

#                    stage 2, 3, 4, conv5      <- output channels, table 5
MEMBERS = {
    "shufflenet_v2_x0_5": (48, 96, 192, 1024),
    "shufflenet_v2_x1_0": (116, 232, 464, 1024),
    "shufflenet_v2_x1_5": (176, 352, 704, 1024),
    "shufflenet_v2_x2_0": (244, 488, 976, 2048),
}
REPEATS = (4, 8, 4)  # units per stage, the first of stride 2


def pointwise(x: Tensor, out: int) -> Tensor:
    return x.conv(out, 1, bias=False).batchnorm().relu()


def depthwise(x: Tensor, stride: int) -> Tensor:
    return x.conv(x.shape[0], 3, stride, pad=1, groups=x.shape[0], bias=False).batchnorm()


@block
def down(x: Tensor, out: int) -> Tensor:
    """Figure 3d: both branches halve the size, and each gives half of the channels."""
    left = pointwise(depthwise(x, 2), out // 2)
    right = pointwise(depthwise(pointwise(x, out // 2), 2), out // 2)
    return left.concat(right).channel_shuffle(2)


@block
def unit(x: Tensor) -> Tensor:
    """Figure 3c: one half of the channels passes, the other is worked on; then a shuffle."""
    half = x.shape[0] // 2
    left, right = x.split(half, half)
    right = pointwise(depthwise(pointwise(right, half), 1), half)
    return left.concat(right).channel_shuffle(2)


def shufflenet_v2(x: Tensor, widths: tuple[int, int, int, int], classes: int = 1000) -> Tensor:
    """ShuffleNet V2 of the paper without squeeze and excite, as in torchvision: its widths and its
    order, the half that passes first."""
    *stages, last = widths
    x = x.conv(24, 3, stride=2, pad=1, bias=False).batchnorm().relu().maxpool(3, 2, pad=1)
    for width, repeats in zip(stages, REPEATS, strict=True):
        x = down(x, width)
        for _ in range(repeats - 1):
            x = unit(x)
    return pointwise(x, last).global_avgpool().dense(classes)


NETWORKS: dict[str, Network] = {
    name: network(3, 224, 224)(partial(shufflenet_v2, widths=widths))
    for name, widths in MEMBERS.items()
}
