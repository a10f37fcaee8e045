"""Embeddings: ids in, in the place of vectors."""

import keras
import numpy as np
import pytest
import tf_keras
from test_checkpoint_commands import one_line

import recorded
import rnn_parity
from rnn_parity import UserError, ladder, tolerances
from rnn_parity.checkpoints import optimizers, reader
from rnn_parity.checkpoints.diagnose import AS_IT_IS, diagnose
from rnn_parity.checkpoints.export import export_checkpoint
from rnn_parity.checkpoints.recognise import recognise
from rnn_parity.quiet import tf
from tf2 import tf1_cells
from tf2.optimizers import sum_equal_ids

MODEL = recorded.FOLDER / "checkpoints" / "language_model"
TRUTH = recorded.read(MODEL / "truth.npz")
IDS, LENGTHS = TRUTH["rnn/ids"], TRUTH["rnn/lengths"]
STATE = [TRUTH[f"rnn/state/{place}"] for place in range(4)]
TABLE = "lm/embedding"


@pytest.fixture(scope="module")
def found():
    return rnn_parity.convert_checkpoint(MODEL)


def cell(scope, inputs, units):
    return {
        f"{scope}/lstm_cell/kernel": (inputs + units, 4 * units),
        f"{scope}/lstm_cell/bias": (4 * units,),
    }


def adam_of(shapes):
    slots = {"Adam": shapes.items(), "Adam_1": shapes.items()}
    return shapes | {
        f"{name}/{slot}": shape
        for slot, items in slots.items()
        for name, shape in items
    }


def written(path, shapes, seed=7):
    """An .npz file of random arrays; {name: array}."""
    random = np.random.default_rng(seed)
    arrays = {
        name: random.standard_normal(shape).astype("float32")
        for name, shape in shapes.items()
    }
    np.savez(path, **arrays)
    return arrays


# --- What TensorFlow 1 computed ---


def test_the_model_reads_ids_as_the_release_did(found):
    (tensor,) = found.model.inputs
    assert (tensor.shape, tensor.dtype) == ((None, None), "int32")
    outputs, final = found.run(IDS, STATE, LENGTHS)
    computed = [outputs, *(part for pair in final for part in pair)]
    computed.append(found.read_out(outputs))
    expected = ["outputs", *(f"final/{place}" for place in range(4))]
    expected.append("logits/lm/softmax/softmax_w")
    for value, name in zip(computed, expected, strict=True):
        error = ladder.error_of(value, TRUTH[f"rnn/{name}"])
        assert error <= tolerances.CELLS["float32"].allowed, name


def test_ids_and_their_rows_are_the_same_input(found):
    rows = reader.open_checkpoint(MODEL).read(TABLE)[IDS]
    np.testing.assert_array_equal(found.run(IDS)[0], found.run(rows)[0])
    logits = found.read_out(found.run(IDS)[0])
    error = ladder.error_of(np.asarray(found.model(IDS)), logits)
    assert error < 1e-6
    assert isinstance(found.layers[TABLE], keras.layers.Embedding)


@pytest.mark.parametrize(
    ("inputs", "why"),
    [
        ([[7]], "ids go from 7 to 7; lm/embedding has rows 0 to 6"),
        ([[-1, 2]], "ids go from -1 to 2"),
        ([[0.0, 1.0]], r"or whole numbers \[batch, time\]"),
        ([0, 1], r"or whole numbers \[batch, time\]"),
    ],
)
def test_what_are_no_ids_is_refused(found, inputs, why):
    with pytest.raises(UserError, match=why):
        found.run(np.array(inputs))
    if np.ndim(inputs) == 2 or np.array(inputs).dtype.kind == "f":
        with pytest.raises(UserError):
            diagnose(MODEL, np.array(inputs), TRUTH["rnn/outputs"])


def test_diagnose_takes_ids():
    told = diagnose(
        MODEL, IDS, TRUTH["rnn/outputs"], lengths=LENGTHS, state=STATE
    )
    assert told.verdict == AS_IT_IS


# --- Rows that end early ---


def two_directions(folder):
    shapes = {"emb": (9, 3), "dense/kernel": (10, 4), "dense/bias": (4,)}
    for way in ("fw", "bw"):
        shapes |= cell(f"bidirectional_rnn/{way}", 3, 5)
    written(folder / "two.npz", shapes)
    return folder / "two.npz"


def by_mask(model, ids, lengths):
    """What the model puts out where rows have not ended."""
    valid = np.arange(ids.shape[1]) < np.array(lengths)[:, np.newaxis]
    return np.asarray(model(ids, mask=valid))[valid], valid


