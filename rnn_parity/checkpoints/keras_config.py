"""What a model of tf.keras says of how its layers were made.

`get_config` of every layer, as JSON beside the weights: of the whole model
in an HDF5 file, and in `assets/saved_model.json` where
`tf.keras.experimental.export_saved_model` wrote it; of each object in a
SavedModel, `saved_model.pb` or, since TensorFlow 2.5, `keras_metadata.pb`.

A *layer* here is {"class_name", "config"}, a cell of an `RNN` one as well.
Source: `tensorflow/python/keras/saving` of TensorFlow 1.15.
"""

import re

from rnn_parity.checkpoints import config_safety, objects, saved_model
from rnn_parity.errors import UserError

# What only layers of a role have in their configuration, and among their
# weights.
_ROLES = {
    "cell": ("recurrent_initializer", "recurrent_kernel"),
    "embedding": ("embeddings_initializer", "embeddings"),
}
WHOLE = "it holds a whole model: convert --whole takes all of it"
# What a layer and its cell, or the layer round it, say alike.
_COMPUTING = {
    "activation",
    "recurrent_activation",
    "reset_after",
    "mask_zero",
    "mask_value",
    "merge_mode",
}
_OPTIONS = {
    "cell": ("activation", "recurrent_activation", "reset_after"),
    "embedding": ("mask_zero",),
    "dense": ("activation",),
}


def options_of(layers):
    """{scope: {option: value}} of {scope: layer}."""
    found = {scope: _told(layer) for scope, layer in layers.items()}
    return {scope: told for scope, told in found.items() if told}


def _told(layer):
    config = layer["config"]
    return {
        option: _function(config[option])
        if "activation" in option
        else config[option]
        for option in _OPTIONS.get(_role(layer), ())
        if option in config
    }


def _role(layer):
    for role, (argument, _) in _ROLES.items():
        if argument in layer["config"]:
            return role
    return "dense" if layer["class_name"] == "Dense" else None


def _function(value):
    """Its name; Keras takes None for linear."""
    if value is None or isinstance(value, str):
        return value or "linear"
    if isinstance(value, dict):
        inside = value.get("config")
        return inside if isinstance(inside, str) else value.get("class_name")
    return "a lambda"


# --- Layers within layers ---


def _parts(layer):
    """The layers, or cells, that a layer is made of, in their order."""
    config = layer["config"]
    if isinstance(config, list):  # of an old Sequential
        return config
    if layer["class_name"] == "Bidirectional":
        forward = config["layer"]
        return [forward, config.get("backward_layer") or forward]
    for one in ("layer", "cell"):
        if isinstance(config.get(one), dict):
            return [config[one]]
    return config.get("layers") or config.get("cells") or []


def _leaves(layer, trained=True):
    """[(layer, whether it is trained)] of those that hold weights."""
    parts = _parts(layer)
    if isinstance(layer["config"], dict):
        trained = trained and layer["config"].get("trainable", True)
    if not parts:
        return [(layer, trained)]
    return [leaf for part in parts for leaf in _leaves(part, trained)]


def in_order(layer, shapes):
    """{scope: layer} of a layer and all within, by the order of weights.

    Args:
        shapes: {name: shape} of its weights, as `layer.weights` has them:
            those that are trained first.
    """
    leaves = sorted(_leaves(layer), key=lambda leaf: not leaf[1])
    scopes = {
        role: [
            name.rpartition("/")[0]
            for name in shapes
            if name.rpartition("/")[2] == local
        ]
        for role, (_, local) in _ROLES.items()
    }
    scopes["dense"] = [
        scope
        for name, shape in shapes.items()
        if len(shape) == 2
        and name.endswith("/kernel")
        and (scope := name.rpartition("/")[0]) not in scopes["cell"]
    ]
    found = {}
    for role, of_role in scopes.items():
        layers = [one for one, _ in leaves if _role(one) == role]
        if len(layers) == len(of_role):
            found |= zip(of_role, layers, strict=True)
    return found


def every_layer(layer):
    """Yields a layer and all within."""
    yield layer
    for part in _parts(layer):
        yield from every_layer(part)


# --- Layers as objects ---


def whole_model(folder):
    """The configuration of the model that a SavedModel is of, or None."""
    whole = folder / "assets" / "saved_model.json"
    if whole.is_file():
        return config_safety.loads(_text(whole))
    if not (folder / "saved_model.pb").is_file():
        return None
    layers = _by_object(folder)[1]
    root = _root(layers)
    if root is not None:
        for layer in layers.values():
            config_safety.must_be_metadata(layer, folder)
    return root and {name: root[name] for name in ("class_name", "config")}


def _text(path):
    """The text of a file that is not too long to be one of layers."""
    size = path.stat().st_size
    if size > config_safety.LONGEST_TEXT:
        raise ValueError(f"it has {size} bytes")
    return path.read_bytes()


def _root(layers):
    """The layer that has all others, if it says which; or None."""
    root = layers.get(0, {"config": {}})
    return root if "layers" in root["config"] else None


