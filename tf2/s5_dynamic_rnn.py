"""Section 5, dynamic RNN: native TensorFlow 2 and Keras 3.

    [i, f, j, o] = y_t kernel + h_{t-1} recurrent_kernel + bias
    c_t = sigmoid(f) c_{t-1} + sigmoid(i) tanh(j)        [B, H]
    h_t = sigmoid(o) tanh(c_t)                           [B, H]
    logits_t = h_t W2 + b2                               [B, C], top layer
    total_loss = mean of -log softmax(logits_t)[label_t], steps and rows

y_t is the input x_t [B, 1] in the lowest layer and h_t of the layer below
in the others. The graph holds one step in a loop, and the steps of all rows
are one flat batch when it comes to the loss. The state is [L, 2, B, H], c
before h: L layers, B rows, T steps, H units, C classes.
"""

import keras
import numpy as np
import tensorflow as tf

from tf2.unroll import unroll


class EchoRNN:
    unrolling = "dynamic"  # or "static", or steps per turn of the loop

    # --- Variables and placeholders ---

    def __init__(self, config):
        self.config = config
        self.declare_cells()
        self.declare_variables()
        self.build_training()

    def declare_cells(self):
        dtype = self.config.dtype
        cells = [
            keras.layers.LSTMCell(self.config.state_size, dtype=dtype)
            for _ in range(self.config.num_layers)
        ]
        self.cell = keras.layers.StackedRNNCells(cells, dtype=dtype)
        self.cell.build([None, 1])

    def declare_variables(self):
        dtype = self.config.dtype
        state_size = self.config.state_size
        num_classes = self.config.num_classes
        W2 = np.random.rand(state_size, num_classes)
        self.W2 = tf.Variable(W2, dtype=dtype, name="W2")
        b2 = np.zeros((1, num_classes))
        self.b2 = tf.Variable(b2, dtype=dtype, name="b2")

    # --- Forward pass ---

    def forward_pass(self, batchX, init_state):
        inputs_series = tf.expand_dims(batchX, -1)  # [B, T, 1]
        state_per_layer_list = tf.unstack(init_state, axis=0)
        rnn_list_state = [
            [state[1], state[0]] for state in state_per_layer_list
        ]  # h before c
        states_series, current_state = unroll(
            self.cell,
            inputs_series,
            rnn_list_state,
            self.unrolling,
        )
        current_state = tf.stack([[c, h] for h, c in current_state])
        return states_series, current_state

    # --- Calculating loss ---

    def read_out(self, states_series):
        steps = self.config.truncated_backprop_length
        num_classes = self.config.num_classes
        states_series = tf.reshape(states_series, [-1, self.W2.shape[0]])
        logits = tf.matmul(states_series, self.W2) + self.b2  # [B * T, C]
        logits_series = tf.reshape(logits, [-1, steps, num_classes])
        predictions_series = tf.nn.softmax(logits_series)  # [B, T, C]
        return logits, predictions_series

    def calculate_loss(self, logits, batchY):
        labels = tf.reshape(batchY, [-1])  # [B * T]
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
            logits=logits, labels=labels
        )  # [B * T]
        return tf.reduce_mean(losses)

    # --- Running a training session ---

    def build_training(self):
        self.variables = [*self.cell.trainable_variables, self.W2, self.b2]
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
            logits, _ = self.read_out(states_series)
            total_loss = self.calculate_loss(logits, batchY)
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
