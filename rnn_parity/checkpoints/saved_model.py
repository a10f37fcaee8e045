"""The files of a SavedModel, read so that damage shows.

`saved_model.pb` has no checksum of its own, and a damaged one often parses:
what its bytes no longer name is skipped, and a layer gets its defaults. So it
must be what its content is written as, must agree with `fingerprint.pb` where
that is (TensorFlow 2.12 and later), and what it says of layers twice must be
the same.
"""

from rnn_parity.errors import UserError

# What may differ between two descriptions of one layer.
_ASIDE = ("shared_object_id", "module", "registered_name", "build_config")
_LAYERS = (
    "_tf_keras_layer",
    "_tf_keras_rnn_layer",
    "_tf_keras_input_layer",
    "_tf_keras_sequential",
    "_tf_keras_network",
    "_tf_keras_model",
)


def read(folder):
    """The `SavedModel` protobuf of a folder.

    Raises:
        UserError: it is damaged.
    """
    from tensorflow.core.protobuf import saved_model_pb2 as proto

    path = folder / "saved_model.pb"
    model = _parsed(proto.SavedModel, path)
    if (folder / "fingerprint.pb").is_file():
        _must_match_fingerprint(folder)
    return model


def has_checksum(folder):
    """Whether `read` held `saved_model.pb` against a checksum."""
    return (folder / "fingerprint.pb").is_file()


def metadata(folder):
    """(objects of a SavedModel, {number of one: what Keras says of it}).

    Raises:
        UserError: one of the files is damaged.
    """
    graphs = [g.object_graph_def.nodes for g in read(folder).meta_graphs]
    nodes = next(filter(None, graphs), [])  # none where no objects were
    kinds = {at: node.user_object.identifier for at, node in enumerate(nodes)}
    texts = {
        at: nodes[at].user_object.metadata
        for at, kind in kinds.items()
        if kind.startswith("_tf_keras")
    }
    beside = folder / "keras_metadata.pb"
    if beside.is_file():
        from tf_keras.protobuf import saved_metadata_pb2

        for node in _parsed(saved_metadata_pb2.SavedMetadata, beside).nodes:
            if kinds.get(node.node_id) != node.identifier:
                raise damaged(beside, "it names objects that are not there")
            texts[node.node_id] = node.metadata
    if any(texts.values()):
        for at, text in texts.items():
            if not text and kinds[at] in _LAYERS:
                raise damaged(folder, "it says nothing of one of its layers")
    return nodes, {at: text for at, text in texts.items() if text}


def must_agree(path, one, other):
    """Refuses two descriptions of a layer that are not the same."""
    if without(one, _ASIDE) != without(other, _ASIDE):
        raise damaged(path, "it says two things of one layer")


def without(value, names):
    """A value of JSON without some keys, at any depth."""
    if isinstance(value, list):
        return [without(each, names) for each in value]
    if not isinstance(value, dict):
        return value
    return {
        name: without(each, names)
        for name, each in value.items()
        if name not in names
    }


def damaged(path, reason):
    """The error that says so."""
    return UserError(
        f"{path} is damaged ({reason}); copy it again, or give the prefix "
        "variables/variables in it, which converts the variables alone"
    )


def _parsed(kind, path):
    """A protobuf whose every byte is known."""
    from google.protobuf.message import DecodeError

    content = path.read_bytes()
    try:
        message = kind.FromString(content)
    except (DecodeError, RecursionError) as error:
        reason = str(error).split("\n", maxsplit=1)[0][:80]
        raise damaged(path, reason) from None
    message.DiscardUnknownFields()
    if message.ByteSize() != len(content):
        raise damaged(path, "it has parts that TensorFlow does not know")
    return message


def _must_match_fingerprint(folder):
    from tensorflow.core.protobuf import fingerprint_pb2
    from tensorflow.python.saved_model import pywrap_saved_model

    path = folder / "fingerprint.pb"
    told = _parsed(fingerprint_pb2.FingerprintDef, path)
    found = fingerprint_pb2.FingerprintDef.FromString(
        pywrap_saved_model.fingerprinting.CreateFingerprintDef(str(folder))
    )
    if told.version.producer != found.version.producer:
        return  # another release computes it otherwise
    if told.saved_model_checksum != found.saved_model_checksum:
        raise damaged(folder / "saved_model.pb", "fingerprint.pb tells")
