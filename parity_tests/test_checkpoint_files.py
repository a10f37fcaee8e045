"""Files of TensorFlow checkpoints: damaged, made on purpose, incomplete."""

import os
import shutil
import struct

import checkpoint_writer as writer
import numpy as np
import pytest

import recorded
from rnn_parity.checkpoints import (
    crc32c,
    reader,
    saved_tensor_slices,
    sstable,
    tensor_bundle,
)
from rnn_parity.errors import UserError
from rnn_parity.quiet import tf

FOLDER = recorded.FOLDER / "checkpoints"
RANDOM = np.random.RandomState(5)
ARRAYS = {
    "cell/bias": RANDOM.normal(size=8).astype("f"),
    "cell/kernel": RANDOM.normal(size=(5, 8)),
    "embedding": RANDOM.normal(size=(7, 3)).astype("f"),
    "global_step": np.array(1234, "i8"),
    "nothing": np.zeros((0, 4), "f"),
}
WORDS = [b"", b"one", b"\0two\0", b"x" * 200]


def make_bundle():
    """Two data files, a variable in slices, strings, a scalar."""
    made = writer.Bundle()
    for number, (name, array) in enumerate(ARRAYS.items()):
        if name == "embedding":
            made.add_slices(name, array, [4, 1, 2])
        else:
            made.add(name, array, shard=number % 2)
    made.add_strings("words", WORDS)
    return made


def open_safely(path, monkeypatch):
    """Opens what has to be refused; TensorFlow would end the process."""

    def reach(*_):
        pytest.fail("TensorFlow opened it")

    with monkeypatch.context() as patch:
        patch.setattr(tf.compat.v1.train, "NewCheckpointReader", reach)
        return reader.open_checkpoint(path)


def refusal(path, monkeypatch):
    """The line that a path is refused with."""
    with pytest.raises(UserError) as refused:
        open_safely(path, monkeypatch)
    (line,) = str(refused.value).splitlines()
    return line


# --- Checksums ---


@pytest.mark.parametrize(
    ("data", "crc"),
    [
        (b"123456789", 0xE3069283),
        (bytes(32), 0x8A9136AA),  # RFC 3720, B.4
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
    ],
)
def test_crc32c_is_that_of_its_standard(data, crc):
    assert crc32c.crc32c(data) == crc


@pytest.mark.parametrize("size", [2048, 2049, 5000, 65536, 70001])
def test_crc32c_of_much_is_that_of_its_parts(size, monkeypatch):
    data = RANDOM.bytes(size)
    quick = crc32c.crc32c(data)
    monkeypatch.setattr(crc32c, "_FEW", size + 1)
    assert crc32c.crc32c(data) == quick


# --- What is right ---


def test_what_the_tests_write_is_a_checkpoint(tmp_path):
    make_bundle().write(tmp_path / "model")
    opened = reader.open_checkpoint(tmp_path / "model")
    assert opened.shapes.keys() == {*ARRAYS, "words"}
    for name, array in ARRAYS.items():
        found = opened.read(name)
        np.testing.assert_array_equal(found, array)
        assert found.dtype == array.dtype == opened.dtypes[name]
        assert opened.shapes[name] == array.shape
    assert opened.read("words").tolist() == WORDS


EDGES = [1, 63, 64, 127, 128, 8191, 8192, 2**20 - 1, 2**20]


def test_slices_have_the_keys_that_tensorflow_gives_them(tmp_path):
    """Numbers in keys get longer at powers of two to 6, 13 and 20."""
    total = EDGES[-1] + 70
    starts = [0, *EDGES]
    rows = np.diff([*starts, total])
    names = ["bytes \u00e4"] * len(rows)
    values = [np.full(count, at, "u1") for at, count in enumerate(rows)]
    places = [
        f"{total} {start},{count}"
        for start, count in zip(starts, rows, strict=True)
    ]
    prefix = str(tmp_path / "model")
    tf.raw_ops.SaveV2(
        prefix=prefix,
        tensor_names=names,
        shape_and_slices=places,
        tensors=values,
    )
    found = reader.open_checkpoint(prefix).read(names[0])
    np.testing.assert_array_equal(found, np.concatenate(values))


def test_every_type_of_tensorflow_is_read_or_refused(tmp_path):
    made = writer.Bundle(1)
    numbers = [n for n in range(1, 34) if n not in (7, 20, 21)]
    for number in numbers:
        kind = tf.as_dtype(number)
        name = f"of/{kind.name}"
        made.add(name, np.zeros(3 * kind.size, "u1"))
        one = made.entry(name)
        one.dtype = number
        one.shape.dim[0].size = 3
    made.write(tmp_path / "model")
    opened = reader.open_checkpoint(tmp_path / "model")
    assert len(opened.shapes) == len(numbers)
    for name in opened.shapes:
        assert opened.read(name).shape == (3,), name


def test_other_orders_of_bytes_are_read(tmp_path):
    made = writer.Bundle(1)
    made.header.endianness = made.header.BIG
    made.add("a", ARRAYS["cell/kernel"].byteswap())
    made.write(tmp_path / "model")
    found = reader.open_checkpoint(tmp_path / "model").read("a")
    np.testing.assert_array_equal(found, ARRAYS["cell/kernel"])


# --- Entries that are wrong ---


def wrong(name, **fields):
    """Sets fields of an entry."""

    def change(made):
        for field, value in fields.items():
            setattr(made.entry(name), field, value)

    return change


def shaped(name, *sizes):
    def change(made):
        writer._set_shape(made.entry(name).shape, sizes)

    return change


def unknown_rank(made):
    made.entry("cell/kernel").shape.unknown_rank = True


