"""How far Keras is from what TensorFlow 1.15.5 recorded, case by case.

    python -m docs_build.proofs

runs what the verdict tests run and writes the errors to
docs/data/proofs.json. A test measures some of them again.
"""

import html
import json
import pathlib
import sys

from docs_build import pages, pairs
from docs_build.traps import in_words
from rnn_parity import verdicts

ROOT = pathlib.Path(__file__).parent.parent
FILE = ROOT / "docs" / "data" / "proofs.json"
TESTS = ROOT / "parity_tests"


def measure(name, dtype):
    """The largest error of Keras' form; None where no Keras cell fits."""
    if str(TESTS) not in sys.path:
        sys.path.insert(0, str(TESTS))
    import test_verdicts

    from rnn_parity import ladder

    try:
        found, expected = test_verdicts.run_keras(name, dtype)
    except LookupError:
        return None
    keys = ["outputs"]
    if any(name in row.cases and _same(row) for row in verdicts.TABLE):
        keys = list(expected)
    return max(ladder.error_of(found[key], expected[key]) for key in keys)


def _same(row):
    return row.verdict in (verdicts.EQUAL, verdicts.WITH_ARGUMENTS)


def measure_all():
    """{case: {dtype: error}}."""
    sys.path.insert(0, str(TESTS))
    import tf1_cases

    return {
        name: {dtype: measure(name, dtype) for dtype in dtypes}
        for name, dtypes in sorted(tf1_cases.recorded_dtypes().items())
    }


def recorded():
    """{case: {dtype: error}}, as the file says."""
    return json.loads(FILE.read_text())


def anchor(case):
    """Where the page of proofs shows a case."""
    return f"case-{pages.slug(case)}"


def listed(slots):
    """Every case: what it proves, by how much, and how to run it."""
    rows = {}
    for row in verdicts.TABLE:
        for case in row.cases:
            rows.setdefault(case, []).extend(
                (row, test)
                for test in row.tests
                if test.endswith(f"[{case}]")
            )
    return slots.block(
        "".join(_case(case, of_case) for case, of_case in rows.items())
    )


def _case(case, rows):
    named = dict.fromkeys(row.symbol for row, _ in rows)
    symbols = "; ".join(f"<code>tf.{html.escape(s)}</code>" for s in named)
    errors = recorded()[case]
    commands = {
        f'.venv/bin/pytest "{test.removesuffix("]")}-{dtype}]"'
        for _, test in rows
        for dtype in errors
        if dtype == max(errors)
    }
    return (
        f'<section class="proof"><h3 id="{anchor(case)}">'
        f"{html.escape(case)}</h3><p>{symbols}. {_sizes(errors)}</p>"
        + "".join(pairs.shell(command) for command in sorted(commands))
        + "</section>"
    )


def _sizes(errors):
    if None in errors.values():
        return "No Keras cell holds these weights and states."
    sizes = ", ".join(
        f"{in_words(error)} in {dtype}" for dtype, error in errors.items()
    )
    return f"Keras' form is off by {sizes}."


def source(slots, *names):
    """The source of test functions of `parity_tests/test_verdicts.py`."""
    import ast

    text = (TESTS / "test_verdicts.py").read_text()
    found = {
        node.name: ast.get_source_segment(text, node)
        for node in ast.parse(text).body
        if isinstance(node, ast.FunctionDef)
    }
    code = "\n\n\n".join(found[name] for name in names)
    return slots.block(pairs.code(code))


def main():
    """Measures all and writes the file."""
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(json.dumps(measure_all(), indent=1) + "\n")


if __name__ == "__main__":
    main()
