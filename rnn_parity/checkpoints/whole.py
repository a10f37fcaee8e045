"""A whole model of tf.keras as a model of Keras 3, with proof.

    converted = rnn_parity.convert_model("model.h5")

An HDF5 file of `model.save` says what every layer was made with and which
reads which, and so does a SavedModel of such a model. tf-keras, which is
Keras 2, still makes it of that; Keras 3 does not, and where it loads the
weights alone it computes something else. So tf-keras says what the model is,
and Keras 3 is held against what that computes.
"""

import contextlib
import dataclasses
import inspect
import math
import os
import pathlib
import threading

import numpy as np

from rnn_parity import ladder
from rnn_parity.checkpoints import config_safety, hdf5, keras_config
from rnn_parity.errors import UserError

_BATCH, _STEPS, _SEED = 3, 5, 20161123
# Filters of warnings are the process'; two threads that put each other's
# back would leave them changed.
_ALONE = threading.Lock()
_INSTEAD = "without --whole its recurrent layers are converted"
# What runs on a GPU alone; tf-keras turns the weights round as it loads them.
_WITHOUT_GPU = {"CuDNNLSTM": "LSTM", "CuDNNGRU": "GRU"}
_NO_CHECKSUM = (
    "saved_model.json has no checksum: its names, options and sizes were "
    "checked, and a number that is damaged cannot be seen"
)
_ABOUT_SLOTS = (
    "the optimizer's slots are left out; without --whole those of Adam go "
    "along"
)
_MODELS = {"Functional": "keras.src.models.functional", "Sequential": "keras"}
# {class: {argument of Keras 2: of Keras 3}}
_RENAMED = {
    "InputLayer": {"batch_input_shape": "batch_shape"},
    "LeakyReLU": {"alpha": "negative_slope"},
}
# Arguments that Keras 3 has not, where they change what is computed.
_GONE = ("time_major", "num_constants", "renorm")


@dataclasses.dataclass(frozen=True)
class ConvertedModel:
    """A converted model.

    Attributes:
        model: of Keras 3, its inputs, outputs and layers by the names they
            had, "/" written as ".".
        path: of what it was made of.
        error: largest difference from what tf-keras computes, as
            `rnn_parity.ladder.error_of` has it.
        allowed: the largest that counts as agreement.
        own: whether it has a function of `tf2.tf1_cells`, which loads where
            that module is imported.
        notes: lines, for the user.
    """

    model: object
    path: str
    error: float
    allowed: float
    own: bool
    notes: list

    def save(self, path, force=False):
        """Writes the model to `.keras` or `.weights.h5`, whole.

        Raises:
            UserError: another ending, the file is there already and not
                `force`, or it cannot be written.
        """
        from rnn_parity.checkpoints import saving

        saving.save_model(self.model, path, self.path, force)


def convert_model(path, *, progress=None):
    """The Keras 3 model of a whole model of tf.keras, HDF5 or SavedModel.

    Both are run on random inputs. What is allowed is what rounding does: the
    old model runs again with weights that are off by their last place.

    Args:
        path: an `.h5` file that `model.save` wrote, of TensorFlow 1 or of
            Keras 2, or the folder of a SavedModel.
        progress: called with (what is being done, share done 0 to 1).

    Returns:
        `ConvertedModel`.

    Raises:
        UserError: it is no such file, has a layer that Keras 3 has not, or
            the models do not compute the same.
    """
    show = progress or (lambda what, share: None)
    show("loading", 0.0)
    of_folder = os.path.isdir(path)
    config, has_slots = (_in_folder if of_folder else hdf5.model_of)(path)
    config = config_safety.rebuilt(config, path, _INSTEAD)
    _take_for_a_cpu(config, path)
    _say_dtypes(config, "float32" if of_folder else hdf5.float_of(path))
    old = _loaded(path, config)
    show("making it anew", 0.3)
    renewal = _Renewal(path)
    with _safely():
        model = renewal.model_of(old)
    _take_over(old, model, path)
    show("comparing", 0.6)
    error, allowed = _compared(old, model, path)
    show("", 1.0)
    notes = [_ABOUT_SLOTS] if has_slots else []
    if not of_folder:
        notes.append(hdf5.NO_CHECKSUM)
    elif os.path.exists(_said_once(path)):
        notes.append(_NO_CHECKSUM)
    return ConvertedModel(
        model, str(path), error, allowed, renewal.own, notes
    )


