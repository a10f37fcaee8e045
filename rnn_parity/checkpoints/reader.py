"""Reading TensorFlow 1 checkpoints of either format, `.npz` and HDF5 files.

No code of TensorFlow 1 runs and no graph is needed: names, shapes and arrays
are all there is. Arrays are read one at a time, when asked for.
"""

import contextlib
import os
import pathlib
import re
import tempfile

import numpy as np

from rnn_parity import arrays
from rnn_parity.checkpoints import (
    checkpoint_files,
    hdf5,
    keras_config,
    objects,
    saved_tensor_slices,
    tensor_bundle,
)
from rnn_parity.errors import UserError
from rnn_parity.files import must_be_regular

_BFLOAT16 = "bfloat16"  # NumPy has none
# What TensorFlow's reader takes from V1 files. For other types, and for
# variables in slices, there is the operation of its old savers.
_TYPES_OF_V1 = {
    *("float32", "float64", "string", "uint8"),
    *("int8", "int16", "int32", "int64"),
}
CONVERTED = "converted by rnn-parity"  # an entry of .npz files


class Checkpoint:
    """An open checkpoint.

    Attributes:
        path: what was opened, a prefix or a file.
        shapes: {name: shape}, names as `objects.plain_names` has them.
        dtypes: {name: NumPy dtype's name}.
        stored: {name: what it is in the file}.
        notes: lines about how it was found, for the user.
        told: {scope: {option: value}} that it says of its layers.
    """

    def __init__(self, path, shapes, dtypes, read, notes=()):
        self.path = path
        self.told = {}
        graph = None
        if objects.GRAPH in shapes:
            with _damage_told(path, objects.GRAPH):
                graph = read(objects.GRAPH).item()
        with _damage_told(path):
            self.stored = objects.plain_names(sorted(shapes), graph)
        named = sorted(self.stored.items())
        self.shapes = {name: tuple(shapes[at]) for name, at in named}
        self.dtypes = {name: dtypes[at] for name, at in named}
        self.notes = list(notes)
        self._read = read

    def read(self, name):
        """The array of that name, anew from the file.

        Raises:
            UserError: the file is damaged there.
        """
        with _damage_told(self.path, name):
            return self._read(self.stored[name])


def open_checkpoint(path):
    """Opens what `path` leads to.

    Args:
        path: a prefix (`model.ckpt-1000`), one of its files, a folder, a
            SavedModel, an `.npz` file of arrays under their TensorFlow 1
            names, or an `.h5` file of tf.keras.

    Raises:
        UserError: there is nothing, it is damaged or of another kind.
    """
    try:
        return _open(pathlib.Path(path))
    except OSError as error:
        raise UserError(
            f"cannot read {error.filename or path}: {error.strerror}"
        ) from None


def _open(given):
    if given.is_dir():
        return _open_folder(given)
    if given.name == "checkpoint" and checkpoint_files.listed(given):
        return _open_folder(given.parent)
    if given.suffix == ".npz":
        return _open_npz(given)
    if given.suffix in (".h5", ".hdf5"):
        return _open_hdf5(given)
    _refuse_others(given)
    files = checkpoint_files.find(given)
    if files is None:
        raise UserError(checkpoint_files.nothing_there(str(given)))
    return _open_files(files, [])


# --- What the path leads to ---


def _refuse_others(path):
    if path.name.startswith("saved_model.pb") and path.is_file():
        raise UserError(f"{path} is a SavedModel's; give {path.parent}")
    kinds = {
        ".keras": "a Keras model already (rnn-parity export goes back)",
        ".pb": "a graph; weights frozen into it are no checkpoint: give the "
        "checkpoint it was made from",
        ".pbtxt": "a graph without weights; give the checkpoint beside it",
    }
    if path.suffix in kinds and path.is_file():
        raise UserError(f"{path} is {kinds[path.suffix]}")


