"""The boundary between the configuration in a file and Keras.

Keras makes layers of a configuration by looking classes and functions up by
the names that it finds there, importing modules and, for some, running byte
code. So nothing of a file reaches it as it is: a configuration is made anew
from what `config_tables` allows, with plain values, and all else is refused
by name. This module imports neither TensorFlow nor Keras.
"""

import itertools
import json
import math

from rnn_parity.checkpoints import config_tables as tables
from rnn_parity.errors import UserError, damaged

# A genuine configuration has about 1 kB a layer, and layers in layers go
# four or five deep.
LONGEST_TEXT = 64_000_000  # bytes
DEEPEST, MOST_LAYERS = 32, 10_000
LARGEST_ARRAY = 2**28  # numbers
_LARGEST_BATCH = 2**16
_LONGEST_UNROLLED, _LONGEST_REPEATED = 2**12, 2**16
_LARGEST_SIZE, _LONGEST_NAME = 2**31 - 1, 1000
_DEEPEST_JSON, _DEEPEST_LIST = 200, 8
_LONGEST_SHOWN = 60

_OF_CODE = ("Lambda", "LambdaLayer", "__lambda__")
# Layers that tf.keras has and that are not converted.
_OF_FILES = ("StringLookup", "IntegerLookup", "TextVectorization")
_NOT_IN_KERAS_3 = frozenset(
    tables.words("""AbstractRNNCell AddLoss AddMetric ClassMethod
    DenseFeatures DeviceWrapper DropoutWrapper InstanceMethod InstanceProperty
    LinearModel LocallyConnected1D LocallyConnected2D RandomHeight RandomWidth
    ResidualWrapper SequenceFeatures SlicingOpLambda SyncBatchNormalization
    TFOpLambda TensorFlowOpLayer ThresholdedReLU WideDeepModel""")
)
_TUPLES = ("__tuple__", "TensorShape")


def shown(value):
    """A value from a file as part of a message: short, and printable."""
    text = value if isinstance(value, str) else repr(value)
    if not text.isprintable() or not text:
        text = ascii(text)
    if len(text) > _LONGEST_SHOWN:
        text = f"{text[:_LONGEST_SHOWN]}..."
    return text


# --- JSON ---


