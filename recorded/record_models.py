"""Has a genuine TensorFlow 1.15 save whole models of tf.keras, and run them.

Run by an old interpreter, see `record_all.py`:

    python record_models.py FOLDER

Each function below is a model. NAME.h5 is what `model.save` wrote after a few
steps of training, NAME.npz inputs and what the model computed from them; of
one, NAME_saved and NAME_exported are SavedModels of both sorts.
"""

import json
import os
import platform
import shutil
import sys
import warnings

warnings.filterwarnings("ignore")
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

tf.compat.v1.logging.set_verbosity("ERROR")

SEED, ROWS = 20161123, 6
WORDS = 13
layers, Input, Model = tf.keras.layers, tf.keras.Input, tf.keras.Model


def tagger():
    """Words in, a class for each; id 0 is masked."""
    words = layers.Embedding(WORDS, 6, input_length=7, mask_zero=True)
    return tf.keras.Sequential(
        [
            words,
            layers.Bidirectional(layers.LSTM(5, return_sequences=True)),
            layers.Dropout(0.3),
            layers.TimeDistributed(layers.Dense(4, activation="softmax")),
        ]
    )


def stack():
    """Layers of one kind and another, the last of them backwards."""
    return tf.keras.Sequential(
        [
            layers.Conv1D(6, 3, padding="causal", input_shape=(8, 3)),
            layers.BatchNormalization(),
            layers.GRU(5, return_sequences=True, dropout=0.2),
            layers.LSTM(
                4, recurrent_activation="sigmoid", return_sequences=True
            ),
            layers.SimpleRNN(3, activation="relu", go_backwards=True),
            layers.Dense(2, activation="hard_sigmoid"),
        ]
    )


def encoder_decoder():
    """The encoder's state starts the decoder; merged directions below it."""
    source, target = Input((6, 3)), Input((4, 2))
    both = layers.Bidirectional(
        layers.LSTM(3, return_sequences=True), merge_mode="ave"
    )(source)
    _, h, c = layers.LSTM(5, return_state=True)(both)
    decoded, _, _ = layers.LSTM(5, return_sequences=True, return_state=True)(
        target, initial_state=[h, c]
    )
    return Model([source, target], layers.Dense(4)(decoded))


def documents():
    """A model within, run for every sentence, and one used twice."""
    sentence = tf.keras.Sequential(
        [layers.Embedding(WORDS, 4), layers.GRU(5, reset_after=True)],
        name="sentence",
    )
    one, other = Input((3, 7)), Input((3, 7))
    document = tf.keras.Sequential(
        [layers.TimeDistributed(sentence), layers.LSTM(4)], name="document"
    )
    both = layers.concatenate([document(one), document(other)])
    return Model([one, other], layers.Dense(1, activation="sigmoid")(both))


def cells():
    """Cells of several kinds in one layer."""
    inside = [
        layers.LSTMCell(5),
        layers.GRUCell(4, activation="elu"),
        layers.SimpleRNNCell(3),
    ]
    return tf.keras.Sequential(
        [
            layers.Masking(-1.0, input_shape=(7, 3)),
            layers.RNN(inside, return_sequences=True),
            layers.LSTM(4, stateful=False, unroll=True),
        ]
    )


def sentiment():
    """The least of a model, its activations not the usual ones."""
    return tf.keras.Sequential(
        [
            layers.Embedding(WORDS, 3, input_length=5),
            layers.LSTM(4, "relu", recurrent_activation="sigmoid"),
            layers.Dense(1, "sigmoid"),
        ]
    )


MODELS = (sentiment, tagger, stack, encoder_decoder, documents, cells)
WITH_IDS = ("sentiment", "tagger", "documents")


def inputs_of(name, model, random):
    found = []
    for tensor in model.inputs:
        shape = [ROWS] + [int(size) for size in tensor.shape[1:]]
        if name in WITH_IDS:
            found.append(random.randint(0, WORDS, shape).astype("float32"))
        else:
            found.append(random.standard_normal(shape).astype("float32"))
    if name == "cells":  # rows that end early
        found[0][1, 4:], found[0][3, 2:] = -1.0, -1.0
    return found


def run(build, folder):
    """Trains, saves and runs one model."""
    tf.keras.backend.clear_session()
    tf.compat.v1.set_random_seed(SEED)
    np.random.seed(SEED)  # where Keras takes the seeds of its dropout from
    name, random = build.__name__, np.random.RandomState(SEED)
    model = build()
    inputs = inputs_of(name, model, random)
    given = inputs if len(inputs) > 1 else inputs[0]
    model.compile("adam", "mse")
    target = np.zeros_like(model.predict(given))
    for _ in range(3):
        model.train_on_batch(given, target)
    outputs = model.predict(given)
    assert np.isfinite(outputs).all(), name
    assert outputs.std() > 0, name
    model.save(os.path.join(folder, f"{name}.h5"))
    if build is sentiment:
        saved, exported = (
            os.path.join(folder, f"{name}_{how}")
            for how in ("saved", "exported")
        )
        for each in (saved, exported):
            shutil.rmtree(each, ignore_errors=True)
        model.save(saved, save_format="tf")
        tf.keras.experimental.export_saved_model(model, exported)
    told = {
        "model": build.__doc__,
        "tensorflow": tf.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
    }
    arrays = {f"inputs/{at}": array for at, array in enumerate(inputs)}
    arrays["outputs"] = outputs
    arrays["provenance"] = json.dumps(told, sort_keys=True)
    np.savez_compressed(os.path.join(folder, f"{name}.npz"), **arrays)


if __name__ == "__main__":
    for build in MODELS:
        run(build, sys.argv[1])
