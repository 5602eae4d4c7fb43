"""LeNet-5: LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document
recognition", 1998, figure 2; in today's form: ReLU for tanh, plain convolutions and max pooling,
logits in place of the RBF layer."""

from bench.graph import Tensor, network


@network(1, 32, 32)
def lenet5(x: Tensor) -> Tensor:
    """LeNet-5 as it is taught today: 6-16-120-84-10 with ReLU."""
    x = x.conv(6, 5).relu().maxpool(2, 2)
    x = x.conv(16, 5).relu().maxpool(2, 2)
    return x.flatten().dense(120).relu().dense(84).relu().dense(10)
