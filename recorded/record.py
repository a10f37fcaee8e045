"""Records what a genuine TensorFlow 1 computes on the tutorial's programs.

    python recorded/record.py INPUTS.npz OUTPUT.npz

Run it with an interpreter that has TensorFlow 0.12.1, 1.0.1 or 1.15.5; it
needs that and NumPy, nothing of this project. INPUTS.npz is one section's,
written by `rnn_parity.cases.write_inputs`. The programs are the tutorial's
in each release's own spelling, with a new cell object per layer and without
the unused `W` and `b` of section 6; section 7 is section 5 with lengths.

OUTPUT.npz holds, under "<case>/<dtype>/" and in that dtype:

states_series [B, T, H], final_state, logits [B, T, C],
predictions [B, T, C], loss, gradients/<name>
    of the first batch, with the given weights, from one session run;
losses [N]
    of N training steps, the state carried from step to step;
step20/ (float32), step200/ (float64): params/<name>, accumulators/<name>,
final_state
    after that many of these steps;
dropout_masks [L, T, B, H], train/dropout_masks [N, L, T, B, H]
    section 6: what the release kept (1) in those very runs, packed with
    `np.packbits`; the shape is under the same key with "_shape";
predict/states_series, .../final_state, .../logits, .../predictions
    section 6: the first batch with a keep probability of 1.

<name> is what TensorFlow 1.2 and later call the variable; "provenance" says
what this release calls it.
"""

import collections
import contextlib
import hashlib
import json
import logging
import os
import platform
import sys
import time
import warnings

import numpy as np

RELEASES = ("0.12.1", "1.0.1", "1.15.5")
SECTIONS = ("s1", "s2", "s3", "s4", "s5", "s6", "s7")
CASES = ("tutorial", "odd")
INPUTS = ("config", "seed", "init_state", "batches_x", "batches_y")
# Further on in float32, genuine releases drift apart themselves.
SNAPSHOT_STEPS = {"float32": (20, 200), "float64": (200,)}
GRAPH_SEED = 2016  # decides the masks of section 6 and nothing else

# What 1.2 and later call a part of a name, and what the release calls it.
RENAMED = {
    "0.12.1": (
        ("rnn/basic_rnn_cell/kernel", "RNN/BasicRNNCell/Linear/Matrix"),
        ("rnn/basic_rnn_cell/bias", "RNN/BasicRNNCell/Linear/Bias"),
        ("rnn/basic_lstm_cell/kernel", "RNN/BasicLSTMCell/Linear/Matrix"),
        ("rnn/basic_lstm_cell/bias", "RNN/BasicLSTMCell/Linear/Bias"),
        ("rnn/multi_rnn_cell/cell_", "RNN/MultiRNNCell/Cell"),
        ("lstm_cell/kernel", "LSTMCell/W_0"),
        ("lstm_cell/bias", "LSTMCell/B"),
    ),
    "1.0.1": (("/kernel", "/weights"), ("/bias", "/biases")),
    "1.15.5": (),
}


class UserError(Exception):
    """Something the caller gave is wrong; the message says what."""


# --- One release's spelling ---

Api = collections.namedtuple("Api", "cells split concat static_rnn")


def find_api(tf):
    """What the three releases spell differently."""
    if tf.__version__ == "0.12.1":
        return Api(
            tf.nn.rnn_cell,
            lambda value, pieces: tf.split(1, pieces, value),
            lambda values: tf.concat(1, values),
            tf.nn.rnn,
        )
    old = tf.__version__ == "1.0.1"
    return Api(
        tf.contrib.rnn if old else tf.nn.rnn_cell,
        lambda value, pieces: tf.split(value, pieces, axis=1),
        lambda values: tf.concat(values, 1),
        tf.contrib.rnn.static_rnn if old else tf.nn.static_rnn,
    )


