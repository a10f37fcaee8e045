"""What takes seconds to compute for the guide, once for every build.

`compute_all` shares the work out among processes; without it, each result is
computed when it is first asked for.
"""

import concurrent.futures
import multiprocessing
import os

_results = {}


def result(function, *arguments):
    """`function(*arguments)`, computed once."""
    key = (f"{function.__module__}.{function.__qualname__}", arguments)
    if key not in _results:
        _results[key] = function(*arguments)
    return _results[key]


def compute_all(calls):
    """Computes [(function, *arguments)] ahead, on all cores.

    Forking could copy a library's locked threads, so processes start anew.
    """
    spawn = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(
        os.cpu_count() or 1, spawn
    ) as pool:
        running = [(call, pool.submit(*call)) for call in calls]
        for (function, *arguments), done in running:
            key = (
                f"{function.__module__}.{function.__qualname__}",
                tuple(arguments),
            )
            _results[key] = done.result()
