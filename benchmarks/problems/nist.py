"""NIST StRD nonlinear regression: 27 data sets, each with two starts and certified results.

The data, starts and certified values (11 digits, computed in extended precision) stand in
`nist.json`, one data set a line. Source: National Institute of Standards and Technology,
Statistical Reference Datasets, nonlinear regression (1998), public domain. A model is called as
`model(x, params)`; x is (m,), for Nelson (2, m), and Nelson's y is already the logarithm.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
MOST_DIGITS = 11.0  # the certified values carry no more


def saturating_exponential(x, b):
    return b[0] * (1 - jnp.exp(-b[1] * x))


def misra1b(x, b):
    return b[0] * (1 - (1 + b[1] * x / 2) ** -2)


def misra1c(x, b):
    return b[0] * (1 - (1 + 2 * b[1] * x) ** -0.5)


def misra1d(x, b):
    return b[0] * b[1] * x / (1 + b[1] * x)


def chwirut(x, b):
    return jnp.exp(-b[0] * x) / (b[1] + b[2] * x)


def lanczos(x, b):
    return b[0] * jnp.exp(-b[1] * x) + b[2] * jnp.exp(-b[3] * x) + b[4] * jnp.exp(-b[5] * x)


def two_peaks(x, b):
    first = b[2] * jnp.exp(-(((x - b[3]) / b[4]) ** 2))
    second = b[5] * jnp.exp(-(((x - b[6]) / b[7]) ** 2))
    return b[0] * jnp.exp(-b[1] * x) + first + second


def danwood(x, b):
    return b[0] * x ** b[1]


def kirby2(x, b):
    return (b[0] + x * (b[1] + x * b[2])) / (1 + x * (b[3] + x * b[4]))


def cubic_over_cubic(x, b):
    numerator = b[0] + x * (b[1] + x * (b[2] + x * b[3]))
    return numerator / (1 + x * (b[4] + x * (b[5] + x * b[6])))


def nelson(x, b):
    return b[0] - b[1] * x[0] * jnp.exp(-b[2] * x[1])


def mgh17(x, b):
    return b[0] + b[1] * jnp.exp(-x * b[3]) + b[2] * jnp.exp(-x * b[4])


def roszman1(x, b):
    return b[0] - b[1] * x - jnp.arctan(b[2] / (x - b[3])) / jnp.pi


def enso(x, b):
    turn = 2 * jnp.pi * x
    annual = b[1] * jnp.cos(turn / 12) + b[2] * jnp.sin(turn / 12)
    first = b[4] * jnp.cos(turn / b[3]) + b[5] * jnp.sin(turn / b[3])
    second = b[7] * jnp.cos(turn / b[6]) + b[8] * jnp.sin(turn / b[6])
    return b[0] + annual + first + second


def mgh09(x, b):
    return b[0] * x * (x + b[1]) / (x * (x + b[2]) + b[3])


def rat42(x, b):
    return b[0] / (1 + jnp.exp(b[1] - b[2] * x))


def rat43(x, b):
    return b[0] / (1 + jnp.exp(b[1] - b[2] * x)) ** (1 / b[3])


def mgh10(x, b):
    return b[0] * jnp.exp(b[1] / (x + b[2]))


def eckerle4(x, b):
    return b[0] / b[1] * jnp.exp(-0.5 * ((x - b[2]) / b[1]) ** 2)


def bennett5(x, b):
    return b[0] * (b[1] + x) ** (-1 / b[2])


MODELS = {
    "Misra1a": saturating_exponential,
    "Chwirut2": chwirut,
    "Chwirut1": chwirut,
    "Lanczos3": lanczos,
    "Gauss1": two_peaks,
    "Gauss2": two_peaks,
    "DanWood": danwood,
    "Misra1b": misra1b,
    "Kirby2": kirby2,
    "Hahn1": cubic_over_cubic,
    "Nelson": nelson,
    "MGH17": mgh17,
    "Lanczos1": lanczos,
    "Lanczos2": lanczos,
    "Gauss3": two_peaks,
    "Misra1c": misra1c,
    "Misra1d": misra1d,
    "Roszman1": roszman1,
    "ENSO": enso,
    "MGH09": mgh09,
    "Thurber": cubic_over_cubic,
    "BoxBOD": saturating_exponential,
    "Rat42": rat42,
    "MGH10": mgh10,
    "Eckerle4": eckerle4,
    "Rat43": rat43,
    "Bennett5": bennett5,
}
NAMES = tuple(MODELS)
_TABLE: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_suffix(".json").read_text())


class Problem(NamedTuple):
    """One data set: x (m,) or (2, m), y (m,), starts (2, n), certified values (n,)."""

    name: str
    model: Any
    x: Floats
    y: Floats
    starts: Floats
    certified: Floats
    stderr: Floats
    rss: float
    residual_std: float
    num_parameters: int
    difficulty: str


def load(name: str) -> Problem:
    """The data set `name`, one of NAMES; raises KeyError for another name."""
    entry = _TABLE[name]
    y = np.asarray(entry["y"])
    return Problem(
        name=name,
        model=MODELS[name],
        x=np.asarray(entry["x"]),
        y=np.log(y) if name == "Nelson" else y,
        starts=np.asarray(entry["starts"]),
        certified=np.asarray(entry["certified"]),
        stderr=np.asarray(entry["stderr"]),
        rss=entry["rss"],
        residual_std=entry["residual_std"],
        num_parameters=len(entry["certified"]),
        difficulty=entry["difficulty"],
    )


def lre(estimate: ArrayLike, certified: ArrayLike) -> Floats:
    """Correct digits of each value, −log10 |q − c| / |c|, between 0 and 11; a NaN has none.

    Where c = 0 the error is absolute. Source: McCullough (1998).
    """
    estimate, certified = np.asarray(estimate, float), np.asarray(certified, float)
    scale = np.where(certified == 0, 1.0, np.abs(certified))
    with np.errstate(divide="ignore", invalid="ignore"):
        digits = -np.log10(np.abs(estimate - certified) / scale)
    return np.clip(np.where(np.isnan(digits), 0.0, digits), 0.0, MOST_DIGITS)


def worst_lre(estimate: ArrayLike, certified: ArrayLike) -> float:
    """Correct digits of the worst value, the score of one fit."""
    return float(np.min(lre(estimate, certified)))