def probing_cells(api):
    """The real dropout and stack, made to show what was dropped.

    A dynamic loop hands out nothing but the cell's output, so the stack
    returns every layer's output after and before dropout, side by side.
    Both keep their class names: 1.15 makes variable names of them.
    """

    class DropoutWrapper(api.cells.DropoutWrapper):
        def __call__(self, inputs, state, scope=None):
            output, state = super().__call__(inputs, state, scope)
            self.after_and_before = (output, state.h)
            return output, state

    class MultiRNNCell(api.cells.MultiRNNCell):
        @property
        def output_size(self):
            return sum(2 * cell.output_size for cell in self._cells)

        def __call__(self, inputs, state, scope=None):
            _, state = super().__call__(inputs, state, scope)
            pairs = [cell.after_and_before for cell in self._cells]
            return api.concat([one for pair in pairs for one in pair]), state

    return DropoutWrapper, MultiRNNCell


# --- The programs ---


class Program:
    """One section's graph for one case and dtype, in the default graph.

    Attributes are named as in the tutorial. `init_states` are the state's
    placeholders: two in section 3, one elsewhere.
    """

    def __init__(self, tf, section, config, dtype, keep_prob):
        self.tf = tf
        self.api = find_api(tf)
        self.config = config
        self.dtype = tf.as_dtype(dtype)
        self.keep_prob = keep_prob
        self.batch_size = config["batch_size"]
        self.num_steps = config["truncated_backprop_length"]
        self.state_size = config["state_size"]
        self.lengths_placeholder = self.probe = None
        tf.set_random_seed(GRAPH_SEED)
        self.declare_batch()
        getattr(self, section)()
        self.declare_training()

    # The sections, under the tutorial's headings.

    def s1(self):
        """Hello World RNN: the loop unrolled by hand."""
        tf = self.tf
        (current_state,) = self.declare_states(self.state_shape())
        W = self.variable(self.state_size + 1, self.state_size)
        b = self.variable(1, self.state_size)
        states_series = []
        for current_input in tf.unstack(self.batchX_placeholder, axis=1):
            current_input = tf.reshape(current_input, [self.batch_size, 1])
            both = self.api.concat([current_input, current_state])
            current_state = tf.tanh(tf.matmul(both, W) + b)
            states_series.append(current_state)
        self.read_out_list(states_series, current_state)

    def s2(self):
        """Using the RNN API."""
        (init_state,) = self.declare_states(self.state_shape())
        cell = self.api.cells.BasicRNNCell(self.state_size)
        self.read_out_list(*self.static_rnn(cell, init_state))

    def s3(self):
        """Using the LSTM API: two placeholders make one state."""
        states = self.declare_states(self.state_shape(), self.state_shape())
        init_state = self.api.cells.LSTMStateTuple(*states)
        cell = self.api.cells.BasicLSTMCell(
            self.state_size, state_is_tuple=True
        )
        self.read_out_list(*self.static_rnn(cell, init_state))

    def s4(self):
        """Using the multilayered LSTM API."""
        rnn_tuple_state = self.declare_stacked_state()
        cell = self.api.cells.MultiRNNCell(self.lstm_cells())
        self.read_out_list(*self.static_rnn(cell, rnn_tuple_state))

    def s5(self):
        """Using the dynamic RNN API."""
        rnn_tuple_state = self.declare_stacked_state()
        cell = self.api.cells.MultiRNNCell(self.lstm_cells())
        self.read_out_tensor(*self.dynamic_rnn(cell, rnn_tuple_state))

    def s6(self):
        """Using the dropout API."""
        rnn_tuple_state = self.declare_stacked_state()
        DropoutWrapper, MultiRNNCell = probing_cells(self.api)
        # A Python number 1.15 would round to float32 in a float64 graph.
        keep_prob = self.tf.constant(self.keep_prob, self.dtype)
        cells = [
            DropoutWrapper(cell, output_keep_prob=keep_prob)
            for cell in self.lstm_cells()
        ]
        outputs, current_state = self.dynamic_rnn(
            MultiRNNCell(cells), rnn_tuple_state
        )
        shape = [self.batch_size, self.num_steps, -1, 2, self.state_size]
        self.probe = self.tf.reshape(outputs, shape)
        last = len(cells) - 1
        self.read_out_tensor(self.probe[:, :, last, 0], current_state)

    def s7(self):
        """Sequences of different lengths."""
        rnn_tuple_state = self.declare_stacked_state()
        self.lengths_placeholder = self.tf.placeholder(
            self.tf.int32, [self.batch_size]
        )
        cell = self.api.cells.MultiRNNCell(self.lstm_cells())
        self.read_out_tensor(*self.dynamic_rnn(cell, rnn_tuple_state))

    # Variables and placeholders.

    def declare_batch(self):
        shape = [self.batch_size, self.num_steps]
        self.batchX_placeholder = self.tf.placeholder(self.dtype, shape)
        self.batchY_placeholder = self.tf.placeholder(self.tf.int32, shape)

    def declare_states(self, *shapes):
        self.init_states = [
            self.tf.placeholder(self.dtype, shape) for shape in shapes
        ]
        return self.init_states

    def declare_stacked_state(self):
        """One placeholder [L, 2, B, H], unpacked into a state per layer."""
        shape = [self.config["num_layers"], 2, *self.state_shape()]
        (init_state,) = self.declare_states(shape)
        return tuple(
            self.api.cells.LSTMStateTuple(state[0], state[1])
            for state in self.tf.unstack(init_state, axis=0)
        )

    def state_shape(self):
        return [self.batch_size, self.state_size]

    def variable(self, *shape):
        """A variable as the tutorial makes them: without a name."""
        return self.tf.Variable(np.zeros(shape), dtype=self.dtype)

    # The forward pass.

    def lstm_cells(self):
        """New ones: 1.15 would share one among all layers."""
        return [
            self.api.cells.LSTMCell(self.state_size, state_is_tuple=True)
            for _ in range(self.config["num_layers"])
        ]

    def static_rnn(self, cell, init_state):
        inputs_series = self.api.split(
            self.batchX_placeholder, self.num_steps
        )
        return self.api.static_rnn(
            cell, inputs_series, initial_state=init_state
        )

    def dynamic_rnn(self, cell, init_state):
        return self.tf.nn.dynamic_rnn(
            cell,
            self.tf.expand_dims(self.batchX_placeholder, -1),
            sequence_length=self.lengths_placeholder,
            initial_state=init_state,
            # Side by side, steps would draw their masks in any order.
            parallel_iterations=1,
        )

    # Calculating loss.

    def declare_read_out(self):
        num_classes = self.config["num_classes"]
        W2 = self.variable(self.state_size, num_classes)
        b2 = self.variable(1, num_classes)
        return W2, b2

    def cross_entropy(self, logits, labels):
        return self.tf.nn.sparse_softmax_cross_entropy_with_logits(
            logits=logits, labels=labels
        )

    def read_out_list(self, states_series, current_state):
        """Sections 1 to 4: one tensor per time step."""
        tf = self.tf
        W2, b2 = self.declare_read_out()
        self.states_series = states_series
        self.current_state = current_state
        self.logits_series = [
            tf.matmul(state, W2) + b2 for state in states_series
        ]
        labels_series = tf.unstack(self.batchY_placeholder, axis=1)
        losses = map(self.cross_entropy, self.logits_series, labels_series)
        self.total_loss = tf.reduce_mean(list(losses))

    def read_out_tensor(self, states_series, current_state):
        """Sections 5 to 7: steps and rows flattened into one axis."""
        tf = self.tf
        W2, b2 = self.declare_read_out()
        self.states_series = states_series
        self.current_state = current_state
        flat = tf.reshape(states_series, [-1, self.state_size])
        logits = tf.matmul(flat, W2) + b2
        shape = [self.batch_size, self.num_steps, -1]
        self.logits_series = tf.unstack(tf.reshape(logits, shape), axis=1)
        labels = tf.reshape(self.batchY_placeholder, [-1])
        self.total_loss = self.mean(self.cross_entropy(logits, labels))

    def mean(self, losses):
        """Over all steps and rows; with lengths, over the valid ones."""
        tf = self.tf
        if self.lengths_placeholder is None:
            return tf.reduce_mean(losses)
        valid = tf.sequence_mask(
            self.lengths_placeholder, self.num_steps, dtype=self.dtype
        )
        total = tf.reduce_sum(losses * tf.reshape(valid, [-1]))
        return total / tf.maximum(tf.reduce_sum(valid), 1)

    def declare_training(self):
        tf = self.tf
        self.predictions_series = [
            tf.nn.softmax(logits) for logits in self.logits_series
        ]
        self.variables = tf.trainable_variables()
        self.gradients = tf.gradients(
            self.total_loss, self.variables + self.init_states
        )
        self.optimizer = tf.train.AdagradOptimizer(
            self.config["learning_rate"]
        )
        self.train_step = self.optimizer.minimize(self.total_loss)

    # Running.

    def forward_fetches(self):
        return self.with_probe(
            {
                "states_series": self.states_series,
                "final_state": self.current_state,
                "logits": self.logits_series,
                "predictions": self.predictions_series,
            }
        )

    def training_fetches(self):
        return self.with_probe(
            {
                "loss": self.total_loss,
                "train_step": self.train_step,
                "current_state": self.current_state,
            }
        )

    def with_probe(self, fetches):
        """Masks have to come from the run whose values they explain."""
        if self.probe is not None:
            fetches["probe"] = self.probe
        return fetches

    def feed(self, given, batch, state):
        """Batch number `batch`, entered with `state`."""
        feed = {
            self.batchX_placeholder: given["batches_x"][batch],
            self.batchY_placeholder: given["batches_y"][batch],
        }
        alone = len(self.init_states) == 1
        for place, placeholder in enumerate(self.init_states):
            feed[placeholder] = state if alone else state[place]
        if self.lengths_placeholder is not None:
            feed[self.lengths_placeholder] = given["sequence_length"][batch]
        return feed


