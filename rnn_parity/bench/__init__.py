"""Static, dynamic, partial or fused? What each costs, measured apart.

jobs         what is computed: steps, batch, width, layers, dtype
strategies   who computes it, and which of them can
reference    what must come out, from numpy_ref
worker       a strategy's own process: builds, proves itself, is timed
contest      the rounds in which they take turns
results      pytest-benchmark JSON, written, read and asked
tables, plots, verdict, compare: what it says
"""