def _take_for_a_cpu(config, path):
    """Names the layers that stand for those of a GPU alone."""
    for layer in keras_config.every_layer(config):
        kind = layer["class_name"]
        if os.path.isdir(path) and kind in _WITHOUT_GPU:
            raise _cannot(path, layer, "is taken from HDF5 alone")
        layer["class_name"] = _WITHOUT_GPU.get(kind, kind)


def _take_over(old, model, path):
    """Gives every layer of `model` what the old one holds, and whether it
    is trained.
    """
    for old_layer, layer in _pairs(old, model):
        if not old_layer.trainable:
            # And all within, as in Keras 2; Keras 3 does that on a change.
            layer.trainable = True
            layer.trainable = False
        if not _holds_others(old_layer):
            _fill(old_layer, layer, path)


def _say_dtypes(config, dtype):
    """Gives layers a dtype that say none, as those of Keras 2.0 to 2.2.

    By default tf-keras takes the process' floatx.
    """
    for layer in keras_config.every_layer(config):
        within = layer["config"]
        if isinstance(within, dict) and "layers" not in within:
            within.setdefault("dtype", dtype)


def _cannot(path, layer, why):
    kind, name = layer["class_name"], layer["config"].get("name")
    return UserError(f"{name} of {path}, a {kind}, {why}; {_INSTEAD}")


def _in_folder(path):
    """As `hdf5.model_of`, of a SavedModel."""
    from rnn_parity.checkpoints import tensor_bundle
    from rnn_parity.quiet import tf

    prefix = _variables(path)
    if not prefix.with_suffix(".index").is_file():
        raise UserError(
            f"{path} is no SavedModel; --whole takes one, or the .h5 file of "
            "model.save"
        )
    tensor_bundle.read_index(str(prefix))  # before TensorFlow opens it
    try:
        config = keras_config.whole_model(pathlib.Path(path))
        stored = [name for name, _ in tf.train.list_variables(str(prefix))]
    except UserError:
        raise
    except Exception as error:  # damage has no end
        reason = str(error).split("\n", maxsplit=1)[0][:120]
        raise UserError(
            f"{path} cannot be read ({reason}); {_INSTEAD}"
        ) from None
    if config is None:
        raise UserError(
            f"{path} does not say which layer reads which; {_INSTEAD}"
        )
    return config, any("/.OPTIMIZER_SLOT/" in name for name in stored)


def _said_once(folder):
    """Where a SavedModel says once how its layers were made."""
    return pathlib.Path(folder, "assets", "saved_model.json")


def _variables(folder):
    return pathlib.Path(folder, "variables", "variables")


def _loaded(path, config):
    """The model, by tf-keras."""
    import rnn_parity.quiet  # noqa: F401  before tf-keras

    # isort: split
    import tf_keras

    room = None
    try:
        stored = _stored(path)
        room = _Room(sum(math.prod(shape) for shape, _ in stored.values()))
        _must_have_arrays(config, stored, path)
        with _safely(), room.kept():
            model = tf_keras.layers.deserialize(config)
        _must_be_small(model, path)
        if os.path.isdir(path):
            status = model.load_weights(str(_variables(path)))
            status.expect_partial()  # the optimizer stays behind
            status.assert_existing_objects_matched()
        else:
            model.load_weights(path)
    except UserError:
        raise
    except Exception as error:  # there is no end to what may be in a file
        reason = str(error).split(". ", maxsplit=1)[0].split("\n")[0]
        if room and room.exceeded:
            reason = (
                f"its layers hold more than the {room.size} numbers in it"
            )
        raise UserError(
            f"tf-keras cannot load {path} ({reason[:120]}); {_INSTEAD}"
        ) from None
    _must_hold_floats(model, path, stored)
    return model


