"""Data-parallel training over `tf.distribute`.

Every replica trains on its own rows of each batch with the section's own
`train_step`; Keras' optimizer adds their gradients up. Replicas are devices
of this process under `MirroredStrategy` (GPUs, or where there are too few,
logical CPUs), or processes of their own under
`MultiWorkerMirroredStrategy`: `launch` starts those.

Replicas add in another order than one alone does, and training amplifies
rounding. In float64, two replicas of three rows each and the other sizes the
tutorial's, losses are off by 2e-16 over the first 20 steps, and over the
666 of an epoch by 1.2e-14 (section 1) and 1.2e-13 (section 4).
"""

import contextlib
import functools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import numpy as np

from rnn_parity.errors import UserError

_WORKER = "RNN_PARITY_WORKER"
_LOST = 75  # a worker's exit code when another one is gone
_GRACE = 5.0  # seconds for the first worker to save when `launch` is gone
_INTERRUPTED = 130
_ENDS = (0, 2, _INTERRUPTED)  # the command line's own exit codes


def worker_index():
    """Which worker this process was launched as, or None."""
    index = os.environ.get(_WORKER)
    return None if index is None else int(index)


def strategy(workers, over):
    """The `tf.distribute.Strategy`. Call it before TensorFlow runs."""
    from rnn_parity.quiet import tf

    if over == "processes":
        return tf.distribute.MultiWorkerMirroredStrategy()
    if len(tf.config.get_visible_devices("GPU")) >= workers:
        devices = [f"GPU:{index}" for index in range(workers)]
    else:
        (cpu,) = tf.config.list_physical_devices("CPU")
        tf.config.set_logical_device_configuration(
            cpu, [tf.config.LogicalDeviceConfiguration()] * workers
        )
        devices = [f"CPU:{index}" for index in range(workers)]
    return tf.distribute.MirroredStrategy(devices)


def check(config, workers):
    """Raises UserError if the rows cannot be shared out evenly."""
    if config.batch_size % workers:
        raise UserError(
            f"{workers} workers cannot share batch_size {config.batch_size} "
            "evenly; choose a number that divides it"
        )