def loads(text):
    """The value of a JSON text, str or bytes, that a file holds.

    Raises:
        ValueError: it is no JSON, says something twice, is nested too deeply,
            is too long, or has NaN, Infinity or a number beyond floats.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8")
    if not isinstance(text, str):
        raise ValueError("it is no text")
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"it has {len(text)} characters")
    try:
        value = json.loads(
            text,
            parse_constant=_no_constant,
            parse_float=_finite,
            object_pairs_hook=_once,
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    _must_be_shallow(value)
    return value


def object_of(text, what):
    """The dict that a JSON text of a file is.

    Args:
        what: where the text is, for the message.

    Raises:
        UserError: it is damaged, as `loads` says, or is no JSON object.
    """
    try:
        value = loads(text)
    except ValueError as error:
        raise damaged(what, error) from None
    if not isinstance(value, dict):
        raise UserError(f"{what} is no JSON object; it is damaged")
    return value


def _no_constant(name):
    raise ValueError(f"it has {name} where a number belongs")


def _finite(text):
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"it has the number {text[:20]}")
    return value


def _once(pairs):
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"it says {shown(twice)} twice")
    return found


def _must_be_shallow(value):
    level = [value]
    for _ in range(_DEEPEST_JSON):
        inside = [each for each in level if isinstance(each, (list, dict))]
        if not inside:
            return
        level = [
            part
            for each in inside
            for part in (each.values() if isinstance(each, dict) else each)
        ]
    raise ValueError("it is nested too deeply")


# --- What our own readers look at ---

_DESCRIBED = {
    "name": tables.TEXT,
    "merge_mode": tables.TEXT,
    "trainable": tables.FLAG,
    "reset_after": tables.FLAG,
    "mask_zero": tables.FLAG,
    "go_backwards": tables.FLAG,
    "time_major": tables.FLAG,
    "dropout": tables.NUMBER,
    "recurrent_dropout": tables.NUMBER,
    "mask_value": tables.NUMBER,
}
_FUNCTIONS = ("activation", "recurrent_activation")
_BY_ROLE = ("recurrent_initializer", "embeddings_initializer")


def described(layer, deep=0):
    """What `keras_config` reads of a layer of any class, and of those within.

    Nothing is made of it, so that a file with a layer of someone's own still
    says how its other layers were made.

    Args:
        layer: {"class_name", "config"}, as `loads` gave it.

    Raises:
        ValueError: it is damaged.
    """
    kind = layer.get("class_name") if isinstance(layer, dict) else None
    config = layer.get("config") if isinstance(layer, dict) else None
    if not isinstance(kind, str) or not isinstance(config, (dict, list)):
        raise ValueError(f"it has {shown(layer)} where a layer belongs")
    if deep > DEEPEST:
        raise ValueError("its layers are nested too deeply")
    if isinstance(config, list):  # of a Sequential of Keras 1
        inside = [described(each, deep + 1) for each in config]
        return {"class_name": kind, "config": inside}
    missing = [n for n in tables.REQUIRED.get(kind, ()) if n not in config]
    if missing:
        raise ValueError(f"a {kind} does not say its {missing[0]}")
    made = _options_described(config, kind)
    for name in ("layer", "backward_layer", "cell"):
        if _is_layer(config.get(name)):
            made[name] = described(config[name], deep + 1)
    for name in ("layers", "cells"):
        inside = config.get(name)
        if isinstance(inside, list) and all(map(_is_layer, inside)):
            made[name] = [described(each, deep + 1) for each in inside]
        elif kind in tables.MODEL_OPTIONS and name == "layers":
            raise ValueError(f"a {kind} does not say its layers")
    return {"class_name": kind, "config": made}


def _is_layer(value):
    return isinstance(value, dict) and "class_name" in value


def _options_described(config, kind):
    made = {name: True for name in _BY_ROLE if name in config}
    values = _Values()
    for name in _DESCRIBED.keys() & config.keys():
        method = getattr(values, _METHODS[_DESCRIBED[name]])
        try:
            made[name] = config[name] and method(config[name])
        except _Unfit:
            if kind in tables.LAYER_OPTIONS:
                raise ValueError(
                    f"a {kind} has {name}={shown(config[name])}"
                ) from None
    for name in _FUNCTIONS:
        if name in config:
            made[name] = _function_described(config[name])
    return made


def _function_described(value):
    """A function's name, None, or a list for code."""
    if value is None or isinstance(value, str):
        return value
    if not isinstance(value, dict):
        return []
    inside = value.get("config")
    name = inside if isinstance(inside, str) else value.get("class_name")
    return name if isinstance(name, str) else []


def must_be_metadata(value, path):
    """Refuses code beside a layer's configuration in a SavedModel."""
    level = [value]
    while level:
        dicts = [each for each in level if isinstance(each, dict)]
        for each in dicts:
            if _PASSIVE in each:
                raise UserError(
                    f"{path} has the key '{_PASSIVE}' in what it says of a "
                    "layer; it makes Keras run what is in the file"
                )
        lists = [each for each in level if isinstance(each, list)]
        level = [v for each in dicts for v in each.values()]
        level += [v for each in lists for v in each]


_PASSIVE = "__passive_serialization__"


# --- Configurations made anew ---


def rebuilt(config, path, instead=""):
    """The configuration of a model of tf.keras, made of known parts alone.

    Args:
        config: {"class_name", "config"}, as `loads` gave it.
        path: of the file, for messages.
        instead: what the user can do, the end of messages.

    Returns:
        {"class_name", "config"} as TensorFlow 1.15 wrote it, without a
        module's name in it.

    Raises:
        UserError: it has a class, an option, a function or a value that is
            not known, which the message names.
    """
    return _Boundary(path, instead).model(config)


