"""JAX: a scan over time, the whole step jitted."""

import functools

import numpy as np


def build(job, data, project_first):
    return Scan(job, data, project_first)


def _activate(jax, gates, c):
    i, j, f, o = jax.numpy.split(gates, 4, 1)
    c = jax.nn.sigmoid(f + 1) * c + jax.nn.sigmoid(i) * jax.numpy.tanh(j)
    return c, jax.nn.sigmoid(o) * jax.numpy.tanh(c)


def _layer(jax, project_first, kernel, bias, series, state):
    """One layer over [T, B, H]; inputs projected in the loop or before."""
    units = len(bias) // 4
    if project_first:
        series = series @ kernel[:units] + bias

        def step(state, z):
            c, h = _activate(jax, z + state[1] @ kernel[units:], state[0])
            return (c, h), h

    else:

        def step(state, x):
            both = jax.numpy.concatenate([x, state[1]], 1)
            c, h = _activate(jax, both @ kernel + bias, state[0])
            return (c, h), h

    return jax.lax.scan(step, (state[0], state[1]), series)[1]


class Scan:
    one_graph = False

    def __init__(self, job, data, project_first):
        import jax

        jax.config.update("jax_enable_x64", job.dtype == "float64")
        platform = "gpu" if job.device == "gpu" else "cpu"
        put = functools.partial(
            jax.device_put, device=jax.devices(platform)[0]
        )
        self.jax, self.data, self.project_first = jax, data, project_first
        self.x, self.target, self.state = map(
            put, (data.x, data.target, data.state)
        )
        self.params = jax.tree.map(put, data.weights)
        self.compiled = {}

    def _forward(self, params, x, state):
        series = x.swapaxes(0, 1)
        for layer, (kernel, bias) in enumerate(params):
            series = _layer(
                *(self.jax, self.project_first),
                *(kernel, bias, series, state[layer]),
            )
        return series.swapaxes(0, 1)

    def _train(self, params, x, target, state):
        def total_loss(params):
            error = self._forward(params, x, state) - target
            return (error * error).mean()

        loss, gradients = self.jax.value_and_grad(total_loss)(params)
        rate = self.data.learning_rate
        params = self.jax.tree.map(
            lambda p, g: p - rate * g, params, gradients
        )
        return params, loss

    def prepare(self, kind):
        jit = self.jax.jit
        if kind == "forward":
            self.lowered = jit(self._forward).lower(
                self.params, self.x, self.state
            )
        else:
            self.lowered = jit(self._train, donate_argnums=0).lower(
                self.params, self.x, self.target, self.state
            )

    def run(self, kind):
        if kind not in self.compiled:
            self.compiled[kind] = self.lowered.compile()
        if kind == "forward":
            self.last = self.compiled[kind](self.params, self.x, self.state)
        else:
            self.params, self.last = self.compiled[kind](
                self.params, self.x, self.target, self.state
            )
        self.jax.block_until_ready(self.last)

    def outputs(self):
        return np.asarray(self.last)

    def loss(self):
        return float(self.last)

    def weights(self):
        return [[np.array(v) for v in layer] for layer in self.params]

    def nodes(self):
        return None
