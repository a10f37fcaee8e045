"""The registry: one record per section. Everything else reads it.

A section that is missing its legacy, tf2, NumPy, recorded or mistakes part
fails `parity_tests/test_conformance.py` by name.
"""

import dataclasses
import difflib
import functools

from rnn_parity.errors import UserError

IMPLEMENTATIONS = ("legacy_v1", "tf2", "numpy_ref")


@dataclasses.dataclass(frozen=True)
class Section:
    """What the three versions of one section have in common.

    Attributes:
        key: short name, "s1" to "s7".
        module: file name in each of the three folders, without ".py".
        title: the heading a reader sees.
        cell: where TensorFlow 1.2 and later store the recurrent weights;
            "{layer}" marks a stack. None: section 1's own `W` and `b`.
        state: "single" [B, H], "pair" [2, B, H] or "stack" [L, 2, B, H].
        masks: whether the section takes dropout masks.
        lengths: whether the section takes sequence lengths.
    """

    key: str
    module: str
    title: str
    cell: str | None
    state: str
    masks: bool = False
    lengths: bool = False

    def num_layers(self, config):
        """How many recurrent cells the section stacks."""
        return config.num_layers if self.state == "stack" else 1

    def state_shape(self, config):
        """Shape of `init_state`; where there are two, c comes before h."""
        batch_and_state = (config.batch_size, config.state_size)
        return {
            "single": batch_and_state,
            "pair": (2, *batch_and_state),
            "stack": (config.num_layers, 2, *batch_and_state),
        }[self.state]

    def param_shapes(self, config):
        """Shape of every variable, by its TensorFlow 1 checkpoint name."""
        return {**self._cell_shapes(config), **_read_out_shapes(config)}

    def _cell_shapes(self, config):
        units = config.state_size
        if self.cell is None:
            return {"W": (1 + units, units), "b": (1, units)}
        columns = units if self.state == "single" else 4 * units
        shapes = {}
        for layer in range(self.num_layers(config)):
            cell = self.cell.format(layer=layer)
            inputs = 1 if layer == 0 else units
            shapes[f"{cell}/kernel"] = (inputs + units, columns)
            shapes[f"{cell}/bias"] = (columns,)
        return shapes


def _read_out_shapes(config):
    classes = config.num_classes
    return {"W2": (config.state_size, classes), "b2": (1, classes)}


SECTIONS = {
    section.key: section
    for section in (
        Section(
            key="s1",
            module="s1_vanilla_rnn",
            title="Vanilla RNN, unrolled by hand",
            cell=None,
            state="single",
        ),
        Section(
            key="s2",
            module="s2_rnn_api",
            title="The RNN API",
            cell="rnn/basic_rnn_cell",
            state="single",
        ),
        Section(
            key="s3",
            module="s3_lstm",
            title="LSTM",
            cell="rnn/basic_lstm_cell",
            state="pair",
        ),
        Section(
            key="s4",
            module="s4_multilayer_lstm",
            title="Multi-layer LSTM",
            cell="rnn/multi_rnn_cell/cell_{layer}/lstm_cell",
            state="stack",
        ),
        Section(
            key="s5",
            module="s5_dynamic_rnn",
            title="Dynamic RNN",
            cell="rnn/multi_rnn_cell/cell_{layer}/lstm_cell",
            state="stack",
        ),
        Section(
            key="s6",
            module="s6_dropout",
            title="Dropout",
            cell="rnn/multi_rnn_cell/cell_{layer}/lstm_cell",
            state="stack",
            masks=True,
        ),
        Section(
            key="s7",
            module="s7_sequence_length",
            title="Sequences of different lengths",
            cell="rnn/multi_rnn_cell/cell_{layer}/lstm_cell",
            state="stack",
            lengths=True,
        ),
    )
}


def find(name):
    """The section called `name`: its key ("s1") or its file name.

    Raises:
        UserError: there is no such section.
    """
    for section in SECTIONS.values():
        if name in (section.key, section.module):
            return section
    known = [section.key for section in SECTIONS.values()]
    known += [section.module for section in SECTIONS.values()]
    raise UserError(unknown("section", name, known))


def unknown(kind, name, known):
    """One line for a name that is not among the known ones."""
    close = difflib.get_close_matches(str(name), known, n=1)
    hint = f" (did you mean {close[0]}?)" if close else ""
    return f"unknown {kind} {name!r}{hint}; choose from {', '.join(known)}"


@functools.cache
def _load(key, implementation):
    from rnn_parity.contract import Contract

    return Contract(SECTIONS[key], implementation)


def load(section, implementation):
    """One version of one section, behind the contract.

    Args:
        section: "s1" to "s7", or a file name such as "s1_vanilla_rnn".
        implementation: "legacy_v1", "tf2" or "numpy_ref".

    Returns:
        A `rnn_parity.contract.Contract`: `forward`, `loss_and_gradients`
        and `train`, NumPy arrays in and out. `numpy_ref` needs no
        TensorFlow.

    Raises:
        UserError: there is no such section or implementation.
    """
    record = find(section)
    if implementation not in IMPLEMENTATIONS:
        raise UserError(
            unknown("implementation", implementation, list(IMPLEMENTATIONS))
        )
    return _load(record.key, implementation)
