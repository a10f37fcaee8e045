"""The recorded checkpoints: truth.json and truth.npz say what is so.

numpy_ref's cells, made from what TensorFlow reads out of each checkpoint and
put together as truth.json says, give the outputs in truth.npz.
"""

import json

import numpy as np
import pytest
from tf1_cases import make_cell, named, nested

import recorded
from numpy_ref import tf1_cells as cells
from numpy_ref import tf1_contrib_cells as contrib
from numpy_ref import tf1_keras_cells as keras_cells
from numpy_ref import tf1_rnn
from recorded import record_all
from rnn_parity import ladder, tolerances
from rnn_parity.checkpoints import objects
from rnn_parity.quiet import tf

FOLDER = recorded.FOLDER / "checkpoints"
NAMES = sorted(path.parent.name for path in FOLDER.glob("*/truth.json"))
AVERAGE = "/ExponentialMovingAverage"


def read_truth(name):
    return json.loads((FOLDER / name / "truth.json").read_text("utf-8"))


def read_variables(name):
    """{name: array} as today's TensorFlow reads it."""
    sharded_v1 = list((FOLDER / name).glob("model.ckpt-*-of-*"))
    pattern = "model.ckpt-?????-of-?????" if sharded_v1 else "model.ckpt"
    reader = tf.compat.v1.train.NewCheckpointReader(
        str(FOLDER / name / pattern)
    )
    names = reader.get_variable_to_shape_map()
    return {name: reader.get_tensor(name) for name in names}


def make(of_cell, variables):
    """A cell of numpy_ref, residual where the options say so."""
    kind = of_cell["kind"].replace("LSTMBlockFused", "LSTMBlock")
    kind = kind if kind != "GRUBlockCell" else "GRUBlockCellV2"
    options = dict(of_cell["options"])
    residual = options.pop("residual", False)
    for option in options:
        if option.endswith("activation"):
            options[option] = cells.ACTIVATIONS[options[option]]
    if kind.startswith("tf.keras."):
        kind = getattr(keras_cells, kind.removeprefix("tf.keras."))
        cell = kind(**arrays_in(of_cell["scope"], variables), **options)
    else:
        kind = getattr(cells, kind, None) or getattr(contrib, kind)
        cell = make_cell(kind, variables, of_cell["scope"], **options)
    assert cell.input_size == of_cell["input_size"]
    size = of_cell["units"], of_cell.get("projection", of_cell["units"])
    lstm = isinstance(cell.state_size, tuple)
    assert cell.state_size == (size if lstm else size[0])
    return cells.ResidualWrapper(cell) if residual else cell


def arrays_in(scope, variables):
    """{name: array} of a layer of tf.keras; it may have no bias."""
    names = ("kernel", "recurrent_kernel", "bias")
    return {
        name: variables[f"{scope}/{name}"]
        for name in names
        if f"{scope}/{name}" in variables
    }


class Run:
    """One run of a checkpoint: its cells by direction, and its arrays."""

    def __init__(self, of_run, variables, arrays, prefix):
        self.layers = {"fw": [], "bw": []}
        for of_cell in of_run["cells"]:
            layers = self.layers[of_cell["direction"]]
            assert of_cell["layer"] == len(layers)
            layers.append(make(of_cell, variables))
        self.concatenated = not of_run.get("state_is_tuple", True)
        self.arrays = arrays
        self.prefix = prefix
        loop = of_run["loop"]
        if loop == "tf.keras":
            both = self.layers["bw"]
            loop = "bidirectional_dynamic_rnn" if both else "dynamic_rnn"
        self.compute = getattr(self, loop)

    def given(self, name):
        return self.arrays.get(f"{self.prefix}/{name}")

    def state(self, name, state_size):
        prefix = f"{self.prefix}/{name}/"
        places = sum(key.startswith(prefix) for key in self.arrays)
        arrays = [self.arrays[f"{prefix}{n}"] for n in range(places)]
        return nested(state_size, arrays)

    def cell(self, direction="fw"):
        layers = self.layers[direction]
        cell = layers[0] if len(layers) == 1 else cells.MultiRNNCell(layers)
        return cells.ConcatenatedState(cell) if self.concatenated else cell

    def dynamic_rnn(self):
        cell = self.cell()
        state = self.state("state", cell.state_size)
        series, lengths = self.given("inputs"), self.given("lengths")
        return named(*tf1_rnn.dynamic_rnn(cell, series, state, lengths))

    static_rnn = dynamic_rnn

    def bidirectional_dynamic_rnn(self):
        both = self.cell("fw"), self.cell("bw")
        states = [
            self.state(name, cell.state_size)
            for name, cell in zip(("state", "state_bw"), both, strict=True)
        ]
        outputs, finals = tf1_rnn.bidirectional_dynamic_rnn(
            *both, self.given("inputs"), *states, self.given("lengths")
        )
        backward = named(outputs[1], finals[1], "_bw")
        return named(outputs[0], finals[0]) | backward

    def stack_bidirectional_dynamic_rnn(self):
        both = list(self.layers.values())
        states = [
            self.state(name, tuple(cell.state_size for cell in layers))
            for name, layers in zip(("state", "state_bw"), both, strict=True)
        ]
        outputs, *finals = tf1_rnn.stack_bidirectional_dynamic_rnn(
            *both, self.given("inputs"), *states, self.given("lengths")
        )
        return named(outputs, finals[0]) | named(outputs, finals[1], "_bw")