def sliced(at, start=None, length=None, rank=2):
    """Changes a slice that the partitioned variable says it has."""

    def change(made):
        extents = [(start, length)] + [(0, -1)] * (rank - 1)
        proto = made.entry("embedding").slices[at]
        proto.Clear()
        writer._add_extents(proto, extents)

    return change


def slice_key(start, count):
    return writer.tensor_slice.slice_key(
        b"embedding", [(start, count), (0, -1)]
    )


def sliced_anew(*rows):
    """Other slices of the partitioned variable, with entries of theirs."""

    def change(made):
        drop_slices(made)
        full = made.entry("embedding")
        for start, count in rows:
            writer._add_extents(full.slices.add(), [(start, count), (0, -1)])
            raw = np.zeros((count, 3), "f")
            made._place(
                slice_key(start, count), 1, raw.shape, raw.tobytes(), 0
            )

    return change


def drop_slices(made):
    del made.entry("embedding").slices[:]
    for start, count in ((0, 4), (4, 1), (5, 2)):
        del made.entries[slice_key(start, count)]


def only_slices(made):
    del made.entries[b"embedding"]


def no_slice_entry(made):
    del made.entries[slice_key(4, 1)]


def all_of_it_is_a_slice(made):
    drop_slices(made)
    writer._add_extents(made.entry("embedding").slices.add(), [(0, -1)] * 2)


def start_without_length(made):
    made.entry("embedding").slices[0].extent[1].start = 1


def many_dimensions_in_slices(made):
    drop_slices(made)
    rank = 9
    shaped("embedding", 2, *[1] * (rank - 1))(made)
    for start in range(2):
        extents = [(start, 1)] + [(0, -1)] * (rank - 1)
        writer._add_extents(made.entry("embedding").slices.add(), extents)


def slices_in_slices(made):
    made.entry(slice_key(4, 1)).slices.add()


def named(key):
    def change(made):
        made.entries[key] = made.entries.pop(b"cell/bias")

    return change


def header(**fields):
    def change(made):
        for field, value in fields.items():
            setattr(made.header, field, value)

    return change


def newer_format(made):
    made.header.version.min_consumer = 2


def bad_consumer(made):
    made.header.version.bad_consumers.append(1)


def one_more_string(made):
    shaped("words", len(WORDS) + 1)(made)


def one_string_less(made):
    shaped("words", len(WORDS) - 1)(made)


def longer_string(made):
    place = made.entry("words")
    at = place.offset + 1
    made.data[0][at] = 100


def endless_string(made):
    """Nine bytes of a length that says to go on, and the last."""
    made.add_strings("words", [b"x" * 20])
    at = made.entry("words").offset
    made.data[0][at : at + 10] = b"\xff" * 9 + b"\x01"


def lengths_that_do_not_end(made):
    made.add_strings("words", [b"x" * 20])
    at = made.entry("words").offset
    made.data[0][at : at + 20] = b"\xff" * 20


def one_more_file(made):
    made.data.append(bytearray())


BIG = 2**62
IN_INDEX = {
    "negative size": (shaped("cell/kernel", -5, 8), "a negative size"),
    "both negative": (shaped("cell/kernel", -5, -8), "a negative size"),
    "overflow": (shaped("cell/kernel", BIG, 8), "more elements than can"),
    "overflow to size": (shaped("cell/kernel", BIG, 4, 5, 8), "than can be"),
    "overflow round nothing": (shaped("nothing", BIG, BIG, 0), "than can be"),
    "rank 255": (shaped("cell/kernel", *[1] * 255), "has 255 dimensions"),
    "unknown rank": (unknown_rank, "unknown rank"),
    "too large": (shaped("cell/kernel", 2**40, 8), "takes 320 bytes"),
    "too small": (shaped("cell/kernel", 5, 7), "its shape and type 280"),
    "other width": (wrong("cell/kernel", dtype=1), "takes 320 bytes"),
    "no type": (wrong("cell/kernel", dtype=0), "type number 0"),
    "unknown type": (wrong("cell/kernel", dtype=77), "type number 77"),
    "negative type": (wrong("cell/kernel", dtype=-1), "type number -1"),
    "reference": (wrong("cell/kernel", dtype=102), "type number 102"),
    "resource": (wrong("cell/kernel", dtype=20), "is a resource"),
    "variant": (wrong("cell/kernel", dtype=21), "is a variant"),
    "shard": (wrong("cell/kernel", shard_id=2), "data file number 2 of 2"),
    "negative shard": (wrong("cell/kernel", shard_id=-1), "number -1 of 2"),
    "behind the end": (wrong("cell/kernel", offset=99), "is at bytes 99 to"),
    "far behind": (wrong("cell/kernel", offset=2**63 - 1), "is at bytes"),
    "before the start": (wrong("cell/kernel", offset=-8), "is at bytes -8"),
    "negative bytes": (wrong("cell/kernel", size=-320), "is at bytes"),
    "slice twice": (sliced(1, 0, 4), "leave a gap in its shape [7, 3], or"),
    "slice outside": (sliced(2, 5, 3), "a slice of 3 from 5 on, outside"),
    "slice far outside": (sliced(2, 2**63 - 1, 2**63 - 1), "outside of"),
    "slice before": (sliced(0, -1, 4), "a slice of 4 from -1 on"),
    "slice of nothing": (sliced(1, 4, 0), "a slice of 0 from 4 on"),
    "slice backwards": (sliced(1, 4, -2), "a slice of -2 from 4 on"),
    "slice of rank 1": (sliced(1, 4, 1, rank=1), "a slice of 1 dimensions"),
    "slice of rank 3": (sliced(1, 4, 1, rank=3), "a slice of 3 dimensions"),
    "slices overlap": (sliced_anew((0, 4), (3, 4)), "leave a gap"),
    "slices leave a gap": (sliced_anew((0, 4), (5, 2)), "leave a gap"),
    "gap and overlap": (sliced_anew((0, 4), (2, 3)), "leave a gap"),
    "slice and all": (all_of_it_is_a_slice, "a slice that is all of it"),
    "slice is not there": (no_slice_entry, "a slice that is not stored"),
    "slices of nothing": (only_slices, "belongs to no variable"),
    "slice of a type": (
        wrong(slice_key(4, 1), dtype=3),
        "a slice of another type",
    ),
    "slice of a shape": (
        shaped(slice_key(5, 2), 3, 2),
        "a slice of another shape",
    ),
    "slice of a place": (wrong(slice_key(4, 1), offset=999), "is at bytes"),
    "slice in slices": (slices_in_slices, "in slices itself"),
    "start alone": (start_without_length, "a start and no length"),
    "nine dimensions": (many_dimensions_in_slices, "has 9 dimensions"),
    "one more string": (one_more_string, "has strings of"),
    "one string less": (one_string_less, "has strings of"),
    "longer string": (longer_string, "has strings of 305 bytes"),
    "longer than any": (endless_string, "has strings of"),
    "endless lengths": (lengths_that_do_not_end, "are cut off"),
    "strings without end": (shaped("words", 2**50), "strings in 217 bytes"),
    "no files": (header(num_shards=0), "there are 0 data files"),
    "negative files": (header(num_shards=-1), "there are -1 data files"),
    "many files": (header(num_shards=2**31 - 1), "of its 2147483647 data"),
    "another file": (header(num_shards=3), "lacks 3 of its 3 data files"),
    "one more file": (one_more_file, "lacks 2 of its 2 data files"),
    "byte order": (header(endianness=7), "no order of bytes"),
    "newer format": (newer_format, "of a newer format"),
    "not for this": (bad_consumer, "of a newer format"),
    "no UTF-8": (named(b"cell/\xff\xfe"), "is no name of a variable"),
    "a slice's name": (named(b"\0cell\0\1\1\1\x80\x7f"), "to no variable"),
}


