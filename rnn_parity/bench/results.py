"""What was measured, as pytest-benchmark keeps it, and questions to it.

A document is what `pytest-benchmark compare` reads: machine_info,
benchmarks with stats and extra_info. "rnn_parity" in it holds the rest: the
preset, and which strategies were not run and why.
"""

import dataclasses
import datetime
import json
import math
import platform
import statistics

from rnn_parity import devices
from rnn_parity.bench.jobs import Job
from rnn_parity.bench.strategies import STRATEGIES
from rnn_parity.errors import UserError

VERSION = 1
_JOB_FIELDS = [field.name for field in dataclasses.fields(Job)]


# --- Making a document ---


def document(preset, about, held):
    """The JSON document of a run.

    Args:
        preset: its name.
        about: what `contest.probe` said.
        held: {job: what `contest.hold` gave}.
    """
    benchmarks, not_run = [], []
    for job, by_name in held.items():
        for name, result in by_name.items():
            if "missing" in result:
                reason = result["missing"]
                not_run.append(
                    {
                        "strategy": name,
                        "job": dataclasses.asdict(job),
                        "reason": reason,
                    }
                )
            else:
                benchmarks += _benchmarks(job, name, result)
    return assemble(preset, about, benchmarks, not_run)


def assemble(preset, about, benchmarks, not_run):
    """The document of what `benchmark` made."""
    return {
        "machine_info": machine_info(about),
        "commit_info": {},
        "benchmarks": benchmarks,
        "datetime": datetime.datetime.now(datetime.timezone.utc).isoformat(),
        "version": "5.3.1",
        "rnn_parity": {
            "version": VERSION,
            "preset": preset,
            "not_run": not_run,
        },
    }


def _benchmarks(job, name, result):
    family = STRATEGIES[name].family
    for kind, seconds in result["seconds"].items():
        if kind == "square":
            flops = result["square_flops"]
        else:
            flops = job.flops(kind)
        extra = {
            "strategy": name,
            "family": family,
            "kind": kind,
            "flops": flops,
            "build_seconds": result.get(f"build_{kind}"),
            "first_seconds": result.get(f"first_{kind}"),
            "nodes": result["nodes"],
            "memory_before": result["started_at"],
            "memory_peak": result["peak"],
            "errors": result.get("errors"),
        }
        yield benchmark(job, extra, seconds, result["calls"][kind])


def benchmark(job, extra, seconds, calls):
    """One of pytest-benchmark's, of rounds of so many calls each."""
    name = f"{extra['strategy']}, {extra['kind']}"
    return {
        "group": f"{extra['kind']}, {job}",
        "name": name,
        "fullname": f"{name}, {job}",
        "params": None,
        "param": None,
        "extra_info": extra | dataclasses.asdict(job),
        "options": {
            "disable_gc": False,
            "timer": "perf_counter",
            "min_rounds": len(seconds),
            "max_time": 0,
            "min_time": 0,
            "warmup": True,
        },
        "stats": stats(seconds, calls),
    }


def stats(seconds, calls):
    """pytest-benchmark's figures of a list of rounds."""
    ordered = sorted(seconds)
    q1, median, q3 = _quartiles(ordered)
    mean = statistics.fmean(ordered)
    spread = statistics.stdev(ordered) if len(ordered) > 1 else 0.0
    low, high = q1 - 1.5 * (q3 - q1), q3 + 1.5 * (q3 - q1)
    inside = [s for s in ordered if low <= s <= high]
    far = sum(abs(s - mean) > spread for s in ordered)
    outside = len(ordered) - len(inside)
    figures = {
        "min": ordered[0],
        "max": ordered[-1],
        "mean": mean,
        "stddev": spread,
        "median": median,
        "iqr": q3 - q1,
        "q1": q1,
        "q3": q3,
        "ld15iqr": inside[0],
        "hd15iqr": inside[-1],
        "ops": 1 / mean,
        "total": sum(ordered),
    }
    figures = {name: float(f"{v:.5g}") for name, v in figures.items()}
    return figures | {
        "rounds": len(ordered),
        "iterations": calls,
        "iqr_outliers": outside,
        "stddev_outliers": far,
        "outliers": f"{far};{outside}",
    }


def _quartiles(ordered):
    if len(ordered) == 1:
        return ordered * 3
    return statistics.quantiles(ordered, n=4, method="inclusive")


