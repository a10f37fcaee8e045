"""Finding the files of a TensorFlow checkpoint.

    PREFIX.index, PREFIX.data-00000-of-00002, ...       V2
    PREFIX                                              V1
    PREFIX-00000-of-00003, ...                          V1, sharded
    checkpoint                                          names the newest

`PREFIX.meta` beside them is the graph, which nobody needs here.
"""

import dataclasses
import os
import pathlib
import re

from rnn_parity.checkpoints import tensor_bundle
from rnn_parity.errors import UserError
from rnn_parity.files import must_be_regular

_DATA = re.compile(r"(.*)\.data-\d{5}-of-\d{5}$", re.DOTALL)
# TensorFlow 0.12 spells the numbers ????? in `checkpoint`.
_SHARD_V1 = re.compile(r"(.*)-(?:\d{5}|\?{5})-of-(\d{5})$", re.DOTALL)
_STATE_MOST = 16 * 2**20  # bytes of a `checkpoint` file that are read


@dataclasses.dataclass(frozen=True)
class Files:
    """The tables of a checkpoint.

    Attributes:
        prefix: what their names begin with.
        tables: paths, of the index (V2) or of the shards (V1).
        v2: whether it is of that format.
        total: of how many files a sharded V1 checkpoint is, or None.
    """

    prefix: str
    tables: tuple
    v2: bool
    total: int | None = None


def find(path):
    """The `Files` that a prefix, or the path of one file, stands for.

    Returns:
        `Files`, or None where there are none.

    Raises:
        UserError: some are missing.
    """
    path = str(path)
    for ending in (".index", ".meta"):
        path = path.removesuffix(ending)
    data = _DATA.match(path)
    prefix = data.group(1) if data else path
    if os.path.exists(f"{prefix}.index"):
        return Files(prefix, (f"{prefix}.index",), v2=True)
    shard = _SHARD_V1.match(prefix)
    if shard:
        found = _sharded(shard.group(1), int(shard.group(2)))
        if found:
            return found
    if os.path.exists(prefix) and not os.path.isdir(prefix):
        return Files(prefix, (prefix,), v2=False)
    return _sharded(prefix)


def _sharded(prefix, total=None):
    """The shards of a V1 checkpoint, or None where there are none."""
    beside = tensor_bundle.numbered_beside(prefix, mark="")
    totals = {of for _, of in beside}
    if total is None and len(totals) > 1:
        shard = min(beside.values())
        raise UserError(
            f"there are shards of several checkpoints {prefix}; name one of "
            f"them, such as {shard}"
        )
    total = total or max(totals, default=0)
    paths = {n: path for (n, of), path in beside.items() if of == total}
    if not paths:
        return None
    missing = sorted(set(range(total)) - paths.keys())
    stray = next((p for number, p in paths.items() if number >= total), None)
    if stray:
        raise UserError(
            f"{stray} cannot be one of {total} files; move it away"
        )
    if missing:
        raise UserError(
            f"{prefix} lacks {len(missing)} of its {total} data files (the "
            f"first is number {missing[0]:05d}); copy the whole checkpoint"
        )
    tables = tuple(paths[number] for number in range(total))
    return Files(prefix, tables, v2=False, total=total)


def nothing_there(prefix):
    """The line about a prefix that has no files."""
    folder = os.path.dirname(prefix) or "."
    if not os.path.isdir(folder):
        return f"there is no checkpoint {prefix}"
    if tensor_bundle.numbered_beside(prefix):
        return f"{prefix}.index is missing; a checkpoint cannot do without"
    beside = prefixes_in(folder)
    near = [found for found in beside if found.startswith(prefix)] or beside
    hint = f"; beside it: {', '.join(near[:5])}" if near else ""
    return f"there is no checkpoint {prefix}{hint}"


def prefixes_in(folder):
    """Every prefix of a checkpoint in a folder, sorted."""
    found = set()
    for name in os.listdir(folder):
        path = os.path.join(folder, name)
        shard = _SHARD_V1.match(path)
        if name.endswith(".index") and os.path.exists(path):
            found.add(path.removesuffix(".index"))
        elif shard and not _DATA.match(path):
            found.add(shard.group(1))
        elif name.endswith(".meta") and os.path.isfile(
            path.removesuffix(".meta")
        ):
            found.add(path.removesuffix(".meta"))
    return sorted(found)


def without_index(folder):
    """The prefix of data files in a folder whose index is gone, or None."""
    for name in sorted(os.listdir(folder)):
        data = _DATA.match(os.path.join(folder, name))
        if data:
            return data.group(1)
    return None


# --- The file called `checkpoint` ---


def listed(path):
    """The prefixes that a `checkpoint` file lists, the newest first.

    Raises:
        UserError: it is a pipe or a device.
    """
    if os.path.isdir(path):
        return []
    must_be_regular(path)
    try:
        with open(path, "rb") as file:
            text = file.read(_STATE_MOST).decode("utf-8", "replace")
    except OSError:
        return []
    named = [
        (key, _unescaped(value))
        for key, value in re.findall(r'^(\w+): "(.*)"$', text, re.MULTILINE)
    ]
    every = [p for key, p in named if key == "all_model_checkpoint_paths"]
    newest = [p for key, p in named if key == "model_checkpoint_path"]
    return list(dict.fromkeys([*newest, *reversed(every)]))


def _unescaped(value):
    """A string of a `checkpoint` file, which escapes all but ASCII."""
    from google.protobuf.text_encoding import CUnescape

    try:
        return CUnescape(value).decode("utf-8").replace("\0", "")
    except UnicodeError:
        return value.replace("\0", "")


def moved(folder, prefix):
    """Where a listed prefix is now, perhaps moved along with its folder.

    One in the folder comes before one that is elsewhere, since a copied
    `checkpoint` file still names what it was copied from.

    Returns:
        (`Files`, whether they are outside of the folder), or None.
    """
    place = os.path.join(folder, prefix)
    inside = os.path.join(folder, pathlib.PurePath(prefix).name)
    outside = leads_out(folder, os.path.dirname(place))
    for path in [inside, place] if outside else [place, inside]:
        files = find(path)
        if files:
            return files, path == place and outside
    return None


def leads_out(folder, path):
    """Whether a path is outside of a folder, links followed."""
    folder = os.path.realpath(folder)
    path = os.path.realpath(path)
    return os.path.commonpath([folder, path]) != folder
