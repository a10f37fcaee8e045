"""What a training step costs: TensorFlow 1's session, TF 2, and others.

    make bench
    python -m benchmarks.training_step --sections s1 --rounds 5

Every contestant trains on the same epoch from the same weights, in a
process of its own (their threads differ), and takes turns with the others,
so that what slows the machine hits all alike. Its first losses are held
against `numpy_ref`'s before it is timed. Building and compiling are timed
apart.
"""

import contextlib
import functools
import importlib
import json
import statistics
import subprocess
import sys

import click

from rnn_parity import sections as registry
from rnn_parity.config import Config
from rnn_parity.errors import UserError

SESSION, DEFAULT = "TF1 session", "tf2"
CONTESTANTS = {
    SESSION: "one session.run a step; loss, update and state fetched",
    "TF1 session, predictions": "the same, every prediction fetched too",
    DEFAULT: "rnn-parity run's default: XLA, dynamic, one thread",
    "JAX": "scan in scan, jitted",
    "PyTorch": "nn.RNN or nn.LSTM, eager",
    "C": "a loop on one core",
}
_CHECKED = 20
_TOLERANCE = 1e-4  # plain cells amplify float32 rounding; see tolerances.py


# --- A contestant's own process ---


def contest(name, key):
    """Builds, proves itself, then trains an epoch for every line it reads."""
    import time

    config = Config()
    section = registry.find(key)
    if name == DEFAULT:
        from rnn_parity import devices

        devices.one_thread_if_small(config)
    import numpy as np

    from rnn_parity.training import stream

    params = stream.initial_params(section, config, 0)
    series = stream.epoch(section, config, 0, 0)
    state = np.zeros(section.state_shape(config), config.dtype)
    try:
        make = _maker(name, section)
    except ImportError as error:
        _say(missing=f"no {error.name}")
        return
    started = time.perf_counter()
    train = make(section, config, params)
    losses = train(series.x, series.y, state, **series.lengths)
    first = time.perf_counter() - started
    _say(first=first, error=_error(section, config, params, series, losses))
    for _ in sys.stdin:
        started = time.perf_counter()
        train(series.x, series.y, state, **series.lengths)
        _say(seconds=time.perf_counter() - started)


def _say(**values):
    print(json.dumps(values), flush=True)


def _error(section, config, params, series, losses):
    """Largest difference to numpy_ref's losses; None where masks differ."""
    import rnn_parity
    from rnn_parity import data

    if section.masks:
        return None
    windows = [data.batch_windows(v, config) for v in (series.x, series.y)]
    import numpy as np

    reference = rnn_parity.load(section.key, "numpy_ref").train(
        config,
        params,
        *(w[:_CHECKED] for w in windows),
        np.zeros(section.state_shape(config)),
        **{k: v[:_CHECKED] for k, v in series.lengths.items()},
    )
    return float(np.abs(losses[:_CHECKED] - reference.losses).max())


def _maker(name, section):
    """What builds the contestant; its libraries are imported by then."""
    if name == "JAX":
        from benchmarks.peers import jax_scan

        return jax_scan.build
    if name == "PyTorch":
        from benchmarks.peers import torch_eager

        return torch_eager.build
    if name == "C":
        from benchmarks.peers import c_loop

        return c_loop.build
    version = "tf2" if name == DEFAULT else "legacy_v1"
    module = importlib.import_module(f"{version}.{section.module}")
    make = {SESSION: _session, DEFAULT: _tf2}.get(name, _fetching_session)
    return functools.partial(make, echo_rnn=module.EchoRNN)


def _tf2(section, config, params, echo_rnn):
    from rnn_parity.adapters import tf2
    from rnn_parity.training import stream

    network = tf2.Network(section, config, echo_rnn, "xla", "dynamic")
    network.restore(params)
    windows = range(config.num_batches)

    def train(*series, **lengths):
        masks = stream.masks(section, config, 0, 0, windows)
        return network.train(*series, **lengths, **masks)[0]

    return train


def _session(section, config, params, echo_rnn):
    from rnn_parity.adapters import legacy_network

    network = legacy_network.Network(section, config, echo_rnn)
    network.restore(params)
    return lambda *series, **lengths: network.train(*series, **lengths)[0]


def _fetching_session(section, config, params, echo_rnn):
    """As the tutorial does: predictions are fetched with every step."""

    class FetchingEchoRNN(echo_rnn):
        def build_training(self):
            super().build_training()
            run = self.session.run

            def run_and_fetch(fetches, feed_dict=None):
                if not isinstance(fetches, list):
                    return run(fetches, feed_dict)
                predictions = self.predictions_series
                *wanted, _ = run([*fetches, predictions], feed_dict)
                return wanted

            self.session.run = run_and_fetch

    return _session(section, config, params, FetchingEchoRNN)


