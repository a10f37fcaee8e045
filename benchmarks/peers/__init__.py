"""The same training in JAX, PyTorch and C, for comparison.

Each module has `build(section, config, params)`, which gives a function
train(x, y, state, sequence_length=None) -> losses [N]; it goes on from the
weights that the call before left.
"""
