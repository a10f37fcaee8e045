"""Files of arrays that others made: `.npy`, `.npz`, HDF5 and `.keras`.

What one can cost is bounded, nothing leads out of one, and what is damaged
or holds something else is one line.
"""

import contextlib
import io
import json
import os
import resource
import struct
import warnings
import zipfile
import zlib

import h5py
import numpy as np
import pytest

import rnn_parity
from rnn_parity import arrays, memory, zips
from rnn_parity.checkpoints import (
    archive,
    config_safety,
    diagnose,
    hdf5,
    reader,
    saving,
)
from rnn_parity.checkpoints.export import export_checkpoint
from rnn_parity.errors import UserError
from rnn_parity.training import checkpoint as training
from rnn_parity.training.session import Session

RANDOM = np.random.default_rng(7)
NUMBERS = RANDOM.standard_normal((3, 5)).astype("f")


def npy(array):
    """A `.npy` file's bytes."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def header(shape, dtype="<f4", fortran=False, version=1):
    """The bytes before the numbers of a `.npy` file."""
    text = repr({"descr": dtype, "fortran_order": fortran, "shape": shape})
    text = text.encode() + b" " * (-len(text) % 64) + b"\n"
    size = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + size + text


def zipped(path, members, method=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", method) as file:
        for name, content in members:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of names that are twice
                file.writestr(name, content)
    return path


def refused(message, call, *given):
    """One line, of a `UserError`."""
    with pytest.raises(UserError, match=message) as caught:
        call(*given)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 600


# --- .npy ---


@pytest.mark.parametrize(
    "array",
    [
        NUMBERS,
        np.asfortranarray(NUMBERS),
        NUMBERS.astype(">f4"),
        np.asfortranarray(NUMBERS.astype(">f8")),
        NUMBERS.astype("f2"),
        np.float64(2.5),
        np.zeros((0, 4), "f"),
        np.arange(3, dtype=">i2"),
        np.array([True, False]),
        NUMBERS + 1j,
        np.array("text"),
        np.array([b"a", b"bc"]),
    ],
    ids=lambda array: f"{array.dtype.str}{array.shape}",
)
@pytest.mark.parametrize("compressed", [None, False, True])
def test_arrays_come_back_in_this_machine_s_byte_order(
    tmp_path, array, compressed
):
    path = tmp_path / "a"
    if compressed is None:
        path.write_bytes(npy(array))
        found = arrays.load(path)
    else:
        save = np.savez_compressed if compressed else np.savez
        with open(path, "wb") as file:
            save(file, **{"its/name": array, "z": NUMBERS})
        stored = arrays.load(path)
        assert list(stored) == ["its/name", "z"]
        np.testing.assert_array_equal(stored["z"], NUMBERS)
        found = stored["its/name"]
    assert found.dtype == array.dtype.newbyteorder("=")
    assert found.dtype.isnative
    assert found.shape == array.shape
    np.testing.assert_array_equal(found, array)


OBJECTS = npy(np.array([{}, 1], object))
WRONG_NPY = {
    "empty": (b"", "cannot be read"),
    "text": (b"no array", "cannot be read"),
    "magic": (b"\x93NUMPY", "cannot be read"),
    "cut off": (npy(NUMBERS)[:-1], "declares 60 bytes.* there are 59"),
    "two arrays": (npy(NUMBERS) * 2, "declares 60 bytes"),
    "huge": (header((10**6, 10**6)), "declares 4000000000000 bytes"),
    "overflow": (header((2**32, 2**32)) + bytes(64), "declares"),
    "negative": (header((-1, -4)) + bytes(16), "negative"),
    "many zeros": (header((0, 10**30)), "cannot be read"),
    "rank": (header((1,) * 99) + bytes(4), "cannot be read"),
    "no size": (header((10**12,), "|S0"), "no dtype of numbers"),
    "objects": (OBJECTS, "Python objects"),
    "few objects": (header((), "|O"), "Python objects"),
    "fields": (npy(np.zeros(2, [("a", "f4"), ("b", "O")])), "objects"),
    "plain fields": (npy(np.zeros(2, [("a", "f4")])), "no dtype of numbers"),
    "dates": (npy(np.zeros(2, "M8[s]")), "no dtype of numbers"),
    "spans": (npy(np.zeros(2, "m8[s]")), "no dtype of numbers"),
    "bytes": (npy(np.zeros(2, "V2")), "no dtype of numbers"),
    "version": (header((1,), version=3) + bytes(4), "format version"),
    "dtype": (header((1,), "no dtype") + bytes(4), "cannot be read"),
    "code": (
        b"\x93NUMPY\x01\0\x40\0" + b"__import__('os').system('x')".ljust(64),
        "cannot be read",
    ),
    "nested": (
        b"\x93NUMPY\x01\0" + struct.pack("<H", 60000) + b"(" * 60000,
        "cannot be read",
    ),
}


@pytest.mark.parametrize("name", WRONG_NPY)
@pytest.mark.parametrize("inside", [False, True])
def test_a_wrong_npy_is_one_line(tmp_path, name, inside):
    content, message = WRONG_NPY[name]
    path = tmp_path / "a.npz"
    if inside:
        zipped(path, [("fine.npy", npy(NUMBERS)), ("a.npy", content)])
    else:
        path.write_bytes(content)
    refused(message, arrays.load, path)


def test_a_header_of_python_2_is_read(tmp_path):
    content = npy(NUMBERS).replace(b"(3, 5), }  ", b"(3L, 5L), }")
    assert b"3L" in content
    (tmp_path / "a.npy").write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = arrays.load(tmp_path / "a.npy")
    np.testing.assert_array_equal(found, NUMBERS)


# --- .npz ---


def patched(path, *changes):
    """Bytes replaced by others of their length, wherever they are."""
    content = path.read_bytes()
    for old, new in changes:
        assert old in content
        content = content.replace(old, new)
    path.write_bytes(content)


def entries(path, at, value):
    """Both headers of every member changed; `at` counts in the local one."""
    content = bytearray(path.read_bytes())
    for magic, further in ((b"PK\3\4", 0), (b"PK\1\2", 2)):
        start = content.find(magic)
        while start >= 0:
            place = start + at + further
            content[place : place + len(value)] = value
            start = content.find(magic, start + 4)
    path.write_bytes(content)


def npz(path, name="a.npy", method=zipfile.ZIP_STORED):
    return zipped(path, [(name, npy(NUMBERS))], method)


def with_nul(path):
    npz(path, "a.b.npy")
    patched(path, (b"a.b.npy", b"a\0b.npy"))


def twice(path):
    zipped(path, [("a.npy", npy(NUMBERS)), ("a.npy", npy(-NUMBERS))])


def encrypted(path):
    npz(path)
    entries(path, 6, b"\1\0")


def impossible(path):
    """128 bytes that declare to be 4 GB when they are inflated."""
    zipped(path, [("a.npy", header((10**9,)))], zipfile.ZIP_DEFLATED)
    entries(path, 22, struct.pack("<I", 4 * 10**9 + 128))


def other_sizes(path):
    npz(path)
    entries(path, 22, struct.pack("<I", 999))


def too_much(path):
    """300 KB that are 300 MB of zeros, by repeating what deflate made."""
    count, block = 75, bytes(4 * 10**6)
    first = header((count, 10**6))
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = deflate.compress(first) + deflate.flush(zlib.Z_FULL_FLUSH)
    repeated = deflate.compress(block) + deflate.flush(zlib.Z_FULL_FLUSH)
    checksum = zlib.crc32(first)
    for _ in range(count):
        checksum = zlib.crc32(block, checksum)
    zipped(path, [("a.npy", packed + count * repeated + b"\3\0")])
    entries(path, 8, struct.pack("<H", zipfile.ZIP_DEFLATED))
    entries(path, 14, struct.pack("<I", checksum))
    entries(path, 22, struct.pack("<I", len(first) + count * len(block)))


def overlapping(path):
    """Three names of the same bytes."""
    npz(path)
    content = path.read_bytes()
    at = content.index(b"PK\1\2")
    end = content.index(b"PK\5\6")
    entry = content[at:end]
    more = b"".join(entry.replace(b"a.npy", n) for n in (b"b.npy", b"c.npy"))
    size = struct.pack("<I", 3 * len(entry))
    tail = bytearray(content[end:])
    tail[8:12] = struct.pack("<HH", 3, 3)
    tail[12:16] = size
    path.write_bytes(content[:end] + more + tail)


def wrong_checksum(path):
    npz(path)
    patched(path, (NUMBERS.tobytes(), (-NUMBERS).tobytes()))


WRONG_NPZ = {
    with_nul: "with a NUL in its name",
    twice: "'a.npy' more than once",
    encrypted: "encrypted",
    impossible: "impossible size",
    other_sizes: "two different sizes",
    too_much: "more than 64 times its size",
    overlapping: "members overlap",
    wrong_checksum: "CRC-32",
    lambda path: zipped(path, []): "holds no arrays",
    lambda path: npz(path, "notes.txt"): "holds notes.txt",
    lambda path: npz(path, method=zipfile.ZIP_BZIP2): "a method that is not",
    lambda path: npz(path, method=zipfile.ZIP_LZMA): "a method that is not",
    lambda path: path.write_bytes(b"PK\3\4 not really"): "cannot be read",
    lambda path: path.write_bytes(npy(NUMBERS)): "is no .npz file",
    os.mkfifo: "is a pipe",
    os.mkdir: "is a folder",
    lambda path: None: "there is no file",
}


@pytest.mark.parametrize("make", WRONG_NPZ, ids=WRONG_NPZ.values())
def test_a_wrong_npz_is_one_line(tmp_path, make):
    make(tmp_path / "a.npz")
    refused(WRONG_NPZ[make], reader._open_npz, tmp_path / "a.npz")


def test_what_compresses_well_is_read_up_to_a_bound(tmp_path, monkeypatch):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, zeros=np.zeros((500, 1000)))
    size = path.stat().st_size
    assert size * 500 < 4_000_000
    assert arrays.load(path)["zeros"].shape == (500, 1000)
    monkeypatch.setattr(memory, "UNPACKED", 4_000_000)
    refused("more than 64 times its size", arrays.load, path)
    monkeypatch.setattr(memory, "UNPACKED_TIMES", 4_000_200 // size + 1)
    assert arrays.load(path)["zeros"].shape == (500, 1000)
    monkeypatch.setattr(memory, "available", lambda: 3_999_999)
    refused("not enough memory", arrays.load, path)


def test_what_is_refused_takes_no_memory(tmp_path):
    """Not even for a moment, of a file that would take 300 MB."""
    too_much(tmp_path / "a.npz")
    (tmp_path / "b.npy").write_bytes(header((150, 10**6)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name in ("a.npz", "b.npy"):
        with pytest.raises(UserError):
            arrays.load(tmp_path / name)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert after - before < 50_000  # KiB


def test_names_are_kept_and_lead_nowhere(tmp_path):
    names = ["../x", "/abs/x", "a/b", "ä", "n" * 300, "a.npy", "C:\\x"]
    path = tmp_path / "in" / "a.npz"
    path.parent.mkdir()
    stored = {name: NUMBERS + at for at, name in enumerate(names)}
    with open(path, "wb") as file:
        arrays.write_npz(file, stored.items())
    found = arrays.load(path)
    assert set(found) == set(names)
    for name in names:
        np.testing.assert_array_equal(found[name], stored[name])
    assert [p.name for p in tmp_path.rglob("*")] == ["in", "a.npz"]


def test_an_archive_of_more_members_than_the_old_format_has(
    tmp_path, monkeypatch
):
    """As of 65,536 arrays on, in few; and with a comment."""
    path = tmp_path / "a.npz"
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 20)
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 4000)
    with zipfile.ZipFile(path, "w") as file:
        file.comment = b"of 70"
        for number in range(70):
            file.writestr(f"{number}.npy", npy(np.float32(number)))
    assert b"PK\6\6" in path.read_bytes()
    found = arrays.load(path)
    assert {int(name): int(n) for name, n in found.items()} == {
        number: number for number in range(70)
    }


@pytest.mark.parametrize("spoil", [b"", b"after the end"])
def test_what_follows_an_archive_changes_nothing(tmp_path, spoil):
    path = npz(tmp_path / "a.npz")
    path.write_bytes(path.read_bytes() + spoil)
    np.testing.assert_array_equal(arrays.load(path)["a"], NUMBERS)


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a\0b", "a\0c"], "with a NUL in it"),
        (["a", "a"], "twice"),
        (["n" * 65_001], "of 65001 characters"),
        (["\ud800"], "that is no text"),
    ],
)
def test_no_name_loses_an_array_on_the_way_out(tmp_path, names, message):
    pairs = [(name, NUMBERS) for name in names]
    refused(message, arrays.write_npz, io.BytesIO(), pairs)


def test_two_names_of_one_variable_are_refused(tmp_path):
    np.savez(tmp_path / "a.npz", **{"rnn/w": NUMBERS, "rnn/w:0": -NUMBERS})
    refused("both rnn/w and rnn/w:0", reader._open_npz, tmp_path / "a.npz")


@pytest.mark.parametrize("place", range(0, 8 * 560, 97))
def test_no_flipped_bit_of_an_npz_gives_other_arrays(tmp_path, place):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, first=NUMBERS, second=np.arange(40.0))
    before = arrays.load(path)
    content = bytearray(path.read_bytes())
    place %= 8 * len(content)
    content[place // 8] ^= 1 << place % 8
    path.write_bytes(content)
    try:
        after = arrays.load(path)
    except UserError:
        return
    assert set(after) == set(before)
    for name, array in before.items():
        np.testing.assert_array_equal(after[name], array)


def test_no_archive_is_looked_for_in_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    refused("is a pipe", zips.opened(tmp_path / "pipe").__enter__)


# --- Training checkpoints ---


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A folder with a training checkpoint."""
    folder = tmp_path_factory.mktemp("trained")
    config = rnn_parity.Config(
        total_series_length=24,
        truncated_backprop_length=4,
        state_size=3,
        num_classes=2,
        echo_step=1,
        batch_size=2,
    )
    Session("s2", "numpy_ref", config, seed=5).checkpoint().write(folder)
    return folder