@contextlib.contextmanager
def _safely():
    """Neither Keras runs code in a configuration, whatever is set."""
    from keras.src.saving import serialization_lib
    from tf_keras.src.saving import serialization_lib as of_tf_keras

    with (
        serialization_lib.SafeModeScope(True),
        of_tf_keras.SafeModeScope(True),
    ):
        yield


def _stored(path):
    """{name: (shape, dtype's name)} of all weights, none of them read."""
    from rnn_parity.quiet import tf

    if os.path.isdir(path):
        reader = tf.train.load_checkpoint(str(_variables(path)))
        dtypes = reader.get_variable_to_dtype_map()
        shapes = reader.get_variable_to_shape_map()
        return {name: (shapes[name], dtypes[name].name) for name in shapes}
    import h5py

    found = {}

    def visit(name, node):
        if isinstance(node, h5py.Dataset):
            found[name] = (node.shape or (), node.dtype.name)

    with h5py.File(path) as file:
        file["model_weights"].visititems(visit)
    return found


def _must_have_arrays(config, stored, path):
    """Refuses more layers with weights than there are arrays."""
    counted = sum(
        any(name.endswith("_initializer") for name in layer["config"])
        and layer["config"].get("center", True) is not False
        for layer in keras_config.every_layer(config)
        if isinstance(layer["config"], dict)
    )
    if counted > len(stored):
        raise UserError(
            f"{path} has {counted} layers with weights, and {len(stored)} "
            f"arrays for them; {_INSTEAD}"
        )


class _Room:
    """How many numbers tf-keras may still make variables of.

    Those of a layer begin as zeros: their values are about to be loaded, and
    `Orthogonal` takes minutes at H=4096.
    """

    def __init__(self, size):
        self.size, self.left, self.exceeded = size, size, False

    def kept(self):
        """Variables made within count."""
        from rnn_parity.quiet import tf

        return tf.variable_creator_scope(self._make)

    def _make(self, make, **given):
        from rnn_parity.quiet import tf

        shape, dtype = given.get("shape"), given.get("dtype")
        if shape is None or not callable(given.get("initial_value")):
            return make(**given)
        self.left -= math.prod(shape)
        if self.left < 0:
            self.exceeded = True
            raise MemoryError
        given["initial_value"] = lambda: tf.zeros(shape, dtype)
        return make(**given)


def _must_be_small(model, path):
    """Refuses a model whose layers give more than a machine can hold."""
    for layer in model.layers:
        for node in layer.inbound_nodes:
            for shape in _shapes(node.output_shapes):
                sizes = [size or max(_BATCH, _STEPS) for size in shape]
                if type(layer).__name__.endswith("Attention"):
                    sizes += sizes[1:-1]  # every step looks at every other
                if math.prod(sizes) > config_safety.LARGEST_ARRAY:
                    raise UserError(
                        f"{layer.name} of {path} gives {list(shape)} numbers "
                        f"at once, more than is tried here; {_INSTEAD}"
                    )


def _shapes(nested):
    """Yields every shape of nested ones."""
    if isinstance(nested, dict):
        nested = list(nested.values())
    if isinstance(nested, list):
        for each in nested:
            yield from _shapes(each)
    elif nested is not None:
        yield tuple(nested)


