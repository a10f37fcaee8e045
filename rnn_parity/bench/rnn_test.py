"""The benchmarks of TensorFlow's own rnn_test.py, grids and columns alike.

So that figures can be held beside TensorFlow's: an LSTMCell with peepholes,
as wide as its inputs, which are variables; a run fetches nothing but makes
outputs, final state and gradients of all variables. Two warm-up runs, and
the mean of 20, or of what fits in `_LONGEST` seconds. What today's API does
not allow, or memory: `_CHANGED`.
"""

import dataclasses
import time

from rnn_parity.bench.jobs import Job

_LONGEST = 10.0
_CHANGED = (
    "Taken over from the benchmark classes in TensorFlow's rnn_test.py. "
    "Changed: a case runs 20 times as there, but for at most "
    f"{_LONGEST:.0f} s; operations are fetched one by one, since a group of "
    "them is pruned today; long sequences have 16 rows and 128 units, not "
    "512 and 512, whose gradients need tens of GiB; each case has a process "
    "of its own; only the device that --device names. Swapping memory "
    "matters on a GPU alone. Static and dynamic loop, concatenated and tuple "
    "state are held against numpy_ref, at a small size, before timing."
)


@dataclasses.dataclass(frozen=True)
class Case:
    """One cell of one of the tables.

    Attributes:
        name: the column, such as "static".
        job: T, B, H and device.
        loop: "static" or "dynamic".
        lengths: "random", "half" or "full": sequence lengths.
        unrolled: how many steps of the series are run, or None for all.
        tuple_state: whether the state is a pair or concatenated.
        swap: whether memory may be swapped.
        creation: whether building the graph is timed, 5 times over.
    """

    name: str
    job: Job
    loop: str
    lengths: str = "random"
    unrolled: int | None = None
    tuple_state: bool = False
    swap: bool = False
    creation: bool = False

    @property
    def kind(self):
        return "graph creation" if self.creation else "calculation"


@dataclasses.dataclass(frozen=True)
class Grid:
    """A table: its columns, and a tuple of one or two cases for each row."""

    title: str
    columns: tuple
    rows: tuple


def grids(device):
    """The tables, in rnn_test.py's order."""

    def job(batch, steps, units):
        return Job(steps, batch, units, device=device)

    static, dynamic = "static", "dynamic"
    return (
        Grid(
            "Graph creation: static unroll vs. dynamic unroll LSTM",
            ("max_t", "dt(static)", "dt(dynamic)", "dt(dynamic)/dt(static)"),
            tuple(
                tuple(
                    Case(loop, job(512, t, 512), loop, creation=True)
                    for loop in (static, dynamic)
                )
                for t in (1, 25, 50)
            ),
        ),
        _pairs(
            "Calculation: static unroll with dynamic flow LSTM vs. dynamic "
            "unroll LSTM",
            ("static", {"loop": static}),
            ("dynamic", {"loop": dynamic}),
            [job(256, 50, n) for n in (512, 256, 128)],
        ),
        _pairs(
            "Calculation: dynamic LSTM no memory swap vs. memory swap",
            ("no_swap", {"loop": dynamic}),
            ("swap", {"loop": dynamic, "swap": True}),
            [job(b, 100, n) for b in (256, 512) for n in (512, 256, 128)],
        ),
        _pairs(
            "Calculation: static unroll with halved sequence length vs. "
            "half static unroll",
            ("half_seq_len", {"loop": static, "lengths": "half"}),
            (
                "unroll_half",
                {"loop": static, "lengths": "half", "unrolled": 25},
            ),
            [job(128, 50, 256)],
        ),
        _pairs(
            "Calculation: static unroll with concatenated state vs. tuple "
            "state",
            ("concat_state", {"loop": static, "lengths": "full"}),
            (
                "tuple_state",
                {"loop": static, "lengths": "full", "tuple_state": True},
            ),
            [job(b, 50, n) for b in (16, 128) for n in (16, 128)],
        ),
        Grid(
            "Calculation: long LSTM sequence",
            ("batch", "len", "units", "elapsed_t", "elapsed_t/len"),
            tuple(
                (Case("long", job(16, t, 128), dynamic, "full", swap=True),)
                for t in range(100, 1100, 100)
            ),
        ),
    )