def without_version(stored, about):
    del about["version"]


def deep(stored, about):
    stored["about"] = np.array('{"a":' + "[" * 100_000)


def changed(**parts):
    return lambda stored, about: about.update(parts)


def of_text(stored, about):
    stored["losses"] = np.array("x")


NO_FIT = "do not fit its own config"
WRONG_TRAINING = [
    (without_version, "it has no version"),
    (deep, "damaged or no training checkpoint"),
    (changed(version=[1]), r"format version \[1\]"),
    (changed(format="x"), "damaged or no training checkpoint"),
    (changed(seed=-1), NO_FIT),
    (changed(seed=True), NO_FIT),
    (changed(epoch="1"), NO_FIT),
    (changed(batch=10**9), NO_FIT),
    (changed(mode=[1]), NO_FIT),
    (changed(config=3), NO_FIT),
    (changed(section=7), NO_FIT),
    (of_text, NO_FIT),
    (lambda stored, about: stored.pop("about"), "it has no about"),
    (lambda stored, about: stored.pop("state"), NO_FIT),
]


@pytest.mark.parametrize(("change", "message"), WRONG_TRAINING)
def test_a_wrong_training_checkpoint_is_one_line(
    tmp_path, trained, change, message
):
    stored = arrays.load(trained / training.NAME)
    about = json.loads(str(stored["about"]))
    stored["about"] = None
    change(stored, about)
    if stored.get("about", 0) is None:
        stored["about"] = np.array(json.dumps(about))
    np.savez(tmp_path / training.NAME, **stored)
    refused(message, training.read, tmp_path)


