"""How each version answers the contract and is trained.

A module per version, with two classes of the same names: `Adapter` answers
`forward`, `loss_and_gradients` and `train`; `Network` is one built network
with what training needs around it:

    restore(params, accumulators=None)   by their TensorFlow 1 names
    params(), accumulators()             the same way out
    arrays(), assign(arrays)             the version's own, bit for bit
    train(x, y, state, **extras)         -> (losses [N], state), N windows
    predict(batch_x, state, **extras)    -> (predictions [B, T, C], state)
"""
