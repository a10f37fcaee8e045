"""Records real checkpoints, and what TensorFlow 1 computed from them.

    python recorded/record_checkpoints.py FOLDER

Run it with an interpreter that has TensorFlow 0.12.1, 1.0.1 or 1.15.5; it
needs that, NumPy, and `record.py` and `record_cells.py` beside it. Every
situation that the release is for becomes a folder in FOLDER with

model.ckpt...
    what `tf.train.Saver` wrote after two training steps from random weights
    (without a MetaGraph), or `tf.train.Checkpoint` (keras_objects);
model.h5, variables/
    the same from tf.keras, the second as part of a SavedModel (keras_model);
truth.json
    release, situation, all variables with their shapes, and per run the loop
    and its cells: the scope of the cell's variables, kind, layer, direction,
    input and state size, and as "options" what the checkpoint does not tell;
truth.npz
    per run, under "<run>/": inputs [B, T, I] or ids [B, T], lengths [B],
    the initial state/<place>, outputs [B, T, O], final/<place> (state_bw,
    outputs_bw, final_bw for a second direction), and logits/<kernel> of what
    reads out; named and nested as in `record_cells.py`, all float32. Where
    there are moving averages, "averages/" holds what came out with them as
    weights.

The initial states are random, and lengths differ from row to row, one of
them 0.
"""

import json
import os
import platform
import shutil
import sys

import numpy as np
import record
import record_cells

ROWS, STEPS, INPUTS, CLASSES = 4, 6, 3, 7
TRAINING_STEPS = 2


class Situation(record_cells.Program):
    """One graph, its saver, and what it is true to say about it."""

    def __init__(self, tf, name):
        super().__init__(tf, name, "float32")
        self.runs = {}
        self.read_outs = []
        self.saver_options = {}
        self.finals = []
        self.averages = None
        self.objects = None  # a tf.train.Checkpoint, in a Saver's place
        self.model = None  # of tf.keras, to be saved besides

    # The loops. Each declares a run: `cells` says what is in it.

    def begin(self, run, loop, cells):
        self.prefix = f"{run}/"
        self.runs[run] = {"loop": loop, "cells": cells}

    def dynamic(self, cell, cells, run="rnn", inputs=None, **options):
        """`dynamic_rnn` with lengths and an initial state."""
        self.begin(run, "dynamic_rnn", cells)
        inputs = self.inputs() if inputs is None else inputs
        outputs, final = self.tf.nn.dynamic_rnn(
            cell,
            inputs,
            self.lengths(),
            self.state(cell.state_size),
            **options,
        )
        return self.end(outputs, final)

    def static(self, cell, cells, run="rnn"):
        """`static_rnn`, without lengths."""
        self.begin(run, "static_rnn", cells)
        series = self.tf.unstack(self.inputs(), axis=1)
        outputs, final = record.find_api(self.tf).static_rnn(
            cell, series, self.state(cell.state_size)
        )
        return self.end(self.tf.stack(outputs, axis=1), final)

    def bidirectional(self, fw, bw, cells, run="rnn", inputs=None, **options):
        self.begin(run, "bidirectional_dynamic_rnn", cells)
        inputs = self.inputs() if inputs is None else inputs
        outputs, finals = self.tf.nn.bidirectional_dynamic_rnn(
            fw,
            bw,
            inputs,
            self.lengths(),
            self.state(fw.state_size),
            self.state(bw.state_size, "state_bw"),
            **options,
        )
        self.end(outputs[0], finals[0])
        self.end(outputs[1], finals[1], "_bw")
        return self.side_by_side(*outputs)

    def side_by_side(self, *outputs):
        """[B, T, O] each, joined in the last axis."""
        concat = getattr(self.tf, "concat_v2", self.tf.concat)
        return concat(list(outputs), 2)

    def fused(self, cell, cells, direction="", run="rnn", inputs=None):
        """A fused cell, time in front; "_bw" is the second direction."""
        if not direction:
            self.begin(run, "dynamic_rnn", cells)
            inputs = self.inputs() if inputs is None else inputs
            self.series = self.tf.transpose(inputs, [1, 0, 2])
            self.valid = self.lengths()
        units = cells[0]["units"]
        state = tuple(self.state([units, units], f"state{direction}"))
        outputs, final = cell(self.series, state, sequence_length=self.valid)
        return self.end(
            self.tf.transpose(outputs, [1, 0, 2]), final, direction
        )

    def end(self, outputs, final, direction=""):
        self.fetch(outputs, final, direction)
        self.finals.append(outputs)
        return outputs

    # What is round a network.

    def variable(self, name, shape):
        return self.tf.get_variable(name, shape, self.tf.float32)

    def read_out(self, outputs, weights, bias, transposed=False):
        """logits [B, T, C] of the run declared last."""
        tf = self.tf
        size = outputs.get_shape().as_list()[-1]
        flat = tf.reshape(outputs, [-1, size])
        logits = tf.matmul(flat, weights, transpose_b=transposed) + bias
        logits = tf.reshape(logits, [ROWS, STEPS, -1])
        self.fetches[f"{self.prefix}logits/{weights.op.name}"] = logits
        self.finals.append(logits)
        self.read_outs.append(
            {
                "run": self.prefix[:-1],
                "kernel": weights.op.name,
                "bias": bias.op.name,
                "transposed": transposed,
            }
        )
        return logits

    def dense(
        self, outputs, scope, classes=CLASSES, names=("kernel", "bias")
    ):
        """A read-out in a scope of its own."""
        size = outputs.get_shape().as_list()[-1]
        with self.tf.variable_scope(scope):
            weights = self.variable(names[0], [size, classes])
            bias = self.variable(names[1], [classes])
        return self.read_out(outputs, weights, bias)

    def loss(self):
        tf = self.tf
        return tf.add_n([tf.reduce_mean(x * x) for x in self.finals])

    def minimize(self, optimizer):
        """Training steps, and a global_step, as nearly every script has."""
        step = self.tf.Variable(0, trainable=False, name="global_step")
        return optimizer.minimize(self.loss(), global_step=step)


