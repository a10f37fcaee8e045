"""Which files a checkpoint is made of."""

import itertools
import os
import pathlib
import re

from rnn_parity.checkpoints import checkpoint_files

_DATA = r"\.data-(\d{5})-of-(\d{5})"
_SHARD_V1 = r"-\d{5}-of-\d{5}"
_OUTPUTS = (".keras", ".weights.h5", ".npz")  # none is read from a folder
_FOLDERS = ("*", "variables/*", "assets/*")


def files_of(path):
    """Every file that may be read where `path` is given as a checkpoint.

    Args:
        path: as `reader.open_checkpoint` takes it: a prefix, one of its
            files, a folder, a SavedModel or a single file.

    Returns:
        A list of `pathlib.Path`.
    """
    path = pathlib.Path(path)
    folder = path.parent if path.name == "checkpoint" else path
    if os.path.isdir(folder):
        every = itertools.chain(*map(folder.glob, _FOLDERS))
        found = [one for one in every if not one.name.endswith(_OUTPUTS)]
        listed = folder / "checkpoint"
        if os.path.isfile(listed):
            for prefix in checkpoint_files.listed(listed):
                found += _of_prefix(folder / prefix)
        return found
    return _of_prefix(path)


def _of_prefix(path):
    name = re.sub(rf"(\.index|\.meta|{_DATA})$", "", path.name)
    endings = re.compile(rf"(\.index|\.meta|{_DATA}|{_SHARD_V1})?")
    return [path, *_named(path.with_name(name or path.name), endings)]


def data_files(prefix):
    """{path: of how many} of every data file at a prefix."""
    return {
        path: int(re.search(_DATA, path.name)[2])
        for path in _named(prefix, re.compile(_DATA))
    }


def _named(prefix, endings):
    """The files whose names are the prefix's with one of the endings."""
    try:
        names = sorted(os.listdir(prefix.parent))
    except OSError:
        return []  # whoever opens it says why it cannot be read
    return [
        prefix.with_name(name)
        for name in names
        if name.startswith(prefix.name)
        and endings.fullmatch(name, len(prefix.name))
    ]
