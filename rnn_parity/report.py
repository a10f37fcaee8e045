"""What `rnn-parity check` prints and writes."""

import dataclasses
import importlib.metadata
import platform

from rich.table import Table
from rich.text import Text

from rnn_parity import ladder, sections, tolerances

_HEADINGS = {
    "one step": "one step",
    "states": "states",
    "logits": "logits",
    "predictions": "predic-\ntions",
    "loss": "loss",
    "gradients": "gradi-\nents",
    "training losses": "training\nlosses",
    "final weights": "final\nweights",
    "accumulators": "accumu-\nlators",
}


@dataclasses.dataclass(frozen=True)
class Result:
    """A comparison and all that came of it."""

    comparison: object
    differences: list

    @property
    def first(self):
        """The first rung and tensor that differ, or None."""
        return ladder.first_difference(self.differences)


def tables(results):
    """One table per dtype: the worst error by section and rung."""
    dtypes = dict.fromkeys(r.comparison.dtype for r in results)
    return [_table(dtype, results) for dtype in dtypes]


def _table(dtype, results):
    results = [r for r in results if r.comparison.dtype == dtype]
    table = Table(box=None, padding=(0, 1, 0, 0), title_justify="left")
    table.title = (
        f"{dtype}: worst error over {len(results)} comparisons, "
        "tolerance below it"
    )
    table.add_column("")
    for heading in _HEADINGS.values():
        table.add_column(
            Text(heading),
            justify="right",
            vertical="bottom",
            overflow="fold",
        )
    for key in dict.fromkeys(r.comparison.section for r in results):
        mine = [r for r in results if r.comparison.section == key]
        worst, allowed = zip(
            *(_cells(key, dtype, rung, mine) for rung in _HEADINGS),
            strict=True,
        )
        failing = any(r.first for r in mine)  # shapes too, in no column
        table.add_row(Text(key, style=_style(not failing)), *worst)
        table.add_row("", *allowed)
    return table


def _cells(key, dtype, rung, results):
    found = [d for r in results for d in r.differences if d.rung == rung]
    allowed = tolerances.find(sections.SECTIONS[key], rung, dtype).allowed
    error = max((d.error for d in found), default=float("nan"))
    return (
        Text(f"{error:.1e}", style=_style(error <= allowed)),
        Text(f"≤{allowed:.0e}", style="dim"),
    )


def _style(agrees):
    return "green" if agrees else "bold red"


def summary(results):
    """The last line, and before it a line for every comparison that fails."""
    failed = [r for r in results if r.first]
    lines = [f"{r.comparison} differ first at {r.first}" for r in failed]
    total = len(results)
    if failed:
        lines.append(f"{len(failed)} of {total} comparisons differ")
    else:
        lines.append(f"all {total} comparisons agree")
    return lines


def as_json(results):
    """Everything compared, as plain data."""
    return {
        "environment": environment(),
        "agree": not any(r.first for r in results),
        "comparisons": [
            {
                **dataclasses.asdict(r.comparison),
                "agree": r.first is None,
                "first_difference": r.first and _plain(r.first),
                "differences": [_plain(d) for d in r.differences],
            }
            for r in results
        ],
    }


def _plain(difference):
    """JSON has no infinity: "inf" stands for it."""
    plain = dataclasses.asdict(difference)
    for name in ("error", "ulps"):
        if plain[name] == float("inf"):
            plain[name] = "inf"
    for name in ("value", "reference"):
        plain[name] = str(plain[name])
    return plain | {"agrees": difference.agrees}


def environment():
    """Python and the packages that the numbers depend on."""
    packages = ("tensorflow", "keras", "tf-keras", "numpy")
    versions = {name: _version(name) for name in packages}
    return {"python": platform.python_version(), **versions}


def _version(package):
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None
