"""Nothing a user owns is lost, whenever a command that writes is cut off.

What is killed here is a fork of this process: it ends itself, without any
cleaning up, before the n-th time that it asks the system for something that
has to do with files.
"""

import contextlib
import errno
import itertools
import os
import pathlib
import shutil
import signal
import stat
import sys
import threading

import numpy as np
import pytest
from conftest import spread

import recorded
from rnn_parity import UserError, convert_checkpoint, files
from rnn_parity.checkpoints import export, reader, replacing, sources
from rnn_parity.training import checkpoint

FOLDER = recorded.FOLDER / "checkpoints"
NUMPY = ("--impl", "numpy_ref", "--epochs", "1", "--state-size", "3")
_KILLED = 7


def one_line(text):
    (line,) = text.splitlines()
    return line


def refused(done, message):
    """Whether a command ended with 2 and one line with the message."""
    assert done.returncode == 2, done.stderr
    assert message in one_line(done.stderr)


def names_in(folder):
    return sorted(os.listdir(folder))


def killed_at(moment, work):
    """Runs `work` in a fork; whether it was killed before it was done."""
    child = os.fork()
    if not child:
        left = itertools.count(moment, -1)

        def end(event, _arguments):
            asks = event.startswith(("os.", "shutil.", "open", "fcntl."))
            if asks and next(left) == 0:
                os._exit(_KILLED)

        try:
            sys.addaudithook(end)
            work()
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) in (0, _KILLED)
    return os.waitstatus_to_exitcode(status) == _KILLED


def at_every_moment(folder, work):
    """Yields a folder for each moment at which `work(folder)` was killed.

    The last is one where it came to its end. `folder` is copied each time.
    """
    for moment in itertools.count():
        copy = folder.with_name(f"{folder.name}{moment}")
        shutil.copytree(folder, copy)
        killed = killed_at(moment, lambda copy=copy: work(copy))
        yield copy, killed
        if not killed:
            assert moment > 10  # or it has not been watched at all
            return


# --- A file ---


def overwrite(path, text):
    with files.atomic_write(path) as file:
        file.write(text)


def test_a_file_is_the_old_or_the_new_one_at_every_moment(tmp_path):
    folder = tmp_path / "at"
    folder.mkdir()
    (folder / "out").write_text("old")
    found = []
    for copy, killed in at_every_moment(
        folder, lambda copy: overwrite(copy / "out", "new")
    ):
        found.append((copy / "out").read_text())
        assert killed or names_in(copy) == ["out"]
        overwrite(copy / "out", "newer")
        assert (copy / "out").read_text() == "newer"
        assert names_in(copy) == ["out"]  # no leftovers
    assert set(found) == {"old", "new"}
    assert found == sorted(found, reverse=True)


def test_a_new_file_is_whole_or_not_there(tmp_path):
    folder = tmp_path / "at"
    folder.mkdir()

    def write(copy):
        with (
            files.reserve(copy / "out", replace=False) as place,
            place.writing("wb") as file,
        ):
            file.write(b"new")

    found = set()
    for copy, _ in at_every_moment(folder, write):
        there = (copy / "out").exists()
        found.add((copy / "out").read_bytes() if there else None)
    assert found == {None, b"new"}


@pytest.mark.parametrize("links", [True, False])
def test_what_another_program_wrote_meanwhile_is_kept(
    tmp_path, monkeypatch, links
):
    if not links:  # as on a memory stick

        def link(*_):
            raise PermissionError(errno.EPERM, "no links here")

        monkeypatch.setattr(os, "link", link)
    path = tmp_path / "out"
    with files.reserve(path, replace=False) as place:
        path.write_text("theirs")
        with pytest.raises(UserError, match="by another program meanwhile"):
            overwrite(place, "ours")
    assert path.read_text() == "theirs"
    path.unlink()
    with files.reserve(path, replace=False) as place:
        overwrite(place, "ours")
    assert path.read_text() == "ours"
    assert names_in(tmp_path) == ["out"]


