"""The recorded cells and loops of TensorFlow 1.15.5, one record per case.

`CASES` says for each how numpy_ref makes it from the recorded variables.
"""

import functools

import numpy as np
import tf1_contrib_cases

import recorded
from numpy_ref import tf1_cells as cells
from numpy_ref import tf1_contrib_cells as contrib
from numpy_ref import tf1_rnn

PATH = recorded.FOLDER / "cells_tf1.15.5.npz"


@functools.cache
def arrays():
    """The whole recorded file."""
    return recorded.read(PATH)


@functools.cache
def recorded_dtypes():
    """{case: its dtypes}."""
    return recorded.provenance(PATH, arrays())["cases"]


class Recorded:
    """One case in one dtype: what went in and what came out.

    Attributes:
        inputs: [B, T, I]; lengths: [B] or None.
        state, state_bw: the initial state's arrays in a list, or None.
        expected: {"outputs", "final/0", ...: array}.
    """

    def __init__(self, case, dtype):
        self.key = case, dtype
        self.dtype = dtype
        of_case = recorded.Case(PATH, arrays(), f"{case}/")
        self.variables = {
            name: value.astype(dtype)
            for name, value in of_case.under("variables").items()
        }
        self.inputs = self.cast(of_case["inputs"])
        self.lengths = arrays().get(f"{case}/lengths")
        self.state = self.in_order(of_case.under("state"))
        self.state_bw = self.in_order(of_case.under("state_bw"))
        self.expected = of_case.under(dtype)
        self.masks = {
            name.removeprefix("masks/"): self.expected.pop(name)
            for name in list(self.expected)
            if name.startswith("masks/")
        }

    def cast(self, array):
        return array.astype(self.dtype) if array.dtype.kind == "f" else array

    def in_order(self, by_place):
        """{"0": array, ...} -> the arrays in a list; none are None."""
        values = [by_place[str(n)] for n in range(len(by_place))]
        return [self.cast(value) for value in values] or None

    def __getitem__(self, name):
        """A variable by its whole TensorFlow 1 name, None without it."""
        return self.variables.get(name)

    def cell(self, kind, scope, **options):
        """A cell of numpy_ref from the variables in one scope."""
        return make_cell(kind, self.variables, scope, **options)

    def given(self, name):
        """What else went in."""
        return self.cast(arrays()[f"{self.key[0]}/{name}"])


# --- Cells from variables ---


def _named(*names):
    return {name: [name] for name in names}