def cell(scope, kind, inputs, units, layer=0, direction="fw", **options):
    """What truth.json says of a cell."""
    return {
        "scope": scope,
        "kind": kind,
        "layer": layer,
        "direction": direction,
        "input_size": inputs,
        "units": units,
        "options": options,
    }


def stacked(scope, kind, sizes, name, **options):
    """What it says of a MultiRNNCell: sizes are I and each layer's H."""
    return [
        cell(scope.format(layer, name), kind, *pair, layer, **options)
        for layer, pair in enumerate(zip(sizes, sizes[1:]))  # noqa: RUF007
    ]


MULTI = "rnn/multi_rnn_cell/cell_{}/{}"


# --- What people asked about ---


def stacked_lstm(s):
    """tensorflow#29622: two stacked LSTM layers in a dynamic_rnn."""
    sizes = (INPUTS, 5, 4)
    layers = [s.nn.LSTMCell(units) for units in sizes[1:]]
    truth = stacked(MULTI, "LSTMCell", sizes, "lstm_cell")
    outputs = s.dynamic(s.nn.MultiRNNCell(layers), truth)
    s.dense(outputs, "dense")
    return s.minimize(s.tf.train.AdamOptimizer(0.01))


def bidirectional_lengths(s):
    """keras#10179: two directions, rows of different lengths."""
    scope = "bidirectional_rnn/{}/lstm_cell"
    truth = [
        cell(scope.format("fw"), "LSTMCell", INPUTS, 5),
        cell(scope.format("bw"), "LSTMCell", INPUTS, 5, direction="bw"),
    ]
    both = s.bidirectional(s.nn.LSTMCell(5), s.nn.LSTMCell(5), truth)
    s.dense(both, "dense")
    return s.minimize(s.tf.train.MomentumOptimizer(0.01, 0.9))


def concatenated_state(s):
    """tensorflow#28216: one array for c and h of all layers."""
    sizes = (INPUTS, 5, 4)
    layers = [
        s.nn.BasicLSTMCell(units, state_is_tuple=False) for units in sizes[1:]
    ]
    stack = s.nn.MultiRNNCell(layers, state_is_tuple=False)
    truth = stacked(MULTI, "BasicLSTMCell", sizes, "basic_lstm_cell")
    s.dynamic(stack, truth)
    s.runs["rnn"]["state_is_tuple"] = False
    return s.minimize(s.tf.train.AdagradOptimizer(0.1))


# --- What is found in the wild ---


def encoder_decoder(s):
    """Two networks in one file, the second starting from an own state."""
    tf = s.tf
    with tf.variable_scope("encoder"):
        truth = [cell("encoder/rnn/gru_cell", "GRUCell", INPUTS, 5)]
        encoded = s.dynamic(s.nn.GRUCell(5), truth, "encoder")
    with tf.variable_scope("decoder"):
        truth = [cell("decoder/rnn/lstm_cell", "LSTMCell", 5, 4)]
        outputs = s.dynamic(s.nn.LSTMCell(4), truth, "decoder", encoded)
        s.dense(outputs, "projection")
    s.runs["decoder"]["inputs"] = "outputs of encoder"
    return s.minimize(tf.train.MomentumOptimizer(0.01, 0.9))


def language_model(s):
    """Ids, their rows of an embedding, two layers, and logits of ids."""
    tf = s.tf
    sizes = (INPUTS, 5, 4)
    s.prefix = "rnn/"
    ids = s.rng.randint(0, CLASSES - 1, (ROWS, STEPS))  # the last is unread
    ids = s.place("ids", ids.astype(np.int32), tf.int32)
    with tf.variable_scope("lm"):
        table = s.variable("embedding", [CLASSES, INPUTS])
        layers = [s.nn.BasicLSTMCell(units) for units in sizes[1:]]
        truth = stacked(
            f"lm/{MULTI}", "BasicLSTMCell", sizes, "basic_lstm_cell"
        )
        inputs = tf.nn.embedding_lookup(table, ids)
        outputs = s.dynamic(s.nn.MultiRNNCell(layers), truth, inputs=inputs)
        s.dense(outputs, "softmax", names=("softmax_w", "softmax_b"))
    s.runs["rnn"]["inputs"] = "rows of lm/embedding"
    return s.minimize(tf.train.AdamOptimizer(0.01))


