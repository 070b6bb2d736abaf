"""Noisy data of the named models at random parameters, and SciPy's fit of them as a judge."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from benchmarks.problems.formulas import by_numpy
from benchmarks.problems.model_draws import DRAWS
from mvopt.regression.models import Model

Array = NDArray


class Problem(NamedTuple):
    """x (m,) or (num_x, m), y (m,) and the true parameters (n,)."""

    x: Array
    y: Array
    truth: Array


class Batch(NamedTuple):
    """Problems padded to one length: x (N, …, m), y (N, m), mask (N, m) and truth (N, n)."""

    x: Array
    y: Array
    mask: Array
    truth: Array


def make(model: Model, rng: np.random.Generator, noise: float) -> Problem:
    """One problem in random units, with normal noise in units of the range of the clean data."""
    sx, sy = rng.choice([1e-6, 1, 1e6]), rng.choice([1e-9, 1, 1e9])
    x, truth = DRAWS[model.name](rng, sx, sy)
    truth = np.array(truth, float)
    clean = by_numpy(model, x, truth) + np.zeros(x.shape[-1])
    return Problem(x, clean + noise * np.ptp(clean) * rng.normal(size=clean.shape), truth)


def padded(problems: list[Problem], length: int | None = None) -> Batch:
    """The spare points hold NaN, and the mask leaves them out."""
    longest = max(len(problem.y) for problem in problems) if length is None else length
    rows = []
    for x, y, truth in problems:
        spare = (0, longest - len(y))
        wide = [(0, 0)] * (x.ndim - 1) + [spare]
        x, y = np.pad(x, wide, constant_values=np.nan), np.pad(y, spare, constant_values=np.nan)
        rows.append((x, y, ~np.isnan(y), truth))
    return Batch(*(np.stack(column) for column in zip(*rows, strict=True)))


def fit_by_scipy(model: Model, problem: Problem, start: Array) -> tuple[Array, float]:
    """Parameters and sum of squares by SciPy, with the exact Jacobian by complex steps."""
    x, y, _ = problem
    scale = np.abs(y).max()

    def residual(params: Array) -> Array:
        return (by_numpy(model, x, params) - y) / scale

    def jacobian(params: Array) -> Array:
        steps = 1e-30 * np.where(params == 0, 1, np.abs(params))
        moved = [residual(params + 1j * row) for row in np.diag(steps)]
        return np.stack([part.imag for part in moved], axis=-1) / steps

    # Trial steps may overflow; the method then takes shorter ones.
    with np.errstate(all="ignore"):
        result = least_squares(
            residual,
            start,
            jacobian,
            x_scale="jac",
            xtol=1e-12,
            ftol=1e-10,
            gtol=None,
            max_nfev=500,
        )
    return result.x, 2 * result.cost * scale**2
