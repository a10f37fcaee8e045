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

from rnn_parity.checkpoints import hdf5, keras_config, objects
from rnn_parity.errors import UserError

_SHARD = re.compile(r"(.+)\.data-\d{5}-of-(\d{5})$")
_SHARD_V1 = re.compile(r"(.+)-\d{5}-of-(\d{5})$")
_ENDINGS = (".index", ".meta")
_BFLOAT16 = "bfloat16"  # NumPy has none
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
    given = pathlib.Path(path)
    if given.is_dir():
        return _open_folder(given)
    if given.name == "checkpoint" and _listed(given):
        return _open_folder(given.parent)
    if given.suffix == ".npz":
        return _open_npz(given)
    if given.suffix in (".h5", ".hdf5"):
        return _open_hdf5(given)
    _refuse_others(given)
    return _open_prefix(_prefix_of(str(given)), notes=[])


# --- What the path leads to ---


def _prefix_of(path):
    """The prefix that one of a checkpoint's files belongs to."""
    for ending in _ENDINGS:
        if path.endswith(ending):
            return path.removesuffix(ending)
    shard = _SHARD.match(path)
    return shard.group(1) if shard else path


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
    prefixes = _prefixes_in(folder)
    listed = _listed(folder / "checkpoint")
    for at, prefix in enumerate(listed):
        found = _moved(folder, prefix)
        if found is None:
            continue
        notes = []
        if at:
            notes.append(
                f"the newest that {folder / 'checkpoint'} lists is gone "
                f"({listed[0]}); reading {found}"
            )
        if at and len(prefixes) > 1:
            break
        return _open_prefix(found, notes)
    if len(prefixes) == 1:
        note = f"reading the only checkpoint in {folder}: {prefixes[0]}"
        return _open_prefix(prefixes[0], [note])
    if prefixes:
        raise UserError(
            f"{folder} holds {len(prefixes)} checkpoints and no file that "
            f"says which is the newest; name one: {', '.join(prefixes)}"
        )
    archives = sorted([*folder.glob("*.npz"), *folder.glob("*.h5")])
    hint = f"; name a file, such as {archives[0]}" if archives else ""
    within = sorted(path.parent for path in folder.glob("*/saved_model.pb*"))
    within += sorted(path.parent for path in folder.glob("*/checkpoint"))
    if within:
        hint = f"; name a folder in it, such as {within[-1]}"
    for path in sorted(folder.iterdir()):
        shard = _SHARD.match(str(path))
        if shard:
            hint = f"; {shard.group(1)}.index is missing"
    raise UserError(f"there is no TensorFlow 1 checkpoint in {folder}{hint}")


def _open_saved_model(folder):
    prefix = folder / "variables" / "variables"
    if not prefix.with_suffix(".index").exists():
        raise UserError(
            f"{folder} is a SavedModel without variables; give the "
            "checkpoint it was made from"
        )
    note = f"reading the variables of the SavedModel {folder}"
    opened = _open_prefix(str(prefix), [note])
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


def _prefixes_in(folder):
    """Every prefix of a checkpoint in a folder, sorted."""
    found = {str(path)[: -len(".index")] for path in folder.glob("*.index")}
    for path in folder.iterdir():
        shard = _SHARD_V1.match(str(path))
        if shard and ".data-" not in path.name:
            found.add(shard.group(1))
    for meta in folder.glob("*.meta"):
        prefix = str(meta)[: -len(".meta")]
        if os.path.isfile(prefix):
            found.add(prefix)
    return sorted(found)


def _listed(path):
    """The prefixes that a `checkpoint` file lists, the newest first."""
    try:
        text = path.read_text("utf-8", errors="replace")
    except OSError:
        return []
    named = re.findall(r'^(\w+): "(.*)"$', text, re.MULTILINE)
    every = [p for key, p in named if key == "all_model_checkpoint_paths"]
    newest = [p for key, p in named if key == "model_checkpoint_path"]
    return list(dict.fromkeys([*newest, *reversed(every)]))


def _moved(folder, prefix):
    """Where a listed prefix is now, perhaps moved along with its folder."""
    for place in (folder / prefix, folder / pathlib.Path(prefix).name):
        if _format(str(place)):
            return str(place)
    return None


def _format(prefix):
    """ "V2", "V1", "V1 sharded", or None where no files are."""
    path = pathlib.Path(prefix)
    if os.path.isfile(f"{prefix}.index"):
        return "V2"
    if path.is_file():
        return "V1"
    if any(_shards(path, r"-(\d{5})-of-(\d{5})")):
        return "V1 sharded"
    return None


def _shards(path, ending):
    """(number, of how many) for each shard beside one another."""
    pattern = re.compile(re.escape(path.name) + ending + "$")
    if path.parent.is_dir():
        for file in path.parent.iterdir():
            found = pattern.match(file.name)
            if found:
                yield tuple(map(int, found.groups()))


# --- Opening ---


