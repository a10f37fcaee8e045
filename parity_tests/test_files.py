"""rnn_parity.files: whole or not at all, and only what was meant."""

import os
import stat
import threading

import pytest

from rnn_parity import files
from rnn_parity.errors import UserError


def write(path, text):
    files.must_be_writable(path)
    with files.atomic_write(path) as file:
        file.write(text)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_a_file_is_replaced_once_it_is_whole(tmp_path):
    path = tmp_path / "out.json"
    path.write_text("before")

    def write_half():
        with files.atomic_write(path) as file:
            file.write("half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_half()
    assert path.read_text() == "before"
    write(path, "after")
    assert path.read_text() == "after"
    assert os.listdir(tmp_path) == ["out.json"]


def test_permissions_are_those_it_had_or_would_get(tmp_path):
    new, old = tmp_path / "new", tmp_path / "old"
    old.touch(mode=0o600)
    before = os.umask(0o027)
    try:
        write(new, "x")
        write(old, "x")
    finally:
        os.umask(before)
    assert (mode(new), mode(old)) == (0o640, 0o600)


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_and_leads_to_the_new_file(tmp_path, there):
    (tmp_path / "folder").mkdir()
    target, link = tmp_path / "folder" / "target", tmp_path / "link"
    link.symlink_to("folder/target")
    if there:
        target.write_text("before")
    write(link, "after")
    assert link.is_symlink()
    assert target.read_text() == "after"


def test_a_pipe_is_written_to(tmp_path):
    pipe, read = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    write(pipe, "through")
    reader.join()
    assert read == ["through"]
    assert pipe.is_fifo()


def test_a_device_stays_one(tmp_path):
    device = tmp_path / "null"
    try:
        os.mknod(device, stat.S_IFCHR | 0o666, os.makedev(1, 3))
        device.open("w").close()
    except PermissionError:
        pytest.skip("only root may make a device")
    write(device, "nothing")
    assert device.is_char_device()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("folder", "is a folder; name a file"),
        ("new/", "is a folder; name a file"),
        ("gone/new", "there is no folder"),
        ("file/new", "there is no folder"),
    ],
)
def test_what_is_no_place_for_a_file_is_told(tmp_path, name, message):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=message):
        files.must_be_writable(f"{tmp_path}/{name}")
    assert sorted(os.listdir(tmp_path)) == ["file", "folder"]


def test_only_regular_files_are_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("file")
    for name in ("file", "link", "missing"):
        files.must_be_regular(tmp_path / name)
    for path, kind in (
        (tmp_path, "a folder"),
        (tmp_path / "pipe", "a pipe"),
        ("/dev/null", "a device"),
    ):
        with pytest.raises(UserError, match=f"is {kind}, not a regular"):
            files.must_be_regular(path)
