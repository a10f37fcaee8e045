"""Putting a checkpoint where another one may be, which stays until then.

An index names its data files by their number (`-of-00002`). So a new
checkpoint gets another number of them than the old one has: both are there
until the new index takes the place of the old, in one step.
"""

import contextlib
import dataclasses
import os
import pathlib

from rnn_parity import files
from rnn_parity.checkpoints import sources
from rnn_parity.errors import UserError

NEW = "new"  # what the checkpoint is called while it is made


@dataclasses.dataclass(frozen=True)
class Place:
    """A prefix that only this process writes; `reserve` makes one.

    Attributes:
        prefix: where the checkpoint is to be.
        folder: where to make it, under the prefix `NEW`.
        replace: whether a checkpoint that is there is replaced.
    """

    prefix: pathlib.Path
    folder: pathlib.Path
    replace: bool

    def __str__(self):
        return str(self.prefix)

    def free_number(self, number, most):
        """How many data files to write, such that no name is there yet.

        Args:
            number: of how many there would be.
            most: of how many there can be.

        Raises:
            UserError: there are files of every number.
        """
        taken = set(sources.data_files(self.prefix).values())
        for free in (*range(number, most + 1), *range(number - 1, 0, -1)):
            if free not in taken:
                return free
        raise UserError(
            f"{self.prefix} cannot be replaced safely: data files in every "
            "number that it can have are there already; name another place"
        )

    def put(self):
        """Moves the checkpoint from `folder` to its prefix.

        Whenever this is cut off, the old or the new one is complete.

        Raises:
            UserError: another program has written there meanwhile.
            OSError: the file system refuses; the old one is as it was.
        """
        old = list(sources.data_files(self.prefix))
        made, index = _index(self.folder / NEW), _index(self.prefix)
        moved = []
        try:
            for path in sources.data_files(self.folder / NEW):
                ending = path.name.removeprefix(NEW)
                target = self.prefix.with_name(self.prefix.name + ending)
                files.put(path, target, replace=False, like=index)
                moved.append(target)
            files.put(made, index, self.replace)
        except BaseException:
            if not _is_in_place(made, index):
                for target in moved:
                    target.unlink(missing_ok=True)
            raise
        for path in old:
            files.must_be_plain(path)
            path.unlink(missing_ok=True)
        self._list()

    def _list(self):
        """Names it in a `checkpoint` file, as TensorFlow does."""
        state = self.prefix.with_name("checkpoint")
        if os.path.lexists(state):
            return
        made = self.folder / state.name
        made.write_text(
            f'model_checkpoint_path: "{self.prefix.name}"\n'
            f'all_model_checkpoint_paths: "{self.prefix.name}"\n',
            "utf-8",
        )
        with contextlib.suppress(UserError):  # another one was faster
            files.put(made, state, replace=False)


def _index(prefix):
    return prefix.with_name(f"{prefix.name}.index")


def _is_in_place(made, index):
    """Whether the new index is the index, whatever went wrong after it."""
    try:
        return os.path.samefile(made, index)
    except FileNotFoundError:
        return not made.exists()


def files_at(prefix):
    """Every path that writing a checkpoint at a prefix has to do with."""
    return [prefix, _index(prefix), *sources.data_files(prefix)]


@contextlib.contextmanager
def reserve(prefix, replace=True):
    """Keeps a prefix for this process, until the checkpoint is written.

    Args:
        prefix: a path, or the `Place` that is kept already. A folder that
            is not there is made; it is removed if nothing gets into it.
        replace: whether a checkpoint that is there is replaced.

    Yields:
        The `Place`.

    Raises:
        UserError: it is there already, is no regular file, cannot be
            written, or another process writes it.
    """
    if isinstance(prefix, Place):
        yield prefix
        return
    _must_be_short(prefix)
    with _made(prefix.parent), files.workspace(prefix) as folder:
        _must_be_free(prefix, replace)
        yield Place(prefix, folder, replace)


def _must_be_short(prefix):
    """The longest name has to be possible."""
    longest = prefix.with_name(f"{prefix.name}.data-00000-of-00001")
    with (
        files.failure_told(prefix),
        contextlib.suppress(FileNotFoundError, NotADirectoryError),
    ):
        os.lstat(longest)


def _must_be_free(prefix, replace):
    """Only what would be replaced by a file of its own kind may be there."""
    for path in filter(os.path.lexists, files_at(prefix)):
        if not replace:
            raise UserError(f"{path} exists already; --force replaces it")
        files.must_be_plain(path)


@contextlib.contextmanager
def _made(folder):
    """Makes a folder; removes it again if it is empty at the end."""
    missing = [
        one for one in (folder, *folder.parents) if not os.path.exists(one)
    ]
    files.make_folder(folder)
    try:
        yield
    finally:
        for one in missing:
            with contextlib.suppress(OSError):  # it is not empty
                one.rmdir()