def _open_folder(folder):
    if (folder / "saved_model.pb").exists() or (
        folder / "saved_model.pbtxt"
    ).exists():
        return _open_saved_model(folder)
    found = _newest_in(folder)
    if found:
        return _open_files(*found)
    prefixes = checkpoint_files.prefixes_in(folder)
    if len(prefixes) == 1:
        note = f"reading the only checkpoint in {folder}: {prefixes[0]}"
        return _open_files(checkpoint_files.find(prefixes[0]), [note])
    if prefixes:
        raise UserError(
            f"{folder} holds {len(prefixes)} checkpoints and no file that "
            f"says which is the newest; name one: {', '.join(prefixes)}"
        )
    raise UserError(
        f"there is no TensorFlow 1 checkpoint in {folder}{_hint(folder)}"
    )


def _newest_in(folder):
    """(files, notes) by the folder's `checkpoint` file; or None."""
    state = folder / "checkpoint"
    listed = checkpoint_files.listed(state)
    for at, prefix in enumerate(listed):
        found = checkpoint_files.moved(folder, prefix)
        if found is None:
            continue
        files, outside = found
        notes = []
        if at:
            if len(checkpoint_files.prefixes_in(folder)) > 1:
                return None
            notes.append(
                f"the newest that {state} lists is gone ({listed[0]}); "
                f"reading {files.prefix}"
            )
        if outside:
            notes.append(
                f"{state} leads out of its folder; reading "
                f"{os.path.realpath(files.prefix)}"
            )
        return files, notes
    return None


def _hint(folder):
    """What else there is to name in a folder without a checkpoint."""
    archives = sorted([*folder.glob("*.npz"), *folder.glob("*.h5")])
    hint = f"; name a file, such as {archives[0]}" if archives else ""
    within = sorted(path.parent for path in folder.glob("*/saved_model.pb*"))
    within += sorted(path.parent for path in folder.glob("*/checkpoint"))
    if within:
        hint = f"; name a folder in it, such as {within[-1]}"
    prefix = checkpoint_files.without_index(folder)
    return f"; {prefix}.index is missing" if prefix else hint


def _open_saved_model(folder):
    prefix = folder / "variables" / "variables"
    if not prefix.with_suffix(".index").exists():
        raise UserError(
            f"{folder} is a SavedModel without variables; give the "
            "checkpoint it was made from"
        )
    for name in ("saved_model.pb", "keras_metadata.pb"):
        must_be_regular(folder / name)
    must_be_regular(folder / "assets" / "saved_model.json")
    note = f"reading the variables of the SavedModel {folder}"
    opened = _open_files(checkpoint_files.find(prefix), [note])
    try:
        layers, notes = keras_config.in_saved_model(folder, opened)
        opened.told = keras_config.options_of(layers)
    except UserError:
        raise
    except Exception as error:  # the variables do without
        reason = str(error).split("\n", maxsplit=1)[0][:120]
        notes = [f"what {folder} says of its layers is damaged ({reason})"]
    opened.notes += notes
    return opened


# --- Opening ---


def _open_files(files, notes):
    """A `Checkpoint` of TensorFlow's files, which are checked first."""
    in_slices = ()
    if files.v2:
        shapes, types, data = tensor_bundle.read_index(files.prefix)
    else:
        shapes, types, in_slices = saved_tensor_slices.read_meta(files.tables)
        data = []
    notes += _links([*files.tables, *data])
    narrow = {name for name, kind in types.items() if kind == _BFLOAT16}
    if narrow:
        notes.append(
            f"{len(narrow)} variables of bfloat16 are read as float32, which "
            "holds them exactly"
        )
    arrays = _Arrays(files, data, types, in_slices)

    def read(name):
        array = arrays.read(name)
        if types[name] == "string":
            return np.array(array, object)  # NumPy's own lose a last zero
        return array.astype(np.float32) if name in narrow else array

    dtypes = {**types, **dict.fromkeys(narrow, "float32")}
    return Checkpoint(files.prefix, shapes, dtypes, read, notes)


def _links(paths):
    """A line where files are links that lead out of their folder."""
    leading = [
        path
        for path in paths
        if checkpoint_files.leads_out(os.path.dirname(path), path)
    ]
    if not leading:
        return []
    others = f", and {len(leading) - 1} more" if leading[1:] else ""
    return [
        f"{leading[0]} is a link to {os.path.realpath(leading[0])}{others}"
    ]


