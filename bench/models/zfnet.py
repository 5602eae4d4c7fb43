"""ZFNet: Zeiler, Fergus, "Visualizing and understanding convolutional networks", 2013, figure 3:
AlexNet with a first layer of 7x7 at stride 2, and no groups."""

from bench.graph import Tensor, network
from bench.models.alexnet import norm


@network(3, 224, 224)
def zfnet(x: Tensor) -> Tensor:
    """ZFNet of figure 3, conv 3 to 5 of 384-384-256 channels. The paper names its normalisation
    across feature maps only; AlexNet's LRN stands for it. Pads give the sizes of the figure:
    110, 55, 26, 13, 6."""
    x = norm(x.conv(96, 7, stride=2, pad=1).relu().maxpool(3, 2, pad=1))
    x = norm(x.conv(256, 5, stride=2).relu().maxpool(3, 2, pad=1))
    x = x.conv(384, 3, pad=1).relu().conv(384, 3, pad=1).relu()
    x = x.conv(256, 3, pad=1).relu().maxpool(3, 2).flatten()
    x = x.dropout(0.5).dense(4096).relu()
    x = x.dropout(0.5).dense(4096).relu()
    return x.dense(1000)