@pytest.mark.parametrize("case", IN_INDEX)
def test_a_wrong_entry_is_one_line(tmp_path, monkeypatch, case):
    change, message = IN_INDEX[case]
    made = make_bundle()
    change(made)
    made.write(tmp_path / "model")
    line = refusal(tmp_path / "model", monkeypatch)
    assert message in line
    assert "again" in line or "copy" in line


def test_entries_in_one_place_are_refused(tmp_path, monkeypatch):
    made = make_bundle()
    one, other = made.entry("cell/bias"), made.entry("words")
    one.offset = other.offset + 3  # both in the first file
    made.data[0] += bytes(40)
    made.write(tmp_path / "model")
    line = refusal(tmp_path / "model", monkeypatch)
    assert "'cell/bias' and 'words' are in the same place" in line or (
        "'words' and 'cell/bias' are in the same place" in line
    )


@pytest.mark.parametrize("command", ["inspect", "convert", "diagnose"])
def test_every_command_refuses_a_wrong_entry(call_cli, tmp_path, command):
    made = make_bundle()
    shaped("cell/kernel", BIG, 8)(made)
    made.write(tmp_path / "model")
    file = tmp_path / "numbers.npy"
    np.save(file, np.ones((2, 3, 4), "f"))
    options = {
        "inspect": (),
        "convert": ("--out", tmp_path / "out.keras"),
        "diagnose": ("--inputs", file, "--outputs", file),
    }
    done = call_cli(command, tmp_path / "model", *options[command])
    assert done.returncode == 2
    assert "variable 'cell/kernel' has a shape" in done.stderr
    assert not (tmp_path / "out.keras").exists()


def test_a_whole_saved_model_is_checked_too(call_cli, tmp_path, monkeypatch):
    made = make_bundle()
    shaped("cell/kernel", BIG, 8)(made)
    (tmp_path / "saved" / "variables").mkdir(parents=True)
    (tmp_path / "saved" / "saved_model.pb").touch()
    made.write(tmp_path / "saved" / "variables" / "variables")
    monkeypatch.setattr(tf.train, "load_checkpoint", None)
    out = tmp_path / "out.keras"
    done = call_cli("convert", tmp_path / "saved", "--whole", "--out", out)
    assert done.returncode == 2
    assert "variable 'cell/kernel' has a shape" in done.stderr
    assert not out.exists()


def test_a_name_of_control_characters_is_shown_escaped(tmp_path, monkeypatch):
    made = make_bundle()
    named(b"\x1b[2Jcell")(made)
    made.entry(b"\x1b[2Jcell").size = 1
    made.write(tmp_path / "model")
    line = refusal(tmp_path / "model", monkeypatch)
    assert r"variable '\x1b[2Jcell' takes 1 bytes" in line
    assert line.isprintable()


# --- Tables that are wrong ---


def entries_of(made):
    return [(key, value) for key, value in made.stored() if key]


def one_block(content):
    return writer.table_of([(b"\xff", content)])


def no_header(made):
    return writer.table(entries_of(made))


def late_header(made):
    return one_block(writer.block([*entries_of(made), made.stored()[0]]))


def no_entries(made):
    return writer.table_of([])


def empty_block(made):
    return writer.table_of([(b"a", writer.block([]))])


def twice(made):
    stored = made.stored()
    return writer.table([*stored[:3], stored[2], *stored[3:]])


def unsorted(made):
    stored = made.stored()
    return one_block(writer.block([stored[0], *stored[:0:-1]]))


def blocks_swapped(made):
    stored = made.stored()
    parts = stored[:1], stored[5:], stored[1:5]
    return writer.table_of([(p[-1][0], writer.block(p)) for p in parts])


def not_parsed(made):
    return writer.table([*made.stored(), (b"z", b"\xff\xff\xff")])


