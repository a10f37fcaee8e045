"""Section 2, the RNN API: a TensorFlow 1 session.

    s_t = tanh([x_t, s_{t-1}] kernel + bias)     x_t [B, 1], s_t [B, H]
    logits_t = s_t W2 + b2                       [B, C]
    total_loss = mean of -log softmax(logits_t)[label_t], steps and rows

B rows, T steps, H units, C classes. `BasicRNNCell` keeps one kernel
[1 + H, H] for input and state. Build it inside a `tf.Graph`.
"""

import numpy as np
import tensorflow.compat.v1 as tf


class EchoRNN:
    # --- Variables and placeholders ---

    def __init__(self, config):
        self.config = config
        batch_shape = [config.batch_size, config.truncated_backprop_length]
        state_shape = [config.batch_size, config.state_size]
        self.batchX_placeholder = tf.placeholder(config.dtype, batch_shape)
        self.batchY_placeholder = tf.placeholder(tf.int32, batch_shape)
        self.init_state = tf.placeholder(config.dtype, state_shape)
        self.declare_cells()
        self.declare_variables()
        self.build_training()

    def declare_cells(self):
        self.cell = tf.nn.rnn_cell.BasicRNNCell(self.config.state_size)

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
        steps = self.config.truncated_backprop_length
        inputs_series = tf.split(batchX, steps, axis=1)  # T of [B, 1]
        states_series, current_state = tf.nn.static_rnn(
            self.cell, inputs_series, initial_state=init_state
        )
        return states_series, current_state

    # --- Calculating loss ---

    def read_out(self, states_series):
        logits_series = [
            tf.matmul(state, self.W2) + self.b2 for state in states_series
        ]  # T of [B, C]
        predictions_series = [
            tf.nn.softmax(logits) for logits in logits_series
        ]
        return logits_series, predictions_series

    def calculate_loss(self, logits_series, batchY):
        labels_series = tf.unstack(batchY, axis=1)
        losses = [
            tf.nn.sparse_softmax_cross_entropy_with_logits(
                logits=logits, labels=labels
            )
            for logits, labels in zip(logits_series, labels_series)
        ]  # T of [B]
        return tf.reduce_mean(losses)

    # --- Running a training session ---

    def build_training(self):
        self.states_series, self.current_state = self.forward_pass(
            self.batchX_placeholder, self.init_state
        )
        self.logits_series, self.predictions_series = self.read_out(
            self.states_series
        )
        self.total_loss = self.calculate_loss(
            self.logits_series, self.batchY_placeholder
        )
        self.optimizer = tf.train.AdagradOptimizer(self.config.learning_rate)
        self.update = self.optimizer.minimize(self.total_loss)
        self.session = tf.Session()
        self.session.run(tf.global_variables_initializer())

    def train_step(self, batchX, batchY, current_state):
        total_loss, _, current_state = self.session.run(
            [self.total_loss, self.update, self.current_state],
            feed_dict={
                self.batchX_placeholder: batchX,
                self.batchY_placeholder: batchY,
                self.init_state: current_state,
            },
        )
        return total_loss, current_state

    def train_epoch(self, x, y, current_state):
        steps = self.config.truncated_backprop_length
        loss_list = []
        for batch_idx in range(x.shape[1] // steps):
            start_idx = batch_idx * steps
            end_idx = start_idx + steps
            batchX = x[:, start_idx:end_idx]
            batchY = y[:, start_idx:end_idx]
            total_loss, current_state = self.train_step(
                batchX, batchY, current_state
            )
            loss_list.append(total_loss)
        return loss_list, current_state
