"""Section 5, dynamic RNN: a TensorFlow 1 session.

    [i, j, f, o] = [y_t, h_{t-1}] kernel + bias          in every layer
    c_t = sigmoid(f + 1) c_{t-1} + sigmoid(i) tanh(j)    [B, H]
    h_t = sigmoid(o) tanh(c_t)                           [B, H]
    logits_t = h_t W2 + b2                               [B, C], top layer
    total_loss = mean of -log softmax(logits_t)[label_t], steps and rows

y_t is the input x_t [B, 1] in the lowest layer and h_t of the layer below
in the others. The graph holds one step in a loop, and the steps of all rows
are one flat batch when it comes to the loss. The state is [L, 2, B, H]: L
layers, B rows, T steps, H units, C classes. Build it inside a `tf.Graph`.
"""

import numpy as np
import tensorflow.compat.v1 as tf


class EchoRNN:
    # --- Variables and placeholders ---

    def __init__(self, config):
        self.config = config
        batch_shape = [config.batch_size, config.truncated_backprop_length]
        row_shape = [config.batch_size, config.state_size]
        state_shape = [config.num_layers, 2, *row_shape]
        self.batchX_placeholder = tf.placeholder(config.dtype, batch_shape)
        self.batchY_placeholder = tf.placeholder(tf.int32, batch_shape)
        self.init_state = tf.placeholder(config.dtype, state_shape)
        self.declare_cells()
        self.declare_variables()
        self.build_training()

    def declare_cells(self):
        cells = [
            tf.nn.rnn_cell.LSTMCell(self.config.state_size)
            for _ in range(self.config.num_layers)
        ]
        self.cell = tf.nn.rnn_cell.MultiRNNCell(cells)

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
        rnn_tuple_state = tuple(
            tf.nn.rnn_cell.LSTMStateTuple(state[0], state[1])
            for state in state_per_layer_list
        )
        states_series, current_state = tf.nn.dynamic_rnn(
            self.cell, inputs_series, initial_state=rnn_tuple_state
        )
        return states_series, current_state

    # --- Calculating loss ---

    def read_out(self, states_series):
        steps = self.config.truncated_backprop_length
        num_classes = self.config.num_classes
        states_series = tf.reshape(states_series, [-1, self.W2.shape[0]])
        logits = tf.matmul(states_series, self.W2) + self.b2  # [B * T, C]
        logits_series = tf.reshape(logits, [-1, steps, num_classes])
        logits_series = tf.unstack(logits_series, axis=1)  # T of [B, C]
        predictions_series = [tf.nn.softmax(logit) for logit in logits_series]
        return logits, predictions_series

    def calculate_loss(self, logits, batchY):
        labels = tf.reshape(batchY, [-1])  # [B * T]
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(
            logits=logits, labels=labels
        )  # [B * T]
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