def deep_prefixes(s):
    """Scopes within scopes, and slots under OptimizeLoss/."""
    tf = s.tf
    sizes = (INPUTS, 5, 4)
    with tf.variable_scope("graph"), tf.variable_scope("lm"):
        layers = [s.nn.BasicLSTMCell(units) for units in sizes[1:]]
        prefix = "graph/lm/RNN_0/multi_rnn_cell/cell_{}/{}"
        truth = stacked(prefix, "BasicLSTMCell", sizes, "basic_lstm_cell")
        outputs = s.dynamic(s.nn.MultiRNNCell(layers), truth, scope="RNN_0")
        s.dense(outputs, "softmax", names=("softmax_w", "softmax_b"))
    step = tf.train.get_or_create_global_step()
    return tf.contrib.layers.optimize_loss(
        s.loss(), step, 0.1, optimizer="Adagrad"
    )


def lstm_block_fused(s):
    """A fused cell: a scope without rnn/, a name of its own."""
    truth = [cell("lstm_fused_cell", "LSTMBlockFusedCell", INPUTS, 5)]
    outputs = s.fused(s.rnn.LSTMBlockFusedCell(5), truth)
    s.dense(outputs, "dense")
    return s.minimize(s.tf.train.AdamOptimizer(0.01))


def fused_directions(s):
    """Two directions told apart by the order of their names alone."""
    rnn = s.rnn
    truth = [
        cell("lstm_fused_cell", "LSTMBlockFusedCell", INPUTS, 5),
        cell(
            "lstm_fused_cell_1",
            "LSTMBlockFusedCell",
            INPUTS,
            5,
            direction="bw",
        ),
    ]
    forward = s.fused(rnn.LSTMBlockFusedCell(5), truth)
    backward = rnn.TimeReversedFusedRNN(rnn.LSTMBlockFusedCell(5))
    backward = s.fused(backward, truth, "_bw")
    s.runs["rnn"]["loop"] = "bidirectional_dynamic_rnn"
    s.dense(s.side_by_side(forward, backward), "dense")
    return s.minimize(s.tf.train.RMSPropOptimizer(0.01))


def block_cells(s):
    """Block cells stored under other cells' names, and under their own."""
    kinds = ("LSTMBlockCell", "GRUBlockCellV2", "GRUBlockCell")
    names = ("lstm_cell", "gru_cell", "gru_cell")
    truth = [
        cell(MULTI.format(layer, name), kind, *pair, layer)
        for layer, (kind, name, pair) in enumerate(
            zip(kinds, names, ((INPUTS, 5), (5, 4), (4, 2)))
        )
    ]
    truth[0]["options"] = {"cell_clip": 0.7, "forget_bias": 0.5}
    layers = [
        s.rnn.LSTMBlockCell(
            5, use_peephole=True, cell_clip=0.7, forget_bias=0.5
        ),
        s.rnn.GRUBlockCellV2(4),
        s.rnn.GRUBlockCell(2),
    ]
    s.dynamic(s.nn.MultiRNNCell(layers), truth)
    return s.minimize(s.tf.train.GradientDescentOptimizer(0.1))


def residual_dropout(s):
    """Wrappers, which leave no trace; recorded with nothing dropped."""
    keep = s.tf.placeholder_with_default(1.0, [])
    layers = [s.nn.LSTMCell(INPUTS) for _ in range(3)]
    layers = [
        s.nn.DropoutWrapper(layer, output_keep_prob=keep) for layer in layers
    ]
    layers[1:] = [s.nn.ResidualWrapper(layer) for layer in layers[1:]]
    truth = stacked(MULTI, "LSTMCell", (INPUTS,) * 4, "lstm_cell")
    for each in truth[1:]:
        each["options"]["residual"] = True
    s.dynamic(s.nn.MultiRNNCell(layers), truth)
    return s.minimize(s.tf.train.AdamOptimizer(0.01))


def shared_cell(s):
    """[cell] * 2 where input size and state size are the same."""
    layer = s.nn.LSTMCell(INPUTS)
    scope = MULTI.format(0, "lstm_cell")
    truth = [
        cell(scope, "LSTMCell", INPUTS, INPUTS, layer) for layer in range(2)
    ]
    s.dynamic(s.nn.MultiRNNCell([layer] * 2), truth)
    return s.minimize(s.tf.train.GradientDescentOptimizer(0.1))


def moving_averages(s):
    """Exponential moving averages beside the weights, and RMSProp."""
    truth = [cell("rnn/gru_cell", "GRUCell", INPUTS, 5)]
    outputs = s.dynamic(s.nn.GRUCell(5), truth)
    s.dense(outputs, "dense")
    train_step = s.minimize(s.tf.train.RMSPropOptimizer(0.01, momentum=0.9))
    s.averages = s.tf.train.ExponentialMovingAverage(0.5)
    with s.tf.control_dependencies([train_step]):
        return s.averages.apply(s.tf.trainable_variables())


