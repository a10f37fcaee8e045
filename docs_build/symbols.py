"""The lookup table: every TensorFlow 1 symbol, and what becomes of it."""

import dataclasses
import html
import re

from docs_build import pages, pairs, proofs
from rnn_parity import verdicts

_PARITY = "parity_tests/test_parity.py::test_versions_agree"
_GRADIENTS = (
    "parity_tests/test_gradients.py::"
    "test_every_gradient_is_the_slope_of_the_loss"
)
_TRAINING = (
    "parity_tests/test_training.py::test_every_version_takes_the_same_path"
)
_LENGTHS = (
    "parity_tests/test_sequence_length.py::"
    "test_outputs_are_zero_and_the_state_is_copied_past_the_end"
)
_MESSAGES = "parity_tests/test_guide.py::test_messages_are_what_is_printed"
_RESUME = (
    "parity_tests/test_training.py::test_a_resumed_session_is_bit_identical"
)


@dataclasses.dataclass(frozen=True)
class Symbol:
    """One row for what is no cell, wrapper or loop."""

    symbol: str
    verdict: str
    form: str
    note: str
    test: str


_EQUAL, _ARGUMENTS = verdicts.EQUAL, verdicts.WITH_ARGUMENTS

PROGRAM = (
    Symbol(
        "tf.placeholder",
        _EQUAL,
        "an argument of a function",
        "its shape is that of what is passed; fix it with input_signature",
        _PARITY,
    ),
    Symbol(
        "tf.Session, Session.run, feed_dict",
        _EQUAL,
        "a call; @tf.function for speed",
        "what was fetched is returned, updates happen in order",
        _TRAINING,
    ),
    Symbol(
        "tf.Graph",
        _EQUAL,
        "nothing; compat.v1.Graph keeps an old program alive",
        "both live in one process",
        _PARITY,
    ),
    Symbol(
        "tf.global_variables_initializer, tf.initialize_all_variables",
        _EQUAL,
        "nothing",
        "a variable has its value when it is made",
        _PARITY,
    ),
    Symbol(
        "tf.Variable(value, dtype=..., name=...)",
        _EQUAL,
        "tf.Variable, or a layer's own",
        "the second positional argument is trainable; without a name the "
        "checkpoint says Variable",
        _PARITY,
    ),
    Symbol(
        "tf.get_variable, tf.variable_scope",
        _ARGUMENTS,
        "the layer that is called twice",
        "sharing means the same object, not the same name",
        _PARITY,
    ),
    Symbol(
        "tf.train.AdagradOptimizer(rate)",
        _ARGUMENTS,
        "keras.optimizers.Adagrad(rate, initial_accumulator_value=0.1, "
        "epsilon=0.0)",
        "Keras adds 1e-7 inside the root by default",
        _TRAINING,
    ),
    Symbol(
        "Optimizer.minimize",
        _EQUAL,
        "tf.GradientTape, then optimizer.apply(gradients, variables)",
        "list the variables of Keras layers yourself",
        _GRADIENTS,
    ),
    Symbol(
        "tf.gradients",
        _EQUAL,
        "tape.gradient, tape.watch for what is no variable",
        "the initial state's gradient needs watch",
        _GRADIENTS,
    ),
    Symbol(
        "tf.nn.sparse_softmax_cross_entropy_with_logits(logits, labels)",
        _ARGUMENTS,
        "the same, logits= and labels= by name",
        "takes [B, T, C] and [B, T] as they are",
        _PARITY,
    ),
    Symbol(
        "tf.nn.softmax",
        _EQUAL,
        "tf.nn.softmax",
        "the last axis, in both",
        _PARITY,
    ),
    Symbol(
        "tf.unpack, tf.unstack, tf.pack, tf.stack",
        _EQUAL,
        "tf.unstack, tf.stack, or one tensor",
        "a list of T tensors is T operations",
        _PARITY,
    ),
    Symbol(
        "tf.split(axis, count, value)",
        _ARGUMENTS,
        "tf.split(value, count, axis)",
        "0.12's order; the result keeps the dimension of size 1",
        _MESSAGES,
    ),
    Symbol(
        "tf.concat(axis, values)",
        _ARGUMENTS,
        "tf.concat(values, axis)",
        "0.12's order",
        _MESSAGES,
    ),
    Symbol(
        "tf.expand_dims, tf.reshape, tf.matmul, tf.tanh, tf.reduce_mean",
        _EQUAL,
        "the same",
        "reshape reads row by row in all of them",
        _PARITY,
    ),
    Symbol(
        "tf.nn.rnn",
        _EQUAL,
        "as nn.static_rnn",
        "0.12's name for it",
        _PARITY,
    ),
    Symbol(
        "tf.sequence_mask",
        _EQUAL,
        "tf.sequence_mask",
        "for the loss; divide by the number of valid steps",
        _LENGTHS,
    ),
    Symbol(
        "tf.train.Saver",
        _ARGUMENTS,
        "tf.train.load_checkpoint to read; keras .weights.h5 to write",
        "names become objects; convert layouts on the way",
        _RESUME,
    ),
)