def header_not_parsed(made):
    return writer.table([(b"", b"\x08"), *entries_of(made)])


def groups_in_groups(made):
    """Field groups, which a parser goes down into."""
    return writer.table([*made.stored(), (b"z", b"\x0b" * 100000)])


def shares_too_much(made):
    """The second key shares more than the first has."""
    key, value = made.stored()[0]
    stored = writer.entry(key, value) + writer.entry(b"abc", b"", shared=9)
    return one_block(stored + struct.pack("<2I", 0, 1))


def value_beyond_the_block(made):
    stored = b"\x00\x00" + writer.varint(2**31) + b"abc"
    return one_block(stored + struct.pack("<2I", 0, 1))


def number_without_end(made):
    return one_block(b"\xff" * 40 + struct.pack("<2I", 0, 1))


def no_restarts(made):
    return one_block(writer.block(made.stored(), restarts=[]))


def wrong_restarts(made):
    return one_block(writer.block(made.stored(), restarts=[0, 3]))


def unsorted_restarts(made):
    return one_block(writer.block(made.stored(), restarts=[0, 0]))


def too_many_restarts(made):
    return one_block(writer.block(made.stored())[:-4] + b"\xff" * 4)


def tiny_block(made):
    return one_block(b"\0\0")


def long_keys(made):
    """Entries of 4 bytes whose keys are a million bytes each."""
    stored = writer.entry(b"", made.stored()[0][1])
    start = len(stored)
    stored += writer.entry(b"a" * 100000, b"")
    for _ in range(1000):
        stored += writer.entry(b"a", b"", shared=100000)
    return one_block(stored + struct.pack("<3I", 0, start, 2))


def handled(change):
    """Changes [(key, offset, size)] of the blocks."""

    def make(made):
        stored = made.stored()
        parts = stored[:4], stored[4:]
        return writer.table_of(
            [(p[-1][0], writer.block(p)) for p in parts], handles=change
        )

    return make


def compressed(number):
    def make(made):
        content = writer.block(made.stored())
        return writer.table_of([(b"\xff", content)], compression=number)

    return make


def separators(made):
    """The index says that the first block ends before it does."""
    return handled(lambda h: [(b"", *h[0][1:]), h[1]])(made)


def late_separator(made):
    """The index says that the first block ends after the next begins."""
    return handled(lambda h: [(b"y", *h[0][1:]), (b"z", *h[1][1:])])(made)


IN_TABLE = {
    "no header": (no_header, "does not begin with a header"),
    "late header": (late_header, "is stored twice, or out of"),
    "no entries": (no_entries, "does not begin with a header"),
    "empty block": (empty_block, "does not begin with a header"),
    "twice": (twice, "stored twice, or out of order"),
    "unsorted": (unsorted, "stored twice, or out of order"),
    "blocks swapped": (blocks_swapped, "out of order"),
    "not parsed": (not_parsed, "'z' cannot be parsed"),
    "header not parsed": (header_not_parsed, "'' cannot be parsed"),
    "groups in groups": (groups_in_groups, "'z' cannot be parsed"),
    "shares too much": (shares_too_much, "does not fit into it"),
    "value beyond": (value_beyond_the_block, "does not fit into it"),
    "number without end": (number_without_end, "does not fit into it"),
    "no restarts": (no_restarts, "no room for its entries"),
    "wrong restarts": (wrong_restarts, "at other places than it says"),
    "unsorted restarts": (unsorted_restarts, "at other places than it says"),
    "many restarts": (too_many_restarts, "no room for its entries"),
    "tiny block": (tiny_block, "a block is cut off"),
    "long keys": (long_keys, "keys are longer than TensorFlow writes"),
    "same block twice": (handled(lambda h: [h[0], h[0]]), "overlap"),
    "block in a block": (
        handled(lambda h: [h[0], (h[1][0], h[0][1] + 9, 9)]),
        "overlap",
    ),
    "block outside": (
        handled(lambda h: [h[0], (h[1][0], 2**40, 9)]),
        "outside of the file",
    ),
    "large block": (
        handled(lambda h: [h[0], (*h[1][:2], 2**62)]),
        "outside of the file",
    ),
    "larger than numbers": (
        handled(lambda h: [h[0], (h[1][0], 2**69, 2**69)]),
        "outside of the file",
    ),
    "block is the index": (
        handled(lambda h: [h[0], (*h[1][:2], h[1][2] + 30)]),
        "overlaps the index",
    ),
    "wrong separator": (separators, "is in the wrong block"),
    "late separator": (late_separator, "is stored twice, or out of order"),
    "unknown compression": (compressed(2), "is compressed by 2, unknown"),
    "not compressed": (compressed(1), "a compressed block is wrong"),
}


@pytest.mark.parametrize("case", IN_TABLE)
def test_a_wrong_table_is_one_line(tmp_path, monkeypatch, case):
    make, message = IN_TABLE[case]
    made = make_bundle()
    made.write(tmp_path / "model", make(made))
    line = refusal(tmp_path / "model", monkeypatch)
    assert f"{tmp_path / 'model.index'} is damaged" in line
    assert message in line
    assert "copy it again" in line


def test_an_index_cut_off_anywhere_is_refused(tmp_path, monkeypatch):
    made = make_bundle()
    whole = writer.table(made.stored())
    for size in range(len(whole)):
        made.write(tmp_path / "model", whole[:size])
        assert "copy it again" in refusal(tmp_path / "model", monkeypatch)


def test_any_byte_of_an_index_that_changed_is_noticed(tmp_path):
    """All but the zeros that fill up the footer."""
    made = make_bundle()
    made.write(tmp_path / "model")
    right = tensor_bundle.read_index(tmp_path / "model")
    whole = writer.table(made.stored())
    missed = 0
    for at in range(len(whole)):
        changed = bytearray(whole)
        changed[at] ^= 1 << at % 8
        (tmp_path / "model.index").write_bytes(changed)
        try:
            found = tensor_bundle.read_index(tmp_path / "model")
        except UserError:
            continue
        assert found == right
        missed += 1
    assert missed <= 40


