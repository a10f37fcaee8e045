"""Section 5, dynamic RNN: NumPy, gradients by hand.

    [i, j, f, o] = [y_t, h_{t-1}] kernel + bias          in every layer
    c_t = sigmoid(f + 1) c_{t-1} + sigmoid(i) tanh(j)    [B, H]
    h_t = sigmoid(o) tanh(c_t)                           [B, H]
    logits_t = h_t W2 + b2                               [B, C], top layer
    total_loss = mean of -log softmax(logits_t)[label_t], steps and rows

y_t is the input x_t [B, 1] in the lowest layer and h_t of the layer below
in the others. Backwards, with d_ for the derivative of total_loss:

    d_logits_t = (softmax(logits_t) - one_hot(label_t)) / (T B)
    d_W2 = h_t' d_logits_t;  d_b2 = d_logits_t;  both added up over steps
    d_h_t = d_logits_t W2' in the top layer, d_y_t of the layer above in the
        others, each + d_h_t, the part that step t + 1 sent back
    d_c_t = the part that step t + 1 sent back

and from d_h_t and d_c_t through the step as in `cells.LSTMCell`. NumPy's
loop is the same as in section 4; what changes is that the steps of all rows
are one flat batch when it comes to the loss. The state is [L, 2, B, H]: L
layers, B rows, T steps, H units, C classes.
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
        W2 = np.random.rand(state_size, num_classes)
        self.W2 = W2.astype(dtype)
        self.b2 = np.zeros((1, num_classes), dtype)

    # --- Forward pass ---

    def forward_pass(self, batchX, init_state):
        inputs_series = np.expand_dims(batchX, -1)  # [B, T, 1]
        current_state = init_state  # c, h of every layer
        states_series, self.tape = [], []
        for current_input in np.unstack(inputs_series, axis=1):
            state, current_state, tape = self.cell.step(
                current_input, current_state
            )
            states_series.append(state)
            self.tape.append(tape)  # what the way back needs
        return np.stack(states_series, axis=1), np.stack(current_state)

    # --- Calculating loss ---

    def read_out(self, states_series):
        steps = self.config.truncated_backprop_length
        num_classes = self.config.num_classes
        states_series = np.reshape(states_series, [-1, self.W2.shape[0]])
        logits = np.matmul(states_series, self.W2) + self.b2  # [B * T, C]
        logits_series = np.reshape(logits, [-1, steps, num_classes])
        predictions_series = ops.softmax(logits_series)  # [B, T, C]
        return logits, predictions_series

    def calculate_loss(self, logits, batchY):
        labels = np.reshape(batchY, [-1])  # [B * T]
        losses = ops.sparse_softmax_cross_entropy(logits, labels)  # [B * T]
        return np.mean(losses)

    # --- Backward pass ---

    def read_out_gradients(self, states_series, logits, batchY):
        labels = np.reshape(batchY, [-1])  # [B * T]
        d_logits = ops.cross_entropy_gradient(logits, labels) / labels.size
        d_states = np.matmul(d_logits, self.W2.T)  # [B * T, H]
        flat_states = np.reshape(states_series, d_states.shape)
        gradients = {"W2": np.matmul(flat_states.T, d_logits)}
        gradients["b2"] = d_logits.sum(axis=0, keepdims=True)
        return np.reshape(d_states, states_series.shape), gradients

    def backward_pass(self, d_states_series):
        d_series = np.unstack(d_states_series, axis=1)
        d_state = self.cell.zero_state(self.config.batch_size)
        gradients = []
        for d_output, tape in zip(reversed(d_series), reversed(self.tape)):
            _, d_state, of_step = self.cell.step_back(d_output, d_state, tape)
            gradients.append(of_step)
        return {**ops.add_up(gradients), "init_state": np.stack(d_state)}

    def calculate_gradients(self, batchX, batchY, init_state):
        states_series, current_state = self.forward_pass(batchX, init_state)
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