def test_a_pipe_for_a_training_checkpoint_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / training.NAME)
    refused("is a pipe", training.read, tmp_path)


# --- HDF5 ---

KERNEL = RANDOM.standard_normal((5, 12)).astype("f")


def whole(path, layers=None, parts=None):
    """An `.h5` file as tf.keras has them, of {layer: {name: array}}."""
    layers = layers or {
        "lstm": {
            "lstm/kernel:0": KERNEL[:2],
            "lstm/recurrent_kernel:0": KERNEL[2:],
            "lstm/bias:0": KERNEL[0],
        }
    }
    with h5py.File(path, "w") as file:
        weights = file.create_group("model_weights")
        weights.attrs["layer_names"] = [name.encode() for name in layers]
        for layer, of_layer in layers.items():
            group = weights.create_group(layer)
            names = [name.encode() for name in of_layer]
            split = np.array_split(names, parts) if parts else [names]
            for number, part in enumerate(split):
                at = f"weight_names{number}" if parts else "weight_names"
                group.attrs[at] = part
            for name, array in of_layer.items():
                group[name] = array
        file.attrs["model_config"] = json.dumps(
            {"class_name": "Sequential", "config": {"layers": []}}
        )
    return path


def test_a_list_of_names_in_many_parts_is_put_together(tmp_path):
    """Thirteen parts: part 10 comes after part 9, not after part 1."""
    stored = {
        f"dense/w{number}:0": np.float32([number, -number])
        for number in range(40)
    }
    path = whole(tmp_path / "m.h5", {"dense": stored}, parts=13)
    with h5py.File(path) as file:
        of_layers = hdf5._of_layers(file["model_weights"], path)
        assert list(of_layers["dense"]) == [n[:-2] for n in stored]
    opened = reader.open_checkpoint(path)
    assert len(opened.shapes) == 40
    for name, array in stored.items():
        np.testing.assert_array_equal(opened.read(name[:-2]), array)


