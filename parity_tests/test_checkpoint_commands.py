"""`rnn-parity inspect`, `convert` and `export` as their user meets them."""

import json
import os
import re
import resource
import shutil
import sys
import zipfile

import numpy as np
import pytest
from conftest import run_python, spread

import recorded
from rnn_parity.checkpoints import export
from rnn_parity.quiet import tf

FOLDER = recorded.FOLDER / "checkpoints"


def one_line(text):
    (line,) = [
        line
        for line in text.splitlines()
        if not line.startswith(("converting", "exporting"))
    ]
    return line


@pytest.fixture
def folder(tmp_path):
    """A checkpoint of one's own, to move, cut and spoil."""
    return shutil.copytree(FOLDER / "stacked_lstm", tmp_path / "trained")


# --- What they say ---


def test_inspect_lists_cells_read_outs_slots_and_the_rest(run_cli):
    done = run_cli("inspect", FOLDER / "characters_and_words")
    assert done.returncode == 0, done.stderr
    for text in (
        "chars/bidirectional_rnn/fw/lstm_cell",
        "words/bidirectional_rnn/bw/lstm_cell",
        "proj/W",
        "slots of Adam: m of 10, v of 10 variables",
        "counters: beta1_power, beta2_power, global_step",
        "chars/embedding is read as what feeds chars/bidirectional_rnn",
    ):
        assert text in done.stdout
    assert done.stderr == ""


def test_inspect_says_peepholes_projection_and_averages(call_cli):
    done = call_cli("inspect", FOLDER / "peepholes_projection")
    assert "peepholes, projection 2, Adagrad" in done.stdout
    done = call_cli("inspect", FOLDER / "moving_averages")
    assert "averages, RMSProp" in done.stdout


def test_inspect_writes_json(call_cli):
    done = call_cli("inspect", FOLDER / "stacked_lstm", "--json", "-")
    found = json.loads(done.stdout)
    cells = found["stacks"][0]["cells"]
    assert [cell["units"] for cell in cells] == [5, 4]
    assert found["read_outs"][0]["kernel"] == "dense/kernel"


def test_an_open_question_is_shown_and_stops_converting(call_cli, tmp_path):
    path = tmp_path / "open.npz"
    kernel, bias = np.ones((24, 16), "f"), np.ones(16, "f")
    np.savez(path, **{"rnn/mine/kernel": kernel, "rnn/mine/bias": bias})
    done = call_cli("inspect", path)
    assert done.returncode == 0
    assert "open: rnn/mine fits" in done.stdout
    out = tmp_path / "model.keras"
    done = call_cli("convert", path, "--out", out)
    assert done.returncode == 2
    assert "--cell rnn/mine=" in one_line(done.stderr)
    assert not out.exists()
    done = call_cli(
        "convert", path, "--out", out, "--cell", "rnn/mine=BasicLSTMCell"
    )
    assert done.returncode == 0, done.stderr
    assert "LSTM(4)" in done.stdout


LOAD = "import sys, numpy as np, keras, tf2.tf1_cells\n"


@pytest.mark.parametrize(
    "name",
    spread(
        ["stacked_lstm", "peepholes_projection"],
        ["peepholes_projection"].__contains__,
    ),
)
def test_a_converted_model_loads_in_a_fresh_process(run_cli, name, tmp_path):
    out = tmp_path / "model.keras"
    done = run_cli("convert", FOLDER / name, "--out", out)
    assert done.returncode == 0, done.stderr
    assert f"wrote {out}" in done.stdout
    assert "Traceback" not in done.stderr
    code = (
        f"{LOAD if name != 'stacked_lstm' else 'import keras, numpy as np'}\n"
        f"model = keras.models.load_model({str(out)!r})\n"
        "y = model(np.ones((2, 4, 3), 'float32'))\n"
        f"np.save({str(tmp_path / 'y.npy')!r}, np.asarray(y))\n"
    )
    loaded = run_python("-c", code)
    assert loaded.returncode == 0, loaded.stderr
    import rnn_parity

    found = rnn_parity.convert_checkpoint(FOLDER / name)
    y = np.asarray(found.model(np.ones((2, 4, 3), "float32")))
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), y, atol=1e-6)
    if name != "stacked_lstm":
        assert "tf2.tf1_cells" in done.stdout