# {argument: what releases call it within the cell's scope}
_KERNEL = ("kernel", "weights", "Linear/Matrix", "W_0")
_BIAS = ("bias", "biases", "Linear/Bias", "B")
_PLAIN = {"kernel": _KERNEL, "bias": _BIAS}
_PEEPHOLES = {
    f"w_{gate}_diag": (f"w_{gate}_diag", f"W_{gate.upper()}_diag")
    for gate in "ifo"
}
_PROJECTION = {
    "projection_kernel": ("projection/kernel", "projection/weights", "W_P_0")
}
_GATES = {
    "gate_kernel": [f"gates/{name}" for name in _KERNEL]
    + ["Gates/Linear/Matrix", "w_ru"],
    "gate_bias": [f"gates/{name}" for name in _BIAS]
    + ["Gates/Linear/Bias", "b_ru"],
}
_CANDIDATE = {
    "candidate_kernel": [f"candidate/{name}" for name in _KERNEL]
    + ["Candidate/Linear/Matrix", "w_c"],
    "candidate_bias": [f"candidate/{name}" for name in _BIAS]
    + ["Candidate/Linear/Bias", "b_c"],
}
_CUDNN_CANDIDATE = {
    f"{part}_{array}": [f"candidate/{part}_projection/{array}"]
    for part in ("input", "hidden")
    for array in ("kernel", "bias")
}
_LAYER_NORM = {
    f"{which}s": {
        name: f"{name}/{which}"
        for name in cells.LayerNormBasicLSTMCell.NORMALISED
    }
    for which in ("gamma", "beta")
}
ARGUMENTS = {
    cells.GRUCell: _GATES | _CANDIDATE,
    cells.GRUBlockCellV2: _GATES | _CANDIDATE,
    cells.CudnnCompatibleGRUCell: _GATES | _CUDNN_CANDIDATE,
    cells.LSTMCell: _PLAIN | _PEEPHOLES | _PROJECTION,
    cells.LSTMBlockCell: _PLAIN | _PEEPHOLES,
    cells.LayerNormBasicLSTMCell: _PLAIN | _LAYER_NORM,
    cells.NASCell: _named(
        "kernel", "recurrent_kernel", "bias", "projection_weights"
    ),
    contrib.IndRNNCell: _named("kernel_w", "kernel_u", "bias"),
    contrib.IndyLSTMCell: _named("kernel_w", "kernel_u", "bias"),
    contrib.IndyGRUCell: {
        "gate_kernel_w": ["gates/kernel_w"],
        "gate_kernel_u": ["gates/kernel_u"],
        "gate_bias": ["gates/bias"],
        "candidate_kernel_w": ["candidate/kernel"],
        "candidate_kernel_u": ["candidate/kernel_u"],
        "candidate_bias": ["candidate/bias"],
    },
    contrib.CoupledInputForgetGateLSTMCell: {
        **_PLAIN,
        **_PROJECTION,
        "w_f_diag": ["W_F_diag"],
        "w_o_diag": ["W_O_diag"],
    },
    contrib.IntersectionRNNCell: {
        **_PLAIN,
        "in_kernel": ["in_projection/kernel"],
        "in_bias": ["in_projection/bias"],
    },
    contrib.ConvLSTMCell: _named("kernel") | {"bias": ["biases"]},
    contrib.PhasedLSTMCell: {
        **_named("period", "phase", "ratio_on"),
        **{
            f"{argument}_{array}": [f"{scope}/{array}"]
            for argument, scope in (
                ("mask", "mask_gates"),
                ("new", "new_input"),
                ("output", "output_gate"),
            )
            for array in ("kernel", "bias")
        },
    },
}


def make_cell(kind, variables, scope, **options):
    """A cell of numpy_ref from the variables in one scope.

    Args:
        variables: {TensorFlow 1 name, of any release: array}.
        scope: what comes before the cell's own part of the names.
        options: what else the cell takes.
    """
    arguments = {}
    for argument, names in ARGUMENTS.get(kind, _PLAIN).items():
        if isinstance(names, dict):
            found = {n: variables.get(f"{scope}/{names[n]}") for n in names}
            whole = all(array is not None for array in found.values())
            arguments[argument] = found if whole else None
        else:
            found = (variables.get(f"{scope}/{name}") for name in names)
            present = (array for array in found if array is not None)
            arguments[argument] = next(present, None)
    return kind(**arguments, **options)


def stack(case):
    kinds = cells.GRUCell, cells.LSTMCell, cells.BasicRNNCell
    names = "gru_cell", "lstm_cell", "basic_rnn_cell"
    return cells.MultiRNNCell(
        case.cell(kind, f"rnn/multi_rnn_cell/cell_{layer}/{name}")
        for layer, (kind, name) in enumerate(zip(kinds, names, strict=True))
    )


def concatenated_stack(case):
    scope = "rnn/multi_rnn_cell/cell_{}/basic_lstm_cell"
    layers = [
        case.cell(cells.BasicLSTMCell, scope.format(layer))
        for layer in range(2)
    ]
    return cells.ConcatenatedState(cells.MultiRNNCell(layers))


def highway(case):
    carry = {name: case[f"rnn/{name}"] for name in ("carry_w", "carry_b")}
    return cells.HighwayWrapper(gru(case), **carry)