def in_saved_model(folder, checkpoint):
    """({scope: layer}, notes) of a SavedModel's folder.

    Args:
        checkpoint: the `reader.Checkpoint` of its variables.
    """
    whole = folder / "assets" / "saved_model.json"
    if whole.is_file() and objects.GRAPH in checkpoint.shapes:
        model = config_safety.described(config_safety.loads(_text(whole)))
        nodes = objects.nodes_of(checkpoint.read(objects.GRAPH).item())
        layers = dict(_by_structure(nodes, 0, model))
        notes = [WHOLE, *notes_on(model)]
    elif (folder / "saved_model.pb").is_file():
        nodes, _, layers = _by_object(folder)
        outer = layers.keys() - _said_already(nodes, layers)
        notes = [WHOLE] if _root(layers) else []
        notes += [
            line for at in sorted(outer) for line in _notes_on_one(layers[at])
        ]
    else:
        return {}, []
    found = {}
    for scope in {name.rpartition("/")[0] for name in checkpoint.shapes}:
        outer, cells, number = scope.rpartition("/cells/")
        inside = f"{outer}/cell/cells/{number}" if cells else f"{scope}/cell"
        for path in (inside, scope):
            layer = layers.get(_follow(nodes, path))
            if layer and _role(layer):
                found[scope] = layer
    return found, list(dict.fromkeys(notes))


def _by_object(folder):
    """(objects, {number of one: what Keras says of it}, the same described).

    Raises:
        UserError: it is damaged.
    """
    nodes, texts = saved_model.metadata(folder)
    try:
        told = {at: config_safety.loads(text) for at, text in texts.items()}
        layers = {
            at: layer
            for at, layer in told.items()
            if isinstance(layer, dict)
            and isinstance(layer.get("config"), dict)
            and "class_name" in layer
        }
        described = {
            at: config_safety.described(layer) for at, layer in layers.items()
        }
        _must_agree(folder, nodes, layers, described)
    except UserError:
        raise
    except ValueError as error:
        raise saved_model.damaged(folder, str(error)) from None
    return nodes, layers, described


def _must_agree(folder, nodes, layers, described):
    """Refuses a layer of which the model around it says something else."""
    root = _root(layers)
    if root is None:
        return
    if isinstance(root.get("model_config"), dict):
        once, again = (
            {name: each.get(name) for name in ("class_name", "config")}
            for each in (root, root["model_config"])
        )
        saved_model.must_agree(folder, once, again)
    parts = dict(_by_structure(nodes, 0, described[0]))
    for at, layer in list(parts.items()):
        for child in nodes[at].children if _role(layer) == "cell" else ():
            if child.local_name == "cell" and layer["class_name"] != "RNN":
                parts[child.node_id] = layer
    for at in parts.keys() & described.keys():
        once, again = parts[at], described[at]
        names = once["config"].keys() & again["config"].keys() & _COMPUTING
        if any(once["config"][n] != again["config"][n] for n in names):
            raise saved_model.damaged(folder, "it says two things of a layer")


def _said_already(nodes, layers):
    """The numbers of those of whom the layer round them has said it all."""
    return {
        child.node_id
        for at, layer in layers.items()
        for child in nodes[at].children
        if (_role(layer) == "cell" and child.local_name == "cell")
        or child.local_name in ("forward_layer", "backward_layer")
    }


def _by_structure(nodes, at, layer):
    """Yields (number of an object, layer), from the outside in."""
    yield at, layer
    children = {c.local_name: c.node_id for c in nodes[at].children}
    parts = _parts(layer)
    if layer["class_name"] == "Bidirectional":
        names = ["forward_layer", "backward_layer"]
    elif len(parts) == 1 and not children.keys() & {"layer-0", "cells"}:
        names = [next((n for n in ("layer", "cell") if n in children), "")]
    elif "cells" in children:
        at = children["cells"]
        children = {c.local_name: c.node_id for c in nodes[at].children}
        names = [str(number) for number in range(len(parts))]
    else:
        names = [name for name in children if re.match(r"layer-\d+$", name)]
        names.sort(key=lambda name: int(name.removeprefix("layer-")))
        # A Sequential may leave its InputLayer out, of one or the other.
        count = min(len(names), len(parts))
        names = names[len(names) - count :]
        parts = parts[len(parts) - count :]
    for name, part in zip(names, parts, strict=False):
        if name in children:
            yield from _by_structure(nodes, children[name], part)


def _follow(nodes, path):
    """The number of the object that a path leads to, or None."""
    if not nodes:
        return None
    at = 0
    for name in path.split("/"):
        children = {c.local_name: c.node_id for c in nodes[at].children}
        at = children.get(name)
        if at is None:
            return None
    return at


# --- What is not in the arrays, and no option ---


def notes_on(layer):
    """Yields lines about a layer and all within."""
    yield from _notes_on_one(layer)
    if layer["class_name"] == "Bidirectional":
        return  # one of its directions does go backwards
    for part in _parts(layer):
        yield from notes_on(part)


def _notes_on_one(layer):
    config = layer["config"]
    if not isinstance(config, dict):
        return
    name, kind = config.get("name"), layer["class_name"]
    merge = config.get("merge_mode", "concat")
    if kind == "Bidirectional" and merge != "concat":
        yield (
            f"{name} was made with merge_mode={merge!r}; here its "
            "directions stay apart, or side by side"
        )
    if config.get("go_backwards"):
        yield (
            f"{name} was made with go_backwards=True; it reads its inputs as "
            "given, so turn them round"
        )
    if config.get("time_major"):
        yield (
            f"{name} was made with time_major=True; here inputs are [batch, "
            "time, size]"
        )
    if kind == "Masking":
        yield (
            f"{name} left steps out whose inputs are all "
            f"{config.get('mask_value', 0.0)}; here a mask is yours to give, "
            "or sequence_length"
        )
    drops = [
        f"{option}={config[option]}"
        for option in ("dropout", "recurrent_dropout")
        if config.get(option)
    ]
    if drops and _role(layer) == "cell":
        yield f"{name} was made with {', '.join(drops)}; here it has none"