def peepholes_projection(s):
    """All that an LSTMCell can have, clips included."""
    options = {"cell_clip": 0.7, "proj_clip": 0.4}
    layer = s.nn.LSTMCell(5, use_peepholes=True, num_proj=2, **options)
    truth = [cell("rnn/lstm_cell", "LSTMCell", INPUTS, 5, **options)]
    truth[0]["projection"] = 2
    s.dynamic(layer, truth)
    return s.minimize(s.tf.train.AdagradOptimizer(0.1))


def layer_norm(s):
    """Gains and shifts, and no bias."""
    scope = "rnn/layer_norm_basic_lstm_cell"
    truth = [cell(scope, "LayerNormBasicLSTMCell", INPUTS, 5)]
    s.dynamic(s.rnn.LayerNormBasicLSTMCell(5), truth)
    return s.minimize(s.tf.train.AdamOptimizer(0.01))


def read_outs(s):
    """One transposed, and one named as if it were a cell."""
    truth = [
        cell(
            "rnn/basic_rnn_cell", "BasicRNNCell", INPUTS, 5, activation="relu"
        )
    ]
    layer = s.nn.BasicRNNCell(5, activation=s.tf.nn.relu)
    outputs = s.dynamic(layer, truth)
    weights = s.variable("softmax_w", [CLASSES, 5])
    bias = s.variable("softmax_b", [CLASSES])
    s.read_out(outputs, weights, bias, transposed=True)
    s.dense(outputs, "output/lstm_cell", 4)
    return s.minimize(s.tf.train.AdamOptimizer(0.01))


def characters_and_words(s):
    """A network over characters, one over words, and an embedding."""
    tf = s.tf
    s.variable("chars/embedding", [11, INPUTS])
    ends = []
    for run, inputs, units in (("chars", None, 2), ("words", "both", 5)):
        scope = f"{run}/bidirectional_rnn/{{}}/lstm_cell"
        size = INPUTS if inputs is None else 4
        truth = [
            cell(scope.format("fw"), "LSTMCell", size, units),
            cell(scope.format("bw"), "LSTMCell", size, units, direction="bw"),
        ]
        with tf.variable_scope(run):
            both = s.nn.LSTMCell(units), s.nn.LSTMCell(units)
            inputs = ends[-1] if ends else None
            ends.append(s.bidirectional(*both, truth, run, inputs))
    s.runs["words"]["inputs"] = "outputs of chars, both directions"
    s.dense(ends[-1], "proj", names=("W", "b"))
    return s.minimize(tf.train.AdamOptimizer(0.01))


def named_cells(s):
    """Names that the user chose, without the kind in them."""
    truth = [
        cell(MULTI.format(0, "lower"), "BasicLSTMCell", INPUTS, 5),
        cell(MULTI.format(1, "upper"), "GRUCell", 5, 4, layer=1),
    ]
    layers = [
        s.nn.BasicLSTMCell(5, name="lower"),
        s.nn.GRUCell(4, name="upper"),
    ]
    s.dynamic(s.nn.MultiRNNCell(layers), truth)
    return s.minimize(s.tf.train.MomentumOptimizer(0.01, 0.9))


def look_alikes(s):
    """Other cells, with kernels that would fit an LSTMCell or a GRUCell."""
    rnn = s.rnn
    kinds = {
        "CoupledInputForgetGateLSTMCell": (
            "coupled_input_forget_gate_lstm_cell"
        ),
        "IntersectionRNNCell": "intersection_rnn_cell",
        "UGRNNCell": "ugrnn_cell",
        "SRUCell": "sru_cell",
    }
    sizes = (INPUTS, 5, 5, 4, 2)
    layers = [
        rnn.CoupledInputForgetGateLSTMCell(5, state_is_tuple=True),
        rnn.IntersectionRNNCell(5),
        rnn.UGRNNCell(4),
        rnn.SRUCell(2),
    ]
    truth = [
        cell(
            MULTI.format(layer, name), kind, *sizes[layer : layer + 2], layer
        )
        for layer, (kind, name) in enumerate(kinds.items())
    ]
    s.dynamic(s.nn.MultiRNNCell(layers), truth)
    return s.minimize(s.tf.train.MomentumOptimizer(0.01, 0.9))


# --- Layers of tf.keras ---


def keras_run(s, layer, kind, units, run, **options):
    """A layer, its sequences and states returned, over rows of lengths.

    It repeats its last output past a row's end; recorded are zeros.
    """
    truth = cell(layer.name, f"tf.keras.{kind}", INPUTS, units, **options)
    s.begin(run, "tf.keras", [truth])
    mask, valid = keras_mask(s)
    inputs = s.inputs()
    state = s.state((units, units) if "LSTM" in kind else units)
    outputs, *final = layer(inputs, mask=mask, initial_state=swapped(state))
    return s.end(outputs * valid, swapped(final))


