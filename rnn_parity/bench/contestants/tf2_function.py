"""TensorFlow 2: one `tf.function` a step, over `unroll` or Keras' layer."""

import functools

from rnn_parity import layouts


def build(job, data, loop, xla):
    return Unrolled(job, data, loop, xla)


def build_fast(job, data, loop, many):
    """In parts where they pay; without many, called as it was traced."""
    parts = job.parts()
    if parts == 1:
        kind = ManySteps if many else Unrolled
        contestant = kind(job, data, loop, True)
    else:
        kind = ManyStepsInParts if many else InParts
        contestant = kind(job, data, loop, parts)
    contestant.as_traced = not many
    return contestant


def build_layer(job, data, xla, use_cudnn="auto"):
    return Layers(job, data, xla, use_cudnn)


class _Functions:
    """A forward and a training function; subclasses say what is run."""

    one_graph = False
    # A tf.function looks at its arguments at every call, for a graph that
    # suits them; what it traced is the graph, and 0.1 ms sooner begun.
    as_traced = False

    def __init__(self, job, data, xla):
        import keras

        from rnn_parity.quiet import tf

        self.tf, self.keras = tf, keras
        self.job, self.data, self.xla = job, data, xla
        device = "GPU:0" if job.device == "gpu" else "CPU:0"
        with tf.device(device):
            self.x = tf.constant(data.x)
            self.target = tf.constant(data.target)
            self.state = tf.constant(data.state)
            self._declare()
        function = functools.partial(
            tf.function, jit_compile=xla, autograph=False
        )
        self.functions = {
            "forward": (function(self.forward), [self.x, self.state]),
            "train": (
                function(self.train_step),
                [self.x, self.target, self.state],
            ),
        }
        self.traced = {}

    def _states(self, state):
        """[L, 2, B, H], c before h -> [h, c] per layer, as Keras has it."""
        layers = [self.tf.unstack(layer) for layer in self.tf.unstack(state)]
        return [[h, c] for c, h in layers]

    def forward(self, x, state):
        return self.outputs_of(x, self._states(state))

    def train_step(self, x, target, state):
        total_loss, *gradients = self.gradients_of(
            x, target, self._states(state)
        )
        for variable, gradient in zip(self.variables, gradients, strict=True):
            variable.value.assign_sub(self.data.learning_rate * gradient)
        return total_loss

    def gradients_of(self, x, target, states):
        """[what these rows add to the loss, and to each gradient]"""
        tf = self.tf
        with tf.GradientTape() as tape:
            error = self.outputs_of(x, states) - target
            total_loss = tf.reduce_sum(tf.square(error)) / self.data.x.size
        variables = [v.value for v in self.variables]
        return [total_loss, *tape.gradient(total_loss, variables)]

    def prepare(self, kind):
        function, arguments = self.functions[kind]
        self.traced[kind] = function.get_concrete_function(*arguments)

    def run(self, kind):
        function, arguments = self.functions[kind]
        if self.as_traced:
            function = self.traced[kind]
        self.last = function(*arguments)
        if self.job.device == "gpu":
            self.tf.test.experimental.sync_devices()

    def outputs(self):
        return self.last.numpy()

    def loss(self):
        return float(self.last)

    def _set_weights(self):
        values = [
            value
            for layer in self.data.weights
            for value in layouts.lstm_to_keras(*layer)
        ]
        for variable, value in zip(self.variables, values, strict=True):
            variable.assign(value)

    def weights(self):
        values = iter([variable.numpy() for variable in self.variables])
        return [
            layouts.lstm_from_keras(kernel, next(values), next(values))
            for kernel in values
        ]

    def nodes(self):
        definition = self.traced["train"].graph.as_graph_def()
        functions = definition.library.function
        return len(definition.node) + sum(
            len(function.node_def) for function in functions
        )


class Unrolled(_Functions):
    """This project's `unroll` over Keras cells."""

    def __init__(self, job, data, loop, xla):
        self.loop = loop
        super().__init__(job, data, xla)

    def _declare(self):
        cells = [
            self.keras.layers.LSTMCell(self.job.width, dtype=self.job.dtype)
            for _ in range(self.job.layers)
        ]
        for cell in cells:
            cell.build((None, self.job.width))
        self.cell = self.keras.layers.StackedRNNCells(
            cells, dtype=self.job.dtype
        )
        self.variables = [v for cell in cells for v in cell.weights]
        self._set_weights()

    def outputs_of(self, x, states):
        from tf2.unroll import unroll

        return unroll(self.cell, x, states, self.loop)[0]


class InParts(Unrolled):
    """The batch in parts, each compiled by XLA and on a core of its own."""

    def __init__(self, job, data, loop, parts):
        from tf2.parts import in_parts

        self.parts_outputs = in_parts(super().outputs_of, parts)
        self.parts_gradients = in_parts(super().gradients_of, parts)
        super().__init__(job, data, loop, xla=False)

    def forward(self, x, state):
        return self.tf.concat(self.parts_outputs(x, self._states(state)), 0)

    def gradients_of(self, x, target, states):
        parts = self.parts_gradients(x, target, states)
        return [self.tf.add_n(each) for each in zip(*parts, strict=True)]


class _ManySteps:
    """Any number of training steps in one call, as an epoch has them."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        sources = self.functions["train"][1]
        train = self.tf.function(
            self.train_steps, jit_compile=self.xla, autograph=False
        )
        self.one = self.tf.constant(1)
        self.functions["train"] = (train, [*sources, self.one])

    def train_steps(self, x, target, state, count):
        def step(done, _loss):
            return done + 1, self.train_step(x, target, state)

        zero = self.tf.zeros([], x.dtype)
        return self.tf.while_loop(
            lambda done, _loss: done < count, step, (0, zero)
        )[1]

    def run_many(self, count):
        function, sources = self.functions["train"]
        self.last = function(*sources[:-1], self.tf.constant(count))
        if self.job.device == "gpu":
            self.tf.test.experimental.sync_devices()


class ManySteps(_ManySteps, Unrolled):
    pass


class ManyStepsInParts(_ManySteps, InParts):
    pass


class Layers(_Functions):
    """Keras' own LSTM layer, as most people call it."""

    def __init__(self, job, data, xla, use_cudnn):
        self.use_cudnn = use_cudnn
        super().__init__(job, data, xla)

    def _declare(self):
        self.layers = [
            self.keras.layers.LSTM(
                self.job.width,
                return_sequences=True,
                use_cudnn=self.use_cudnn,
                dtype=self.job.dtype,
            )
            for _ in range(self.job.layers)
        ]
        for layer in self.layers:
            layer.build((None, None, self.job.width))
        self.variables = [v for layer in self.layers for v in layer.weights]
        self.variables = [v for v in self.variables if v.trainable]
        self._set_weights()

    def outputs_of(self, x, states):
        for layer, layer_state in zip(self.layers, states, strict=True):
            x = layer(x, initial_state=layer_state)
        return x