@pytest.mark.parametrize("lost", [0, 6, 12])
def test_a_lost_part_of_a_list_is_noticed(tmp_path, lost):
    stored = {f"d/w{n}": np.float32([n]) for n in range(40)}
    path = whole(tmp_path / "m.h5", {"d": stored}, parts=13)
    with h5py.File(path, "a") as file:
        del file["model_weights/d"].attrs[f"weight_names{lost}"]
    refused("is damaged", reader.open_checkpoint, path)
    refused("is damaged", hdf5.model_of, path)


def replaced(name, **how):
    """A weight made anew as h5py's create_dataset makes it."""

    def change(weights):
        del weights[name]
        weights.create_dataset(name, **how)

    return change


def linked(name, link):
    def change(weights):
        if name in weights:
            del weights[name]
        weights[name] = link

    return change


def listed(where, attribute, value):
    def change(weights):
        group = weights[where] if where else weights
        group.attrs[attribute] = value

    return change


def virtual(weights):
    layout = h5py.VirtualLayout((2, 12), "f4")
    layout[:] = h5py.VirtualSource("other.h5", "secret", (2, 12))
    del weights["lstm/lstm/kernel:0"]
    weights.create_virtual_dataset("lstm/lstm/kernel:0", layout)


def filtered(weights):
    """A filter that HDF5 would look for among its plugins."""
    made = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    made.set_chunk((2, 12))
    made.set_filter(32015, h5py.h5z.FLAG_OPTIONAL, (3,))
    del weights["lstm/lstm/kernel:0"]
    h5py.h5d.create(
        weights["lstm/lstm"].id,
        b"kernel:0",
        h5py.h5t.IEEE_F32LE,
        h5py.h5s.create_simple((2, 12)),
        made,
    )


def some_chunks(weights):
    made = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    made.set_chunk((1, 12))
    del weights["lstm/lstm/kernel:0"]
    h5py.h5d.create(
        weights["lstm/lstm"].id,
        b"kernel:0",
        h5py.h5t.IEEE_F32LE,
        h5py.h5s.create_simple((2, 12)),
        made,
    )
    weights["lstm/lstm/kernel:0"][1] = 3.0


def inflating(weights):
    """A chunk of 96 bytes that inflates to 2 MB."""
    replaced(
        KERNEL_AT, shape=(2, 12), dtype="f4", chunks=(2, 12), compression=9
    )(weights)
    weights[KERNEL_AT].id.write_direct_chunk(
        (0, 0), zlib.compress(bytes(2_000_000), 9)
    )


def endless(weights):
    weights["lstm/again"] = weights["lstm"]


def nested(weights):
    group = weights
    for _ in range(150):
        group = group.create_group("g")


def committed(weights):
    weights["lstm/type"] = np.dtype("f4")


KERNEL_AT = "lstm/lstm/kernel:0"
COMPOUND = np.zeros(3, [("a", "f4"), ("b", "i2")])
ENUM = h5py.enum_dtype({"a": 0, "b": 1})
OUT = "another file"
WRONG_HDF5 = {
    "external link": (linked(KERNEL_AT, h5py.ExternalLink("o.h5", "s")), OUT),
    "external group": (linked("lstm", h5py.ExternalLink("o.h5", "/")), OUT),
    "unlisted external": (linked("x", h5py.ExternalLink("o.h5", "/")), OUT),
    "external storage": (
        replaced(
            KERNEL_AT,
            shape=(2, 12),
            dtype="f4",
            external=[("secret.bin", 0, 96)],
        ),
        OUT,
    ),
    "virtual": (virtual, "from other datasets"),
    "soft out": (linked(KERNEL_AT, h5py.SoftLink("/secret")), "a link to"),
    "soft up": (linked("lstm/up", h5py.SoftLink("/model_weights")), "a link"),
    "soft circle": (linked("lstm/s", h5py.SoftLink("s")), "a link to"),
    "soft nowhere": (linked(KERNEL_AT, h5py.SoftLink("gone")), "a link to"),
    "hard circle": (endless, "in the file twice"),
    "depth": (nested, "groups deep"),
    "committed type": (committed, "neither a group nor a dataset"),
    "filter": (filtered, "filters"),
    "lzf": (
        replaced(KERNEL_AT, data=KERNEL[:2], compression="lzf"),
        "filters",
    ),
    "no values": (replaced(KERNEL_AT, shape=(2, 12)), "0 of its 96 bytes"),
    "huge": (replaced(KERNEL_AT, shape=(10**6, 10**6)), "0 of its 4000"),
    "no chunks": (
        replaced(KERNEL_AT, shape=(2, 12), chunks=(1, 12)),
        "0 of its 2 chunks",
    ),
    "some chunks": (some_chunks, "1 of its 2 chunks"),
    "bomb": (inflating, "another size than it says"),
    "much": (
        replaced(
            KERNEL_AT,
            data=np.zeros((1, 70_000_000), "i1"),
            maxshape=(1, None),
            chunks=(1, 70_000_000),
            compression=9,
        ),
        "more than 64 times its size",
    ),
    "references": (
        replaced(KERNEL_AT, shape=(3,), dtype=h5py.ref_dtype),
        "holds",
    ),
    "text": (replaced(KERNEL_AT, data=["a", "b"]), "holds"),
    "fixed text": (replaced(KERNEL_AT, data=np.array([b"ab"])), "not real"),
    "compound": (replaced(KERNEL_AT, data=COMPOUND), "not real"),
    "enum": (replaced(KERNEL_AT, data=[0, 1], dtype=ENUM), "an enumeration"),
    "bool": (replaced(KERNEL_AT, data=[True]), "enumeration|not real"),
    "complex": (replaced(KERNEL_AT, data=KERNEL[:2] + 1j), "not real"),
    "opaque": (replaced(KERNEL_AT, data=np.zeros(2, "V3")), "not real"),
    "empty": (replaced(KERNEL_AT, data=h5py.Empty("f4")), "is empty"),
    "a group": (
        linked("lstm/lstm/more:0/x", KERNEL),
        "that it does not list",
    ),
    "gone": (lambda weights: weights.pop(KERNEL_AT), "which is not there"),
    "layer gone": (lambda weights: weights.pop("lstm"), "is not there"),
    "one more": (linked("lstm/lstm/x:0", KERNEL), "that it does not list"),
    "with and without": (
        lambda weights: (
            linked("lstm/lstm/kernel", KERNEL)(weights),
            listed(
                "lstm",
                "weight_names",
                [
                    f"lstm/{name}".encode()
                    for name in (
                        "kernel",
                        "kernel:0",
                        "bias:0",
                        "recurrent_kernel:0",
                    )
                ],
            )(weights),
        ),
        "with and without :0",
    ),
    "layers 3": (listed("", "layer_names", 3), "no list of names"),
    "layers nested": (
        listed("", "layer_names", [[b"a"]]),
        "no list of names",
    ),
    "layers empty": (listed("", "layer_names", h5py.Empty("f4")), "no list"),
    "layer of numbers": (listed("", "layer_names", [1.5]), "no list of"),
    "no name": (listed("", "layer_names", [b""]), "no list of names"),
    "no UTF-8": (listed("", "layer_names", [b"\xff\xfe"]), "cannot be read"),
    "layer twice": (listed("", "layer_names", [b"lstm"] * 2), "name twice"),
    "other part": (listed("lstm", "weight_names_x", [b"a"]), "of the parts"),
    "absolute layer": (listed("", "layer_names", [b"/secret"]), "no list"),
    "absolute name": (
        listed("lstm", "weight_names", [b"/secret"]),
        "no list",
    ),
    "long": (listed("", "layer_names", [b"n" * 300]), "is not there"),
}


