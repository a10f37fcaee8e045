"""What TensorFlow prints when a port goes wrong: run, recorded, explained.

    python -m docs_build.errors

runs every snippet on the installed TensorFlow and writes what it prints to
docs/data/errors.json. A test runs them again.
"""

import dataclasses
import html
import json
import os
import pathlib
import re
import subprocess
import sys
import textwrap
from importlib import metadata

from docs_build import pairs

ROOT = pathlib.Path(__file__).parent.parent
FILE = ROOT / "docs" / "data" / "errors.json"
LEGACY, PLAIN = "1", "0"  # of TF_USE_LEGACY_KERAS


@dataclasses.dataclass(frozen=True)
class Trap:
    """One way to get a message.

    Attributes:
        name: short; its anchor in the page.
        code: what to run; tf, keras and np are imported.
        cause, cure: plain text, `code` in backquotes.
        page: where the guide says more, relative to the table.
        keras: LEGACY if tf-keras takes Keras' place.
    """

    name: str
    code: str
    cause: str
    cure: str
    page: str
    keras: str = PLAIN

    @property
    def snippet(self):
        return textwrap.dedent(self.code).strip()


_SESSIONS = "../chapters/sessions.md"
_SYMBOLS = "symbols.md"

TRAPS = (
    Trap(
        "placeholder",
        "tf.placeholder(tf.float32, [5, 15])",
        "Placeholders are gone; `compat.v1` has them for graphs alone.",
        "Make it an argument of the function that needs it.",
        _SESSIONS,
    ),
    Trap(
        "placeholder-eager",
        "tf.compat.v1.placeholder(tf.float32, [5, 15])",
        "TensorFlow 2 runs at once; there is no graph to put it in.",
        "Make it an argument, or build inside `with "
        "tf.Graph().as_default():` while you still need the old program.",
        _SESSIONS,
    ),
    Trap(
        "session",
        "tf.Session()",
        "There is nothing to run: calls compute.",
        "Call the function; put `@tf.function` on it for speed.",
        _SESSIONS,
    ),
    Trap(
        "contrib",
        "tf.contrib.rnn.BasicRNNCell(4)",
        "`tf.contrib` ended with TensorFlow 1.",
        "Look the symbol up; most have a Keras cell that is equal.",
        _SYMBOLS,
    ),
    Trap(
        "contrib-import",
        "from tensorflow.contrib import rnn",
        "`tf.contrib` ended with TensorFlow 1.",
        "Look the symbol up; most have a Keras cell that is equal.",
        _SYMBOLS,
    ),
    Trap(
        "optimizer",
        "tf.train.AdagradOptimizer(0.3)",
        "Optimizers have moved to Keras.",
        "`keras.optimizers.Adagrad(0.3, initial_accumulator_value=0.1, "
        "epsilon=0.0)` updates as TensorFlow 1 did.",
        _SYMBOLS,
    ),
    Trap(
        "initializer",
        "tf.global_variables_initializer()",
        "There is nothing to initialize: a variable has its value when it "
        "is made.",
        "Leave it out.",
        _SESSIONS,
    ),
    Trap(
        "get-variable",
        "tf.get_variable('W', [5, 4])",
        "Variables belong to objects, not to names in a graph.",
        "`tf.Variable`, kept by who needs it; to share it, share the object.",
        _SESSIONS,
    ),
    Trap(
        "rnn-cell",
        "tf.nn.rnn_cell.BasicLSTMCell(4)",
        "The cells have moved to Keras.",
        "`keras.layers.LSTMCell(4)`; mind gates, forget bias, state order.",
        "../sections/s3.md",
    ),
    Trap(
        "dynamic-rnn",
        "tf.nn.dynamic_rnn(None, tf.zeros([5, 15, 1]))",
        "The loops have moved to Keras.",
        "`keras.layers.RNN(cell, return_sequences=True, return_state=True)`, "
        "or `tf2.unroll` to keep the choice of loop.",
        "../chapters/unrolling.md",
    ),
    Trap(
        "legacy-cells",
        "tf.compat.v1.nn.rnn_cell.BasicLSTMCell(4)",
        "With Keras 3 installed the old cells need tf-keras.",
        "`pip install tf-keras`, and set `TF_USE_LEGACY_KERAS=1` before "
        "TensorFlow is first asked for them: a failed first access stays "
        "broken.",
        _SESSIONS,
    ),
    Trap(
        "static-rnn",
        "tf.nn.static_rnn(None, [tf.zeros([5, 1])])",
        "The loops have moved to Keras.",
        '`tf2.unroll` with `"static"`, or `keras.layers.RNN(cell, '
        "unroll=True)`.",
        "../chapters/unrolling.md",
    ),
    Trap(
        "empty-graph",
        """
        W = tf.Variable([1.0])
        tf.compat.v1.Session().run(W)
        """,
        "What was made outside a graph is in no graph.",
        "Build inside `with tf.Graph().as_default():`, or drop the session "
        "and call.",
        _SESSIONS,
    ),
    Trap(
        "uninitialized",
        """
        with tf.Graph().as_default():
            W = tf.compat.v1.Variable([1.0], name="W")
            tf.compat.v1.Session().run(W)
        """,
        "In a session, variables have no value before the initializer ran.",
        "Run `tf.compat.v1.global_variables_initializer()`, or restore a "
        "checkpoint.",
        _SESSIONS,
    ),
    Trap(
        "reuse",
        """
        rnn_cell = tf.compat.v1.nn.rnn_cell
        with tf.Graph().as_default():
            for _ in range(2):
                cell = rnn_cell.BasicLSTMCell(4)
                x = tf.zeros([5, 15, 1])
                tf.compat.v1.nn.dynamic_rnn(cell, x, dtype=tf.float32)
        """,
        "Two loops in one scope want variables of the same name.",
        "A `tf.compat.v1.variable_scope` for each. In Keras 3 every layer "
        "has its own.",
        _SESSIONS,
        LEGACY,
    ),
    Trap(
        "unpack",
        "tf.unpack(tf.zeros([5, 15]), axis=1)",
        "0.12's name.",
        "`tf.unstack`, or keep one tensor and do not unstack at all.",
        "../sections/s2.md",
    ),
    Trap(
        "concat-order",
        "tf.concat(1, [tf.zeros([5, 1]), tf.zeros([5, 4])])",
        "Before 1.0 the axis came first.",
        "`tf.concat([a, b], 1)`.",
        "../sections/s1.md",
    ),
    Trap(
        "split-order",
        "tf.split(1, 15, tf.zeros([5, 15]))",
        "Before 1.0 axis and count came first.",
        "`tf.split(x, 15, axis=1)`, or `tf.expand_dims(x, -1)` and no list.",
        "../sections/s2.md",
    ),
    Trap(
        "loss-order",
        "tf.nn.sparse_softmax_cross_entropy_with_logits(\n"
        "    tf.zeros([5, 2]), tf.zeros([5], tf.int32)\n"
        ")",
        "Before 1.0 logits came first.",
        "Name them: `logits=..., labels=...`.",
        "../sections/s1.md",
    ),
    Trap(
        "minimize",
        """
        W = tf.Variable([1.0])
        loss = tf.reduce_sum(W * W)
        tf.compat.v1.train.AdagradOptimizer(0.3).minimize(loss)
        """,
        "Without a graph a number has no history to differentiate.",
        "A `tf.GradientTape` round the forward pass, then "
        "`optimizer.apply(gradients, variables)`.",
        _SESSIONS,
    ),
    Trap(
        "cells-times-n",
        """
        rnn_cell = tf.compat.v1.nn.rnn_cell
        with tf.Graph().as_default():
            cell = rnn_cell.LSTMCell(4)
            stack = rnn_cell.MultiRNNCell([cell] * 3)
            x = tf.zeros([5, 15, 1])
            tf.compat.v1.nn.dynamic_rnn(stack, x, dtype=tf.float32)
        """,
        "One cell in three places has one kernel, made for the first one's "
        "input. With inputs as wide as the state there is no message: the "
        "layers share it.",
        "A new cell for every layer.",
        "../sections/s4.md",
        LEGACY,
    ),
    Trap(
        "gradients",
        """
        W = tf.Variable([1.0])
        tf.gradients(W * W, W)
        """,
        "Outside a graph nobody kept what to go back through.",
        "`tf.GradientTape`; `tape.watch` for what is no variable, such as "
        "the initial state.",
        _SESSIONS,
    ),
    Trap(
        "no-gradients",
        """
        cell = keras.layers.LSTMCell(4)
        cell.build([None, 1])
        optimizer = keras.optimizers.Adagrad(0.3)
        loss = tf.reduce_sum(cell.kernel)
        with tf.GradientTape() as tape:
            pass
        gradients = tape.gradient(loss, cell.trainable_variables)
        optimizer.apply(gradients, cell.trainable_variables)
        """,
        "The loss was computed outside the tape, or went through NumPy.",
        "The whole forward pass, the loss included, inside `with "
        "tf.GradientTape()`.",
        _SESSIONS,
    ),
    Trap(
        "unknown-variable",
        """
        cell = keras.layers.LSTMCell(4)
        optimizer = keras.optimizers.Adagrad(0.3)
        W2 = tf.Variable(tf.zeros([4, 2]))
        optimizer.build([W2])
        cell.build([None, 1])
        optimizer.apply([tf.zeros([1, 16])], [cell.kernel])
        """,
        "The optimizer was built for other variables; `tf.Module` does not "
        "list those of Keras layers.",
        "List them yourself: `[*cell.trainable_variables, W2, b2]`, and "
        "build cells before the optimizer.",
        "../sections/s2.md",
    ),
    Trap(
        "variables-in-function",
        """
        @tf.function
        def step(x, cell=[]):
            cell = keras.layers.LSTMCell(4)
            return cell(x, [tf.zeros([5, 4])] * 2)

        step(tf.zeros([5, 1]))
        """,
        "A layer makes its variables when it is first called, here anew at "
        "every call.",
        "Make cells outside, and `cell.build([None, inputs])` them there.",
        "../sections/s2.md",
    ),
    Trap(
        "shape-in-loop",
        """
        @tf.function
        def epoch(x, W):
            state = tf.zeros([1, 4])
            for step in tf.range(15):
                state = tf.tanh(x[:, step, None] + state @ W)
            return state

        epoch(tf.zeros([5, 15]), tf.zeros([4, 4]))
        """,
        "A loop in the graph wants what it carries in the same shape at "
        "every turn; here one row goes in and five come out.",
        "Start from `[rows, units]`. Where a shape is only unknown, "
        "`tf.ensure_shape` at the end of the turn.",
        "../chapters/truncated.md",
    ),
    Trap(
        "state-count",
        """
        rnn = keras.layers.RNN(keras.layers.LSTMCell(4))
        rnn(tf.zeros([5, 15, 1]), initial_state=tf.zeros([5, 4]))
        """,
        "An LSTM has two states.",
        "`initial_state=[h, c]`, h first.",
        "../sections/s3.md",
    ),
    Trap(
        "two-dimensions",
        "keras.layers.LSTM(4)(tf.zeros([5, 15]))",
        "Layers want `[B, T, I]`; the tutorial's batch is `[B, T]`.",
        "`tf.expand_dims(batchX, -1)`.",
        "../sections/s3.md",
    ),
    Trap(
        "time-major",
        "keras.layers.LSTM(4, time_major=True)",
        "Keras 3 has `[B, T, I]` alone.",
        "`tf.transpose(x, [1, 0, 2])` before and after.",
        _SYMBOLS,
    ),
    Trap(
        "cudnn-layer",
        "keras.layers.CuDNNLSTM(4)",
        "The layer went; `LSTM` takes the kernel where it can.",
        "`keras.layers.LSTM(4)` with its default arguments, on a GPU.",
        "../chapters/unrolling.md",
    ),
    Trap(
        "nested-inputs",
        """
        rnn = keras.layers.RNN(keras.layers.LSTMCell(4))
        rnn((tf.zeros([5, 15, 1]), tf.ones([5, 15, 4])))
        """,
        "Keras 3's `RNN` takes one tensor; TensorFlow 1 took nests.",
        "Concatenate along the last axis and split inside the cell, or use "
        "`tf2.unroll` with a function of your own.",
        "../chapters/dropout.md",
    ),
    Trap(
        "dtypes",
        """
        cell = keras.layers.LSTMCell(4)
        cell.build([None, 1])
        kernel = tf.zeros([1, 16], tf.float64)
        tf.matmul(kernel, cell.recurrent_kernel.value, transpose_b=True)
        """,
        "Layers are float32 unless told otherwise, and TensorFlow converts "
        "nothing by itself.",
        "`dtype=` for every layer, the stack of cells too.",
        "../sections/s4.md",
    ),
    Trap(
        "load-weights",
        """
        model = keras.Sequential([keras.Input([15, 1]), keras.layers.LSTM(4)])
        model.load_weights("recorded/checkpoints/stacked_lstm/model.ckpt")
        """,
        "Keras 3 reads its own files; a TensorFlow 1 checkpoint is a map of "
        "names to arrays.",
        "Convert it: other names, two kernels, other gates, the forget bias.",
        "../chapters/checkpoints.md",
    ),
    Trap(
        "restore",
        """
        lstm = keras.layers.LSTM(4)
        lstm.build([5, 15, 1])
        path = "recorded/checkpoints/stacked_lstm/model.ckpt"
        tf.train.Checkpoint(lstm=lstm).restore(path).assert_consumed()
        """,
        "`tf.train.Checkpoint` looks for objects; the file has names. "
        "Without `assert_consumed` nothing is restored and nothing is said.",
        "Convert it, and check one forward pass.",
        "../chapters/checkpoints.md",
    ),
    Trap(
        "key-not-found",
        """
        with tf.Graph().as_default(), tf.compat.v1.Session() as session:
            cell = tf.compat.v1.nn.rnn_cell.LSTMCell(5, name="lstm_cell")
            x = tf.zeros([5, 15, 3])
            tf.compat.v1.nn.dynamic_rnn(cell, x, dtype=tf.float32)
            path = "recorded/checkpoints/stacked_lstm/model.ckpt"
            tf.compat.v1.train.Saver().restore(session, path)
        """,
        "The program names its variables in another way than the one that "
        "saved them, here without a `MultiRNNCell`.",
        "`rnn-parity inspect` lists what is in the file; `convert` needs no "
        "program.",
        "../chapters/checkpoints.md",
        LEGACY,
    ),
    Trap(
        "numpy-in-graph",
        """
        @tf.function
        def step(x):
            return x.numpy()

        step(tf.zeros([5]))
        """,
        "Inside `tf.function` a tensor is a name for a value to come.",
        "Return it and convert outside.",
        _SESSIONS,
    ),
)