def test_an_owner_stays_where_it_can(tmp_path):
    path = tmp_path / "out"
    path.write_text("old")
    try:
        os.chown(path, 1234, 4321)
    except PermissionError:
        pytest.skip("only root may give files away")
    path.chmod(0o640)
    overwrite(path, "new")
    found = path.stat()
    assert (found.st_uid, found.st_gid) == (1234, 4321)
    assert stat.S_IMODE(found.st_mode) == 0o640


# --- One at a time ---


def test_a_second_writer_is_refused(tmp_path):
    path, link = tmp_path / "out", tmp_path / "link"
    link.symlink_to("out")
    with files.reserve(path) as place:
        for name in (path, link, tmp_path / "." / "out"):
            with pytest.raises(UserError, match="another rnn-parity writes"):
                overwrite(name, "second")
        overwrite(tmp_path / "other", "elsewhere")
        overwrite(place, "first")
    assert path.read_text() == "first"
    overwrite(path, "third")
    assert names_in(tmp_path) == ["link", "other", "out"]


def test_a_killed_writer_holds_nothing(tmp_path):
    """Its lock is gone with it, and what it left with the next one."""
    path = tmp_path / "out"
    ready, tell = os.pipe()
    child = os.fork()
    if not child:
        with files.reserve(path) as place:
            (place.folder / "half").write_text("half")
            (place.folder / "folder").mkdir()
            (place.folder / "folder" / "more").write_text("half")
            os.write(tell, b"x")
            signal.pause()
    os.read(ready, 1)
    with pytest.raises(UserError, match="another rnn-parity writes"):
        overwrite(path, "second")
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert names_in(tmp_path) == [".out.rnn-parity"]
    overwrite(path, "second")
    assert names_in(tmp_path) == ["out"]


def test_of_many_writers_one_writes_at_a_time(tmp_path):
    """Also while others remove the lock, or find it removed."""
    path = tmp_path / "out"
    inside, written, wrong = [], [], []

    def work():
        for _ in range(150):
            try:
                with files.reserve(path) as place:
                    inside.append(1)
                    if len(inside) > 1:
                        wrong.append("two at once")
                    overwrite(place, "x")
                    inside.pop()
                    written.append(1)
            except UserError as error:
                if "another rnn-parity" not in str(error):
                    wrong.append(str(error))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert written
    assert names_in(tmp_path) == ["out"]


def test_a_lock_that_its_owner_removed_is_none(tmp_path, monkeypatch):
    """Between opening and locking it, its owner ends and another comes."""
    path = tmp_path / "out"
    flock = files.fcntl.flock
    with contextlib.ExitStack() as other:

        def too_late(handle, how):
            monkeypatch.setattr(files.fcntl, "flock", flock)
            shutil.rmtree(tmp_path / ".out.rnn-parity")
            other.enter_context(files.reserve(path))
            flock(handle, how)

        monkeypatch.setattr(files.fcntl, "flock", too_late)
        with pytest.raises(UserError, match="another rnn-parity writes"):
            overwrite(path, "x")
        assert names_in(tmp_path) == [".out.rnn-parity"]
    overwrite(path, "x")
    assert names_in(tmp_path) == ["out"]


@pytest.mark.parametrize("how", ["not by this file system", "not at all"])
def test_it_writes_where_nothing_is_locked(tmp_path, monkeypatch, how):
    def flock(*_):
        raise OSError(errno.ENOLCK, "no locks here")

    if how == "not at all":
        monkeypatch.setattr(files, "fcntl", None)
    else:
        monkeypatch.setattr(files.fcntl, "flock", flock)
    with files.reserve(tmp_path / "out") as place:
        overwrite(tmp_path / "out", "first")
        overwrite(place, "second")
    assert (tmp_path / "out").read_text() == "second"
    assert names_in(tmp_path) == ["out"]


