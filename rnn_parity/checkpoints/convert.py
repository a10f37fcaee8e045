"""From a TensorFlow 1 checkpoint to Keras 3 layers, with proof."""

import dataclasses
import importlib
import itertools

import numpy as np

from rnn_parity.checkpoints import (
    dtypes,
    forms,
    kinds,
    objects,
    optimizers,
    reader,
    recognise,
    verify,
)
from rnn_parity.checkpoints.options import (
    OF_CELLS,
    Options,
    able_to,
    told_of,
)
from rnn_parity.errors import UserError

SHOWN = 3  # how many names a line lists before it says "and more"


def convert_checkpoint(path, *, progress=None, **options):
    """Keras 3 layers and a model from a TensorFlow 1 checkpoint.

    What a checkpoint cannot tell is an option. Those of cells are a value
    for all, or {scope or stack: value}.

    Args:
        path: a prefix, one of its files, a folder, a SavedModel, or an
            `.npz` or `.h5` file.
        progress: called with (what is being done, share done 0 to 1).
        cells: {scope or kernel: kind}, where the kind cannot be told or is
            told wrongly; "dense" or "other" say that it is no cell.
        forget_bias: 1.0 as TensorFlow 1 has it, if not given.
        activation: "tanh" if not given; "relu", "sigmoid" and so on. Of a
            read-out, by its name, none if not given.
        recurrent_activation: of gates of tf.keras' layers, "hard_sigmoid"
            if not given, as TensorFlow 1 has it; "sigmoid" and so on.
        cell_clip, proj_clip: none if not given.
        residual: scopes with a ResidualWrapper; True for all that can have.
        layers: how many layers one cell serves, `[cell] * n`; or {stack: n}.
        input_keep_prob, output_keep_prob: a DropoutWrapper's, for training.
        bidirectional: pairs of stacks (forward, backward) that are one.
        apart: stacks that are not another's second direction.
        transposed: read-outs whose square kernel is [classes, outputs].
        embeddings: {variable: a stack that reads its rows, or a list of
            them; None for a table that feeds none}.
        averages: whether to take the moving averages of the weights.
        learning_rate, momentum: of the optimizer, which no checkpoint has.
        strict: whether to refuse what no Keras layer can express.

    Returns:
        `Converted`.

    Raises:
        UserError: the file cannot be read, a question is open, an option
            does not fit, or the converted cells do not compute the same.
    """
    try:
        options = Options(**options)
    except TypeError as error:
        raise TypeError(
            str(error).replace("Options.__init__", "convert_checkpoint")
        ) from None
    checkpoint = reader.open_checkpoint(path)
    inventory = options.recognise(checkpoint)
    return Converted(checkpoint, inventory, options, progress)


@dataclasses.dataclass(frozen=True)
class Agreement:
    """How closely a part agrees with numpy_ref on random data.

    Attributes:
        name: a cell's scope, a read-out's or a stack's name.
        form: what it is in Keras.
        error: largest difference, as `rnn_parity.ladder.error_of` has it.
        allowed: the largest that counts as agreement.
    """

    name: str
    form: str
    error: float
    allowed: float


@dataclasses.dataclass(frozen=True)
class Report:
    """What a conversion did.

    Attributes:
        agreements: list of Agreement.
        notes: lines: what was assumed, and the option to say otherwise.
        own: {scope: what no Keras layer expresses}.
        left_out: {variable: why}.
        optimizer: a line about the slots.
    """

    agreements: list
    notes: list
    own: dict
    left_out: dict
    optimizer: str

    def __str__(self):
        lines = [
            f"{one.name}: {one.form}, agrees to {one.error:.1e}"
            for one in self.agreements
        ]
        lines += self.notes
        lines += [f"left out: {n} ({w})" for n, w in self.left_out.items()]
        return "\n".join([*lines, self.optimizer]).rstrip()


