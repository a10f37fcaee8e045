"""JAX: a scan over time, the whole step jitted."""

import functools

import numpy as np


def build(job, data):
    return Scan(job, data)


def build_many(job, data):
    return ManySteps(job, data)


def _activate(jax, gates, c):
    i, j, f, o = jax.numpy.split(gates, 4, 1)
    c = jax.nn.sigmoid(f + 1) * c + jax.nn.sigmoid(i) * jax.numpy.tanh(j)
    return c, jax.nn.sigmoid(o) * jax.numpy.tanh(c)


def _layer(jax, kernel, bias, series, state):
    """One layer over [T, B, H]."""

    def step(state, x):
        both = jax.numpy.concatenate([x, state[1]], 1)
        c, h = _activate(jax, both @ kernel + bias, state[0])
        return (c, h), h

    return jax.lax.scan(step, (state[0], state[1]), series)[1]


class Scan:
    one_graph = False

    def __init__(self, job, data):
        import jax

        jax.config.update("jax_enable_x64", job.dtype == "float64")
        platform = "gpu" if job.device == "gpu" else "cpu"
        put = functools.partial(
            jax.device_put, device=jax.devices(platform)[0]
        )
        self.jax, self.data = jax, data
        self.x, self.target, self.state = map(
            put, (data.x, data.target, data.state)
        )
        self.params = jax.tree.map(put, data.weights)
        self.compiled = {}

    def _forward(self, params, x, state):
        series = x.swapaxes(0, 1)
        for layer, (kernel, bias) in enumerate(params):
            series = _layer(self.jax, kernel, bias, series, state[layer])
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


class ManySteps(Scan):
    """Any number of training steps in one call, as an epoch has them."""

    def prepare(self, kind):
        if kind == "forward":
            super().prepare(kind)
            return
        self.lowered = self.jax.jit(self._many, donate_argnums=0).lower(
            self.params, self.x, self.target, self.state, 1
        )

    def _many(self, params, x, target, state, count):
        def step(_done, carry):
            return self._train(carry[0], x, target, state)

        zero = self.jax.numpy.zeros([], x.dtype)
        return self.jax.lax.fori_loop(0, count, step, (params, zero))

    def run(self, kind):
        if kind == "train":
            self.run_many(1)
        else:
            super().run(kind)

    def run_many(self, count):
        if "train" not in self.compiled:
            self.compiled["train"] = self.lowered.compile()
        self.params, self.last = self.compiled["train"](
            self.params, self.x, self.target, self.state, count
        )
        self.jax.block_until_ready(self.last)