def test_a_damaged_block_loses_no_variables(tmp_path):
    """TensorFlow's reader goes on without the entries of that block."""
    made = writer.Bundle(1)
    for number in range(40):
        made.add(f"variable_{number:02d}", np.float32([number]))
    whole = bytearray(writer.table(made.stored()))
    whole[whole.index(b"variable_20") + 5] ^= 1  # where a block begins
    made.write(tmp_path / "model", whole)
    native = tf.compat.v1.train.NewCheckpointReader(str(tmp_path / "model"))
    assert len(native.get_variable_to_shape_map()) < 40
    with pytest.raises(UserError, match="does not match its checksum"):
        reader.open_checkpoint(tmp_path / "model")


# --- Data ---


@pytest.mark.parametrize("name", [*ARRAYS, "words"])
def test_damaged_data_are_noticed_and_the_rest_is_read(tmp_path, name):
    """Also after a damaged slice, when TensorFlow's own reader ends."""
    made = make_bundle()
    if name == "nothing":
        return
    key = slice_key(4, 1) if name == "embedding" else name
    one = made.entry(key)
    made.data[one.shard_id][one.offset + one.size - 1] ^= 64
    made.write(tmp_path / "model")
    opened = reader.open_checkpoint(tmp_path / "model")
    for _ in range(2):
        with pytest.raises(UserError, match=f"'{name}', cannot be read"):
            opened.read(name)
        for other, array in ARRAYS.items():
            if other != name:
                np.testing.assert_array_equal(opened.read(other), array)


def test_data_cut_off_are_refused_at_once(tmp_path, monkeypatch):
    made = make_bundle()
    made.write(tmp_path / "model")
    path = tmp_path / "model.data-00001-of-00002"
    path.write_bytes(path.read_bytes()[:-1])
    assert f"of {path}, which has" in refusal(tmp_path / "model", monkeypatch)


def test_the_index_is_parsed_once(tmp_path, monkeypatch):
    make_bundle().write(tmp_path / "model")
    opened = reader.open_checkpoint(tmp_path / "model")
    monkeypatch.setattr(tensor_bundle, "read_index", None)
    monkeypatch.setattr(tf.compat.v1.train, "NewCheckpointReader", None)
    for name in ARRAYS:
        opened.read(name)


def test_data_are_not_read_to_be_checked(tmp_path):
    """Of a terabyte, in a file with a hole, not a byte is there."""
    made = writer.Bundle(1)
    made.add("a", np.zeros(1, "f"))
    made.entry("a").shape.dim[0].size = 2**38
    made.entry("a").size = 2**40
    made.write(tmp_path / "model")
    os.truncate(tmp_path / "model.data-00000-of-00001", 2**40)
    shapes, _, _ = tensor_bundle.read_index(tmp_path / "model")
    assert shapes == {"a": (2**38,)}


# --- The old format ---


def test_the_old_format_is_read_whole(tmp_path):
    made = writer.Slices()
    for name in ("cell/bias", "embedding"):
        made.add(name, ARRAYS[name])
    made.write(tmp_path / "model.ckpt")
    opened = reader.open_checkpoint(tmp_path / "model.ckpt")
    for name in ("cell/bias", "embedding"):
        np.testing.assert_array_equal(opened.read(name), ARRAYS[name])


@pytest.fixture(scope="module")
def old_format(tmp_path_factory):
    """What TensorFlow itself saves: in slices, and of other types."""
    v1, prefix = tf.compat.v1, tmp_path_factory.mktemp("v1") / "model.ckpt"
    kinds = (np.float16, np.complex64, np.bool_, np.int64)
    values = {
        np.dtype(k).name: RANDOM.normal(size=3).astype(k) for k in kinds
    }
    with tf.Graph().as_default(), v1.Session() as session:
        parts = v1.get_variable(
            "sliced", (7, 3), partitioner=v1.fixed_size_partitioner(3)
        )
        for name, value in values.items():
            v1.get_variable(name, initializer=value)
        session.run(v1.global_variables_initializer())
        saver = v1.train.Saver(write_version=v1.train.SaverDef.V1)
        saver.save(session, str(prefix))
        values["sliced"] = np.concatenate(session.run(list(parts)))
    return prefix, values


def test_the_old_format_is_read_in_slices_and_of_any_type(old_format):
    prefix, values = old_format
    opened = reader.open_checkpoint(prefix)
    assert opened.shapes.keys() == values.keys()
    for name, value in values.items():
        np.testing.assert_array_equal(opened.read(name), value)


def snappy(content):
    """A block as snappy stores it: literals, and what was there before."""
    stored, at = writer.varint(len(content)), 0
    while at < len(content):
        back = content.find(content[at : at + 4], max(0, at - 2000), at + 3)
        if at > 8 and at + 4 <= len(content) and 0 <= back < at:
            kind = at // 7 % 3  # each way to say how far back
            if kind == 0 and at - back < 2048:
                far = at - back
                stored += bytes([1 | far >> 8 << 5, far & 255])
            elif kind == 1:
                stored += bytes([2 | 3 << 2]) + struct.pack("<H", at - back)
            else:
                stored += bytes([3 | 3 << 2]) + struct.pack("<I", at - back)
            at += 4
        else:
            part = content[at : at + 70]
            size = bytes([len(part) - 1])
            long = len(part) > 60
            stored += b"\xf0" + size if long else bytes([size[0] << 2])
            stored += part
            at += len(part)
    return stored


