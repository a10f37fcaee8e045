"""`rnn-parity run`."""

import contextlib
import dataclasses
import functools
import math
import shlex
import signal
import sys
import time

import click

from rnn_parity import config as configuration
from rnn_parity import sections
from rnn_parity.commands import options
from rnn_parity.errors import UserError

_FIELDS = dataclasses.fields(configuration.Config)


def _config_options(command):
    """An option for every constant of the tutorial."""
    for field in reversed(_FIELDS):
        names = [f"--{field.name.replace('_', '-')}", field.name]
        if field.name == "num_epochs":
            names.insert(0, "--epochs")
        command = click.option(
            *names,
            type=type(field.default),
            metavar=type(field.default).__name__.upper(),
            help=f"{field.metadata['meaning']} [{field.default}]",
        )(command)
    return command


def _unrolling(_context, _option, value):
    if value is None or value in ("static", "dynamic"):
        return value
    if value.isdecimal() and int(value) >= 1:
        return int(value)
    raise UserError(
        f"unroll is {value!r}; it must be static, dynamic or a whole number "
        "of steps"
    )


def _seconds(_context, option, value):
    if value is not None and math.isnan(value):  # click lets it pass
        raise UserError(f"{option.opts[0]} is nan; give a number of seconds")
    return value


@click.command()
@click.argument("section")
@click.option(
    "--impl",
    "implementation",
    metavar="VERSION",
    help="legacy_v1, tf2 or numpy_ref. [tf2]",
)
@_config_options
@click.option(
    "--seed",
    type=click.IntRange(0, 2**32 - 1),
    help="Decides weights, data and dropout, alike in all versions. [3]",
)
@click.option(
    "--mode",
    metavar="MODE",
    help="For tf2: eager, step (one tf.function call a step), epoch (one "
    "for many steps) or xla (the same, compiled). [xla]",
)
@click.option(
    "--unroll",
    "unrolling",
    callback=_unrolling,
    metavar="WAY",
    help="For tf2: static, dynamic, or steps per turn of the loop. [dynamic]",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="For tf2: share each batch's rows among N replicas.",
)
@click.option(
    "--over",
    type=click.Choice(["devices", "processes"]),
    help="What the workers are: devices of one process (GPUs, or logical "
    "CPUs) or processes of their own. [devices]",
)
@click.option(
    "--device",
    type=click.Choice(["cpu", "gpu"]),
    help="Where to compute; a GPU if there is one, by default.",
)
@click.option(
    "--figure",
    type=options.Path(),
    metavar="FILE",
    help="Write the tutorial's picture: .png, .svg or .pdf.",
)
@click.option(
    "--animate",
    type=options.Path(),
    metavar="FILE",
    help="Write the picture as it changes while training: .gif.",
)
@click.option("--live", is_flag=True, help="Show the picture in a window.")
@click.option(
    "--save",
    type=options.Path(),
    metavar="DIR",
    help="Keep a checkpoint in this folder.",
)
@click.option(
    "--save-every",
    type=click.FloatRange(min=0),
    callback=_seconds,
    metavar="SECONDS",
    help="How often at most, besides at the end. [10]",
)
@click.option(
    "--resume",
    type=options.Path(),
    metavar="DIR",
    help="Go on from the checkpoint in this folder, and keep it there.",
)
def run(section, **given):
    """Train SECTION on the echo task.

    Prints loss and echo accuracy on data that the training did not see.
    Ctrl-C ends after the current stride, with a checkpoint if --save.

    \b
    Examples:
      rnn-parity run s1 --epochs 5 --figure s1.png
      rnn-parity run s3 --impl legacy_v1 --epochs 2 --save s3
      rnn-parity run s3 --resume s3 --epochs 4
      rnn-parity run s1 --echo-step 5 --truncated-backprop-length 5
    """
    section = sections.find(section)
    _quieten_if_launched(given)
    _check_combination(given)
    with contextlib.ExitStack() as held:
        _reserve(given, held)
        saved = _saved(section, given, held)
        config = _config(given, saved)
        _prepare(given, saved, config)
        if given["over"] == "processes" and given["worker"] is None:
            from rnn_parity.training import workers

            held.close()  # the first worker writes the files
            return workers.launch(sys.argv[1:], given["workers"])
        return _start(section, config, given, saved)


