"""An optimizer's slots, moved along with the weights they belong to.

Slots lie in the same layout as their variables and have no forget bias.
Only what TensorFlow 1 and Keras compute alike is moved: the same update from
the same slots, given the learning rate, which no checkpoint holds.
"""

import dataclasses
import inspect
import math
import re
from collections.abc import Callable

import numpy as np

from rnn_parity.checkpoints import forms
from rnn_parity.checkpoints.recognise import KERAS_ADAM, OPTIMIZERS
from rnn_parity.errors import UserError


@dataclasses.dataclass(frozen=True)
class Match:
    """A TensorFlow 1 optimizer and the Keras one that updates alike.

    Attributes:
        name: Keras' class.
        arguments: TensorFlow 1's defaults where Keras has others.
        slots: {TensorFlow 1 slot: Keras' attribute}.
        note: what to look out for.
    """

    name: str
    arguments: dict
    slots: dict
    note: str = ""


MATCHES = {
    "Adagrad": Match(
        "Adagrad",
        {"epsilon": 0.0},
        {"accumulator": "_accumulators"},
    ),
    "Adam": Match(
        "Adam",
        {"epsilon": 1e-8},
        {"m": "_momentums", "v": "_velocities"},
        "betas are taken to be 0.9 and 0.999, epsilon 1e-08",
    ),
    KERAS_ADAM: Match(
        "Adam",
        {"epsilon": 1e-7},
        {"m": "_momentums", "v": "_velocities"},
    ),
    "Momentum": Match(
        "SGD",
        {"momentum": 0.9},
        {"momentum": "momentums"},
        "it is taken not to be Nesterov's",
    ),
    "RMSProp": Match(
        "RMSprop",
        {"epsilon": 1e-10},
        {
            "rms": "_velocities",
            "momentum": "_momentums",
            "mean_gradient": "_average_gradients",
        },
        "decay is taken to be 0.9, epsilon 1e-10",
    ),
    "Adadelta": Match(
        "Adadelta",
        {"epsilon": 1e-8},
        {
            "accum": "_accumulated_grads",
            "accum_update": "_accumulated_delta_vars",
        },
        "rho is taken to be 0.95, epsilon 1e-08",
    ),
}


DEFAULT_BETAS = (0.9, 0.999)  # of Adam
# Slots that tf.keras saves under their own names, not the optimizer's.
OF_KERAS = {
    *("m", "v", "vhat", "momentum", "rms", "mg"),
    *("accumulator", "accum_grad", "accum_var", "linear"),
}
WITH_MOMENTUM = ("Momentum", "RMSProp")
# What these do to an embedding is sparse in TensorFlow 1 alone.
ONLY_ROWS_READ = ("Momentum", "RMSProp", "Adadelta")


def check(slots, options):
    """Refuses a momentum that no optimizer is there to take."""
    found = ", ".join(slots) or "none"
    if options.momentum is not None and not set(slots) & set(WITH_MOMENTUM):
        raise UserError(
            f"momentum is for slots of {' or '.join(WITH_MOMENTUM)}, and "
            f"those in the checkpoint are of {found}; leave it away"
        )


def trains(inventory, variable):
    """Whether an optimizer moved a variable: one with slots had none of it.

    Nothing is told where there are no slots, as of GradientDescent.
    """
    slots = [of for by in inventory.slots.values() for of in by.values()]
    return not slots or any(variable in by_name for by_name in slots)


