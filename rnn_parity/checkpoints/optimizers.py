"""An optimizer's slots, moved along with the weights they belong to.

Slots lie in the same layout as their variables and have no forget bias.
Only what TensorFlow 1 and Keras compute alike is moved: the same update from
the same slots, given the learning rate, which no checkpoint holds.
"""

import dataclasses
import math
from collections.abc import Callable

import numpy as np

from rnn_parity.checkpoints import forms


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
        "betas are taken to be 0.9 and 0.999",
    ),
    "Momentum": Match(
        "SGD",
        {"momentum": 0.9},
        {"momentum": "momentums"},
    ),
    "RMSProp": Match(
        "RMSprop",
        {"epsilon": 1e-10},
        {
            "rms": "_velocities",
            "momentum": "_momentums",
            "mean_gradient": "_average_gradients",
        },
        "decay is taken to be 0.9",
    ),
    "Adadelta": Match(
        "Adadelta",
        {"epsilon": 1e-8},
        {
            "accum": "_accumulated_grads",
            "accum_update": "_accumulated_delta_vars",
        },
        "rho is taken to be 0.95",
    ),
}


def restore(converted):
    """Compiles the model with the optimizer that the slots belong to.

    Returns:
        A line that says which, or why there is none.
    """
    found = converted.inventory.slots
    if not found:
        return "no optimizer slots"
    if len(found) > 1:
        names = ", ".join(found)
        return f"slots of several optimizers ({names}), which are left out"
    ((base, slots),) = found.items()
    match = MATCHES.get(base)
    if match is None:
        return f"slots of {base}, which no Keras optimizer continues"
    options = converted.options
    if base == "Momentum" and options.learning_rate is None:
        return (
            "slots of Momentum are left out: Keras keeps them times the "
            "learning rate, which no checkpoint tells (--learning-rate)"
        )
    found_at = places(converted)
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
    optimizer = _optimizer(converted, match, slots)
    for slot, attribute in match.slots.items():
        if slot in slots:
            _fill(
                optimizer,
                attribute,
                found_at,
                slots[slot],
                _scale(base, options),
            )
    steps = _steps(converted, base)
    if steps is not None:
        optimizer.iterations.assign(steps)
    converted.model.compile(optimizer=optimizer)
    return _line(converted, base, match, steps)


def in_keras(optimizer, base, slots):
    """Those of the slots that the Keras optimizer has a place for."""
    return {
        slot: by_name
        for slot, by_name in slots.items()
        if getattr(optimizer, MATCHES[base].slots[slot])
    }


def _line(converted, base, match, steps):
    line = f"slots of {base} continue in keras.optimizers.{match.name}"
    if steps is not None:
        line += f" after {steps} steps"
    assumed = [match.note] if match.note else []
    if base in ("Momentum", "RMSProp") and converted.options.momentum is None:
        default = 0.9 if base == "Momentum" else 0.0
        assumed.append(f"momentum is taken to be {default} (--momentum)")
    if converted.options.learning_rate is None:
        assumed.append("set its learning rate, which no checkpoint tells")
    return "; ".join([line, *assumed])


def _optimizer(converted, match, slots):
    import keras

    arguments = dict(match.arguments)
    options = converted.options
    if options.learning_rate is not None:
        arguments["learning_rate"] = options.learning_rate
    if options.momentum is not None and match.name in ("SGD", "RMSprop"):
        arguments["momentum"] = options.momentum
    if "mean_gradient" in slots:
        arguments["centered"] = True
    optimizer = getattr(keras.optimizers, match.name)(**arguments)
    optimizer.build(converted.model.trainable_variables)
    return optimizer


# --- Where slots go ---


@dataclasses.dataclass(frozen=True)
class Place:
    """Variables that are converted together.

    Attributes:
        name: of the cell or read-out.
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
    """Of every cell and read-out."""
    return [_of_cell(converted, cell) for cell in converted.cells] + [
        _of_read_out(converted, one) for one in converted.inventory.read_outs
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
            variable.name: forms.Rows(lambda rows, array=array: array[rows])
            for variable, array in zip(layer.weights, given, strict=True)
        }

    names = [name for name in (one.kernel, one.bias) if name]
    return Place(one.name, names, {v.name: v for v in layer.weights}, arrays)


def _fill(optimizer, attribute, places, by_name, scale):
    slots = getattr(optimizer, attribute)
    for place in places if slots else ():
        for name, array in place.arrays(by_name).items():
            index = optimizer._get_variable_index(place.variables[name])
            scaled = forms.Rows(lambda rows, array=array: scale(array(rows)))
            forms.assign(slots[index], scaled)


def _scale(base, options):
    """Keras' momentum is TensorFlow 1's times the negative rate."""
    if base != "Momentum":
        return lambda array: array
    return lambda array: (
        array * np.asarray(-options.learning_rate, array.dtype)
    )


def _steps(converted, base):
    """How many updates there were, as far as the checkpoint tells."""
    counters = converted.inventory.counters
    by_end = {name.rsplit("/", 1)[-1]: name for name in counters}
    if base == "Adam":
        for power, beta in (("beta2_power", 0.999), ("beta1_power", 0.9)):
            if power in by_end:
                value = float(converted.checkpoint.read(by_end[power]))
                if 1e-30 < value < 1:
                    return round(math.log(value) / math.log(beta)) - 1
    if "global_step" in by_end:
        return int(converted.checkpoint.read(by_end["global_step"]))
    return None
