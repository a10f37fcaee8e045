"""The cells of `recorded/contrib_cases.py`, as numpy_ref has them.

Each is a function of a `tf1_cases.Recorded`.
"""

import functools

from numpy_ref import tf1_attention_cells as attention
from numpy_ref import tf1_cells as cells
from numpy_ref import tf1_contrib_cells as contrib
from numpy_ref import tf1_frequency_cells as frequency
from numpy_ref import tf1_grid_cells as grid

# --- Attention ---


def attention_cell_wrapper(case):
    scope = "rnn/attention_cell_wrapper"
    names = {
        "kernel": "kernel",
        "bias": "bias",
        "attn_w": "attention/attn_w",
        "attn_v": "attention/attn_v",
        "query_kernel": "attention/kernel",
        "query_bias": "attention/bias",
        "output_kernel": "attn_output_projection/kernel",
        "output_bias": "attn_output_projection/bias",
    }
    inside = f"{scope}/basic_lstm_cell"
    return attention.AttentionCellWrapper(
        case.cell(cells.BasicLSTMCell, inside, forget_bias=0.3),
        attn_length=4,
        **{name: case[f"{scope}/{names[name]}"] for name in names},
    )


def attention_wrapper(case):
    scope = "rnn/attention_wrapper"
    given = {"memory_kernel": case["memory_layer/kernel"]}
    kind, of = attention.LuongAttention, f"{scope}/luong_attention"
    if case.key[0].startswith("Bahdanau"):
        kind, of = attention.BahdanauAttention, f"{scope}/bahdanau_attention"
        given["query_kernel"] = case[f"{of}/query_layer/kernel"]
        given["attention_v"] = case[f"{of}/attention_v"]
        given["attention_b"] = case[f"{of}/attention_b"]
    mechanism = kind(
        case.given("memory"),
        case.given("memory_lengths"),
        attention_g=case[f"{of}/attention_g"],
        **given,
    )
    kernel = case[f"{scope}/attention_layer/kernel"]
    return attention.AttentionWrapper(
        case.cell(cells.BasicLSTMCell, f"{scope}/basic_lstm_cell"),
        mechanism,
        kernel,
        output_attention=kernel is not None,
    )


# --- Grids ---


def grid_rnn_cell(case, kind, name, dimensions, tied=False, **options):
    scope = f"rnn/{case.key[0]}"
    within = [
        "recurrent" if tied else f"recurrent/cell_{place}"
        for place in range(dimensions)
    ]
    return grid.GridRNNCell(
        [case.cell(kind, f"{scope}/{w}/{name}", **options) for w in within],
        project_m=case[f"{scope}/project_m_0"],
        project_c=case[f"{scope}/project_c_0"],
    )


def of_grid(kind, name, dimensions, **options):
    """A function that makes this grid of a case."""
    return functools.partial(
        grid_rnn_cell, kind=kind, name=name, dimensions=dimensions, **options
    )


# --- Decoders ---


def training_helper(case):
    return cells.OutputProjectionWrapper(
        case.cell(cells.GRUCell, "decoder/gru_cell"),
        kernel=case["decoder/dense/kernel"],
        bias=case["decoder/dense/bias"],
    )


def rnn_decoder(case):
    return case.cell(cells.GRUCell, "rnn_decoder/gru_cell")


def embedding_rnn_decoder(case):
    scope = "embedding_rnn_decoder"
    cell = case.cell(cells.GRUCell, f"{scope}/rnn_decoder/gru_cell")
    return cells.EmbeddingWrapper(cell, embedding=case[f"{scope}/embedding"])


# --- Images, cycles ---


def conv_lstm_cell(case, dimensions, scope="rnn/", **options):
    return case.cell(
        contrib.ConvLSTMCell,
        f"{scope}conv_{dimensions}d_lstm_cell",
        image_shape=case.inputs.shape[2:-1],
        **options,
    )


def phased_lstm_cell(case):
    scope = "rnn/phased_lstm_cell"
    return case.cell(contrib.PhasedLSTMCell, scope, leak=0.25)


# --- Time and frequency ---


def time_freq_lstm_cell(case, **options):
    scope = "rnn/time_freq_lstm_cell"
    peepholes = {
        f"w_{gate}_diag": case[f"{scope}/W_{gate.upper()}_diag"]
        for gate in "fio"
    }
    return frequency.TimeFreqLSTMCell(
        kernel=case[f"{scope}/W_0"],
        bias=case[f"{scope}/B"],
        input_size=case.inputs.shape[-1],
        frequency_skip=2,
        **peepholes,
        **options,
    )