def restore(converted):
    """Compiles the model with the optimizer that the slots belong to.

    Returns:
        A line that says which, or why there is none.
    """
    found = converted.inventory.slots
    if not found:
        return "no optimizer slots"
    names = ", ".join(found)
    if OF_KERAS & set(found):
        return (
            f"slots of an optimizer of tf.keras ({names}) are left out; only "
            "its Adam's go along"
        )
    if len(found) > 1:
        return (
            f"slots of several names ({names}), of several optimizers or of "
            "averages, are left out"
        )
    ((base, slots),) = found.items()
    match = MATCHES.get(base)
    if match is None:
        known = base in OPTIMIZERS
        whose = "" if known else ", an optimizer's of that name or averages"
        return f"slots of {base}{whose}, which no Keras optimizer continues"
    of_another = [slot for slot in slots if slot not in match.slots]
    if of_another:
        variable = next(iter(slots[of_another[0]]))
        return (
            f"slots of {base} are left out: {variable} has those of several "
            "such optimizers"
        )
    options = converted.options
    if base == "Momentum" and options.learning_rate is None:
        return (
            "slots of Momentum are left out: Keras keeps them times the "
            "learning rate, which no checkpoint tells (--learning-rate)"
        )
    two_biases = [
        cell.scope
        for cell in converted.cells
        if cell.kind.name == forms.TWO_BIASES
    ]
    if two_biases:
        return (
            f"slots of {base} are left out: {two_biases[0]} trains two "
            "biases, and Keras' LSTM their sum"
        )
    found_at = trained_places(converted)
    names = {name for place in found_at for name in place.names}
    missing = [
        name
        for name in sorted(names)
        if not all(name in by_name for by_name in slots.values())
    ]
    if missing:
        return (
            f"slots of {base} are left out: {missing[0]} "
            f"{f'and {len(missing) - 1} more have' * (len(missing) > 1)}"
            f"{'has' * (len(missing) == 1)} none"
        )
    other = _of_other_dtype(converted, names, slots)
    if other:
        return f"slots of {base} are left out: {other}"
    progress = _progress(converted, base)
    if isinstance(progress, str):
        return progress
    optimizer = _optimizer(converted, match, slots, progress)
    for slot, attribute in match.slots.items():
        if slot in slots:
            _fill(
                optimizer,
                attribute,
                found_at,
                slots[slot],
                _scale(base, options),
            )
    if progress.steps is not None:
        optimizer.iterations.assign(progress.steps)
    converted.model.compile(optimizer=optimizer)
    return _line(converted, base, match, progress)


def _of_other_dtype(converted, names, slots):
    """Says which slot is not of its variable's dtype, if there is one."""
    dtypes = converted.checkpoint.dtypes
    for by_name in slots.values():
        for name in sorted(names):
            wanted, found = dtypes[converted.source(name)], by_name[name]
            if dtypes[found] != wanted:
                return f"{found} is {dtypes[found]}, and {name} {wanted}"
    return None


def in_keras(optimizer, base, slots):
    """Those of the slots that the Keras optimizer has a place for."""
    return {
        slot: by_name
        for slot, by_name in slots.items()
        if getattr(optimizer, MATCHES[base].slots[slot])
    }


def _line(converted, base, match, progress):
    line = f"slots of {base} continue in keras.optimizers.{match.name}"
    if progress.steps is not None:
        line += f" after {progress.steps} step{'s' * (progress.steps != 1)}"
    if base == KERAS_ADAM:
        assumed = ["epsilon is taken to be 1e-07"]
    elif progress.betas:
        beta_1, beta_2 = progress.betas
        assumed = [
            f"its powers make the betas {beta_1:g} and {beta_2:g}",
            "epsilon is taken to be 1e-08",
        ]
    else:
        assumed = [match.note] if match.note else []
    if base in WITH_MOMENTUM and converted.options.momentum is None:
        default = 0.9 if base == "Momentum" else 0.0
        assumed.append(f"momentum is taken to be {default} (--momentum)")
    if converted.options.learning_rate is None and progress.rate is None:
        assumed.append("set its learning rate, which no checkpoint tells")
    return "; ".join([line, *assumed, *_of_rows(converted, base)])


def _of_rows(converted, base):
    """How a table's rows are trained otherwise."""
    tables = [
        one
        for one in converted.inventory.embeddings
        if one.stacks and trains(converted.inventory, one.variable)
    ]
    if tables and base in ONLY_ROWS_READ:
        yield (
            f"where a batch does not read a row of {tables[0].name}, "
            "TensorFlow 1 leaves the row's slots alone, and Keras lets them "
            "decay"
        )
    if tables and base != "Momentum":
        yield (
            "tf2.optimizers.sum_equal_ids(model.optimizer) has Keras add up "
            "the gradients of equal ids before it squares them, as "
            "TensorFlow 1 does"
        )


def _optimizer(converted, match, slots, progress):
    # By default Keras numbers names by how many the process has made.
    arguments = match.arguments | {"name": match.name.lower()}
    if progress.betas:
        betas = zip(("beta_1", "beta_2"), progress.betas, strict=True)
        arguments |= dict(betas)
    if progress.rate is not None:
        arguments["learning_rate"] = progress.rate
    options = converted.options
    if options.learning_rate is not None:
        arguments["learning_rate"] = options.learning_rate
    if options.momentum is not None:
        arguments["momentum"] = options.momentum
    if "mean_gradient" in slots:
        arguments["centered"] = True
    optimizer = _made(match.name, arguments)
    optimizer.build(converted.model.trainable_variables)
    return optimizer


