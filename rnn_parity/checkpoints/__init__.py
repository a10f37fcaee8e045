"""TensorFlow 1 checkpoints: read, recognised, converted, proven, exported.

    reader      any checkpoint file -> names, shapes and arrays
    kinds       the catalogue of cells: what their variables are called
    scopes      what the parts of a variable's name say
    recognise   names and shapes -> an inventory
    inventory   stacks of cells, read-outs, embeddings, slots
    convert     what was recognised -> Keras layers and a model
    verify      the Keras layers against numpy_ref, on random data
    export      a converted model -> a TensorFlow 1 checkpoint
    diagnose    which mistake explains what a port computed

Only what needs TensorFlow imports it.
"""