@pytest.mark.parametrize("name", WRONG_HDF5)
def test_a_wrong_hdf5_file_is_one_line(tmp_path, name, monkeypatch):
    """Before tf-keras opens it, too."""
    change, message = WRONG_HDF5[name]
    monkeypatch.setattr(memory, "UNPACKED", 1 << 26)
    path = whole(tmp_path / "m.h5")
    with h5py.File(tmp_path / "o.h5", "w") as file:
        file["secret"] = file["s"] = KERNEL[:2]
    (tmp_path / "secret.bin").write_bytes(KERNEL[:2].tobytes())
    monkeypatch.chdir(tmp_path)
    with h5py.File(path, "a") as file:
        file["secret"] = KERNEL[:2]
        change(file["model_weights"])
    refused(message, reader.open_checkpoint, path)
    refused(message, hdf5.model_of, path)


def test_a_virtual_source_is_not_even_opened(tmp_path):
    """Opening a pipe would wait for ever."""
    path = whole(tmp_path / "m.h5")
    os.mkfifo(tmp_path / "other.h5")
    with h5py.File(path, "a") as file:
        virtual(file["model_weights"])
    refused("from other datasets", hdf5.must_be_self_contained, path)


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"chunks": (2, 5)},
        {"chunks": (1, 12), "compression": 4},
        {"chunks": (2, 7), "compression": 1, "shuffle": True},
        {"chunks": (2, 7), "compression": 1, "fletcher32": True},
        {"chunks": (2, 7), "fletcher32": True},
        {"dtype": ">f4"},
        {"dtype": ">f8"},
    ],
    ids=str,
)
def test_what_is_stored_in_another_way_is_read(tmp_path, how):
    path = whole(tmp_path / "m.h5")
    with h5py.File(path, "a") as file:
        replaced(KERNEL_AT, data=KERNEL[:2], **how)(file["model_weights"])
    found = reader.open_checkpoint(path).read("lstm/kernel")
    assert found.dtype.isnative
    np.testing.assert_array_equal(found, KERNEL[:2])


def test_a_soft_link_within_the_layers_is_followed(tmp_path):
    path = whole(tmp_path / "m.h5")
    with h5py.File(path, "a") as file:
        weights = file["model_weights"]
        linked("lstm/lstm/bias:0", h5py.SoftLink("kernel:0"))(weights)
    opened = reader.open_checkpoint(path)
    np.testing.assert_array_equal(opened.read("lstm/bias"), KERNEL[:2])


def test_layers_that_no_list_names_are_said(tmp_path):
    path = whole(tmp_path / "m.h5")
    with h5py.File(path, "a") as file:
        file["model_weights/apart/w"] = KERNEL
    notes = reader.open_checkpoint(path).notes
    assert "there, but in no list of layers, and left out: apart" in notes
    assert hdf5.NO_CHECKSUM in notes


def test_datasets_that_share_their_bytes_are_refused(tmp_path):
    """Three of 100 KB in a file of little more."""
    path = tmp_path / "m.h5"
    with h5py.File(path, "w") as file:
        file["a"] = np.ones(25_000, "f")
        place = struct.pack("<Q", file["a"].id.get_offset())
        for name in "bc":
            file.create_dataset(name, shape=25_000)
    size, nowhere = struct.pack("<Q", 100_000), b"\xff" * 8
    patched(path, (nowhere + size, place + size))
    with h5py.File(path) as file:
        assert (file["c"][()] == 1).all()
    refused("datasets overlap", hdf5.must_be_self_contained, path)