def keras_mask(s):
    """(as layers take it, as something to multiply by)."""
    mask = s.tf.sequence_mask(s.lengths(), STEPS)
    return mask, s.tf.cast(mask, s.dtype)[:, :, s.tf.newaxis]


def swapped(state):
    """c, h -> [h, c] and the other way round; one alone stays alone."""
    if not isinstance(state, (tuple, list)):
        return [state]
    return list(state)[::-1] if len(state) > 1 else state[0]


WHOLE = {"return_sequences": True, "return_state": True}


def keras_layers(s):
    """Layers of tf.keras with all its defaults, saved by a Saver."""
    layers = s.tf.keras.layers
    for name, units in (("LSTM", 5), ("GRU", 4), ("SimpleRNN", 2)):
        layer = getattr(layers, name)(units, name=name.lower(), **WHOLE)
        outputs = keras_run(s, layer, name, units, name.lower())
    s.dense(outputs, "dense")
    return s.minimize(s.tf.train.AdamOptimizer(0.01))


def keras_arguments(s):
    """The same with other activations, biases and resets."""
    layers = s.tf.keras.layers
    for run, name, units, truth, options in (
        ("a", "LSTM", 5, "LSTM", {"recurrent_activation": "sigmoid"}),
        ("b", "LSTM", 2, "LSTM", {"use_bias": False, "activation": "relu"}),
        (
            "c",
            "GRU",
            4,
            "GRUResetAfter",
            {"reset_after": True, "recurrent_activation": "sigmoid"},
        ),
        ("d", "GRU", 3, "GRUResetAfter", {"reset_after": True}),
        ("e", "SimpleRNN", 6, "SimpleRNN", {"activation": "linear"}),
    ):
        layer = getattr(layers, name)(
            units, name=f"{run}_{name.lower()}", **WHOLE, **options
        )
        told = {
            key: value
            for key, value in options.items()
            if key.endswith("activation")
        }
        keras_run(s, layer, truth, units, run, **told)
    return s.minimize(s.tf.train.AdagradOptimizer(0.1))


def keras_two_ways(s):
    """tf.keras' Bidirectional, and a stack of cells in one layer."""
    layers = s.tf.keras.layers
    truth = [
        cell(f"both/{way}_inner", "tf.keras.LSTM", INPUTS, 4, direction=short)
        for way, short in (("forward", "fw"), ("backward", "bw"))
    ]
    s.begin("both", "tf.keras", truth)
    mask, valid = keras_mask(s)
    inner = layers.LSTM(4, name="inner", **WHOLE)
    both = layers.Bidirectional(inner, merge_mode=None, name="both")
    inputs = s.inputs()
    states = s.state((4, 4)), s.state((4, 4), "state_bw")
    fw, bw, *finals = both(
        inputs,
        mask=mask,
        initial_state=[*swapped(states[0]), *swapped(states[1])],
    )
    fw, bw = fw * valid, bw * valid
    s.end(fw, swapped(finals[:2]))
    s.end(bw, swapped(finals[2:]), "_bw")
    s.dense(s.side_by_side(fw, bw), "dense")
    keras_stack(s, layers)
    return s.minimize(s.tf.train.AdamOptimizer(0.01))


def keras_stack(s, layers):
    sizes = (INPUTS, 4, 5)
    s.begin(
        "stack",
        "tf.keras",
        stacked("stack/cells/{}", "tf.keras.LSTM", sizes, ""),
    )
    mask, valid = keras_mask(s)
    cells = [layers.LSTMCell(units) for units in sizes[1:]]
    layer = layers.RNN(cells, name="stack", **WHOLE)
    inputs = s.inputs()
    states = s.state([(4, 4), (5, 5)])
    outputs, *finals = layer(
        inputs, mask=mask, initial_state=[swapped(one) for one in states]
    )
    s.end(outputs * valid, [swapped(one) for one in finals])


def keras_objects(s):
    """Saved by tf.train.Checkpoint, with an optimizer of tf.keras."""
    tf, layers = s.tf, s.tf.keras.layers
    parts = {
        "encoder": layers.LSTM(5, name="lstm", **WHOLE),
        "tagger": layers.GRU(4, reset_after=True, name="gru", **WHOLE),
    }
    for name, layer in parts.items():
        kind = "LSTM" if name == "encoder" else "GRUResetAfter"
        outputs = keras_run(s, layer, kind, layer.units, name)
        s.runs[name]["cells"][0]["scope"] = name
    parts["top"] = layers.Dense(CLASSES)
    logits = parts["top"](outputs)
    s.finals.append(logits)
    s.fetches[f"{s.prefix}logits/top/kernel"] = logits
    s.read_outs.append(
        {
            "run": s.prefix[:-1],
            "kernel": "top/kernel",
            "bias": "top/bias",
            "transposed": False,
        }
    )
    optimizer = tf.keras.optimizers.Adam(0.01)
    s.objects = tf.train.Checkpoint(optimizer=optimizer, **parts)
    variables = tf.trainable_variables()
    gradients = tf.gradients(s.loss(), variables)
    return optimizer.apply_gradients(zip(gradients, variables))


