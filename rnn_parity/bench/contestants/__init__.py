"""The same LSTM and training step, written once per strategy.

Each module has `build(job, data, **options)`, which gives an object with

    prepare(kind)   build or trace "forward" or "train"; what is timed apart
    run(kind)       call it once, with the inputs as arguments, and wait
    outputs()       [B, T, H] that the last "forward" computed
    loss()          of the last "train"
    weights()       a list of (kernel [2 H, 4 H], bias [4 H]) per layer, in
                    TensorFlow 1's layout
    nodes()         how many nodes the training step's graph has, or None

and, where the graph of "train" holds that of "forward", `one_graph = True`.
Those that train many steps in one call have `run_many(count)` besides.

All of them compute mean((outputs - target)^2) and take a step of gradient
descent. Inputs, target and state are arguments.
"""
