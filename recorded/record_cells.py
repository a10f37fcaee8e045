"""Records what TensorFlow 1.15.5 computes with each of its cells and loops.

    python recorded/record_cells.py OUTPUT.npz

Run it with an interpreter that has TensorFlow 1.15.5; it needs that, NumPy,
and `record.py` and `contrib_cases.py` beside it. Every case is one cell,
wrapper or loop with random weights, biases, inputs, lengths and initial
states, sizes all different. All of these are values that float32 holds, the
same for both dtypes.

OUTPUT.npz holds, under "<case>/":

variables/<name>
    every variable under its TensorFlow 1 name;
inputs [B, T, I], lengths [B]
    what went in; lengths are missing where the loop was given none;
state/<place>, and state_bw/<place> where there is a second direction
    the initial state's arrays in order, c before h, the lowest layer first;
    missing where the loop was given none;
masks/input, masks/output [T, B, ...], masks/state
    what dropout kept (1), with a first axis of 1 if all steps share it;

and under "<case>/<dtype>/" what came out:

outputs [B, T, O], final/<place>; outputs_bw and final_bw/<place>.
"""

import json
import os
import platform
import sys
import zlib

import contrib_cases
import numpy as np
import record

RELEASE = "1.15.5"
DTYPES = ("float32", "float64")
ROWS, STEPS, INPUTS, UNITS, PROJECTED = 4, 6, 3, 5, 2
LENGTHS = (6, 0, 4, 1)


class Program:
    """The graph of one case in one dtype, in the default graph.

    Everything random is drawn in the order of its declaration, which is the
    same in both dtypes.
    """

    def __init__(self, tf, case, dtype):
        self.tf = tf
        self.nn = record.find_api(tf).cells
        self.rnn = tf.contrib.rnn
        self.dtype = tf.as_dtype(dtype)
        self.rng = np.random.RandomState(zlib.crc32(case.encode()))
        self.given, self.feed, self.fetches = {}, {}, {}
        self.prefix = ""  # of all that is recorded
        self.positive = ()  # variables that make no sense otherwise
        tf.set_random_seed(record.GRAPH_SEED)

    def draw(self, shape):
        """Asymmetric values that float32 holds exactly."""
        return self.rng.normal(0.1, 0.6, shape).astype(np.float32)

    def place(self, name, value, dtype=None):
        """A placeholder that is fed `value`, which is recorded."""
        placeholder = self.tf.placeholder(dtype or self.dtype, value.shape)
        self.given[self.prefix + name] = value
        self.feed[placeholder] = value
        return placeholder

    def inputs(self, size=INPUTS):
        return self.place("inputs", self.draw((ROWS, STEPS, size)))

    def lengths(self):
        value = np.array(LENGTHS, np.int32)
        return self.place("lengths", value, self.tf.int32)

    def state(self, state_size, name="state"):
        """Placeholders nested as `state_size`."""
        nest = find_nest()
        places = []
        for place, size in enumerate(nest.flatten(state_size)):
            sizes = self.tf.TensorShape(size).as_list()
            value = self.draw([ROWS, *sizes])
            places.append(self.place(f"{name}/{place}", value))
        return nest.pack_sequence_as(state_size, places)

    def fetch(self, outputs, final_state, direction=""):
        self.fetches[f"{self.prefix}outputs{direction}"] = outputs
        for place, array in enumerate(find_nest().flatten(final_state)):
            self.fetches[f"{self.prefix}final{direction}/{place}"] = array

    def assign_variables(self, session):
        """Random values for all; {name: value}."""
        variables = self.tf.trainable_variables()
        values, assigned = {}, []
        session.run(self.tf.global_variables_initializer())
        for variable in sorted(variables, key=lambda each: each.op.name):
            value = self.draw(variable.get_shape().as_list())
            if variable.op.name.endswith(tuple(self.positive)):
                value = np.abs(value) / 2 + np.float32(0.5)
            values["variables/" + variable.op.name] = value
            value = value.astype(self.dtype.as_numpy_dtype)
            assigned.append(self.tf.assign(variable, value))
        session.run(assigned)
        return values


