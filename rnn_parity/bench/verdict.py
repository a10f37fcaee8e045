"""Which one when: read off the measurements, each line with its own."""

import dataclasses
import math

from rnn_parity.bench import results as asking
from rnn_parity.bench.jobs import LANDMARK
from rnn_parity.bench.strategies import FAST, JAX_MANY, STRATEGIES

OURS = ("tf1", "tf2", "keras")
RIVALS = ("PyTorch nn.LSTM", "JAX scan", "Keras LSTM", "Keras LSTM, XLA")
_RUNS = (10, 1000, 100_000)


@dataclasses.dataclass
class Line:
    """One answer: when, what to use, and the measurement behind it."""

    when: str
    use: str
    because: str


@dataclasses.dataclass
class Goal:
    """One of the project's aims, and whether this run meets it."""

    aim: str
    measured: str
    holds: bool


def seconds(value):
    """With three digits and the unit that suits."""
    rounded = float(f"{value:.3g}")  # 0.9996 is 1.00 s, not 1000 ms
    unit, scale = "\N{MICRO SIGN}s", 1e6
    if rounded >= 1e-3:
        unit, scale = ("s", 1) if rounded >= 1 else ("ms", 1e3)
    digits = max(0, 2 - int(math.log10(max(rounded * scale, 1))))
    return f"{value * scale:.{digits}f} {unit}"


def lines(results):
    """The verdict, a list of `Line`."""
    found = []
    for jobs in asking.series(results)[:1]:
        for job in (jobs[0], jobs[-1]):
            found += [_until(results, job, count) for count in _RUNS]
        found += _without_xla(results, jobs)
        found += _memory(results, jobs[-1])
    for job in _ends(results):
        found += _fastest(results, job, "train", "a training step")
        found += _fastest(results, job, "forward", "predicting")
    return [line for line in found if line is not None]


def _ranked(results, job, kind, key, families=OURS):
    """[(value, name)], the best first."""
    found = results.of(job, kind, families)
    return sorted((key(m), name) for name, m in found.items())


def _behind(ranked, show):
    """The best and the next as text."""
    text = " against ".join(f"{show(v)} {name}" for v, name in ranked[:2])
    return text


def _size(job):
    text = f"T={job.steps}, B={job.batch}, H={job.width}"
    return text + (f", {job.layers} layers" if job.layers > 1 else "")


def _until(results, job, count):
    ranked = _ranked(results, job, "train", lambda m: m.total(count))
    if not ranked:
        return None
    return Line(
        f"{count:,} training steps in all, {_size(job)}",
        ranked[0][1],
        f"built and done in {_behind(ranked, seconds)}",
    )


def _without_xla(results, jobs):
    for job in (jobs[0], jobs[-1]):
        found = results.of(job, "train", OURS)
        ranked = sorted(
            (m.median, name)
            for name, m in found.items()
            if not STRATEGIES[name].xla
        )
        if ranked:
            yield Line(
                f"no XLA to be had, {_size(job)}",
                ranked[0][1],
                f"a step takes {_behind(ranked, seconds)}",
            )


def _memory(results, job):
    ranked = _ranked(results, job, "train", lambda m: m.memory)
    if ranked:
        yield Line(
            f"little memory, {_size(job)}",
            ranked[0][1],
            f"grew by {_behind(ranked, _mebibytes)}",
        )


def _mebibytes(value):
    return f"{value / 2**20:.0f} MiB"


def _ends(results):
    """The corners of the grid, and where the goals are stated."""
    jobs = []
    for grid in asking.grids(results)[:1]:
        batches = {job.batch for job in grid}
        widths = {job.width for job in grid}
        corners = [
            job
            for job in grid
            if job.batch in (min(batches), max(batches))
            and job.width in (min(widths), max(widths))
        ]
        jobs += [corners[0], corners[-1]]
    return jobs + [job for job in results.jobs if _is_landmark(job)]


def _is_landmark(job):
    return job.replace(device=LANDMARK.device) == LANDMARK


def _fastest(results, job, kind, what):
    ranked = _ranked(results, job, kind, lambda m: m.median)
    if ranked:
        yield Line(
            f"{what}, {_size(job)}",
            ranked[0][1],
            _behind(ranked, seconds),
        )


# --- This project's own fast path ---