def projected(case, wrapper, scope, **options):
    """A GRU with a dense layer under or above it."""
    cell = case.cell(cells.GRUCell, f"{scope}/gru_cell")
    arrays = {name: case[f"{scope}/{name}"] for name in ("kernel", "bias")}
    return wrapper(cell, **arrays, **options)


def coupled(case, **options):
    scope = "rnn/coupled_input_forget_gate_lstm_cell"
    kind = contrib.CoupledInputForgetGateLSTMCell
    return case.cell(kind, scope, **options)


def grouped(case):
    scope = "rnn/glstm_cell"
    return contrib.GLSTMCell(
        kernels=[case[f"{scope}/group{place}/kernel"] for place in range(3)],
        biases=[case[f"{scope}/bias_{gate}"] for gate in "ijfo"],
        projection_kernel=case[f"{scope}/projection/kernel"],
    )


def embedding(case):
    scope = "rnn/embedding_wrapper"
    cell = case.cell(cells.GRUCell, f"{scope}/gru_cell")
    return cells.EmbeddingWrapper(cell, embedding=case[f"{scope}/embedding"])


def dropout(case):
    of_state = case.masks.get("state")
    return cells.DropoutWrapper(
        basic_lstm(case),
        input_masks=case.masks["input"],
        output_masks=case.masks["output"],
        state_masks=None if of_state is None else (None, of_state),
        input_keep_prob=0.375,
        output_keep_prob=0.5,
        state_keep_prob=0.625,
    )


def of(kind, scope, **options):
    """A function that makes this cell of a case."""
    return lambda case: case.cell(kind, f"rnn/{scope}", **options)


basic_rnn = of(cells.BasicRNNCell, "basic_rnn_cell")
basic_lstm = of(cells.BasicLSTMCell, "basic_lstm_cell")
lstm = of(cells.LSTMCell, "lstm_cell")
gru = of(cells.GRUCell, "gru_cell")