def test_a_mask_given_with_ids_ends_rows(tmp_path):
    found = rnn_parity.convert_checkpoint(two_directions(tmp_path))
    ids, lengths = np.array([[3, 0, 8, 1], [5, 6, 0, 2]]), [4, 2]
    outputs = found.run(ids, sequence_length=lengths)[0]
    path = tmp_path / "model.keras"
    found.save(path)
    for model in (found.model, keras.models.load_model(path)):
        logits, valid = by_mask(model, ids, lengths)
        expected = found.read_out(outputs)[valid]
        assert ladder.error_of(logits, expected) < 1e-6


def test_strict_has_keras_own_embedding_and_says_what_it_lacks(tmp_path):
    path = two_directions(tmp_path)
    found = rnn_parity.convert_checkpoint(path)
    assert found.report.own == {"emb": "rows with the mask of their ids"}
    found = rnn_parity.convert_checkpoint(path, strict=True)
    assert type(found.layers["emb"]) is keras.layers.Embedding
    assert "a mask given to the model ends at emb" in str(found.report)


def test_a_mask_that_goes_nowhere_is_noticed(tmp_path, monkeypatch):
    monkeypatch.setattr(
        tf1_cells.Embedding, "compute_mask", lambda self, ids, mask=None: None
    )
    with pytest.raises(UserError, match=r"the model \(with a mask\) as 1"):
        rnn_parity.convert_checkpoint(two_directions(tmp_path))


# --- Which stack it feeds ---


def feeds(shapes, **answers):
    """{table: stacks} and the notes."""
    inventory = recognise(shapes, **answers)
    tables = {one.variable: one.stacks for one in inventory.embeddings}
    return tables, " ".join(inventory.notes)


@pytest.mark.parametrize(
    "name",
    [
        "embedding",
        "Model/embedding",
        "word_embeddings",
        "embedding/W",
        "char_emb",
        "emb/weights",
        "W_embed",
        "lookup_table",
        "EmbedSequence/embeddings",
        "rnn/embedding_wrapper/embedding",
    ],
)
def test_a_table_by_its_name(name):
    tables, notes = feeds({name: (9, 3)} | cell("rnn", 3, 5))
    assert tables == {name: ("rnn",)}
    assert f"--embedding {name}=none" in notes


@pytest.mark.parametrize(
    "shapes",
    [
        {"embedding/kernel": (9, 3)},
        {"embed_w": (9, 3), "embed_b": (3,)},
        {"embedding_projection": (9, 3)},
        {"embedding": (9, 3, 2)},
        {"table": (9, 3)},
    ],
)
def test_other_things_are_no_tables(shapes):
    assert feeds(shapes | cell("rnn", 3, 5))[0] == {}


def test_the_nearest_of_equal_width_is_fed():
    shapes = {"enc/embedding": (9, 3), "dec/embedding": (8, 3)}
    shapes |= cell("enc/rnn", 3, 5) | cell("dec/rnn", 3, 4)
    tables, _ = feeds(shapes)
    assert tables == {
        "enc/embedding": ("enc/rnn",),
        "dec/embedding": ("dec/rnn",),
    }


def test_what_is_open_stays_unconnected_and_is_said():
    shapes = {"embedding": (9, 3)} | cell("a/rnn", 3, 5) | cell("b/rnn", 3, 5)
    tables, notes = feeds(shapes)
    assert tables == {"embedding": ()}
    assert "may feed a/rnn or b/rnn" in notes
    both = {"embedding": ["a/rnn", "b/rnn"]}
    assert feeds(shapes, embeddings=both)[0] == {
        "embedding": ("a/rnn", "b/rnn")
    }
    shapes = {"word_embedding": (9, 3), "tag_embedding": (4, 3)}
    shapes |= cell("rnn", 3, 5)
    tables, notes = feeds(shapes)
    assert tables == {"word_embedding": (), "tag_embedding": ()}
    assert "may feed rnn, as may tag_embedding" in notes
    tables, _ = feeds(shapes, embeddings={"word_embedding": "rnn"})
    assert tables == {"word_embedding": ("rnn",), "tag_embedding": ()}


def test_a_table_of_another_width_or_of_an_attention_feeds_nothing():
    shapes = {"embedding": (9, 4)} | cell("rnn", 3, 5)
    assert feeds(shapes)[0] == {"embedding": ()}
    shapes = {"attention_decoder/embedding": (9, 3)} | cell("rnn", 3, 5)
    assert feeds(shapes)[0] == {"attention_decoder/embedding": ()}