def find_nest():
    """What flattens states; it has no public name in old releases."""
    from tensorflow.python.util import nest

    return nest


# --- Cells, each in a dynamic loop with lengths ---


def lstm_extras(p):
    return p.nn.LSTMCell(
        UNITS,
        use_peepholes=True,
        num_proj=PROJECTED,
        cell_clip=0.7,
        proj_clip=0.4,
        forget_bias=0.3,
    )


def stack(p, **options):
    layers = p.nn.GRUCell(4), p.nn.LSTMCell(UNITS, **options)
    return p.nn.MultiRNNCell([*layers, p.nn.BasicRNNCell(2)])


CELLS = {
    "BasicRNNCell": lambda p: p.nn.BasicRNNCell(UNITS),
    "BasicRNNCell relu": lambda p: p.nn.BasicRNNCell(
        UNITS, activation=p.tf.nn.relu
    ),
    "GRUCell": lambda p: p.nn.GRUCell(UNITS),
    "GRUCell sigmoid": lambda p: p.nn.GRUCell(UNITS, activation=p.tf.sigmoid),
    "BasicLSTMCell": lambda p: p.nn.BasicLSTMCell(UNITS),
    "BasicLSTMCell relu": lambda p: p.nn.BasicLSTMCell(
        UNITS, forget_bias=0.3, activation=p.tf.nn.relu
    ),
    "LSTMCell": lambda p: p.nn.LSTMCell(UNITS),
    "LSTMCell peepholes": lambda p: p.nn.LSTMCell(UNITS, use_peepholes=True),
    "LSTMCell projection": lambda p: p.nn.LSTMCell(UNITS, num_proj=PROJECTED),
    "LSTMCell clip": lambda p: p.nn.LSTMCell(UNITS, cell_clip=0.5),
    "LSTMCell all": lstm_extras,
    "LSTMCell concatenated": lambda p: p.nn.LSTMCell(
        UNITS, num_proj=PROJECTED, state_is_tuple=False
    ),
    "LSTMBlockCell": lambda p: p.rnn.LSTMBlockCell(UNITS, forget_bias=0.3),
    "LSTMBlockCell peepholes": lambda p: p.rnn.LSTMBlockCell(
        UNITS, use_peephole=True, cell_clip=0.7
    ),
    "GRUBlockCell": lambda p: p.rnn.GRUBlockCell(UNITS),
    "GRUBlockCellV2": lambda p: p.rnn.GRUBlockCellV2(UNITS),
    "LayerNormBasicLSTMCell": lambda p: p.rnn.LayerNormBasicLSTMCell(
        UNITS, forget_bias=0.3
    ),
    "LayerNormBasicLSTMCell bias": lambda p: p.rnn.LayerNormBasicLSTMCell(
        UNITS, layer_norm=False
    ),
    "CudnnCompatibleLSTMCell": lambda p: (
        p.tf.contrib.cudnn_rnn.CudnnCompatibleLSTMCell(UNITS)
    ),
    "CudnnCompatibleGRUCell": lambda p: (
        p.tf.contrib.cudnn_rnn.CudnnCompatibleGRUCell(UNITS)
    ),
    "UGRNNCell": lambda p: p.rnn.UGRNNCell(UNITS),
    "NASCell": lambda p: p.rnn.NASCell(UNITS),
    "NASCell all": lambda p: p.rnn.NASCell(
        UNITS, num_proj=PROJECTED, use_bias=True
    ),
    "IndRNNCell": lambda p: p.rnn.IndRNNCell(UNITS),
    "IndyGRUCell": lambda p: p.rnn.IndyGRUCell(UNITS),
    "IndyLSTMCell": lambda p: p.rnn.IndyLSTMCell(UNITS, forget_bias=0.3),
    "GLSTMCell": lambda p: p.rnn.GLSTMCell(6, number_of_groups=3),
    "GLSTMCell projection": lambda p: p.rnn.GLSTMCell(
        12, num_proj=6, number_of_groups=3
    ),
    "CoupledInputForgetGateLSTMCell": lambda p: (
        p.rnn.CoupledInputForgetGateLSTMCell(UNITS, state_is_tuple=True)
    ),
    "CoupledInputForgetGateLSTMCell all": lambda p: (
        p.rnn.CoupledInputForgetGateLSTMCell(
            UNITS,
            use_peepholes=True,
            num_proj=PROJECTED,
            proj_clip=0.05,
            forget_bias=0.3,
            state_is_tuple=True,
        )
    ),
    "IntersectionRNNCell": lambda p: p.rnn.IntersectionRNNCell(
        UNITS, num_in_proj=UNITS
    ),
    "SRUCell": lambda p: p.rnn.SRUCell(UNITS),
    "CompiledWrapper": lambda p: p.rnn.CompiledWrapper(p.nn.GRUCell(UNITS)),
    "MultiRNNCell": stack,
    "MultiRNNCell peepholes": lambda p: stack(p, use_peepholes=True),
    "MultiRNNCell concatenated": lambda p: p.nn.MultiRNNCell(
        [
            p.nn.BasicLSTMCell(units, state_is_tuple=False)
            for units in (UNITS, PROJECTED)
        ],
        state_is_tuple=False,
    ),
    "ResidualWrapper": lambda p: p.nn.ResidualWrapper(
        p.nn.BasicLSTMCell(INPUTS)
    ),
    "HighwayWrapper": lambda p: p.rnn.HighwayWrapper(p.nn.GRUCell(INPUTS)),
    "DeviceWrapper": lambda p: p.nn.DeviceWrapper(
        p.nn.GRUCell(UNITS), "/cpu:0"
    ),
    "InputProjectionWrapper": lambda p: p.rnn.InputProjectionWrapper(
        p.nn.GRUCell(UNITS), 4, activation=p.tf.tanh
    ),
    "OutputProjectionWrapper": lambda p: p.rnn.OutputProjectionWrapper(
        p.nn.GRUCell(UNITS), 4
    ),
}


