"""MXNet: a Gluon block, hybridized or not, and the symbolic executor, in NCHW.

The same generated functions serve all three: `F` is `mx.nd` or `mx.sym`, `p` the parameters by
name.
"""

import functools
import os

from convmark import Adapter as Contract
from convmark import Unsupported, define, keys, nodes_of, program, total_loss

NAME = "mxnet"
MODES = ("hybrid", "eager", "symbolic")
# what the fusing in inference takes into a convolution, or out as doing nothing
FUSED = ("batchnorm", "relu", "relu6", "dropout", "stochasticdepth")
CALLS = {  # each op in MXNet's words: x its inputs, p its parameters, the rest its attributes
    "conv": "F.Convolution({x}, {p}, kernel={kernel}, stride={stride}, pad={pad}, "
    "num_filter={out}, num_group={groups}, no_bias={no_bias})",
    "dense": "F.FullyConnected({x}, {p}, num_hidden={out}, no_bias={no_bias})",
    "batchnorm": "F.BatchNorm({x}, {p}, eps={eps}, momentum=0.9, fix_gamma=False)",
    "relu": "F.Activation({x}, act_type='relu')",
    "relu6": "F.clip({x}, 0, 6)",  # as MXNet's own MobileNet; oneDNN fuses it with a convolution
    "sigmoid": "F.sigmoid({x})",
    "hardsigmoid": "F.hard_sigmoid({x}, alpha=1 / 6)",
    "swish": "F.elemwise_mul({x}, F.sigmoid({x}))",
    "hardswish": "F.elemwise_mul({x}, F.hard_sigmoid({x}, alpha=1 / 6))",
    # The two reshapes hand a gradient in plain layout to the backward of LRN: given one in oneDNN's
    # blocked layout, as a convolution leaves it, MXNet 1.9.1 computes a wrong gradient (off by 1e-3
    # of its rms in AlexNet, by 0.4 with alpha 1).
    "lrn": "F.squeeze(F.expand_dims("
    "F.LRN({x}, nsize={size}, alpha={alpha}, beta={beta}, knorm={k}), axis=0), axis=0)",
    "maxpool": "F.Pooling({x}, kernel={kernel}, stride={stride}, pad={pad}, pool_type='max')",
    "avgpool": "F.Pooling({x}, kernel={kernel}, stride={stride}, pad={pad}, pool_type='avg', "
    "count_include_pad=False)",
    "globalavgpool": "F.flatten(F.Pooling({x}, kernel=(1, 1), pool_type='avg', global_pool=True))",
    "flatten": "F.flatten({x})",
    "dropout": "F.Dropout({x}, p={rate})",
    "stochasticdepth": "F.Dropout({x}, p={rate}, axes=(1, 2, 3))",
    "channelshuffle": "F.reshape(F.swapaxes("
    "F.reshape({x}, shape=(0, -4, {groups}, -1, -2)), 1, 2), shape=(0, -3, -2))",
    "slice": "F.slice_axis({x}, axis=1, begin={start}, end={stop})",
    "multiply": "F.broadcast_mul({args[0]}, F.reshape({args[1]}, shape=(0, 0, 1, 1)))",
    "add": "F.{sum}({x})",
    "concat": "F.concat({x}, dim=1)",
}


def call(node, args, shared, convolved):
    """A node as a call of its operator. oneDNN fuses the sum of two with a convolution; for a
    result in `shared`, see there, we choose the sum that is not fused. What a convolution gives
    comes first in it: behind a pooling MXNet 1.9.1 mixes up the parameters of the two."""
    if node["op"] == "stochasticdepth" and not node["attrs"]["rate"]:
        return args[0]
    fields = {k: tuple(v) if isinstance(v, list) else v for k, v in node["attrs"].items()}
    names = list(node["weights"]) + list(node["state"])
    fields["p"] = ", ".join('p["%s/%s"]' % (node["name"], name) for name in names)
    fields["no_bias"] = "bias" not in names
    fused = len(args) == len(set(args)) == 2 and not shared & set(node["inputs"])
    fields["sum"] = "elemwise_add" if fused else "add_n"
    if node["op"] == "add" and fused and node["inputs"][0] not in convolved:
        args = args[::-1]
    fields["x"], fields["args"] = ", ".join(args), args
    return CALLS[node["op"]].format(**fields)


def cross_entropy(ops, logits, labels):
    """The mean of what gluon.loss.SoftmaxCrossEntropyLoss computes. Naming the temperature selects
    MXNet's own log_softmax: the gradient of oneDNN's is only good to 2e-6."""
    return -ops.mean(ops.pick(ops.log_softmax(logits, temperature=1.0), labels))


def shared_results(graph):
    """Results x that enter a sum and an operator that MXNet 1.9.1 fuses too: for a convolution's x
    its inference computes x + relu(x) and x + f(relu(x)) wrong, and fails on x + x."""
    sums = {node["name"] for node in graph["nodes"] if node["op"] == "add"}
    return {i for n in graph["nodes"] if n["op"] in FUSED for i in n["inputs"]} - sums


def functions(graph):
    """`forward(F, x, p)`, the logits of a batch, `loss(F, x, y, p)`, the loss, and their source."""
    convolved = {n["name"] for n in graph["nodes"] if n["op"] in ("conv", "batchnorm")}
    facts = {"shared": shared_results(graph), "convolved": convolved}
    calls = dict.fromkeys(CALLS, functools.partial(call, **facts))
    head = "def forward(F, x, p):"
    texts = [program(graph, calls, head, training=training) for training in (False, True)]
    forward, outputs = (define(text, "forward", {}) for text in texts)

    def loss(ops, x, y, p):
        return total_loss(graph, outputs(ops, x, p), lambda logits: cross_entropy(ops, logits, y))

    return forward, loss, "\n".join(texts if graph["auxiliary"] else texts[:1])


def sgd(graph):
    """The optimiser's settings, in MXNet's names too."""
    return {key: graph["training"][key] for key in ("learning_rate", "momentum")}


def block(mx, forward, loss, shapes, state, params=None):
    """A Gluon block: `block(x)` gives the logits, `block(x, labels)` the loss."""

    class Net(mx.gluon.HybridBlock):
        def __init__(self):
            super().__init__(prefix="", params=params)
            for key, shape in shapes.items():
                request = "null" if key in state else "write"
                setattr(self, key, self.params.get(key, shape=shape, grad_req=request))

        def hybrid_forward(self, ops, x, labels=None, **p):
            return forward(ops, x, p) if labels is None else loss(ops, x, labels, p)

    return Net()


class Gluon(object):
    """The network as a Gluon block, in cached graphs or operator by operator."""

    def __init__(self, mx, context, graph, arrays, forward, loss, hybrid):
        self.mx, state = mx, keys(graph, "state")
        shapes = {key: array.shape for key, array in arrays.items()}  # a block must keep no array
        self.net = self.evaluated = block(mx, forward, loss, shapes, state)
        self.params = self.net.collect_params()
        self.params.initialize(mx.init.Zero(), ctx=context)
        for key, array in arrays.items():
            self.params[key].set_data(mx.nd.array(array, context))
        if hybrid:
            self.net.hybridize(static_alloc=True, static_shape=True)
            # the same parameters under oneDNN's fused operators, which have no gradient
            names = [node["name"] for node in nodes_of(graph, training=False)]
            used = {key: shape for key, shape in shapes.items() if key.rpartition("/")[0] in names}
            self.evaluated = block(mx, forward, loss, used, state, self.params)
            fused = "MKLDNN" if context.device_type == "cpu" else None
            self.evaluated.hybridize(True, fused, static_alloc=True, static_shape=True)
        self.trainer = mx.gluon.Trainer(self.params, "sgd", sgd(graph), kvstore=None)

    def bind(self, phase, x, y):
        """The forward pass of a phase, and the backward pass of its result."""

        def recorded():
            with self.mx.autograd.record():
                return self.net(x, y)

        forward = (lambda: self.evaluated(x)) if phase == "inference" else recorded
        return forward, lambda loss: loss.backward()

    def update(self):
        self.trainer.step(1)  # divides the gradients by 1: the loss is a mean

    def parameter(self, key):
        return self.params[key].data()

    def gradient(self, key):
        return self.params[key].grad()