def fast_path(results):
    """[(name, jobs, geometric mean of its time by ours, cells won, worst)].

    The last is the job, and there its time by ours: below 1 ours loses.
    """
    rows = []
    for name in results.names:
        if name == FAST or STRATEGIES[name].family == "limit":
            continue
        ratios = []
        for job in results.jobs:
            ours, theirs = (results.get(job, n) for n in (FAST, name))
            if ours and theirs:
                ratios.append((theirs.median / ours.median, job))
        if ratios:
            logs = [math.log(ratio) for ratio, _ in ratios]
            mean = math.exp(sum(logs) / len(logs))
            won = sum(ratio >= 1 for ratio, _ in ratios)
            worst = min(ratios, key=lambda pair: pair[0])
            rows.append((name, len(ratios), mean, won, worst))
    return rows


# --- The goals ---


def goals(results):
    """What this run says of the project's aims; those it can tell."""
    found = []
    for job in filter(_is_landmark, results.jobs):
        found += _rate_goal(results, job)
    for grid in asking.grids(results)[:1]:
        found += _grid_goal(results, grid, True)
        found += _grid_goal(results, grid, False)
    for jobs in asking.series(results)[:1]:
        found += _flat_goals(results, jobs)
    return found


def _rate_goal(results, job):
    ranked = _ranked(results, job, "train", lambda m: m.median, ("tf2",))
    if not ranked or results.rate(job, "train") is None:
        return
    name = ranked[0][1]
    own = results.share(job, name, "train")
    square = results.share(job, name, "square")
    theirs = _times_of_limits(results, job)
    mine = results.get(job, name).median
    shares = ", ".join(f"{t / mine:.0%} of {n}'s" for n, t in theirs.items())
    yield Goal(
        f"at {_size(job)} the best TF2 strategy reaches 85 % of the "
        "matrix-product rate",
        f"{name}: {own:.0%} of the fastest library's rate at the step's own "
        f"products ({shares}), {square:.0%} of a large square product's",
        own >= 0.85,
    )


def _times_of_limits(results, job):
    """{library: seconds} for the step's own products."""
    limits = results.of(job, "train", families=("limit",))
    return {n.split(", ")[1]: m.median for n, m in limits.items()}


def _grid_goal(results, grid, many):
    """A cell is won where no rival is faster, by their medians.

    Args:
        results: what was measured.
        grid: jobs of different batch and width.
        many: whether steps may share a call; JAX's may then too.
    """
    won, lost = 0, []
    for job in grid:
        found = results.of(job)
        rivals = [*RIVALS, JAX_MANY] if many else RIVALS
        mine = [
            m.median
            for name, m in found.items()
            if m.family == "tf2" and (many or name != FAST)
        ]
        rivals = [(found[n].median, n) for n in rivals if n in found]
        if not mine or not rivals:
            return
        mine, (theirs, name) = min(mine), min(rivals)
        if mine <= theirs:
            won += 1
        else:
            where = f"B={job.batch} H={job.width}"
            lost.append(f"{where} to {name} ({mine / theirs:.2f})")
    text = f"{won} of {len(grid)} cells"
    if lost:
        text += f"; lost, with our time by theirs: {'; '.join(lost)}"
    how = "many steps a call" if many else "one step a call"
    yield Goal(
        f"{how}: over batch and width TF2 at least as fast as PyTorch, JAX "
        "and Keras in nine cells of ten",
        text,
        won >= 0.9 * len(grid),
    )


def _flat_goals(results, jobs):
    names = [
        n
        for n in results.names
        if STRATEGIES[n].family == "tf2" and STRATEGIES[n].loop != "static"
    ]
    texts, flat = [], True
    for name in names:
        builds = _builds_of_one_program(results, jobs, name)
        if len(builds) < 2:
            continue
        (first, low), (_, high) = builds[0], builds[-1]
        flat = flat and high < 2 * low
        text = f"{name} {seconds(low)} to {seconds(high)}"
        if first != jobs[0].steps:
            text += f" (measured from T={first}, in parts)"
        texts.append(text)
    if texts:
        yield Goal(
            f"build time of dynamic and partial loops flat from "
            f"T={jobs[0].steps} to {jobs[-1].steps}",
            "; ".join(texts),
            flat,
        )


def _builds_of_one_program(results, jobs, name):
    """[(T, seconds)] of the jobs that the strategy builds like the last.

    In parts it is another program than in one.
    """
    builds = [(job, results.get(job, name)) for job in jobs]
    builds = [(job, found.build) for job, found in builds if found]
    if STRATEGIES[name].choose_threads and builds:
        cores = results.machine.get("cores")
        parts = builds[-1][0].parts(cores)
        builds = [(j, s) for j, s in builds if j.parts(cores) == parts]
    return [(job.steps, seconds) for job, seconds in builds]