def _start(section, config, given, saved):
    """Makes the session and runs it; returns the exit code."""
    import numpy as np

    # The summary tells of numbers that grew too large.
    with (
        _short_of_memory(section, config),
        np.errstate(all="ignore"),
        _Interruption() as interruption,
    ):
        session = _session(section, config, given, saved)
        return _run(session, given, interruption)


def _run(session, given, interruption):
    """Trains, evaluates, and draws; returns the exit code."""
    watchers = _watchers(session, given)
    for line in _heading(session):
        options.say(line)
    train = functools.partial(_train, session, watchers, given, interruption)
    if session.strategy is None:
        stopped = train()
    else:
        from rnn_parity.training import workers

        with workers.ending_if_another_is_lost():
            stopped = train()
    if not given["worker"]:
        _finish(session, watchers, given)
    return options.INTERRUPTED if stopped else options.OK


@contextlib.contextmanager
def _short_of_memory(section, config):
    """Sizes that no memory holds are the user's to mend: one line."""
    from rnn_parity import memory

    memory.check(section, config)
    try:
        yield
    except Exception as error:  # TensorFlow's, if it is imported at all
        names = {cls.__name__ for cls in type(error).__mro__}
        if not names & {"MemoryError", "ResourceExhaustedError"}:
            raise
        raise memory.too_little() from None


def _quieten_if_launched(given):
    """Of several processes, only the first one writes and heeds Ctrl-C."""
    from rnn_parity.training import workers

    given["worker"] = workers.worker_index()
    if given["worker"] is not None:
        workers.end_with_launcher()
    if given["worker"]:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        given.update(save=None, figure=None, animate=None, live=False)


def _check_combination(given):
    """Refuses options that contradict one another."""
    if given["save"] and given["resume"]:
        raise UserError(
            "--resume keeps its checkpoint in its own folder; "
            "leave --save away"
        )
    if given["save_every"] is None:
        given["save_every"] = 10
    elif not (given["save"] or given["resume"] or given["worker"]):
        raise UserError("--save-every goes with --save or --resume")
    if given["over"] and not given["workers"]:
        raise UserError("--over says what workers are; add --workers N")


def _reserve(given, held):
    """Keeps the files to write: what would fail at the end fails now."""
    from rnn_parity import files
    from rnn_parity.training import checkpoint

    given["place"] = None
    if given["save"]:
        given["place"] = held.enter_context(
            checkpoint.reserve_new(given["save"])
        )
    pictures = [name for name in ("figure", "animate") if given[name]]
    if not pictures:
        return
    from rnn_parity.training import picture

    checks = {"figure": picture.check_figure, "animate": picture.check_film}
    for name in pictures:
        if given["resume"]:
            read = [f"{given['resume']}/{checkpoint.NAME}"]
            files.must_not_be(given[name], read, "what training goes on from")
        checks[name](given[name])
        given[name] = held.enter_context(files.reserve(given[name]))


def _saved(section, given, held):
    """The checkpoint to go on from, or None."""
    folder = given["resume"]
    if not folder:
        return None
    from rnn_parity.training import checkpoint

    saved = checkpoint.read(folder)
    if not given["worker"]:
        given["place"] = held.enter_context(checkpoint.reserve(folder))
        saved = checkpoint.read(folder)  # the last that others wrote
    if saved.section != section.key:
        raise UserError(
            f"{folder} holds section {saved.section}, not {section.key}"
        )
    if given["seed"] not in (None, saved.seed):
        raise UserError(
            f"{folder} was trained with seed {saved.seed}, not "
            f"{given['seed']}"
        )
    return saved