def _pairs(title, first, second, jobs):
    columns = [f"dt({name})" for name, _ in (first, second)]
    ratio = f"{columns[0]}/{columns[1]}"
    if first[0] in ("static", "no_swap"):
        ratio = f"{columns[1]}/{columns[0]}"
    return Grid(
        title,
        ("batch", "max_t", "units", *columns, ratio),
        tuple(
            tuple(Case(name, job, **how) for name, how in (first, second))
            for job in jobs
        ),
    )


# --- A case's own process ---


def serve(connection, case):
    """Sends {"seconds": [...], "memory": bytes} or {"missing": reason}."""
    from rnn_parity.bench import worker

    worker.forget_peak()
    before = worker.memory("VmRSS")
    try:
        from rnn_parity import devices

        devices.choose(case.job.device)
        small = dataclasses.replace(
            case, job=case.job.replace(steps=4, batch=3, width=5)
        )
        error = _error(small)
        if not error < 1e-5:
            connection.send({"missing": f"wrong: outputs off by {error:.1e}"})
            return
        seconds = _creation(case) if case.creation else _calculation(case)
    except Exception as error:  # whatever TensorFlow raises
        lines = str(error).splitlines() or [type(error).__name__]
        connection.send({"missing": f"failed: {lines[0][:120]}"})
        return
    memory = worker.memory("VmHWM") - before
    connection.send({"seconds": seconds, "memory": memory})


