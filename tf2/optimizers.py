"""Training an embedding with Keras' optimizers as TensorFlow 1 did.

An id that occurs several times in a batch, as words do, gives its row of the
table several gradients. TensorFlow 1's optimizers add them up, then square
the sum; those of Keras 3 square them apart, so Adagrad's and Adam's steps are
others from the first update on. SGD is linear, and the same in both.
"""

import tensorflow as tf


def sum_equal_ids(optimizer):
    """Has a Keras optimizer add up the gradients of equal ids first.

        model = keras.models.load_model("model.keras")
        sum_equal_ids(model.optimizer)
        model.fit(ids, targets)

    The gradient of a table becomes an array as large as the table. Nothing
    of it is saved with the model, so call it after loading.

    Args:
        optimizer: a `keras.optimizers.Optimizer`; changed in place.

    Returns:
        The optimizer.

    Source: `_deduplicate_indexed_slices` in
    `tensorflow/python/training/optimizer.py` of TensorFlow 1.15.
    """
    apply = optimizer.apply

    def apply_summed(grads, trainable_variables=None):
        whole = [
            tf.convert_to_tensor(grad)
            if isinstance(grad, tf.IndexedSlices)
            else grad
            for grad in grads
        ]
        return apply(whole, trainable_variables)

    optimizer.apply = apply_summed
    return optimizer