def machine_info(about):
    """Of the machine, but nothing that names it."""
    from importlib import metadata

    libraries = {}
    for library in ("tensorflow", "keras", "tf-keras", "torch", "jax"):
        try:
            libraries[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            continue
    return {
        "system": platform.system(),
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": devices.cores(),
        "cpu": {"brand_raw": _processor()},
        "gpu": about.get("device_name", ""),
        "python_implementation": platform.python_implementation(),
        "python_implementation_version": platform.python_version(),
        "python_version": platform.python_version(),
        "libraries": libraries,
    }


def _processor():
    try:
        with open("/proc/cpuinfo") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor()


def write(path, made):
    """Atomically, a benchmark to a line."""
    from rnn_parity import files

    head = {k: v for k, v in made.items() if k != "benchmarks"}
    lines = [json.dumps(one) for one in made["benchmarks"]]
    with files.atomic_write(path) as file:
        file.write('{"benchmarks": [\n')
        file.write(",\n".join(lines))
        file.write("\n],\n" + json.dumps(head, indent=1)[1:].lstrip() + "\n")


# --- Reading one ---


class Results:
    """A document, asked by job, strategy and kind."""

    def __init__(self, made):
        self.document = made
        self.machine = made["machine_info"]
        self.preset = made["rnn_parity"]["preset"]
        self.note = made["rnn_parity"].get("note", "")
        self._found, jobs, names, kinds = {}, {}, {}, {}
        for one in made["benchmarks"]:
            extra = one["extra_info"]
            job = _job(extra)
            key = (job, extra["strategy"], extra["kind"])
            self._found[key] = Measured(one["stats"], extra)
            jobs[job] = names[extra["strategy"]] = kinds[extra["kind"]] = True
        self.reasons = {
            (_job(one["job"]), one["strategy"]): one["reason"]
            for one in made["rnn_parity"]["not_run"]
        }
        for job, name in self.reasons:
            jobs[job], names[name] = True, True
        self.jobs, self.kinds = list(jobs), list(kinds)
        known = [name for name in STRATEGIES if name in names]
        self.names = known + [n for n in names if n not in STRATEGIES]

    def get(self, job, name, kind="train"):
        """What was measured, or None."""
        return self._found.get((job, name, kind))

    def of(self, job, kind="train", families=("tf1", "tf2", "keras", "peer")):
        """{name: Measured} of a job, but the limits."""
        return {
            name: self._found[job, name, kind]
            for name in self.names
            if (job, name, kind) in self._found
            and self._found[job, name, kind].family in families
        }

    def rate(self, job, kind):
        """Flops a second of the products alone, by the fastest library.

        "train" and "forward" are the step's own products, "square" is one
        large product. None where no limit was measured.
        """
        limits = self.of(job, kind, families=("limit",)).values()
        if not limits:
            return None
        return max(m.flops / m.median for m in limits)

    def share(self, job, name, limit, kind="train"):
        """Of the rate of `limit`'s products, as a fraction, or None."""
        found, rate = self.get(job, name, kind), self.rate(job, limit)
        if found is None or rate is None:
            return None
        return found.flops / found.median / rate


class Measured:
    """One strategy at one job: seconds, bytes, counts."""

    def __init__(self, stats, extra):
        seconds = (float(stats[name]) for name in ("median", "iqr", "mean"))
        self.median, self.iqr, self.mean = seconds
        self.build = extra["build_seconds"]
        self.first = extra["first_seconds"]
        self.nodes = extra["nodes"]
        self.peak = extra["memory_peak"]
        self.memory = extra["memory_peak"] - extra["memory_before"]
        self.family, self.flops = extra["family"], extra["flops"]

    def total(self, steps):
        """Seconds until so many steps are done, from nothing."""
        return self.build + self.first + (steps - 1) * self.median


def _job(fields):
    return Job(**{name: fields[name] for name in _JOB_FIELDS})


def read(path):
    """The results in a file that `write` wrote.

    Raises:
        UserError: it cannot be read, or is something else.
    """
    from rnn_parity import files

    files.must_be_regular(path)
    try:
        with open(path, encoding="utf-8") as file:
            made = json.load(file)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    except ValueError:
        raise UserError(f"{path} is no JSON, or not all of it") from None
    foreign = UserError(f"{path} holds no results of rnn-parity bench")
    try:
        version = made["rnn_parity"]["version"]
        results = Results(made)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise foreign from None
    if version != VERSION:
        raise UserError(f"{path} is of another version, {version}")
    if any(not math.isfinite(m.median) for m in results._found.values()):
        raise foreign
    return results


# --- Which jobs belong together ---


def series(results):
    """[[jobs that differ in T alone]], three or more, by T."""
    return _alike(results.jobs, ("steps",), lambda jobs: len(jobs) > 2)


def grids(results):
    """[[jobs that differ in B and H]], two or more of each."""

    def two_ways(jobs):
        batches = {job.batch for job in jobs}
        widths = {job.width for job in jobs}
        return len(batches) > 1 and len(widths) > 1

    return _alike(results.jobs, ("batch", "width"), two_ways)


def _alike(jobs, axes, wanted):
    groups = {}
    for job in jobs:
        rest = tuple(
            getattr(job, name) for name in _JOB_FIELDS if name not in axes
        )
        groups.setdefault(rest, []).append(job)

    def place(job):
        return tuple(getattr(job, axis) for axis in axes)

    return [sorted(g, key=place) for g in groups.values() if wanted(g)]
