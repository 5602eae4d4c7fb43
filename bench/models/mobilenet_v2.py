"""MobileNet v2: Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks", 2018,
table 2; width multiplier 1."""

from bench.graph import Tensor, block, network
from bench.models.parts import conv_norm, label

#  expansion, width, blocks, first stride      <- table 2
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


@block
def inverted(x: Tensor, expansion: int, out: int, stride: int) -> Tensor:
    """Table 1: 1x1 up, 3x3 in each channel, 1x1 down without an activation; added to the input
    where the shapes are equal."""
    wide = expansion * x.shape[0]
    y = conv_norm(x, wide, 1).relu6() if expansion > 1 else x
    y = conv_norm(y, wide, 3, stride, groups=wide).relu6()
    y = conv_norm(y, out, 1)
    return y.add(x) if x.shape == y.shape else y


@network(3, 224, 224)
def mobilenet_v2(x: Tensor) -> Tensor:
    """MobileNet v2 at width 1.0; the first block has no 1x1 up, as its expansion is 1."""
    x = conv_norm(x, 32, 3, 2).relu6()
    for stage, (expansion, width, count, first) in enumerate(STAGES, 1):
        for i in range(count):
            stride = first if i == 0 else 1
            x = inverted(x, expansion, width, stride, name=label(stage, i))
    return conv_norm(x, 1280, 1).relu6().global_avgpool().dropout(0.2).dense(1000)