def test_texts_that_may_be_the_same_bytes_are_counted(tmp_path, monkeypatch):
    """Of a list every text may be the longest in the file."""
    path = whole(tmp_path / "m.h5")
    with h5py.File(path, "a") as file:
        weights = file["model_weights"]
        weights.attrs["layer_names"] = ["lstm"]  # of any length
        file.attrs["long"] = "x" * 50_000
    assert len(reader.open_checkpoint(path).shapes) == 3
    with h5py.File(path, "a") as file:
        file["model_weights"].attrs["layer_names"] = ["lstm"] * 100
    monkeypatch.setattr(memory, "UNPACKED", 4_000_000)
    refused("more than 64 times", hdf5.must_be_self_contained, path)
    monkeypatch.setattr(memory, "UNPACKED", 20_000_000)
    hdf5.must_be_self_contained(path)


@pytest.mark.parametrize(
    "config", ["[" * 100_000, "[1]", "{", h5py.Empty("f4"), 3, b"\xff"]
)
def test_a_wrong_configuration_is_one_line(tmp_path, config):
    path = whole(tmp_path / "m.h5")
    with h5py.File(path, "a") as file:
        del file.attrs["model_config"]
        # More than 64 KB are no attribute of this format.
        text = config if not isinstance(config, str) else config[:60_000]
        file.attrs["model_config"] = text
    refused("model_config", hdf5.model_of, path)
    refused("model_config", reader.open_checkpoint, path)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_only_a_regular_hdf5_file_is_opened(tmp_path, make):
    make(tmp_path / "m.h5")
    refused(
        "not a regular file", hdf5.must_be_self_contained, tmp_path / "m.h5"
    )
    refused("not a regular file", hdf5.model_of, tmp_path / "m.h5")


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.6, 0.99])
def test_a_truncated_hdf5_file_is_one_line(tmp_path, share):
    path = whole(tmp_path / "m.h5")
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    refused("cannot be read", hdf5.must_be_self_contained, path)


# --- .keras ---


@pytest.fixture(scope="module")
def converted(tmp_path_factory):
    """A `.keras` file with two kept arrays, of numbers and of strings."""
    folder = tmp_path_factory.mktemp("converted")
    stored = {
        "rnn/lstm_cell/kernel": RANDOM.standard_normal((5, 12)).astype("f"),
        "rnn/lstm_cell/bias": RANDOM.standard_normal(12).astype("f"),
        "global_step": np.int64(17),
    }
    np.savez(folder / "in.npz", **stored)
    found = rnn_parity.convert_checkpoint(folder / "in.npz")
    found.save(folder / "m.keras")
    return folder / "m.keras"


def members(path):
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def rewritten(path, changes, method=zipfile.ZIP_STORED):
    """The same archive with other members; None leaves one out."""
    there = members(path) | changes
    kept = [pair for pair in there.items() if pair[1] is not None]
    return kept, method


def of_hdf5(change):
    """A weights file with a change made to it."""
    file = io.BytesIO()
    with h5py.File(file, "w") as weights:
        weights["w"] = KERNEL
        change(weights)
    return file.getvalue()


def bad_virtual(weights):
    layout = h5py.VirtualLayout((5, 12), "f4")
    layout[:] = h5py.VirtualSource("o.h5", "s", (5, 12))
    weights.create_virtual_dataset("v", layout)


WRONG_KERAS = {
    "no config": ({archive.CONFIG: None}, "config.json is missing"),
    "no weights": ({archive.WEIGHTS: None}, "weights.h5 is missing"),
    "another": ({"evil.py": b"x"}, "holds 'evil.py'"),
    "assets": ({"assets/x": b"x"}, "holds 'assets/x'"),
    "outside": ({"../x": b"x"}, "holds '../x'"),
    "kept outside": ({"rnn_parity/kept/../x.npy": b""}, "neither Keras"),
    "no JSON": ({archive.CONFIG: b"{"}, "config.json, cannot be read"),
    "a list": ({archive.CONFIG: b"[]"}, "no JSON object"),
    "deep": (
        {archive.CONFIG: b'{"a":' * 250 + b"1" + b"}" * 250},
        "nested too deeply",
    ),
    "very deep": ({archive.CONFIG: b"[" * 100_000}, "nested too deeply"),
    "no UTF-8": ({archive.CONFIG: b'{"a": "\xff"}'}, "cannot be read"),
    "no HDF5": ({archive.WEIGHTS: b"x" * 900}, "weights.h5, cannot be read"),
    "external link": (
        {
            archive.WEIGHTS: of_hdf5(
                linked("l", h5py.ExternalLink("o.h5", "/"))
            )
        },
        OUT,
    ),
    "virtual": ({archive.WEIGHTS: of_hdf5(bad_virtual)}, "other datasets"),
}


@pytest.mark.parametrize("name", WRONG_KERAS)
def test_a_wrong_keras_file_is_one_line(tmp_path, converted, name):
    changes, message = WRONG_KERAS[name]
    kept, method = rewritten(converted, changes)
    path = zipped(tmp_path / "m.keras", kept, method)
    refused(message, archive.check, path)


def test_a_compressed_keras_file_is_read_or_is_a_bomb(
    tmp_path, converted, monkeypatch
):
    kept, _ = rewritten(converted, {})
    path = zipped(tmp_path / "m.keras", kept, zipfile.ZIP_DEFLATED)
    archive.check(path)
    kept, _ = rewritten(converted, {archive.CONFIG: bytes(8_000_000)})
    path = zipped(tmp_path / "m.keras", kept, zipfile.ZIP_DEFLATED)
    monkeypatch.setattr(memory, "UNPACKED", 4_000_000)
    refused("more than 64 times its size", archive.check, path)
    monkeypatch.setattr(config_safety, "LONGEST_TEXT", 7_000_000)
    monkeypatch.setattr(memory, "UNPACKED", 10_000_000)
    refused("MB of JSON", archive.check, path)