def compute(truth, variables, arrays):
    """Everything that truth.npz has under "<run>/", computed anew."""
    found = {}
    for name, of_run in truth["runs"].items():
        # An encoder's outputs are not recorded twice.
        source = {
            "outputs of encoder": ("encoder/outputs",),
            "outputs of chars, both directions": (
                "chars/outputs",
                "chars/outputs_bw",
            ),
        }.get(of_run.get("inputs"))
        if source:
            series = np.concat([arrays[key] for key in source], axis=-1)
            arrays = arrays | {f"{name}/inputs": series}
        if f"{name}/ids" in arrays:
            table = variables[of_run["inputs"].removeprefix("rows of ")]
            series = table[arrays[f"{name}/ids"]]
            arrays = arrays | {f"{name}/inputs": series}
        run = Run(of_run, variables, arrays, name).compute()
        found |= {f"{name}/{key}": value for key, value in run.items()}
    for one in truth["read_outs"]:
        found |= read_out(one, variables, found)
    return found


def read_out(one, variables, found):
    run, kernel = one["run"], variables[one["kernel"]]
    both = [found.get(f"{run}/outputs{way}") for way in ("", "_bw")]
    outputs = np.concat([way for way in both if way is not None], axis=-1)
    kernel = kernel.T if one["transposed"] else kernel
    logits = np.matmul(outputs, kernel) + variables[one["bias"]]
    return {f"{run}/logits/{one['kernel']}": logits}


def assert_the_same(found, arrays, prefix=""):
    expected = {
        name.removeprefix(prefix): value
        for name, value in arrays.items()
        if name.startswith(prefix)
    }
    assert set(found) <= set(expected)
    given = {"inputs", "ids", "lengths", "state", "state_bw"}
    assert all(
        name.split("/")[1] in given for name in set(expected) - set(found)
    )
    for name, value in found.items():
        error = ladder.error_of(value, expected[name])
        assert error <= tolerances.CELLS["float32"].allowed, name


@pytest.mark.parametrize("name", NAMES)
def test_numpy_computes_what_the_truth_says(name):
    truth, variables = read_truth(name), read_variables(name)
    arrays = recorded.read(FOLDER / name / "truth.npz")
    recorded.provenance(FOLDER / name, arrays)
    del arrays["provenance"]
    shapes = {key: list(np.shape(value)) for key, value in variables.items()}
    assert shapes == truth["variables"]
    names = objects.plain_names(variables)
    variables = {name: variables[stored] for name, stored in names.items()}
    plain = {
        key: value
        for key, value in arrays.items()
        if not key.startswith("averages/")
    }
    assert_the_same(compute(truth, variables, arrays), plain)
    averages = {
        key.removesuffix(AVERAGE): value
        for key, value in variables.items()
        if key.endswith(AVERAGE)
    }
    assert bool(averages) == (name == "moving_averages")
    if averages:
        found = compute(truth, averages, arrays)
        assert_the_same(found, arrays, "averages/")


def test_all_releases_and_situations_are_there():
    releases = [read_truth(name)["tensorflow"] for name in NAMES]
    assert len(NAMES) == 39
    for release in record_all.RELEASES:
        assert releases.count(release.version) >= 3


def test_they_stay_small():
    files = [path for path in FOLDER.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 600_000
