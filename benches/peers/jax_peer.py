"""An epoch in JAX: forward, backward and Adam over 60,000 shuffled images, compiled as a whole.

    jax_peer.py [BATCH]     the batch size is 128 by default

Prints one JSON line: seconds per epoch, without the first, which compiles, and the last loss.
"""

import json
import sys
import time

import jax
import jax.numpy as jnp
import numpy as np

from mnist import images, labels

BATCH = int(sys.argv[1]) if len(sys.argv) > 1 else 128
EPOCHS = 6
WIDTHS = [784, 256, 128, 64, 10]

X, Y = jnp.asarray(images()), jnp.asarray(labels())
# Complete batches only: a compiled epoch has fixed shapes.
COUNT = len(Y) // BATCH * BATCH


def layer(key, inputs, outputs):
    weights = jax.random.normal(key, (inputs, outputs)) * np.sqrt(2 / inputs)
    return weights, jnp.zeros(outputs)


def loss(layers, x, y):
    *hidden, last = layers
    for weights, bias in hidden:
        x = jax.nn.relu(x @ weights + bias)
    logits = x @ last[0] + last[1]
    return -jnp.mean(jax.nn.log_softmax(logits)[jnp.arange(BATCH), y])


def step(state, places):
    layers, first, second, time_step = state
    value, gradient = jax.value_and_grad(loss)(layers, X[places], Y[places])
    time_step = time_step + 1
    first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradient)
    second = jax.tree.map(lambda v, g: 0.999 * v + 0.001 * g * g, second, gradient)
    a, b = 1 - 0.9**time_step, 1 - 0.999**time_step
    move = lambda p, m, v: p - 1e-3 * (m / a) / (jnp.sqrt(v / b) + 1e-8)
    return (jax.tree.map(move, layers, first, second), first, second, time_step), value


@jax.jit
def epoch(state, order):
    return jax.lax.scan(step, state, order)


keys = jax.random.split(jax.random.key(1), len(WIDTHS) - 1)
layers = [layer(*of) for of in zip(keys, WIDTHS, WIDTHS[1:])]
zeros = jax.tree.map(jnp.zeros_like, layers)
state = (layers, zeros, zeros, jnp.zeros(()))
random = np.random.default_rng(1)
seconds = []
for _ in range(EPOCHS + 1):
    order = jnp.asarray(random.permutation(len(Y))[:COUNT].reshape(-1, BATCH))
    began = time.perf_counter()
    state, losses = epoch(state, order)
    losses.block_until_ready()
    seconds.append(time.perf_counter() - began)
print(json.dumps({"seconds": seconds[1:], "loss": float(losses.mean())}))
