"""Runs the targets, each in a process of its own: see the package."""

import importlib
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import click

ROOT = pathlib.Path(__file__).parents[1]
HERE = ROOT / "fuzz"
GRACE = 120  # seconds for the start, the corpus and the last input
MEMORY = 2**30  # bytes more than at the start
TARGETS = sorted(
    path.stem.removeprefix("fuzz_") for path in HERE.glob("fuzz_*.py")
)


@click.command()
@click.option("--minutes", type=float, default=10.0, show_default=True)
@click.option("--inside", type=click.Path(), hidden=True)
@click.argument("names", nargs=-1, type=click.Choice(TARGETS))
def main(minutes, inside, names):
    """Feeds readers of files with inputs until the time is up."""
    if inside:
        run(names[0], minutes * 60, pathlib.Path(inside))
        return
    failed = [name for name in names or TARGETS if not passes(name, minutes)]
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)


def passes(name, minutes):
    """Whether a target ran to its end; says so, and where its input is."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix=f"fuzz-{name}-"))
    arguments = [name, "--minutes", str(minutes), "--inside", str(folder)]
    try:
        code = subprocess.run(
            [sys.executable, "-m", "fuzz", *arguments],
            cwd=ROOT,
            timeout=minutes * 60 + GRACE,
            check=False,
        ).returncode
    except subprocess.TimeoutExpired:
        code = "no end"
    if code == 0:
        shutil.rmtree(folder)
        return True
    print(f"{name}: ended with {code}; the last input is in {folder}")
    return False


def run(name, seconds, folder):
    """Tries inputs of a target in this process."""
    from hypothesis import HealthCheck, given, settings

    target = importlib.import_module(f"fuzz.fuzz_{name}")
    read = getattr(target, "read", read_arrays)
    limit_memory()
    end, tried = time.monotonic() + seconds, {"refused": 0, "read": 0}

    def attempt(files):
        if time.monotonic() < end:
            tried[outcome(read, target.PATH, files, folder)] += 1

    for kept in sorted(HERE.glob(f"corpus/{name}/*")):
        attempt({path.name: path.read_bytes() for path in kept.iterdir()})
    endless = settings(
        max_examples=100,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )(given(target.files())(attempt))
    while time.monotonic() < end:
        endless()
    print(f"{name}: {tried['read']} read, {tried['refused']} refused")


def outcome(read, path, files, folder):
    """ "read" or "refused"; whatever else is raised is a fault."""
    from rnn_parity.errors import UserError

    shutil.rmtree(folder)
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    try:
        read(folder / path)
    except UserError as error:
        if len(str(error).splitlines()) != 1:
            raise AssertionError(f"not one line: {error}") from error
        return "refused"
    return "read"


def read_arrays(path):
    """Opens a checkpoint and reads all of it."""
    from rnn_parity.checkpoints import reader
    from rnn_parity.errors import UserError

    opened = reader.open_checkpoint(path)
    for name in opened.shapes:
        try:
            opened.read(name)
        except UserError:  # and the next is read all the same
            continue


def limit_memory():
    """Makes a file that takes much memory an error."""
    import resource

    import rnn_parity.quiet  # noqa: F401  its size is not counted

    status = pathlib.Path("/proc/self/statm")
    if not status.exists():
        return
    pages = int(status.read_text().split()[0])
    most = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


if __name__ == "__main__":
    main()