# Cells that a dynamic_rnn ran, and how to make them.
CELLS = {
    "BasicRNNCell": basic_rnn,
    "BasicRNNCell relu": of(
        cells.BasicRNNCell, "basic_rnn_cell", activation=cells.relu
    ),
    "GRUCell": gru,
    "GRUCell sigmoid": of(
        cells.GRUCell, "gru_cell", activation=cells.ACTIVATIONS["sigmoid"]
    ),
    "BasicLSTMCell": basic_lstm,
    "BasicLSTMCell relu": of(
        cells.BasicLSTMCell,
        "basic_lstm_cell",
        forget_bias=0.3,
        activation=cells.relu,
    ),
    "LSTMCell": lstm,
    "LSTMCell peepholes": lstm,
    "LSTMCell projection": lstm,
    "LSTMCell clip": of(cells.LSTMCell, "lstm_cell", cell_clip=0.5),
    "LSTMCell all": of(
        cells.LSTMCell,
        "lstm_cell",
        cell_clip=0.7,
        proj_clip=0.4,
        forget_bias=0.3,
    ),
    "LSTMCell concatenated": lambda case: cells.ConcatenatedState(lstm(case)),
    "LSTMBlockCell": of(cells.LSTMBlockCell, "lstm_cell", forget_bias=0.3),
    "LSTMBlockCell peepholes": of(
        cells.LSTMBlockCell, "lstm_cell", cell_clip=0.7
    ),
    "GRUBlockCell": of(cells.GRUBlockCellV2, "gru_cell"),
    "GRUBlockCellV2": of(cells.GRUBlockCellV2, "gru_cell"),
    "LayerNormBasicLSTMCell": of(
        cells.LayerNormBasicLSTMCell,
        "layer_norm_basic_lstm_cell",
        forget_bias=0.3,
    ),
    "LayerNormBasicLSTMCell bias": of(
        cells.LayerNormBasicLSTMCell, "layer_norm_basic_lstm_cell"
    ),
    "CudnnCompatibleLSTMCell": of(
        cells.CudnnCompatibleLSTMCell, "cudnn_compatible_lstm_cell"
    ),
    "CudnnCompatibleGRUCell": of(
        cells.CudnnCompatibleGRUCell, "cudnn_compatible_gru_cell"
    ),
    "UGRNNCell": of(cells.UGRNNCell, "ugrnn_cell"),
    "NASCell": of(cells.NASCell, "nas_cell"),
    "NASCell all": of(cells.NASCell, "nas_cell"),
    "IndRNNCell": of(contrib.IndRNNCell, "ind_rnn_cell"),
    "IndyGRUCell": of(contrib.IndyGRUCell, "indy_gru_cell"),
    "IndyLSTMCell": of(
        contrib.IndyLSTMCell, "indy_lstm_cell", forget_bias=0.3
    ),
    "GLSTMCell": grouped,
    "GLSTMCell projection": grouped,
    "CoupledInputForgetGateLSTMCell": coupled,
    "CoupledInputForgetGateLSTMCell all": functools.partial(
        coupled, proj_clip=0.05, forget_bias=0.3
    ),
    "IntersectionRNNCell": of(
        contrib.IntersectionRNNCell, "intersection_rnn_cell"
    ),
    "SRUCell": of(contrib.SRUCell, "sru_cell"),
    "CompiledWrapper": gru,
    "FusedRNNCellAdaptor": gru,
    "MultiRNNCell": stack,
    "MultiRNNCell peepholes": stack,
    "MultiRNNCell concatenated": concatenated_stack,
    "ResidualWrapper": lambda case: cells.ResidualWrapper(basic_lstm(case)),
    "HighwayWrapper": highway,
    "DeviceWrapper": lambda case: cells.DeviceWrapper(gru(case)),
    "InputProjectionWrapper": lambda case: projected(
        case,
        cells.InputProjectionWrapper,
        "rnn/input_projection_wrapper",
        activation=np.tanh,
    ),
    "OutputProjectionWrapper": lambda case: projected(
        case, cells.OutputProjectionWrapper, "rnn/output_projection_wrapper"
    ),
    "EmbeddingWrapper": embedding,
    "DropoutWrapper": dropout,
    "DropoutWrapper variational": dropout,
    "DropoutWrapper state": dropout,
    "dynamic_rnn": gru,
    "raw_rnn": basic_lstm,
    "LSTMBlockFusedCell": lambda case: case.cell(
        cells.LSTMBlockCell, "lstm_fused_cell"
    ),
    "LSTMBlockFusedCell peepholes": lambda case: case.cell(
        cells.LSTMBlockCell, "lstm_fused_cell", cell_clip=0.7
    ),
    "static_state_saving_rnn": lstm,  # its calls are one loop in the end
    **tf1_contrib_cases.CELLS,
}


# --- The loops: a case -> {"outputs", "final/0", ...: array} ---


def named(outputs, final_state, direction=""):
    """Under the names of the recorded file."""
    arrays = {f"outputs{direction}": outputs}
    for place, array in enumerate(cells.flat_state(final_state)):
        arrays[f"final{direction}/{place}"] = array
    return arrays


def nested(state_size, arrays):
    """A list of arrays -> a state so nested; None stays None."""
    if arrays is None:
        return None
    left = iter(arrays)
    return cells.map_state(lambda _: next(left), state_size)


def run_dynamic(case, make_cell):
    cell = make_cell(case)
    state = nested(cell.state_size, case.state)
    return named(*tf1_rnn.dynamic_rnn(cell, case.inputs, state, case.lengths))


def run_static(case):
    cell = lstm(case)
    series = list(np.swapaxes(case.inputs, 0, 1))
    outputs, state = tf1_rnn.static_rnn(
        cell, series, nested(cell.state_size, case.state), case.lengths
    )
    return named(np.stack(outputs, axis=1), state)


