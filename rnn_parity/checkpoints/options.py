"""What a checkpoint does not tell, and the user can."""

import dataclasses
import math

from numpy_ref.tf1_cells import ACTIVATIONS
from rnn_parity.checkpoints import recognise
from rnn_parity.checkpoints.inventory import unknown
from rnn_parity.errors import UserError

_OF_READ_OUTS = tuple(ACTIVATIONS)
_CHOICES = dict.fromkeys(
    ("activation", "recurrent_activation"),
    tuple(name for name in ACTIVATIONS if name != "softmax"),
)
_MOST_REPEATS = 100  # which take a minute; Keras gives up before 1000
_LARGEST = 3.4028234e38  # of float32
OF_CELLS = (
    "forget_bias",
    "activation",
    "recurrent_activation",
    "cell_clip",
    "proj_clip",
)


@dataclasses.dataclass(frozen=True)
class Options:
    """See `rnn_parity.convert_checkpoint`; the same names and defaults."""

    cells: dict = dataclasses.field(default_factory=dict)
    forget_bias: object = None
    activation: object = None
    recurrent_activation: object = None
    cell_clip: object = None
    proj_clip: object = None
    residual: tuple = ()
    layers: object = None
    input_keep_prob: float = 1.0
    output_keep_prob: float = 1.0
    bidirectional: tuple = ()
    apart: tuple = ()
    transposed: tuple = ()
    embeddings: dict = dataclasses.field(default_factory=dict)
    averages: bool = False
    learning_rate: float | None = None
    momentum: float | None = None
    strict: bool = False

    def __post_init__(self):
        for name in ("input_keep_prob", "output_keep_prob"):
            if not 0 < getattr(self, name) <= 1:
                raise UserError("a keep probability is above 0 and at most 1")
        rate, momentum = self.learning_rate, self.momentum
        if rate is not None and not 0 < rate < math.inf:
            raise UserError(
                f"learning_rate is {rate}; it must be a finite number above 0"
            )
        if momentum is not None and not 0 <= momentum <= 1:
            raise UserError(f"momentum is {momentum}; it must be from 0 to 1")

    def recognise(self, checkpoint, progress=None):
        """The inventory of a checkpoint, the user's answers counted in.

        Args:
            checkpoint: of `reader`.
            progress: called with (what is being done, share done 0 to 1).
        """
        return recognise.recognise(
            checkpoint.shapes,
            kinds_told(checkpoint) | self.cells,
            self.bidirectional,
            self.apart,
            self.transposed,
            self.embeddings,
            progress,
        )

    def of_cells(self, inventory, told):
        """{scope: {option: value}}, TensorFlow 1's defaults filled in.

        Args:
            told: the same of what the file says of some.

        Raises:
            UserError: an option names a cell that is not there, or one that
                has no such option, or its value makes no sense.
        """
        cells = [cell for stack in inventory.stacks for cell in stack.cells]
        given = {name: self.given(name, inventory) for name in OF_CELLS}
        found = {}
        for cell in cells:
            found[cell.scope] = cell.kind.options | told_of(cell, told)
            for name, by_scope in given.items():
                if cell.scope in by_scope:
                    found[cell.scope][name] = by_scope[cell.scope]
                check_told(name, found[cell.scope].get(name), cell.scope)
        return found

    def given(self, option, inventory):
        """{scope: value} of what the user gave of one of `OF_CELLS`."""
        given = getattr(self, option)
        cells = [cell for stack in inventory.stacks for cell in stack.cells]
        able = able_to(option, cells)
        able_scopes = {cell.scope for cell in able}
        if given is None:
            return {}
        if not isinstance(given, dict):
            if not able:
                raise UserError(
                    f"no cell in the checkpoint has a {option} to set"
                )
            return {c.scope: checked(option, given) for c in able}
        found = {}
        read_outs = _names_of_read_outs(inventory)
        for where, value in given.items():
            if option == "activation" and where in read_outs:
                continue
            meant = cells_at(where, inventory)
            for cell in meant:
                if cell.scope not in able_scopes:
                    raise UserError(
                        f"{cell.scope} is a {cell.kind.name}, which has no "
                        f"{option}"
                    )
                found[cell.scope] = checked(option, value)
        return found

    def of_read_outs(self, inventory, told):
        """{read-out's name: its activation}, none being "linear".

        Args:
            told: what the file says, {scope: {option: value}}.

        Raises:
            UserError: one that we do not have.
        """
        given = self.activation if isinstance(self.activation, dict) else {}
        found = {}
        for one in inventory.read_outs:
            scope = one.kernel.rpartition("/")[0]
            named = [n for n in (one.name, one.kernel) if n in given]
            if named:
                value = given[named[0]]
                if value not in _OF_READ_OUTS:
                    raise UserError(
                        unknown("activation", str(value), list(_OF_READ_OUTS))
                    )
            else:
                value = told.get(scope, {}).get("activation", "linear")
                if value not in _OF_READ_OUTS:
                    raise UserError(
                        _not_converted("activation", value, scope)
                    )
            found[one.name] = value
        return found

    def residuals(self, inventory):
        """The scopes of the cells that add their input to their output."""
        if self.residual is True:
            able = {
                cell.scope
                for stack in inventory.stacks
                for cell in stack.cells
                if cell.sizes.inputs == cell.sizes.outputs
            }
            if not able:
                raise UserError(
                    "no cell can be residual: none has as many outputs as "
                    "inputs; leave it away"
                )
            return able
        scopes = set()
        for where in self.residual:
            for cell in cells_at(where, inventory):
                if cell.sizes.inputs != cell.sizes.outputs:
                    raise UserError(
                        f"{cell.scope} cannot be residual: it has "
                        f"{cell.sizes.inputs} inputs and "
                        f"{cell.sizes.outputs} outputs"
                    )
                scopes.add(cell.scope)
        return scopes

    def repeats(self, inventory):
        """{stack: how many layers one cell serves}, those of one aside."""
        if self.layers is None:
            return {}
        given = self.layers
        if not isinstance(given, dict):
            given = {inventory.stack().name: given}
        for name, count in given.items():
            stack = inventory.stack(name)
            (first, *others) = stack.forward
            if stack.backward or others:
                raise UserError(
                    f"{name} has a cell for every layer already; layers is "
                    "for one cell that serves several"
                )
            if not isinstance(count, int) or count < 1:
                raise UserError(
                    f"layers is {count!r}; it must be a whole number of at "
                    "least 1"
                )
            if count > _MOST_REPEATS:
                raise UserError(
                    f"layers is {count}; it must be at most {_MOST_REPEATS}"
                )
            if count > 1 and first.sizes.inputs != first.sizes.outputs:
                raise UserError(
                    f"{first.scope} cannot serve {count} layers: it has "
                    f"{first.sizes.inputs} inputs and "
                    f"{first.sizes.outputs} outputs"
                )
        return given