# --- The contest ---


class Contestant:
    """A process that trains an epoch whenever it is told to."""

    def __init__(self, name, key):
        self.name = name
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "benchmarks.training_step"),
                *("--contestant", name, "--sections", key),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.seconds = []
        self.report = self._read()

    def _read(self):
        line = self.process.stdout.readline()
        if not line:
            raise UserError(f"{self.name} failed; its message is above")
        return json.loads(line)

    def turn(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        self.seconds.append(self._read()["seconds"])

    def missing(self):
        """Why it is not timed, or None."""
        error = self.report.get("error")
        if error is not None and not error <= _TOLERANCE:
            return f"differs by {error:.1e}"
        return self.report.get("missing")

    def result(self):
        """Microseconds a step, but of the first turn, and the start."""
        scale = 1e6 / Config().num_batches
        times = [seconds * scale for seconds in self.seconds[1:]]
        middle = statistics.median(times)
        spread = (max(times) - min(times)) / middle
        return {"us": middle, "spread": spread, **self.report}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()


def hold(key, rounds, advance):
    """{name: {"us", "spread", "first", "error"} or {"missing"}}."""
    results = {}
    with contextlib.ExitStack() as stack:
        running = []
        for name in filter(lambda name: _can(name, key), CONTESTANTS):
            advance(f"{key}: {name}")
            contestant = stack.enter_context(Contestant(name, key))
            missing = contestant.missing()
            if missing:
                results[name] = {"missing": missing}
            else:
                running.append(contestant)
        for _ in range(rounds + 1):
            for contestant in running:
                contestant.turn()
    return results | {c.name: c.result() for c in running}


def _can(name, key):
    return {
        "PyTorch": key != "s7",
        "C": key == "s1",
    }.get(name, True)


def starts_in(result):
    """Seconds to build and compile: the first epoch's, but for its steps."""
    return result["first"] - _epoch_seconds(result)


def _epoch_seconds(result):
    return result["us"] * Config().num_batches / 1e6


def pays_after(results):
    """Epochs after which tf2's longer start is made up for."""
    old, new = results[SESSION], results[DEFAULT]
    longer = starts_in(new) - starts_in(old)
    return max(0.0, longer / (_epoch_seconds(old) - _epoch_seconds(new)))


def table(every):
    """Microseconds a step, and in brackets how many times tf2's that is."""
    from rich import box
    from rich.table import Table

    shown = Table(box=box.SIMPLE, padding=(0, 1))
    shown.add_column("us a step")
    for name in CONTESTANTS:
        shown.add_column(name, justify="right")
    shown.add_column("tf2 starts in", justify="right")
    shown.add_column("pays after", justify="right")
    for key, results in every.items():
        base = results[DEFAULT]
        shown.add_row(
            key,
            *(_cell(results.get(name), base) for name in CONTESTANTS),
            f"{starts_in(base):.1f} s",
            f"{pays_after(results):.1f} epochs",
        )
    return shown


def _cell(result, base):
    if result is None:
        return ""
    if "missing" in result:
        return result["missing"]
    if result is base:
        return f"{result['us']:.1f}"
    return f"{result['us']:.0f} ({result['us'] / base['us']:.1f})"


@click.command()
@click.option(
    "--sections",
    default=",".join(registry.SECTIONS),
    metavar="KEYS",
    help="Only these, such as s1,s3.",
)
@click.option("--rounds", default=9, type=click.IntRange(min=1))
@click.option("--json", "path", type=click.Path(), help="Also write to FILE.")
@click.option("--contestant", hidden=True)
def main(sections, rounds, path, contestant):
    """Time a training step at the tutorial's sizes."""
    keys = [registry.find(key).key for key in sections.split(",")]
    if contestant:
        contest(contestant, keys[0])
        return
    from rich.console import Console

    from rnn_parity import files, progress

    if path:
        files.must_be_writable(path)
    every = {}
    total = sum(_can(name, key) for name in CONTESTANTS for key in keys)
    with progress.steps(total, "timing") as advance:
        for key in keys:
            every[key] = hold(key, rounds, advance)
            if path:  # after every section: what is measured is kept
                with files.atomic_write(path) as file:
                    json.dump(every, file, indent=1)
    Console(width=120).print(table(every))


if __name__ == "__main__":
    try:
        main(standalone_mode=False)
    except (UserError, click.ClickException) as error:
        print(f"benchmarks.training_step: error: {error}", file=sys.stderr)
        sys.exit(2)
