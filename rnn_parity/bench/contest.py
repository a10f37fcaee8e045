"""Strategies take turns at a job, each in a process of its own."""

import contextlib
import multiprocessing
import os
import signal
import sys

from rnn_parity.bench import reference, worker
from rnn_parity.errors import UserError

_LONG_JOB = 10.0  # seconds of timing, where single steps are long
_CAN_SLEEP = sys.platform == "linux"  # and die in their sleep


def use_preloaded():
    """Workers of TensorFlow are forked from a process that imported it."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["rnn_parity.bench.preload"])
    return context


def start(library, target, *arguments):
    """A process that runs target(pipe, *arguments), and our end of it."""
    if library in ("tensorflow", "numpy"):
        context = use_preloaded()
    else:
        context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(
        target=_deaf, args=(target, theirs, *arguments), daemon=True
    )
    process.start()
    theirs.close()
    return process, ours


def _deaf(target, *arguments):
    """Ctrl-C reaches all processes; who asks ends the others, or is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    worker.die_with_parent()  # asleep it would not see that
    with contextlib.suppress(EOFError, BrokenPipeError):
        target(*arguments)


@contextlib.contextmanager
def started(*arguments):
    """What `start` gives, ended at once where an exception leaves it."""
    process, connection = start(*arguments)
    try:
        yield process, connection
    except BaseException:
        process.kill()
        raise
    finally:
        connection.close()
        process.join()


def probe(device):
    """What computes here, a dict of strings.

    Raises:
        UserError: there is no such device.
    """
    with started("tensorflow", worker.probe, device) as (_, connection):
        try:
            about = connection.recv()
        except EOFError:
            raise UserError("TensorFlow cannot be imported") from None
    if isinstance(about, UserError):
        raise about
    return about


class Contestant:
    """A strategy at a job, in its process.

    The process sleeps until it is asked: threads of some libraries wait
    for more work in a loop, at others' expense.
    """

    def __init__(self, strategy, job, data):
        self.strategy, self.job = strategy, job
        self.process, self.connection = start(
            strategy.library, worker.serve, strategy, job, data
        )
        self.seconds = {}
        self.calls = {}
        self.report = self._receive()

    def _receive(self):
        self._signal("SIGCONT")
        try:
            answer = self.connection.recv()
        except EOFError:
            self.process.join()
            code = self.process.exitcode
            return {"missing": f"its process ended with {code}"}
        self._signal("SIGSTOP")
        return answer

    def _signal(self, name):
        if _CAN_SLEEP:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid, getattr(signal, name))

    @property
    def missing(self):
        """Why it is not timed, or None."""
        return self.report.get("missing")

    @property
    def kinds(self):
        if self.strategy.family == "limit":
            return (*worker.KINDS, "square")
        return worker.KINDS

    def warm_up(self, turn_seconds):
        """Decides how many calls make a turn; returns a round's seconds."""
        total = 0.0
        for kind in self.kinds:
            once = min(self.ask(kind, 1) for _ in range(2))
            calls = max(1, min(500, int(turn_seconds / once)))
            self.calls[kind] = calls
            self.seconds[kind] = []
            total += once * self.calls[kind]
        return total

    def turn(self, kind):
        """One more time, in seconds a call."""
        if self.calls[kind] > 1:  # others' data are in the caches now
            self.ask(kind, 1 + self.calls[kind] // 5)
        self.seconds[kind].append(self.ask(kind, self.calls[kind]))

    def ask(self, kind, calls):
        self.connection.send((kind, calls))
        answer = self._receive()
        if isinstance(answer, dict):
            raise UserError(f"{self.strategy.name}, {self.job}: {answer}")
        return answer

    def result(self):
        """What is known of it, as `results` keeps it."""
        if not self.missing:
            self.connection.send("report")
            self.report |= self._receive()
        return {"seconds": self.seconds, "calls": self.calls, **self.report}

    def __enter__(self):
        return self

    def __exit__(self, error, *_):
        self._signal("SIGCONT")
        self.connection.close()
        if error is None:
            self.process.join(timeout=10)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def hold(job, strategies, preset, advance):
    """{name: result}, "missing" in it where the strategy was not timed.

    Args:
        job: what to compute.
        strategies: who takes part.
        preset: how long, and how far static loops go.
        advance: called with a few words before each strategy starts.
    """
    data = reference.data_for(job)
    results, running = {}, []
    with contextlib.ExitStack() as stack:
        for strategy in strategies:
            advance(f"{job}: {strategy.name}")
            reason = strategy.reason_not_to_run(job, preset)
            if reason:
                results[strategy.name] = {"missing": reason}
                continue
            contestant = Contestant(strategy, job, data)
            stack.enter_context(contestant)
            if contestant.missing:
                results[strategy.name] = contestant.result()
            else:
                running.append(contestant)
        _rounds(running, preset)
        for contestant in running:
            results[contestant.strategy.name] = contestant.result()
    return results


def _rounds(running, preset):
    one = sum(c.warm_up(preset.turn_seconds) for c in running)
    rounds = max(3, min(preset.rounds, round(_LONG_JOB / max(one, 1e-9))))
    for number in range(rounds):
        # Every other round from the end: no one always follows the same.
        order = running if number % 2 == 0 else running[::-1]
        for kind in (*worker.KINDS, "square"):
            for contestant in order:
                if kind in contestant.kinds:
                    contestant.turn(kind)