@pytest.mark.parametrize(
    ("embeddings", "why"),
    [
        ({"tabel": "rnn"}, "no embedding 'tabel'; did you mean table"),
        ({"table": "rn"}, "no stack 'rn'; did you mean rnn"),
        ({"wide": "rnn"}, "rows have 4 numbers, and rnn takes 3"),
        (
            {"table": "rnn", "other": "rnn"},
            "cannot read both table and other",
        ),
    ],
)
def test_wrong_answers_are_refused(embeddings, why):
    shapes = {"table": (9, 3), "other": (9, 3), "wide": (9, 4)}
    with pytest.raises(UserError, match=why):
        recognise(shapes | cell("rnn", 3, 5), embeddings=embeddings)


def test_vectors_go_in_where_the_user_says_so(tmp_path):
    found = rnn_parity.convert_checkpoint(MODEL, embeddings={TABLE: None})
    assert found.model.input_shape == (None, None, 3)
    assert isinstance(found.layers[TABLE], keras.layers.Embedding)
    assert found.report.optimizer.startswith("slots of Adam continue")
    assert "sum_equal_ids" not in found.report.optimizer
    with pytest.raises(UserError, match=r"takes \[batch, time, 3\]$"):
        found.run(IDS)
    found.save(tmp_path / "model.keras")
    found.save(tmp_path / "arrays.npz")
    assert f"{TABLE}/embeddings" in np.load(tmp_path / "arrays.npz")
    export_checkpoint(tmp_path / "model.keras", tmp_path / "back")
    before, after = map(reader.open_checkpoint, (MODEL, tmp_path / "back"))
    for name in before.shapes:
        np.testing.assert_array_equal(after.read(name), before.read(name))


def test_one_table_feeds_two_stacks(tmp_path):
    shapes = {"embedding": (9, 3)} | cell("a/rnn", 3, 5) | cell("b/rnn", 3, 4)
    arrays = written(tmp_path / "two.npz", shapes)
    found = rnn_parity.convert_checkpoint(
        tmp_path / "two.npz", embeddings={"embedding": ["a/rnn", "b/rnn"]}
    )
    random = np.random.default_rng(2)
    ids = {name: random.integers(0, 9, (2, 4)) for name in ("a", "b")}
    results = found.model({f"{n}.rnn.inputs": x for n, x in ids.items()})
    for name, x in ids.items():
        rows = arrays["embedding"][x]
        expected, _ = found.run(rows, stack=f"{name}/rnn")
        error = ladder.error_of(np.asarray(results[f"{name}.rnn"]), expected)
        assert error < 1e-6


def test_a_direction_of_two_reads_ids_alone(tmp_path):
    shapes = {"embedding": (9, 3)}
    for way in ("fw", "bw"):
        shapes |= cell(f"bidirectional_rnn/{way}", 3, 5)
    written(tmp_path / "both.npz", shapes)
    found = rnn_parity.convert_checkpoint(tmp_path / "both.npz")
    ids = np.random.default_rng(3).integers(0, 9, (2, 4))
    (_, backward), _ = found.run(ids)
    alone, _ = found.run(ids[:, ::-1], stack="bidirectional_rnn/bw")
    error = ladder.error_of(alone[:, ::-1], backward)
    assert error < 1e-6


@pytest.mark.parametrize("mask_zero", [False, True])
def test_a_model_of_tf_keras_tells_whether_zeros_are_masked(
    tmp_path, mask_zero
):
    layers = tf_keras.layers
    model = tf_keras.Sequential(
        [
            layers.Embedding(7, 3, mask_zero=mask_zero, input_length=6),
            layers.LSTM(4, return_sequences=True),
        ]
    )
    model.save(tmp_path / "model.h5")
    found = rnn_parity.convert_checkpoint(tmp_path / "model.h5")
    ids = np.array([[1, 0, 2, 3, 0, 0], [4, 5, 6, 1, 2, 3]])
    expected = np.asarray(model(ids))
    assert ladder.error_of(np.asarray(found.model(ids)), expected) < 1e-6
    if mask_zero:
        with pytest.raises(UserError, match="was made with mask_zero=True"):
            found.run(ids)
        padded = np.array([[1, 2, 3, 0, 0, 0], [4, 5, 6, 1, 2, 3]])
        outputs, _ = found.run(padded)
        valid = (padded != 0)[..., np.newaxis]
        expected = np.asarray(model(padded)) * valid
        assert ladder.error_of(outputs, expected) < 1e-6
    else:
        assert ladder.error_of(found.run(ids)[0], expected) < 1e-6


