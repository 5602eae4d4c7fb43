"""MobileNetV2: Sandler, Howard, Zhu, Zhmoginov, Chen, "MobileNetV2: inverted residuals and linear
bottlenecks", 2018, table 2."""

from functools import partial

from bench.graph import Network, Tensor, block, network

#          t, c,   n, s      <- table 2: expansion, output channels, repeats, stride of the first
STAGES = (
    (1,  16, 1, 1),
    (6,  24, 2, 2),
    (6,  32, 3, 2),
    (6,  64, 4, 2),
    (6,  96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)  # fmt: skip
#                   width resolution
MEMBERS = {
    "mobilenet_v2": (1.0, 224),
}


def divisible(channels: float, by: int = 8) -> int:
    """The nearest multiple, but never more than 10% less: how all mobile families round widths."""
    rounded = max(by, int(channels + by / 2) // by * by)
    return rounded if rounded >= 0.9 * channels else rounded + by


@block
def inverted(x: Tensor, expansion: int, out: int, stride: int) -> Tensor:
    """Figure 4d: 1x1 expansion (none where the factor is 1), depthwise 3x3, and a 1x1 projection
    that has no ReLU; a shortcut where the shape stays."""
    y, wide = x, x.shape[0] * expansion
    if expansion > 1:
        y = y.conv(wide, 1, bias=False).batchnorm().relu6()
    y = y.conv(wide, 3, stride, pad=1, groups=wide, bias=False).batchnorm().relu6()
    y = y.conv(out, 1, bias=False).batchnorm()
    return y.add(x) if x.shape == y.shape else y


def mobilenet_v2(x: Tensor, width: float, classes: int = 1000) -> Tensor:
    """MobileNetV2 of the paper with ReLU6, in torchvision's form: symmetric padding, batch norm of
    eps 1e-5, dropout 0.2. TensorFlow's has SAME padding and eps 1e-3."""
    x = x.conv(divisible(32 * width), 3, stride=2, pad=1, bias=False).batchnorm().relu6()
    for expansion, out, repeats, stride in STAGES:
        for i in range(repeats):
            x = inverted(x, expansion, divisible(out * width), stride if i == 0 else 1)
    x = x.conv(divisible(1280 * max(1.0, width)), 1, bias=False).batchnorm().relu6()
    return x.global_avgpool().dropout(0.2).dense(classes)


NETWORKS: dict[str, Network] = {
    name: network(3, size, size)(partial(mobilenet_v2, width=width))
    for name, (width, size) in MEMBERS.items()
}