def test_what_is_in_the_way_of_the_lock_is_named(tmp_path):
    hidden = tmp_path / ".out.rnn-parity"
    hidden.write_text("mine")
    with pytest.raises(UserError, match="rnn-parity is in the way"):
        overwrite(tmp_path / "out", "x")
    assert hidden.read_text() == "mine"
    hidden.unlink()
    (tmp_path / "elsewhere").mkdir()
    hidden.symlink_to("elsewhere")
    with pytest.raises(UserError, match="rnn-parity is in the way"):
        overwrite(tmp_path / "out", "x")
    assert names_in(tmp_path / "elsewhere") == []


# --- A checkpoint, of plain files ---


def plain(prefix, text, number):
    """Files such as a checkpoint has; the index says which data it needs."""
    for at in range(number):
        path = f"{prefix}.data-{at:05d}-of-{number:05d}"
        pathlib.Path(path).write_text(f"{text} {at}")
    pathlib.Path(f"{prefix}.index").write_text(f"{text} {number}")


def whole(prefix):
    """The text of the checkpoint that is there; None without an index."""
    index = pathlib.Path(f"{prefix}.index")
    if not index.exists():
        return None
    text, number = index.read_text().split()
    for at in range(int(number)):
        path = f"{prefix}.data-{at:05d}-of-{int(number):05d}"
        assert pathlib.Path(path).read_text() == f"{text} {at}"
    return text


def put(prefix, text, number, replace=True):
    with replacing.reserve(prefix, replace) as place:
        plain(
            place.folder / replacing.NEW, text, place.free_number(number, 9)
        )
        place.put()


def files_for(number):
    data = [f"m.data-{at:05d}-of-{number:05d}" for at in range(number)]
    return sorted(["checkpoint", "m.index", *data])


@pytest.mark.parametrize(
    ("old", "new"),
    spread([(2, 2), (1, 1), (3, 1), (1, 4)], [(2, 2), (3, 1)].__contains__),
)
def test_a_checkpoint_is_the_old_or_the_new_at_every_moment(
    tmp_path, old, new
):
    folder = tmp_path / "at"
    folder.mkdir()
    plain(folder / "m", "old", old)
    found = []
    for copy, killed in at_every_moment(
        folder, lambda copy: put(copy / "m", "new", new)
    ):
        found.append(whole(copy / "m"))
        if not killed:
            assert names_in(copy) == files_for(new + (new == old))
        put(copy / "m", "newer", 5)
        assert whole(copy / "m") == "newer"
        number = sources.data_files(copy / "m").popitem()[1]
        assert names_in(copy) == files_for(number)
    assert found == sorted(found, reverse=True)  # first only old
    assert set(found) == {"old", "new"}


def test_a_first_checkpoint_is_whole_or_not_there(tmp_path):
    (tmp_path / "at").mkdir()
    found = {
        whole(copy / "m")
        for copy, _ in at_every_moment(
            tmp_path / "at",
            lambda copy: put(copy / "m", "new", 2, replace=False),
        )
    }
    assert found == {None, "new"}


@pytest.mark.parametrize("step", ["rename", "link", "fsync"])
def test_a_failing_system_leaves_the_old_checkpoint(
    tmp_path, monkeypatch, step
):
    plain(tmp_path / "m", "old", 1)
    before = names_in(tmp_path)
    name = "replace" if step == "rename" else step
    does = getattr(os, name)

    def fail(*arguments):
        if step == "link" or "index" in str(arguments) or step == "fsync":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return does(*arguments)

    monkeypatch.setattr(os, name, fail)
    monkeypatch.setattr(os, "rename", fail)
    with pytest.raises(OSError, match="output error"):
        put(tmp_path / "m", "new", 1)
    assert whole(tmp_path / "m") == "old"
    assert names_in(tmp_path) == before