def network(section, config, echo_rnn, strategy, unrolling):
    """A `tf2` Network whose windows are trained on by all replicas."""
    from rnn_parity.adapters import tf2
    from rnn_parity.quiet import tf

    def sharing(config):
        return _sharing(echo_rnn, section, strategy, tf)(config)

    class Network(tf2.Network):
        def train(self, x, y, state, **extras):
            steps = self.config.truncated_backprop_length
            rows = _rows(strategy, self.config.batch_size)
            state = rows(state, axis=-2)
            losses = []
            for start in range(0, x.shape[1], steps):
                window = slice(start, start + steps)
                given = [
                    rows(value[start // steps], _ROW_AXIS[name])
                    for name, value in extras.items()
                ]
                loss, state = self._step(
                    rows(x[:, window], 0),
                    rows(y[:, window], 0),
                    state,
                    *given,
                )
                losses.append(loss)
            axis = self.section.state_shape(self.config)
            state = strategy.gather(state, axis=len(axis) - 2)
            return np.array([loss.numpy() for loss in losses]), state.numpy()

        @functools.cached_property
        def _step(self):
            train_step = functools.partial(
                type(self.echo_rnn).train_step.python_function, self.echo_rnn
            )

            @tf.function
            def step(*arguments):
                loss, state = strategy.run(train_step, arguments)
                return strategy.reduce("SUM", loss, axis=None), state

            return step

    with strategy.scope():
        return Network(section, config, sharing, "step", unrolling)


_ROW_AXIS = {"dropout_masks": -2, "sequence_length": 0}


def _rows(strategy, batch_size):
    """A function that gives every replica its rows of an array."""
    each = batch_size // strategy.num_replicas_in_sync

    def rows(array, axis):
        def of(context):
            index = context.replica_id_in_sync_group
            picked = np.arange(index * each, (index + 1) * each)
            return np.take(array, picked, axis)

        return strategy.experimental_distribute_values_from_function(of)

    return rows


def _sharing(echo_rnn, section, strategy, tf):
    """The section, its loss weighed by the replica's share of the steps."""

    class SharingEchoRNN(echo_rnn):
        def calculate_loss(self, logits, batchY, *sequence_length):
            loss = super().calculate_loss(logits, batchY, *sequence_length)
            if not section.lengths:
                return loss / strategy.num_replicas_in_sync
            (lengths,) = sequence_length
            steps = tf.cast(tf.reduce_sum(lengths), loss.dtype)
            context = tf.distribute.get_replica_context()
            in_all = context.all_reduce("SUM", steps)
            share = tf.maximum(steps, 1) / tf.maximum(in_all, 1)
            return loss * tf.stop_gradient(share)

    return SharingEchoRNN


# --- Processes of their own ---


@contextlib.contextmanager
def ending_if_another_is_lost():
    """Ends a launched worker without a word when the others are gone.

    A later worker ends so whatever it meets, since nobody reads its words
    and `launch` takes the command line's exit code 2 for a regular end.
    """
    from rnn_parity.quiet import tf

    try:
        yield
    except UserError:
        raise  # which every worker meets
    except Exception as error:
        lost = isinstance(error, tf.errors.OpError)
        if worker_index() or (lost and worker_index() is not None):
            os._exit(_LOST)
        raise


def end_with_launcher():
    """Has a launched worker end, and the first one save, without `launch`."""

    def wait():
        os.read(sys.stdin.fileno(), 1)  # until `launch` ends, however it does
        if worker_index():
            time.sleep(_GRACE)
            os._exit(_LOST)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=wait, daemon=True).start()


def launch(arguments, workers):
    """Runs `rnn-parity` with `arguments` in as many processes, on loopback.

    The first one talks and writes; this process only watches.

    Returns:
        The first worker's exit code.

    Raises:
        UserError: a worker ended before its time.
    """
    addresses = [f"127.0.0.1:{port}" for port in _free_ports(workers)]
    processes = []
    try:
        for index in range(workers):
            processes.append(_start(arguments, addresses, index))
        return _watch(processes)
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
            process.wait()


def _start(arguments, addresses, index):
    task = {"type": "worker", "index": index}
    config = {"cluster": {"worker": addresses}, "task": task}
    silent = None if index == 0 else subprocess.DEVNULL
    return subprocess.Popen(
        [sys.executable, "-m", "rnn_parity", *arguments],
        env={
            **os.environ,
            "TF_CONFIG": json.dumps(config),
            _WORKER: str(index),
        },
        stdin=subprocess.PIPE,
        stdout=silent,
        stderr=silent,
        start_new_session=True,  # a terminal's Ctrl-C reaches only `launch`
    )


def _watch(processes):
    """The first worker's exit code; each Ctrl-C here goes to that worker."""

    def pass_on(*_):
        processes[0].send_signal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, pass_on)
    try:
        while True:
            time.sleep(0.05)
            codes = [process.poll() for process in processes]
            if codes[0] in _ENDS:
                return codes[0]
            if codes[0] == -signal.SIGINT:  # outside Python's own code
                return _INTERRUPTED
            if set(codes) - {None, *_ENDS}:
                time.sleep(0.5)  # those that follow are not the cause
                codes = [process.poll() for process in processes]
                raise UserError(_who_is_gone(codes))
    finally:
        signal.signal(signal.SIGINT, before)


def _who_is_gone(codes):
    gone = {
        index: code
        for index, code in enumerate(codes)
        if code not in (None, *_ENDS)
    }
    followed = (_LOST, -signal.SIGABRT)
    causes = {i: code for i, code in gone.items() if code not in followed}
    index, code = next(iter((causes or gone).items()))
    how = f"killed by signal {-code}" if code < 0 else f"ended with {code}"
    return (
        f"worker {index} of {len(codes)} was {how}, which ends the training; "
        "start it again, from its checkpoint (--resume) if it has one"
    )


def _free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports
