"""Writing files whole or not at all, by one process at a time.

Everything is first written into a folder beside the file it is to become,
`.NAME.rnn-parity`, which is locked meanwhile. What a killed process leaves
there is removed by the next one that writes the same file.
"""

import contextlib
import dataclasses
import hashlib
import os
import pathlib
import re
import shutil
import stat
import tempfile

try:
    import fcntl
except ImportError:  # on Windows, where files are not locked then
    fcntl = None

from rnn_parity.errors import UserError

_LOCK = "lock"
_LONGEST = 255  # bytes of a file's name, on all common file systems


@dataclasses.dataclass(frozen=True)
class Place(os.PathLike):
    """A file that only this process writes; `reserve` makes one.

    Attributes:
        path: the file as the user named it.
        target: the file itself, links followed.
        folder: where to write what is to become the file; None where it is
            a device or a pipe, which is written to directly.
        replace: whether a file that is there is replaced.
    """

    path: str
    target: pathlib.Path
    folder: pathlib.Path | None
    replace: bool

    def __fspath__(self):
        return self.path

    def __str__(self):
        return self.path

    @contextlib.contextmanager
    def writing(self, mode="w"):
        """A file to write to; what it holds is put in place at the end.

        Args:
            mode: "w" for text (UTF-8), "wb" for bytes.

        Raises:
            UserError: it cannot be written; what was there is as it was.
        """
        encoding = None if "b" in mode else "utf-8"
        with failure_told(self.path):
            if self.folder is None:
                with open(self.path, mode, encoding=encoding) as file:
                    yield file
                return
            temporary = self.folder / "content"
            with open(temporary, mode, encoding=encoding) as file:
                yield file
            self.put(temporary)

    def put(self, temporary):
        """Moves a whole file from `folder` to where it is to be.

        Raises:
            UserError: it cannot be moved there.
        """
        with failure_told(self.path):
            put(temporary, self.target, self.replace)


def put(temporary, target, replace, like=None):
    """Moves a whole file to `target` on the same file system, durably.

    Args:
        replace: whether a file that is there is replaced.
        like: the file whose permissions and owner it gets, if that exists;
            `target` by default.

    Raises:
        UserError: there is a file already and `replace` is False, or what
            is there is not a regular file.
        OSError: the file system refuses.
    """
    with open(temporary, "rb") as file:
        os.fsync(file.fileno())
    _keep_permissions(temporary, like or target)
    if replace:
        must_be_plain(target)
        os.replace(temporary, target)
    else:
        _move_if_free(temporary, target)
    _sync_folder(pathlib.Path(target).parent)


def _keep_permissions(temporary, old):
    try:
        kept = os.stat(old)
    except FileNotFoundError:
        return  # those of a new file
    for owner in ((-1, kept.st_gid), (kept.st_uid, -1)):
        with contextlib.suppress(OSError):  # for root, mostly
            os.chown(temporary, *owner)
    os.chmod(temporary, stat.S_IMODE(kept.st_mode))


def _move_if_free(temporary, target):
    """Renaming would replace what another program has put there."""
    taken = UserError(
        f"{target} has been written by another program meanwhile and is "
        "left as it is; name another file, or replace it with --force"
    )
    try:
        os.link(temporary, target)
    except FileExistsError:
        raise taken from None
    except OSError:  # a file system without hard links
        if os.path.lexists(target):
            raise taken from None
        os.rename(temporary, target)
    else:
        os.unlink(temporary)


def _sync_folder(folder):
    """Makes a renaming durable, where the file system can."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


@contextlib.contextmanager
def failure_told(path):
    """Turns an OSError into one line that says what cannot be written."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error).split("\n", maxsplit=1)[0]
        raise UserError(f"cannot write {path}: {reason}") from None


# --- Keeping a place ---


@contextlib.contextmanager
def reserve(path, replace=True):
    """Keeps a file for this process from before the long work until after.

    A link stays, and what it leads to is replaced, with the permissions it
    had. A device or a pipe is written to as it is.

    Args:
        path: where the file is to be; a `Place` is kept already, and is
            given back as it is.
        replace: False leaves a file that is there, or that another program
            writes meanwhile, and raises an error.

    Yields:
        The `Place`.

    Raises:
        UserError: no file can be written there, or another process does.
    """
    if isinstance(path, Place):
        yield path
        return
    path = os.fspath(path)
    if _is_special(path):
        yield Place(path, pathlib.Path(path), None, replace)
        return
    target = _target(path)
    if not replace and os.path.lexists(target):
        raise UserError(f"{path} exists already; --force replaces it")
    with workspace(target, path) as folder:
        yield Place(path, target, folder, replace)


def must_be_writable(path):
    """Says so before the long work if `path` could not be written after it.

    Raises:
        UserError: no such folder, no permission, or `path` is a folder.
    """
    with reserve(path):
        pass


@contextlib.contextmanager
def atomic_write(path, mode="w"):
    """A file that appears under its name only once it is complete.

    Args:
        path: where it is to be, or a `Place`; see `reserve`.
        mode: "w" for text (UTF-8), "wb" for bytes.

    Raises:
        UserError: it cannot be written; what was there is left as it was.
    """
    with reserve(path) as place, place.writing(mode) as file:
        yield file


def _is_special(path):
    """Whether it is there, and neither a regular file nor a folder."""
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _target(path):
    """The file that is written when `path` is, links followed."""
    if path.endswith(os.sep) or os.path.isdir(path) or not path:
        raise UserError(f"{path or 'nothing'} is a folder; name a file")
    target = pathlib.Path(os.path.realpath(path))
    parent = os.path.dirname(path) or "."
    if os.path.isdir(parent):
        parent = target.parent  # of what a link leads to
    with failure_told(path):
        try:
            os.stat(path)
        except (FileNotFoundError, NotADirectoryError):
            if not os.path.isdir(parent):
                raise UserError(
                    f"there is no folder {parent}; make it first"
                    f"{_about_tilde(path)}"
                ) from None
        else:
            if not os.access(target, os.W_OK):
                raise UserError(
                    f"cannot write {path}: it is there already and may not "
                    "be written; change its permissions or name another file"
                )
    return target


def _about_tilde(path):
    if not os.fspath(path).startswith("~"):
        return ""
    return " (~ is your home folder only where the shell sees it unquoted)"


@contextlib.contextmanager
def workspace(target, path=None):
    """A folder beside `target` to write in, locked for this process.

    Args:
        target: the file, or prefix of files, that is to be written.
        path: how messages call it; `target` by default.

    Yields:
        The folder, empty but for the lock. It is removed at the end.

    Raises:
        UserError: another process has it, or it cannot be made.
    """
    path = path or target
    with contextlib.ExitStack() as stack:
        with failure_told(path):
            folder, lock = _locked_folder(target, path)
            if lock is not None:
                stack.callback(os.close, lock)
            stack.callback(_remove, folder)
            _empty(folder)
        yield folder


def _locked_folder(target, path):
    """(folder, handle of its lock), the latter None if files have none.

    The owner of a folder removes it while it has the lock. So whoever gets
    the lock of a file that is not there any more starts again.
    """
    folder = target.with_name(f".{_short(target.name)}.rnn-parity")
    while True:
        with contextlib.suppress(FileExistsError):
            os.mkdir(folder, 0o700)
        _must_be_own_folder(folder)
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        try:
            lock = os.open(folder / _LOCK, flags, 0o600)
        except FileNotFoundError:
            continue
        try:
            locked = _lock(lock, path)
            if locked and _is_at(lock, folder / _LOCK):
                return folder, lock
        except BaseException:
            os.close(lock)
            raise
        os.close(lock)
        if not locked:
            _remove(folder)
            own = tempfile.mkdtemp(
                dir=target.parent, prefix=f"{folder.name}-"
            )
            return pathlib.Path(own), None


def _lock(handle, path):
    """Locks an open file; returns False where the system has no locks.

    The system itself unlocks it when the process ends, however it ends.
    """
    if fcntl is None:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UserError(
            f"another rnn-parity writes {path}; wait for it or name another "
            "place"
        ) from None
    except OSError:
        return False
    return True


def _is_at(handle, path):
    try:
        return os.path.samestat(os.fstat(handle), os.lstat(path))
    except FileNotFoundError:
        return False


def _must_be_own_folder(folder):
    """In a folder that others may write to, it could be anything."""
    try:
        found = os.lstat(folder)
    except FileNotFoundError:
        return  # its owner has just removed it
    own = not hasattr(os, "geteuid") or found.st_uid == os.geteuid()
    if not stat.S_ISDIR(found.st_mode) or not own:
        raise UserError(
            f"{folder} is in the way, and no folder of yours; remove it"
        )


def _empty(folder):
    """Removes what a killed process left."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name == _LOCK:
                continue
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            else:
                os.unlink(entry.path)


def _remove(folder):
    """Removes a folder, its lock last."""
    with contextlib.suppress(OSError):
        _empty(folder)
    with contextlib.suppress(OSError):
        os.unlink(folder / _LOCK)
    with contextlib.suppress(OSError):  # another process has it already
        os.rmdir(folder)


def leftovers(path):
    """A line for each thing that an earlier release left when killed.

    Those had no lock, so this does not know whether they are in use.
    """
    target = pathlib.Path(os.path.realpath(path))
    begun = re.compile(re.escape(f".{target.name}.") + r"[a-z0-9_]{8}")
    try:
        names = sorted(os.listdir(target.parent))
    except OSError:
        return []
    return [
        f"{target.with_name(name)} may be left from a command that was "
        "killed; remove it unless one is running"
        for name in names
        if begun.fullmatch(name)
    ]


def _short(name):
    """A name that leaves room for more, another one for every name."""
    room = _LONGEST - len("..rnn-parity-12345678")
    encoded = os.fsencode(name)
    if len(encoded) <= room:
        return name
    digest = hashlib.sha256(encoded).hexdigest()[:16]
    return encoded[: room - 16].decode("utf-8", "ignore") + digest


# --- What is there ---


def must_be_regular(path):
    """Refuses to open what is there but is not a regular file.

    Opening a pipe waits for its other end for ever, and a device has no end.
    A link to a regular file is one.

    Raises:
        UserError: `path` is a folder, a pipe, a socket or a device.
    """
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return  # whoever opens it says why it cannot be read
    if not stat.S_ISREG(mode):
        raise UserError(
            f"{path} is {_kind_of(mode)}, not a regular file; name a file"
        )


def _kind_of(mode):
    kinds = (
        (stat.S_ISLNK, "a link"),
        (stat.S_ISDIR, "a folder"),
        (stat.S_ISFIFO, "a pipe"),
        (stat.S_ISSOCK, "a socket"),
    )
    return next((name for test, name in kinds if test(mode)), "a device")


def must_be_plain(path):
    """Refuses to replace or remove what is there but is not a plain file.

    Raises:
        UserError: `path` is a link, a folder, a pipe, a socket or a device.
    """
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return  # whoever writes it says why it cannot be written
    if not stat.S_ISREG(mode):
        raise UserError(
            f"{path} is {_kind_of(mode)}, and only regular files are "
            "replaced; remove it or name another place"
        )


def must_not_be(path, inputs, what="what is read"):
    """Refuses to write over an input, by whatever name.

    Args:
        path: where something is to be written.
        inputs: paths of the files that are read.
        what: how the message calls them.

    Raises:
        UserError: `path` is one of them, by a link or another spelling too.
    """
    if not os.path.exists(path):
        return
    for one in inputs:
        with contextlib.suppress(OSError):
            if os.path.samefile(path, one):
                raise UserError(f"{path} is {what}; name another file")


def must_not_be_home(path):
    """Refuses to make a folder called ~, which the shell has not seen.

    Raises:
        UserError: `path` begins with ~, and there is no such folder.
    """
    if _about_tilde(path) and not os.path.isdir(path):
        raise UserError(f"there is no folder {path}{_about_tilde(path)}")


def make_folder(path):
    """Makes a folder, and those it is in, unless it is there.

    Raises:
        UserError: it cannot be made.
    """
    must_not_be_home(path)
    try:
        pathlib.Path(path).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make {path}: {error.strerror}") from None
