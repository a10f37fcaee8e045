"""Section 6, dropout: NumPy, gradients by hand.

    c_t, h_t = LSTM(y_t, c_{t-1}, h_{t-1})       as in section 5
    d_t = h_t mask_t / output_keep_prob          [B, H]
    logits_t = d_t W2 + b2                       [B, C], top layer
    total_loss = mean of -log softmax(logits_t)[label_t], steps and rows

y_t is x_t [B, 1] in the lowest layer, d_t of the layer below in the others.
mask_t is 1 or 0, drawn anew for every layer, step and row; predictions drop
nothing. Backwards, with D_ for the derivative of total_loss:

    D_logits_t = (softmax(logits_t) - one_hot(label_t)) / (T B)
    D_W2 = d_t' D_logits_t;  D_b2 = D_logits_t;  both added up over steps
    D_d_t = D_logits_t W2' in the top layer, D_y_t of the layer above else
    D_h_t = D_d_t mask_t / output_keep_prob + what step t + 1 sent back

and from there through the LSTM's step as in `cells.LSTMCell`.
"""

import numpy as np

from numpy_ref import cells, ops


class EchoRNN:
    # --- Variables and placeholders ---

    def __init__(self, config):
        self.config = config
        self.declare_cells()
        self.declare_variables()
        self.build_training()

    def declare_cells(self):
        self.cell = cells.MultiRNNCell(cells.lstm_cells(self.config))

    def declare_variables(self):
        dtype = self.config.dtype
        state_size = self.config.state_size
        num_classes = self.config.num_classes
        self.W2 = np.random.rand(state_size, num_classes).astype(dtype)
        self.b2 = np.zeros((1, num_classes), dtype)

    # --- Forward pass ---

    def drop_out(self, batchX, dropout_masks, training):
        keep_prob = self.config.output_keep_prob
        if dropout_masks is None:
            keep_prob = keep_prob if training else 1.0
            shape = [self.config.num_layers, *batchX.T.shape]  # [L, T, B]
            shape.append(self.config.state_size)
            dropout_masks = np.random.random(shape) < keep_prob
        return np.array(dropout_masks / keep_prob, batchX.dtype)

    def forward_pass(
        self, batchX, init_state, dropout_masks=None, training=False
    ):
        inputs_series = np.expand_dims(batchX, -1)  # [B, T, 1]
        scales = self.drop_out(batchX, dropout_masks, training)
        current_state = init_state  # c, h of every layer
        states_series, self.tape = [], []
        for step in range(self.config.truncated_backprop_length):
            state, current_state, tape = self.cell.step(
                inputs_series[:, step], current_state, scales[:, step]
            )
            states_series.append(state)
            self.tape.append(tape)  # what the way back needs
        return np.stack(states_series, axis=1), np.stack(current_state)

    # --- Calculating loss ---

    def read_out(self, states_series):
        logits = np.matmul(states_series, self.W2) + self.b2  # [B, T, C]
        predictions_series = ops.softmax(logits)
        return logits, predictions_series

    def calculate_loss(self, logits, batchY):
        losses = ops.sparse_softmax_cross_entropy(logits, batchY)  # [B, T]
        return np.mean(losses)

    # --- Backward pass ---

    def read_out_gradients(self, states_series, logits, batchY):
        d_logits = ops.cross_entropy_gradient(logits, batchY) / batchY.size
        d_W2 = np.einsum("bth,btc->hc", states_series, d_logits)
        d_b2 = np.einsum("btc->c", d_logits)[np.newaxis]
        d_states_series = np.matmul(d_logits, self.W2.T)
        return d_states_series, {"W2": d_W2, "b2": d_b2}

    def backward_pass(self, d_states_series):
        d_series = np.unstack(d_states_series, axis=1)
        d_state = self.cell.zero_state(self.config.batch_size)
        gradients = []
        for d_output, tape in zip(reversed(d_series), reversed(self.tape)):
            _, d_state, of_step = self.cell.step_back(d_output, d_state, tape)
            gradients.append(of_step)
        return {**ops.add_up(gradients), "init_state": np.stack(d_state)}

    def calculate_gradients(
        self, batchX, batchY, init_state, dropout_masks=None
    ):
        states_series, current_state = self.forward_pass(
            batchX, init_state, dropout_masks, training=True
        )
        logits, _ = self.read_out(states_series)
        total_loss = self.calculate_loss(logits, batchY)
        d_states_series, gradients = self.read_out_gradients(
            states_series, logits, batchY
        )
        gradients.update(self.backward_pass(d_states_series))
        return total_loss, gradients, current_state

    # --- Running a training session ---

    def build_training(self):
        self.variables = dict(self.cell.variables, W2=self.W2, b2=self.b2)
        learning_rate = self.config.learning_rate
        self.optimizer = ops.Adagrad(learning_rate, self.variables)

    def train_step(self, batchX, batchY, current_state, dropout_masks=None):
        total_loss, gradients, current_state = self.calculate_gradients(
            batchX, batchY, current_state, dropout_masks
        )
        self.optimizer.apply(gradients)
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
