"""TensorFlow 1: a graph and a session, `static_rnn` or `dynamic_rnn`."""


def build(job, data, loop):
    return Session(job, data, loop)


class Session:
    one_graph = True

    def __init__(self, job, data, loop):
        from rnn_parity.quiet import tf

        self.tf = tf.compat.v1
        # As TensorFlow 1 ran: its own while loops, no functions.
        self.tf.disable_v2_behavior()
        self.job, self.data, self.loop = job, data, loop
        self.graph = self.tf.Graph()
        self.session = None

    def prepare(self, kind):
        with self.graph.as_default():
            if kind == "forward":
                self._forward()
            else:
                self._train()

    def _forward(self):
        tf, job = self.tf, self.job
        series = [job.batch, job.steps, job.width]
        self.x = tf.placeholder(job.dtype, series)
        self.target = tf.placeholder(job.dtype, series)
        self.state = tf.placeholder(job.dtype, self.data.state.shape)
        cells = [
            tf.nn.rnn_cell.LSTMCell(job.width) for _ in range(job.layers)
        ]
        cell = tf.nn.rnn_cell.MultiRNNCell(cells)
        state = tuple(
            tf.nn.rnn_cell.LSTMStateTuple(*tf.unstack(layer))
            for layer in tf.unstack(self.state)
        )
        if self.loop == "static":
            outputs, _ = tf.nn.static_rnn(
                cell, tf.unstack(self.x, axis=1), initial_state=state
            )
            self.outputs_series = tf.stack(outputs, axis=1)
        else:
            self.outputs_series, _ = tf.nn.dynamic_rnn(
                cell, self.x, initial_state=state
            )
        self.fetches = {"forward": self.outputs_series.op}

    def _train(self):
        tf = self.tf
        error = self.outputs_series - self.target
        total_loss = tf.reduce_mean(tf.square(error))
        optimizer = tf.train.GradientDescentOptimizer(self.data.learning_rate)
        self.fetches["train"] = [total_loss, optimizer.minimize(total_loss)]

    def run(self, kind):
        if self.session is None:
            self._open()
        fed = {self.x: self.data.x, self.state: self.data.state}
        if kind == "train":
            fed[self.target] = self.data.target
        self.last = self.session.run(self.fetches[kind], fed)

    def _open(self):
        with self.graph.as_default():
            self.session = self.tf.Session()
            variables = self.tf.trainable_variables()
            values = [v for layer in self.data.weights for v in layer]
            for variable, value in zip(variables, values, strict=True):
                variable.load(value, self.session)

    def outputs(self):
        fed = {self.x: self.data.x, self.state: self.data.state}
        return self.session.run(self.outputs_series, fed)

    def loss(self):
        return float(self.last[0])

    def weights(self):
        values = iter(
            self.session.run(self.graph.get_collection("trainable_variables"))
        )
        return [(kernel, next(values)) for kernel in values]

    def nodes(self):
        return len(self.graph.get_operations())
