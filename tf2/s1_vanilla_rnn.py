"""Section 1, a vanilla RNN unrolled by hand: native TensorFlow 2.

    s_t = tanh([x_t, s_{t-1}] W + b)             x_t [B, 1], s_t [B, H]
    logits_t = s_t W2 + b2                       [B, C]
    total_loss = mean of -log softmax(logits_t)[label_t], steps and rows

B rows, T steps, H units, C classes. Placeholders became arguments. The one
product of TensorFlow 1 is the sum of two, x_t W_input + s_{t-1} W_state: the
first needs no state, so one call does it for all steps.
"""

import keras
import numpy as np
import tensorflow as tf

from tf2.unroll import Split, unroll


class EchoRNN:
    unrolling = "dynamic"  # or "static", or steps per turn of the loop

    # --- Variables and placeholders ---

    def __init__(self, config):
        self.config = config
        self.declare_variables()
        self.build_training()

    def declare_variables(self):
        dtype = self.config.dtype
        state_size = self.config.state_size
        num_classes = self.config.num_classes
        W = np.random.rand(state_size + 1, state_size)
        self.W = tf.Variable(W, dtype=dtype, name="W")
        self.b = tf.Variable(np.zeros((1, state_size)), dtype=dtype, name="b")
        W2 = np.random.rand(state_size, num_classes)
        self.W2 = tf.Variable(W2, dtype=dtype, name="W2")
        b2 = np.zeros((1, num_classes))
        self.b2 = tf.Variable(b2, dtype=dtype, name="b2")

    # --- Forward pass ---

    def forward_pass(self, batchX, init_state):
        inputs_series = tf.expand_dims(batchX, -1)  # [B, T, 1]
        W_input, W_state = self.W[:1], self.W[1:]

        def transform(inputs):
            return tf.tensordot(inputs, W_input, 1) + self.b

        def next_state(transformed, _):
            current_state = tf.tanh(transformed)  # [B, H]
            return current_state, [current_state]

        cell = Split(transform, W_state, next_state)
        states_series, (current_state,) = unroll(
            cell, inputs_series, [init_state], self.unrolling
        )
        return states_series, current_state

    # --- Calculating loss ---

    def read_out(self, states_series):
        logits_series = tf.tensordot(states_series, self.W2, 1) + self.b2
        predictions_series = tf.nn.softmax(logits_series)  # [B, T, C]
        return logits_series, predictions_series

    def calculate_loss(self, logits_series, batchY):
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
            logits=logits_series, labels=batchY
        )  # [B, T]
        return tf.reduce_mean(losses)

    # --- Running a training session ---

    def build_training(self):
        self.variables = [self.W, self.b, self.W2, self.b2]
        self.optimizer = keras.optimizers.Adagrad(
            self.config.learning_rate,
            initial_accumulator_value=0.1,
            epsilon=0.0,  # TensorFlow 1 has none
        )
        self.optimizer.build(self.variables)

    @tf.function
    def train_step(self, batchX, batchY, current_state):
        with tf.GradientTape() as tape:
            states_series, current_state = self.forward_pass(
                batchX, current_state
            )
            logits_series, _ = self.read_out(states_series)
            total_loss = self.calculate_loss(logits_series, batchY)
        gradients = tape.gradient(total_loss, self.variables)
        self.optimizer.apply(gradients, self.variables)
        return total_loss, current_state

    @tf.function
    def train_epoch(self, x, y, current_state):
        steps = self.config.truncated_backprop_length
        num_batches = x.shape[1] // steps
        loss_list = tf.TensorArray(x.dtype, num_batches)
        for batch_idx in tf.range(num_batches):
            start_idx = batch_idx * steps
            batchX = tf.slice(x, [0, start_idx], [x.shape[0], steps])
            batchY = tf.slice(y, [0, start_idx], [y.shape[0], steps])
            total_loss, current_state = self.train_step(
                batchX, batchY, current_state
            )
            loss_list = loss_list.write(batch_idx, total_loss)
        return loss_list.stack(), current_state