# --- Weights in and out, under the contract's names ---


def original_names(release, names):
    """{contract name: the release's} for one section's variables."""
    originals = {}
    unnamed = [name for name in ("W", "b", "W2", "b2") if name in names]
    for place, name in enumerate(unnamed):
        originals[name] = f"Variable_{place}" if place else "Variable"
    for name in set(names) - set(unnamed):
        originals[name] = name
        for ours, theirs in RENAMED[release]:
            originals[name] = originals[name].replace(ours, theirs)
    return originals


def map_variables(program, params):
    """{contract name: variable}; every variable is in it exactly once."""
    found = {variable.op.name: variable for variable in program.variables}
    originals = original_names(program.tf.__version__, params)
    assert sorted(found) == sorted(originals.values()), (found, originals)
    mapped = {name: found[originals[name]] for name in sorted(params)}
    assert len(set(mapped.values())) == len(params)
    for name, variable in mapped.items():
        assert variable.dtype.base_dtype == program.dtype, name
        assert tuple(variable.get_shape().as_list()) == params[name].shape
    return mapped


def load_weights(session, program, params):
    """Sets every variable; returns {contract name: variable}."""
    tf = program.tf
    variables = map_variables(program, params)
    assigned = [
        tf.assign(variable, params[name].astype(program.dtype.as_numpy_dtype))
        for name, variable in variables.items()
    ]
    session.run(tf.global_variables_initializer())
    session.run(assigned)
    return variables


