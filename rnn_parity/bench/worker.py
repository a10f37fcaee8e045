"""A strategy's own process: builds, proves itself, then is timed."""

import ctypes
import os
import signal
import sys
import time

from rnn_parity.errors import UserError

KINDS = ("forward", "train")
_PR_SET_PDEATHSIG = 1  # of linux/prctl.h


def serve(connection, strategy, job, data):
    """Builds, proves and times a strategy, until nobody asks any more.

    The first message says how it was built and how far it is off, or why
    it is out: {"missing": reason}. Then (kind, calls) is answered with
    seconds per call, and "report" with the process' memory.
    """
    try:
        worker = _Worker(strategy, job, data)
    except ImportError as error:
        connection.send({"missing": f"no {error.name}"})
        return
    except Exception as error:  # whatever the strategy's library raises
        lines = str(error).splitlines() or [type(error).__name__]
        connection.send({"missing": f"failed: {lines[0][:120]}"})
        return
    connection.send(worker.report)
    while True:
        message = connection.recv()
        if message == "report":
            connection.send(worker.memory())
        else:
            connection.send(worker.seconds(*message))


class _Worker:
    def __init__(self, strategy, job, data):
        if strategy.choose_threads and job.device == "cpu":
            _choose_threads(job)
        _import(strategy, job)
        forget_peak()
        self.started_at = memory("VmRSS")
        self.contestant = strategy.build(job, data)
        self.report = {"nodes": None}
        if strategy.family == "limit":
            self._measure_square(job)
        else:
            self._prove(strategy, job, data)

    def _prove(self, strategy, job, data):
        """Builds and calls both programs; holds them against numpy_ref."""
        from rnn_parity.bench import reference

        outputs = None
        for kind in KINDS:
            self.report[f"build_{kind}"] = self._timed("prepare", kind)
            self.report[f"first_{kind}"] = self._timed("run", kind)
            if kind == "forward":
                outputs = self.contestant.outputs()
        if self.contestant.one_graph:
            self.report["build_train"] += self.report["build_forward"]
        errors = data.errors(
            outputs, self.contestant.loss(), self.contestant.weights()
        )
        self.report["errors"] = errors
        self.report["nodes"] = self.contestant.nodes()
        wrong = reference.wrong(errors, job.dtype)
        if wrong:
            self.report["missing"] = f"wrong: {wrong}"

    def _measure_square(self, job):
        from rnn_parity.bench.contestants import products

        self.contestant.run("square")
        self.report["square_flops"] = 2 * products.SIDE**3

    def _timed(self, method, kind):
        started = time.perf_counter()
        getattr(self.contestant, method)(kind)
        return time.perf_counter() - started

    def seconds(self, kind, calls):
        """Of one forward pass or training step, on average."""
        started = time.perf_counter()
        if kind == "train" and hasattr(self.contestant, "run_many"):
            self.contestant.run_many(calls)
        else:
            for _ in range(calls):
                self.contestant.run(kind)
        return (time.perf_counter() - started) / calls

    def memory(self):
        """In bytes: when all was imported, and the most since then."""
        return {"started_at": self.started_at, "peak": memory("VmHWM")}


def _choose_threads(job):
    """One for each part, or for a batch in one piece if that is small."""
    from rnn_parity import devices

    if job.parts() > 1:
        os.environ.setdefault(*devices.XLA_ON_ONE_THREAD)
    elif devices.is_small(job.batch, job.width):
        from rnn_parity.quiet import tf

        os.environ.setdefault(*devices.XLA_ON_ONE_THREAD)
        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)


def _import(strategy, job):
    """The strategy's library, and the device for it."""
    if strategy.library == "tensorflow":
        from rnn_parity import devices

        devices.choose(job.device)
    elif strategy.library != "numpy":
        __import__(strategy.library)


def probe(connection, device):
    """Answers whether there is such a device, and what computes here."""
    try:
        from rnn_parity import devices
        from rnn_parity.quiet import tf

        devices.choose(device)
        about = {"device_name": "", "tensorflow": tf.__version__}
        if device == "gpu":
            gpu = tf.config.list_physical_devices("GPU")[0]
            details = tf.config.experimental.get_device_details(gpu)
            about["device_name"] = details.get("device_name", "")
        connection.send(about)
    except UserError as error:
        connection.send(error)


def die_with_parent():
    """Has Linux kill this process when the one that made it is gone."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


# --- Memory, as Linux tells it ---


def memory(field):
    """A line of /proc/self/status in bytes.

    Not getrusage: there a process starts with its parent's peak.
    """
    try:
        with open("/proc/self/status") as file:
            for line in file:
                if line.startswith(field):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return _portable_peak()


def _portable_peak():
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def forget_peak():
    """Makes VmHWM start again from what is in use now."""
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except OSError:
        pass
