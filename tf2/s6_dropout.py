"""Section 6, dropout: native TensorFlow 2 and Keras 3.

    c_t, h_t = LSTM(y_t, c_{t-1}, h_{t-1})       as in section 5
    d_t = h_t mask_t / output_keep_prob          [B, H]
    logits_t = d_t W2 + b2                       [B, C], top layer
    total_loss = mean of -log softmax(logits_t)[label_t], steps and rows

y_t is x_t [B, 1] in the lowest layer, d_t of the layer below in the others.
mask_t is 1 or 0, drawn anew for every layer, step and row; predictions drop
nothing. The state is [L, 2, B, H], c before h.
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
        state_size = self.config.state_size
        self.cells = [
            keras.layers.LSTMCell(state_size, dtype=dtype)
            for _ in range(self.config.num_layers)
        ]
        for layer, cell in enumerate(self.cells):
            cell.build([None, state_size if layer else 1])
        rate = 1 - self.config.output_keep_prob
        self.dropout = keras.layers.Dropout(rate, dtype=dtype)

    def declare_variables(self):
        dtype = self.config.dtype
        state_size = self.config.state_size
        num_classes = self.config.num_classes
        W2 = np.random.rand(state_size, num_classes)
        self.W2 = tf.Variable(W2, dtype=dtype, name="W2")
        b2 = np.zeros((1, num_classes))
        self.b2 = tf.Variable(b2, dtype=dtype, name="b2")

    # --- Forward pass ---

    def drop_out(self, states_series, layer, dropout_masks, training):
        if dropout_masks is None:
            return self.dropout(states_series, training=training)
        mask = dropout_masks[:, :, layer]  # [B, T, H]
        return states_series * mask / self.config.output_keep_prob

    def forward_pass(
        self, batchX, init_state, dropout_masks=None, training=False
    ):
        states_series = tf.expand_dims(batchX, -1)  # [B, T, 1]
        if dropout_masks is not None:
            dropout_masks = tf.transpose(dropout_masks, [2, 1, 0, 3])
        state_per_layer_list = tf.unstack(init_state, axis=0)
        current_state = []
        for layer, state in enumerate(state_per_layer_list):
            states_series, (hidden_state, cell_state) = unroll(
                self.cells[layer],
                states_series,
                [state[1], state[0]],
                self.unrolling,
            )
            current_state.append([cell_state, hidden_state])
            states_series = self.drop_out(
                states_series, layer, dropout_masks, training
            )
        return states_series, tf.stack(current_state)

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
        variables = [v for c in self.cells for v in c.trainable_variables]
        self.variables = [*variables, self.W2, self.b2]
        self.optimizer = keras.optimizers.Adagrad(
            self.config.learning_rate,
            initial_accumulator_value=0.1,
            epsilon=0.0,  # TensorFlow 1 has none
        )
        self.optimizer.build(self.variables)

    @tf.function
    def train_step(self, batchX, batchY, current_state, dropout_masks=None):
        with tf.GradientTape() as tape:
            states_series, current_state = self.forward_pass(
                batchX, current_state, dropout_masks, training=True
            )
            logits, _ = self.read_out(states_series)
            total_loss = self.calculate_loss(logits, batchY)
        gradients = tape.gradient(total_loss, self.variables)
        self.optimizer.apply(gradients, self.variables)
        return total_loss, current_state

    @tf.function
    def train_epoch(self, x, y, current_state, dropout_masks=None):
        steps = self.config.truncated_backprop_length
        num_batches = x.shape[1] // steps
        loss_list = tf.TensorArray(x.dtype, num_batches)
        for batch_idx in tf.range(num_batches):
            start_idx = batch_idx * steps
            batchX = tf.slice(x, [0, start_idx], [x.shape[0], steps])
            batchY = tf.slice(y, [0, start_idx], [y.shape[0], steps])
            kept = None if dropout_masks is None else dropout_masks[batch_idx]
            total_loss, current_state = self.train_step(
                batchX, batchY, current_state, kept
            )
            loss_list = loss_list.write(batch_idx, total_loss)
        return loss_list.stack(), current_state
