"""Gluon's own resnet50_v1 (the model zoo), hybridized with static memory.

Some of its convolutions have biases in front of batch normalisation, which the paper's network has
not; they are not counted.
"""

import mxnet as mx
from mxnet.gluon.model_zoo import vision


def steps(x, y, threads):
    """The phases as functions without arguments, and the number of parameters."""
    net, loss = vision.resnet50_v1(), mx.gluon.loss.SoftmaxCrossEntropyLoss()
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

    trained = {k: p for k, p in net.collect_params().items() if p.grad_req != "null"}
    counted = [p for k, p in trained.items() if "conv" not in k or not k.endswith("_bias")]
    return prepare, sum(p.data().size for p in counted)