def test_the_weights_are_found_behind_any_local_header(tmp_path, converted):
    """Zip64 headers are longer."""
    path = tmp_path / "m.keras"
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members(converted).items():
            with file.open(name, "w", force_zip64=True) as member:
                member.write(content)
    archive.check(path)


NOT_KERAS = {
    os.mkfifo: "is a pipe",
    os.mkdir: "is a folder, not a regular file",
    lambda path: path.write_bytes(b""): "no .keras file",
    lambda path: path.write_bytes(b"x" * 99): "no .keras file",
    lambda path: None: "there is no file",
}


@pytest.mark.parametrize("make", NOT_KERAS, ids=NOT_KERAS.values())
def test_what_is_no_keras_file_is_one_line(tmp_path, make, call_cli):
    make(tmp_path / "m.keras")
    done = call_cli("export", tmp_path / "m.keras", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert NOT_KERAS[make] in done.stderr
    assert done.stderr.count("\n") == 1


def changed_origin(**parts):
    def change(origin):
        origin.update(parts)
        for name in [name for name, part in parts.items() if part is None]:
            del origin[name]

    return change


def of_cell(**parts):
    return lambda origin: origin["cells"][0].update(parts)


def without_a_shape(origin):
    origin["cells"][0]["shapes"].popitem()


WRONG_ORIGIN = {
    "cells gone": (changed_origin(cells=None), "says of cells"),
    "kept gone": (changed_origin(kept=None), "says of kept"),
    "slots": (changed_origin(slots=[1]), "says of slots"),
    "sources": (changed_origin(sources={"a": 1}), "says of sources"),
    "steps": (changed_origin(steps="1"), "says of steps"),
    "version": (changed_origin(version=2), "another release"),
    "no version": (changed_origin(version=None), "another release"),
    "kept elsewhere": (
        changed_origin(kept={"a": "config.json"}),
        "says of kept",
    ),
    "kept not there": (
        changed_origin(kept={"a": "rnn_parity/kept/99.npy"}),
        "says of kept",
    ),
    "kind": (of_cell(kind="NoCell"), "says of cells"),
    "negative": (of_cell(sizes=[-1, 2, 3]), "says of cells"),
    "sizes": (of_cell(sizes=[1, 2]), "says of cells"),
    "where": (of_cell(where=["a", "__class__", None]), "says of cells"),
    "options": (of_cell(options={"forget_bias": [1]}), "says of cells"),
    "more": (of_cell(more=1), "says of cells"),
    "shapes": (without_a_shape, "says of cells"),
}


@pytest.mark.parametrize("name", WRONG_ORIGIN)
def test_a_wrong_origin_is_one_line(tmp_path, converted, name):
    change, message = WRONG_ORIGIN[name]
    origin = json.loads(members(converted)[archive.ORIGIN])
    change(origin)
    text = json.dumps(origin).encode()
    kept, method = rewritten(converted, {archive.ORIGIN: text})
    path = zipped(tmp_path / "m.keras", kept, method)
    archive.check(path)
    refused(message, saving.read_origin, path)


@pytest.mark.parametrize(
    "change",
    [
        of_cell(where=["another", None, None]),
        of_cell(where=[None, None, 7]),
        of_cell(shapes={"rnn/lstm_cell/kernel": [3, 3]}),
        of_cell(kind="GRUCell"),
    ],
)
def test_an_origin_of_another_model_is_one_line(tmp_path, converted, change):
    """All of the right form, and nothing is written."""
    origin = json.loads(members(converted)[archive.ORIGIN])
    before = json.loads(json.dumps(origin["cells"][0]))
    change(origin)
    cell = origin["cells"][0]
    cell["where"][0] = cell["where"][0] or before["where"][0]
    cell["shapes"] = before["shapes"] | cell["shapes"]
    text = json.dumps(origin).encode()
    kept, method = rewritten(converted, {archive.ORIGIN: text})
    path = zipped(tmp_path / "m.keras", kept, method)
    refused("model", export_checkpoint, path, tmp_path / "out")
    assert not list(tmp_path.glob("out*"))


def test_strings_that_are_kept_come_back(tmp_path):
    for strings in (
        np.array([b"a\0", b"", "ä".encode()], object),
        np.array(b"one", object),
        np.empty((0, 2), object),
        np.array([[b"a", b"b"], [b"c", b"\xff"]], object),
    ):
        file = io.BytesIO()
        saving._write_array(file, strings, "0.tensor")
        found = archive._strings(file.getvalue())
        assert found.dtype == object
        assert found.shape == strings.shape
        assert (found == strings).all()


def test_fewer_strings_than_a_shape_has_are_refused(tmp_path):
    """TensorFlow would make 10**12 of one."""
    from tensorflow.core.framework import tensor_pb2

    proto = tensor_pb2.TensorProto(dtype=7, string_val=[b"one"])
    proto.tensor_shape.dim.add(size=10**12)
    name = "rnn_parity/kept/0.tensor"
    many = proto.SerializeToString()
    proto.tensor_shape.dim[0].size = -1
    for content in (many, proto.SerializeToString(), b"\xff\xff", b""):
        path = zipped(tmp_path / "m.keras", [(name, content)])
        with zipfile.ZipFile(path) as file:
            refused("0.tensor", archive.read_kept, path, file, name)


@pytest.mark.parametrize("part", range(20))
def test_no_flipped_bit_of_a_keras_file_is_another_model(
    tmp_path, converted, part
):
    """Refused, or every member is the same byte for byte."""
    content, before = converted.read_bytes(), members(converted)
    path = tmp_path / "m.keras"
    random = np.random.default_rng(part)
    directory = content.index(b"PK\1\2")
    for start in (0, directory):
        place = int(random.integers(start, len(content)))
        damaged = bytearray(content)
        damaged[place] ^= 1 << int(random.integers(8))
        path.write_bytes(damaged)
        with contextlib.suppress(UserError):
            archive.check(path)
            saving.read_origin(path)
            assert members(path) == before, place


# --- Names with a NUL ---


def test_a_nul_in_a_name_loses_nothing(tmp_path):
    """A variable's name is any bytes in a checkpoint of TensorFlow."""
    from rnn_parity.quiet import tf

    scopes = ["a\0x/lstm_cell", "a\0y/lstm_cell"]
    stored = {
        f"{scope}/{name}": RANDOM.standard_normal(shape).astype("f")
        for scope in scopes
        for name, shape in (("kernel", (5, 12)), ("bias", (12,)))
    }
    tf.raw_ops.SaveV2(
        prefix=str(tmp_path / "in"),
        tensor_names=list(stored),
        shape_and_slices=[""] * 4,
        tensors=list(stored.values()),
    )
    found = rnn_parity.convert_checkpoint(tmp_path / "in")
    found.save(tmp_path / "m.npz")
    written = arrays.load(tmp_path / "m.npz")
    assert len(written) == 7  # three of each layer, and what says so
    assert not any("\0" in name for name in written)
    found.save(tmp_path / "m.keras")
    export_checkpoint(tmp_path / "m.keras", tmp_path / "back")
    after = reader.open_checkpoint(tmp_path / "back")
    for name, array in stored.items():
        np.testing.assert_array_equal(after.read(name), array)


# --- What is diagnosed ---


def of_lstm(dtype):
    stored = {
        "rnn/lstm_cell/kernel": RANDOM.standard_normal((5, 12)).astype(dtype),
        "rnn/lstm_cell/bias": RANDOM.standard_normal(12).astype(dtype),
    }
    return reader.Checkpoint(
        "made here",
        {name: array.shape for name, array in stored.items()},
        {name: array.dtype.name for name, array in stored.items()},
        stored.__getitem__,
    )


X = RANDOM.standard_normal((2, 4, 2))
Y = RANDOM.uniform(-1, 1, (2, 4, 3))


@pytest.mark.parametrize(
    ("dtype", "given", "message"),
    [
        ("float32", {"inputs": X * 1e300}, "the inputs: .* infinite in fl"),
        ("float32", {"outputs": Y * 1e39}, "the outputs: .* infinite in fl"),
        ("float32", {"state": np.full((2, 6), 1e39)}, "the initial state"),
        ("float32", {"inputs": X * 1e30}, "every gate is saturated"),
        ("float64", {"inputs": X * 1e300}, "every gate is saturated"),
        ("float64", {"inputs": X * np.inf}, "NaN or infinite"),
    ],
)
def test_numbers_that_tell_nothing_explain_nothing(dtype, given, message):
    given = {"inputs": X, "outputs": Y} | given
    refused(message, lambda: diagnose.diagnose(of_lstm(dtype), **given))


def test_large_inputs_that_still_tell_are_diagnosed():
    found = diagnose.diagnose(
        of_lstm("float64"), X * [[[1e4], [1], [1], [1]]], Y, pairs=False
    )
    assert found.verdict == diagnose.UNEXPLAINED


# --- What a user sees ---


@pytest.fixture
def hostile(tmp_path, monkeypatch, converted, trained):
    """A folder with one wrong file of each kind, and what is right."""
    monkeypatch.chdir(tmp_path)
    weights = {
        "rnn/lstm_cell/kernel": KERNEL,
        "rnn/lstm_cell/bias": KERNEL[0],
    }
    np.savez("w.npz", **weights)
    np.save("x.npy", X)
    zipped("huge.npz", [("a.npy", header((10**6, 10**6)))])
    too_much(tmp_path / "bomb.npz")
    os.mkfifo("pipe")
    with h5py.File(whole("m.h5"), "a") as file:
        linked("lstm", h5py.ExternalLink("o.h5", "/"))(file["model_weights"])
    content = bytearray(converted.read_bytes())
    content[content.index(b"\x89HDF") + 5000] ^= 4
    (tmp_path / "m.keras").write_bytes(content)
    stored = arrays.load(trained / training.NAME)
    about = json.loads(str(stored["about"]))
    del about["version"]
    os.mkdir("run")
    np.savez("run/training.npz", **stored | {"about": json.dumps(about)})
    return tmp_path


DIAGNOSE = ("diagnose", "w.npz", "--outputs", "x.npy", "--inputs")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("inspect", "huge.npz"), "huge.npz, a.npy, cannot be read"),
        (("inspect", "bomb.npz"), "more than 64 times its size"),
        (("convert", "huge.npz", "--out", "new.npz"), "cannot be read"),
        (("convert", "m.h5", "--out", "new.keras"), "a link to another file"),
        (
            ("convert", "m.h5", "--whole", "--out", "new.keras"),
            "a link to another file",
        ),
        ((*DIAGNOSE, "pipe"), "pipe is a pipe, not a regular file"),
        ((*DIAGNOSE, "bomb.npz"), "more than 64 times its size"),
        (("diagnose", "w.npz", "--data", "huge.npz"), "cannot be read"),
        (
            ("run", "s2", "--impl", "numpy_ref", "--resume", "run"),
            "no version",
        ),
        (("export", "m.keras", "--out", "new"), "another checksum"),
    ],
)
def test_a_hostile_file_is_one_line_and_exit_2(
    call_cli, hostile, arguments, message
):
    before = sorted(hostile.rglob("*"))
    done = call_cli(*arguments)
    assert done.returncode == 2, done.stdout
    *progress, line = done.stderr.splitlines()
    assert message in line
    assert all(words.startswith("converting ") for words in progress)
    assert sorted(hostile.rglob("*")) == before