def test_what_comes_too_late_costs_nothing(tmp_path, monkeypatch):
    """Ctrl-C between the index and what follows it."""
    plain(tmp_path / "m", "old", 1)

    def sync(folder):
        if (tmp_path / "m.index").read_text() == "new 2":
            raise KeyboardInterrupt

    monkeypatch.setattr(files, "_sync_folder", sync)
    with pytest.raises(KeyboardInterrupt):
        put(tmp_path / "m", "new", 1)
    assert whole(tmp_path / "m") == "new"


def test_a_file_of_the_old_format_stays(tmp_path):
    (tmp_path / "m").write_bytes(b"of the old format")
    with pytest.raises(UserError, match="m exists already; --force"):
        put(tmp_path / "m", "new", 1, replace=False)
    put(tmp_path / "m", "new", 1)
    assert (tmp_path / "m").read_bytes() == b"of the old format"
    assert whole(tmp_path / "m") == "new"


def test_data_without_an_index_are_somebodys(tmp_path):
    """The index may only be lost: what is left is not removed unasked."""
    path = tmp_path / "m.data-00000-of-00001"
    path.write_text("mine")
    with pytest.raises(UserError, match="data-00000-of-00001 exists already"):
        put(tmp_path / "m", "new", 2, replace=False)
    assert path.read_text() == "mine"


