"""Plants the faults, prints those that survive, and compares the record."""

import collections
import contextlib
import datetime
import json
import os
import pathlib
import re
import resource
import shutil
import subprocess
import sys
import tempfile

import click
from mutmut.mutation import diff_apply

ROOT = pathlib.Path(__file__).parents[1]
COPY = pathlib.Path("mutants")  # of the changed sources, where mutmut runs
RECORD = ROOT / "mutation" / "record.json"
LEAST = 0.95  # of the faults must be noticed
# Of these modules only some functions: the others start and end processes,
# or read arguments and files.
ONLY = {
    "rnn_parity.bench.contest": (
        "Contestantǁ(warm_up|turn|result)__|_(hold|_rounds)__"
    ),
    "rnn_parity.checkpoints.diagnose": (
        "(Diagnosis|Explanation|_Numbers|_Search)ǁ"
        "|_(_as_read|_fit|_numbers|combined)__"
    ),
}
# What mutmut keeps of a fault: how pytest ended, or that time ran out.
NOTICED = {1, 3, -24, 24, 36, 152, 255}


@click.command()
@click.option(
    "--every",
    default=4,
    show_default=True,
    help="Plant one fault in so many of each module; 1 plants all.",
)
@click.option("--record", is_flag=True, help="Write mutation/record.json.")
def main(every, record):
    """Exits with 1 if too few are noticed or one is not in the record."""
    with tempfile.TemporaryDirectory() as folder:
        # A copy, which no one edits meanwhile and which goes at the end.
        tree = pathlib.Path(folder, "tree")
        left_out = shutil.ignore_patterns(".*", "__pycache__", "site")
        shutil.copytree(ROOT, tree, ignore=left_out)
        os.chdir(tree)
        code = run(every, record)
        os.chdir(ROOT)
    sys.exit(code)


def run(every, record):
    """The exit code of `main`, whose work this is, in a copy of the tree."""
    # The module with the fewest, so that mutmut writes the changed copies.
    mutmut("rnn_parity.tolerances.*")
    faults = [Fault(name, path) for name, path in chosen(every)]
    faults = [fault for fault in faults if not fault.only_in_case]
    print(f"planting {len(faults)} faults", flush=True)
    mutmut(*(fault.name for fault in faults))
    survivors = [fault for fault in faults if not fault.noticed]
    reasons = recorded_reasons()
    for fault in survivors:
        print(f"\n{fault}\n{reasons.get(fault.key) or 'not in the record'}")
    told = summary(faults, every)
    print()
    for module, counts in told["modules"].items():
        print("{}: {noticed} of {planted} noticed".format(module, **counts))
    share = 1 - len(survivors) / len(faults)
    print(f"in all {share:.1%} of {len(faults)} noticed")
    if record:
        told["survivors"] = [
            {**fault.as_json(), "why": reasons.get(fault.key, "")}
            for fault in survivors
        ]
        text = json.dumps(told, indent=1, ensure_ascii=False)
        RECORD.write_text(f"{text}\n", "utf-8")
    explained = all(reasons.get(fault.key) for fault in survivors)
    return 0 if explained and share >= LEAST else 1


def mutmut(*names):
    """Runs mutmut on these faults; two at a time."""
    program = pathlib.Path(sys.executable).with_name("mutmut")
    command = [program, "run", "--max-children", "2", *names]
    code = subprocess.run(command, check=False).returncode
    if code:
        sys.exit(f"mutmut ended with {code}: see above")


def results(path):
    """{fault's name: how its tests ended} of a module, by its source."""
    text = (COPY / f"{path}.meta").read_text("utf-8")
    return json.loads(text)["exit_code_by_key"]


def chosen(every):
    """(name, source) of one fault in so many of each module."""
    for meta in sorted(COPY.glob("**/*.meta")):
        path = meta.relative_to(COPY).with_suffix("").as_posix()
        only = ONLY.get(path.removesuffix(".py").replace("/", "."), "")
        names = [name for name in results(path) if re.search(only, name)]
        yield from ((name, path) for name in names[::every])


class Fault:
    """A change that mutmut makes.

    Attributes:
        name: what mutmut calls it.
        path: the source file, from the root.
        place: module and function.
        removed, added: the lines that it changes.
    """

    def __init__(self, name, path):
        self.name, self.path = name, path
        self.place = re.sub(r"\.x[_ǁ](.*)__mutmut_\d+$", r".\1", name)
        self.place = self.place.replace("ǁ", ".")
        diff = diff_apply.get_diff_for_mutant(name, path=path).split("\n")[3:]
        self.removed = [line[1:] for line in diff if line[0] == "-"]
        self.added = [line[1:] for line in diff if line[0] == "+"]

    @property
    def only_in_case(self):
        """Whether it writes a text in capitals, or in small letters."""
        before, after = "".join(self.removed), "".join(self.added)
        return before.lower() == after.lower() and not re.search(
            "True|False", before
        )

    @property
    def noticed(self):
        return results(self.path)[self.name] in NOTICED

    @property
    def key(self):
        """What stays the same while other code in the module changes."""
        return self.place, "\n".join(self.removed), "\n".join(self.added)

    def as_json(self):
        return dict(zip(("in", "from", "to"), self.key, strict=True))

    def __str__(self):
        lines = pathlib.Path(self.path).read_text("utf-8").split("\n")
        lines = [line.strip() for line in lines]
        function = f"def {self.place.rpartition('.')[2]}("
        at = next(i for i, s in enumerate(lines) if s.startswith(function))
        with contextlib.suppress(ValueError):  # mutmut moved a line end
            at = lines.index(self.removed[0].strip(), at)
        change = [f"-{s}" for s in self.removed] + [
            f"+{s}" for s in self.added
        ]
        return "\n".join([f"{self.path}:{at + 1} {self.place}", *change])


def recorded_reasons():
    """{fault's key: why it cannot be seen} of the last record."""
    if not RECORD.exists():
        return {}
    told = json.loads(RECORD.read_text("utf-8"))
    return {
        (one["in"], one["from"], one["to"]): one["why"]
        for one in told["survivors"]
    }


def summary(faults, every):
    """What was planted where, and the test files that call each module."""
    tests = collections.defaultdict(set)
    stats = json.loads((COPY / "mutmut-stats.json").read_text("utf-8"))
    for function, ids in stats["tests_by_mangled_function_name"].items():
        module = re.sub(r"\.x[_ǁ].*", "", function)
        tests[module] |= {one.partition("::")[0] for one in ids}
    modules = {}
    for fault in faults:
        module = fault.path.removesuffix(".py").replace("/", ".")
        new = {"planted": 0, "noticed": 0, "tests": sorted(tests[module])}
        counts = modules.setdefault(module, new)
        counts["planted"] += 1
        counts["noticed"] += fault.noticed
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "date": datetime.date.today().isoformat(),
        "every": every,
        "processor_seconds": round(used.ru_utime + used.ru_stime),
        "modules": modules,
    }


if __name__ == "__main__":
    main()
