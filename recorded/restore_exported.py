"""Restores exported checkpoints in the release that they are meant for.

    python recorded/restore_exported.py EXPORTED CHECKPOINTS OUT

Run it with TensorFlow 1.15.5. EXPORTED holds a folder per situation of
`record_checkpoints.py` with the `model.ckpt` that rnn-parity exported,
CHECKPOINTS is `recorded/checkpoints`. Each graph is built anew, its
`tf.train.Saver` restores the exported checkpoint, and what it then computes
must be what the original computed, bit for bit. OUT gets, as JSON, the
release and for every situation the SHA-256 of all exported arrays.
"""

import hashlib
import json
import os
import sys

import numpy as np


def fingerprint(read, names):
    """SHA-256 over names and bytes of all arrays, in the order of names."""
    digest = hashlib.sha256()
    for name in sorted(names):
        value = read(name)
        if getattr(value, "dtype", "") == "object":
            value = value.item()
        if not isinstance(value, bytes):
            value = np.ascontiguousarray(value).tobytes()
        digest.update(name.encode("utf-8"))
        digest.update(value)
    return digest.hexdigest()


def restore(tf, name, build, prefix, truth):
    """Restores, runs, and holds all of it against the recorded truth."""
    import record
    import record_checkpoints

    with tf.Graph().as_default():
        s = record_checkpoints.Situation(tf, name)
        step = build(s)
        options = dict(s.saver_options)
        options.pop("write_version", None)
        config = tf.ConfigProto(
            device_count={"CPU": 2},
            intra_op_parallelism_threads=1,
            inter_op_parallelism_threads=1,
            allow_soft_placement=True,
        )
        with tf.Session(config=config) as session:
            s.assign_variables(session)
            if s.objects:
                status = s.objects.restore(prefix)
                status.assert_nontrivial_match().run_restore_ops(session)
            else:
                tf.train.Saver(**options).restore(session, prefix)
            if "var_list" in options:  # cuDNN's, from which cells are filled
                session.run(step)
            fetched = session.run(s.fetches, feed_dict=s.feed)
            if s.averages:
                fetched.update(record_checkpoints.run_averages(s, session))
    whole = dict(s.given, provenance=truth["provenance"], **fetched)
    found = record.flattened(whole)
    assert sorted(found) == sorted(truth.files), name
    for key, value in found.items():
        assert np.array_equal(value, truth[key]), (name, key)


def main(exported, checkpoints, out):
    import record_checkpoints
    import tensorflow as tf

    found = {}
    situations = record_checkpoints.situations_of(tf.__version__)
    for name in sorted(situations):
        prefix = os.path.join(exported, name, "model.ckpt")
        if not os.path.exists(prefix + ".index"):
            continue
        truth = np.load(os.path.join(checkpoints, name, "truth.npz"))
        restore(tf, name, situations[name], prefix, truth)
        reader = tf.train.NewCheckpointReader(prefix)
        found[name] = fingerprint(
            reader.get_tensor, reader.get_variable_to_shape_map()
        )
        print(name, "restored")
    with open(out, "w") as file:
        json.dump(
            {"tensorflow": tf.__version__, "restored": found},
            file,
            indent=1,
            sort_keys=True,
        )
        file.write("\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
