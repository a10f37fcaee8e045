"""Training on the echo task, for `rnn-parity run`.

stream      the data, decided by seed and epoch alone
session     one network in training: advance, evaluate, save, resume
checkpoint  what is saved, read back whole or not at all
picture     the tutorial's picture, as a file, a film or a window
workers     data-parallel training over tf.distribute
"""