def able_to(option, cells):
    """Those of the cells that have an option of `OF_CELLS`."""
    return [
        cell
        for cell in cells
        if option in cell.kind.options
        and (cell.projection or option != "proj_clip")
    ]


def told_of(cell, told):
    """{option: value} of a cell that the file tells."""
    return {
        name: value
        for name, value in told.get(cell.scope, {}).items()
        if name in cell.kind.options
    }


def kinds_told(checkpoint):
    """{scope: kind} of a GRU that has no bias to tell which it is."""
    kinds = {True: "tf.keras.GRUResetAfter", False: "tf.keras.GRU"}
    return {
        scope: kinds[told["reset_after"]]
        for scope, told in checkpoint.told.items()
        if told.get("reset_after") in kinds
        and f"{scope}/bias" not in checkpoint.shapes
        and f"{scope}/recurrent_kernel" in checkpoint.shapes
    }


def check_told(option, value, scope):
    """Refuses what a file says and we do not have."""
    if option in _CHOICES and value not in (None, *_CHOICES[option]):
        raise UserError(_not_converted(option, value, scope))


def _not_converted(option, value, scope):
    flag = option.replace("_", "-")
    return (
        f"the file says {option}={value} of {scope}, which is not "
        f"converted; what to take in its place is --{flag} {scope}=NAME"
    )


def _names_of_read_outs(inventory):
    return {n for one in inventory.read_outs for n in (one.name, one.kernel)}


def cells_at(where, inventory):
    """The cells of a stack, or whose scopes begin with `where`.

    Raises:
        UserError: there are none.
    """
    found = [
        cell
        for stack in inventory.stacks
        for cell in stack.cells
        if where in (stack.name, cell.scope)
        or cell.scope.startswith(f"{where}/")
    ]
    if not found:
        known = [
            cell.scope for stack in inventory.stacks for cell in stack.cells
        ]
        raise UserError(unknown("cell", where, known))
    return found


def checked(option, value):
    """The value of an option of cells, a number as one.

    Raises:
        UserError: it makes no sense.
    """
    if option in _CHOICES:
        if value not in _CHOICES[option]:
            raise UserError(
                unknown(option, str(value), list(_CHOICES[option]))
            )
        return value
    try:
        value = float(value)
    except (TypeError, ValueError):
        raise UserError(f"{option} is {value!r}, not a number") from None
    if not abs(value) <= _LARGEST:
        raise UserError(
            f"{option} is {value}; give a finite number that float32 holds"
        )
    if option.endswith("_clip") and value <= 0:
        raise UserError(
            f"{option} is {value}; it must be above 0: leave it away where "
            "TensorFlow 1 clipped nothing (-1 in LSTMBlockCell)"
        )
    return value