def keras_model(s):
    """A model of tf.keras, also saved whole in HDF5."""
    tf, layers = s.tf, s.tf.keras.layers
    lstm = layers.LSTM(
        5, recurrent_activation="sigmoid", name="lstm", **WHOLE
    )
    gru = layers.GRU(4, activation="relu", name="gru", **WHOLE)
    dense = layers.Dense(CLASSES, name="dense")
    inputs = tf.keras.Input((STEPS, INPUTS))
    both = layers.Concatenate()([lstm(inputs)[0], gru(inputs)[0]])
    model = tf.keras.Model(inputs, dense(both))
    keras_run(s, gru, "GRU", 4, "gru", activation="relu")
    keras_run(s, lstm, "LSTM", 5, "lstm", recurrent_activation="sigmoid")
    optimizer = tf.keras.optimizers.Adam(0.01)
    model.compile(optimizer, "mse")
    s.model = model
    variables = lstm.trainable_weights + gru.trainable_weights
    gradients = tf.gradients(s.loss(), variables)
    return optimizer.apply_gradients(zip(gradients, variables))


def keras_cudnn(s):
    """CuDNNLSTM and CuDNNGRU, turned by Keras' own loader for a CPU."""
    from tensorflow.python.keras.saving import hdf5_format

    tf, layers, assigned, saved = s.tf, s.tf.keras.layers, [], []
    for run, name, units in (("a", "LSTM", 5), ("b", "GRU", 4)):
        of_gpu = getattr(layers, f"CuDNN{name}")(units, name=f"cudnn_{run}")
        with tf.name_scope(f"{of_gpu.name}/"):
            of_gpu.build((None, None, INPUTS))
        after = {"reset_after": True} if name == "GRU" else {}
        layer = getattr(layers, name)(
            units, recurrent_activation="sigmoid", name=run, **after, **WHOLE
        )
        keras_run(s, layer, f"CuDNN{name}", units, run)
        s.runs[run]["cells"][0]["scope"] = of_gpu.name

        def turned(*weights, layer=layer):
            load = hdf5_format.preprocess_weights_for_loading
            return load(layer, list(weights), original_keras_version="2")

        found = tf.py_func(turned, of_gpu.weights, [tf.float32] * 3)
        assigned += [
            tf.assign(variable, tf.reshape(value, variable.shape))
            for variable, value in zip(layer.weights, found)
        ]
        saved += of_gpu.weights
    s.saver_options = {"var_list": saved}
    return tf.group(*assigned)


# --- Networks of cuDNN ---


def cudnn_saveable(s, mode, layers, units, direction):
    """What saves a Cudnn layer, working without cuDNN.

    The real layer keeps its weights in an order that only cuDNN knows; here
    they lie one after the other. All else is TensorFlow's own: names, gate
    order, summed biases.
    """
    from tensorflow.contrib.cudnn_rnn.python.ops import cudnn_rnn_ops as ops

    layer = getattr(s.tf.contrib.cudnn_rnn, f"Cudnn{mode}")(
        layers, units, direction=direction
    )
    layer._input_size = INPUTS
    shapes = layer.canonical_weight_shapes
    weights_count = len(shapes)
    shapes = [*shapes, *layer.canonical_bias_shapes]
    sizes = [int(np.prod(shape)) for shape in shapes]

    class Converter(getattr(ops, f"CudnnParamsFormatConverter{mode}")):
        def _opaque_to_cu_canonical(self, opaque_param):
            parts = s.tf.split(opaque_param, sizes)
            parts = list(map(s.tf.reshape, parts, shapes))
            return parts[:weights_count], parts[weights_count:]

        def _cu_canonical_to_opaque(self, cu_weights, cu_biases):
            parts = [s.tf.reshape(x, [-1]) for x in cu_weights + cu_biases]
            return s.tf.concat(parts, 0)

    class Saveable(getattr(ops, f"Cudnn{mode}Saveable")):
        _format_converter_cls = Converter

    opaque = s.variable("opaque_kernel", [sum(sizes)])
    return Saveable(
        opaque, layers, units, INPUTS, direction=direction, scope=s.scope
    )


def assign_canonical(s, saveable):
    """The cells' variables get what the layer saves under their names."""
    by_name = {v.op.name: v for v in s.tf.trainable_variables()}
    return s.tf.group(
        *[s.tf.assign(by_name[x.name], x.tensor) for x in saveable.specs]
    )


def cudnn_lstm(s):
    """A CudnnLSTM, whose two biases are saved as their sum."""
    s.scope = "cudnn_lstm"
    sizes = (INPUTS, 5, 5)
    with s.tf.variable_scope(s.scope):
        saveable = cudnn_saveable(s, "LSTM", 2, 5, "unidirectional")
        kind = "CudnnCompatibleLSTMCell"
        layers = [getattr(s.tf.contrib.cudnn_rnn, kind)(5) for _ in range(2)]
        scope = f"{s.scope}/{MULTI}"
        truth = stacked(scope, kind, sizes, "cudnn_compatible_lstm_cell")
        s.dynamic(s.nn.MultiRNNCell(layers), truth)
    s.saver_options = {"var_list": [saveable]}
    return assign_canonical(s, saveable)


