"""Whether sizes fit into memory, before the kernel ends the process."""

import contextlib
import math
import os
import re
from pathlib import Path

import numpy as np

from rnn_parity.errors import UserError

# What the numbers in a compressed file may take: bytes whatever its size, or
# so many times its size.
UNPACKED, UNPACKED_TIMES = 1 << 28, 64
_SERIES = 2 * 8 + 4  # inputs and labels as drawn, in int64; labels, int32
_MEMINFO = Path("/proc/meminfo")
_CGROUPS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def too_little():
    """The error that says so of a training."""
    return UserError(
        "there is not enough memory for these sizes; make state_size, "
        "num_layers, batch_size or the series smaller"
    )


def check_job(job):
    """As `check`, for a job of the benchmark and NumPy's version of it.

    Raises:
        UserError: it cannot fit.
    """
    layer = 8 * job.width**2 + 4 * job.width
    steps = job.steps * job.batch * job.width
    inputs_and_targets, gates_h_and_c = 2 * steps, 6 * steps
    numbers = inputs_and_targets + job.layers * (gates_h_and_c + 2 * layer)
    if numbers * np.dtype("float64").itemsize > available():
        raise UserError(
            f"there is not enough memory for {job}; give smaller --steps, "
            "--batch, --width or --layers"
        )


def check_file(path, size, needed):
    """Refuses a file whose contents take far more memory than it has bytes.

    Trained weights shrink by a tenth when they are compressed; a file that
    grows by hundreds was made to fill the memory.

    Args:
        path: where it is, for the message.
        size: of the file, in bytes.
        needed: what it says that its contents take, in bytes.

    Raises:
        UserError: more than `UNPACKED` bytes and `UNPACKED_TIMES` the file's
            size, or more than there is memory.
    """
    if needed > max(UNPACKED, UNPACKED_TIMES * size):
        raise UserError(
            f"{path} declares {needed / 1e6:.4g} MB of contents in "
            f"{size / 1e6:.3g} MB, more than {UNPACKED_TIMES} times its "
            "size; save it without compression"
        )
    if needed > available():
        raise UserError(
            f"{path} holds {needed / 1e6:.4g} MB, for which there is not "
            "enough memory"
        )


def check(section, config):
    """Refuses sizes of which the arrays alone are larger than memory.

    Counts what every version holds at once: a series of inputs and labels,
    as drawn and as they are fed, every weight with its accumulator, and the
    states of a batch window's steps. What it lets through may still be too
    large.

    Raises:
        UserError: it cannot fit.
    """
    itemsize = np.dtype(config.dtype).itemsize
    series = (_SERIES + itemsize) * config.total_series_length
    states = config.truncated_backprop_length * math.prod(
        section.state_shape(config)
    )
    numbers = 2 * _num_weights(section, config) + states
    needed = series + numbers * itemsize
    if needed > available():
        raise too_little()


def _num_weights(section, config):
    """Counted for two layers at most: all above the first are alike."""

    def count(num_layers):
        shapes = section.param_shapes(config.replace(num_layers=num_layers))
        return sum(map(math.prod, shapes.values()))

    one, two = count(1), count(2)
    return one + (config.num_layers - 1) * (two - one)


def available():
    """Bytes that are free here or in the container; inf where none say."""
    limits = [math.inf]
    if "SC_PHYS_PAGES" in getattr(os, "sysconf_names", ()):
        limits.append(
            os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        )
    with contextlib.suppress(OSError):
        text = _MEMINFO.read_text()
        for free in re.findall(r"MemAvailable: +(\d+) kB", text):
            limits.append(int(free) * 1024)
    for path in _CGROUPS:
        try:
            limits.append(int(path.read_text()))
        except (OSError, ValueError):  # no such limit; "max" for none
            continue
    return min(limits)
