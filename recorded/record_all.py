"""Records all that is recorded under every genuine release: `make record`.

For each release it makes a virtual environment of its own with the old
interpreter (Python 3.6 for 0.12.1 and 1.0.1, 3.7 for 1.15.5), writes the
inputs, and runs `record.py` there for the sections, `record_checkpoints.py`
for checkpoints and, under 1.15.5, `record_cells.py` for single cells,
`record_models.py` for whole models of tf.keras and `restore_exported.py`,
which restores what rnn-parity exports.
Releases whose interpreter is not at hand are named and left as they are.
"""

import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import recorded
import rnn_parity
from rnn_parity import cases, sections
from rnn_parity.errors import UserError

ROOT = recorded.FOLDER.parent
SCRIPT = recorded.FOLDER / "record.py"
CELLS_SCRIPT = recorded.FOLDER / "record_cells.py"
MODELS_SCRIPT = recorded.FOLDER / "record_models.py"
CHECKPOINTS_SCRIPT = recorded.FOLDER / "record_checkpoints.py"
RESTORE_SCRIPT = recorded.FOLDER / "restore_exported.py"
RESTORED = recorded.FOLDER / "restored_tf1.15.5.json"
CELLS_RELEASE = "1.15.5"  # the last, which has every cell


@dataclasses.dataclass(frozen=True)
class Release:
    """A TensorFlow release and what it needs to be installed."""

    version: str
    python: str
    installers: tuple
    packages: tuple


_PYTHON_36 = {
    "python": "3.6",
    "installers": ("pip==21.3.1", "setuptools==59.6.0", "wheel==0.37.1"),
    "packages": ("numpy==1.16.6", "protobuf==3.17.3", "six==1.16.0"),
}

RELEASES = (
    Release("0.12.1", **_PYTHON_36),
    Release("1.0.1", **_PYTHON_36),
    Release(
        "1.15.5",
        python="3.7",
        installers=("pip==21.3.1", "setuptools==59.6.0", "wheel==0.37.1"),
        packages=("numpy==1.18.5", "protobuf==3.20.3", "six==1.16.0"),
    ),
)


def find_python(version):
    """The path of an interpreter "3.6" on PATH or under pyenv, or None."""
    on_path = shutil.which(f"python{version}")
    candidates = [pathlib.Path(on_path)] if on_path else []
    pyenv = pathlib.Path(os.environ.get("PYENV_ROOT", "~/.pyenv"))
    versions = (pyenv.expanduser() / "versions").glob(f"{version}.*")
    candidates += [folder / "bin" / "python" for folder in versions]
    return next((path for path in candidates if _runs(path, version)), None)


def _runs(path, version):
    """pyenv puts a python3.6 on PATH that only says it is not chosen."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        answer = subprocess.run(
            [path, "-c", code], capture_output=True, text=True, check=False
        )
    except OSError:
        return False
    return answer.stdout.strip() == version


def set_up(release, python):
    """The interpreter of a virtual environment with the release in it."""
    folder = ROOT / f".venv-tf{release.version}"
    inside = folder / "bin" / "python"
    ready = folder / ".ready"
    if not ready.exists():
        subprocess.run([python, "-m", "venv", "--clear", folder], check=True)
        for packages in (
            release.installers,
            (*release.packages, f"tensorflow=={release.version}"),
        ):
            install = [inside, "-m", "pip", "install", "--quiet", *packages]
            subprocess.run(install, check=True)
        ready.touch()
    return inside


def record(release, python):
    """Records all that one release is for; whole files or none."""
    inside = set_up(release, python)
    for section in sections.SECTIONS.values():
        with tempfile.TemporaryDirectory() as scratch:
            inputs = pathlib.Path(scratch) / "inputs.npz"
            cases.write_inputs(inputs, section)
            outputs = recorded.release_path(section, release.version)
            subprocess.run([inside, SCRIPT, inputs, outputs], check=True)
            shutil.copyfile(inputs, recorded.inputs_path(section))
    checkpoints = recorded.FOLDER / "checkpoints"
    subprocess.run([inside, CHECKPOINTS_SCRIPT, checkpoints], check=True)
    if release.version == CELLS_RELEASE:
        cells = recorded.FOLDER / f"cells_tf{CELLS_RELEASE}.npz"
        subprocess.run([inside, CELLS_SCRIPT, cells], check=True)
        models = recorded.FOLDER / "models"
        subprocess.run([inside, MODELS_SCRIPT, models], check=True)
        restore_exported(inside, release, checkpoints)


def restore_exported(inside, release, checkpoints):
    """Has the release restore what rnn-parity exports of its checkpoints."""
    with tempfile.TemporaryDirectory() as exported:
        for truth in sorted(checkpoints.glob("*/truth.json")):
            told = json.loads(truth.read_text("utf-8"))
            if told["tensorflow"] == release.version:
                name = truth.parent.name
                export_again(truth.parent, pathlib.Path(exported) / name)
        # Exporting imported TensorFlow 2, which tells its children to be it.
        plain = {k: v for k, v in os.environ.items() if k != "TF2_BEHAVIOR"}
        subprocess.run(
            [inside, RESTORE_SCRIPT, exported, checkpoints, RESTORED],
            check=True,
            env=plain,
        )


# What only the order of names would tell of a checkpoint.
TOLD = {
    "fused_directions": {
        "bidirectional": [("lstm_fused_cell", "lstm_fused_cell_1")]
    }
}


def export_again(checkpoint, folder):
    """Converts `checkpoint` and exports it to `folder`/model.ckpt.

    Returns:
        The prefix.
    """
    from rnn_parity.checkpoints.export import export_checkpoint

    folder.mkdir()
    converted = rnn_parity.convert_checkpoint(
        checkpoint / "model.ckpt",
        learning_rate=0.01,
        **TOLD.get(checkpoint.name, {}),
    )
    converted.save(folder / "model.keras")
    export_checkpoint(folder / "model.keras", folder / "model.ckpt")
    return folder / "model.ckpt"


def main():
    """Records what can be recorded; says what is missing; exits 2 if any."""
    missing = []
    for release in RELEASES:
        python = find_python(release.python)
        if python is None:
            missing.append(release)
            continue
        print(f"recording TensorFlow {release.version}", flush=True)
        try:
            record(release, python)
        except subprocess.CalledProcessError as error:
            command = " ".join(map(str, error.cmd))
            raise UserError(
                f"exit code {error.returncode} from: {command}"
            ) from None
    for release in missing:
        print(
            f"not recorded: TensorFlow {release.version} needs Python "
            f"{release.python}, which is neither on PATH (python"
            f"{release.python}) nor under pyenv; its recorded files are as "
            "they were",
            file=sys.stderr,
        )
    return 2 if missing else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except UserError as error:
        print(f"make record: error: {error}", file=sys.stderr)
        sys.exit(2)