def _must_hold_floats(model, path, stored):
    """Refuses weights in HDF5 that tf-keras loads as other numbers.

    It turns complex ones into their real parts, and doubles into floats. Of
    a SavedModel, TensorFlow itself wants the dtype that was stored.
    """
    if os.path.isdir(path):
        return
    layers = {layer.name: layer for layer in model.layers}
    for name, (_, dtype) in stored.items():
        if name.startswith("top_level_model_weights/"):
            continue
        of = [each for each in layers if name.startswith(f"{each}/")]
        if not of:
            raise UserError(
                f"{config_safety.shown(name)} of {path} is of no layer that "
                f"it says it has, it is damaged; {_INSTEAD}"
            )
        weights = layers[max(of, key=len)].weights
        made = {np.dtype(each.dtype.as_numpy_dtype) for each in weights}
        if not _fits(np.dtype(dtype), made):
            names = ", ".join(sorted(each.name for each in made))
            raise UserError(
                f"{config_safety.shown(name)} of {path} is {dtype}, and the "
                f"weights of its layer are {names or 'none'}: it would be "
                f"another number there; {_INSTEAD}"
            )


def _fits(dtype, made):
    """Whether an array is what it was as a weight of one of these dtypes."""
    if not _is_float(dtype):
        return dtype in made
    return any(
        dtype.itemsize <= each.itemsize for each in made if _is_float(each)
    )


def _is_float(dtype):
    return dtype.kind == "f" or dtype.name == "bfloat16"


# --- Its configuration, as Keras 3 has it ---


class _Renewal:
    def __init__(self, path):
        self.path, self.own = path, False

    def model_of(self, old):
        """A model of Keras 3, its weights zeros."""
        import keras

        from rnn_parity.checkpoints import undrawn

        renewed = self.renewed_model(type(old).__name__, old.get_config())
        renewed = undrawn.by_name(renewed)
        try:
            with undrawn.nothing_drawn():
                model = keras.saving.deserialize_keras_object(renewed)
        except Exception as error:
            whole = str(error).rpartition("Exception encountered: ")[2]
            reason = whole.split("\n", maxsplit=1)[0][:160]
            raise UserError(
                f"Keras 3 cannot make the model of {self.path} ({reason}); "
                f"{_INSTEAD}"
            ) from None
        for each in _within(model):
            if hasattr(each, "layers"):  # a model, whose is not in the file
                each.dtype_policy = each.layers[-1].dtype_policy
        return model

    def renewed(self, value):
        """What `get_config` gave, or something within."""
        import keras

        if isinstance(value, (list, tuple)):
            return [self.renewed(each) for each in value]
        if not isinstance(value, dict):
            return value
        within, kind = value.get("config"), value.get("class_name")
        if kind is None or not isinstance(within, dict):
            return {key: self.renewed(each) for key, each in value.items()}
        if kind in ("Policy", "PolicyV1"):
            return within["name"]
        if kind in _MODELS:
            return self.renewed_model(kind, within)
        module = value.get("module")  # none where one layer has another
        of_layers = str(module).startswith("keras.layers")
        if of_layers or (module is None and hasattr(keras.layers, kind)):
            return self.renewed_layer(kind, within)
        return value

    def renewed_model(self, kind, config):
        from rnn_parity.checkpoints.model import encode

        renewed = {"name": encode(config["name"])}
        layers = config["layers"]
        # Keras 2 counts what a model within reads and gives as its first use.
        before = {
            layer["config"]["name"]: 1
            for layer in layers
            if layer["class_name"] in _MODELS
        }

        def at(name, use, tensor, options=()):
            given = {k: v for k, v in dict(options).items() if v is not None}
            return [encode(name), use - before.get(name, 0), tensor, given]

        def all_at(tensors):
            if isinstance(tensors, dict):
                return {key: all_at(each) for key, each in tensors.items()}
            if isinstance(tensors[0], str):
                return at(*tensors)[:3]
            every = [all_at(each) for each in tensors]
            return every if len(every) > 1 else every[0]

        for key in ("input_layers", "output_layers"):
            if key in config:
                renewed[key] = all_at(config[key])
        renewed["layers"] = []
        for layer in layers:
            of_layer = (layer["class_name"], layer["config"])
            if of_layer[0] in _MODELS:
                made = self.renewed_model(*of_layer)
            else:
                made = self.renewed_layer(*of_layer)
            if "inbound_nodes" in layer:
                made["name"] = encode(layer["name"])
                made["inbound_nodes"] = [
                    _with_state(layer, [at(*one) for one in node])
                    for node in layer["inbound_nodes"]
                ]
            renewed["layers"].append(made)
        return {
            "module": _MODELS[kind],
            "class_name": kind,
            "config": renewed,
            "registered_name": kind,
        }

    def renewed_layer(self, kind, config):
        import keras

        from rnn_parity.checkpoints.model import encode

        layer = {"class_name": kind, "config": config}
        made_by = getattr(keras.layers, kind, None)
        if made_by is None:
            raise _cannot(self.path, layer, "is none that Keras 3 has")
        gone = [option for option in _GONE if config.get(option)]
        if gone:
            raise _cannot(
                self.path, layer, f"has {gone[0]}, and Keras 3 no such option"
            )
        names, accepted = _RENAMED.get(kind, {}), _arguments(made_by)
        renewed = {
            names.get(name, name): self.option(name, each)
            for name, each in config.items()
            if names.get(name, name) in accepted
        }
        renewed["name"] = encode(config["name"])
        if kind == "BatchNormalization" and isinstance(config["axis"], list):
            (renewed["axis"],) = config["axis"]
        return {
            "module": "keras.layers",
            "class_name": kind,
            "config": renewed,
            "registered_name": None,
        }

    def option(self, name, value):
        if value == "hard_sigmoid" and "activation" in name:
            import keras

            from tf2 import tf1_cells

            self.own = True
            return keras.saving.serialize_keras_object(tf1_cells.hard_sigmoid)
        return self.renewed(value)