def test_weights_and_arrays_are_other_endings(call_cli, tmp_path):
    import rnn_parity

    found = rnn_parity.convert_checkpoint(FOLDER / "stacked_lstm")
    for ending in ("weights.h5", "npz"):
        out = tmp_path / f"model.{ending}"
        done = call_cli("convert", FOLDER / "stacked_lstm", "--out", out)
        assert done.returncode == 0, done.stderr
        assert out.exists()
    before = [np.asarray(v).copy() for v in found.model.weights]
    for variable in found.model.weights:
        variable.assign(np.zeros(variable.shape))
    found.model.load_weights(tmp_path / "model.weights.h5")
    for variable, array in zip(found.model.weights, before, strict=True):
        np.testing.assert_array_equal(np.asarray(variable), array)
    with np.load(tmp_path / "model.npz") as arrays:
        scope = "rnn/multi_rnn_cell/cell_0/lstm_cell"
        assert arrays[f"{scope}/recurrent_kernel"].shape == (5, 20)
        assert arrays[f"optimizer/Adam/m/{scope}/kernel"].shape == (3, 20)


def test_there_and_back_on_the_command_line(call_cli, tmp_path):
    model, back = tmp_path / "model.keras", tmp_path / "back.ckpt"
    call_cli("convert", FOLDER / "deep_prefixes", "--out", model)
    done = call_cli("export", model, "--out", back)
    assert done.returncode == 0, done.stderr
    assert "wrote 14 variables" in done.stdout
    again = call_cli("inspect", back)
    assert "graph/lm/RNN_0" in again.stdout


# --- Ways to name a checkpoint ---


@pytest.mark.parametrize(
    "path",
    [
        "model.ckpt",
        "model.ckpt.index",
        "model.ckpt.data-00000-of-00001",
        "checkpoint",
        ".",
    ],
)
def test_any_of_its_files_names_a_checkpoint(call_cli, folder, path):
    done = call_cli("inspect", folder / path)
    assert done.returncode == 0, done.stderr
    assert "cell_1/lstm_cell" in done.stdout


def test_a_prefix_needs_no_ckpt_in_it(call_cli, folder):
    for file in list(folder.glob("model.ckpt.*")):
        file.rename(folder / file.name.replace("model.ckpt", "weights-7"))
    (folder / "checkpoint").unlink()
    done = call_cli("inspect", folder)
    assert done.returncode == 0, done.stderr
    assert "reading the only checkpoint" in done.stdout
    assert call_cli("inspect", folder / "weights-7").returncode == 0


def test_a_checkpoint_file_may_list_what_is_gone(call_cli, folder):
    (folder / "checkpoint").write_text(
        'model_checkpoint_path: "/gone/model.ckpt-9"\n'
        'all_model_checkpoint_paths: "/gone/model.ckpt"\n'
        'all_model_checkpoint_paths: "/gone/model.ckpt-9"\n'
    )
    done = call_cli("inspect", folder)
    assert done.returncode == 0, done.stderr
    assert "/gone/model.ckpt-9" in done.stdout
    assert "is gone" in done.stdout


def test_a_moved_folder_is_read_where_it_is(call_cli, folder):
    (folder / "checkpoint").write_text(
        'model_checkpoint_path: "/elsewhere/model.ckpt"\n'
    )
    done = call_cli("inspect", folder)
    assert done.returncode == 0, done.stderr
    assert "is gone" not in done.stdout


