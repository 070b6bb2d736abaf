"""What the parameters of a model measure, read off the symmetries of its formula.

If x is stretched, a decay time stretches with it, a rate shrinks, and a phase stays: the curve is
then the same, up to its linear parameters. That is an equation for the derivatives,
x ∂f/∂x + Σ kᵢ pᵢ ∂f/∂pᵢ = a combination of the ∂f/∂(linear params), linear in the unknown powers kᵢ
(the infinitesimal form of a Lie symmetry; Bluman and Kumei, 1989). A shift of x finds locations in
the same way, a stretch of y the parameters in units of y.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from mvopt._types import Array

_DRAWS = 3
# Derivatives in float32 have six digits, a symmetry that is none leaves parts of order one.
_TOLERANCE = 1e-3


class Measure(NamedTuple):
    """What one parameter measures.

    powers: of the unit of each variable (k,), or None where the formula has no such symmetry.
    height: the power of the unit of y. place: the variable in which it is a location, or None.
    oscillating: a frequency, whose candidates lie in even steps.
    """

    powers: tuple[float, ...] | None
    height: float
    place: int | None
    oscillating: bool


class Measures(NamedTuple):
    """What the nonlinear parameters measure; shiftable (k,): whether a shift of x shifts them."""

    each: list[Measure]
    shiftable: tuple[bool, ...]


def measures(
    model: Callable[[Any, Array], Array],
    x: Any,
    size: int,
    linear: Sequence[int],
) -> Measures:
    """What each parameter measures that is not among the linear ones.

    x: (m,) or (k, m), of which only shape and dtype count, so it may be traced.
    """
    rng = np.random.default_rng(1)
    others = [index for index in range(size) if index not in linear]
    rows = x.shape[0] if x.ndim > 1 else 1
    stretches, shifts, heights = [], [], []
    directions = np.eye(rows) if x.ndim > 1 else np.ones(1)
    shape = (*directions.shape, x.shape[-1])
    # For each variable a displacement by one of all its values.
    ones = np.broadcast_to(directions[..., None], shape).astype(x.dtype).reshape(rows, *x.shape)
    with jax.ensure_compile_time_eval():
        for _ in range(_DRAWS):
            at = jnp.asarray(rng.uniform(0.5, 2.0, x.shape).astype(x.dtype))
            params = jnp.asarray(rng.uniform(0.5, 2.0, size).astype(x.dtype))
            along = lambda tangent, at=at, params=params: np.asarray(
                jax.jvp(lambda x: model(x, params), (at,), (jnp.asarray(tangent),))[1], float
            )
            slopes = np.asarray(jax.jacfwd(model, argnums=1)(at, params), float)
            scaled = slopes * np.asarray(params, float)
            solve = partial(_solved, slopes=slopes, others=others, linear=linear)
            stretches.append([solve(-along(one * np.asarray(at)), scaled) for one in ones])
            shifts.append([solve(-along(one), slopes) for one in ones])
            heights.append(solve(np.asarray(model(at, params), float), scaled))
        waves = [_oscillates(model, x.shape, x.dtype, size, index) for index in others]

    powers, moves = np.array(stretches), np.array(shifts)  # (draws, k, others), NaN where none
    steady = np.ptp(powers, axis=0) < 0.02
    known = steady.all(axis=0)
    height = np.array(heights)
    height = np.where(np.ptp(height, axis=0) < 0.02, height.mean(axis=0), 0)
    places = (np.abs(moves - 1) < 0.02).all(axis=0)
    each = [
        Measure(
            tuple(np.round(2 * powers[0, :, i]) / 2) if known[i] else None,
            float(np.round(2 * height[i]) / 2),
            int(np.argmax(places[:, i])) if places[:, i].any() else None,
            waves[i],
        )
        for i in range(len(others))
    ]
    movable = np.asarray(np.isfinite(moves).all(axis=(0, 2)))
    return Measures(each, tuple(movable.tolist()))


def _solved(
    wanted: np.ndarray,
    columns: np.ndarray,
    slopes: np.ndarray,
    others: Sequence[int],
    linear: Sequence[int],
) -> np.ndarray:
    """The coefficients of the columns of `others`, NaN where no combination gives `wanted`."""
    matrix = np.concatenate([columns[:, list(others)], slopes[:, list(linear)]], axis=1)
    none = np.full(len(others), np.nan)
    if not (np.isfinite(matrix).all() and np.isfinite(wanted).all()):
        return none
    lengths = np.linalg.norm(matrix, axis=0)
    lengths = np.where(lengths > 0, lengths, 1)
    found = np.linalg.lstsq(matrix / lengths, wanted, rcond=1e-6)[0]
    left = np.linalg.norm(wanted - matrix / lengths @ found)
    return (found / lengths)[: len(others)] if left <= _TOLERANCE * np.linalg.norm(wanted) else none


def _oscillates(
    model: Callable[[Any, Array], Array], shape: tuple[int, ...], dtype: Any, size: int, index: int
) -> bool:
    """Whether the curve goes up and down many times where this parameter is large."""
    num = shape[-1]
    x = np.broadcast_to(np.linspace(0.5, 1.5, num), shape).astype(dtype)
    params = np.ones(size).astype(dtype)
    params[index] = 0.6 * np.pi * num
    values = np.asarray(model(jnp.asarray(x), jnp.asarray(params)), float)
    with np.errstate(all="ignore"):  # a growth overflows here
        turns = np.diff(values)
        return bool(np.sum(turns[1:] * turns[:-1] < 0) > num / 4)