def must_be_known(config, path, instead=""):
    """Refuses a configuration of a `.keras` file that is not all known.

    Args:
        config: what its `config.json` says, as `loads` gave it.
        path: of the file, for messages.
        instead: what the user can do, the end of messages.

    Raises:
        UserError: as `rebuilt`; or a module or a registered name is not the
            one that Keras gives that class.
    """
    _Keras3(path, instead).model(config)


class _Unfit(Exception):
    """A value that its option does not take."""


class _Values:
    """Values of options; each method takes one kind of `config_tables`."""

    def flag(self, value):
        if value not in (False, True):  # 0 and 1 as well
            raise _Unfit
        return value

    def number(self, value):
        if not isinstance(value, (bool, int, float)):
            raise _Unfit
        if not abs(value) < 2.0**63:
            raise _Unfit
        return value

    def text(self, value):
        if not isinstance(value, str) or len(value) > _LONGEST_NAME:
            raise _Unfit
        return value

    def size(self, value):
        """A whole number, or such numbers and None in lists."""
        return self.listed(value, self.one_size)

    def one_size(self, value):
        if not isinstance(value, (int, float)) or value != int(value):
            raise _Unfit
        if abs(value) > _LARGEST_SIZE:
            raise _Unfit
        return value

    def plain(self, value):
        return self.listed(value, self.one_plain)

    def one_plain(self, value):
        return (self.text if isinstance(value, str) else self.number)(value)

    def listed(self, value, each, deep=0):
        """A value, or such values in lists; tuples become lists."""
        if deep > _DEEPEST_LIST:
            raise _Unfit
        if _is_tuple(value):
            if value.keys() != {"class_name", "items"}:
                raise _Unfit
            value = value["items"]
        if isinstance(value, list):
            return [self.listed(one, each, deep + 1) for one in value]
        return None if value is None else each(value)

    def named(self, value, each, deep=0):
        """A value, or such values by their names."""
        if not isinstance(value, dict) or _is_tuple(value):
            return None if value is None else each(value)
        if deep > _DEEPEST_LIST or "class_name" in value:
            raise _Unfit
        return {
            self.text(name): self.named(one, each, deep + 1)
            for name, one in value.items()
        }

    def shapes(self, value):
        """What a layer was built with."""
        return self.named(value, self.size)

    def reads(self, value):
        """The inputs or outputs of a model."""
        return self.named(value, self.plain)

    def nothing(self, value):
        raise _Unfit


def _is_tuple(value):
    return isinstance(value, dict) and value.get("class_name") in _TUPLES


def least_weights(config):
    """How many numbers the layers of a `.keras` file hold, at the least.

    Args:
        config: what `must_be_known` let pass.
    """
    total, level = 0, [config]
    while level:
        dicts = [each for each in level if isinstance(each, dict)]
        total += sum(map(_least_of_one, dicts))
        level = [v for each in dicts for v in each.values()] + [
            v for each in level if isinstance(each, list) for v in each
        ]
    return total


_GATES = {"LSTM": 4, "GRU": 3, "SimpleRNN": 1}


def _least_of_one(layer):
    kind, config = layer.get("class_name"), layer.get("config")
    if not isinstance(kind, str) or not isinstance(config, dict):
        return 0
    if kind == "Embedding":
        return _product(
            _numbers_in([config.get("input_dim"), config.get("output_dim")])
        )
    units = next(_numbers_in(config.get("units")), 0)
    gates = _GATES.get(kind.removesuffix("Cell"), 0)
    built = layer.get("build_config")
    shape = built.get("input_shape") if isinstance(built, dict) else None
    *_, inputs = 0, *_numbers_in(shape)
    if gates:
        return gates * units * (units + inputs)
    return units * max(inputs, 1)


