"""Names of tf.keras' variables, whoever saved them, made alike.

A `tf.train.Saver` saves a layer's variables under the layer's name, and
numbers those of several cells in one layer. `tf.train.Checkpoint` and
`save_weights` save them under their path through objects, and slots of an
optimizer under the variable's:

    stored                                              here
    both/forward_lstm/kernel                            the same
    stack/kernel_1                                      stack/cells/1/kernel
    lstm/lstm_cell/kernel (as of TensorFlow 2.2)        lstm/kernel
    encoder/cell/kernel/.ATTRIBUTES/VARIABLE_VALUE      encoder/kernel
    stack/cell/cells/1/kernel/.ATTRIBUTES/...           stack/cells/1/kernel
    encoder/cell/kernel/.OPTIMIZER_SLOT/optimizer/m/... optimizer/Adam/
                                                        encoder/kernel/m
    variables/3/.ATTRIBUTES/... (in a SavedModel)       encoder/kernel
    net/cell-1/gates.Skernel/.ATTRIBUTES/...            net/multi_rnn_cell/
                                                        cell_1/cell/gates/
                                                        kernel

The last by the graph of objects that is saved beside them: a path is the
shortest there is, and not the one that says most.

Source: "Loading mechanics" of TensorFlow's guide to training checkpoints.
"""

import re

GRAPH = "_CHECKPOINTABLE_OBJECT_GRAPH"
_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
_SLOT = re.compile(r"^(.+)/\.OPTIMIZER_SLOT/(.+)/([^/]+)$")
_LOCALS = ("kernel", "recurrent_kernel", "bias")
_OF_LAYERS = {*_LOCALS, "embeddings"}
_OF_CELL = re.compile(
    rf"^(.+)/cell((?:/cells/\d+)?/(?:{'|'.join(_LOCALS)}))$"
)
_INNER = re.compile(
    rf"^(.+)/(?:lstm|gru|simple_rnn)_cell(?:_\d+)?/({'|'.join(_LOCALS)})$"
)
_ADAM = {"m", "v"}
# Of the cells of tf.nn.rnn_cell: a name within an object's, and those that a
# MultiRNNCell holds.
_ESCAPED, _PLAIN = re.compile(r"\.[.S]"), {".S": "/", "..": "."}
_IN_A_STACK = re.compile(r"(^|/)cell-(\d+)(?=/)")


def plain_names(stored, graph=None):
    """{name as a layer's: name as it is stored}, in the same order.

    Args:
        stored: names.
        graph: what is stored under `GRAPH`, or None.
    """
    stored = list(stored)
    paths = [name.removesuffix(_VALUE) for name in stored]
    if GRAPH in stored:
        found = _of_objects(paths, _through_layers(graph) if graph else {})
    else:
        found = _renamed(paths, _numbered_cells(paths) | _inner(paths))
    if len(set(found)) < len(found):  # two would be one
        found = paths
    return dict(zip(found, stored, strict=True))


def nodes_of(graph):
    """The objects of what is stored under `GRAPH`."""
    from tensorflow.core.protobuf import trackable_object_graph_pb2 as proto

    return proto.TrackableObjectGraph.FromString(graph).nodes


def _through_layers(graph):
    """{path of a variable: the path that leads through its layer}."""
    nodes = nodes_of(graph)
    paths, following = {0: ""}, [0]
    for at in following:  # the shortest path to every object
        for child in nodes[at].children:
            if child.node_id not in paths:
                before = f"{paths[at]}/" if paths[at] else ""
                paths[child.node_id] = f"{before}{child.local_name}"
                following.append(child.node_id)
    found = {}
    for at in filter(None, following):
        by_name = {c.local_name: c.node_id for c in nodes[at].children}
        for local in by_name.keys() & _OF_LAYERS:
            for value in nodes[by_name[local]].attributes:
                key = value.checkpoint_key.removesuffix(_VALUE)
                found.setdefault(key, f"{paths[at]}/{local}")
    return found


def _of_objects(paths, longer):
    there = {longer.get(path, path) for path in paths}
    slots = {}
    for slot in filter(None, map(_SLOT.match, paths)):
        slots.setdefault(slot.group(2), set()).add(slot.group(3))
    adams = {path for path, names in slots.items() if names == _ADAM}

    def variable(path):
        path = longer.get(path, path)
        of_cell = _OF_CELL.match(path)
        if of_cell:
            scope = path.rpartition("/")[0]
            if f"{scope}/recurrent_kernel" in there:
                return "".join(of_cell.groups())
        path = _ESCAPED.sub(lambda one: _PLAIN[one.group()], path)
        return _IN_A_STACK.sub(r"\1multi_rnn_cell/cell_\2/cell", path)

    def plain(path):
        slot = _SLOT.match(path)
        if slot:
            of, optimizer, name = slot.groups()
            called = "/Adam" * (optimizer in adams)
            return f"{optimizer}{called}/{variable(of)}/{name}"
        optimizer, _, name = path.rpartition("/")
        if optimizer in adams:
            return f"{optimizer}/Adam/{name}"
        return variable(path)

    return [plain(path) for path in paths]


def _inner(names):
    """The only cell in a layer -> the layer."""
    there = set(names)
    by_layer = {}
    for cell in filter(None, map(_INNER.match, names)):
        scope = cell.group(0).rpartition("/")[0]
        if f"{scope}/recurrent_kernel" in there:
            by_layer.setdefault(cell.group(1), {})[cell.group(0)] = scope
    return {
        name: f"{layer}/{name.rpartition('/')[2]}"
        for layer, scopes in by_layer.items()
        if len(set(scopes.values())) == 1
        for name in scopes
    }


def _numbered_cells(names):
    """kernel, kernel_1, ... of one scope -> cells/0/kernel, ..."""
    renamed = {}
    there = set(names)
    for name in names:
        if not name.endswith("/recurrent_kernel_1"):
            continue
        scope = name.rpartition("/")[0]
        counts = {local: _numbered(scope, local, there) for local in _LOCALS}
        wanted = counts["kernel"]
        if set(counts.values()) <= {wanted, 0} and counts["recurrent_kernel"]:
            for local in _LOCALS:
                for number in range(counts[local]):
                    old = f"{scope}/{local}{f'_{number}' * (number > 0)}"
                    renamed[old] = f"{scope}/cells/{number}/{local}"
    return renamed


def _renamed(names, renamed):
    """The names, also where they are part of a slot's."""
    locals_ = {name.rpartition("/")[2] for name in renamed}
    depths = {name.count("/") + 1 for name in renamed}

    def new(name):
        parts = name.split("/")
        ends = [at + 1 for at, part in enumerate(parts) if part in locals_]
        places = {(end - depth, -end) for end in ends for depth in depths}
        # The first that is there, and of two that begin there the longer.
        for start, end in sorted(place for place in places if place[0] >= 0):
            known = renamed.get("/".join(parts[start:-end]))
            if known:
                return "/".join([*parts[:start], known, *parts[-end:]])
        return name

    return [new(name) for name in names]


def _numbered(scope, local, there):
    """How many of X, X_1, X_2, ... there are."""
    count = 0
    while f"{scope}/{local}{f'_{count}' * (count > 0)}" in there:
        count += 1
    return count
