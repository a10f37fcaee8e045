"""The commands of `rnn-parity`, one file each."""