def _arguments(made_by):
    """The names of what a class, and what it inherits from, is made with."""
    found = set()
    for each in made_by.__mro__:
        if "__init__" not in vars(each):
            continue
        parameters = inspect.signature(each.__init__).parameters.values()
        found |= {parameter.name for parameter in parameters}
        if not any(p.kind is p.VAR_KEYWORD for p in parameters):
            break
    return found - {"self"}


def _with_state(layer, node):
    """What a layer reads; a state to start from is an argument in Keras 3."""
    recurrent = "return_state" in layer["config"]
    if len(node) < 2 or not (
        recurrent or layer["class_name"] == "Bidirectional"
    ):
        return node

    def tensor(*history):
        config = {"shape": [], "dtype": "float32", "keras_history": history}
        return {"class_name": "__keras_tensor__", "config": config}

    inputs, *state = (tensor(*each[:3]) for each in node)
    return {"args": [inputs], "kwargs": node[0][3] | {"initial_state": state}}


# --- Its weights ---


def _pairs(old, new):
    """Yields (old layer, new layer), and those within."""
    from rnn_parity.checkpoints.model import encode

    yield old, new
    if hasattr(old, "layers"):
        for layer in old.layers:
            if not _is(layer, "InputLayer"):
                yield from _pairs(layer, new.get_layer(encode(layer.name)))
    elif _is(old, "Bidirectional"):
        yield from _pairs(old.forward_layer, new.forward_layer)
        yield from _pairs(old.backward_layer, new.backward_layer)
    elif _is(old, "TimeDistributed"):
        yield from _pairs(old.layer, new.layer)


def _holds_others(layer):
    return hasattr(layer, "layers") or any(
        _is(layer, kind) for kind in ("Bidirectional", "TimeDistributed")
    )


def _fill(old, new, path):
    arrays = old.get_weights()
    shapes = [array.shape for array in arrays]
    wanted = [tuple(variable.shape) for variable in new.weights]
    if shapes != wanted:
        raise UserError(
            f"{old.name} of {path} has weights {_listed(shapes)}, and Keras "
            f"3's {_listed(wanted)}; {_INSTEAD}"
        )
    for array in arrays:
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise UserError(
                f"{old.name} of {path} holds values that are not finite; "
                "nothing computed with it could be compared"
            )
    new.set_weights(arrays)