def squeezed(made):
    content = writer.block(made.stored())
    return writer.table_of([(b"\xff", snappy(content))], compression=1)


def test_compressed_blocks_are_read_as_tensorflow_reads_them(tmp_path):
    made = make_bundle()
    made.write(tmp_path / "model", squeezed(made))
    opened = reader.open_checkpoint(tmp_path / "model")
    old = writer.Slices()
    old.add("embedding", ARRAYS["embedding"])
    old.write(tmp_path / "old", squeezed(old))
    for one in (opened, reader.open_checkpoint(tmp_path / "old")):
        found = one.read("embedding")
        np.testing.assert_array_equal(found, ARRAYS["embedding"])


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        (b"\xff\xff\xff\xff\x0f\0a", "cannot be as long as it says"),
        (b"\x05\x10hell", "is not as long as it says"),
        (b"\x05\x14hello!", "is not as long as it says"),
        (b"\x08\x0chell\x01\x09", "copies what is not there"),
        (b"\x08\x0chell\x01\x00", "copies what is not there"),
        (b"", "cannot be as long as it says"),
        (b"\x05\xf4\xff", "is not as long as it says"),
    ],
)
def test_wrong_compression_is_told(stored, message):
    with pytest.raises(ValueError, match=message):
        sstable.snappy_uncompressed(stored)


@pytest.mark.parametrize(
    ("element", "back", "size"),
    [
        (bytes([1 | (7 - 4) << 2 | 5 << 5, 44]), 5 * 256 + 44, 7),
        (bytes([2 | (64 - 1) << 2, 44, 5]), 5 * 256 + 44, 64),
        (bytes([3 | (1 - 1) << 2, 44, 5, 0, 0]), 5 * 256 + 44, 1),
        (bytes([2 | (9 - 1) << 2, 2, 0]), 2, 9),  # more than is there yet
    ],
)
def test_compression_copies_from_far_back(element, back, size):
    before = RANDOM.bytes(1500)
    literal = bytes([61 << 2]) + struct.pack("<H", len(before) - 1) + before
    found = sstable.snappy_uncompressed(
        writer.varint(len(before) + size) + literal + element
    )
    copied = (before[len(before) - back :] * size)[:size]
    assert found == before + copied


def listed(**fields):
    def change(made):
        for field, value in fields.items():
            setattr(made.meta.tensor[0], field, value)

    return change


def listed_shape(*sizes):
    return lambda made: writer._set_shape(made.meta.tensor[0].shape, sizes)


def unlisted_rank(made):
    made.meta.tensor[0].shape.unknown_rank = True


def without_value(made):
    made.values.clear()


def without_slice(made):
    del made.meta.tensor[0].slice[:]


def listed_twice(made):
    made.meta.tensor.add().CopyFrom(made.meta.tensor[0])


def listed_as_part(made):
    made.meta.tensor.pop()
    made.values.clear()
    made.add("embedding", ARRAYS["embedding"][:4], shape=(7, 3), start=0)


def newer_slices(made):
    made.meta.versions.min_consumer = 2


IN_SLICES = {
    "negative size": (listed_shape(-7, 3), "a negative size"),
    "overflow": (listed_shape(BIG, 8), "more elements than can be"),
    "too large": (listed_shape(2**40, 3), "elements in a value of"),
    "a little too large": (listed_shape(12, 3), "36 elements in a value"),
    "other rank": (listed_shape(21), "a slice of 2 dimensions"),
    "rank 255": (listed_shape(*[1] * 255), "has 255 dimensions"),
    "unknown rank": (unlisted_rank, "unknown rank"),
    "no type": (listed(type=0), "type number 0"),
    "resource": (listed(type=20), "is a resource"),
    "no name": (listed(name=""), "has no name"),
    "zero in a name": (listed(name="a\0b"), "has no name"),
    "another name": (listed(name="b"), "a value that is not in the file"),
    "no value": (without_value, "a value that is not in the file"),
    "no slice": (without_slice, "listed without a value"),
    "listed twice": (listed_twice, "leave a gap in its shape [7, 3], or"),
    "a part alone": (listed_as_part, "a shard may be missing"),
    "newer": (newer_slices, "of a newer format"),
}


@pytest.mark.parametrize("case", IN_SLICES)
def test_a_wrong_entry_of_the_old_format_is_one_line(
    tmp_path, monkeypatch, case
):
    change, message = IN_SLICES[case]
    made = writer.Slices()
    made.add("embedding", ARRAYS["embedding"])
    change(made)
    made.write(tmp_path / "model.ckpt")
    line = refusal(tmp_path / "model.ckpt", monkeypatch)
    assert message in line
    assert "again" in line


def test_nine_dimensions_of_the_old_format_are_refused(tmp_path, monkeypatch):
    made = writer.Slices()
    made.add("a", np.ones([1] * 9, "f"))
    made.write(tmp_path / "model.ckpt")
    assert "9 dimensions" in refusal(tmp_path / "model.ckpt", monkeypatch)


def test_a_file_without_its_list_is_refused(tmp_path, monkeypatch):
    made = writer.Slices()
    made.add("embedding", ARRAYS["embedding"])
    made.write(tmp_path / "a", writer.table(made.stored()[1:]))
    line = refusal(tmp_path / "a", monkeypatch)
    assert "does not begin with its variables" in line
    made.write(tmp_path / "b", writer.table([(b"", b"\x0a\xff")]))
    assert "cannot be parsed" in refusal(tmp_path / "b", monkeypatch)


def test_the_old_format_cut_off_anywhere_is_refused(tmp_path, monkeypatch):
    made = writer.Slices()
    made.add("embedding", ARRAYS["embedding"])
    whole = writer.table(made.stored())
    for size in range(len(whole)):
        made.write(tmp_path / "model.ckpt", whole[:size])
        line = refusal(tmp_path / "model.ckpt", monkeypatch)
        assert "is cut off" in line or "copy it again" in line


