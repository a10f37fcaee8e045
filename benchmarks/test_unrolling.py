"""The strategies of `rnn-parity bench` under pytest-benchmark.

    pytest benchmarks/ --benchmark-group-by=param:job

Every strategy runs in a process of its own, is held against numpy_ref
first, and times itself: the pipe to it does not count. Strategies do not
take turns here; `rnn-parity bench` has them do so.
"""

import functools

import pytest

from rnn_parity.bench import contest, jobs, reference, strategies

PRESET = jobs.PRESETS["quick"]
ROUNDS = 5


@functools.cache
def data_for(job):
    return reference.data_for(job)


class Clock:
    """Seconds that the worker counted."""

    now = 0.0

    def __call__(self):
        return self.now


CLOCK = Clock()


@pytest.mark.parametrize("kind", ["forward", "train"])
@pytest.mark.parametrize("name", PRESET.names)
@pytest.mark.parametrize("job", PRESET.jobs, ids=str)
@pytest.mark.benchmark(timer=CLOCK)
def test_strategy(job, name, kind, benchmark):
    strategy = strategies.STRATEGIES[name]
    reason = strategy.reason_not_to_run(job, PRESET)
    if reason:
        pytest.skip(reason)
    with contest.Contestant(strategy, job, data_for(job)) as contestant:
        if contestant.missing:
            assert contestant.missing.startswith("no "), contestant.missing
            pytest.skip(contestant.missing)
        contestant.warm_up(PRESET.turn_seconds)

        def turn():
            calls = contestant.calls[kind]
            CLOCK.now += contestant.ask(kind, calls)

        benchmark.pedantic(turn, rounds=ROUNDS, warmup_rounds=1)
        report = contestant.result()
    benchmark.extra_info |= {
        "strategy": name,
        "build_seconds": report.get(f"build_{kind}"),
        "first_seconds": report.get(f"first_{kind}"),
        "nodes": report["nodes"],
        "memory_peak": report["peak"],
    }