def _listed(shapes):
    return ", ".join(str(list(shape)) for shape in shapes) or "none"


# --- The proof ---


def _compared(old, new, path):
    """(error, what is allowed)."""
    inputs = _inputs(old, path)
    random = np.random.default_rng(_SEED)
    try:
        before = _run(old, inputs)
    except Exception as error:  # whatever its layers demand
        reason = str(error).split("\n", maxsplit=1)[0][:160]
        raise UserError(
            f"the model of {path} does not run on random inputs, so there is "
            f"no proof ({reason}); {_INSTEAD}"
        ) from None
    arrays = old.get_weights()
    old.reset_states()
    old.set_weights([_shaken(array, random) for array in arrays])
    shaken = _run(old, inputs)
    after = _run(new, inputs)
    for layer in new.layers:
        if getattr(layer, "stateful", False):
            layer.reset_state()
    error = max(map(ladder.error_of, after, before))
    noise = max(map(ladder.error_of, shaken, before))
    allowed = 32 * (noise + float(np.finfo(before[0].dtype).eps))
    if not error <= allowed:
        raise UserError(
            f"the model of {path} computes something else in Keras 3 (error "
            f"{error:.1e}, allowed {allowed:.1e}); nothing was written: "
            f"please report it; {_INSTEAD}"
        )
    return error, allowed


def _run(model, inputs):
    import warnings

    from rnn_parity.quiet import tf

    with _ALONE, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        outputs = model(inputs, training=False)
    return [np.asarray(each) for each in tf.nest.flatten(outputs)]


def _shaken(array, random):
    """Off by about its last place, everywhere."""
    if array.dtype.kind != "f":
        return array
    signs = random.choice(np.array([-1, 1], array.dtype), array.shape)
    return array * (1 + signs * np.finfo(array.dtype).eps)


def _inputs(model, path):
    """Random arrays, nested as the model has its inputs."""
    from rnn_parity.quiet import tf

    random = np.random.default_rng(_SEED)
    layers = list(_within(model))
    tables = [layer for layer in layers if _is(layer, "Embedding")]
    hides = [layer.mask_value for layer in layers if _is(layer, "Masking")]
    found = []
    for tensor in model.inputs:
        batch, *sizes = tensor.shape
        shape = [batch or _BATCH, *(size or _STEPS for size in sizes)]
        dtype = tensor.dtype.name
        readers = [
            layer
            for layer in model.layers
            if not _is(layer, "InputLayer")
            and any(tensor is each for each in _read_by(layer))
        ]
        ids = any(
            _is(inner, "Embedding")
            for one in readers
            for inner in _within(one)
        )
        if ids or "int" in dtype:
            count = min([table.input_dim for table in tables] or [2])
            x = random.integers(0, count, shape).astype(dtype)
            x[0, ..., -1] = 0  # which a table may mask
        elif "float" in dtype:
            x = random.standard_normal(shape).astype(dtype)
            if hides and len(shape) > 2:
                x[0, -1] = hides[0]
        else:
            raise UserError(
                f"an input of {path} takes {dtype}, which is not tried here; "
                f"{_INSTEAD}"
            )
        found.append(x)
    nested = model.input if len(found) > 1 else model.inputs[0]
    return tf.nest.pack_sequence_as(nested, found)


def _is(layer, kind):
    return type(layer).__name__ == kind


def _within(layer):
    """Yields a layer and all in it."""
    yield layer
    inside = getattr(layer, "layers", None) or [
        getattr(layer, name)
        for name in ("layer", "forward_layer")
        if hasattr(layer, name)
    ]
    for each in inside:
        yield from _within(each)


def _read_by(layer):
    """Yields the tensors that a layer reads, wherever it is used."""
    for at in range(len(layer.inbound_nodes)):
        inputs = layer.get_input_at(at)
        several = isinstance(inputs, (list, tuple))
        yield from inputs if several else [inputs]
