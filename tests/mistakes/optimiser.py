"""Mistakes in SGD with momentum, and in the steps that are timed.

Right is v = momentum v + g; w = w - rate v. A rule gives the new w and v of one parameter.
"""

from dataclasses import replace

import numpy

from bench.ops import Relu6
from bench.reference import backpropagate, cross_entropy, run, train
from tests.mistakes import mistake


@mistake("optimiser")
def nesterov(w, g, v, momentum, rate):
    """Nesterov's momentum."""
    v = momentum * v + g
    return w - rate * (g + momentum * v), v


@mistake("optimiser")
def dampened(w, g, v, momentum, rate):
    """The gradient is dampened by 1 - momentum."""
    v = momentum * v + (1 - momentum) * g
    return w - rate * v, v


@mistake("optimiser")
def velocity_forgotten(w, g, v, momentum, rate):
    """The velocity is made anew in each step."""
    return w - rate * g, 0 * v


@mistake("optimiser")
def velocity_subtracted(w, g, v, momentum, rate):
    """The velocity has the wrong sign."""
    v = g - momentum * v
    return w - rate * v, v


@mistake("optimiser")
def momentum_of_the_update(w, g, v, momentum, rate):
    """Momentum multiplies gradient and velocity alike."""
    v = momentum * (v + g)
    return w - rate * v, v


@mistake("optimiser")
def momentum_of_the_weights(w, g, v, momentum, rate):
    """Momentum is applied to the weights: they are averaged."""
    return momentum * w + (1 - momentum) * (w - rate * g), v


@mistake("optimiser")
def velocity_one_step_late(w, g, v, momentum, rate):
    """The weights move by the velocity of the step before."""
    return w - rate * v, momentum * v + g


@mistake("optimiser")
def weights_decayed(w, g, v, momentum, rate):
    """Weight decay of 1e-4, the recipe of ImageNet."""
    v = momentum * v + g + numpy.float32(1e-4) * w
    return w - rate * v, v


@mistake("optimiser")
def weights_decayed_apart(w, g, v, momentum, rate):
    """Decoupled weight decay of 1e-4."""
    v = momentum * v + g
    return w - rate * (v + numpy.float32(1e-4) * w), v


@mistake("optimiser")
def rate_slightly_off(w, g, v, momentum, rate):
    """The learning rate decays by a thousandth."""
    v = momentum * v + g
    return w - rate * numpy.float32(0.999) * v, v


@mistake("optimiser")
def rate_of_the_batch(w, g, v, momentum, rate):
    """The learning rate is scaled by the batch."""
    v = momentum * v + g
    return w - 4 * rate * v, v


@mistake("optimiser")
def ascent(w, g, v, momentum, rate):
    """The loss is made larger."""
    v = momentum * v + g
    return w + rate * v, v


@mistake("optimiser")
def vectors_frozen(w, g, v, momentum, rate):
    """Biases, scales and shifts are not trained."""
    v = momentum * v + g
    return (w - rate * v if w.ndim > 1 else w), v


@mistake("optimiser")
def nothing_trained(w, g, v, momentum, rate):
    """A step computes gradients and does not apply them."""
    return w, v


@mistake("optimiser")
def gradient_accumulated(w, g, v, momentum, rate):
    """Gradients are not set to zero between steps: v holds their sum."""
    return w - rate * (v + g), v + g


@mistake("optimiser")
def velocity_in_float16(w, g, v, momentum, rate):
    """The velocity is kept in half precision."""
    v = (momentum * v + g).astype(numpy.float16).astype(numpy.float32)
    return w - rate * v, v


@mistake("optimiser")
def sign_descent(w, g, v, momentum, rate):
    """Adam-like: gradients are divided by their size."""
    v = momentum * v + numpy.sign(g)
    return w - rate * v, v


@mistake("optimiser", same="v = m v - rate g; w = w + v is the same while the rate is constant")
def rate_in_the_velocity(w, g, v, momentum, rate):
    """The velocity holds the learning rate, as in Keras and Caffe."""
    v = momentum * v - rate * g
    return w + v, v


@mistake("optimiser", same="dampening by 1 - m with a rate of rate / (1 - m) is the same")
def average_with_a_larger_rate(w, g, v, momentum, rate):
    """The velocity is an average, and the learning rate larger by as much."""
    v = momentum * v + (1 - momentum) * g
    return w - rate / (1 - momentum) * v, v


@mistake("optimiser", same="products in double precision differ by their rounding alone")
def step_in_float64(w, g, v, momentum, rate):
    """The update is computed in double precision."""
    v = numpy.float64(momentum) * v + g
    return (w - float(rate) * v).astype(numpy.float32), v.astype(numpy.float32)


# -- the steps that are timed ---------------------------------------------------------------------


@mistake("step")
def step_done_twice(adapter, phase, x, y):
    """Each training step is done twice."""
    run = adapter.plain_step(phase, x, y)
    return lambda: (run(), run())[1]


@mistake("step")
def training_without_backward(adapter, phase, x, y):
    """The phase train computes the loss alone."""
    run = adapter.plain_step(phase, x, y)
    return run if phase != "train" else lambda: (run()[0], {})


@mistake("step")
def inference_of_one_picture(adapter, phase, x, y):
    """The phase inference computes the first picture alone."""
    return adapter.plain_step(phase, x[:1] if phase == "inference" else x, y)


@mistake("step", "batchnorm")
def inference_in_training_mode(adapter, phase, x, y):
    """The phase inference runs in training mode."""
    if phase != "inference":
        return adapter.plain_step(phase, x, y)
    return lambda: train(adapter.graph, adapter.weights, x, numpy.float32).logits


@mistake("step", "batchnorm", "dropout", "stochasticdepth")
def forward_in_evaluation_mode(adapter, phase, x, y):
    """The phase forward runs in evaluation mode."""
    if phase != "forward":
        return adapter.plain_step(phase, x, y)
    return lambda: cross_entropy(run(adapter.graph, adapter.weights, x).logits, y)


@mistake("step", "auxiliary")
def forward_without_auxiliary_losses(adapter, phase, x, y):
    """The phase forward leaves the losses of auxiliary classifiers out."""
    if phase != "forward":
        return adapter.plain_step(phase, x, y)
    return lambda: cross_entropy(train(adapter.graph, adapter.weights, x).logits, y)


@mistake("step")
def forward_to_the_sum(adapter, phase, x, y):
    """The phase forward computes the sum of the losses, not their mean."""
    step = adapter.plain_step(phase, x, y)
    return step if phase != "forward" else lambda: (len(y) * step()[0], None)


@mistake("step")
def forward_of_one_picture(adapter, phase, x, y):
    """The phase forward computes the first picture alone."""
    given = (x[:1], y[:1]) if phase == "forward" else (x, y)
    return adapter.plain_step(phase, *given)


@mistake("step", "relu")
def forward_of_another_network(adapter, phase, x, y):
    """The phase forward runs another network: each ReLU is ReLU6."""
    step, graph = adapter.plain_step(phase, x, y), adapter.graph
    if phase != "forward":
        return step
    nodes = [replace(n, op=Relu6()) if n.op.kind == "relu" else n for n in graph.nodes]
    other = replace(graph, nodes=tuple(nodes))
    return lambda: backpropagate(train(other, adapter.weights, x), y)
