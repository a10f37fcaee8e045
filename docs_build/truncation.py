"""The experiment: how long a truncation the echo needs.

    python -m docs_build.truncation

trains the NumPy version of section 2 for many truncations and writes what
came of it to docs/data/truncation.json. A test trains some of them again.
"""

import json
import pathlib

from docs_build.svg import Drawing
from rnn_parity.config import Config

FILE = pathlib.Path(__file__).parent.parent / "docs/data/truncation.json"
ECHO = 5
TRUNCATIONS = (1, 2, 3, 4, 5, 6, 7, 8, 10, 15)
SERIES = 15000
EPOCHS = 3
UNITS = 8


def config_of(steps):
    """The same number of samples, whatever the truncation."""
    row = 5 * steps
    return Config(
        num_epochs=EPOCHS,
        total_series_length=SERIES - SERIES % row,
        echo_step=ECHO,
        truncated_backprop_length=steps,
        state_size=UNITS,
    )


def share(steps, seed=1):
    """What share of unseen echoes the trained network gets right."""
    from rnn_parity.training.session import Session

    session = Session("s2", "numpy_ref", config_of(steps), seed=seed)
    while not session.finished:
        session.advance()
    evaluation = session.evaluate()
    return evaluation.correct / evaluation.total


def recorded():
    """{truncation: share of right echoes}."""
    shares = json.loads(FILE.read_text())
    return {int(steps): share for steps, share in shares.items()}


def share_of(steps):
    """Such as 57%."""
    return f"{recorded()[steps]:.0%}"


def chart(slots, caption):
    """A bar for every truncation; what guessing gives is a line."""
    shares = recorded()
    left, top, height, bar = 50, 30, 180, 37
    drawing = Drawing(
        left + len(shares) * bar + 20,
        top + height + 52,
        "Share of right echoes by truncation: half up to the length of the "
        "echo, all of them above it.",
    )
    for percent in (0, 50, 100):
        y = top + height * (1 - percent / 100)
        end = len(shares) * bar
        drawing.path(f"M {left} {y} h {end}", "line", arrow=False)
        drawing.words(left - 8, y + 4, f"{percent}%", "quiet", 12, "end")
    for place, (steps, right) in enumerate(shares.items()):
        x, tall = left + place * bar, height * right
        fill = "a" if steps > ECHO else "b"
        place_and_size = x + 6, top + height - tall, bar - 12, tall
        drawing.rectangle(*place_and_size, fill, fill)
        middle = x + bar / 2
        drawing.words(middle, top + height + 18, steps, "ink", 12)
        drawing.words(
            middle, top + height - tall - 6, f"{right:.0%}", size=11
        )
    drawing.words(
        left + len(shares) * bar / 2,
        top + height + 42,
        f"truncated_backprop_length (echo_step = {ECHO})",
        "quiet",
        12,
    )
    return slots.block(
        '<figure class="drawn"><div tabindex="0" role="group" '
        f'aria-label="Chart">{drawing.picture("truncation")}</div>'
        f"<figcaption>{caption}</figcaption></figure>"
    )


def main():
    """Runs the experiment."""
    shares = {steps: round(share(steps), 3) for steps in TRUNCATIONS}
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(json.dumps(shares, indent=1) + "\n")
    for steps, right in shares.items():
        print(f"T = {steps:2}: {right:.3f}")


if __name__ == "__main__":
    main()
