"""MobileNet v3: Howard et al., "Searching for MobileNetV3", 2019, tables 1 and 2, torchvision's
widths: a gate squeezes to a quarter of its channels, rounded to multiples of 8; batch-norm eps
1e-3; the classifier is two dense layers behind the pooling."""

from functools import partial

from bench.graph import Network, Tensor, block, network
from bench.models.parts import conv_norm, rounded

Row = tuple[int, int, int, bool, str, int]
#  kernel, wide, out, gate, activation, stride      <- table 1
LARGE: tuple[Row, ...] = (
    (3, 16, 16, False, "relu", 1),
    (3, 64, 24, False, "relu", 2),
    (3, 72, 24, False, "relu", 1),
    (5, 72, 40, True, "relu", 2),
    (5, 120, 40, True, "relu", 1),
    (5, 120, 40, True, "relu", 1),
    (3, 240, 80, False, "hard_swish", 2),
    (3, 200, 80, False, "hard_swish", 1),
    (3, 184, 80, False, "hard_swish", 1),
    (3, 184, 80, False, "hard_swish", 1),
    (3, 480, 112, True, "hard_swish", 1),
    (3, 672, 112, True, "hard_swish", 1),
    (5, 672, 160, True, "hard_swish", 2),
    (5, 960, 160, True, "hard_swish", 1),
    (5, 960, 160, True, "hard_swish", 1),
)
SMALL: tuple[Row, ...] = (  # <- table 2
    (3, 16, 16, True, "relu", 2),
    (3, 72, 24, False, "relu", 2),
    (3, 88, 24, False, "relu", 1),
    (5, 96, 40, True, "hard_swish", 2),
    (5, 240, 40, True, "hard_swish", 1),
    (5, 240, 40, True, "hard_swish", 1),
    (5, 120, 48, True, "hard_swish", 1),
    (5, 144, 48, True, "hard_swish", 1),
    (5, 288, 96, True, "hard_swish", 2),
    (5, 576, 96, True, "hard_swish", 1),
    (5, 576, 96, True, "hard_swish", 1),
)
EPS = 1e-3
conv = partial(conv_norm, eps=EPS)


def active(x: Tensor, name: str) -> Tensor:
    """The activation that the table names."""
    return x.relu() if name == "relu" else x.hard_swish()


@block
def gate(x: Tensor) -> Tensor:
    """Squeeze and excitation with a hard sigmoid (section 5.3)."""
    channels = x.shape[0]
    squeezed = x.global_avgpool().dense(rounded(channels / 4)).relu()
    return x.multiply(squeezed.dense(channels).hard_sigmoid())


@block
def inverted(
    x: Tensor, kernel: int, wide: int, out: int, gated: bool, activation: str, stride: int
) -> Tensor:
    """Figure 4: 1x1 up, depthwise, the gate, 1x1 down; added to the input where shapes agree."""
    y = active(conv(x, wide, 1), activation) if wide != x.shape[0] else x
    y = active(conv(y, wide, kernel, stride, groups=wide), activation)
    y = conv(gate(y) if gated else y, out, 1)
    return y.add(x) if x.shape == y.shape else y


def mobilenet_v3(x: Tensor, rows: tuple[Row, ...], hidden: int) -> Tensor:
    """MobileNet v3 at width 1.0 with torchvision's widths."""
    x = conv(x, 16, 3, 2).hard_swish()
    for row in rows:
        x = inverted(x, *row)
    x = conv(x, 6 * x.shape[0], 1).hard_swish().global_avgpool()
    return x.dense(hidden).hard_swish().dropout(0.2).dense(1000)


NETWORKS: dict[str, Network] = {
    "mobilenet_v3_large": network(3, 224, 224)(partial(mobilenet_v3, rows=LARGE, hidden=1280)),
    "mobilenet_v3_small": network(3, 224, 224)(partial(mobilenet_v3, rows=SMALL, hidden=1024)),
}