def test_the_permissions_of_a_checkpoint_stay(tmp_path):
    plain(tmp_path / "m", "old", 1)
    (tmp_path / "m.index").chmod(0o600)
    put(tmp_path / "m", "new", 1)
    for path in tmp_path.glob("m.*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def make(kind, path):
    if kind == "link":
        path.with_name("elsewhere").write_text("mine")
        path.symlink_to("elsewhere")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
        (path / "file").write_text("mine")


KINDS = ["link", "pipe", "folder"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("ending", ["", ".index", ".data-00000-of-00003"])
def test_only_regular_files_give_way_to_a_checkpoint(tmp_path, kind, ending):
    path = tmp_path / f"m{ending}"
    make(kind, path)
    before = names_in(tmp_path)
    with pytest.raises(UserError, match=f"is a {kind}, and only regular"):
        put(tmp_path / "m", "new", 1)
    assert stat.S_IFMT(path.lstat().st_mode) != stat.S_IFREG
    assert names_in(tmp_path) == before


# --- A checkpoint, of TensorFlow ---


def arrays():
    random = np.random.default_rng(5)
    return {
        "kernel": random.standard_normal((3, 5)),
        "bias": random.standard_normal(4).astype("float32"),
        "step": np.asarray(3, "int64"),
        "words": np.array([b"one\0", b"", b"three"], object),
    }


@pytest.mark.parametrize("size", [0, 1 << 26])
@pytest.mark.parametrize("rounds", [2, 4])
def test_another_number_of_data_files_holds_the_same(
    tmp_path, monkeypatch, size, rounds
):
    monkeypatch.setattr(export, "_SHARD", size)
    wanted, numbers = arrays(), []
    for _ in range(rounds):
        export.write(tmp_path / "m", iter(wanted.items()))
        (number,) = set(sources.data_files(tmp_path / "m").values())
        numbers.append(number)
        opened = reader.open_checkpoint(tmp_path / "m")
        assert set(opened.shapes) == set(wanted)
        for name, array in wanted.items():
            found = opened.read(name)
            assert (found.dtype, found.shape) == (array.dtype, array.shape)
            assert found.tolist() == array.tolist()
    assert numbers == ([4, 3, 4, 3] if size == 0 else [1, 2, 1, 2])[:rounds]


def test_one_variable_has_no_other_number(tmp_path):
    one = {"kernel": np.ones((2, 3), "float32")}
    export.write(tmp_path / "m", one.items())
    before = names_in(tmp_path)
    with pytest.raises(UserError, match="name another place"):
        export.write(tmp_path / "m", one.items())
    assert names_in(tmp_path) == before
    assert reader.open_checkpoint(tmp_path / "m").read("kernel").all()


# --- The commands ---


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.keras"
    convert_checkpoint(FOLDER / "stacked_lstm").save(path)
    return path


@pytest.fixture
def mine(tmp_path, model):
    """A folder with a model, and the checkpoint that it was made from."""
    shutil.copy(model, tmp_path / "m.keras")
    shutil.copytree(FOLDER / "stacked_lstm", tmp_path / "from")
    return tmp_path


def content(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


LIKE = ("--like", "from/model.ckpt")


@pytest.mark.parametrize(
    ("links", "arguments"),
    [
        ({}, ("export", "m.keras", "--out", "m.keras")),
        ({}, ("export", "m.keras", "--out", "./from/../m.keras")),
        ({"m": "m.keras"}, ("export", "m", "--out", "m.keras")),
        ({"p.index": "m.keras"}, ("export", "m.keras", "--out", "p")),
        (
            {"p.data-00000-of-00007": "m.keras"},
            ("export", "m.keras", "--out", "p"),
        ),
        ({}, ("export", "m.keras", "--out", "from/model.ckpt", *LIKE)),
        (
            {"p.index": "from/model.ckpt.data-00000-of-00001"},
            ("export", "m.keras", "--out", "p", "--like", "from"),
        ),
        (
            {"o.keras": "from/model.ckpt.data-00000-of-00001"},
            ("convert", "from/model.ckpt", "--out", "o.keras"),
        ),
        (
            {"o.npz": "from/model.ckpt.index"},
            ("convert", "from/model.ckpt.index", "--out", "o.npz"),
        ),
        (
            {"from/o.weights.h5": "from/model.ckpt.index"},
            ("convert", "from", "--out", "from/o.weights.h5"),
        ),
    ],
)
@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_no_output_is_an_input(
    call_cli, mine, monkeypatch, links, arguments, link
):
    monkeypatch.chdir(mine)
    for name, target in links.items():
        link(os.path.abspath(target), name)
    before = content(mine)
    done = call_cli(*arguments, "--force")
    refused(done, "; name another file")
    assert "what is " in done.stderr
    assert content(mine) == before


def test_no_json_is_an_input(call_cli, tmp_path):
    """Also where that begins as JSON does."""
    np.savez(tmp_path / "a.npz", kernel=np.ones(3))
    for name in ("checkpoint", "model.ckpt.index"):
        (tmp_path / name).write_bytes(b"{ }")
    (tmp_path / "out.json").symlink_to("model.ckpt.index")
    before = content(tmp_path)
    for out in ("checkpoint", "out.json"):
        refused(
            call_cli("inspect", tmp_path, "--json", tmp_path / out),
            "is what is read; name another file",
        )
    assert content(tmp_path) == before


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (("check", "--json"), "is there already and no JSON"),
        (("diff", "s1", "--html"), "is there already and no HTML page"),
        (("inspect", FOLDER / "stacked_lstm", "--json"), "and no JSON"),
    ],
)
def test_a_report_takes_no_models_place(call_cli, tmp_path, option, message):
    path = tmp_path / "m.keras"
    path.write_bytes(b"PK mine")
    refused(call_cli(*option, path), message)
    assert path.read_bytes() == b"PK mine"


@pytest.mark.parametrize("ending", [".keras", ".weights.h5", ".npz"])
def test_force_writes_through_a_link_and_keeps_permissions(
    call_cli, tmp_path, ending
):
    (tmp_path / "folder").mkdir()
    target = tmp_path / "folder" / f"real{ending}"
    target.write_text("old")
    target.chmod(0o600)
    link = tmp_path / f"link{ending}"
    link.symlink_to(f"folder/real{ending}")
    source = FOLDER / "stacked_lstm"
    refused(call_cli("convert", source, "--out", link), "exists already")
    assert target.read_text() == "old"
    done = call_cli("convert", source, "--out", link, "--force")
    assert done.returncode == 0, done.stderr
    assert link.is_symlink()
    assert target.read_bytes()[:4] in (b"PK\3\4", b"\x89HDF")
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert names_in(tmp_path / "folder") == [target.name]
    new = tmp_path / f"new{ending}"
    umask = os.umask(0o027)
    try:
        call_cli("convert", source, "--out", new)
    finally:
        os.umask(umask)
    assert stat.S_IMODE(new.stat().st_mode) == 0o640


def test_what_earlier_releases_left_is_named(call_cli, mine):
    for name in (".o.keras.abcd_123", ".p.abcd_123", ".o.keras.swp"):
        (mine / name).mkdir()
    for command, name in (
        (("convert", mine / "from", "--out", mine / "o.keras"), ".o.keras"),
        (("export", mine / "m.keras", "--out", mine / "p"), ".p"),
    ):
        done = call_cli(*command)
        assert done.returncode == 0, done.stderr
        assert f"{mine / name}.abcd_123 may be left" in done.stdout
        assert ".swp" not in done.stdout
        assert (mine / f"{name}.abcd_123").is_dir()


@pytest.mark.parametrize("kind", ["pipe", "folder"])
def test_force_replaces_only_a_file(call_cli, tmp_path, kind):
    out = tmp_path / "out.keras"
    make(kind, out)
    done = call_cli(
        "convert", FOLDER / "stacked_lstm", "--out", out, "--force"
    )
    refused(done, f"is a {kind}")
    assert not out.is_file()


def test_export_leaves_what_it_does_not_write(call_cli, mine):
    """The graph and the old format beside it are not its own."""
    for name in ("p", "p.meta", "p.index.old", "pq.index"):
        (mine / name).write_text(f"my {name}")
    (mine / "p.index").write_text("old")
    (mine / "p.index").chmod(0o600)
    done = call_cli(
        "export", mine / "m.keras", "--out", mine / "p", "--force"
    )
    assert done.returncode == 0, done.stderr
    assert "p itself, of the old format, is left as it was" in done.stdout
    for name in ("p", "p.meta", "p.index.old", "pq.index"):
        assert (mine / name).read_text() == f"my {name}"
    opened = reader.open_checkpoint(mine / "p.index")
    assert len(opened.shapes) > 5
    assert stat.S_IMODE((mine / "p.index").stat().st_mode) == 0o600


def test_a_killed_export_leaves_the_old_checkpoint(run_cli, call_cli, mine):
    def values():
        opened = reader.open_checkpoint(mine / "p")
        return {name: opened.read(name).tolist() for name in opened.shapes}

    out = ("--out", mine / "p")
    call_cli("export", mine / "m.keras", *out)
    before = values()
    ending = (
        "import os, signal, sys\n"
        "def end(event, arguments):\n"
        "    if event == 'os.rename' and str(arguments[1]).endswith('p.index'"
        "):\n        os.kill(os.getpid(), signal.SIGKILL)\n"
        "sys.addaudithook(end)"
    )
    done = run_cli("export", mine / "m.keras", *out, "--force", before=ending)
    assert done.returncode == -signal.SIGKILL
    assert ".p.rnn-parity" in names_in(mine)
    assert values() == before
    done = call_cli("export", mine / "m.keras", *out, "--force")
    assert done.returncode == 0, done.stderr
    assert values() == before
    left = set(names_in(mine)) - {"m.keras", "from", "checkpoint", "p.index"}
    assert len(set(sources.data_files(mine / "p").values())) == 1
    assert left == {path.name for path in sources.data_files(mine / "p")}


def test_a_second_command_is_refused(call_cli, mine):
    busy = "another rnn-parity writes"
    for out, command in (
        ("o.keras", ("convert", mine / "from", "--out")),
        ("o.json", ("inspect", mine / "from", "--json")),
        ("o.json", ("check", "--section", "s1", "--json")),
        ("o.png", ("run", "s1", *NUMPY, "--figure")),
        ("o.gif", ("run", "s1", *NUMPY, "--animate")),
        ("o.html", ("diff", "s1", "--html")),
    ):
        with files.reserve(mine / out):
            refused(call_cli(*command, mine / out), busy)
    with replacing.reserve(mine / "p"):
        for out in ("p", "p.index"):
            done = call_cli("export", mine / "m.keras", "--out", mine / out)
            refused(done, busy)
    with checkpoint.reserve_new(mine / "run"):
        refused(call_cli("run", "s1", *NUMPY, "--save", mine / "run"), busy)
    with (
        files.reserve(mine / "bench" / "unrolling.json")
        if ((mine / "bench").mkdir() or True)
        else None
    ):
        refused(call_cli("bench", "--out", mine / "bench"), busy)
    assert names_in(mine) == ["bench", "from", "m.keras", "run"]


def test_a_run_is_gone_on_with_by_one(call_cli, tmp_path):
    folder = tmp_path / "run"
    run = ("run", "s1", *NUMPY, "--total-series-length", "900")
    done = call_cli(*run, "--save", folder)
    assert done.returncode == 0, done.stderr
    on = ("run", "s1", "--resume", folder, "--epochs", "2")
    with checkpoint.reserve(folder):
        refused(call_cli(*on), "another rnn-parity writes")
    (folder / f".{checkpoint.NAME}.rnn-parity").mkdir()  # of a killed one
    (folder / f".{checkpoint.NAME}.rnn-parity" / "content").touch()
    before = (folder / checkpoint.NAME).read_bytes()
    (tmp_path / "on.png").symlink_to(folder / checkpoint.NAME)
    refused(
        call_cli(*on, "--figure", tmp_path / "on.png"),
        "is what training goes on from",
    )
    assert (folder / checkpoint.NAME).read_bytes() == before
    assert call_cli(*on).returncode == 0
    assert names_in(folder) == [checkpoint.NAME]
    assert checkpoint.read(folder).epoch == 2


@pytest.fixture
def within_two_minutes():
    """Ends a test that would wait for ever."""

    def end(*_):
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, end)
    signal.alarm(120)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.usefixtures("within_two_minutes")
