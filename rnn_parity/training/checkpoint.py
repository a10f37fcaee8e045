"""What a training session saves: one file, whole or not there.

`training.npz` holds the version's own arrays, so that resuming is exact to
the bit, and besides what says where in the training they belong.
"""

import contextlib
import dataclasses
import json
import os
import pathlib

import numpy as np

from rnn_parity import arrays, files, layouts, sections
from rnn_parity.adapters import packing
from rnn_parity.config import Config
from rnn_parity.errors import UserError

NAME = "training.npz"
_FORMAT = "rnn-parity training checkpoint"
_VERSION = 1
_PLAIN = ("section", "implementation", "seed", "mode", "unrolling")
_PLAIN += ("epoch", "batch")


@dataclasses.dataclass(frozen=True, eq=False)
class Checkpoint:
    """A training session between two windows.

    Attributes:
        section, implementation, config, seed, mode, unrolling: as
            `session.Session` has them.
        epoch, batch: the window that comes next.
        state: the carried state, shaped as `Section.state_shape`.
        losses: [steps so far].
        arrays: {name: array}, weights and accumulators as the version has
            them.
    """

    section: str
    implementation: str
    config: Config
    seed: int
    mode: str | None
    unrolling: str | int | None
    epoch: int
    batch: int
    state: np.ndarray
    losses: np.ndarray
    arrays: dict

    @property
    def steps_done(self):
        return self.epoch * self.config.num_batches + self.batch

    def params(self):
        """{TensorFlow 1 name: array}."""
        return self._by_tf1_name(0, layouts.FORGET_BIAS)

    def accumulators(self):
        """{TensorFlow 1 name: array}, Adagrad's."""
        return self._by_tf1_name(1, 0.0)

    def _by_tf1_name(self, kind, forget_bias):
        arrays = packing.split_own_arrays(self.arrays)[kind]
        if self.implementation != "tf2":
            return arrays
        section = sections.find(self.section)
        ordered = [arrays[name] for name in sorted(arrays)]
        return layouts.from_keras(section, self.config, ordered, forget_bias)

    def write(self, folder):
        """Replaces the folder's checkpoint by this one.

        Args:
            folder: a path, or what `reserve` or `reserve_new` gave.

        Raises:
            UserError: it cannot be written; the one before is still there.
        """
        about = {name: getattr(self, name) for name in _PLAIN}
        about["config"] = dataclasses.asdict(self.config)
        about |= {"format": _FORMAT, "version": _VERSION}
        arrays = {f"network/{name}": v for name, v in self.arrays.items()}
        arrays |= {"state": self.state, "losses": self.losses}
        with reserve(folder) as place, place.writing("wb") as file:
            np.savez(file, about=np.array(json.dumps(about)), **arrays)


def read(folder):
    """The checkpoint in `folder`.

    Raises:
        UserError: there is none, it is damaged, or it is something else.
    """
    path = pathlib.Path(folder) / NAME
    if not pathlib.Path(folder).is_dir():
        raise UserError(f"there is no folder {folder} to resume from")
    files.must_be_regular(path)
    if not path.exists():
        raise UserError(
            f"{folder} holds no training checkpoint ({NAME}); give the "
            "folder that --save wrote"
        )
    try:
        stored = arrays.load_npz(path)
        about = json.loads(str(stored.pop("about")))
        if about["format"] != _FORMAT:
            raise ValueError(f"its format is {about['format']!r:.60}")
        version = about["version"]
    except (KeyError, RecursionError, TypeError, ValueError) as error:
        raise UserError(
            f"{path} is damaged or no training checkpoint "
            f"({_reason(error)}); use another copy or train anew"
        ) from None
    if version != _VERSION:
        raise UserError(
            f"{path} has format version {version!r:.60}; this release "
            f"reads version {_VERSION}"
        )
    return _checkpoint(path, about, stored)


def _reason(error):
    if isinstance(error, KeyError):
        return f"it has no {error.args[0]}"
    if isinstance(error, UserError):
        return str(error)
    return type(error).__name__


def _checkpoint(path, about, stored):
    own = {
        name.removeprefix("network/"): value
        for name, value in stored.items()
        if name.startswith("network/")
    }
    try:
        read = Checkpoint(
            config=Config(**about["config"]),
            state=stored["state"],
            losses=stored["losses"],
            arrays=own,
            **{name: about[name] for name in _PLAIN},
        )
        fits = _is_placed(read) and _fits(read)
    except (KeyError, TypeError, ValueError, StopIteration):
        fits = False
    if not fits:
        raise UserError(
            f"{path} holds arrays that do not fit its own config; it was "
            "not written by this program, or was changed since"
        )
    return read


def _is_placed(read):
    """Whether it says where in which training it belongs."""
    numbers = (read.seed, read.epoch, read.batch)
    return (
        all(type(number) is int and number >= 0 for number in numbers)
        and read.batch < read.config.num_batches
        and all(
            isinstance(text, (str, type(None)))
            for text in (read.mode, read.implementation)
        )
        and isinstance(read.unrolling, (str, int, type(None)))
        and all(
            value.dtype.kind == "f"
            for value in (read.state, read.losses, *read.arrays.values())
        )
    )


def _fits(read):
    section, config = sections.find(read.section), read.config
    shapes = section.param_shapes(config)
    return read.losses.shape == (read.steps_done,) and all(
        {name: value.shape for name, value in values.items()} == wanted
        for values, wanted in (
            (read.params(), shapes),
            (read.accumulators(), shapes),
            ({"state": read.state}, {"state": section.state_shape(config)}),
        )
    )


@contextlib.contextmanager
def reserve(folder):
    """Keeps the folder's checkpoint for this process, to be replaced.

    What a killed process left half-written is removed.

    Yields:
        The `files.Place` of it.

    Raises:
        UserError: it cannot be written, or another process does.
    """
    if isinstance(folder, files.Place):
        yield folder
        return
    path = pathlib.Path(folder) / NAME
    files.must_be_regular(path)
    with files.reserve(path) as place:
        clear_leftovers(folder)
        yield place


@contextlib.contextmanager
def reserve_new(folder):
    """Makes `folder`, or sees that nothing in it would be lost; keeps it.

    Yields:
        The `files.Place` of the checkpoint that is to be there.

    Raises:
        UserError: it holds a checkpoint or anything else, cannot be made or
            written, or another process writes there.
    """
    folder = pathlib.Path(folder)
    files.must_not_be_home(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise UserError(f"{folder} is a file; name a folder") from None
    except OSError as error:
        raise UserError(f"cannot use {folder}: {error.strerror}") from None
    _must_be_free(folder)
    with reserve(folder) as place:
        _must_be_free(folder)  # still, now that nobody else writes there
        yield place


def _must_be_free(folder):
    try:
        held = os.listdir(folder)
    except OSError as error:
        raise UserError(f"cannot use {folder}: {error.strerror}") from None
    if NAME in held:
        saved = read(folder)
        raise UserError(
            f"{folder} already holds a checkpoint ({saved.section} "
            f"{saved.implementation}, epoch {saved.epoch}); go on from it "
            f"with --resume {folder}, or name another folder"
        )
    if [name for name in held if not _is_leftover(name)]:
        raise UserError(
            f"{folder} holds other files; name a new or an empty folder"
        )


def clear_leftovers(folder):
    """Removes what earlier releases left half-written when killed."""
    for path in pathlib.Path(folder).iterdir():
        if _is_leftover(path.name) and path.is_file():
            path.unlink(missing_ok=True)


def _is_leftover(name):
    return name.startswith(f".{NAME}.")