def cudnn_gru(s):
    """A bidirectional CudnnGRU of two layers."""
    s.scope = "cudnn_gru"
    kind, name = "CudnnCompatibleGRUCell", "cudnn_compatible_gru_cell"
    make = getattr(s.tf.contrib.cudnn_rnn, kind)
    scope = "cudnn_gru/stack_bidirectional_rnn/cell_{}/bidirectional_rnn/{}"
    truth = [
        cell(f"{scope.format(layer, way)}/{name}", kind, size, 5, layer, way)
        for layer, size in enumerate((INPUTS, 2 * 5))
        for way in ("fw", "bw")
    ]
    with s.tf.variable_scope(s.scope):
        saveable = cudnn_saveable(s, "GRU", 2, 5, "bidirectional")
        s.begin("rnn", "stack_bidirectional_dynamic_rnn", truth)
        outputs, *finals = s.rnn.stack_bidirectional_dynamic_rnn(
            [make(5), make(5)],
            [make(5), make(5)],
            s.inputs(),
            list(s.state([5, 5])),
            list(s.state([5, 5], "state_bw")),
            sequence_length=s.lengths(),
        )
    s.end(outputs, finals[0])
    s.end(outputs, finals[1], "_bw")
    s.saver_options = {"var_list": [saveable]}
    return assign_canonical(s, saveable)


# --- File formats ---


def format_v1(s):
    """The format before V2."""
    s.saver_options = {"write_version": 1}
    return stacked_lstm(s)


def sharded(s):
    """As many data files as there are devices."""
    tf = s.tf
    s.saver_options = {"sharded": True}
    with tf.device("/cpu:0"):
        truth = [cell("rnn/lstm_cell", "LSTMCell", INPUTS, 5)]
        outputs = s.dynamic(s.nn.LSTMCell(5), truth)
    with tf.device("/cpu:1"):
        s.dense(outputs, "dense")
    return s.minimize(tf.train.AdamOptimizer(0.01))


def sharded_v1(s):
    """The same in the format before V2."""
    train_step = sharded(s)
    s.saver_options["write_version"] = 1
    return train_step


def partitioned(s):
    """A kernel in two slices, which the file joins."""
    tf = s.tf
    partitioner = tf.fixed_size_partitioner(2)
    truth = [cell("rnn/gru_cell", "GRUCell", INPUTS, 5)]
    with tf.variable_scope("", partitioner=partitioner):
        s.dynamic(s.nn.GRUCell(5), truth)
    return s.minimize(tf.train.GradientDescentOptimizer(0.1))


# --- Names of every era ---


def era_lstm_static(s):
    """Section 3 of the tutorial: BasicLSTMCell, unrolled."""
    old = s.tf.__version__ == "0.12.1"
    scope = "RNN/BasicLSTMCell" if old else "rnn/basic_lstm_cell"
    layer = s.nn.BasicLSTMCell(5, state_is_tuple=True)
    outputs = s.static(layer, [cell(scope, "BasicLSTMCell", INPUTS, 5)])
    return era_read_out(s, outputs)


def era_lstm_stack(s):
    """Sections 4 and 5: LSTMCell, stacked, dynamic."""
    old = s.tf.__version__ == "0.12.1"
    scope = "RNN/MultiRNNCell/Cell{}/{}" if old else MULTI
    name = "LSTMCell" if old else "lstm_cell"
    sizes = (INPUTS, 5, 4)
    layers = [s.nn.LSTMCell(n, state_is_tuple=True) for n in sizes[1:]]
    stack = s.nn.MultiRNNCell(layers, state_is_tuple=True)
    outputs = s.dynamic(stack, stacked(scope, "LSTMCell", sizes, name))
    return era_read_out(s, outputs)


def era_gru(s):
    """GRUCell, and peepholes with projection, in two directions."""
    old = s.tf.__version__ == "0.12.1"
    prefix = "BiRNN/{}/{}" if old else "bidirectional_rnn/{}/{}"
    ways = ("FW", "BW") if old else ("fw", "bw")
    names = ("GRUCell", "LSTMCell") if old else ("gru_cell", "lstm_cell")
    truth = [
        cell(prefix.format(ways[0], names[0]), "GRUCell", INPUTS, 5),
        cell(
            prefix.format(ways[1], names[1]),
            "LSTMCell",
            INPUTS,
            4,
            direction="bw",
        ),
    ]
    truth[1]["projection"] = 2
    both = s.bidirectional(
        s.nn.GRUCell(5),
        s.nn.LSTMCell(4, use_peepholes=True, num_proj=2, state_is_tuple=True),
        truth,
    )
    return era_read_out(s, both)


def era_read_out(s, outputs):
    """The tutorial's, whose variables have no names."""
    size = outputs.get_shape().as_list()[-1]
    weights = s.tf.Variable(np.zeros((size, CLASSES), "f4"))
    bias = s.tf.Variable(np.zeros((1, CLASSES), "f4"))
    s.read_out(outputs, weights, bias)
    return s.minimize(s.tf.train.AdagradOptimizer(0.3))


