"""What each step towards a fast TensorFlow 2 session is worth.

    python -m benchmarks.modes
    python -m benchmarks.modes --sections s1 --rounds 3 --json FILE

The obvious port first: eager, then one tf.function call a step, one for a
whole epoch, the same compiled by XLA, and that on one thread. TensorFlow 1's
session stands beside them. Each way has a process of its own, since threads
are chosen when TensorFlow starts, and they take turns, so that what slows
the machine hits all alike. The first turn is not counted.
"""

import contextlib
import importlib
import json
import statistics
import subprocess
import sys
import time

import click

from rnn_parity import sections as registry
from rnn_parity.config import Config
from rnn_parity.errors import UserError

WAYS = ("TF1 session", "eager", "step", "epoch", "xla", "xla, one thread")
_EAGER_STEPS = 20  # an epoch of them would take a minute


def run_way(way, key):
    """Trains a series for every line of stdin; prints seconds a step."""
    config, section = Config(), registry.find(key)
    if way == "xla, one thread":
        from rnn_parity import devices

        devices.one_thread_if_small(config)
    import numpy as np

    from rnn_parity.training import stream

    steps = _EAGER_STEPS if way == "eager" else config.num_batches
    length = steps * config.truncated_backprop_length
    series = stream.epoch(section, config, 0, 0)
    batches = (series.x[:, :length], series.y[:, :length])
    state = np.zeros(section.state_shape(config), config.dtype)
    network = _network(way, section, config)
    network.restore(stream.initial_params(section, config, 0))
    for _ in sys.stdin:
        started = time.perf_counter()
        network.train(*batches, state)
        print((time.perf_counter() - started) / steps, flush=True)


def _network(way, section, config):
    version = "legacy_v1" if way == "TF1 session" else "tf2"
    module = importlib.import_module(f"{version}.{section.module}")
    if version == "legacy_v1":
        from rnn_parity.adapters import legacy_network

        return legacy_network.Network(section, config, module.EchoRNN)
    from rnn_parity.adapters import tf2

    mode = way.partition(",")[0]
    return tf2.Network(section, config, module.EchoRNN, mode, "dynamic")


def _turn(process):
    process.stdin.write("go\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def hold(key, rounds):
    """{way: {"us": median, "spread": (most - least) / median}}."""
    with contextlib.ExitStack() as stack:
        processes = {}
        for way in WAYS:
            command = [sys.executable, "-m", "benchmarks.modes"]
            process = subprocess.Popen(
                [*command, "--way", way, "--sections", key],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            processes[way] = stack.enter_context(process)
        times = {way: [] for way in WAYS}
        for _ in range(rounds + 1):
            for way, process in processes.items():
                times[way].append(_turn(process) * 1e6)
        for process in processes.values():
            process.stdin.close()
    return {way: _summary(taken[1:]) for way, taken in times.items()}


def _summary(times):
    middle = statistics.median(times)
    return {"us": middle, "spread": (max(times) - min(times)) / middle}


@click.command()
@click.option(
    "--sections", default="s1,s4", metavar="KEYS", show_default=True
)
@click.option(
    "--rounds", default=7, type=click.IntRange(min=1), show_default=True
)
@click.option("--json", "path", type=click.Path(), help="Also write to FILE.")
@click.option("--way", hidden=True)
def main(sections, rounds, path, way):
    """Time the ways to run a section."""
    keys = [registry.find(key).key for key in sections.split(",")]
    if way:
        run_way(way, keys[0])
        return
    from rnn_parity import files

    if path:
        files.must_be_writable(path)
    results = {key: hold(key, rounds) for key in keys}
    for key, row in results.items():
        for name, result in row.items():
            click.echo(f"{key} {name:16} {result['us']:10.1f} µs a step")
    if path:
        with files.atomic_write(path) as file:
            json.dump(results, file, indent=1)


if __name__ == "__main__":
    try:
        main(standalone_mode=False)
    except (UserError, click.ClickException) as error:
        print(f"benchmarks.modes: error: {error}", file=sys.stderr)
        sys.exit(2)