def test_no_pipe_is_opened(call_cli, mine):
    """Opening one would wait for ever."""
    (mine / "run").mkdir()
    for pipe, command in (
        ("p.keras", ("export", mine / "p.keras", "--out", mine / "p")),
        (
            f"run/{checkpoint.NAME}",
            ("run", "s1", *NUMPY, "--resume", mine / "run"),
        ),
        ("p.json", ("bench", "--compare", mine / "p.json", mine / "p.json")),
    ):
        os.mkfifo(mine / pipe)
        refused(call_cli(*command), "is a pipe, not a regular file")


# --- Names and places that cannot be ---


LONG = "x" * 245


def test_a_long_name_is_written(call_cli, mine):
    out = mine / f"{LONG}.keras"  # of 251
    done = call_cli("convert", mine / "from", "--out", out)
    assert done.returncode == 0, done.stderr
    with files.reserve(mine / f"{'y' * 250}") as place:
        assert len(place.folder.name) <= 255
        # Another such name has a lock of its own.
        overwrite(mine / f"{'y' * 251}", "x")
    prefix = mine / ("z" * 235)
    done = call_cli("export", out, "--out", prefix)
    assert done.returncode == 0, done.stderr
    assert reader.open_checkpoint(prefix).shapes


@pytest.mark.parametrize(
    ("command", "out", "message"),
    [
        ("convert", "x" * 300 + ".keras", "File name too long"),
        ("convert", "m.keras/y.keras", "there is no folder"),
        ("convert", "from/", "must end in"),
        ("convert", "new.keras/", "is a folder; name a file"),
        ("convert", "~/new.keras", "~ is your home folder only where"),
        ("convert", "dangling.keras", "there is no folder"),
        ("convert", "loop.keras", "Too many levels of symbolic links"),
        ("export", "x" * 250, "File name too long"),
        ("export", "x" * 300, "File name too long"),
        ("export", "m.keras/y", "cannot make m.keras"),
        ("export", "from", "is a folder; name a prefix in it"),
        ("export", "new/", "is a folder; name a prefix in it"),
        ("export", "new/.index", "is a folder; name a prefix in it"),
        ("export", "..", "is a folder; name a prefix in it"),
        ("export", "~/new/m", "~ is your home folder only where"),
        ("run", "m.keras", "m.keras is a file; name a folder"),
        ("run", "m.keras/x", "cannot use m.keras/x: Not a directory"),
        ("run", "x" * 300, "File name too long"),
        ("run", "~/x", "~ is your home folder only where"),
        ("inspect", "x" * 300, "File name too long"),
        ("inspect", "from", "from is a folder; name a file"),
        ("inspect", "m.keras/y", "there is no folder m.keras"),
        ("diff", "x" * 300, "File name too long"),
        ("check", "x" * 300, "File name too long"),
        ("bench", "x" * 300, "File name too long"),
        ("bench", "~/x", "~ is your home folder only where"),
        ("bench", "m.keras", "cannot make m.keras"),
    ],
)
def test_a_place_that_cannot_be_is_one_line(
    call_cli, mine, monkeypatch, command, out, message
):
    monkeypatch.chdir(mine)
    os.symlink("gone/model.keras", "dangling.keras")
    os.symlink("loop.keras", "loop.keras")
    before = content(mine), names_in(mine)
    arguments = {
        "convert": ("from", "--out"),
        "export": ("m.keras", "--out"),
        "run": ("s1", *NUMPY, "--save"),
        "inspect": ("from", "--json"),
        "diff": ("s1", "--html"),
        "check": ("--section", "s1", "--json"),
        "bench": ("--out",),
    }
    refused(call_cli(command, *arguments[command], out), message)
    assert (content(mine), names_in(mine)) == before