class Symbolic(object):
    """The network as a symbol that an executor binds to arrays, for each phase and batch."""

    def __init__(self, mx, context, graph, arrays, forward, loss):
        self.context = context
        self.weights = {key: mx.nd.array(array, context) for key, array in arrays.items()}
        self.state = {key: self.weights.pop(key) for key in keys(graph, "state")}
        self.gradients = {}
        symbols = {key: mx.sym.var(key) for key in arrays}
        self.logits = forward(mx.sym, mx.sym.var("x"), symbols)
        self.loss = mx.sym.make_loss(loss(mx.sym, mx.sym.var("x"), mx.sym.var("y"), symbols))
        self.updater = mx.optimizer.get_updater(mx.optimizer.create("sgd", **sgd(graph)))

    def bind(self, phase, x, y):
        """The forward pass of a phase, and the backward pass of its result. An executor without
        gradients fuses oneDNN's operators by itself (MXNET_SUBGRAPH_BACKEND)."""
        arrays, state = dict(self.weights, x=x), self.state
        if phase == "inference":
            bound = self.logits.bind(self.context, arrays, grad_req="null", aux_states=state)
            return lambda: bound.forward(is_train=False)[0], None
        if not self.gradients:
            self.gradients = {key: array.zeros_like() for key, array in self.weights.items()}
        arrays["y"] = y
        requests = {key: "write" if key in self.weights else "null" for key in arrays}
        bound = self.loss.bind(self.context, arrays, self.gradients, requests, state)
        return lambda: bound.forward(is_train=True)[0], lambda loss: bound.backward()

    def update(self):
        names = list(self.weights)
        self.updater(names, list(self.gradients.values()), list(self.weights.values()))

    def parameter(self, key):
        return self.weights[key]

    def gradient(self, key):
        return self.gradients[key]


class Adapter(Contract):
    def __init__(self, mode, device, precision, threads):
        if precision not in ("fp32", "tf32") or (device, precision) == ("cpu", "tf32"):
            raise Unsupported("%s is not implemented for mxnet on %s" % (precision, device))
        # read when the libraries are loaded; NVIDIA's use TF32 unless it is forbidden
        os.environ["NVIDIA_TF32_OVERRIDE"] = "1" if precision == "tf32" else "0"
        os.environ["OMP_NUM_THREADS"] = str(threads)
        import mxnet

        self.mx, self.mode = mxnet, mode
        self.context = mxnet.gpu(0) if device == "cuda" else mxnet.cpu()
        if device == "cuda" and not mxnet.runtime.Features().is_enabled("CUDA"):
            raise Unsupported("GPU support is disabled. Compile MXNet with USE_CUDA=1")
        if device == "cuda" and not mxnet.context.num_gpus():
            raise Unsupported("mxnet.context.num_gpus() is 0")

    def versions(self):
        features = self.mx.runtime.Features()
        built = {k.lower(): "built in" for k in ("MKLDNN", "CUDNN") if features.is_enabled(k)}
        return dict(built, mxnet=self.mx.__version__)

    def build(self, graph, weights):
        forward, loss, self.text = functions(graph)
        parts = (self.mx, self.context, graph, weights, forward, loss)
        self.keys, self.network = keys(graph), None  # frees the one before
        if self.mode == "symbolic":
            self.network = Symbolic(*parts)
        else:
            self.network = Gluon(*parts, hybrid=self.mode == "hybrid")

    def parameters(self):
        return {key: self.network.parameter(key).asnumpy() for key in self.keys}

    def logits(self, x):
        return self.step("inference", x, [0] * len(x))().asnumpy()

    def loss(self, x, y):
        return float(self.step("forward", x, y)().asscalar())

    def gradients(self, x, y):
        loss = self.step("train", x, y)()
        found = {key: self.network.gradient(key).asnumpy() for key in self.keys}
        return float(loss.asscalar()), found

    def step(self, phase, x, y):
        x, y = self.mx.nd.array(x, self.context), self.mx.nd.array(y, self.context)
        forward, backward = self.network.bind(phase, x, y)

        def train():
            loss = forward()
            backward(loss)
            return loss

        def step():
            loss = train()
            self.network.update()
            return loss

        return {"train": train, "step": step}.get(phase, forward)

    def wait(self, result):
        self.mx.nd.waitall()  # gradients and updates too; errors surface here

    def memory(self):
        if self.context.device_type == "cpu":
            return {}
        free, total = self.mx.context.gpu_memory_info(0)
        return {"device_in_use": total - free}

    def source(self):
        return self.text
