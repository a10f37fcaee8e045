"""Section 1, a vanilla RNN unrolled by hand: NumPy, gradients by hand.

    s_t = tanh([x_t, s_{t-1}] W + b)             x_t [B, 1], s_t [B, H]
    logits_t = s_t W2 + b2                       [B, C]
    total_loss = mean of -log softmax(logits_t)[label_t], steps and rows

Backwards, with d_ for the derivative of total_loss:

    d_logits_t = (softmax(logits_t) - one_hot(label_t)) / (T B)
    d_s_t = d_logits_t W2' + d_s_t, the part that step t + 1 sent back
    d_a_t = d_s_t (1 - s_t^2)                    a_t inside the tanh
    d_W += [x_t, s_{t-1}]' d_a_t;  d_b += d_a_t;  d_s_{t-1} = d_a_t W_s'

B rows, T steps, H units, C classes; W_s are the rows of W after the first.
"""

import numpy as np

from numpy_ref import ops


class EchoRNN:
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
        self.W = W.astype(dtype)
        self.b = np.zeros((1, state_size), dtype)
        W2 = np.random.rand(state_size, num_classes)
        self.W2 = W2.astype(dtype)
        self.b2 = np.zeros((1, num_classes), dtype)

    # --- Forward pass ---

    def forward_pass(self, batchX, init_state):
        inputs_series = np.unstack(batchX, axis=1)
        current_state = init_state
        states_series = []
        self.tape = []  # what the way back needs, step by step
        for current_input in inputs_series:
            current_input = np.reshape(current_input, [-1, 1])
            input_and_state_concatenated = np.concat(
                [current_input, current_state], 1
            )  # [B, 1 + H]
            current_state = np.tanh(
                np.matmul(input_and_state_concatenated, self.W) + self.b
            )  # [B, H]
            states_series.append(current_state)
            self.tape.append((input_and_state_concatenated, current_state))
        return states_series, current_state

    # --- Calculating loss ---

    def read_out(self, states_series):
        logits_series = [
            np.matmul(state, self.W2) + self.b2 for state in states_series
        ]  # T of [B, C]
        predictions_series = [ops.softmax(logits) for logits in logits_series]
        return logits_series, predictions_series

    def calculate_loss(self, logits_series, batchY):
        labels_series = np.unstack(batchY, axis=1)
        losses = [
            ops.sparse_softmax_cross_entropy(logits, labels)
            for logits, labels in zip(logits_series, labels_series)
        ]  # T of [B]
        return np.mean(losses)

    # --- Backward pass ---

    def read_out_gradients(self, states_series, logits_series, batchY):
        labels_series = np.unstack(batchY, axis=1)
        d_logits_series = [
            ops.cross_entropy_gradient(logits, labels) / batchY.size
            for logits, labels in zip(logits_series, labels_series)
        ]
        d_W2 = [s.T @ d for s, d in zip(states_series, d_logits_series)]
        d_b2 = [d.sum(axis=0, keepdims=True) for d in d_logits_series]
        d_states_series = [d @ self.W2.T for d in d_logits_series]
        return d_states_series, {"W2": sum(d_W2), "b2": sum(d_b2)}

    def backward_pass(self, d_states_series):
        gradients = {"W": 0, "b": 0}
        d_state = 0
        steps_back = zip(reversed(d_states_series), reversed(self.tape))
        for d_output, (input_and_state, state) in steps_back:
            d_state = d_output + d_state  # from above and from step t + 1
            d_inside = d_state * (1 - state * state)
            gradients["W"] += input_and_state.T @ d_inside
            gradients["b"] += d_inside.sum(axis=0, keepdims=True)
            d_state = d_inside @ self.W[1:].T
        return {**gradients, "init_state": d_state}

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
        self.variables = {"W": self.W, "b": self.b}
        self.variables.update(W2=self.W2, b2=self.b2)
        self.optimizer = ops.Adagrad(
            self.config.learning_rate, self.variables
        )

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
