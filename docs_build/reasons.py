"""Why the versions differ where they differ, method by method.

A test holds this against the sources: a method that differs has a reason,
and a reason belongs to a method that differs.
"""

_TOP = (
    "`tensorflow.compat.v1` gives way to `tensorflow`, and cells and "
    "optimizers come from Keras 3. There is no graph to build anything in, "
    "so nobody needs a `tf.Graph` any more. `unroll` is the loop over time, "
    "and `unrolling` says how it runs."
)
_LSTM_TOP = (
    " The gates stand in another order and the forget bias has moved into "
    "`bias`: same sums, other layout."
)
_INIT = (
    "A placeholder is an argument that has not been passed yet. Functions "
    "have arguments, so the placeholders and their shapes go."
)
_FORWARD_LIST = (
    "One tensor `[B, T, 1]` instead of a list of T columns: nothing is split "
    "and reshaped. "
)
_STATE_ORDER = (
    "TensorFlow 1 keeps c before h, Keras h before c; the state that goes in "
    "and out of this method stays c before h, so it is turned round here and "
    "nowhere else."
)
_STACK_FORWARD = (
    "A nested tuple of `LSTMStateTuple` becomes a list of `[h, c]`, one per "
    f"layer. {_STATE_ORDER}"
)
_READ_OUT_LIST = (
    "States are one tensor, so one product reads out all steps, not T of "
    "them."
)
_READ_OUT_FLAT = (
    "Predictions stay one tensor `[B, T, C]`. The list of T was for a plot "
    "function that expected lists."
)

COMMON = {
    "": _TOP,
    "__init__": _INIT,
    "read_out": _READ_OUT_FLAT,
    "calculate_loss": (
        "The cross-entropy takes leading dimensions as they come, so labels "
        "need no unstacking. The mean over `[B, T]` is the mean over T lists "
        "of B, because all rows are equally long."
    ),
    "build_training": (
        "The graph, the session and the initializer op go: nothing has to be "
        "built before it runs. `minimize` becomes an optimizer that knows "
        "its variables, listed by hand because `tf.Module` omits those of "
        "Keras layers. `initial_accumulator_value=0.1` and `epsilon=0.0` "
        "make Keras' Adagrad TensorFlow 1's."
    ),
    "train_step": (
        "`session.run` with a `feed_dict` becomes a call with arguments. The "
        "update op becomes a tape, gradients and `apply`. What used to be "
        "fetched is returned, the carried state among it."
    ),
    "train_epoch": (
        "The loop moves into the graph (`tf.range`, `TensorArray`, "
        "`tf.slice`), so Python is asked once per epoch and not once per "
        "step."
    ),
}

BY_SECTION = {
    "s1": {
        "forward_pass": (
            "The Python loop became `unroll`. The product with [input, "
            "state] side by side is the sum of two products; the input's "
            "needs no state, so one call does it for all steps before "
            "the loop."
        ),
        "read_out": _READ_OUT_LIST,
    },
    "s2": {
        "declare_cells": (
            "`BasicRNNCell` is `SimpleRNNCell` with the kernel cut in two, "
            "input rows and state rows. Keras cells are told their dtype and "
            "built before they are used, so that their variables are not "
            "made inside a `tf.function`."
        ),
        "forward_pass": (
            f"{_FORWARD_LIST}The state goes in and comes out as a list, "
            "since a Keras cell may have several."
        ),
        "read_out": _READ_OUT_LIST,
    },
    "s3": {
        "": _TOP + _LSTM_TOP,
        "declare_cells": (
            "`BasicLSTMCell` is `LSTMCell`. Keras adds no forget bias when "
            "it runs: its initializer puts 1 into the bias. Weights that "
            "come from TensorFlow 1 need that 1 added once."
        ),
        "forward_pass": f"{_FORWARD_LIST}{_STATE_ORDER}",
        "read_out": _READ_OUT_LIST,
    },
    "s4": {
        "": _TOP + _LSTM_TOP,
        "declare_cells": (
            "`MultiRNNCell` is `StackedRNNCells`. Give the stack its dtype: "
            "the one that `RNN([...])` makes by itself is float32, and casts "
            "without a word. Every layer gets a cell of its own in both."
        ),
        "forward_pass": f"{_FORWARD_LIST}{_STACK_FORWARD}",
        "read_out": _READ_OUT_LIST,
    },
    "s5": {
        "": _TOP + _LSTM_TOP,
        "declare_cells": (
            "`MultiRNNCell` is `StackedRNNCells`, with the dtype said twice: "
            "the stack has one of its own."
        ),
        "forward_pass": (
            "`dynamic_rnn` is `unroll`; the input was already one tensor. "
            f"{_STACK_FORWARD}"
        ),
    },
    "s6": {
        "__init__": (
            f"{_INIT} `training` becomes an argument too: True where a step "
            "is trained, False by default."
        ),
        "declare_cells": (
            "`DropoutWrapper` round a cell becomes a `Dropout` layer after "
            "it. Keras wants the share to drop, TensorFlow 1 the share to "
            "keep. The cells' own `dropout=` would be wrong: it keeps one "
            "mask for all steps."
        ),
        "drop_out": (
            "The wrapper drops inside the loop, step by step; the layer "
            "drops the whole series `[B, T, H]` at once, a fresh mask for "
            "every step all the same. Given masks are for proving: no two "
            "random generators draw alike."
        ),
        "forward_pass": (
            "Layers run one after another over the whole series, not "
            "together step by step, since what goes up is dropped between "
            f"them and what is carried on is not. {_STATE_ORDER}"
        ),
        "build_training": (
            "As in every section; the variables are collected from a list of "
            "cells, as there is no stack."
        ),
        "train_step": (
            "`session.run` with a `feed_dict` becomes a call with arguments; "
            "`training=True` is said here, where the training is."
        ),
    },
    "s7": {
        "": (
            f"{_TOP} Keras' own masking repeats the last output where "
            "TensorFlow 1 puts out zeros."
        ),
        "declare_cells": (
            "`MultiRNNCell` is `StackedRNNCells`, with the dtype said twice: "
            "the stack has one of its own."
        ),
        "forward_pass": (
            "`sequence_length` goes to `unroll`, which does what "
            "`dynamic_rnn` did: zeros out, state kept. "
            f"{_STACK_FORWARD}"
        ),
    },
}


def find(key, method):
    """The reason for what differs in a method; "" is the top of the file.

    Raises:
        KeyError: nobody has given one.
    """
    return {**COMMON, **BY_SECTION[key]}[method]