def _config(given, saved):
    wanted = {
        field.name: given[field.name]
        for field in _FIELDS
        if given[field.name] is not None
    }
    if saved is None:
        return configuration.Config(**wanted)
    for name, value in wanted.items():
        kept = getattr(saved.config, name)
        if name != "num_epochs" and value != kept:
            raise UserError(
                f"{given['resume']} was trained with {name} {kept}, not "
                f"{value}; leave the option away, or start anew"
            )
    config = saved.config.replace(**wanted)
    if config.num_epochs <= saved.epoch:
        raise UserError(
            f"{given['resume']} has trained {saved.epoch} of "
            f"{config.num_epochs} epochs; ask for more with --epochs"
        )
    return config


def _prepare(given, saved, config):
    """Device and threads, before TensorFlow starts."""
    implementation = given["implementation"] or (
        saved.implementation if saved else "tf2"
    )
    if implementation not in sections.IMPLEMENTATIONS:
        known = list(sections.IMPLEMENTATIONS)
        raise UserError(sections.unknown("version", implementation, known))
    given["implementation"] = implementation
    if given["workers"]:
        _check_workers(given, config)
    if implementation == "numpy_ref":
        if given["device"] == "gpu":
            raise UserError(
                "numpy_ref runs on the CPU; --device gpu is for "
                "legacy_v1 and tf2"
            )
    else:
        from rnn_parity import devices

        if implementation == "tf2" and not given["workers"]:
            devices.one_thread_if_small(config)
        devices.choose(given["device"])


def _check_workers(given, config):
    from rnn_parity.training import workers

    if given["implementation"] != "tf2":
        raise UserError(
            f"--workers is for tf2; {given['implementation']} trains alone"
        )
    if given["mode"] not in (None, "step"):
        raise UserError(
            f"workers train step by step; leave --mode {given['mode']} away"
        )
    workers.check(config, given["workers"])


def _session(section, config, given, saved):
    from rnn_parity.training.session import Session

    strategy = None
    if given["workers"]:
        from rnn_parity.training import workers

        strategy = workers.strategy(given["workers"], given["over"])
    seed = {} if given["seed"] is None else {"seed": given["seed"]}
    return Session(
        section.key,
        given["implementation"],
        config,
        **seed,
        mode=given["mode"],
        unrolling=given["unrolling"],
        saved=saved,
        strategy=strategy,
    )


def _heading(session):
    """The lines that say what is about to be trained."""
    how = ""
    if session.mode:
        how = f" ({session.mode}, {session.unrolling})"
    if session.strategy is not None:
        how = f" on {session.strategy.num_replicas_in_sync} replicas"
    line = (
        f"{session.section.key}, {session.section.title}: "
        f"{session.implementation}{how}, "
        f"{_counted(session.config.num_epochs, 'epoch', 's')} of "
        f"{_counted(session.config.num_batches, 'batch', 'es')}"
    )
    if session.steps_done:
        line += f", from step {session.steps_done}"
    yield line
    config = session.config
    if config.truncated_backprop_length <= config.echo_step:
        yield (
            f"truncated_backprop_length {config.truncated_backprop_length} "
            f"is not above echo_step {config.echo_step}: no window holds an "
            "input and its echo, so there is nothing to learn from"
        )


def _counted(number, word, ending):
    return f"{number} {word}{ending if number != 1 else ''}"


class _Interruption:
    """Ctrl-C ends the command; while it trains, the first one only asks."""

    asked = training = False

    def __enter__(self):
        self.before = signal.getsignal(signal.SIGINT)
        if self.before != signal.SIG_IGN:
            signal.signal(signal.SIGINT, self._ask)
        return self

    def __exit__(self, *_):
        signal.signal(signal.SIGINT, self.before)

    def _ask(self, *_):
        insists, self.asked = self.asked or not self.training, True
        if insists:
            raise KeyboardInterrupt

    @contextlib.contextmanager
    def while_training(self):
        if self.asked:  # and Python dropped it: finalizers may not raise
            raise KeyboardInterrupt
        self.training = True
        try:
            yield
        finally:
            self.training = False


