"""Section 7, sequences of different lengths: NumPy, gradients by hand.

    c_t, h_t = LSTM(y_t, c_{t-1}, h_{t-1})       as in section 5
    past a row's end 0 goes out for h_t, and the state stays what it was
    logits_t = h_t W2 + b2                       [B, C], top layer
    total_loss = mean of -log softmax(logits_t)[label_t], valid steps only

y_t is x_t [B, 1] in the lowest layer, h_t of the layer below in the others.
`sequence_length` [B] says how many steps of each row are valid.

Backwards, with d_ for the derivative of total_loss and v_t = 1 where valid:

    d_logits_t = v_t (softmax(logits_t) - one_hot(label_t)) / valid steps
    d_W2 = h_t' d_logits_t;  d_b2 = d_logits_t;  both added up over steps
    d_h_t = v_t (d_logits_t W2' or the layer above's d_y_t, + from step t + 1)

and from there through the step as in `cells.LSTMCell`. (1 - v_t) of what
step t + 1 sent back goes on to step t - 1 untouched.
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

    def forward_pass(self, batchX, init_state, sequence_length):
        steps = self.config.truncated_backprop_length
        inputs_series = np.expand_dims(batchX, -1)  # [B, T, 1]
        self.valid_steps = ops.sequence_mask(sequence_length, steps)  # [B, T]
        current_state = init_state  # c, h of every layer
        states_series, self.tape = [], []
        for step in range(steps):
            state, new_state, tape = self.cell.step(
                inputs_series[:, step], current_state
            )
            valid = self.valid_steps[:, [step]]
            states_series.append(np.where(valid, state, 0))
            current_state = np.where(valid, new_state, current_state)
            self.tape.append(tape)  # what the way back needs
        return np.stack(states_series, axis=1), current_state

    # --- Calculating loss ---

    def read_out(self, states_series):
        logits = np.matmul(states_series, self.W2) + self.b2  # [B, T, C]
        predictions_series = ops.softmax(logits)
        return logits, predictions_series

    def calculate_loss(self, logits, batchY, sequence_length):
        losses = ops.sparse_softmax_cross_entropy(logits, batchY)  # [B, T]
        valid_steps = ops.sequence_mask(sequence_length, batchY.shape[1])
        num_valid_steps = max(int(np.sum(valid_steps)), 1)
        return np.sum(losses * valid_steps) / num_valid_steps

    # --- Backward pass ---

    def read_out_gradients(self, states_series, logits, batchY):
        num_valid_steps = max(int(np.sum(self.valid_steps)), 1)
        d_logits = ops.cross_entropy_gradient(logits, batchY)  # [B, T, C]
        d_logits = d_logits * self.valid_steps[..., None] / num_valid_steps
        d_W2 = np.einsum("bth,btc->hc", states_series, d_logits)
        d_b2 = np.einsum("btc->c", d_logits)[np.newaxis]
        d_states_series = np.matmul(d_logits, self.W2.T)
        return d_states_series, {"W2": d_W2, "b2": d_b2}

    def backward_pass(self, d_states_series):
        d_state = np.stack(self.cell.zero_state(self.config.batch_size))
        gradients = []
        for step in reversed(range(len(self.tape))):
            valid = self.valid_steps[:, [step]]
            d_output = d_states_series[:, step] * valid
            _, d_before, of_step = self.cell.step_back(
                d_output, d_state * valid, self.tape[step]
            )
            d_state = np.where(valid, d_before, d_state)
            gradients.append(of_step)
        return {**ops.add_up(gradients), "init_state": d_state}

    def calculate_gradients(
        self, batchX, batchY, init_state, sequence_length
    ):
        states_series, current_state = self.forward_pass(
            batchX, init_state, sequence_length
        )
        logits, _ = self.read_out(states_series)
        total_loss = self.calculate_loss(logits, batchY, sequence_length)
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

    def train_step(self, batchX, batchY, current_state, sequence_length):
        total_loss, gradients, current_state = self.calculate_gradients(
            batchX, batchY, current_state, sequence_length
        )
        self.optimizer.apply(gradients)
        return total_loss, current_state

    def train_epoch(self, x, y, current_state, sequence_length):
        steps = self.config.truncated_backprop_length
        loss_list = []
        for batch_idx in range(x.shape[1] // steps):
            start_idx = batch_idx * steps
            end_idx = start_idx + steps
            batchX = x[:, start_idx:end_idx]
            batchY = y[:, start_idx:end_idx]
            total_loss, current_state = self.train_step(
                batchX, batchY, current_state, sequence_length[batch_idx]
            )
            loss_list.append(total_loss)
        return loss_list, current_state
