"""`rnn-parity bench`."""

import contextlib
import pathlib

import click

from rnn_parity import sections
from rnn_parity.commands import options
from rnn_parity.errors import UserError

NAME = "unrolling"
RNN_TEST = "tf-rnn-test"


def _sizes(_context, option, value):
    """ "15,60" -> (15, 60)."""
    if value is None:
        return None
    sizes = value.split(",")
    if not all(size.isdecimal() and int(size) for size in sizes):
        raise UserError(
            f"--{option.name} is {value!r}; it must be whole numbers, such "
            "as 15,60"
        )
    return tuple(map(int, sizes))


def _size_option(name, meaning):
    return click.option(
        f"--{name}", callback=_sizes, metavar="N,N,...", help=meaning
    )


@click.command()
@click.option(
    "--preset",
    metavar="NAME",
    help="quick (under 3 minutes on two cores), full, or tf-rnn-test (the "
    "grids of TensorFlow's own rnn_test.py). [quick]",
)
@click.option(
    "--device",
    type=click.Choice(["cpu", "gpu"]),
    default="cpu",
    help="Where to compute. [cpu]",
)
@click.option(
    "--out",
    "folder",
    type=options.Path(),
    metavar="DIR",
    help="Write unrolling.json, unrolling.md and the plots there.",
)
@click.option(
    "--strategy",
    "names",
    multiple=True,
    metavar="NAME",
    help="Only this one; may be repeated.",
)
@_size_option("steps", "Instead of the preset's jobs: these T.")
@_size_option("batch", "With --steps: these batch sizes. [16]")
@_size_option("width", "With --steps: these widths. [64]")
@_size_option("layers", "With --steps: these numbers of layers. [1]")
@click.option(
    "--dtype",
    type=click.Choice(["float32", "float64"]),
    help="With --steps. [float32]",
)
@click.option(
    "--compare",
    nargs=2,
    type=options.Path(),
    metavar="A.json B.json",
    help="Measure nothing; set two runs side by side.",
)
def bench(preset, device, folder, names, compare, **sizes):
    """Time static, dynamic, partial and fused loops against one another.

    Each strategy runs in a process of its own, is held against the NumPy
    version before it is timed, and takes turns with the others.

    \b
    Examples:
      rnn-parity bench --out results
      rnn-parity bench --preset full --out results
      rnn-parity bench --steps 15,60,240 --batch 8 --width 32
      rnn-parity bench --compare old/unrolling.json new/unrolling.json
    """
    if compare:
        return _compare(*compare)
    from rnn_parity import keras_backend

    keras_backend.must_be_tensorflow()
    if preset == RNN_TEST:
        if names or any(sizes.values()):
            raise UserError(f"{RNN_TEST} has sizes and strategies of its own")
        with _reserved(folder, RNN_TEST) as place:
            return _rnn_test(device, place)
    preset, jobs = _preset(preset, device, sizes)
    from rnn_parity import memory
    from rnn_parity.bench import contest

    every = _programme(jobs, names)
    for job in every:
        memory.check_job(job)
    with _reserved(folder, NAME) as place:
        about = contest.probe(device)
        made = _measure(preset, jobs, every, about)
        paths = _write(made, place) if place else []
    _show(made)
    for path in paths:
        options.say(f"wrote {path}")
    return options.OK


def _compare(first, second):
    from rnn_parity.bench import compare, results

    table = compare.table(results.read(first), results.read(second))
    options.console().print(table.rich())
    return options.OK


def _rnn_test(device, place):
    """TensorFlow's own tables."""
    from rnn_parity import files, progress
    from rnn_parity.bench import contest, results, rnn_test, tables

    about = contest.probe(device)
    cases = [c for g in rnn_test.grids(device) for row in g.rows for c in row]
    with progress.steps(len(cases), "timing") as advance:
        held = rnn_test.hold(cases, advance)
    made = results.assemble(RNN_TEST, about, *rnn_test.records(held))
    asked = results.Results(made)
    shown = rnn_test.tables(asked, device)
    console = options.console()
    for table in shown:
        console.print(table.rich())
    if place:
        text = tables.page("TensorFlow's rnn_test.py", asked, shown)
        paths = [place, pathlib.Path(place.path).with_name(f"{RNN_TEST}.md")]
        results.write(paths[0], made)
        with files.atomic_write(paths[1]) as file:
            file.write(text)
        for path in paths:
            options.say(f"wrote {path}")
    return options.OK


def _preset(name, device, sizes):
    """The preset's name and record, with the jobs that were asked for."""
    from rnn_parity.bench import jobs

    if name and name not in jobs.PRESETS:
        known = [*jobs.PRESETS, RNN_TEST]
        raise UserError(sections.unknown("preset", name, known))
    preset = jobs.find(name or "quick", device)
    if sizes["steps"] is None:
        given = [option for option, value in sizes.items() if value]
        if given:
            raise UserError(f"--{given[0]} goes with --steps")
        return name or "quick", preset
    if name:
        raise UserError("--steps replaces the preset; leave --preset away")
    own = jobs.grid(
        sizes["steps"],
        sizes["batch"] or (16,),
        sizes["width"] or (64,),
        sizes["layers"] or (1,),
        dtype=sizes["dtype"] or "float32",
        device=device,
    )
    return "own sizes", jobs.Preset(own, rounds=5, turn_seconds=0.05)


def _programme(preset, names):
    """{job: strategies}, of the preset or called `names`."""
    from rnn_parity.bench import strategies

    every = tuple(strategies.STRATEGIES)
    most = strategies.choose(names or preset.names or every)
    few = strategies.choose(names or preset.more_names)
    return dict.fromkeys(preset.jobs, most) | dict.fromkeys(
        preset.more_jobs, few
    )


@contextlib.contextmanager
def _reserved(folder, name):
    """The `files.Place` of the results, if any; tried before the work.

    Args:
        folder: where to write, made if need be; or None.
        name: of the results, without its ending.
    """
    from rnn_parity import files

    if folder is None:
        yield None
        return
    files.make_folder(folder)
    with files.reserve(pathlib.Path(folder) / f"{name}.json") as place:
        yield place


def _measure(name, preset, every, about):
    from rnn_parity import progress
    from rnn_parity.bench import contest, results

    held = {}
    total = sum(map(len, every.values()))
    with progress.steps(total, "timing") as advance:
        for job, chosen in every.items():
            held[job] = contest.hold(job, chosen, preset, advance)
    return results.document(name, about, held)


def _show(made):
    from rnn_parity.bench import results, tables

    asked = results.Results(made)
    console = options.console()
    console.print(tables.about(asked))
    for table in tables.summary(asked):
        console.print(table.rich())


def _write(made, place):
    from rnn_parity import files
    from rnn_parity.bench import plots, results, tables

    asked = results.Results(made)
    folder = pathlib.Path(place.path).parent
    paths = [place, folder / f"{NAME}.md"]
    results.write(paths[0], made)
    with files.atomic_write(paths[1]) as file:
        file.write(tables.markdown(asked))
    return paths + plots.write(asked, folder, NAME)
