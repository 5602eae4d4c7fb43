"""ResNet-50 (v1.5) as Gluon's users write it: nn blocks, hybridized with static memory. The model
zoo's own resnet50_v1 is another network: its stride is in the first convolution, which has a bias.
"""

import mxnet as mx
from mxnet.gluon import nn


def conv(width, kernel, stride=1, pad=0):
    return nn.Conv2D(width, kernel, stride, pad, use_bias=False)


class Bottleneck(nn.HybridBlock):
    def __init__(self, width, stride, project):
        super().__init__()
        self.body, self.shortcut = nn.HybridSequential(), None
        for layer in (conv(width, 1), conv(width, 3, stride, 1)):
            self.body.add(layer, nn.BatchNorm(), nn.Activation("relu"))
        self.body.add(conv(4 * width, 1), nn.BatchNorm())
        if project:
            self.shortcut = nn.HybridSequential()
            self.shortcut.add(conv(4 * width, 1, stride), nn.BatchNorm())

    def hybrid_forward(self, F, x):  # noqa: N803
        rest = x if self.shortcut is None else self.shortcut(x)
        return F.Activation(self.body(x) + rest, act_type="relu")


def resnet50():
    net = nn.HybridSequential()
    net.add(conv(64, 7, 2, 3), nn.BatchNorm(), nn.Activation("relu"), nn.MaxPool2D(3, 2, 1))
    for stage, count in enumerate((3, 4, 6, 3)):
        for index in range(count):
            net.add(Bottleneck(64 << stage, 2 if stage and not index else 1, not index))
    net.add(nn.GlobalAvgPool2D(), nn.Dense(1000))
    return net


def steps(x, y, threads):
    """The phases as functions without arguments, and the number of parameters."""
    net, loss = resnet50(), mx.gluon.loss.SoftmaxCrossEntropyLoss()
    net.initialize(mx.init.Xavier())
    net.hybridize(static_alloc=True, static_shape=True)
    x, y = mx.nd.array(x), mx.nd.array(y)
    net(x).wait_to_read()

    def train():
        with mx.autograd.record():
            value = loss(net(x), y).mean()
        value.backward()
        return value

    def prepare(phase):
        return {"inference": lambda: net(x), "train": train}[phase]

    trained = [p for p in net.collect_params().values() if p.grad_req != "null"]
    return prepare, sum(p.data().size for p in trained)