def run_bidirectional(case, *cells_of_both):
    states = [
        nested(cell.state_size, arrays)
        for cell, arrays in zip(
            cells_of_both, (case.state, case.state_bw), strict=True
        )
    ]
    outputs, finals = tf1_rnn.bidirectional_dynamic_rnn(
        *cells_of_both, case.inputs, *states, case.lengths
    )
    return named(outputs[0], finals[0]) | named(outputs[1], finals[1], "_bw")


def bidirectional(case):
    scope = "bidirectional_rnn"
    return run_bidirectional(
        case,
        case.cell(cells.LSTMCell, f"{scope}/fw/lstm_cell"),
        case.cell(cells.LSTMCell, f"{scope}/bw/lstm_cell"),
    )


def static_bidirectional(case):
    scope = "bidirectional_rnn"
    return run_bidirectional(
        case,
        case.cell(cells.BasicRNNCell, f"{scope}/fw/basic_rnn_cell"),
        case.cell(cells.BasicLSTMCell, f"{scope}/bw/basic_lstm_cell"),
    )


def bidirectional_layers(case):
    """The forward and the backward cells of a stack, the lowest first."""
    layers = {"fw": [], "bw": []}
    for direction, of_direction in layers.items():
        for layer, (kind, name) in enumerate(
            [(cells.LSTMCell, "lstm_cell"), (cells.GRUCell, "gru_cell")]
        ):
            scope = f"stack_bidirectional_rnn/cell_{layer}"
            if case.key[0] == "stack_bidirectional_dynamic_rnn":
                scope = f"{scope}/bidirectional_rnn"
            cell = case.cell(kind, f"{scope}/{direction}/{name}")
            of_direction.append(cell)
    return list(layers.values())


def stack_bidirectional(case):
    layers = bidirectional_layers(case)
    states = [
        nested(tuple(cell.state_size for cell in of_direction), arrays)
        for of_direction, arrays in zip(
            layers, (case.state, case.state_bw), strict=True
        )
    ]
    outputs, *finals = tf1_rnn.stack_bidirectional_dynamic_rnn(
        *layers, case.inputs, *states, case.lengths
    )
    return named(outputs, finals[0]) | named(outputs, finals[1], "_bw")


def time_reversed(case):
    cell = case.cell(cells.LSTMBlockCell, "lstm_fused_cell")
    backward = tf1_rnn.reverse_sequence(case.inputs, case.lengths)
    outputs, state = tf1_rnn.dynamic_rnn(
        cell, backward, nested(cell.state_size, case.state), case.lengths
    )
    return named(tf1_rnn.reverse_sequence(outputs, case.lengths), state)


def raw_feedback(case):
    """As `raw_rnn_feedback` of record_cells.py."""
    cell = basic_lstm(case)
    first = nested(cell.state_size, case.state)

    def loop_fn(time, output, state, loop_state):
        if output is None:
            return np.zeros(4, bool), case.inputs[:, 0], first, None, None
        late = time >= 2 * case.inputs.shape[1]
        finished = (output[:, 0] > 0.2) & (time % 2 == 0) | late
        return finished, output, state, 2 * output, loop_state

    outputs, state, _ = tf1_rnn.raw_rnn(cell, loop_fn)
    return named(outputs, state)


def feed_back(case, cell, next_of, first_input, steps):
    """A loop whose inputs are made of its outputs, or till a row is over.

    Args:
        next_of: output -> (input, whether each row is over, what goes out).
        steps: at most.
    """
    first = nested(cell.state_size, case.state)

    def loop_fn(time, output, state, loop_state):
        if output is None:
            rows = np.zeros(len(first_input), bool)
            return rows, first_input, first, None, None
        next_input, finished, emitted = next_of(output)
        return finished | (time >= steps), next_input, state, emitted, None

    outputs, state, _ = tf1_rnn.raw_rnn(cell, loop_fn)
    return named(outputs, state)


