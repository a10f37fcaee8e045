"""Plants faults and runs the tests that must notice: `make mutants`.

mutmut changes one place of a function at a time and runs the tests that call
that function. Which modules and which test files take part is in
pyproject.toml, [tool.mutmut]. What no test noticed is in `record.json`, with
the reason why it cannot be seen. All of it happens in a temporary copy.

mutmut leaves code outside of functions and functions with a decorator as
they are.
"""
