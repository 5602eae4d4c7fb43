"""MobileNet v1: Howard et al., "MobileNets: efficient convolutional neural networks for mobile
vision applications", 2017, table 1; width multiplier 1. Pads are symmetric, where TensorFlow's
SAME pads at the end only."""

from bench.graph import Tensor, block, network
from bench.models.parts import conv_norm

#  width, stride      <- table 1, the depthwise separable layers
LAYERS = (
    (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1), (512, 1), (512, 1),
    (512, 1), (512, 1), (1024, 2), (1024, 1),
)  # fmt: skip


@block
def separable(x: Tensor, out: int, stride: int) -> Tensor:
    """Figure 3: 3x3 in each channel by itself, then 1x1 across the channels."""
    x = conv_norm(x, x.shape[0], 3, stride, groups=x.shape[0]).relu()
    return conv_norm(x, out, 1).relu()


@network(3, 224, 224)
def mobilenet_v1(x: Tensor) -> Tensor:
    """MobileNet v1 at width 1.0, ReLU (not ReLU6) as in the paper."""
    x = conv_norm(x, 32, 3, 2).relu()
    for width, stride in LAYERS:
        x = separable(x, width, stride)
    return x.global_avgpool().dense(1000)
