"""The questions of the page that checks oneself."""

import dataclasses
import html

from docs_build import pairs, speed, traps, truncation


@dataclasses.dataclass(frozen=True)
class Question:
    """One question; the first answer given here is the right one.

    Attributes:
        right, wrong: what can be chosen.
        place: where the right one stands among them, from 0.
        why: the explanation.
    """

    text: str
    right: str
    wrong: tuple
    place: int
    why: str

    @property
    def choices(self):
        choices = list(self.wrong)
        choices.insert(self.place, self.right)
        return choices


def opening():
    """What the tutorial asks about the new API before it starts."""
    return (
        Question(
            "What takes the place of a placeholder?",
            "An argument of a function",
            ("A `tf.Variable`", "A special tensor on the GPU"),
            2,
            "A placeholder was a promise that a value would be fed. A "
            "function's argument is that promise, kept by the language.",
        ),
        Question(
            "What takes the place of `Session.run`?",
            "Calling a Python function",
            ("`tf.compat.v2.run`", "Instantiating a Python class"),
            0,
            "Calls compute. `@tf.function` in front of it makes the call run "
            "a graph again, without anybody seeing it.",
        ),
        Question(
            "Do you still need a `feed_dict`?",
            "No",
            ("Yes, for the state", "Yes, for batches and state"),
            1,
            "What was fed is passed, and what was fetched is returned, the "
            "carried state among it.",
        ),
    )


def on_traps():
    """Ten more, each with what it costs to get it wrong."""
    error = traps.error
    shares = truncation.recorded()
    return (
        Question(
            "An LSTM kernel comes from a TensorFlow 1 checkpoint. In which "
            "order do its gates stand?",
            "i, j, f, o",
            ("i, f, c, o", "f, i, j, o", "i, j, o, f"),
            1,
            "Keras has i, f, c, o, where c is TensorFlow 1's j. Read in "
            "Keras' order, states are off by "
            f"{error('gates_in_keras_order', 's3')}.",
        ),
        Question(
            "`BasicLSTMCell(forget_bias=1.0)`: where is that 1.0 in the "
            "checkpoint?",
            "Nowhere",
            ("In the bias of the forget gate", "In a variable of its own"),
            0,
            "It is added whenever the cell runs. Forget it and states are "
            f"off by {error('forget_bias_missing', 's3')}, add it twice and "
            f"they are off by {error('forget_bias_doubled', 's3')}.",
        ),
        Question(
            "Which order does a state have?",
            "(c, h) in TensorFlow 1, [h, c] in Keras",
            ("(h, c) in both", "(h, c) in TensorFlow 1, [c, h] in Keras"),
            2,
            "Swapped, nothing fails: both are [B, H]. The first step is off "
            f"by {error('state_tuple_swapped', 's3')}.",
        ),
        Question(
            "What does `MultiRNNCell([cell] * 3)` give you?",
            "It depends on the release and on the sizes",
            ("Three layers with weights of their own", "Always an error"),
            1,
            "Own weights on 0.12 and 1.0; later an error, or, if inputs are "
            "as wide as the state, one kernel shared by all. Sharing moves "
            f"states by {error('layers_share_weights', 's4')}.",
        ),
        Question(
            "The echo comes 5 steps late and the truncation is 5 steps. What "
            "share of echoes does the trained network get right?",
            "About half: it guesses",
            ("Nearly all of them", "About a fifth"),
            2,
            f"It gets {shares[5]:.0%}, and with 6 steps {shares[6]:.0%}. The "
            "state carries what was seen, but no gradient crosses the border "
            "to teach it what to keep.",
        ),
        Question(
            "Keras' Adagrad with the same rate and the same start of 0.1: is "
            "that TensorFlow 1's?",
            "Not quite: Keras adds an epsilon",
            ("Yes, to the last bit", "No, it divides by the mean"),
            0,
            "1e-7 inside the root. Training losses move by "
            f"{error('adagrad_with_keras_epsilon', 's3')}, which float32 "
            "hides and float64 does not. Say `epsilon=0.0`.",
        ),
        Question(
            "Where does `LSTM(dropout=0.5)` of Keras differ from "
            "`DropoutWrapper(output_keep_prob=0.5)`?",
            "It drops inputs, with one mask for all steps",
            ("Not at all", "It drops the cell state"),
            1,
            "TensorFlow 1 draws a mask for every step and drops outputs. One "
            "mask for all steps moves states by "
            f"{error('mask_shared_over_time', 's6')}.",
        ),
        Question(
            "Past the end of a row, what comes out of "
            "`dynamic_rnn(sequence_length=...)`?",
            "Zeros, and the state of the last valid step",
            (
                "The last valid output, again and again",
                "Whatever the padding makes of it",
            ),
            2,
            "Keras masking repeats the last output: off by "
            f"{error('outputs_held_past_the_end', 's7')}. Say "
            "`zero_output_for_mask=True`.",
        ),
        Question(
            "Why does the loss jump at every epoch?",
            "The first steps of a row echo what is in no state",
            ("The learning rate is too high", "The optimizer is reset"),
            1,
            "Rows are pieces of one series. What the first `echo_step` steps "
            "of a row are to echo stands at the end of the row before.",
        ),
        Question(
            "Section 5 replaces T copies of the step by one loop. Does a "
            "training step of the TensorFlow 1 session get faster?",
            "No, slower; only building gets faster",
            ("Yes, by about T", "Yes, by a little"),
            0,
            f"{speed.us('s5', 'TF1 session')} \N{MICRO SIGN}s against "
            f"{speed.us('s4', 'TF1 session')} \N{MICRO SIGN}s. "
            f"Compiled in TensorFlow 2 "
            f"they are equal: {speed.us('s5', 'tf2')} and "
            f"{speed.us('s4', 'tf2')} \N{MICRO SIGN}s.",
        ),
    )


def questions(slots, which, first):
    """The HTML of one group of questions, numbered from `first`."""
    group = {"opening": opening, "traps": on_traps}[which]()
    return slots.block(
        "".join(
            _form(number, question)
            for number, question in enumerate(group, first)
        )
    )


def _form(number, question):
    choices = "".join(
        f'<label><input type="radio" name="q{number}" value="{place}"> '
        f"<span>{pairs.marked_up(choice)}</span></label>"
        for place, choice in enumerate(question.choices)
    )
    return (
        f'<form class="quiz" id="question-{number}" '
        f'data-right="{question.place}"><fieldset><legend>{number}. '
        f"{pairs.marked_up(question.text)}</legend>{choices}</fieldset>"
        '<button type="submit">Check</button> '
        '<span class="said" role="status"></span><details><summary>Answer'
        f"</summary><p><strong>{pairs.marked_up(question.right)}.</strong> "
        f"{pairs.marked_up(question.why)}</p></details></form>"
    )


def text_of(question):
    """The question without mark-up."""
    return html.unescape(question.text.replace("`", ""))
