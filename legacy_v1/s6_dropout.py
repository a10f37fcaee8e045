"""Section 6, dropout: a TensorFlow 1 session.

    c_t, h_t = LSTM(y_t, c_{t-1}, h_{t-1})       as in section 5
    d_t = h_t mask_t / output_keep_prob          [B, H]
    logits_t = d_t W2 + b2                       [B, C], top layer
    total_loss = mean of -log softmax(logits_t)[label_t], steps and rows

y_t is x_t [B, 1] in the lowest layer, d_t of the layer below in the others.
mask_t is 1 or 0, drawn anew for every layer, step and row; predictions drop
nothing. The state is [L, 2, B, H]. Build it inside a `tf.Graph`.
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
        self.dropout_masks = None  # rnn_parity.adapters.legacy_dropout
        self.training = tf.placeholder_with_default(False, [])
        self.declare_cells()
        self.declare_variables()
        self.build_training()

    def declare_cells(self):
        self.cells = [
            tf.nn.rnn_cell.LSTMCell(self.config.state_size)
            for _ in range(self.config.num_layers)
        ]

    def declare_variables(self):
        dtype = self.config.dtype
        state_size = self.config.state_size
        num_classes = self.config.num_classes
        W2 = np.random.rand(state_size, num_classes)
        self.W2 = tf.Variable(W2, dtype=dtype, name="W2")
        b2 = np.zeros((1, num_classes))
        self.b2 = tf.Variable(b2, dtype=dtype, name="b2")

    # --- Forward pass ---

    def drop_out(self, cell, training):
        keep_prob = tf.constant(self.config.output_keep_prob, self.W2.dtype)
        keep_prob = tf.where(training, keep_prob, 1.0)
        return tf.nn.rnn_cell.DropoutWrapper(cell, output_keep_prob=keep_prob)

    def forward_pass(
        self, batchX, init_state, dropout_masks=None, training=False
    ):
        inputs_series = tf.expand_dims(batchX, -1)  # [B, T, 1]
        if dropout_masks is not None:
            dropout_masks = tf.transpose(dropout_masks, [2, 1, 0, 3])
            inputs_series = (inputs_series, dropout_masks)  # [B, T, L, H]
        cells = [self.drop_out(cell, training) for cell in self.cells]
        cell = tf.nn.rnn_cell.MultiRNNCell(cells)
        state_per_layer_list = tf.unstack(init_state, axis=0)
        rnn_tuple_state = tuple(
            tf.nn.rnn_cell.LSTMStateTuple(state[0], state[1])
            for state in state_per_layer_list
        )
        states_series, current_state = tf.nn.dynamic_rnn(
            cell, inputs_series, initial_state=rnn_tuple_state
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
            self.batchX_placeholder,
            self.init_state,
            self.dropout_masks,
            self.training,
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

    def train_step(self, batchX, batchY, current_state, dropout_masks=None):
        feed_dict = {
            self.batchX_placeholder: batchX,
            self.batchY_placeholder: batchY,
            self.init_state: current_state,
            self.training: True,
        }
        if dropout_masks is not None:
            feed_dict[self.dropout_masks] = dropout_masks
        fetches = [self.total_loss, self.update, self.current_state]
        total_loss, _, current_state = self.session.run(fetches, feed_dict)
        return total_loss, current_state

    def train_epoch(self, x, y, current_state, dropout_masks=None):
        steps = self.config.truncated_backprop_length
        loss_list = []
        for batch_idx in range(x.shape[1] // steps):
            start_idx = batch_idx * steps
            end_idx = start_idx + steps
            batchX = x[:, start_idx:end_idx]
            batchY = y[:, start_idx:end_idx]
            kept = None if dropout_masks is None else dropout_masks[batch_idx]
            total_loss, current_state = self.train_step(
                batchX, batchY, current_state, kept
            )
            loss_list.append(total_loss)
        return loss_list, current_state
