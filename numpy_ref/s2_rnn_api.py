"""Section 2, the RNN API: NumPy, gradients by hand.

    s_t = tanh([x_t, s_{t-1}] kernel + bias)     x_t [B, 1], s_t [B, H]
    logits_t = s_t W2 + b2                       [B, C]
    total_loss = mean of -log softmax(logits_t)[label_t], steps and rows

Backwards, with d_ for the derivative of total_loss:

    d_logits_t = (softmax(logits_t) - one_hot(label_t)) / (T B)
    d_W2 = s_t' d_logits_t;  d_b2 = d_logits_t;  both added up over steps
    d_s_t = d_logits_t W2' + d_s_t, the part that step t + 1 sent back

and from d_s_t through the step as in `cells.BasicRNNCell`, whose gradients
are added up too. B rows, T steps, H units, C classes.
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
        config = self.config
        self.cell = cells.BasicRNNCell(
            config.state_size, 1, config.dtype, name="rnn/basic_rnn_cell"
        )

    def declare_variables(self):
        dtype = self.config.dtype
        state_size = self.config.state_size
        num_classes = self.config.num_classes
        W2 = np.random.rand(state_size, num_classes)
        self.W2 = W2.astype(dtype)
        self.b2 = np.zeros((1, num_classes), dtype)

    # --- Forward pass ---

    def forward_pass(self, batchX, init_state):
        steps = self.config.truncated_backprop_length
        inputs_series = np.split(batchX, steps, axis=1)  # T of [B, 1]
        current_state = init_state
        states_series, self.tape = [], []
        for current_input in inputs_series:
            state, current_state, tape = self.cell.step(
                current_input, current_state
            )
            states_series.append(state)
            self.tape.append(tape)  # what the way back needs
        return np.stack(states_series, axis=1), current_state

    # --- Calculating loss ---

    def read_out(self, states_series):
        logits_series = np.matmul(states_series, self.W2) + self.b2
        predictions_series = ops.softmax(logits_series)  # [B, T, C]
        return logits_series, predictions_series

    def calculate_loss(self, logits_series, batchY):
        losses = ops.sparse_softmax_cross_entropy(logits_series, batchY)
        return np.mean(losses)

    # --- Backward pass ---

    def read_out_gradients(self, states_series, logits_series, batchY):
        d_logits = ops.cross_entropy_gradient(logits_series, batchY)
        d_logits_series = d_logits / batchY.size  # [B, T, C]
        d_W2 = np.einsum("bth,btc->hc", states_series, d_logits_series)
        d_b2 = np.einsum("btc->c", d_logits_series)[np.newaxis]
        d_states_series = np.matmul(d_logits_series, self.W2.T)
        return d_states_series, {"W2": d_W2, "b2": d_b2}

    def backward_pass(self, d_states_series):
        d_series = np.unstack(d_states_series, axis=1)
        d_state = self.cell.zero_state(self.config.batch_size)
        gradients = []
        for d_output, tape in zip(reversed(d_series), reversed(self.tape)):
            _, d_state, of_step = self.cell.step_back(d_output, d_state, tape)
            gradients.append(of_step)
        return {**ops.add_up(gradients), "init_state": d_state}

    def calculate_gradients(self, batchX, batchY, init_state):
        states_series, current_state = self.forward_pass(batchX, init_state)
        logits_series, _ = self.read_out(states_series)
        total_loss = self.calculate_loss(logits_series, batchY)
        d_states_series, gradients = self.read_out_gradients(
            states_series, logits_series, batchY
        )
        gradients.update(self.backward_pass(d_states_series))
        return total_loss, gradients, current_state

    # --- Running a training session ---

    def build_training(self):
        self.variables = dict(self.cell.variables, W2=self.W2, b2=self.b2)
        learning_rate = self.config.learning_rate
        self.optimizer = ops.Adagrad(learning_rate, self.variables)

    def train_step(self, batchX, batchY, current_state):
        total_loss, gradients, current_state = self.calculate_gradients(
            batchX, batchY, current_state
        )
        self.optimizer.apply(gradients)
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