class _Boundary(_Values):
    """Makes a configuration anew; its methods mirror its structure."""

    def __init__(self, path, instead):
        self.path, self.instead = path, instead
        self.within = []  # (class, name) of the layers that lead here
        self.count, self.longest, self.unrolled = 0, 1, False

    def refuse(self, why):
        """Raises a UserError that names the layer, if there is one."""
        subject = str(self.path)
        if self.within:
            kind, name = map(shown, self.within[-1])
            subject = f"{name} of {self.path}, a {kind},"
        line = f"{subject} {why}"
        raise UserError(f"{line}; {self.instead}" if self.instead else line)

    # Layers.

    def model(self, value):
        """A model that is not within another."""
        kind = value.get("class_name") if isinstance(value, dict) else None
        if kind not in tuple(tables.MODEL_OPTIONS):
            self.refuse("is damaged: it does not say what its layers are")
        said = {
            name: value.get(name) for name in ("keras_version", "backend")
        }
        for name, each in said.items():  # by `model.to_json`
            self.value(name, tables.TEXT, each)
        return self.layer({n: v for n, v in value.items() if n not in said})

    def layer(self, value):
        """A layer, a cell or a model within another."""
        if not isinstance(value, dict):
            self.refuse(f"has {shown(value)} where a layer belongs")
        kind, config = value.get("class_name"), value.get("config")
        named = config if isinstance(config, dict) else value
        self.within.append((kind, named.get("name", value.get("name"))))
        self.count += 1
        if self.count > MOST_LAYERS:
            self.refuse(f"is one of more than {MOST_LAYERS} layers")
        if len(self.within) > DEEPEST:
            self.refuse(f"lies within more than {DEEPEST} others")
        known = self.known(value, kind)
        made = {"class_name": kind, **self.of_layer(value, kind)}
        if kind == "Sequential" and isinstance(config, list):
            made["config"] = self.layers(config)  # as Keras 1 wrote it
        else:
            made["config"] = self.options(config, known)
            self.must_say(tables.REQUIRED.get(kind, ()), made["config"])
            self.must_fit(made["config"])
        if kind in _CONNECTED:
            self.connected(made["config"])
        self.within.pop()
        return made

    def known(self, value, kind):
        """{option: kind of value} of a layer's class."""
        if isinstance(kind, str):
            if kind in tables.MODEL_OPTIONS:
                self.lies_in(value, tables.MODEL_MODULES)
                return tables.BASE | tables.MODEL_OPTIONS[kind]
            if kind in tables.LAYER_OPTIONS:
                self.lies_in(value, tables.LAYER_MODULES)
                return tables.BASE | tables.LAYER_OPTIONS[kind]
        return self.unknown_class(kind)

    def unknown_class(self, kind):
        if not isinstance(kind, str):
            self.refuse("is damaged: a layer has no class")
        if kind in _OF_CODE:
            self.refuse("is Python code in the file, which is not run here")
        if kind in _OF_FILES:
            self.refuse("has a vocabulary, which is not converted")
        if kind in _NOT_IN_KERAS_3:
            self.refuse("is none that Keras 3 has")
        raise UserError(
            f"tf-keras cannot load {self.path} (Unknown layer: "
            f"'{shown(kind)}', which is none of tf.keras); {self.instead}"
        )

    def lies_in(self, value, modules, registered=()):
        """Checks the module and the registered name of an object."""
        module, name = value.get("module"), value.get("registered_name")
        if module is not None and module not in tuple(modules):
            self.refuse(f"has the module '{shown(module)}', which is not its")
        if name not in (None, value.get("class_name"), *registered):
            self.refuse(
                f"has the registered_name '{shown(name)}', which is not known"
            )

    def of_layer(self, value, kind):
        """What is beside a layer's options, and goes along."""
        made = {}
        for name, each in value.items():
            if name == "name":
                made[name] = self.value(name, tables.TEXT, each)
            elif name == "inbound_nodes":
                made[name] = self.nodes(each)
            else:
                self.beside(name, each)
        return made

    def beside(self, name, value):
        """Checks what is beside the options of any object."""
        if name in _LEFT_OUT:
            self.value(name, _LEFT_OUT[name], value)
        elif name not in _PARTS:
            self.refuse(f"has the key '{shown(name)}', which is not known")

    def must_say(self, names, config):
        for name in names:
            if name not in config:
                self.refuse(f"is damaged: it does not say its {name}")

    def must_fit(self, config):
        """Refuses arrays between layers that no machine would hold."""
        for name in _SHAPES & config.keys():
            sizes = list(_numbers_in(config[name]))
            batch = _first(config[name]) if name.startswith("batch") else 0
            self.longest = max([self.longest, *sizes])
            if _product(sizes) > LARGEST_ARRAY or batch > _LARGEST_BATCH:
                self.refuse(
                    f"has {name}={shown(config[name])}, more than is tried "
                    "here"
                )
        # tf-keras repeats step by step, in Python.
        grown = max([1, *_numbers_in(config.get("size"))])
        self.longest *= grown
        if grown > 1 and self.longest > _LONGEST_REPEATED:
            self.refuse(f"has size={grown}, more than is tried here")
        self.longest += _product(_numbers_in(config.get("padding"))) - 1
        self.unrolled = self.unrolled or bool(config.get("unroll"))
        if self.unrolled and self.longest > _LONGEST_UNROLLED:
            self.refuse(
                f"is unrolled, over up to {self.longest} steps, more than is "
                "tried here"
            )

    def options(self, config, known):
        if not isinstance(config, dict):
            self.refuse(f"has {shown(config)} where its options belong")
        made = {}
        for name, value in config.items():
            if name not in known:
                self.refuse(
                    f"has the option '{shown(name)}', which is not known"
                )
            made[name] = self.value(name, known[name], value)
        return made

    def value(self, name, kind, value):
        """The value of an option."""
        if value is None:
            return None
        try:
            return getattr(self, _METHODS[kind])(value)
        except (_Unfit, OverflowError):
            self.refuse(f"has {name}={shown(value)}, and takes {kind}")

    def layers(self, value):
        if not isinstance(value, list):
            raise _Unfit
        return [self.layer(each) for each in value]

    # What is no layer.

    def object(self, value, known, modules=()):
        """{"class_name", "config"} of a known class, or its name alone."""
        if isinstance(value, str) and value in known:
            return value
        if not isinstance(value, dict):
            raise _Unfit
        kind = value.get("class_name")
        if not isinstance(kind, str) or kind not in known:
            self.refuse(f"has a '{shown(kind)}', which is not known there")
        self.lies_in(value, modules)
        for name, each in value.items():
            self.beside(name, each)
        config = self.options(value.get("config", {}), known[kind])
        return {"class_name": kind, "config": config}

    def initializer(self, value):
        return self.object(
            value, tables.INITIALIZERS, ("keras.initializers",)
        )

    def regularizer(self, value):
        return self.object(
            value, tables.REGULARIZERS, ("keras.regularizers",)
        )

    def constraint(self, value):
        return self.object(value, tables.CONSTRAINTS, ("keras.constraints",))

    def dtype(self, value):
        if isinstance(value, dict):
            modules = ("keras", "keras.mixed_precision")
            made = self.object(value, tables.POLICIES, modules)
            value = made["config"].get("name")
        if not isinstance(value, str) or value not in tables.DTYPES:
            raise _Unfit
        return value

    def loss_scale(self, value):
        if isinstance(value, dict):
            return self.object(value, tables.LOSS_SCALES)
        return self.plain(value)

    def activation(self, value):
        kind = value.get("class_name") if isinstance(value, dict) else None
        if kind in tuple(tables.ACTIVATION_LAYERS):
            return self.layer(value)
        return self.function(value, tables.FUNCTIONS)

    def function(self, value, known):
        """The name of a function that only computes."""
        if isinstance(value, dict):
            if value.get("class_name") != "function":
                kind = shown(value.get("class_name"))
                self.refuse(f"has a '{kind}', which is not known there")
            name = value.get("config")
            self.lies_in(value, tables.FUNCTION_MODULES, (name,))
            for key, each in value.items():
                self.beside(key, each)
            value = name
        if not isinstance(value, str) or value not in known:
            self.refuse(
                f"has the function '{shown(value)}', which is not known"
            )
        return value

    # Which layer reads which.

    def connected(self, config):
        """Checks that a model reads from layers that it has."""
        self.must_say(("layers", "input_layers", "output_layers"), config)
        names = {layer.get("name") for layer in config["layers"] or ()}
        for layer in config["layers"] or ():
            if "inbound_nodes" not in layer:
                self.refuse("is damaged: a layer reads from nothing")
            for read, *_ in itertools.chain(*layer["inbound_nodes"]):
                if read not in names:
                    self.refuse(
                        f"reads from '{shown(read)}', which is no layer of it"
                    )

    def nodes(self, value):
        """[[[name of a layer, use, tensor, {arguments}], ...], ...]."""
        try:
            return [
                [self.reading(each) for each in _a_list(node)]
                for node in _a_list(value)
            ]
        except (_Unfit, OverflowError):
            self.refuse("does not say what it reads as tf.keras says it")

    def reading(self, value):
        if len(_a_list(value)) not in (3, 4):
            raise _Unfit
        name, use, tensor, *options = value
        made = [self.text(name), _counted(use), _counted(tensor)]
        return made + [self.arguments(each) for each in options]

    def arguments(self, value):
        """What a layer is called with besides."""
        if not isinstance(value, dict):
            raise _Unfit
        for name in value:
            if name not in tables.CALLED_WITH:
                self.refuse(
                    f"is called with '{shown(name)}', which is not known"
                )
        return {name: self.argument(each) for name, each in value.items()}

    def argument(self, value):
        return self.plain(value)