# --- What is recorded ---


def batch_major(value):
    """[B, T, ...] of a tensor that is so already, or of a list over T."""
    return np.stack(value, axis=1) if isinstance(value, list) else value


def forward_arrays(fetched):
    arrays = {
        name: batch_major(fetched[name])
        for name in ("states_series", "logits", "predictions")
    }
    arrays["final_state"] = np.array(fetched["final_state"])
    return arrays


def record_first_batch(session, program, given, variables):
    """Forward pass, loss and gradients, all from one session run."""
    fetches = program.forward_fetches()
    fetches["loss"] = program.total_loss
    fetches["gradients"] = program.gradients
    feed = program.feed(given, 0, given["init_state"])
    fetched = session.run(fetches, feed_dict=feed)
    arrays = forward_arrays(fetched)
    arrays["loss"] = np.array(fetched["loss"])
    arrays.update(gradient_arrays(fetched["gradients"], program, variables))
    if program.probe is not None:
        masks = find_masks(fetched["probe"], program.keep_prob)
        arrays.update(packed("dropout_masks", masks))
    return arrays


def gradient_arrays(gradients, program, variables):
    """`gradients` are by `program.variables`, then `init_states`."""
    arrays = {
        f"gradients/{name}": gradients[program.variables.index(variable)]
        for name, variable in variables.items()
    }
    of_state = np.array(gradients[len(program.variables) :])
    alone = len(of_state) == 1
    arrays["gradients/init_state"] = of_state[0] if alone else of_state
    return arrays