def _made(name, arguments):
    """Keras' optimizer of that name, its learning rate in float32.

    As TensorFlow 1 has it whatever the weights are; Keras takes the process'
    floatx, and has no argument for it.
    """
    import keras

    made_by = getattr(keras.optimizers, name)
    default = inspect.signature(made_by).parameters["learning_rate"].default
    rate = float(arguments.get("learning_rate", default))
    optimizer = made_by(**arguments | {"learning_rate": lambda: rate})
    with keras.name_scope(optimizer.name):
        optimizer._learning_rate = keras.Variable(
            rate,
            dtype="float32",
            trainable=False,
            aggregation="only_first_replica",
            name="learning_rate",
        )
    return optimizer


def of_config(config):
    """The optimizer of a saved model, or None where it is none of ours.

    Args:
        config: as Keras serializes it, or None.
    """
    import keras

    kind = (config or {}).get("class_name")
    if kind not in {match.name for match in MATCHES.values()}:
        return None
    if isinstance(config["config"]["learning_rate"], dict):  # a schedule
        return keras.optimizers.deserialize(config)
    return _made(kind, config["config"])


# --- Where slots go ---


@dataclasses.dataclass(frozen=True)
class Place:
    """Variables that are converted together.

    Attributes:
        name: of the cell, read-out or embedding.
        names: their TensorFlow 1 names.
        variables: {Keras name: variable}.
        arrays: ({name: slot's name}) -> {Keras name: function that gives
            the slot's array}.
    """

    name: str
    names: list
    variables: dict
    arrays: Callable


def places(converted):
    """Of every cell, read-out and embedding."""
    inventory = converted.inventory
    return [
        *(_of_cell(converted, cell) for cell in converted.cells),
        *(_of_read_out(converted, one) for one in inventory.read_outs),
        *(_of_embedding(converted, one) for one in inventory.embeddings),
    ]


def trained_places(converted):
    """Those of them that the model trains, and that have slots."""
    trained = {id(v) for v in converted.model.trainable_variables}
    return [
        place
        for place in places(converted)
        if {id(v) for v in place.variables.values()} <= trained
    ]


def _of_cell(converted, cell):
    options = converted.cell_options[cell.scope]
    keras_cell = converted._runners[cell.scope].keras_cell

    def arrays(of):
        given = converted.arrays(cell, of)
        return forms.to_keras(cell, options, given, forget_bias=0.0)

    variables = forms.weights(keras_cell, cell, options)
    return Place(cell.scope, cell.names, variables, arrays)


def _of_read_out(converted, one):
    layer = converted.layers[one.name]

    def arrays(of):
        given = converted.read_out_arrays(one, of)
        return {
            variable.name: forms.rows_of(array)
            for variable, array in zip(layer.weights, given, strict=True)
        }

    names = [name for name in (one.kernel, one.bias) if name]
    return Place(one.name, names, {v.name: v for v in layer.weights}, arrays)


def _of_embedding(converted, one):
    (variable,) = converted.layers[one.name].weights

    def arrays(of):
        array = converted.embedding_array(one, of)
        return {variable.name: forms.rows_of(array)}

    return Place(one.name, [one.variable], {variable.name: variable}, arrays)


def _fill(optimizer, attribute, places, by_name, scale):
    slots = getattr(optimizer, attribute)
    for place in places if slots else ():
        for name, array in place.arrays(by_name).items():
            index = optimizer._get_variable_index(place.variables[name])
            scaled = forms.Rows(lambda rows, array=array: scale(array(rows)))
            forms.assign(slots[index], scaled)


def _scale(base, options):
    """Keras' momentum is TensorFlow 1's times the negative rate.

    Both keep the rate in float32.
    """
    if base != "Momentum":
        return lambda array: array
    rate = -np.float32(options.learning_rate)
    return lambda array: array * rate.astype(array.dtype)


# --- How far training had come ---


