"""What the tests of the command share: inputs, a configuration, a call."""

from pathlib import Path

import numpy as np
from click.testing import CliRunner

from mvopt.cli import main

X = np.linspace(0, 5, 12)


def invoke(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def decays(count, rng):
    truth = rng.uniform((2, 0.5, 0.1), (4, 1.5, 0.5), (count, 3))
    a, b, c = truth.T[..., None]
    return a * np.exp(-b * X) + c + rng.normal(0, 0.01, (count, len(X)))


def lines(y, ids):
    rows = (
        f"{i},{x},{v}" for i, row in zip(ids, y, strict=True) for x, v in zip(X, row, strict=True)
    )
    return "id,x,y\n" + "\n".join(rows) + "\n"


CONFIG = """
[data]
path = "a.csv"
dataset = "id"
x = "x"
y = "y"
[model]
expression = "a*exp(-b*x) + c"
[output]
path = "out"
csv = true
"""


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def assert_one_line(result, words):
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("mvopt: ")
    assert len(result.stderr) < 700
    for word in words:
        assert word in result.stderr