# --- Training on, and back ---


def test_a_table_without_slots_is_frozen(tmp_path):
    shapes = {"embedding": (9, 3)} | adam_of(cell("rnn", 3, 5))
    written(tmp_path / "frozen.npz", shapes)
    found = rnn_parity.convert_checkpoint(tmp_path / "frozen.npz")
    assert not found.layers["embedding"].trainable
    assert found.report.optimizer.startswith("slots of Adam continue")
    found.save(tmp_path / "frozen.keras")
    found.save(tmp_path / "frozen_arrays.npz")
    export_checkpoint(tmp_path / "frozen.keras", tmp_path / "back")
    opened = reader.open_checkpoint(tmp_path / "back")
    assert set(opened.shapes) == set(shapes)


def test_trained_on_it_goes_back(found, tmp_path):
    found = rnn_parity.convert_checkpoint(MODEL, learning_rate=0.01)
    found.save(tmp_path / "model.keras")
    model = keras.models.load_model(tmp_path / "model.keras")
    model.compile(optimizer=model.optimizer, loss="mse")
    model.fit(IDS, np.zeros((4, 6, 7), "float32"), batch_size=2, verbose=0)
    model.save(tmp_path / "further.keras")
    export_checkpoint(
        tmp_path / "further.keras", tmp_path / "back", like=MODEL
    )
    before, after = map(reader.open_checkpoint, (MODEL, tmp_path / "back"))
    layer = model.get_layer("lm.embedding")
    np.testing.assert_array_equal(after.read(TABLE), layer.embeddings)
    for name in (TABLE, f"{TABLE}/Adam", f"{TABLE}/Adam_1"):
        changed = (after.read(name) != before.read(name)).any(axis=1)
        assert changed[:6].any(), name
    assert (
        int(after.read("global_step")) == int(before.read("global_step")) + 2
    )


OPTIMIZERS = {
    "Adagrad": lambda v1: v1.train.AdagradOptimizer(0.1),
    "Adam": lambda v1: v1.train.AdamOptimizer(0.1),
    "Momentum": lambda v1: v1.train.MomentumOptimizer(0.1, 0.9),
    "RMSProp": lambda v1: v1.train.RMSPropOptimizer(0.1, momentum=0.9),
    "Adadelta": lambda v1: v1.train.AdadeltaOptimizer(0.1),
}


def session_of(v1, make, arrays, ids, gradient):
    """A compat.v1 session; the table's gradient is that of a lookup."""
    made = {
        name: v1.get_variable(name, initializer=array)
        for name, array in arrays.items()
    }
    rows = tf.nn.embedding_lookup(made["embedding"], ids)
    others = [v for name, v in made.items() if name != "embedding"]
    loss = tf.reduce_sum(rows * gradient)
    loss += sum(tf.reduce_sum(variable) for variable in others)
    return made["embedding"], make(v1).minimize(loss)


BEFORE, AFTER = np.array([[0, 1, 1, 4]]), np.array([[1, 2, 2, 0]])
READ = np.isin(np.arange(6), AFTER)