def _numbers_in(value):
    """Yields the numbers of a value of `size`."""
    if isinstance(value, list):
        for each in value:
            yield from _numbers_in(each)
    elif isinstance(value, (int, float)):
        yield value


def _product(sizes):
    return math.prod(size for size in sizes if size > 0)


def _first(shape):
    return shape[0] or 0 if isinstance(shape, list) and shape else 0


def _a_list(value):
    if not isinstance(value, list):
        raise _Unfit
    return value


def _counted(value):
    if type(value) is not int or not 0 <= value <= MOST_LAYERS:
        raise _Unfit
    return value


class _Keras3(_Boundary):
    """The same of `.keras` files, and of the cells of `tf2.tf1_cells`."""

    def known(self, value, kind):
        module = value.get("module")
        own = f"{tables.OWN_PACKAGE}>{kind}"
        if not isinstance(kind, str) or not isinstance(module, str):
            return self.unknown_class(kind)
        if module == tables.OWN_MODULE and kind in tables.OWN_OPTIONS:
            if value.get("registered_name") != own:
                self.refuse(f"has another registered_name than {own}")
            return tables.BASE | tables.OWN_OPTIONS[kind]
        if module in tables.OPERATION_MODULES and kind in tables.OPERATIONS:
            self.lies_in(value, tables.OPERATION_MODULES)
            return tables.BASE | tables.OPERATIONS[kind]
        return super().known(value, kind)

    def unknown_class(self, kind):
        if kind in _OF_CODE:
            self.refuse("is Python code in the file, which is not run here")
        self.refuse(
            "is none of the layers of Keras that are known, nor of "
            f"{tables.OWN_MODULE}, and code of others is not loaded"
        )

    def of_layer(self, value, kind):
        value = dict(value)
        compiled = value.pop("compile_config", None)
        if compiled is not None:
            if kind not in tables.MODEL_OPTIONS:
                self.refuse("has the key 'compile_config', and is no model")
            self.options(compiled, tables.COMPILED_WITH)
        return super().of_layer(value, kind)

    def function(self, value, known):
        own = f"{tables.OWN_PACKAGE}>hard_sigmoid"
        return super().function(value, known | {own})

    # What it was compiled with.

    def optimizer(self, value):
        return self.object(value, tables.OPTIMIZERS, ("keras.optimizers",))

    def schedule(self, value):
        if not isinstance(value, dict):
            return self.number(value)
        modules = ("keras.optimizers.schedules",)
        return self.object(value, tables.SCHEDULES, modules)

    def score(self, value, deep=0):
        """A loss or a metric, or such, in lists or by name."""
        if deep > _DEEPEST_LIST:
            raise _Unfit
        if isinstance(value, dict) and "class_name" not in value:
            value = list(value.values())
        if isinstance(value, list):
            for each in value:
                self.score(each, deep + 1)
        elif isinstance(value, dict) and value["class_name"] != "function":
            modules = ("keras.losses", "keras.metrics")
            self.object(value, tables.LOSSES_AND_METRICS, modules)
        elif value is not None:
            known = tables.SCORES | tables.LOSSES_AND_METRICS.keys()
            self.function(value, known)

    # Which layer reads which.

    def connected(self, config):
        self.must_say(("layers", "input_layers", "output_layers"), config)

    def nodes(self, value):
        """[{"args", "kwargs"}, ...]."""
        try:
            for node in _a_list(value):
                if not isinstance(node, dict):
                    raise _Unfit
                if node.keys() != {"args", "kwargs"}:
                    raise _Unfit
                self.argument(_a_list(node["args"]))
                self.arguments(node["kwargs"])
        except (_Unfit, OverflowError):
            self.refuse("does not say what it reads as Keras says it")

    def argument(self, value):
        return self.listed(value, self.one_argument)

    def one_argument(self, value):
        if not isinstance(value, dict):
            return self.number(value)
        if "class_name" not in value:
            return self.named(value, self.argument)
        kind, config = value["class_name"], value.get("config")
        keys = _ARGUMENTS.get(kind if isinstance(kind, str) else None)
        if keys is None:
            self.refuse(f"is called with a '{shown(kind)}', not known there")
        if value.keys() - {"class_name", "config"}:
            raise _Unfit
        if not isinstance(config, dict) or config.keys() - keys:
            raise _Unfit
        return self.named(config, self.plain)