def grid_block(
    case, scope, place=0, forget_bias=1.0, cell_clip=None, coupled=False
):
    both = []
    for which, along in (("f", "freq"), ("t", "time")):
        if case[f"{scope}/W_{which}_{place}_0"] is None:
            which, along = "f", "freq"  # one for both
        names = {
            "kernel": f"W_{which}_{place}_0",
            "bias": f"B_{which}_{place}",
            **{
                f"w_{gate}_{of}": f"W_{gate.upper()}_diag_{along}{of}_{place}"
                for gate in "ifo"
                for of in "ft"
            },
        }
        both.append({n: case[f"{scope}/{names[n]}"] for n in names})
    return frequency.GridBlock(*both, forget_bias, cell_clip, coupled)


def grid_lstm_cell(case, coupled=False):
    return frequency.GridLSTMCell(
        blocks=[grid_block(case, "rnn/grid_lstm_cell", coupled=coupled)],
        input_size=case.inputs.shape[-1],
        frequency_skip=2,
    )


def grid_lstm_cell_all(case):
    scope = "rnn/grid_lstm_cell"
    blocks = [grid_block(case, scope, place, 0.3, 0.5) for place in range(2)]
    return frequency.GridLSTMCell(
        blocks=blocks,
        input_size=case.inputs.shape[-1],
        ranges=[(0, 4), (2, 7)],
    )


def bidirectional_grid_lstm_cell(case):
    scope = "rnn/bidirectional_grid_lstm_cell"
    both = [
        frequency.GridLSTMCell(
            blocks=[grid_block(case, f"{scope}/{way}")],
            input_size=case.inputs.shape[-1],
            frequency_skip=2,
            slice_offset=offset,
            reverse=offset > 0,
        )
        for way, offset in (("fwd", 0), ("bwd", 1))
    ]
    return frequency.BidirectionalGridLSTMCell(*both)


CELLS = {
    "AttentionCellWrapper": attention_cell_wrapper,
    "AttentionCellWrapper all": attention_cell_wrapper,
    "Conv1DLSTMCell": functools.partial(conv_lstm_cell, dimensions=1),
    "Conv2DLSTMCell": functools.partial(
        conv_lstm_cell, dimensions=2, forget_bias=0.3
    ),
    "Conv3DLSTMCell": functools.partial(conv_lstm_cell, dimensions=3),
    "ConvLSTMCell skip": functools.partial(
        conv_lstm_cell, dimensions=1, scope="", skip_connection=True
    ),
    "PhasedLSTMCell": phased_lstm_cell,
    "PhasedLSTMCell peepholes": phased_lstm_cell,
    "TimeFreqLSTMCell": time_freq_lstm_cell,
    "TimeFreqLSTMCell all": functools.partial(
        time_freq_lstm_cell, forget_bias=0.3, cell_clip=0.5
    ),
    "GridLSTMCell": grid_lstm_cell,
    "GridLSTMCell all": grid_lstm_cell_all,
    "GridLSTMCell shared": functools.partial(grid_lstm_cell, coupled=True),
    "BidirectionalGridLSTMCell": bidirectional_grid_lstm_cell,
    "Grid1BasicRNNCell": of_grid(cells.BasicRNNCell, "basic_rnn_cell", 1),
    "Grid1BasicLSTMCell": of_grid(
        cells.BasicLSTMCell, "basic_lstm_cell", 1, forget_bias=0.3
    ),
    "Grid1LSTMCell": of_grid(cells.LSTMCell, "lstm_cell", 1),
    "Grid2BasicRNNCell": of_grid(cells.BasicRNNCell, "basic_rnn_cell", 2),
    "Grid2BasicLSTMCell": of_grid(
        cells.BasicLSTMCell, "basic_lstm_cell", 2, tied=True
    ),
    "Grid2LSTMCell": of_grid(cells.LSTMCell, "lstm_cell", 2, forget_bias=0.3),
    "Grid2GRUCell": of_grid(cells.GRUCell, "gru_cell", 2),
    "Grid3LSTMCell": of_grid(cells.LSTMCell, "lstm_cell", 3),
    "BahdanauAttention": attention_wrapper,
    "BahdanauAttention normalize": attention_wrapper,
    "LuongAttention": attention_wrapper,
    "LuongAttention scale": attention_wrapper,
    "TrainingHelper": training_helper,
    "rnn_decoder": rnn_decoder,
    "embedding_rnn_decoder": embedding_rnn_decoder,
}
