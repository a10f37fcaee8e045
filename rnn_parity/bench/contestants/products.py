"""Matrix products alone: what the machine could do at most.

"forward" and "train" make the products that those steps need, in their
shapes, and nothing else; "square" is one large product.
"""

import numpy as np

SIDE = 1024


def build(job, data, library):
    return Products(job, library)


def shapes(job, kind):
    """[(rows, inner, columns, how often)] of one layer's products."""
    rows, width = job.batch, job.width
    series = rows * job.steps
    forward = [
        (series, width, 4 * width, 1),
        (rows, width, 4 * width, job.steps),
    ]
    if kind == "forward":
        return forward
    return [
        *forward,
        (rows, 4 * width, width, job.steps),
        (width, series, 4 * width, 2),
    ]


class Products:
    one_graph = False

    def __init__(self, job, library):
        rng = np.random.default_rng(0)

        def random(*shape):
            return rng.normal(0.0, 1.0, shape).astype(job.dtype)

        self.on_gpu = job.device == "gpu"
        multiply = _multipliers(job)[library]
        self.programs = {
            kind: [
                (multiply(random(m, k), random(k, n)), count * job.layers)
                for m, k, n, count in shapes(job, kind)
            ]
            for kind in ("forward", "train")
        }
        if job.layers > 1:  # the derivative of what a layer above reads
            rows = job.batch * job.steps
            d_z = random(rows, 4 * job.width)
            back = random(4 * job.width, job.width)
            self.programs["train"].append(
                (multiply(d_z, back), job.layers - 1)
            )
        square = multiply(random(SIDE, SIDE), random(SIDE, SIDE))
        self.programs["square"] = [(square, 1)]

    def prepare(self, kind):
        pass

    def run(self, kind):
        for product, count in self.programs[kind]:
            for _ in range(count):
                product()
        if self.on_gpu:
            from rnn_parity.quiet import tf

            tf.test.experimental.sync_devices()

    def nodes(self):
        return None


def _multipliers(job):
    return {"numpy": _numpy, "torch": _torch, "tensorflow": _tensorflow(job)}


def _numpy(a, b):
    out = np.empty((len(a), b.shape[1]), a.dtype)
    return lambda: np.matmul(a, b, out=out)


def _torch(a, b):
    import torch

    a, b = torch.from_numpy(a), torch.from_numpy(b)
    out = torch.empty((len(a), b.shape[1]), dtype=a.dtype)
    return lambda: torch.mm(a, b, out=out)


def _tensorflow(job):
    def multiply(a, b):
        from rnn_parity.quiet import tf

        with tf.device("GPU:0" if job.device == "gpu" else "CPU:0"):
            a, b = tf.constant(a), tf.constant(b)

        return lambda: tf.matmul(a, b)

    return multiply
