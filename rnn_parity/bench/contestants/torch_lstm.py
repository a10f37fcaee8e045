"""PyTorch: `nn.LSTM` and its autograd, eager."""

import numpy as np

from rnn_parity import layouts


def build(job, data):
    return LSTM(job, data)


class LSTM:
    one_graph = True  # the network is made once

    def __init__(self, job, data):
        import torch

        self.torch, self.job, self.data = torch, job, data
        self.device = "cuda" if job.device == "gpu" else "cpu"
        self.x, self.target, self.state = (
            torch.from_numpy(v).to(self.device)
            for v in (data.x, data.target, data.state)
        )
        torch.optim.SGD([self.x])  # imports more, the first time

    def prepare(self, kind):
        if kind == "train":
            return
        torch, job = self.torch, self.job
        self.network = torch.nn.LSTM(
            *(job.width, job.width, job.layers),
            batch_first=True,
            dtype=getattr(torch, job.dtype),
            device=self.device,
        )
        for layer, weights in enumerate(self.data.weights):
            # Keras orders the gates as PyTorch does.
            kernel, recurrent, bias = layouts.lstm_to_keras(*weights)
            self._set(f"weight_ih_l{layer}", kernel.T)
            self._set(f"weight_hh_l{layer}", recurrent.T)
            self._set(f"bias_ih_l{layer}", bias)
            self._set(f"bias_hh_l{layer}", 0 * bias)
            # TensorFlow 1 has one bias.
            getattr(self.network, f"bias_hh_l{layer}").requires_grad_(False)
        self.optimizer = torch.optim.SGD(
            [p for p in self.network.parameters() if p.requires_grad],
            lr=self.data.learning_rate,
        )

    def _set(self, name, value):
        with self.torch.no_grad():
            value = self.torch.from_numpy(np.ascontiguousarray(value))
            getattr(self.network, name).copy_(value)

    def run(self, kind):
        if kind == "forward":
            with self.torch.no_grad():
                self.last = self._forward()
        else:
            error = self._forward() - self.target
            self.last = (error * error).mean()
            self.optimizer.zero_grad()
            self.last.backward()
            self.optimizer.step()
        if self.job.device == "gpu":
            self.torch.cuda.synchronize()

    def _forward(self):
        c, h = self.state[:, 0], self.state[:, 1]
        return self.network(self.x, (h.contiguous(), c.contiguous()))[0]

    def outputs(self):
        return self.last.cpu().numpy()

    def loss(self):
        return self.last.item()

    def weights(self):
        def value(name):
            return getattr(self.network, name).detach().cpu().numpy().T

        return [
            layouts.lstm_from_keras(
                value(f"weight_ih_l{layer}"),
                value(f"weight_hh_l{layer}"),
                value(f"bias_ih_l{layer}"),
            )
            for layer in range(self.job.layers)
        ]

    def nodes(self):
        return None