class _Arrays:
    """The arrays of a checkpoint, read by TensorFlow."""

    def __init__(self, files, data, types, in_slices):
        self._types = types
        self._by_operation = set(in_slices)
        self._links = None  # there as long as it is read
        self._reader = None
        if files.v2:
            paths = [*files.tables, *data]
            self._pattern, self._links = _plainly_named(files.prefix, paths)
        else:
            self._pattern = _escaped(files.prefix)
            self._by_operation.update(
                name for name, of in types.items() if of not in _TYPES_OF_V1
            )
        if files.total:
            self._pattern += f"-?????-of-{files.total:05d}"
        with _damage_told(files.prefix):
            self._open()

    def _open(self):
        from rnn_parity.quiet import tf

        self._reader = tf.compat.v1.train.NewCheckpointReader(self._pattern)

    def read(self, name):
        """One array, anew from the file."""
        if name in self._by_operation:
            return self._read_by_operation(name)
        if self._reader is None:
            self._open()
        try:
            return self._reader.get_tensor(name)
        except Exception:
            # After a slice that is damaged, a second read would end the
            # process.
            self._reader = None
            raise

    def _read_by_operation(self, name):
        from rnn_parity.quiet import tf

        with tf.init_scope(), tf.device("CPU"):
            return tf.raw_ops.Restore(
                file_pattern=self._pattern,
                tensor_name=name,
                dt=self._types[name],
            ).numpy()


def _plainly_named(prefix, paths):
    """(a prefix of the files that is no pattern, what keeps it there).

    TensorFlow takes the prefix for a pattern when it looks for the index,
    and as it is when it opens the data, so escaping does not help.
    """
    if _escaped(prefix) == prefix:
        return prefix, None
    links = tempfile.TemporaryDirectory(prefix="rnn-parity-")
    plain = os.path.join(links.name, "model.ckpt")
    for path in paths:
        os.symlink(os.path.abspath(path), plain + path.removeprefix(prefix))
    return plain, links


def _escaped(prefix):
    """As a pattern for the file names TensorFlow looks for."""
    return re.sub(r"([*?\[\\])", r"\\\1", prefix)


def _open_npz(path):
    stored = arrays.load_npz(path)
    if CONVERTED in stored:
        raise UserError(
            f"{path} is converted already; give the checkpoint it was made of"
        )
    found = {name.removesuffix(":0"): v for name, v in stored.items()}
    if len(found) < len(stored):
        twice = next(name for name in found if f"{name}:0" in stored)
        raise UserError(
            f"{path} holds both {twice} and {twice}:0; leave out one"
        )
    return Checkpoint(
        str(path),
        {name: value.shape for name, value in found.items()},
        {name: value.dtype.name for name, value in found.items()},
        found.__getitem__,
    )


def _open_hdf5(path):
    with _damage_told(path):
        shapes, dtypes, read, notes, layers = hdf5.open_file(path)
    opened = Checkpoint(str(path), shapes, dtypes, read, notes)
    plain = {stored: name for name, stored in opened.stored.items()}
    for layer, names in layers:
        of_layer = {plain[name]: shapes[name] for name in names}
        found = keras_config.in_order(layer, of_layer)
        opened.told |= keras_config.options_of(found)
    return opened


@contextlib.contextmanager
def _damage_told(path, name=None):
    """Turns what readers raise into one line."""
    what = f"{path}, {name!r}," if name else str(path)
    try:
        yield
    except UserError:
        raise
    except FileNotFoundError:
        raise UserError(f"there is no file {path}") from None
    except MemoryError:
        raise UserError(
            f"{what} takes more memory than there is to read"
        ) from None
    except PermissionError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    except Exception as error:  # zip, zlib, NumPy and TensorFlow have many
        raise _as_user_error(what, error) from None


def _as_user_error(what, error):
    reason = str(error).split("\n", maxsplit=1)[0][:120]
    return UserError(
        f"{what} cannot be read, it is damaged or no checkpoint "
        f"({reason}); copy it again"
    )