def _open_prefix(prefix, notes):
    which = _format(prefix)
    if which is None:
        raise UserError(_nothing_there(prefix))
    ending = r"\.data-(\d{5})-of-(\d{5})" if which == "V2" else None
    ending = r"-(\d{5})-of-(\d{5})" if which == "V1 sharded" else ending
    if ending:
        _all_shards(prefix, ending)
    from rnn_parity.quiet import tf

    links = None
    if which == "V1 sharded":
        pattern = f"{_escaped(prefix)}-?????-of-?????"
    elif which == "V1":
        pattern = _escaped(prefix)
    else:
        pattern, links = _plainly_named(prefix)

    if pathlib.Path(prefix).is_file() and which == "V1":
        _must_be_a_table(prefix)
    with _damage_told(prefix):
        reader = tf.compat.v1.train.NewCheckpointReader(pattern)
        shapes = reader.get_variable_to_shape_map()
        dtypes = reader.get_variable_to_dtype_map()
    narrow = {name for name, d in dtypes.items() if d.name == _BFLOAT16}
    if narrow:
        notes.append(
            f"{len(narrow)} variables of bfloat16 are read as float32, which "
            "holds them exactly"
        )

    def read(name, _links=links):  # there as long as it is read
        array = reader.get_tensor(name)
        if dtypes[name].name == "string":
            return np.array(array, object)  # NumPy's own lose a last zero
        return array.astype(np.float32) if name in narrow else array

    return Checkpoint(
        prefix,
        shapes,
        {
            name: "float32" if name in narrow else dtype.name
            for name, dtype in dtypes.items()
        },
        read,
        notes,
    )


def _plainly_named(prefix):
    """(the prefix by a name that is no pattern, what keeps that there).

    TensorFlow takes the prefix for a pattern when it looks for the index,
    and as it is when it opens the data, so escaping does not help.
    """
    if _escaped(prefix) == prefix:
        return prefix, None
    links = tempfile.TemporaryDirectory(prefix="rnn-parity-")
    path = pathlib.Path(prefix)
    for file in path.parent.iterdir():
        ending = file.name.removeprefix(path.name)
        if ending == ".index" or _SHARD.match(f"_{ending}"):
            plain = pathlib.Path(links.name) / f"model.ckpt{ending}"
            plain.symlink_to(file.absolute())
    return str(pathlib.Path(links.name) / "model.ckpt"), links


def _escaped(prefix):
    """As a pattern for the file names TensorFlow looks for."""
    return re.sub(r"([*?\[\\])", r"\\\1", prefix)


def _must_be_a_table(path):
    """What a V1 checkpoint ends with."""
    magic = bytes.fromhex("57fb808b247547db")
    try:
        with open(path, "rb") as file:
            file.seek(-min(8, os.path.getsize(path)), os.SEEK_END)
            ending = file.read()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    if ending != magic:
        raise UserError(
            f"{path} is no TensorFlow checkpoint, or is cut off; give a "
            "prefix such as model.ckpt-1000, a folder or an .npz file"
        )


def _nothing_there(prefix):
    path = pathlib.Path(prefix)
    shards = list(_shards(path, r"\.data-(\d{5})-of-(\d{5})"))
    if shards:
        return f"{prefix}.index is missing; a checkpoint cannot do without"
    beside = _prefixes_in(path.parent) if path.parent.is_dir() else []
    near = [found for found in beside if found.startswith(prefix)] or beside
    hint = f"; beside it: {', '.join(near[:5])}" if near else ""
    return f"there is no checkpoint {prefix}{hint}"


def _all_shards(prefix, ending):
    found = sorted(_shards(pathlib.Path(prefix), ending))
    if not found:
        raise UserError(
            f"{prefix} has an index but no data; copy its .data- files too"
        )
    total = found[-1][1]
    missing = sorted(
        set(range(total)) - {n for n, of in found if of == total}
    )
    if missing:
        raise UserError(
            f"{prefix} lacks {len(missing)} of its {total} data files (the "
            f"first is number {missing[0]:05d}); copy the whole checkpoint"
        )


def _open_npz(path):
    try:
        with _damage_told(path), np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in sorted(file.files)}
    except FileNotFoundError:
        raise UserError(f"there is no file {path}") from None
    if CONVERTED in arrays:
        raise UserError(
            f"{path} is converted already; give the checkpoint it was made of"
        )
    for name, value in arrays.items():
        if not isinstance(value, np.ndarray):
            raise UserError(
                f"{path} is no .npz file of arrays: it holds {name}"
            )
    arrays = {name.removesuffix(":0"): v for name, v in arrays.items()}
    return Checkpoint(
        str(path),
        {name: value.shape for name, value in arrays.items()},
        {name: value.dtype.name for name, value in arrays.items()},
        arrays.__getitem__,
    )


def _open_hdf5(path):
    if not path.is_file():
        raise UserError(f"there is no file {path}")
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
    what = f"{path}, {name}," if name else str(path)
    try:
        yield
    except (FileNotFoundError, MemoryError, UserError):
        raise
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
