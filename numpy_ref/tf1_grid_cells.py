"""The grid of `tf.contrib.grid_rnn`, one step forward."""

import numpy as np

from numpy_ref.tf1_cells import RNNCell, flat_state


class GridRNNCell(RNNCell):
    """A cell along each of N dimensions, all N seeing one another.

    The inputs replace what came out along the first dimension, and what its
    cell kept: m_1 = x_t project_m, c_1 = x_t project_c. Then every other
    cell i runs, with the same inputs and the same output h of the last one,

        m'_i, c'_i = cell_i([m_1, ..., m_{N-1}], (c_i, m_N))

    and after them the first one, which sees what they put out:

        m'_1, c'_1 = cell_1([m_1, m'_2, ..., m'_{N-1}], (c_1, m'_N))

    So the state along the first dimension is never read, and a grid of one
    dimension remembers nothing. The output is m'_1, the state one of each
    cell. With cells that keep no c there is none. Kalchbrenner et al., 2015
    (arXiv 1507.01526); `Grid1BasicRNNCell`, `Grid1BasicLSTMCell`,
    `Grid1LSTMCell`, `Grid2BasicRNNCell`, `Grid2BasicLSTMCell`,
    `Grid2LSTMCell`, `Grid2GRUCell` and `Grid3LSTMCell` without a
    `non_recurrent_fn` are this cell.

    Args:
        cells: one for each dimension, all of H units and with (N - 1) H
            inputs; tied, the same one.
        project_m, project_c: [I, H], "project_m_0" and "project_c_0";
            the second one for cells with c alone.
    """

    def __init__(self, cells, *, project_m, project_c=None):
        self.cells = list(cells)
        self.project_m, self.project_c = project_m, project_c
        self.dtype = project_m.dtype
        self.input_size, self.output_size = project_m.shape
        self.state_size = tuple(cell.state_size for cell in self.cells)

    def step(self, inputs, state):
        kept = [list(flat_state(each)) for each in state]
        kept[0] = [np.matmul(inputs, self.project_m)]
        if self.project_c is not None:
            kept[0].insert(0, np.matmul(inputs, self.project_c))
        m = [each[-1] for each in kept]
        new_m, new_state = list(m), [None] * len(m)
        for place in (*range(1, len(m)), 0):
            seen = new_m if place == 0 else m
            old = (*kept[place][:-1], seen[-1])
            nothing = np.zeros((len(inputs), 0), self.dtype)
            output, new_state[place] = self.cells[place].step(
                np.concat([nothing, *seen[:-1]], 1),
                old if len(old) == 2 else old[0],
            )
            if place:
                new_m[place] = output
        return output, tuple(new_state)