ERAS = (era_lstm_static, era_lstm_stack, era_gru)
SITUATIONS = (
    stacked_lstm,
    bidirectional_lengths,
    concatenated_state,
    encoder_decoder,
    language_model,
    deep_prefixes,
    lstm_block_fused,
    fused_directions,
    block_cells,
    residual_dropout,
    shared_cell,
    moving_averages,
    peepholes_projection,
    layer_norm,
    read_outs,
    characters_and_words,
    named_cells,
    look_alikes,
    keras_layers,
    keras_arguments,
    keras_two_ways,
    keras_objects,
    keras_model,
    keras_cudnn,
    cudnn_lstm,
    cudnn_gru,
    format_v1,
    sharded,
    sharded_v1,
    partitioned,
)


# --- Running ---


def run_situation(tf, name, build, folder):
    """Trains, saves, computes and writes one situation."""
    with tf.Graph().as_default():
        s = Situation(tf, name)
        train_step = build(s)
        config = tf.ConfigProto(
            device_count={"CPU": 2},
            intra_op_parallelism_threads=1,
            inter_op_parallelism_threads=1,
            allow_soft_placement=True,
        )
        with tf.Session(config=config) as session:
            s.assign_variables(session)
            for _ in range(TRAINING_STEPS):
                session.run(train_step, feed_dict=s.feed)
            save(s, session, folder)
            fetched = session.run(s.fetches, feed_dict=s.feed)
            if s.averages:
                fetched.update(run_averages(s, session))
    write_truth(s, name, build, folder, fetched)


def run_averages(s, session):
    """The same run with the moving averages as weights."""
    for variable in s.tf.trainable_variables():
        session.run(s.tf.assign(variable, s.averages.average(variable)))
    fetched = session.run(s.fetches, feed_dict=s.feed)
    return {f"averages/{name}": array for name, array in fetched.items()}


def save(s, session, folder):
    if s.objects:
        s.objects.write(os.path.join(folder, "model.ckpt"), session)
        return
    if s.model:
        s.tf.keras.backend.set_session(session)
        s.model.save(os.path.join(folder, "model.h5"))
        whole = os.path.join(folder, "whole")
        s.tf.saved_model.save(s.model, whole)
        shutil.move(os.path.join(whole, "variables"), folder)
        shutil.rmtree(whole)
    saver = s.tf.train.Saver(**s.saver_options)
    # Given a relative path, no absolute one is written into "checkpoint".
    prefix = os.path.join(os.path.relpath(folder), "model.ckpt")
    saver.save(session, prefix, write_meta_graph=False)


def write_truth(s, name, build, folder, fetched):
    arrays = dict(s.given, **fetched)
    for key, array in fetched.items():
        assert array.dtype == "float32", key
        assert np.isfinite(array).all(), key
    reader = s.tf.train.NewCheckpointReader(
        os.path.join(folder, reader_pattern(s))
    )
    truth = {
        "situation": build.__doc__,
        "tensorflow": s.tf.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "training_steps": TRAINING_STEPS,
        "runs": s.runs,
        "read_outs": s.read_outs,
        "variables": reader.get_variable_to_shape_map(),
    }
    for run in s.runs.values():
        for each in run["cells"]:
            scope = each["scope"].split("/cells/")[0]
            assert any(
                variable.startswith(f"{scope}/")
                for variable in truth["variables"]
            ), each["scope"]
    text = json.dumps(truth, indent=1, sort_keys=True) + "\n"
    with open(os.path.join(folder, "truth.json"), "w") as file:
        file.write(text)
    arrays["provenance"] = np.array(
        json.dumps(
            {"situation": name, "inputs_sha256": record.fingerprint(s.given)}
        )
    )
    record.write_outputs(os.path.join(folder, "truth.npz"), arrays)


def reader_pattern(s):
    """A sharded V1 checkpoint has no file of its prefix's name."""
    options = s.saver_options
    all_parts = options.get("sharded") and options.get("write_version") == 1
    return "model.ckpt-?????-of-?????" if all_parts else "model.ckpt"


def situations_of(release):
    """{name: function of a Situation} for one release."""
    named = {f"{f.__name__}_tf{release}": f for f in ERAS}
    if release == "1.15.5":
        named.update({f.__name__: f for f in SITUATIONS})
    return named


def main(arguments):
    if len(arguments) != 1:
        raise record.UserError("usage: record_checkpoints.py FOLDER")
    tf = record.import_tensorflow()
    with record.native_stderr_closed():
        for name, build in sorted(situations_of(tf.__version__).items()):
            folder = os.path.join(arguments[0], name)
            partial = f"{folder}.partial"
            for leftover in (partial, folder):
                shutil.rmtree(leftover, ignore_errors=True)
            os.makedirs(partial)
            run_situation(tf, name, build, partial)
            os.rename(partial, folder)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except record.UserError as error:
        print(f"record_checkpoints.py: {error}", file=sys.stderr)
        sys.exit(2)
