"""Keras's own ResNet50 (keras.applications) in a tf.function, as in TensorFlow's guides.

Its convolutions have biases in front of batch normalisation, which the paper's network has not;
they are not counted.
"""

import keras
import tensorflow as tf


def steps(x, y, threads):
    """The phases as functions without arguments, and the number of parameters."""
    model = keras.applications.ResNet50(weights=None, classifier_activation=None)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    x, y = tf.constant(x.transpose(0, 2, 3, 1)), tf.constant(y)

    @tf.function
    def infer(x):
        return model(x, training=False)

    @tf.function
    def train(x, y):
        with tf.GradientTape() as tape:
            value = loss(y, model(x, training=True))
        return value, tape.gradient(value, model.trainable_variables)

    def prepare(phase):
        return {"inference": lambda: infer(x), "train": lambda: train(x, y)}[phase]

    counted = [w for w in model.trainable_variables if not w.path.endswith("_conv/bias")]
    return prepare, sum(w.numpy().size for w in counted)