_KINDS = {
    verdicts.EQUAL: "equal",
    verdicts.WITH_ARGUMENTS: "arguments",
    verdicts.OWN_CLASS: "own",
    verdicts.NOT_REPRESENTABLE: "none",
}


def tests():
    """The tests that the rows of PROGRAM name."""
    return tuple(dict.fromkeys(symbol.test for symbol in PROGRAM))


def program_table(slots):
    """Graph, session, optimizer, tensors."""
    rows = "".join(
        _row(s.symbol, s.verdict, s.form, s.note, [(_name(s.test), s.test)])
        for s in PROGRAM
    )
    return slots.block(_table("Graphs, sessions and tensors", rows))


def verdict_table(slots, kind):
    """CELLS, WRAPPERS or LOOPS of `rnn_parity.verdicts`."""
    rows = "".join(
        _row(
            _full(row.symbol),
            row.verdict,
            row.keras,
            row.note + _ours(row),
            [(case, proofs.anchor(case)) for case in row.cases],
        )
        for row in getattr(verdicts, kind)
    )
    return slots.block(_table(kind.capitalize(), rows))


def _ours(row):
    return f"; `tf2.tf1_cells.{row.own}` has it" if row.own else ""


def _full(symbol):
    """With what it is imported as; an argument is none."""
    module = symbol.startswith(("nn.", "contrib."))
    return f"tf.{symbol}" if module else symbol


_OF_MANY = {
    verdicts.EQUAL: "are equal",
    verdicts.WITH_ARGUMENTS: "are equal with the right arguments",
    verdicts.OWN_CLASS: "need a class of their own",
    verdicts.NOT_REPRESENTABLE: "cannot be represented",
}


def counts():
    """How many symbols have which verdict, in words."""
    found = {
        verdict: sum(row.verdict == verdict for row in verdicts.TABLE)
        for verdict in verdicts.VERDICTS
    }
    return ", ".join(f"{found[v]} {words}" for v, words in _OF_MANY.items())


def _breakable(name):
    """HTML of a long name that may break after dots and brackets."""
    return re.sub(r"([.(,])(?=\w)", r"\1<wbr>", html.escape(name))


def _name(test):
    return test.rpartition("::")[2].removeprefix("test_").replace("_", " ")


def _row(symbol, verdict, form, note, links):
    proven = ", ".join(
        f'<a href="{pages.url(f"proofs.md#{pages.slug(where)}")}">'
        f"{_breakable(words)}</a>"
        for words, where in links
    )
    return (
        f'<tr id="{pages.slug(symbol)}"><td><code>{_breakable(symbol)}'
        f'</code></td><td><span class="verdict {_KINDS[verdict]}">{verdict}'
        f"</span></td><td><code>{_breakable(form)}</code></td>"
        f"<td>{pairs.marked_up(note)}</td><td>{proven}</td></tr>"
    )


def _table(label, rows):
    return (
        f'<div class="table" tabindex="0" role="region" aria-label="{label}">'
        '<table class="symbols"><thead><tr><th>TensorFlow 1</th>'
        "<th>verdict</th><th>TensorFlow 2, Keras 3</th><th>mind</th>"
        f"<th>proof</th></tr></thead><tbody>{rows}</tbody></table></div>"
    )


def other_proofs(slots):
    """The tests behind PROGRAM, with the command for each."""
    return slots.block(
        "".join(
            f'<section class="proof"><h3 id="{pages.slug(test)}">'
            f"{html.escape(_name(test))}</h3>"
            f"{pairs.shell(f'.venv/bin/pytest {test}')}</section>"
            for test in tests()
        )
    )