def greedy(case):
    """As `greedy_embedding_helper` of contrib_cases.py."""
    decoder, embedding = CELLS["TrainingHelper"](case), 8 * case["embedding"]

    def next_of(output):
        chosen = output.argmax(1)
        return embedding[chosen], chosen == 6, output

    first = embedding[case.inputs[:, 0, 0]]
    return feed_back(case, decoder, next_of, first, steps=12)


def rnn_decoder_feedback(case):
    def next_of(output):
        return 0.5 - output, np.zeros(len(output), bool), output

    cell, steps = CELLS["rnn_decoder"](case), case.inputs.shape[1]
    return feed_back(case, cell, next_of, case.inputs[:, 0], steps)


def embedding_feedback(case):
    def next_of(output):
        chosen = output.argmax(1)[:, np.newaxis]
        return chosen, np.zeros(len(output), bool), output

    cell, steps = CELLS["embedding_rnn_decoder"](case), case.inputs.shape[1]
    return feed_back(case, cell, next_of, case.inputs[:, 0], steps)


def encoder_and_decoder(case):
    """The two cells of a model of `contrib.legacy_seq2seq`."""
    scopes = {
        "basic_rnn_seq2seq": (
            "basic_rnn_seq2seq/rnn",
            "basic_rnn_seq2seq/rnn_decoder",
        ),
        "tied_rnn_seq2seq": ("combined_tied_rnn_seq2seq/tied_rnn_seq2seq",)
        * 2,
        "embedding_rnn_seq2seq": (
            "embedding_rnn_seq2seq/rnn/embedding_wrapper",
            "embedding_rnn_seq2seq/embedding_rnn_decoder/rnn_decoder/"
            "output_projection_wrapper",
        ),
    }[case.key[0]]
    both = [
        case.cell(cells.BasicLSTMCell, f"{scope}/basic_lstm_cell")
        for scope in scopes
    ]
    if case.key[0] != "embedding_rnn_seq2seq":
        return both
    dense = {name: case[f"{scopes[1]}/{name}"] for name in ("kernel", "bias")}
    both[1] = cells.OutputProjectionWrapper(both[1], **dense)
    within = "embedding_rnn_seq2seq/embedding_rnn_decoder"
    scopes = scopes[0], within
    return [
        cells.EmbeddingWrapper(cell, embedding=case[f"{scope}/embedding"])
        for cell, scope in zip(both, scopes, strict=True)
    ]


def rnn_seq2seq(case):
    encoder, decoder = encoder_and_decoder(case)
    _, state = tf1_rnn.dynamic_rnn(encoder, case.given("encoder_inputs"))
    return named(*tf1_rnn.dynamic_rnn(decoder, case.inputs, state))


LOOPS = {
    "GreedyEmbeddingHelper": greedy,
    "rnn_decoder feedback": rnn_decoder_feedback,
    "embedding_rnn_decoder feedback": embedding_feedback,
    "basic_rnn_seq2seq": rnn_seq2seq,
    "tied_rnn_seq2seq": rnn_seq2seq,
    "embedding_rnn_seq2seq": rnn_seq2seq,
    "raw_rnn feedback": raw_feedback,
    "static_rnn": run_static,
    "static_rnn lengths": run_static,
    "bidirectional_dynamic_rnn": bidirectional,
    "bidirectional_dynamic_rnn lengths": bidirectional,
    "static_bidirectional_rnn": static_bidirectional,
    "stack_bidirectional_rnn": stack_bidirectional,
    "stack_bidirectional_dynamic_rnn": stack_bidirectional,
    "TimeReversedFusedRNN": time_reversed,
}


def run(name, case):
    """What numpy_ref computes, under the names of the recorded file."""
    if name in LOOPS:
        return LOOPS[name](case)
    return run_dynamic(case, CELLS[name])