def test_several_without_a_newest_are_asked_about(call_cli, folder):
    (folder / "checkpoint").unlink()
    for file in list(folder.glob("model.ckpt.*")):
        shutil.copy(file, folder / file.name.replace("model", "other"))
    done = call_cli("inspect", folder)
    assert done.returncode == 2
    assert "name one:" in one_line(done.stderr)


# --- Wrong input ---


def spoil_index(folder):
    path = folder / "model.ckpt.index"
    path.write_bytes(path.read_bytes()[:100])


def spoil_data(folder):
    path = folder / "model.ckpt.data-00000-of-00001"
    path.write_bytes(path.read_bytes()[:400])


def flip_data(folder):
    path = folder / "model.ckpt.data-00000-of-00001"
    content = bytearray(path.read_bytes())
    content[::64] = bytes(255 - byte for byte in content[::64])
    path.write_bytes(bytes(content))


def lose_data(folder):
    (folder / "model.ckpt.data-00000-of-00001").unlink()


def lose_index(folder):
    (folder / "model.ckpt.index").unlink()


def empty(folder):
    for path in folder.iterdir():
        path.unlink()


@pytest.mark.parametrize(
    ("spoil", "path", "message"),
    [
        (spoil_index, "model.ckpt", "is cut off; copy it again"),
        (spoil_data, "model.ckpt", "which has 400; copy it again"),
        (flip_data, "model.ckpt", "cannot be read"),
        (lose_data, "model.ckpt", "has an index but no data"),
        (lose_index, "model.ckpt", "model.ckpt.index is missing"),
        (empty, ".", "there is no TensorFlow 1 checkpoint in"),
        (empty, "model.ckpt", "there is no checkpoint"),
        (None, "model.ckp", "beside it:"),
        (None, "truth.json", "no TensorFlow checkpoint, or is cut off"),
        (None, "nowhere/model.ckpt", "there is no checkpoint"),
    ],
)
def test_a_damaged_checkpoint_is_one_line(
    call_cli, folder, tmp_path, spoil, path, message
):
    if spoil:
        spoil(folder)
    out = tmp_path / "model.keras"
    done = call_cli("convert", folder / path, "--out", out)
    assert done.returncode == 2, done.stdout
    assert message in one_line(done.stderr)
    assert not list(tmp_path.glob("*model*"))


def test_a_missing_shard_is_named(call_cli, tmp_path):
    folder = shutil.copytree(FOLDER / "sharded", tmp_path / "sharded")
    (folder / "model.ckpt.data-00001-of-00003").unlink()
    done = call_cli("inspect", folder)
    assert done.returncode == 2
    assert "lacks 1 of its 3 data files" in one_line(done.stderr)
    assert "00001" in done.stderr


def test_a_missing_shard_of_the_old_format_is_named(call_cli, tmp_path):
    folder = shutil.copytree(FOLDER / "sharded_v1", tmp_path / "sharded")
    (folder / "model.ckpt-00002-of-00003").unlink()
    done = call_cli("inspect", folder)
    assert done.returncode == 2
    assert "lacks 1 of its 3 data files" in one_line(done.stderr)


@pytest.mark.parametrize(
    "spoil", [b"PK\x03\x04 not really", b"", b"\x93NUMPY nothing"]
)
def test_a_damaged_npz_is_one_line(call_cli, tmp_path, spoil):
    (tmp_path / "weights.npz").write_bytes(spoil)
    done = call_cli("inspect", tmp_path / "weights.npz")
    assert done.returncode == 2
    assert "cannot be read" in one_line(done.stderr)


class Module(tf.Module):
    def __init__(self):
        super().__init__()
        self.weight = tf.Variable(tf.ones((8, 20)), name="rnn/kernel")

    @tf.function(input_signature=[tf.TensorSpec((None, 8))])
    def __call__(self, x):
        return x @ self.weight


