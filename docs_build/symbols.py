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
_UPDATES = (
    "parity_tests/test_convert.py::test_the_next_updates_are_tensorflow_1s"
)
_TODAY = (
    "parity_tests/test_convert.py::"
    "test_the_next_updates_of_a_session_of_today"
)
_MESSAGES = "parity_tests/test_guide.py::test_messages_are_what_is_printed"
_WHERE = "parity_tests/test_symbols.py::test_where_chose_rows"
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

    @property
    def names(self):
        """The names in `symbol`, without arguments."""
        return re.sub(r"\(.*?\)", "", self.symbol).split(", ")


_EQUAL, _ARGUMENTS = verdicts.EQUAL, verdicts.WITH_ARGUMENTS

PROGRAM = (
    Symbol(
        "tf.placeholder, tf.placeholder_with_default",
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
        "tf.Graph, tf.reset_default_graph",
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
        "tf.float32, tf.float64, tf.int32",
        _EQUAL,
        'the same, or "float32" for Keras layers',
        "a layer is float32 unless it is given dtype=",
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
        "tf.train.AdamOptimizer(rate)",
        _ARGUMENTS,
        "keras.optimizers.Adam(rate, epsilon=1e-8)",
        "Keras' epsilon is 1e-7 by default",
        _TODAY,
    ),
    Symbol(
        "tf.train.MomentumOptimizer(rate, momentum)",
        _ARGUMENTS,
        "keras.optimizers.SGD(rate, momentum)",
        "the slot is converted: Keras keeps it times the rate, negated",
        _UPDATES,
    ),
    Symbol(
        "tf.train.RMSPropOptimizer(rate)",
        _ARGUMENTS,
        "keras.optimizers.RMSprop(rate, epsilon=1e-10)",
        "mean squares start at 1 in TensorFlow 1, at 0 in Keras",
        _TODAY,
    ),
    Symbol(
        "tf.train.AdadeltaOptimizer(rate)",
        _ARGUMENTS,
        "keras.optimizers.Adadelta(rate, epsilon=1e-8)",
        "Keras' epsilon is 1e-7 by default",
        _TODAY,
    ),
    Symbol(
        "tf.train.GradientDescentOptimizer(rate)",
        _EQUAL,
        "keras.optimizers.SGD(rate)",
        "no slots, nothing to convert",
        "parity_tests/test_symbols.py::test_gradient_descent",
    ),
    Symbol(
        "tf.clip_by_global_norm",
        _EQUAL,
        "tf.clip_by_global_norm, or global_clipnorm= of the optimizer",
        "between tape.gradient and optimizer.apply",
        "parity_tests/test_symbols.py::test_clip_by_global_norm",
    ),
    Symbol(
        "cell.zero_state(rows, dtype)",
        _ARGUMENTS,
        "cell.get_initial_state(batch_size=rows)",
        "[h, c] for an LSTM, where TensorFlow 1 gives (c, h)",
        "parity_tests/test_symbols.py::test_zero_state",
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
        "tf.expand_dims, tf.reshape, tf.transpose, tf.matmul, tf.tanh, "
        "tf.reduce_mean, tf.reduce_sum, tf.maximum, tf.constant",
        _EQUAL,
        "the same",
        "reshape reads row by row in all of them; dim and reduction_indices "
        "are axis now, keep_dims is keepdims",
        _PARITY,
    ),
    Symbol(
        "tf.where(cond, x, y)",
        _ARGUMENTS,
        "tf.where(cond[:, None], x, y)",
        "a cond [B] chose rows of [B, H]; it chooses columns now, without a "
        "word where B is H",
        _WHERE,
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
            [_full(name) for name in also(row.symbol)],
        )
        for row in getattr(verdicts, kind)
    )
    return slots.block(_table(kind.capitalize(), rows))


def _ours(row):
    return f"; `tf2.tf1_cells.{row.own}` has it" if row.own else ""


_ALSO = {
    "nn.static_rnn": ("nn.rnn", "contrib.rnn.static_rnn"),
    "nn.static_state_saving_rnn": (
        "nn.state_saving_rnn",
        "contrib.rnn.static_state_saving_rnn",
    ),
    "nn.static_bidirectional_rnn": (
        "nn.bidirectional_rnn",
        "contrib.rnn.static_bidirectional_rnn",
    ),
}


def also(symbol):
    """What other releases call it: 0.12, 1.0, or both."""
    if symbol in _ALSO:
        return _ALSO[symbol]
    cell = symbol.removeprefix("nn.rnn_cell.")
    plain = cell != symbol and "(" not in cell
    return (f"contrib.rnn.{cell}",) if plain else ()


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


def _breakable_anywhere(name):
    """HTML of a long name that may break where a word of it ends."""
    ends = r"(_)(?=\w)|(?<=[a-z])(?=[A-Z])"
    return re.sub(ends, r"\1<wbr>", html.escape(name))


def _name(test):
    return test.rpartition("::")[2].removeprefix("test_").replace("_", " ")


def _row(symbol, verdict, form, note, links, names=()):
    proven = ", ".join(
        f'<a href="{pages.url(f"proofs.md#{pages.slug(where)}")}">'
        f"{_breakable_anywhere(words)}</a>"
        for words, where in links
    )
    other = "".join(
        f'<div class="also">also <code>{_breakable(name)}</code></div>'
        for name in names
    )
    cells = (
        f'<span class="verdict {_KINDS[verdict]}">{verdict}</span>',
        f"<code>{_breakable(form)}</code>",
        pairs.marked_up(note),
        proven,
    )
    shown = "".join(
        f'<td data-head="{head}"><div>{cell}</div></td>'
        for head, cell in zip(_HEADS[1:], cells, strict=True)
    )
    return (  # a heading, so that the search finds each by its name
        f'<tr><th scope="row"><h3 id="{pages.slug(symbol)}"><code>'
        f"{_breakable(symbol)}</code></h3>{other}</th>{shown}</tr>"
    )


_HEADS = ("TensorFlow 1", "verdict", "TensorFlow 2, Keras 3", "mind", "proof")


def _table(label, rows):
    heads = "".join(f'<th scope="col">{head}</th>' for head in _HEADS)
    return (
        f'<div class="table" tabindex="0" role="region" aria-label="{label}">'
        f'<table class="symbols"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
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