def record_cell(p, make_cell):
    inputs, lengths = p.inputs(), p.lengths()
    cell = make_cell(p)
    state = p.state(cell.state_size)
    p.fetch(*p.tf.nn.dynamic_rnn(cell, inputs, lengths, state))


# --- Other inputs, and the loops ---


def embedding_wrapper(p):
    classes = p.rng.randint(0, 7, (ROWS, STEPS, 1)).astype(np.int32)
    inputs = p.place("inputs", classes, p.tf.int32)
    cell = p.rnn.EmbeddingWrapper(p.nn.GRUCell(UNITS), 7, INPUTS)
    state = p.state(cell.state_size)
    p.fetch(*p.tf.nn.dynamic_rnn(cell, inputs, p.lengths(), state))


def probing_dropout(p):
    """The real wrapper, made to show what it left of what.

    It keeps its class name: 1.15 makes variable names of it.
    """

    class DropoutWrapper(p.nn.DropoutWrapper):
        def _dropout(self, values, salt_prefix, *arguments):
            dropped = super()._dropout(values, salt_prefix, *arguments)
            state = salt_prefix == "state"
            what = dropped.h if state else dropped
            self.dropped.setdefault(salt_prefix, []).append(what)
            return dropped

    DropoutWrapper.dropped = {}
    return DropoutWrapper


