"""`python -m rnn_parity`: the command line."""

from rnn_parity.cli import main

main()