def test_any_byte_of_the_old_format_that_changed_is_noticed(tmp_path):
    made = writer.Slices()
    made.add("embedding", ARRAYS["embedding"])
    whole = writer.table(made.stored())
    path, missed = tmp_path / "model.ckpt", 0
    for at in range(len(whole)):
        changed = bytearray(whole)
        changed[at] ^= 1 << at % 8
        path.write_bytes(changed)
        try:
            found = reader.open_checkpoint(path).read("embedding")
        except UserError:
            continue
        np.testing.assert_array_equal(found, ARRAYS["embedding"])
        missed += 1
    assert missed <= 40


# --- Files that are missing ---


@pytest.mark.parametrize("name", ["sharded", "sharded_v1"])
@pytest.mark.parametrize("number", range(3))
def test_each_missing_shard_is_named(tmp_path, monkeypatch, name, number):
    folder = shutil.copytree(FOLDER / name, tmp_path / name)
    (gone,) = folder.glob(f"*-{number:05d}-of-00003")
    gone.unlink()
    for path in (folder, folder / "model.ckpt"):
        line = refusal(path, monkeypatch)
        assert "lacks 1 of its 3 data files" in line
        assert f"number {number:05d}" in line


@pytest.mark.parametrize(
    "path",
    [
        "model.ckpt",
        "model.ckpt-00000-of-00003",
        "model.ckpt-00002-of-00003",
        "model.ckpt-?????-of-00003",
        "checkpoint",
        "",
    ],
)
def test_a_shard_of_the_old_format_finds_the_others(path):
    whole = FOLDER / "sharded_v1"
    opened = reader.open_checkpoint(whole / path)
    shards = sorted(whole.glob("model.ckpt-*"))
    names, _, _ = saved_tensor_slices.read_meta(shards)
    assert opened.shapes == names
    assert {"dense/kernel", "rnn/lstm_cell/kernel"} <= names.keys()
    for name in names:
        assert np.isfinite(opened.read(name)).all()


def test_one_shard_given_alone_is_refused(call_cli, tmp_path):
    shard = "model.ckpt-00001-of-00003"
    shutil.copy(FOLDER / "sharded_v1" / shard, tmp_path / shard)
    out = tmp_path / "model.keras"
    done = call_cli("convert", tmp_path / shard, "--out", out)
    assert done.returncode == 2
    assert "lacks 2 of its 3 data files" in done.stderr
    assert not out.exists()


def write_parts(folder, base="model.ckpt", total=2):
    """A variable in two shards of the old format."""
    array = ARRAYS["embedding"]
    for number, rows in enumerate((slice(0, 4), slice(4, 7))):
        part = writer.Slices()
        part.add("embedding", array[rows], array.shape, rows.start)
        part.write(folder / f"{base}-{number:05d}-of-{total:05d}")
    return array


def test_parts_in_several_shards_are_put_together(tmp_path):
    array = write_parts(tmp_path)
    opened = reader.open_checkpoint(tmp_path / "model.ckpt")
    np.testing.assert_array_equal(opened.read("embedding"), array)


def test_a_renamed_shard_that_holds_a_part_is_refused(tmp_path, monkeypatch):
    """TensorFlow fills the rest with whatever is in memory."""
    write_parts(tmp_path)
    (tmp_path / "model.ckpt-00000-of-00002").rename(tmp_path / "model")
    line = refusal(tmp_path / "model", monkeypatch)
    assert "'embedding' has slices that leave a gap" in line
    assert "a shard may be missing" in line


def test_shards_that_differ_are_refused(tmp_path, monkeypatch):
    write_parts(tmp_path)
    part = writer.Slices()
    part.add("embedding", ARRAYS["embedding"][4:], (7, 4), 4)
    part.write(tmp_path / "model.ckpt-00001-of-00002")
    line = refusal(tmp_path / "model.ckpt", monkeypatch)
    assert "has another shape in another place" in line


def test_shards_of_two_checkpoints_are_told_apart(tmp_path, monkeypatch):
    array = write_parts(tmp_path)
    made = writer.Slices()
    made.add("embedding", array + 1)
    made.write(tmp_path / "model.ckpt-00000-of-00001")
    line = refusal(tmp_path / "model.ckpt", monkeypatch)
    assert "shards of several checkpoints" in line
    one = reader.open_checkpoint(tmp_path / "model.ckpt-00000-of-00001")
    two = reader.open_checkpoint(tmp_path / "model.ckpt-00000-of-00002")
    np.testing.assert_array_equal(one.read("embedding"), array + 1)
    np.testing.assert_array_equal(two.read("embedding"), array)


def test_a_shard_that_cannot_be_is_refused(tmp_path, monkeypatch):
    write_parts(tmp_path)
    stray = tmp_path / "model.ckpt-00007-of-00002"
    shutil.copy(tmp_path / "model.ckpt-00000-of-00002", stray)
    line = refusal(tmp_path / "model.ckpt", monkeypatch)
    assert f"{stray} cannot be one of 2 files" in line


def test_data_files_of_another_checkpoint_are_left_alone(tmp_path):
    make_bundle().write(tmp_path / "model")
    (tmp_path / "model.data-00000-of-00005").write_bytes(b"left over")
    opened = reader.open_checkpoint(tmp_path / "model")
    np.testing.assert_array_equal(opened.read("cell/kernel"),
                                  ARRAYS["cell/kernel"])  # fmt: skip


# --- Names of files ---