def test_objects_without_a_cell_are_named(call_cli, tmp_path):
    tf.train.Checkpoint(model=Module()).write(str(tmp_path / "two"))
    done = call_cli("convert", tmp_path / "two", "--out", tmp_path / "a.npz")
    assert done.returncode == 2
    line = one_line(done.stderr)
    assert "holds no recurrent cell of TensorFlow 1" in line
    assert "model/weight" in line


def test_a_saved_model_is_read(call_cli, tmp_path):
    tf.saved_model.save(Module(), str(tmp_path / "two"))
    done = call_cli("inspect", tmp_path / "two")
    assert done.returncode == 0
    assert "no recurrent cell was recognised" in done.stdout
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        v1.get_variable("rnn/lstm_cell/kernel", (8, 20))
        v1.get_variable("rnn/lstm_cell/bias", (20,))
        session.run(v1.global_variables_initializer())
        x = v1.placeholder(tf.float32)
        v1.saved_model.simple_save(
            session, str(tmp_path / "one"), {"x": x}, {"y": x + 1}
        )
    done = call_cli("inspect", tmp_path / "one")
    assert done.returncode == 0
    assert f"the SavedModel {tmp_path / 'one'}" in done.stdout
    assert "LSTMCell" in done.stdout


def test_no_output_takes_the_place_of_what_is_read(call_cli, tmp_path):
    path = tmp_path / "weights.npz"
    arrays = {"rnn/lstm_cell/kernel": np.ones((8, 20), "f")}
    np.savez(path, **arrays, **{"rnn/lstm_cell/bias": np.ones(20, "f")})
    before = path.read_bytes()
    done = call_cli("inspect", path, "--json", path)
    assert done.returncode == 2
    assert "is there already and no JSON" in one_line(done.stderr)
    done = call_cli("convert", path, "--out", path, "--force")
    assert done.returncode == 2
    assert "is what is converted; name another" in one_line(done.stderr)
    assert path.read_bytes() == before
    for _ in range(2):  # JSON that is there is replaced
        done = call_cli("inspect", path, "--json", tmp_path / "found.json")
        assert done.returncode == 0, done.stderr


def test_a_zip_that_is_no_npz_is_named(call_cli, tmp_path):
    with zipfile.ZipFile(tmp_path / "weights.npz", "w") as archive:
        archive.writestr("notes.txt", "nothing")
    done = call_cli("inspect", tmp_path / "weights.npz")
    assert done.returncode == 2
    assert "it holds notes.txt" in one_line(done.stderr)


def test_a_folder_round_a_checkpoint_is_no_dead_end(call_cli, tmp_path):
    """What an Estimator exports, and half a checkpoint."""
    inside = tmp_path / "export" / "1795696253"
    (inside / "variables").mkdir(parents=True)
    (inside / "saved_model.pb").touch()
    done = call_cli("inspect", inside.parent)
    assert done.returncode == 2
    assert f"such as {inside}" in one_line(done.stderr)
    done = call_cli("inspect", inside / "saved_model.pb")
    assert done.returncode == 2
    assert f"is a SavedModel's; give {inside}" in one_line(done.stderr)
    (tmp_path / "model.ckpt-3.data-00000-of-00001").touch()
    done = call_cli("inspect", tmp_path)
    assert done.returncode == 2
    assert "model.ckpt-3.index is missing" in one_line(done.stderr)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("--cell", "a=GRUCell", "--cell", "a=dense"),
            "a is given as GRUCell",
        ),
        (
            ("--forget-bias", "rnn=1", "--forget-bias", "rnn=0.5"),
            "--forget-bias rnn is given as 1.0 and as 0.5",
        ),
        (("--layers", "1.5"), "--layers 1.5 is not a whole number"),
        (("--layers", "0"), "layers is 0; it must be a whole number of at"),
        (("--layers", "101"), "layers is 101; it must be at most 100"),
        (
            ("--embedding", "t=none", "--embedding", "t=rnn"),
            "--embedding t is given as none and as rnn",
        ),
        (("--embedding", "t=rnn"), "there is no embedding 't'"),
        (("--bidirectional", "rnn,rnn"), "rnn is named twice"),
        (("--transposed", "rnn"), "no read-out 'rnn'; there are: Variable"),
        (("--residual", "all"), "no cell can be residual"),
    ],
)
def test_options_that_make_no_sense_are_one_line(
    call_cli, tmp_path, arguments, message
):
    out = tmp_path / "model.keras"
    done = call_cli(
        "convert",
        FOLDER / "era_lstm_static_tf1.15.5",
        *arguments,
        "--out",
        out,
    )
    assert done.returncode == 2
    assert message in one_line(done.stderr)
    assert not out.exists()


