"""How each version answers `rnn_parity.contract`: one adapter for each."""