@pytest.mark.parametrize("listing", [None, ".", "", "/gone/model.weights/"])
def test_a_prefix_may_be_a_folder_alone(tmp_path, call_cli, listing):
    """As `save_weights("model.weights/")` leaves it."""
    folder = tmp_path / "model.weights"
    folder.mkdir()
    made = make_bundle()
    made.write(f"{folder}/")
    if listing is not None:
        (folder / "checkpoint").write_text(
            f'model_checkpoint_path: "{listing}"\n'
        )
    for path in (folder, f"{folder}/", folder / ".index"):
        opened = reader.open_checkpoint(path)
        np.testing.assert_array_equal(
            opened.read("cell/bias"), ARRAYS["cell/bias"]
        )
    assert call_cli("inspect", folder).returncode == 0
    (folder / ".data-00001-of-00002").unlink()
    done = call_cli("inspect", folder)
    assert done.returncode == 2
    assert "lacks 1 of its 2 data files" in done.stderr


@pytest.mark.parametrize("name", ["a[b]*", "a?c", "a\\b", "m\u00fcll"])
def test_names_that_are_patterns_are_read(tmp_path, name):
    make_bundle().write(tmp_path / name)
    (tmp_path / "checkpoint").write_bytes(
        b'model_checkpoint_path: "'
        + name.encode("unicode_escape").replace(b"\\xfc", rb"\303\274")
        + b'"\n'
    )
    for path in (tmp_path / name, tmp_path):
        opened = reader.open_checkpoint(path)
        np.testing.assert_array_equal(
            opened.read("embedding"), ARRAYS["embedding"]
        )


@pytest.fixture
def two_folders(tmp_path):
    """A checkpoint in one folder, a file that names it in another."""
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    make_bundle().write(outside / "model")
    return outside, inside


@pytest.mark.parametrize("form", ["absolute", "climbing", "a linked folder"])
def test_a_listing_that_leads_out_is_said(call_cli, two_folders, form):
    outside, inside = two_folders
    listing = {
        "absolute": str(outside / "model"),
        "climbing": "../outside/model",
        "a linked folder": "link/model",
    }[form]
    (inside / "link").symlink_to(outside)
    (inside / "checkpoint").write_text(
        f'model_checkpoint_path: "{listing}"\n'
    )
    said = f"leads out of its folder; reading {outside / 'model'}"
    assert said in " ".join(reader.open_checkpoint(inside).notes)
    done = call_cli("inspect", inside)
    assert done.returncode == 0
    assert said in " ".join(done.stdout.split())


def test_what_is_in_the_folder_comes_before_what_is_elsewhere(two_folders):
    outside, inside = two_folders
    made = writer.Bundle(1)
    made.add("inside", ARRAYS["embedding"])
    made.write(inside / "model")
    (inside / "checkpoint").write_text(
        f'model_checkpoint_path: "{outside / "model"}"\n'
    )
    opened = reader.open_checkpoint(inside)
    assert list(opened.shapes) == ["inside"]
    assert opened.notes == []


def test_an_absolute_path_in_the_folder_needs_no_word(two_folders):
    outside, _ = two_folders
    (outside / "checkpoint").write_text(
        f'model_checkpoint_path: "{outside / "model"}"\n'
    )
    assert reader.open_checkpoint(outside).notes == []


def test_links_that_lead_out_are_said(two_folders):
    outside, inside = two_folders
    for file in outside.iterdir():
        (inside / file.name).symlink_to(file)
    notes = reader.open_checkpoint(inside / "model").notes
    assert notes == [
        f"{inside / 'model.index'} is a link to {outside / 'model.index'}, "
        "and 2 more"
    ]


def test_a_linked_folder_is_a_folder(two_folders):
    outside, inside = two_folders
    (inside / "link").symlink_to(outside)
    assert reader.open_checkpoint(inside / "link" / "model").notes == []


# --- What is no regular file ---


@pytest.mark.parametrize(
    "name",
    [
        "model.index",
        "model.data-00001-of-00002",
        "checkpoint",
        "old",
        "parts-00001-of-00002",
    ],
)
def test_a_pipe_is_refused_not_waited_for(tmp_path, monkeypatch, name):
    make_bundle().write(tmp_path / "model")
    write_parts(tmp_path, base="parts")
    (tmp_path / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / name)
    paths = [tmp_path / name]
    paths += [tmp_path] if name == "checkpoint" else []
    paths += [tmp_path / name.partition("-")[0]] if "parts" in name else []
    for path in paths:
        line = refusal(path, monkeypatch)
        assert f"{tmp_path / name} is a pipe" in line


@pytest.mark.parametrize(
    "name", ["saved_model.pb", "keras_metadata.pb", "assets/saved_model.json"]
)
def test_a_pipe_in_a_saved_model_is_refused(tmp_path, monkeypatch, name):
    (tmp_path / "variables").mkdir()
    (tmp_path / "assets").mkdir()
    (tmp_path / "saved_model.pb").touch()
    make_bundle().write(tmp_path / "variables" / "variables")
    (tmp_path / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / name)
    assert "is a pipe" in refusal(tmp_path, monkeypatch)


def test_a_folder_that_cannot_be_listed_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "model").mkdir()

    def refuse(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "listdir", refuse)
    line = refusal(tmp_path / "model", monkeypatch)
    assert line == f"cannot read {tmp_path / 'model'}: Permission denied"


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (MemoryError(), "takes more memory than there is"),
        (EOFError(), "cannot be read, it is damaged"),
        (OverflowError(), "cannot be read, it is damaged"),
        (FileNotFoundError(), "there is no file"),
    ],
)
def test_what_a_reader_raises_is_one_line(
    tmp_path, monkeypatch, error, message
):
    make_bundle().write(tmp_path / "model")
    opened = reader.open_checkpoint(tmp_path / "model")

    def fail(*_):
        raise error

    monkeypatch.setattr(reader._Arrays, "read", fail)
    with pytest.raises(UserError, match=message):
        opened.read("cell/bias")