def test_a_keras_file_is_named(call_cli, tmp_path):
    out = tmp_path / "model.keras"
    call_cli("convert", FOLDER / "stacked_lstm", "--out", out)
    done = call_cli("inspect", out)
    assert done.returncode == 2
    assert "Keras model already" in one_line(done.stderr)


def test_values_that_are_not_finite_are_named(call_cli, tmp_path):
    kernel, bias = np.ones((8, 20), "f"), np.ones(20, "f")
    kernel[3, 2] = np.nan
    scope = "rnn/lstm_cell"
    np.savez(
        tmp_path / "nan.npz",
        **{f"{scope}/kernel": kernel, f"{scope}/bias": bias},
    )
    out = tmp_path / "model.keras"
    done = call_cli("convert", tmp_path / "nan.npz", "--out", out)
    assert done.returncode == 2
    assert "rnn/lstm_cell/kernel holds values that" in done.stderr
    assert not out.exists()


def test_what_is_there_is_kept_unless_forced(call_cli, tmp_path):
    out = tmp_path / "model.keras"
    out.write_text("mine")
    arguments = ("convert", FOLDER / "stacked_lstm", "--out", out)
    done = call_cli(*arguments)
    assert done.returncode == 2
    assert "exists already; --force" in one_line(done.stderr)
    assert out.read_text() == "mine"
    assert call_cli(*arguments, "--force").returncode == 0
    assert out.read_bytes()[:2] == b"PK"


def test_export_makes_the_folder_but_no_folder_of_the_prefix(
    call_cli, tmp_path
):
    model = tmp_path / "model.keras"
    call_cli("convert", FOLDER / "stacked_lstm", "--out", model)
    refused = call_cli("export", model, "--out", f"{tmp_path}/back/")
    assert refused.returncode == 2
    assert "is a folder; name a prefix in it" in one_line(refused.stderr)
    foreign = tmp_path / "foreign.keras"
    foreign.write_bytes(model.read_bytes()[:500])
    refused = call_cli("export", foreign, "--out", tmp_path / "back/m.ckpt")
    assert refused.returncode == 2
    assert not (tmp_path / "back").exists()
    done = call_cli("export", model, "--out", tmp_path / "back/model.ckpt")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "back/model.ckpt.index").exists()


@pytest.mark.parametrize(
    ("out", "message"),
    [
        ("model.h6", "must end in .keras"),
        ("no/model.keras", "there is no folder"),
    ],
)
def test_an_output_that_cannot_be_is_one_line(
    call_cli, tmp_path, out, message
):
    done = call_cli(
        "convert", FOLDER / "stacked_lstm", "--out", tmp_path / out
    )
    assert done.returncode == 2
    assert message in one_line(done.stderr)


@pytest.mark.parametrize(
    "ending",
    spread(["keras", "weights.h5", "npz"], ["weights.h5"].__contains__),
)
def test_a_full_disk_leaves_nothing(run_cli, tmp_path, ending):
    """Writing fails once a file would be larger than 8 kB."""
    out = tmp_path / f"model.{ending}"
    done = run_cli(
        *("convert", FOLDER / "stacked_lstm", "--out", out),
        preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_FSIZE, (8000, 8000)
        ),
    )
    assert done.returncode == 2, done.stderr
    assert f"cannot write {out}" in one_line(done.stderr)
    assert os.listdir(tmp_path) == []


