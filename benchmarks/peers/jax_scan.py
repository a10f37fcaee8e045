"""JAX: a scan over the batches, scans over time within, all jitted."""

import jax
import jax.numpy as jnp
import numpy as np


def _cell(section):
    if section.state == "single":

        def plain(x, state, kernel, bias):
            state = jnp.tanh(jnp.concatenate([x, state], 1) @ kernel + bias)
            return state, state

        return plain

    def lstm(x, state, kernel, bias):
        c, h = state
        gates = jnp.concatenate([x, h], 1) @ kernel + bias
        i, j, f, o = jnp.split(gates, 4, 1)
        c = jax.nn.sigmoid(f + 1) * c + jax.nn.sigmoid(i) * jnp.tanh(j)
        h = jax.nn.sigmoid(o) * jnp.tanh(c)
        return h, jnp.stack([c, h])

    return lstm


def build(section, config, params):
    cell = _cell(section)
    names = list(params)
    cells = [
        (n, n.replace("kernel", "bias")) for n in names if "kernel" in n
    ] or [("W", "b")]
    steps = config.truncated_backprop_length

    def forward(params, x, state, valid, key):
        series = jnp.moveaxis(x, 1, 0)[..., None]
        layers = state if section.state == "stack" else state[None]
        new_state = []
        for layer, (kernel, bias) in enumerate(cells):

            def step(state, item, kernel=kernel, bias=bias):
                x, valid = item
                output, new = cell(x, state, params[kernel], params[bias])
                if section.lengths:
                    output = jnp.where(valid, output, 0)
                    new = jnp.where(valid, new, state)
                return new, output

            last, series = jax.lax.scan(step, layers[layer], (series, valid))
            new_state.append(last)
            if section.masks:
                key, drawn = jax.random.split(key)
                keep = config.output_keep_prob
                mask = jax.random.bernoulli(drawn, keep, series.shape)
                series = jnp.where(mask, series / keep, 0)
        new_state = jnp.stack(new_state)
        state = new_state if section.state == "stack" else new_state[0]
        return series @ params["W2"] + params["b2"], state

    def loss(params, x, y, state, valid, key):
        logits, state = forward(params, x, state, valid, key)
        chosen = jnp.take_along_axis(
            jax.nn.log_softmax(logits), y.T[..., None], -1
        )
        if not section.lengths:
            return -chosen.mean(), state
        counted = jnp.maximum(valid.sum(), 1)
        return -jnp.where(valid, chosen, 0).sum() / counted, state

    def train_step(carry, batch):
        params, accumulators, state, key = carry
        x, y, valid = batch
        key, drawn = jax.random.split(key)
        (value, state), gradients = jax.value_and_grad(loss, has_aux=True)(
            params, x, y, state, valid, drawn
        )
        accumulators = jax.tree.map(
            lambda a, g: a + g * g, accumulators, gradients
        )
        params = jax.tree.map(
            lambda p, g, a: p - config.learning_rate * g / jnp.sqrt(a),
            params,
            gradients,
            accumulators,
        )
        return (params, accumulators, state, key), value

    @jax.jit
    def train(carry, batches):
        return jax.lax.scan(train_step, carry, batches)

    kept = [
        {name: jnp.asarray(value) for name, value in params.items()},
        {name: jnp.full(v.shape, 0.1, v.dtype) for name, v in params.items()},
        jax.random.key(0),
    ]

    def run(x, y, state, sequence_length=None):
        count = x.shape[1] // steps
        shape = (len(x), count, steps)
        x, y = (jnp.moveaxis(v.reshape(shape), 1, 0) for v in (x, y))
        lengths = np.full(x.shape[:2], steps)
        if sequence_length is not None:
            lengths = sequence_length
        valid = np.arange(steps)[:, None] < lengths[:, None]
        (kept[0], kept[1], _, kept[2]), losses = train(
            (kept[0], kept[1], jnp.asarray(state), kept[2]),
            (x, y, valid[..., None]),
        )
        return np.asarray(losses)

    return run