_RUN = """
import json, os, pathlib, sys, tempfile
import numpy as np
import tensorflow as tf
import keras

found, folder = {}, pathlib.Path(tempfile.mkdtemp())
for name, code in json.load(sys.stdin).items():
    path = folder / f"{name}.py"  # AutoGraph reads the source
    path.write_text(code)
    try:
        exec(compile(code, path, "exec"), {"tf": tf, "keras": keras})
        found[name] = None
    except BaseException as error:
        found[name] = f"{type(error).__name__}: {error}"
print(json.dumps(found))
"""


def run_all():
    """{name: message}, from this TensorFlow; None where there is none."""
    found = {}
    for keras in (PLAIN, LEGACY):
        codes = {t.name: t.snippet for t in TRAPS if t.keras == keras}
        done = subprocess.run(
            [sys.executable, "-c", _RUN],
            input=json.dumps(codes),
            capture_output=True,
            text=True,
            check=True,
            cwd=ROOT,
            env={
                **os.environ,
                "TF_USE_LEGACY_KERAS": keras,
                "TF_CPP_MIN_LOG_LEVEL": "3",
                "CUDA_VISIBLE_DEVICES": "",
            },
        )
        found |= json.loads(done.stdout.splitlines()[-1])
    return {name: _shortened(message) for name, message in found.items()}