def record_training(session, program, given, variables):
    """All losses, weights at SNAPSHOT_STEPS, masks up to the first."""
    arrays, losses, masks = {}, [], []
    snapshots = SNAPSHOT_STEPS[program.dtype.name]
    state = given["init_state"]
    for batch in range(len(given["batches_x"])):
        feed = program.feed(given, batch, state)
        fetched = session.run(program.training_fetches(), feed_dict=feed)
        losses.append(fetched["loss"])
        state = np.array(fetched["current_state"])
        if program.probe is not None and batch < snapshots[0]:
            masks.append(find_masks(fetched["probe"], program.keep_prob))
        if batch + 1 in snapshots:
            arrays.update(snapshot(session, program, variables, state, batch))
    arrays["losses"] = np.array(losses)
    if masks:
        check_share_kept(masks, program.keep_prob)
        arrays.update(packed("train/dropout_masks", np.array(masks)))
    return arrays


def snapshot(session, program, variables, state, batch):
    arrays = {f"step{batch + 1}/final_state": state}
    for name, variable in variables.items():
        slot = program.optimizer.get_slot(variable, "accumulator")
        values = session.run([variable, slot])
        arrays[f"step{batch + 1}/params/{name}"] = values[0]
        arrays[f"step{batch + 1}/accumulators/{name}"] = values[1]
    return arrays


def record_predictions(session, program, given):
    """The first batch through a program that drops nothing."""
    feed = program.feed(given, 0, given["init_state"])
    fetched = session.run(program.forward_fetches(), feed_dict=feed)
    assert find_masks(fetched["probe"], 1.0).all()
    arrays = forward_arrays(fetched)
    return {f"predict/{name}": array for name, array in arrays.items()}


# --- Dropout masks ---


def find_masks(probe, keep_prob):
    """[L, T, B, H] of bool from outputs after and before dropout.

    Whatever is not zero was kept; that this is the wrapper's own decision
    shows in every output being exactly its mask's.
    """
    after, before = probe[:, :, :, 0], probe[:, :, :, 1]
    assert before.all(), "an output was zero before dropout"
    kept = after != 0
    wanted = np.where(kept, before / probe.dtype.type(keep_prob), 0)
    rounding = 4 * np.finfo(probe.dtype).eps
    assert np.allclose(after, wanted, rtol=rounding, atol=0)
    return kept.transpose(2, 1, 0, 3)


def check_share_kept(masks, keep_prob):
    """Within five standard deviations of what was asked for."""
    deviation = np.sqrt(keep_prob * (1 - keep_prob) / np.size(masks))
    share = np.mean(masks)
    assert abs(share - keep_prob) < 5 * deviation, share


def packed(name, masks):
    return {name: np.packbits(masks), f"{name}_shape": np.array(masks.shape)}


# --- One section, all cases and dtypes ---


def open_session(tf):
    """One thread, so that sums and random draws keep their order."""
    return tf.Session(
        config=tf.ConfigProto(
            intra_op_parallelism_threads=1, inter_op_parallelism_threads=1
        )
    )


def record_case(tf, section, given, dtype):
    """The arrays of one case and dtype."""
    config = json.loads(str(given["config"]))
    params = under(given, "params/")
    keep_probs = [config["output_keep_prob"]]
    keep_probs += [1.0] if section == "s6" else []
    arrays = {}
    for keep_prob in keep_probs:
        with tf.Graph().as_default(), open_session(tf) as session:
            program = Program(tf, section, config, dtype, keep_prob)
            variables = load_weights(session, program, params)
            context = (session, program, given)
            if arrays:
                arrays.update(record_predictions(*context))
            else:
                arrays.update(record_first_batch(*context, variables))
                arrays.update(record_training(*context, variables))
    check_dtypes(arrays, dtype)
    return arrays


def check_dtypes(arrays, dtype):
    for name, array in arrays.items():
        if "dropout_masks" not in name:
            assert array.dtype == dtype, (name, array.dtype)
            assert np.isfinite(array).all(), name


