"""Who takes part, and what each can do. Imports none of their libraries."""

import dataclasses
import importlib

from rnn_parity.errors import UserError


@dataclasses.dataclass(frozen=True)
class Strategy:
    """One way of running an LSTM over time.

    Attributes:
        name: as tables and plots say it.
        module: in `rnn_parity.bench.contestants`.
        maker: the function there.
        options: what it is called with, besides job and data.
        family: "tf1", "tf2", "keras", "peer" or "limit".
        library: what must be importable.
        loop: "static" where the graph grows with T.
        xla: whether XLA compiles it.
        gpu_only: whether it needs a GPU.
        choose_threads: whether a small job runs on one, and a batch in
            parts on one each.
    """

    name: str
    module: str
    maker: str = "build"
    options: dict = dataclasses.field(default_factory=dict)
    family: str = "tf2"
    library: str = "tensorflow"
    loop: str = "dynamic"
    xla: bool = False
    gpu_only: bool = False
    choose_threads: bool = False

    def build(self, job, data):
        module = importlib.import_module(
            f"rnn_parity.bench.contestants.{self.module}"
        )
        return getattr(module, self.maker)(job, data, **self.options)

    def reason_not_to_run(self, job, preset):
        """Why the job is not for this strategy, or None."""
        if self.gpu_only and job.device != "gpu":
            return "needs a GPU"
        on_gpu = self.module != "products" or self.library == "tensorflow"
        if job.device == "gpu" and not on_gpu:
            return "runs on the CPU"
        if self.loop != "static":
            return None
        longest = preset.static_steps
        if self.xla:
            longest = min(longest, preset.static_xla_steps)
        if job.steps > longest:
            return f"unrolled {job.steps} times: builds for too long"
        return None


def _session(loop):
    return Strategy(
        f"TF1 {loop}_rnn",
        "tf1_session",
        options={"loop": loop},
        family="tf1",
        loop=loop,
    )


def _unrolled(loop, xla):
    called = loop if isinstance(loop, str) else f"partial({loop})"
    return Strategy(
        f"tf2 {called}{', XLA' if xla else ''}",
        "tf2_function",
        options={"loop": loop, "xla": xla},
        loop=loop if isinstance(loop, str) else "partial",
        xla=xla,
    )


def _fast(name, many):
    return Strategy(
        name,
        "tf2_function",
        "build_fast",
        options={"loop": "dynamic", "many": many},
        xla=True,
        choose_threads=True,
    )


def _layer(name, xla=False, use_cudnn="auto", gpu_only=False):
    return Strategy(
        name,
        "tf2_function",
        "build_layer",
        options={"xla": xla, "use_cudnn": use_cudnn},
        family="keras",
        xla=xla,
        gpu_only=gpu_only,
    )


def _products(library, name):
    return Strategy(
        f"products, {name}",
        "products",
        options={"library": library},
        family="limit",
        library=library,
    )


PARTIAL = 4
# This project's fastest, in parts where they pay, with many steps a call or
# one; and JAX with many.
FAST = "tf2 fast"
FAST_ONE = "tf2 fast, one step"
JAX_MANY = "JAX scan, fast"
LIMITS = {
    "numpy": "products, NumPy",
    "tensorflow": "products, TensorFlow",
    "torch": "products, PyTorch",
}

STRATEGIES = {
    strategy.name: strategy
    for strategy in (
        _session("static"),
        _session("dynamic"),
        _unrolled("static", False),
        _unrolled("dynamic", False),
        _unrolled(PARTIAL, False),
        _unrolled("static", True),
        _unrolled("dynamic", True),
        _unrolled(PARTIAL, True),
        _fast(FAST, many=True),
        _fast(FAST_ONE, many=False),
        _layer("Keras LSTM"),
        _layer("Keras LSTM, XLA", xla=True),
        _layer("Keras LSTM, cuDNN", use_cudnn=True, gpu_only=True),
        Strategy(
            "PyTorch nn.LSTM", "torch_lstm", family="peer", library="torch"
        ),
        Strategy("JAX scan", "jax_scan", family="peer", library="jax"),
        Strategy(
            JAX_MANY,
            "jax_scan",
            "build_many",
            family="peer",
            library="jax",
        ),
        *(
            _products(library, name)
            for library, name in (
                ("numpy", "NumPy"),
                ("tensorflow", "TensorFlow"),
                ("torch", "PyTorch"),
            )
        ),
    )
}


def choose(names):
    """The strategies called `names`, in the registry's order.

    Raises:
        UserError: there is none of that name.
    """
    from rnn_parity.sections import unknown

    for name in names:
        if name not in STRATEGIES:
            raise UserError(unknown("strategy", name, list(STRATEGIES)))
    return [s for s in STRATEGIES.values() if s.name in names]