_VARYING = {
    r"\x1b\[[0-9;]*m": "",  # colours
    r"Graph execution error: Detected at .*? Node: '\S+' ": "",
    r"\{\{function_node .*?\}\} ": "",
    r"(?<![\w:/.])/(?:[\w.@+-]+/)+": ".../",  # folders
    r", value=\[.*?\]+>": ">",
    r" at 0x[0-9a-f]+": "",
    r" name: ?\w*$": "",
    r"__autograph_generated_file\w+": "...",
}


def _shortened(message):
    """One line, without what differs from run to run."""
    if message is None:
        return None
    text = " ".join(_essence(message).split())
    for pattern, replacement in _VARYING.items():
        text = re.sub(pattern, replacement, text)
    text = text.strip()
    return text if len(text) <= 300 else f"{text[:300].rsplit(' ', 1)[0]} ..."


def _essence(message):
    """Without the way that AutoGraph took to an error."""
    if "in user code:" not in message:
        return message
    lines = message.splitlines()
    last = max(n for n, line in enumerate(lines) if _ERROR.match(line))
    return "\n".join(lines[last:])


_ERROR = re.compile(r"\s*\w+Error: ")


def recorded():
    """What the file says: {"tensorflow": version, "messages": {...}}."""
    return json.loads(FILE.read_text())


def table(slots):
    """Message, what caused it, and what to do; a row for every trap."""
    messages = recorded()["messages"]
    rows = "".join(_row(trap, messages[trap.name]) for trap in TRAPS)
    return slots.block(f'<div class="messages">{rows}</div>')


def _row(trap, message):
    from docs_build.pages import url

    return (
        f'<section class="message"><h2 id="{trap.name}">'
        f"{html.escape(message)}</h2>"
        f"<p><strong>Cause.</strong> {pairs.marked_up(trap.cause)}<br>"
        f"<strong>Cure.</strong> {pairs.marked_up(trap.cure)} "
        f'<a href="{url(trap.page)}">More</a></p>'
        f"<details><summary>What was run</summary>"
        f"{pairs.code(trap.snippet)}</details></section>"
    )


def main():
    """Runs every snippet and writes the file."""
    messages = run_all()
    silent = [name for name, message in messages.items() if message is None]
    if silent:
        sys.exit(f"no message: {', '.join(silent)}")
    FILE.parent.mkdir(exist_ok=True)
    found = {
        "tensorflow": metadata.version("tensorflow"),
        "messages": messages,
    }
    FILE.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