def _inputs(case):
    """Inputs [B, T, H] and sequence lengths [B], as rnn_test.py has them."""
    import numpy as np

    rng = np.random.RandomState(127)
    job = case.job
    lengths = {
        "random": rng.randint(0, job.steps, job.batch),
        "half": np.full(job.batch, job.steps // 2),
        "full": np.full(job.batch, job.steps),
    }[case.lengths]
    shape = (job.batch, job.steps, job.width)
    return rng.standard_normal(shape).astype("float32"), lengths


def _build(case, inputs, lengths):
    """A graph: the operations to run, the outputs, the variables."""
    from rnn_parity.quiet import tf as tensorflow

    tf = tensorflow.compat.v1
    tf.disable_v2_behavior()
    graph = tf.Graph()
    with graph.as_default():
        cell = tf.nn.rnn_cell.LSTMCell(
            case.job.width,
            use_peepholes=True,
            initializer=tf.random_uniform_initializer(-0.01, 0.01, seed=127),
            state_is_tuple=case.tuple_state,
        )
        outputs, state = _run_over_time(tf, case, cell, inputs, lengths)
        variables = tf.trainable_variables()
        state = list(state) if case.tuple_state else [state]
        gradients = tf.gradients([*outputs, *state], variables)
        # Not a tf.group of them, as there: today's Grappler prunes what
        # only control dependencies ask for, and a run computes nothing.
        everything = [one.op for one in (*state, *gradients, *outputs)]
    return graph, everything, outputs, variables


def _run_over_time(tf, case, cell, inputs, lengths):
    how = {"sequence_length": lengths, "dtype": tf.float32}
    if case.loop == "dynamic":
        series = tf.Variable(inputs, trainable=False).value()
        outputs, state = tf.nn.dynamic_rnn(
            cell, series, swap_memory=case.swap, **how
        )
        return [outputs], state
    series = [
        tf.Variable(inputs[:, t], trainable=False).value()
        for t in range(case.unrolled or case.job.steps)
    ]
    return tf.nn.static_rnn(cell, series, **how)


def _session(graph):
    from rnn_parity.quiet import tf as tensorflow

    tf = tensorflow.compat.v1
    session = tf.Session(graph=graph)
    with graph.as_default():
        session.run(tf.global_variables_initializer())
    return session


def _error(case):
    """Largest difference of the outputs to numpy_ref's."""
    import numpy as np

    from numpy_ref import tf1_cells, tf1_rnn

    if case.unrolled:
        case = dataclasses.replace(case, unrolled=case.job.steps // 2)
    inputs, lengths = _inputs(case)
    graph, _, outputs, variables = _build(case, inputs, lengths)
    rng = np.random.RandomState(5)
    with _session(graph) as session:
        values = {}
        for variable in variables:
            value = rng.normal(0.1, 0.5, variable.shape).astype("float32")
            variable.load(value, session)
            values[variable.op.name.split("/")[-1]] = np.float64(value)
        got = session.run(outputs)
    got = got[0] if case.loop == "dynamic" else np.stack(got, 1)
    cell = tf1_cells.LSTMCell(**values)
    steps = got.shape[1]
    wanted, _ = tf1_rnn.dynamic_rnn(
        cell, np.float64(inputs[:, :steps]), sequence_length=lengths
    )
    return float(np.abs(got - wanted).max())


def _creation(case):
    inputs, lengths = _inputs(case)
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        _build(case, inputs, lengths)
        seconds.append(time.perf_counter() - started)
    return seconds


def _calculation(case):
    graph, everything, _, _ = _build(case, *_inputs(case))
    seconds = []
    with _session(graph) as session:
        for _ in range(2):
            session.run(everything)
        started = time.perf_counter()
        while len(seconds) < 20 and (
            len(seconds) < 3 or time.perf_counter() - started < _LONGEST
        ):
            before = time.perf_counter()
            session.run(everything)
            seconds.append(time.perf_counter() - before)
    return seconds


# --- All of them ---


def hold(cases, advance):
    """{case: result}, each case in a process of its own.

    Args:
        cases: those of `grids`.
        advance: called with a few words before each case.
    """
    from rnn_parity.bench import contest

    held = {}
    for case in cases:
        advance(f"{case.job}: {case.name}")
        with contest.started("tensorflow", serve, case) as both:
            process, connection = both
            try:
                held[case] = connection.recv()
            except EOFError:
                process.join()
                reason = f"its process ended with {process.exitcode}"
                held[case] = {"missing": reason}
    return held


def records(held):
    """pytest-benchmark's benchmarks, and what was not run."""
    from rnn_parity.bench import results

    benchmarks, not_run = [], []
    for case, result in held.items():
        if "missing" in result:
            not_run.append(
                {
                    "strategy": case.name,
                    "job": dataclasses.asdict(case.job),
                    "reason": result["missing"],
                }
            )
            continue
        extra = {
            "strategy": case.name,
            "family": "tf1",
            "kind": case.kind,
            "flops": None,
            "build_seconds": None,
            "first_seconds": None,
            "nodes": None,
            "memory_before": 0,
            "memory_peak": result["memory"],
        }
        benchmarks.append(
            results.benchmark(case.job, extra, result["seconds"], 1)
        )
    return benchmarks, not_run


def tables(asked, device):
    """TensorFlow's tables with this run's figures, in seconds."""
    from rnn_parity.bench.tables import Table

    made = []
    for grid in grids(device):
        rows = [_row(asked, grid, row) for row in grid.rows]
        made.append(Table(grid.title, list(grid.columns), rows))
    made[-1].note = _CHANGED
    return made


def _row(asked, grid, row):
    job = row[0].job
    found = [asked.get(case.job, case.name, case.kind) for case in row]
    times = [m.mean if m else None for m in found]
    shown = [f"{t:.6f}" if t else "not run" for t in times]
    sizes = [str(job.batch), str(job.steps), str(job.width)]
    if len(row) == 1:
        each = f"{times[0] / job.steps:.6f}" if times[0] else ""
        return [*sizes, *shown, each]
    if row[0].creation:
        sizes = sizes[1:2]
    ratio = ""
    if all(times):
        above = grid.columns[-1].split("/")[0]
        first = above == grid.columns[-3]
        ratio = times[0] / times[1] if first else times[1] / times[0]
        ratio = f"{ratio:.6f}"
    return [*sizes, *shown, ratio]
