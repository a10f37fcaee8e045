"""PyTorch as most people write it: nn.RNN or nn.LSTM, a Python loop."""

import numpy as np
import torch

from rnn_parity import layouts


class Echo(torch.nn.Module):
    """A recurrent network with a read-out, from TensorFlow 1's weights."""

    def __init__(self, section, config, params):
        super().__init__()
        self.section = section
        units = config.state_size
        layers = section.num_layers(config)
        drop = 1 - config.output_keep_prob if section.masks else 0.0
        self.dropout = torch.nn.Dropout(drop)
        kind = torch.nn.RNN if section.state == "single" else torch.nn.LSTM
        self.rnn = kind(1, units, layers, batch_first=True, dropout=drop)
        self.read_out = torch.nn.Linear(units, config.num_classes)
        with torch.no_grad():
            self._take(section, params, layers)

    def _take(self, section, params, layers):
        kernels = [n for n in params if "kernel" in n] or ["W"]
        for layer, name in zip(range(layers), kernels, strict=True):
            bias = "b" if name == "W" else name.replace("kernel", "bias")
            kernel, bias = params[name], params[bias].ravel()
            if section.state == "single":
                arrays = layouts.simple_rnn_to_keras(kernel, bias)
            else:  # Keras orders the gates as PyTorch does
                arrays = layouts.lstm_to_keras(kernel, bias)
            for kind, value in zip(
                ("weight_ih", "weight_hh", "bias_ih"), arrays, strict=True
            ):
                _set(getattr(self.rnn, f"{kind}_l{layer}"), value.T)
            _set(getattr(self.rnn, f"bias_hh_l{layer}"), 0 * arrays[2])
        _set(self.read_out.weight, params["W2"].T)
        _set(self.read_out.bias, params["b2"].ravel())

    def forward(self, x, state):
        outputs, state = self.rnn(x[..., None], state)
        return self.read_out(self.dropout(outputs)), state


def _set(parameter, value):
    parameter.copy_(torch.from_numpy(np.ascontiguousarray(value)))


def build(section, config, params):
    network = Echo(section, config, params)
    for name, parameter in network.named_parameters():
        if "bias_hh" in name:  # TensorFlow 1 has one bias
            parameter.requires_grad_(False)
    optimizer = torch.optim.Adagrad(
        [p for p in network.parameters() if p.requires_grad],
        lr=config.learning_rate,
        initial_accumulator_value=0.1,
        eps=0.0,
    )
    cross_entropy = torch.nn.CrossEntropyLoss()
    steps = config.truncated_backprop_length

    def run(x, y, state):
        x, y = torch.from_numpy(x), torch.from_numpy(y).long()
        state = torch.from_numpy(np.array(state))
        if section.state == "single":
            state = state[None]
        else:
            layers = state.reshape(-1, *state.shape[-3:])
            state = (layers[:, 1].contiguous(), layers[:, 0].contiguous())
        losses = []
        for start in range(0, x.shape[1], steps):
            window = slice(start, start + steps)
            logits, state = network(x[:, window], state)
            if isinstance(state, tuple):
                state = tuple(part.detach() for part in state)
            else:
                state = state.detach()
            loss = cross_entropy(
                logits.reshape(-1, logits.shape[-1]), y[:, window].reshape(-1)
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return np.array(losses, "f4")

    return run