def dropout_wrapper(p, variational=False, state_keep_prob=1.0):
    """Unrolled, so that what was dropped at each step can be fetched."""
    inputs = p.inputs()
    wrapper = probing_dropout(p)
    cell = wrapper(
        p.nn.BasicLSTMCell(UNITS),
        # Python numbers 1.15 would round to float32 in a float64 graph.
        input_keep_prob=p.tf.constant(0.375, p.dtype),
        output_keep_prob=p.tf.constant(0.5, p.dtype),
        state_keep_prob=state_keep_prob,
        variational_recurrent=variational,
        input_size=INPUTS if variational else None,
        dtype=p.dtype if variational else None,
    )
    state = p.state(cell.state_size)
    series = p.tf.unstack(inputs, axis=1)
    outputs, final_state = p.tf.nn.static_rnn(cell, series, state)
    p.fetch(p.tf.stack(outputs, axis=1), final_state)
    for name, series in wrapper.dropped.items():
        kept = [p.tf.not_equal(dropped, 0) for dropped in series]
        p.fetches["masks/" + name] = p.tf.cast(p.tf.stack(kept), p.tf.uint8)


def static_rnn(p, with_lengths):
    series = p.tf.unstack(p.inputs(), axis=1)
    cell = p.nn.LSTMCell(UNITS)
    outputs, final_state = p.tf.nn.static_rnn(
        cell,
        series,
        p.state(cell.state_size),
        sequence_length=p.lengths() if with_lengths else None,
    )
    p.fetch(p.tf.stack(outputs, axis=1), final_state)


def dynamic_rnn(p):
    """From zeros, without lengths, time in front."""
    series = p.tf.transpose(p.inputs(), [1, 0, 2])
    outputs, final_state = p.tf.nn.dynamic_rnn(
        p.nn.GRUCell(UNITS), series, dtype=p.dtype, time_major=True
    )
    p.fetch(p.tf.transpose(outputs, [1, 0, 2]), final_state)


def raw_rnn(p):
    """`dynamic_rnn` with lengths, spelt out."""
    tf = p.tf
    inputs, lengths = p.inputs(), p.lengths()
    cell = p.nn.BasicLSTMCell(UNITS)
    first = p.state(cell.state_size)
    series = tf.TensorArray(p.dtype, STEPS).unstack(
        tf.transpose(inputs, [1, 0, 2])
    )

    def loop_fn(time, output, state, loop_state):
        next_input = tf.cond(
            tf.reduce_all(time >= lengths),
            lambda: tf.zeros([ROWS, INPUTS], p.dtype),
            lambda: series.read(time),
        )
        state = first if output is None else state
        return time >= lengths, next_input, state, output, loop_state

    emitted, final_state, _ = tf.nn.raw_rnn(cell, loop_fn)
    p.fetch(tf.transpose(emitted.stack(), [1, 0, 2]), final_state)


def raw_rnn_feedback(p):
    """Each output is the next input, until the data say that it is enough.

    A row is finished once its first output is above 0.2 after an even number
    of steps, all of them after twice STEPS.
    """
    tf = p.tf
    given = p.inputs(UNITS)[:, 0]
    cell = p.nn.BasicLSTMCell(UNITS)
    first = p.state(cell.state_size)

    def loop_fn(time, output, state, loop_state):
        if output is None:
            return tf.zeros([ROWS], tf.bool), given, first, None, None
        late = tf.fill([ROWS], time >= 2 * STEPS)
        enough = tf.logical_and(output[:, 0] > 0.2, tf.equal(time % 2, 0))
        finished = tf.logical_or(enough, late)
        return finished, output, state, 2 * output, loop_state

    emitted, final_state, _ = tf.nn.raw_rnn(cell, loop_fn)
    p.fetch(tf.transpose(emitted.stack(), [1, 0, 2]), final_state)


def bidirectional_dynamic_rnn(p, with_lengths):
    inputs = p.inputs()
    cells = p.nn.LSTMCell(UNITS), p.nn.LSTMCell(4)
    outputs, states = p.tf.nn.bidirectional_dynamic_rnn(
        *cells,
        inputs,
        p.lengths() if with_lengths else None,
        p.state(cells[0].state_size),
        p.state(cells[1].state_size, "state_bw"),
    )
    p.fetch(outputs[0], states[0])
    p.fetch(outputs[1], states[1], "_bw")