class Converted:
    """A converted checkpoint.

    Attributes:
        layers: {TensorFlow 1 scope, or a read-out's or embedding's name:
            Keras layer, or cell where several make one layer}. A stack of
            two directions is there under its own name too. Embeddings that
            feed no stack are here alone.
        model: a Keras model: inputs [B, T, I], or ids [B, T] where an
            embedding feeds the stack -> outputs [B, T, O], or logits where
            one read-out reads them. With several stacks or read-outs,
            dictionaries, "/" in names written as ".".
        report: a `Report`.
        inventory: a `inventory.Inventory`.
    """

    def __init__(self, checkpoint, inventory, options, progress=None):
        self.checkpoint, self.inventory = checkpoint, inventory
        self.options = options
        self._progress = progress or (lambda what, share: None)
        self._check()
        self.cell_options = options.of_cells(inventory, checkpoint.told)
        self.activations = options.of_read_outs(inventory, checkpoint.told)
        self.residual = options.residuals(inventory)
        self.repeats = options.repeats(inventory)
        own = self._beyond_keras()
        self.layers = {}
        self._runners = {}
        importlib.import_module("rnn_parity.quiet")  # before Keras
        from rnn_parity.checkpoints import model

        self.model = model.build(self)
        agreements = verify.fill_and_compare(self)
        slots = optimizers.restore(self)
        self.report = Report(
            agreements,
            [*checkpoint.notes, *inventory.notes, *self._assumptions()],
            own,
            dict(inventory.others),
            slots,
        )

    # --- Before anything is built ---

    def _check(self):
        questions = self.inventory.questions
        if questions:
            more = f" (and {len(questions) - 1} more)" * (len(questions) > 1)
            raise UserError(questions[0].text + more)
        if not self.inventory.stacks:
            others = self.inventory.others.items()
            found = [
                f"{name} ({why})"
                for name, why in others
                if name != objects.GRAPH
            ]
            found = ", ".join(itertools.islice(found, SHOWN))
            raise UserError(
                f"{self.checkpoint.path} holds no recurrent cell of "
                f"TensorFlow 1; it holds {found or 'no variables'}"
            )
        if self.options.averages and not self.inventory.averages:
            raise UserError(
                f"{self.checkpoint.path} holds no moving averages beside "
                "the weights"
            )
        self._casts = dtypes.check(self)
        optimizers.check(self.inventory.slots, self.options)

    def _beyond_keras(self):
        own = {}
        two_ways = {
            cell.scope
            for stack in self.inventory.stacks
            for cell in stack.cells
            if stack.backward
        }
        for cell in self.cells:
            options = self.cell_options[cell.scope]
            lacking = forms.beyond_keras(cell, options)
            if cell.scope in self.residual and cell.scope in two_ways:
                lacking.append("a residual within one direction of two")
            if lacking:
                own[cell.scope] = ", ".join(lacking)
        for embedding in self.inventory.embeddings:
            if self.hands_masks_on(embedding):
                own[embedding.name] = "rows with the mask of their ids"
        outside = [
            f"{name} is {why}"
            for name, why in self.inventory.others.items()
            if why.endswith(recognise.INSIDE_ONLY)
        ]
        if outside and self.options.strict:
            raise UserError(f"{outside[0]}; --strict refuses that")
        if own and self.options.strict:
            scope, lacking = next(iter(own.items()))
            more = f" (and {len(own) - 1} more)" * (len(own) > 1)
            raise UserError(
                f"no Keras layer can express {lacking} of {scope}{more}; "
                "without --strict tf2.tf1_cells does"
            )
        return own

    def _assumptions(self):
        """Lines about what was taken for granted."""
        lines = []
        for option in OF_CELLS:
            given = self.options.given(option, self.inventory)
            able = [
                cell
                for cell in able_to(option, self.cells)
                if cell.kind.name != "CudnnCompatibleLSTMCell"
            ]
            open_ = [
                cell
                for cell in able
                if cell.scope not in given
                and option not in told_of(cell, self.checkpoint.told)
            ]
            if not open_:
                continue
            flag = f"--{option.replace('_', '-')}"
            of = ""
            if len(open_) < len(able):
                of = f" of {_some([cell.scope for cell in open_])}"
            default = open_[0].kind.options[option]
            if default is None:
                lines.append(f"no {option}{of} is assumed ({flag})")
            else:
                lines.append(
                    f"{option}{of} is taken to be {default}, TensorFlow 1's "
                    f"default, which no checkpoint tells ({flag})"
                )
        given = self.options.activation
        told = {*self.checkpoint.told, *(given if _each(given) else ())}
        plain = [
            one.name
            for one in self.inventory.read_outs
            if not told
            & {one.name, one.kernel, one.kernel.rpartition("/")[0]}
        ]
        if plain:
            lines.append(
                f"{_some(plain)} {'is' if len(plain) == 1 else 'are'} taken "
                f"to have no activation (--activation {plain[0]}=NAME)"
            )
        kinds = {cell.kind.name for cell in self.cells}
        if "CudnnCompatibleGRUCell" in kinds:
            lines.append(
                "Keras' GRU for a CudnnCompatibleGRUCell has a second bias "
                "of the gates, zeros at first; trained further it moves too, "
                "so updates are not those of TensorFlow 1"
            )
        lines += [*self._about_stacks(), *self._casts]
        beside = [
            name
            for name in self.inventory.averages
            if name in self.checkpoint.shapes
        ]
        if beside and not self.options.averages:
            count = len(beside)
            lines.append(
                f"{count} variables have moving averages beside them, which "
                "are left alone (--averages takes them for the weights)"
            )
        return lines

    def _about_stacks(self):
        lines = []
        for embedding in self.inventory.embeddings:
            if embedding.stacks and self.options.strict:
                lines.append(
                    f"a mask given to the model ends at {embedding.name}, as "
                    "Keras has it; run takes sequence_length"
                )
        for stack in self.inventory.stacks:
            fits = [
                cell.scope
                for cell in stack.cells
                if cell.sizes.inputs == cell.sizes.outputs
                and cell.scope not in self.residual
                and not cell.kind.keras
            ]
            if fits and not self.options.residual:
                lines.append(
                    f"a ResidualWrapper leaves no trace; none is assumed for "
                    f"{_some(fits)} (--residual)"
                )
            if (
                len(stack.cells) == 1
                and fits
                and (stack.name not in self.repeats)
            ):
                lines.append(
                    f"{fits[0]} may have served several layers, [cell] * n; "
                    "one is assumed (--layers)"
                )
        return lines

    # --- What there is ---

    @property
    def cells(self):
        return [cell for s in self.inventory.stacks for cell in s.cells]

    def hands_masks_on(self, embedding):
        """Whether the ids' mask is the rows', for which Keras has no layer.

        Not where the layer was one of tf.keras with `mask_zero`, which makes
        a mask of its own.
        """
        told = self.checkpoint.told.get(embedding.name, {})
        of_its_own = told.get("mask_zero") or self.options.strict
        return bool(embedding.stacks) and not of_its_own

    def weights(self):
        """The names of all weights of layers."""
        read_outs = self.inventory.read_outs
        return [
            *(name for cell in self.cells for name in cell.names),
            *(n for one in read_outs for n in (one.kernel, one.bias) if n),
            *(one.variable for one in self.inventory.embeddings),
        ]

    def dtype(self, cell):
        """The dtype of a cell's arrays, as Keras names it: they have one."""
        return self.checkpoint.dtypes[self.source(cell.names[0])]

    def forward_cells(self, stack):
        """A stack's forward cells, one as often as it has layers."""
        return stack.forward * self.repeats.get(stack.name, 1)

    def arrays(self, cell, of=None):
        """{argument: array} of a cell, read anew.

        Args:
            cell: `inventory.Cell`.
            of: {variable: what to read in its place}.
        """
        found = {}
        for argument, names in cell.variables.items():
            parts = [self._read(name, of) for name in names]
            array = parts[0] if len(parts) == 1 else np.concatenate(parts)
            found[argument] = kinds.flat_bias(argument, array)
        return found

    def read_out_arrays(self, read_out, of=None):
        """[kernel as [inputs, classes], and the bias if there is one]."""
        kernel = self._read(read_out.kernel, of)
        arrays = [kernel.T if read_out.transposed else kernel]
        if read_out.bias:
            arrays.append(self._read(read_out.bias, of).reshape(-1))
        return arrays

    def embedding_array(self, embedding, of=None):
        """[V, I]."""
        return self._read(embedding.variable, of)

    def source(self, name):
        """The variable that a weight is read from: itself or its average."""
        there = name in self.checkpoint.shapes
        if there and not self.options.averages:
            return name
        return self.inventory.averages.get(name, name)

    def _read(self, name, of):
        source = self.source(name) if of is None else of[name]
        array = self.checkpoint.read(source)
        if of is None and not _finite(array):
            raise UserError(
                f"{source} holds values that are not finite; nothing "
                "computed with it could be compared"
            )
        return array

    # --- Running under TensorFlow 1's conventions ---

    def run(
        self, inputs, initial_state=None, sequence_length=None, stack=None
    ):
        """Runs a converted stack as TensorFlow 1 ran it.

        Args:
            inputs: [B, T, I]; or ids [B, T], whole numbers, where an
                embedding feeds the stack.
            initial_state: nested as TensorFlow 1 nests it, c before h: an
                array [B, H] or a pair (c, h) for a cell, a tuple of those
                for a stack, a pair (forward, backward) for two directions;
                or one array with all of it side by side in the last axis,
                as with `state_is_tuple=False`. Zeros by default.
            sequence_length: [B]; past it outputs are 0 and the state stays.
            stack: which one, by name; needed where there are several. One
                direction of two, by its own name or as NAME/fw or NAME/bw,
                reads its inputs as given, like a loop of its own.

        Returns:
            (outputs, final_state), NumPy arrays, the state nested like the
            initial one is. Outputs are [B, T, O]; of two directions, a pair
            of them, as `bidirectional_dynamic_rnn` gives it, or where layers
            alternate, as with `stack_bidirectional_dynamic_rnn`, both side
            by side.

        Raises:
            UserError: the arrays do not fit the stack.
        """
        from rnn_parity.checkpoints import running

        stack = self.inventory.stack(stack)
        return running.run(
            self, stack, inputs, initial_state, sequence_length
        )

    def read_out(self, outputs, name=None):
        """Logits [..., classes] of a stack's outputs [..., O].

        Args:
            outputs: of `run`; a pair is put side by side.
            name: which read-out; needed where there are several.
        """
        names = [one.name for one in self.inventory.read_outs]
        if name is None and len(names) != 1:
            raise UserError(f"name one of the read-outs: {', '.join(names)}")
        name = names[0] if name is None else name
        if name not in names:
            raise UserError(
                f"there is no read-out {name}; there are: {names}"
            )
        if isinstance(outputs, tuple):
            outputs = np.concatenate(outputs, axis=-1)
        return np.asarray(self.layers[name](outputs))

    def save(self, path, force=False):
        """Writes the model to `.keras`, `.weights.h5` or `.npz`, whole.

        Raises:
            UserError: another ending, the file is there already and not
                `force`, or it cannot be written.
        """
        from rnn_parity.checkpoints import saving

        saving.save(self, path, force)


def _each(option):
    """Whether it is given for each, and not for all."""
    return isinstance(option, dict)


def _finite(array):
    """Whether all values are, without an array of answers."""
    return not array.size or bool(
        np.isfinite(array.min()) and np.isfinite(array.max())
    )


def _some(names):
    shown = ", ".join(names[:SHOWN])
    more = len(names) - SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
