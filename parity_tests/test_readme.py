"""The front door says what is so."""

import json
import pathlib
import re

from rnn_parity import cli, sections

ROOT = pathlib.Path(__file__).parent.parent
README = (ROOT / "README.md").read_text("utf-8")
RESULTS = ROOT / "benchmarks" / "results" / "training_step.json"


def test_its_timings_are_those_of_the_published_run():
    published = json.loads(RESULTS.read_text())
    rows = re.findall(
        r"^\| `(s\d)\w+` .*\| ([\d.]+) \| ([\d.]+)\S \|$",
        README,
        re.MULTILINE,
    )
    assert [key for key, _, _ in rows] == list(sections.SECTIONS)
    for key, step, times in rows:
        of_key = published[key]
        assert step == f"{of_key['tf2']['us']:.1f}"
        ratio = of_key["TF1 session"]["us"] / of_key["tf2"]["us"]
        assert times == f"{ratio:.1f}"


def test_its_files_are_there():
    for path in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / path).exists(), path
    for path in re.findall(r"`((?:\w+/)+)`", README):
        assert (ROOT / path).is_dir() or path == "site/", path


def test_its_commands_are_there():
    named = set(re.findall(r"bin/rnn-parity (\w+)", README))
    known = {command.name for command in cli.COMMANDS}
    assert named <= known


def test_its_make_targets_are_there():
    targets = re.findall(
        r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE
    )
    assert set(re.findall(r"(?:    |`)make (\w+)", README)) <= set(targets)