def static_bidirectional_rnn(p):
    series = p.tf.unstack(p.inputs(), axis=1)
    cells = p.nn.BasicRNNCell(UNITS), p.nn.BasicLSTMCell(4)
    outputs, *states = p.tf.nn.static_bidirectional_rnn(
        *cells,
        series,
        p.state(cells[0].state_size),
        p.state(cells[1].state_size, "state_bw"),
        sequence_length=p.lengths(),
    )
    both = p.tf.stack(outputs, axis=1)
    p.fetch(both[:, :, :UNITS], states[0])
    p.fetch(both[:, :, UNITS:], states[1], "_bw")


def stack_bidirectional_rnn(p, dynamic):
    inputs = p.inputs()
    cells_fw = [p.nn.LSTMCell(UNITS), p.nn.GRUCell(2)]
    cells_bw = [p.nn.LSTMCell(4), p.nn.GRUCell(UNITS)]
    loop = p.rnn.stack_bidirectional_rnn
    if dynamic:
        loop = p.rnn.stack_bidirectional_dynamic_rnn
    outputs, *states = loop(
        cells_fw,
        cells_bw,
        inputs if dynamic else p.tf.unstack(inputs, axis=1),
        list(p.state([cell.state_size for cell in cells_fw])),
        list(p.state([cell.state_size for cell in cells_bw], "state_bw")),
        sequence_length=p.lengths(),
    )
    outputs = outputs if dynamic else p.tf.stack(outputs, axis=1)
    p.fetch(outputs, states[0])
    p.fetch(outputs, states[1], "_bw")


def lstm_block_fused_cell(p, peepholes):
    series = p.tf.transpose(p.inputs(), [1, 0, 2])
    cell = p.rnn.LSTMBlockFusedCell(
        UNITS, use_peephole=peepholes, cell_clip=0.7 if peepholes else None
    )
    state = tuple(p.state([UNITS, UNITS]))
    outputs, final_state = cell(series, state, sequence_length=p.lengths())
    p.fetch(p.tf.transpose(outputs, [1, 0, 2]), final_state)


def fused_rnn_cell_adaptor(p):
    series = p.tf.transpose(p.inputs(), [1, 0, 2])
    cell = p.nn.GRUCell(UNITS)
    outputs, final_state = p.rnn.FusedRNNCellAdaptor(cell, True)(
        series, p.state(cell.state_size), sequence_length=p.lengths()
    )
    p.fetch(p.tf.transpose(outputs, [1, 0, 2]), final_state)


def time_reversed_fused_rnn(p):
    series = p.tf.transpose(p.inputs(), [1, 0, 2])
    cell = p.rnn.TimeReversedFusedRNN(p.rnn.LSTMBlockFusedCell(UNITS))
    state = tuple(p.state([UNITS, UNITS]))
    outputs, final_state = cell(series, state, sequence_length=p.lengths())
    p.fetch(p.tf.transpose(outputs, [1, 0, 2]), final_state)


LOOPS = {
    "EmbeddingWrapper": embedding_wrapper,
    "DropoutWrapper": dropout_wrapper,
    "DropoutWrapper variational": lambda p: dropout_wrapper(
        p, variational=True
    ),
    "DropoutWrapper state": lambda p: dropout_wrapper(
        p, state_keep_prob=p.tf.constant(0.625, p.dtype)
    ),
    "static_rnn": lambda p: static_rnn(p, False),
    "static_rnn lengths": lambda p: static_rnn(p, True),
    "dynamic_rnn": dynamic_rnn,
    "raw_rnn": raw_rnn,
    "raw_rnn feedback": raw_rnn_feedback,
    "bidirectional_dynamic_rnn": lambda p: bidirectional_dynamic_rnn(
        p, False
    ),
    "bidirectional_dynamic_rnn lengths": lambda p: bidirectional_dynamic_rnn(
        p, True
    ),
    "static_bidirectional_rnn": static_bidirectional_rnn,
    "stack_bidirectional_rnn": lambda p: stack_bidirectional_rnn(p, False),
    "stack_bidirectional_dynamic_rnn": lambda p: stack_bidirectional_rnn(
        p, True
    ),
    "FusedRNNCellAdaptor": fused_rnn_cell_adaptor,
    "LSTMBlockFusedCell": lambda p: lstm_block_fused_cell(p, False),
    "LSTMBlockFusedCell peepholes": lambda p: lstm_block_fused_cell(p, True),
    "TimeReversedFusedRNN": time_reversed_fused_rnn,
}