@dataclasses.dataclass(frozen=True)
class _Progress:
    """What a checkpoint tells of the updates so far.

    Attributes:
        steps: how many there were, or None.
        betas: Adam's, where they are not TensorFlow 1's defaults.
        rate: the learning rate, which tf.keras saves, or None.
    """

    steps: int | None
    betas: tuple = ()
    rate: float | None = None


def steps_before(converted, base):
    """How many updates the checkpoint tells of, 0 if of none."""
    progress = _progress(converted, base)
    return 0 if isinstance(progress, str) else progress.steps or 0


def _progress(converted, base):
    """A `_Progress`, or a line that says why slots are left out."""
    if base == KERAS_ADAM:
        return _progress_of_keras(converted)
    read, counters = converted.checkpoint.read, converted.inventory.counters
    steps = {
        int(read(name)) for name in counters if _last(name) == "global_step"
    }
    step = steps.pop() if len(steps) == 1 else None
    firsts = [n for n in counters if _POWER.match(_last(n))]
    pairs = [
        (name, name.replace("beta1_power", "beta2_power")) for name in firsts
    ]
    several = {
        tuple(float(read(name)) for name in pair)
        for pair in pairs
        if pair[1] in counters
    }
    if base != "Adam" or not several:
        return _Progress(step)
    if len(several) > 1:
        return (
            f"slots of Adam are left out: they are of {len(several)} such "
            "optimizers, with different numbers of steps"
        )
    (powers,) = several
    counts = _counts(powers)
    if counts:
        return _Progress(counts[0] if counts[0] is not None else step)
    betas = _betas(powers, step)
    if betas:
        return _Progress(step, betas)
    return (
        "slots of Adam are left out: beta1_power and beta2_power are "
        f"{powers[0]:.4g} and {powers[1]:.4g}, which betas of 0.9 and 0.999 "
        "never give together"
    )


_POWER = re.compile(r"beta1_power(_\d+)?$")


def _last(name):
    return name.rsplit("/", 1)[-1]


def _progress_of_keras(converted):
    """What tf.keras' Adam saves: all but epsilon."""
    values = {
        name.rsplit("/", 1)[-1]: converted.checkpoint.read(name)
        for name in converted.inventory.counters
        if re.search(r"(^|/)Adam(_\d+)?/\w+$", name)
    }
    wanted = {"iter", "beta_1", "beta_2", "decay", "learning_rate"}
    if not wanted <= set(values):
        missing = ", ".join(sorted(wanted - set(values)))
        return f"slots of {KERAS_ADAM} are left out: {missing} is not saved"
    if values["decay"]:
        return (
            f"slots of {KERAS_ADAM} are left out: its learning rate decays, "
            "which Keras' Adam has no argument for"
        )
    # As they were written, 0.9: Keras rounds them to float32 again.
    rate, *betas = (
        float(str(values[name]))
        for name in ("learning_rate", "beta_1", "beta_2")
    )
    return _Progress(int(values["iter"]), tuple(betas), rate)


def _counts(powers):
    """(updates,) that make these powers of the default betas, or ().

    TensorFlow 1 keeps beta^(updates + 1), which runs out of float32: beta1's
    first, then beta2's, and then they tell nothing, (None,).
    """
    smallest = float(np.finfo(np.float32).tiny)
    counts = [
        math.log(power) / math.log(np.float32(beta)) - 1
        if smallest < power < 1
        else None
        for power, beta in zip(powers, DEFAULT_BETAS, strict=True)
    ]
    first, second = counts
    runs_out = math.log(smallest) / math.log(DEFAULT_BETAS[0])
    if any(power >= 1 for power in powers):
        return ()
    if first is None:
        late = second is None or second > runs_out - 2
        return (None if second is None else round(second),) if late else ()
    # A product of n float32 numbers is off by n roundings at most.
    near = second is not None and abs(second - first) < 0.5 + first / 1e3
    return (round(first),) if near else ()


def _betas(powers, steps):
    """Those that give these powers after so many updates, or ().

    People choose 1 - beta with two digits, such as 0.02 or 0.0005: others
    say that the number of updates is another.
    """
    if steps is None or not all(0 < power < 1 for power in powers):
        return ()
    roots = [power ** (1 / (steps + 1)) for power in powers]
    betas = [1 - float(f"{1 - root:.2g}") for root in roots]
    betas = [round(beta, 9) for beta in betas]
    return tuple(betas) if np.allclose(betas, roots, 0, 1e-6) else ()