def record_section(tf, inputs):
    """Everything that goes into OUTPUT.npz."""
    section = str(inputs["section"])
    arrays = {"provenance": np.array(provenance(tf, section, inputs))}
    for case in CASES:
        given = under(inputs, f"{case}/")
        for dtype in sorted(SNAPSHOT_STEPS):
            start = time.time()
            recorded = record_case(tf, section, given, dtype)
            for name in sorted(recorded):
                arrays[f"{case}/{dtype}/{name}"] = recorded[name]
            seconds = time.time() - start
            print(f"{section} {case} {dtype}: {seconds:.1f} s", flush=True)
    return arrays


def provenance(tf, section, inputs):
    """JSON; nothing in it depends on the machine, the day or the folder."""
    names = {
        name for case in CASES for name in under(inputs, f"{case}/params/")
    }
    return json.dumps(
        {
            "section": section,
            "tensorflow": tf.__version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "seeds": {case: int(inputs[f"{case}/seed"]) for case in CASES},
            "graph_seed": GRAPH_SEED if section == "s6" else None,
            "inputs_sha256": fingerprint(inputs),
            "variable_names": original_names(tf.__version__, names),
        },
        sort_keys=True,
    )


# --- Files and the command line ---


def under(arrays, prefix):
    return {
        name[len(prefix) :]: array
        for name, array in arrays.items()
        if name.startswith(prefix)
    }


def fingerprint(arrays):
    """As `recorded.fingerprint`: names, dtypes, shapes and bytes."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        for part in (name, array.dtype.str, str(array.shape)):
            digest.update(part.encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def read_inputs(path):
    try:
        with np.load(path, allow_pickle=False) as archive:
            inputs = {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except Exception:  # a damaged file raises all sorts
        raise UserError(f"{path}: damaged, or not an npz file") from None
    wanted = {f"{case}/{name}" for case in CASES for name in INPUTS}
    if str(inputs.get("section")) not in SECTIONS or wanted - set(inputs):
        raise UserError(f"{path}: not the inputs of a section")
    return inputs


def flattened(arrays):
    """One vector per dtype and an index; `recorded.read` undoes it.

    An archive member for every array would double the size of the file.
    """
    index, vectors = [], {}
    for name in sorted(set(arrays) - {"provenance"}):
        array = np.asarray(arrays[name])
        index.append([name, array.dtype.name, array.shape])
        vectors.setdefault(array.dtype.name, []).append(array.reshape(-1))
    flat = {dtype: np.concatenate(parts) for dtype, parts in vectors.items()}
    flat["index"] = np.array(json.dumps(index))
    flat["provenance"] = arrays["provenance"]
    return flat


def write_outputs(path, arrays):
    """Whole or not at all: a half-written file never bears the name."""
    partial = f"{path}.partial"
    try:
        with open(partial, "wb") as file:
            np.savez_compressed(file, **flattened(arrays))
        os.replace(partial, path)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    finally:
        if os.path.exists(partial):
            os.remove(partial)


def check_folder(path):
    """Before the work, not after it."""
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder):
        raise UserError(f"{folder}: no such folder")


@contextlib.contextmanager
def native_stderr_closed():
    """Releases that are not ours chatter past Python's own stderr."""
    sys.stderr.flush()
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def import_tensorflow():
    """The installed TensorFlow without its chatter, if it is one of ours."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.simplefilter("ignore")
    wanted = f"needs one of {', '.join(RELEASES)}"
    try:
        with native_stderr_closed():
            import tensorflow as tf
    except ImportError as error:
        raise UserError(f"no TensorFlow ({error}); {wanted}") from None
    if tf.__version__ not in RELEASES:
        raise UserError(f"this is TensorFlow {tf.__version__}; {wanted}")
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    return tf


def main(arguments):
    if len(arguments) != 2:
        raise UserError("usage: record.py INPUTS.npz OUTPUT.npz")
    inputs_path, outputs_path = arguments
    inputs = read_inputs(inputs_path)
    check_folder(outputs_path)
    write_outputs(outputs_path, record_section(import_tensorflow(), inputs))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except UserError as error:
        print(f"record.py: {error}", file=sys.stderr)
        sys.exit(2)
