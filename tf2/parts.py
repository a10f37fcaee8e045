"""A batch in parts, each computed on a core of its own, by XLA.

    from tf2.parts import in_parts

    def gradients(x, y, state):
        ...  # of a sum over rows, not of a mean

    in_two = in_parts(gradients, 2)

    @tf.function
    def train_step(x, y, state):
        both = in_two(x, y, state)
        d_weights = [tf.add_n(each) for each in zip(*both)]

Within one XLA program the cores share every product and meet again after it,
several times a time step; what is not a product mostly stays on one core.
Rows need nothing of one another, so parts of a batch meet once a training
step.
"""

import numbers

import tensorflow as tf


def in_parts(function, count):
    """`function` for `count` parts of a batch, all at the same time.

    Args:
        function: of tensors [B, ...], nested as you like, to whatever a
            `tf.function` may return; what is true of all rows, such as
            weights, it takes from outside. It may read variables but must
            not change them: parts would do that one after another.
        count: how many parts, a whole number. With fewer rows than that
            there is a part for every row, and with none one part.

    Returns:
        A function of the same tensors, for use in a `tf.function` without
        `jit_compile`: within XLA, and without a graph, parts run one after
        another. It gives a list, what `function` gave for every part, the
        first rows first; parts differ by one row where the batch does not
        divide. To set what came out together is the caller's: `tf.concat`
        what has rows, `tf.add_n` gradients of sums.

    Raises:
        ValueError: `count` is no whole number above 0; or, when called, the
            number of rows is unknown, or not the same everywhere.
    """
    whole = isinstance(count, numbers.Integral) and count >= 1
    if isinstance(count, bool) or not whole:
        raise ValueError(
            f"count is {count!r}; it must be a whole number above 0"
        )
    compiled = tf.function(function, jit_compile=True, autograph=False)

    def run(*batch):
        tensors = [tf.convert_to_tensor(x) for x in tf.nest.flatten(batch)]
        sizes = _sizes({_rows(x) for x in tensors}, int(count))
        parts = zip(*(tf.split(x, sizes) for x in tensors), strict=True)
        return [
            compiled(*tf.nest.pack_sequence_as(batch, list(part)))
            for part in parts
        ]

    return run


def _rows(tensor):
    return tensor.shape[0] if tensor.shape.rank else None


def _sizes(rows, count):
    """Of parts that differ by one row at most."""
    if len(rows) != 1 or None in rows:
        raise ValueError(
            f"tensors have {sorted(map(str, rows))} rows; all must have the "
            "same, known number"
        )
    (rows,) = rows
    count = max(1, min(count, rows))
    return [(rows + part) // count for part in range(count)]