def test_a_full_disk_leaves_no_checkpoint(run_cli, tmp_path):
    model = tmp_path / "model.keras"
    run_cli("convert", FOLDER / "stacked_lstm", "--out", model)
    folder = tmp_path / "out"
    folder.mkdir()
    # From when it writes; Keras unpacks what it loads.
    before = (
        "import resource\n"
        "from rnn_parity.checkpoints import export\n"
        "write = export.write\n"
        "def limited(*arguments):\n"
        "    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
        "    write(*arguments)\n"
        "export.write = limited\n"
    )
    done = run_cli(
        *("export", model, "--out", folder / "model.ckpt"), before=before
    )
    assert done.returncode == 2, done.stderr
    assert "cannot write" in one_line(done.stderr)
    assert os.listdir(folder) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--cell", "rnn/x"), "--cell wants SCOPE=VALUE"),
        (("--forget-bias", "x"), "--forget-bias x is not a number"),
        (
            ("--forget-bias", "1", "--forget-bias", "2"),
            "--forget-bias is given 2 times",
        ),
        (("--bidirectional", "rnn"), "wants FORWARD,BACKWARD"),
        (("--activation", "tan"), "did you mean tanh"),
        (("--cell", "rnn=GRUCel"), "did you mean GRUCell"),
    ],
)
def test_a_wrong_option_is_one_line(call_cli, tmp_path, arguments, message):
    out = tmp_path / "model.keras"
    done = call_cli(
        "convert", FOLDER / "stacked_lstm", "--out", out, *arguments
    )
    assert done.returncode == 2
    assert message in one_line(done.stderr)
    assert not out.exists()


# --- Memory ---


@pytest.fixture(scope="module")
def of_sizes(tmp_path_factory):
    """Folders with a small and a large LSTM, checkpoint and .keras."""
    folder = tmp_path_factory.mktemp("sizes")
    for name, units in (("small", 8), ("large", 2048)):
        (folder / name).mkdir()
        scope = "rnn/basic_lstm_cell"
        shapes = {f"{scope}/kernel": (2 * units, 4 * units)}
        shapes |= {f"{scope}/bias": (4 * units,)}
        export.write(
            folder / name / "model.ckpt",
            ((k, np.full(s, 0.01, "float32")) for k, s in shapes.items()),
        )
    return folder


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.thorough
@pytest.mark.parametrize("ending", [".keras", ".weights.h5", ".npz"])
def test_memory_stays_within_twice_the_largest_tensor(of_sizes, ending):
    """Of convert, and of export; above the model and TensorFlow itself."""
    steps = [("convert", "model.ckpt", f"out{ending}")]
    if ending == ".keras":
        steps += [("export", "out.keras", "back.ckpt")]
    largest = 4 * 4096 * 8192
    for command, given, out in steps:
        small, large = (
            peak(command, of_sizes / name / given, of_sizes / name / out)
            for name in ("small", "large")
        )
        # Measured: 1.2; what Keras draws when it loads would add 0.8.
        assert (large - small - largest) / largest < 1.6, command


def peak(command, given, out):
    """The most bytes that a process of its own held."""
    # Not ru_maxrss, which counts what the parent held.
    code = (
        "import sys\nfrom rnn_parity import cli\ntry: cli.main(sys.argv[1:])"
        "\nexcept SystemExit as ended: assert not ended.code\n"
        "print(open('/proc/self/status').read())"
    )
    done = run_python("-c", code, command, given, "--out", out)
    assert done.returncode == 0, done.stderr
    return 1024 * int(re.search(r"VmHWM:\s+(\d+) kB", done.stdout)[1])