class TrainedOn:
    """Two updates in a session, saved; two more there, and in Keras."""

    def __init__(self, name, folder, summed=True):
        random = np.random.default_rng(5)
        shapes = {"embedding": (6, 3)} | cell("rnn", 3, 5)
        arrays = {
            key: random.standard_normal(shape).astype("float32")
            for key, shape in shapes.items()
        }
        self.gradient = random.standard_normal((1, 4, 3)).astype("float32")
        v1 = tf.compat.v1
        with tf.Graph().as_default(), v1.Session() as session:
            ids = v1.placeholder(tf.int32, (1, 4))
            table, step = session_of(
                v1, OPTIMIZERS[name], arrays, ids, self.gradient
            )
            session.run(v1.global_variables_initializer())
            session.run(step, {ids: BEFORE})
            session.run(step, {ids: BEFORE})
            v1.train.Saver().save(session, str(folder / "model.ckpt"))
            self.start = session.run(table)
            session.run(step, {ids: AFTER})
            session.run(step, {ids: AFTER})
            self.expected = session.run(table)
        momentum = 0.9 if name in ("Momentum", "RMSProp") else None
        self.found = rnn_parity.convert_checkpoint(
            folder, learning_rate=0.1, momentum=momentum
        )
        self.table = self.found.layers["embedding"].embeddings
        self.train_on(summed)

    def train_on(self, summed):
        optimizer = self.found.model.optimizer
        if summed:
            assert sum_equal_ids(optimizer) is optimizer
        ((base, slots),) = self.found.inventory.slots.items()
        attributes = optimizers.MATCHES[base].slots
        of_table = [
            getattr(optimizer, attributes[slot])[
                optimizer._get_variable_index(self.table)
            ]
            for slot in slots
        ]
        self.slots_before = [np.array(slot) for slot in of_table]
        for _ in range(2):
            with tf.GradientTape() as tape:
                rows = self.found.layers["embedding"](AFTER)
                loss = tf.reduce_sum(rows * self.gradient)
            (slices,) = tape.gradient(loss, [self.table.value])
            assert isinstance(slices, tf.IndexedSlices)
            optimizer.apply([slices], [self.table])
        self.slots_after = [np.array(slot) for slot in of_table]
        self.computed = np.asarray(self.table)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_rows_that_are_read_are_updated_as_by_tensorflow_1(name, tmp_path):
    trained = TrainedOn(name, tmp_path)
    said = "sum_equal_ids" in trained.found.report.optimizer
    assert said == (name != "Momentum")
    computed, expected = trained.computed[READ], trained.expected[READ]
    assert ladder.error_of(computed, expected) < 1e-6


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_rows_that_are_not_read(name, tmp_path):
    trained = TrainedOn(name, tmp_path)
    if "lets them decay" not in trained.found.report.optimizer:
        assert ladder.error_of(trained.computed, trained.expected) < 1e-6
        return
    unread = trained.start[~READ]
    np.testing.assert_array_equal(trained.expected[~READ], unread)
    slots = trained.slots_before, trained.slots_after
    for before, after in zip(*slots, strict=True):
        assert (np.abs(after[4]) < np.abs(before[4])).all()


@pytest.mark.parametrize("name", ["Adagrad", "Adam", "RMSProp", "Adadelta"])
def test_keras_alone_squares_gradients_of_equal_ids_apart(name, tmp_path):
    trained = TrainedOn(name, tmp_path, summed=False)
    computed, expected = trained.computed[READ], trained.expected[READ]
    assert ladder.error_of(computed, expected) > 1e-5


def test_fit_takes_the_summed_gradients_too():
    """One step of Adagrad from zeros, all of a batch one id."""
    steps = {}
    for summed in (False, True):
        layers = [keras.layers.Embedding(3, 2, "zeros")]
        model = keras.Sequential([keras.Input((4,), dtype="int32"), *layers])
        optimizer = keras.optimizers.Adagrad(
            1.0, initial_accumulator_value=1e-9, epsilon=0.0
        )
        model.compile(
            sum_equal_ids(optimizer) if summed else optimizer, "mse"
        )
        model.train_on_batch(np.ones((1, 4), "int32"), np.ones((1, 4, 2)))
        steps[summed] = float(layers[0].embeddings[1, 0])
    # g / sqrt(g g) is 1; of four parts, 4 g / sqrt(4 g g) is 2.
    assert steps[True] == pytest.approx(1, rel=1e-3)
    assert steps[False] == pytest.approx(2, rel=1e-3)


# --- The command ---


def test_inspect_and_convert_name_it(call_cli, tmp_path):
    done = call_cli("inspect", MODEL)
    assert "lm/embedding   lm/rnn     7       3   lm/embedding" in done.stdout
    out = tmp_path / "model.keras"
    done = call_cli("convert", MODEL, "--out", out)
    assert "Embedding(7, 3)" in done.stdout
    assert "so ids go in (--embedding lm/embedding=none" in done.stdout
    done = call_cli(
        *("convert", MODEL, "--out", out, "--force"),
        *("--embedding", f"{TABLE}=none"),
    )
    assert "so ids go in" not in done.stdout
    assert keras.models.load_model(out).input_shape == (None, None, 3)


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("lm/embedding", "--embedding wants SCOPE=VALUE, not lm/embedding"),
        ("lm/embedding=lm", "there is no stack 'lm'; did you mean lm/rnn?"),
    ],
)
def test_wrong_answers_are_one_line(call_cli, tmp_path, given, why):
    done = call_cli(
        *("convert", MODEL, "--out", tmp_path / "m.keras"),
        *("--embedding", given),
    )
    assert done.returncode == 2
    assert why in one_line(done.stderr)
    assert not list(tmp_path.iterdir())
