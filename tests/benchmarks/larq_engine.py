"""Larq Compute Engine as an engine for ``edge-agent bench kernels --engine``.

Needs a Python 3.11 with ``tensorflow-cpu<2.16``, ``numpy<2``, ``larq`` and
``larq-compute-engine``; ``tests/benchmarks/peers.sh`` makes one. Speaks the lines of
``edge_agent.bench.remote``.

A layer's time, bits to bits, is a fifth of the difference between a chain of six layers and one of
one: what quantises the input and turns the last bits into floats is in both.
"""

import json
import os
import sys
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
ANSWERS = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # what the libraries print must not mix with the answers

import larq  # noqa: E402
import larq_compute_engine as lce  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from larq_compute_engine.tflite.python.interpreter import Interpreter  # noqa: E402

LAYERS = 6


def chain(channels, height, width, layers):
    """An interpreter for so many binary convolutions one after the other."""
    x = inputs = tf.keras.Input((height, width, channels), batch_size=1)
    for _ in range(layers):
        x = larq.layers.QuantConv2D(
            channels,
            3,
            padding="same",
            pad_values=1.0,
            use_bias=False,
            input_quantizer="ste_sign",
            kernel_quantizer="ste_sign",
            kernel_constraint="weight_clip",
        )(x)
        x = tf.keras.layers.BatchNormalization()(x)
    model = tf.keras.Model(inputs, x)
    flatbuffer = lce.convert_keras_model(model)
    return Interpreter(flatbuffer, num_threads=1, use_indirect_bgemm=True)


class Layer:
    """One layer's time from two chains."""

    def __init__(self, channels, height, width):
        self.long = chain(channels, height, width, LAYERS)
        self.short = chain(channels, height, width, 1)
        rng = np.random.default_rng(0)
        self.image = rng.normal(size=(1, height, width, channels)).astype(np.float32)

    def sample_us(self, calls):
        """From the fastest passes of each chain: a disturbed one would tip the difference."""
        passes = max(calls, 5)
        long, short = (
            min(self._seconds(model) for _ in range(passes)) for model in (self.long, self.short)
        )
        return 1e6 * (long - short) / (LAYERS - 1)

    def _seconds(self, model):
        started = time.perf_counter()
        model.predict(self.image)
        return time.perf_counter() - started


def main():
    """Answer lines until there are no more."""
    layer = None
    for line in sys.stdin:
        words = line.split()
        if words[0] == "conv":
            layer = Layer(*map(int, words[1:]))
            answer = ["larq indirect"]
        else:
            answer = layer.sample_us(int(words[2]))
        print(json.dumps(answer), file=ANSWERS, flush=True)


main()