@pytest.mark.parametrize(
    "number", [errno.EACCES, errno.EROFS, errno.ENOSPC, errno.EDQUOT]
)
def test_a_folder_that_takes_nothing_is_one_line(
    call_cli, mine, monkeypatch, number
):
    before = content(mine), names_in(mine)

    def mkdir(path, *_, **__):
        raise OSError(number, os.strerror(number), os.fspath(path))

    monkeypatch.setattr(os, "mkdir", mkdir)
    for command in (
        ("convert", mine / "from", "--out", mine / "o.keras"),
        ("export", mine / "m.keras", "--out", mine / "p"),
        ("export", mine / "m.keras", "--out", mine / "new" / "p"),
        ("inspect", mine / "from", "--json", mine / "o.json"),
        ("run", "s1", *NUMPY, "--figure", mine / "o.png"),
        ("run", "s1", *NUMPY, "--save", mine / "run"),
    ):
        refused(call_cli(*command), os.strerror(number))
    assert (content(mine), names_in(mine)) == before


def test_a_folder_that_vanishes_is_one_line(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    with files.reserve(folder / "out") as place:
        shutil.rmtree(folder)
        with pytest.raises(UserError, match="out: No such file or directory"):
            overwrite(place, "x")
    assert names_in(tmp_path) == []


def test_a_file_that_may_not_be_written_stays(tmp_path, monkeypatch):
    path = tmp_path / "out"
    path.write_text("mine")
    path.chmod(0o400)
    if os.access(path, os.W_OK):  # as root may
        monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(UserError, match="may not be written"):
        overwrite(path, "x")
    assert path.read_text() == "mine"