# What these are made of exists in float32 only.
FLOAT32_ONLY = (
    "Block",
    "CudnnCompatibleLSTM",
    "ReversedFused",
    "EmbeddingWrapper",
    "Highway",
    "Phased",
)


# --- Running ---


def all_cases():
    """{name: function of a Program}."""
    cases = dict(LOOPS, **contrib_cases.ALL)
    for name, make_cell in CELLS.items():
        cases[name] = lambda p, make_cell=make_cell: record_cell(p, make_cell)
    return cases


def dtypes_of(case):
    only_32 = any(part in case for part in FLOAT32_ONLY)
    return DTYPES[:1] if only_32 else DTYPES


def run_case(tf, case, build, dtype):
    """What was given, by the rest of its name, and what came out."""
    with tf.Graph().as_default(), record.open_session(tf) as session:
        program = Program(tf, case, dtype)
        build(program)
        given = dict(program.assign_variables(session), **program.given)
        fetched = session.run(program.fetches, feed_dict=program.feed)
    for name in [name for name in fetched if name.startswith("masks/")]:
        given[f"{dtype}/{name}"] = fetched.pop(name)
    for name, array in fetched.items():
        assert array.dtype == dtype, (case, name, array.dtype)
        assert np.isfinite(array).all(), (case, name)
        given[f"{dtype}/{name}"] = array
    return given


def record_all(tf):
    """Everything that goes into OUTPUT.npz."""
    arrays = {}
    for case, build in sorted(all_cases().items()):
        for dtype in dtypes_of(case):
            for name, array in run_case(tf, case, build, dtype).items():
                key = f"{case}/{name}"
                assert np.array_equal(arrays.setdefault(key, array), array)
    arrays["provenance"] = np.array(provenance(tf, arrays))
    return arrays


def provenance(tf, arrays):
    """JSON; nothing in it depends on the machine, the day or the folder."""
    given = {
        name: array
        for name, array in arrays.items()
        if name.split("/")[1] not in DTYPES
    }
    return json.dumps(
        {
            "tensorflow": tf.__version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "graph_seed": record.GRAPH_SEED,
            "inputs_sha256": record.fingerprint(given),
            "cases": {case: dtypes_of(case) for case in all_cases()},
        },
        sort_keys=True,
    )


def import_tensorflow():
    """TensorFlow 1.15.5 with its contrib, which loads on first use."""
    tf = record.import_tensorflow()
    if tf.__version__ != RELEASE:
        raise record.UserError(
            f"this is TensorFlow {tf.__version__}; needs {RELEASE}"
        )
    with record.native_stderr_closed(), open(os.devnull, "w") as nowhere:
        stdout, sys.stdout = sys.stdout, nowhere
        try:
            tf.contrib.rnn  # noqa: B018
        finally:
            sys.stdout = stdout
    return tf


def main(arguments):
    if len(arguments) != 1:
        raise record.UserError("usage: record_cells.py OUTPUT.npz")
    record.check_folder(arguments[0])
    record.write_outputs(arguments[0], record_all(import_tensorflow()))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except record.UserError as error:
        print(f"record_cells.py: {error}", file=sys.stderr)
        sys.exit(2)