# Options that alone say how large the arrays between layers are.
_SHAPES = {
    "batch_input_shape",
    "batch_shape",
    "build_input_shape",
    "target_shape",
    "n",
}
# What a layer may be called with besides numbers.
_ARGUMENTS = {
    "__keras_tensor__": {"shape", "dtype", "keras_history"},
    "__slice__": {"start", "stop", "step"},
    "__ellipsis__": set(),
}
_LEFT_OUT = {"shared_object_id": tables.PLAIN, "build_config": tables.SHAPES}
_PARTS = ("class_name", "config", "module", "registered_name")
_CONNECTED = ("Model", "Functional", "Network")
_METHODS = {
    tables.FLAG: "flag",
    tables.NUMBER: "number",
    tables.TEXT: "text",
    tables.SIZE: "size",
    tables.PLAIN: "plain",
    tables.SHAPES: "shapes",
    tables.READS: "reads",
    tables.NOTHING: "nothing",
    tables.DTYPE: "dtype",
    tables.LOSS_SCALE: "loss_scale",
    tables.INITIALIZER: "initializer",
    tables.REGULARIZER: "regularizer",
    tables.CONSTRAINT: "constraint",
    tables.ACTIVATION: "activation",
    tables.LAYER: "layer",
    tables.LAYERS: "layers",
    tables.OPTIMIZER: "optimizer",
    tables.SCHEDULE: "schedule",
    tables.SCORE: "score",
}