def _train(session, watchers, given, interruption):
    """Trains to the end, or to Ctrl-C; returns whether it was that."""
    from rnn_parity import progress

    place = given["place"]
    saved_at = time.monotonic()
    left = _steps_left(session)
    with (
        interruption.while_training(),
        progress.steps(left, "training") as advance,
    ):
        advance("preparing", 0)
        rate = _Rate()
        while not session.finished and not interruption.asked:
            epoch = session.epoch + 1
            with rate:
                losses = session.advance()
            advance(
                f"epoch {epoch}/{session.config.num_epochs}, "
                f"{rate.of(len(losses))}loss {losses.mean():.4f}",
                len(losses),
            )
            for watch in watchers:
                watch(lambda: _drawn(session))
            if place and time.monotonic() - saved_at >= given["save_every"]:
                session.checkpoint().write(place)
                saved_at = time.monotonic()
        if place:
            session.checkpoint().write(place)
    if interruption.asked:
        _say_where(session, given)
    return interruption.asked


def _say_where(session, given):
    where = f"interrupted after step {session.steps_done}"
    folder = given["save"] or given["resume"]
    if given["place"]:
        words = ["run", session.section.key, "--resume", folder]
        for name in ("workers", "over", "device"):
            if given[name]:
                words += [f"--{name}", str(given[name])]
        where += f"; go on with: rnn-parity {shlex.join(words)}"
    options.say(where, err=True)


def _steps_left(session):
    config = session.config
    return config.num_epochs * config.num_batches - session.steps_done


class _Rate:
    """Steps a second of training, but of the first stride: it compiles."""

    def __init__(self):
        self.strides = self.steps = self.seconds = 0

    def __enter__(self):
        self.started = time.perf_counter()

    def __exit__(self, *_):
        if self.strides:
            self.seconds += time.perf_counter() - self.started
        self.strides += 1

    def of(self, steps):
        if self.strides == 1:
            return ""
        self.steps += steps
        return f"{self.steps / self.seconds:.0f} steps/s, "


def _watchers(session, given):
    watchers = []
    if given["animate"] or given["live"]:
        from rnn_parity.training import picture

        if given["live"]:
            watchers.append(picture.Window())
        if given["animate"]:
            calls = -(-_steps_left(session) // session.stride)
            watchers.append(picture.Film(given["animate"], calls))
    return watchers


def _drawn(session, view=None):
    """What `picture.draw` takes after the figure."""
    title = f"{session.section.title}, {session.implementation}"
    view = session.view() if view is None else view
    return session.losses, view, session.config, title


def _finish(session, watchers, given):
    """Evaluates, writes the pictures, and says how it went."""
    evaluation = session.evaluate()
    drawn = _drawn(session, evaluation.view)
    if given["figure"]:
        from rnn_parity.training import picture

        picture.save(given["figure"], *drawn)
    for watcher in watchers:
        watcher.write(*drawn)
    for line in _summary(session, evaluation):
        options.say(line)
    for watcher in watchers:
        watcher.finish()


def _summary(session, evaluation):
    import numpy as np

    (lost,) = (~np.isfinite(session.losses)).nonzero()
    if len(lost):
        yield (
            f"the loss is no finite number from step {lost[0] + 1} on; "
            "train anew with a lower --learning-rate"
        )
    per_epoch = session.config.num_batches
    if len(session.losses) >= per_epoch > 1:
        start = (len(session.losses) // per_epoch - 1) * per_epoch
        yield _epoch_in_words(
            session.losses[start : start + per_epoch],
            session.config.echo_step,
        )
    if not evaluation.total:
        yield "fresh data: too short a series to show any echo"
        return
    share = evaluation.correct / evaluation.total
    yield (
        f"fresh data: loss {evaluation.loss:.6g}, echo accuracy "
        f"{100 * share:.2f} % ({evaluation.correct} of {evaluation.total} "
        "steps)"
    )


def _epoch_in_words(losses, echo_step):
    words = f"last whole epoch: loss {losses[1:].mean():.6g}"
    if echo_step:
        words += (
            f", but in its first batch {losses[0]:.6g}: no input was seen "
            f"yet that its first {echo_step} steps are to echo"
        )
    return words
