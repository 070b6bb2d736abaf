"""Success judged by what was reached, in float64, never by a solver's own word.

A minimisation is solved when f − f_best ≤ tol·max(1, |f_best|), and ends in a local minimum when
that holds for another of the known ones. It is a false success when its solver says that it
converged, yet it stands at none of them and a Newton step from there, with the exact Hessian and a
line search, would still bring the value down. Everything else is a failure that is owned up to.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

SOLVED, LOCAL, FALSE = "solved", "local minimum", "false success"
FAILED, NONFINITE, CRASHED = "failed", "not finite", "crashed"


class Reached(NamedTuple):
    """Where a method ended, and what it says about it."""

    x: np.ndarray  # (n,)
    converged: bool  # its own word
    status: str  # the same, as it puts it
    evaluations: int
    multipliers: Any = None  # `mvopt.Multipliers`, of a method that tells them


# Made for one function, called with the start and further arguments of the function.
Solve = Callable[..., Reached]
# From a function to what solves its problems, compiled once for all of its starts.
Prepare = Callable[[Callable[..., Any]], Solve]


class Judge:
    """Values in float64 of an objective, called as `objective(x, *args)`, and Newton's step."""

    def __init__(self, objective: Callable[..., Any]) -> None:
        self._value = jax.jit(objective)
        self._values = jax.jit(lambda xs, args: jax.vmap(lambda x: objective(x, *args))(xs))
        self._gradient = jax.jit(jax.grad(objective))
        self._hessian = jax.jit(jax.hessian(objective))

    def value(self, x: np.ndarray, args: Sequence[np.ndarray]) -> float:
        return float(self._value(np.asarray(x, np.float64), *args))

    def rounding(
        self, x: np.ndarray, args: Sequence[np.ndarray], dtype: Any, lowest: float
    ) -> float:
        """How far above `lowest` the value lies where each entry of `x` is off by two roundings."""
        rng = np.random.default_rng(0)
        x = np.asarray(x, np.float64)
        off = 2 * np.finfo(dtype).eps * rng.uniform(-1, 1, (30, x.size))
        values = np.asarray(self._values(x * (1 + off), tuple(args)))
        return max(float(np.max(values, initial=lowest, where=np.isfinite(values))) - lowest, 0.0)

    def gain(self, x: np.ndarray, args: Sequence[np.ndarray], dtype: Any) -> float:
        """Share of |f| that a Newton step from `x`, rounded to `dtype`, takes off the value."""
        x = np.asarray(x, np.float64)
        here = self.value(x, args)
        gradient, hessian = self._gradient(x, *args), self._hessian(x, *args)
        step = newton_step(np.asarray(gradient), np.asarray(hessian))
        lengths = 2.0 ** np.arange(4, -31, -1)
        trials = (x + lengths[:, None] * step).astype(dtype).astype(np.float64)
        values = np.asarray(self._values(trials, tuple(args)))
        best = np.min(values, initial=here, where=np.isfinite(values))
        return float((here - best) / max(abs(here), np.finfo(np.float64).tiny))


def newton_step(gradient: np.ndarray, hessian: np.ndarray) -> np.ndarray:
    """−|H|⁻¹ g, (n,), with |H| of the absolute eigenvalues, so that it goes down at a saddle too.

    The variables are scaled by the diagonal first: H may have eigenvalues of 1e-10 and 1e10. Zero
    where a derivative is not finite.
    """
    if not (np.all(np.isfinite(gradient)) and np.all(np.isfinite(hessian))):
        return np.zeros_like(gradient)
    sizes = np.sqrt(np.abs(np.diagonal(hessian)))
    scale = 1 / np.where(sizes > 0, sizes, 1.0)
    values, vectors = np.linalg.eigh(hessian * scale * scale[:, None])
    magnitudes = np.abs(values)
    least = np.finfo(np.float64).eps * np.max(magnitudes)
    magnitudes = np.maximum(magnitudes, least if least > 0 else 1.0)
    return -scale * (vectors @ ((vectors.T @ (scale * gradient)) / magnitudes))


def at(value: float, minima: Sequence[float], tolerance: float, rounding: float = 0.0) -> int:
    """Index of the minimum that `value` is at, the lowest for a value below it; −1: none."""
    for index, minimum in enumerate(minima):
        limit = tolerance * max(1.0, abs(minimum)) + rounding
        if value - minimum <= limit and (index == 0 or value - minimum >= -limit):
            return index
    return -1


def verdict(
    value: float,
    converged: bool,
    minima: Sequence[float],
    tolerance: float,
    improvable: Callable[[], bool],
    rounding: float = 0.0,
) -> str:
    """What became of a minimisation that ended at `value`; `minima` has the lowest first.

    improvable: whether Newton's step still gains something, asked only where it matters.
    """
    if not np.isfinite(value):
        return NONFINITE
    index = at(value, minima, tolerance, rounding)
    if index >= 0:
        return LOCAL if index else SOLVED
    return FALSE if converged and improvable() else FAILED


def residual_share(residual: np.ndarray, jacobian: np.ndarray, x: np.ndarray) -> float:
    """Largest |f_i| over 1 + Σ_j |J_ij x_j|, the size of the terms that f_i is a sum of.

    The Jacobian may be that at another point than the residual, whose `x` is then given.
    """
    if not np.all(np.isfinite(residual)):
        return np.inf
    size = np.nan_to_num(np.abs(jacobian), nan=0.0, posinf=0.0) @ np.abs(x)
    return float(np.max(np.abs(residual) / (1 + size), initial=0.0))
