"""Plants faults and runs the tests that must notice: `make mutants`.

mutmut changes one place of a function at a time and runs the tests that call
that function. Which modules and which test files take part is in
pyproject.toml, [tool.mutmut]. `record.json` holds what came of the last run
and, for every fault that no test notices, the reason why it cannot be seen;
`python -m mutation --record` writes it again and keeps the reasons. All of
it happens in a temporary copy of the tree.

One fault in four of each module is planted, always the same ones;
`python -m mutation --every 1` plants all. Texts in capitals or small letters
only are not planted. mutmut leaves code outside of functions and functions
with a decorator as they are.
"""
