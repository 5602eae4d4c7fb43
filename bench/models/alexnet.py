"""AlexNet: Krizhevsky, Sutskever, Hinton, "ImageNet classification with deep convolutional neural
networks", 2012, section 3.5. The two GPUs of the paper are two groups in conv 2, 4 and 5.
`alexnet_owt`: Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014.
`zfnet`: Zeiler, Fergus, "Visualizing and understanding convolutional networks", 2013, figure 3."""

from bench.graph import Tensor, block, network


@block
def norm(x: Tensor) -> Tensor:
    """Section 3.3: k = 2, n = 5, alpha = 1e-4, beta = 0.75; the paper's alpha multiplies the plain
    sum of squares, ours its mean over n, hence 5e-4."""
    return x.lrn(size=5, alpha=5e-4, beta=0.75, k=2.0)


def classifier(x: Tensor) -> Tensor:
    """Three dense layers, dropout before the first two."""
    x = x.flatten().dropout(0.5).dense(4096).relu()
    return x.dropout(0.5).dense(4096).relu().dense(1000)


@network(3, 227, 227)
def alexnet(x: Tensor) -> Tensor:
    """AlexNet of 2012: pooling before normalisation as in the document, grouped convolutions,
    dropout before the first two dense layers."""
    x = norm(x.conv(96, 11, stride=4).relu().maxpool(3, 2))
    x = norm(x.conv(256, 5, pad=2, groups=2).relu().maxpool(3, 2))
    x = x.conv(384, 3, pad=1).relu()
    x = x.conv(384, 3, pad=1, groups=2).relu()
    x = x.conv(256, 3, pad=1, groups=2).relu().maxpool(3, 2)
    return classifier(x)


@network(3, 224, 224)
def alexnet_owt(x: Tensor) -> Tensor:
    """AlexNet of 2014, which torchvision calls alexnet: one column, narrower, no LRN."""
    x = x.conv(64, 11, stride=4, pad=2).relu().maxpool(3, 2)
    x = x.conv(192, 5, pad=2).relu().maxpool(3, 2)
    x = x.conv(384, 3, pad=1).relu()
    x = x.conv(256, 3, pad=1).relu()
    x = x.conv(256, 3, pad=1).relu().maxpool(3, 2)
    return classifier(x)


@network(3, 224, 224)
def zfnet(x: Tensor) -> Tensor:
    """ZFNet as the document tells it: AlexNet with conv1 7x7 stride 2 in place of 11x11 stride 4,
    conv2 with stride 2, no groups; conv 3 to 5 are 384, 384, 256 wide. Its contrast normalisation
    is the LRN of AlexNet; pads of 1 give the paper's sizes 110, 55, 26, 13, 6."""
    x = norm(x.conv(96, 7, stride=2, pad=1).relu().maxpool(3, 2, pad=1))
    x = norm(x.conv(256, 5, stride=2).relu().maxpool(3, 2, pad=1))
    x = x.conv(384, 3, pad=1).relu()
    x = x.conv(384, 3, pad=1).relu()
    x = x.conv(256, 3, pad=1).relu().maxpool(3, 2)
    return classifier(x)
