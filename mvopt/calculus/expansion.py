"""The Taylor coefficients of a function at a point, and intervals that hold them over a box.

Everything is flat here: a function of one vector (n,), and the list of the arrays that it returns.
A coefficient is the derivative divided by the factorials of its powers.
"""

from math import factorial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mvopt._types import Array
from mvopt.calculus import interval
from mvopt.calculus.flat import FlatFunction
from mvopt.calculus.interval import Interval
from mvopt.calculus.monomials import Monomials
from mvopt.calculus.propagate import propagate
from mvopt.calculus.series import SeriesRules, joined
from mvopt.calculus.values import UnsupportedError


def coefficients(fn: FlatFunction, at: Array, table: Monomials) -> list[Array]:
    """(N, *out) of each output: by the recurrences, or by nested derivatives where one is missing.

    The former cost the square of the number of coefficients, the latter twice as much with each
    order.
    """
    try:
        return propagate(fn, SeriesRules(table), _variables(at, table), enclose=False)
    except UnsupportedError:
        return _nested(fn, at, table)


def enclosed_coefficients(fn: FlatFunction, box: Interval, table: Monomials) -> list[Interval]:
    """(N, *out) of each output: all values of the coefficients in the box, (n,).

    NaN where the function may have no value somewhere in the box; infinite where it may not be
    differentiable. Raises UnsupportedError, with the name of an operation that has no rule.
    """
    found = propagate(fn, SeriesRules(table), _variables(box, table), enclose=True)
    found = [value if isinstance(value, Interval) else Interval.point(value) for value in found]
    return [interval.where(value[0].known, value, interval.undefined(value)) for value in found]


def _variables(first: Any, table: Monomials) -> Any:
    """The series of the variables themselves, (N, n): a number and one."""
    slopes = np.zeros((table.size - 1, table.variables))
    if table.order:
        slopes[: table.variables] = np.eye(table.variables)
    rest = jnp.asarray(slopes, first.dtype)
    return joined([first[None], Interval.point(rest) if isinstance(first, Interval) else rest])


def _nested(fn: FlatFunction, at: Array, table: Monomials) -> list[Array]:
    """Derivatives of derivatives; the tensor of each order has its variables last."""
    derivative, parts = fn, []
    for degree in range(table.order + 1):
        rows = table.powers[table.of_degree(degree)]
        index = [np.repeat(np.arange(table.variables), row) for row in rows]
        places = tuple(np.array(index, int).T) if degree else ()
        scale = np.array([np.prod([factorial(p) for p in row]) for row in rows])
        parts.append([_picked(tensor, places, scale) for tensor in derivative(at)])
        derivative = jax.jacfwd(derivative)
    return [jnp.concatenate(rows) for rows in zip(*parts, strict=True)]


def _picked(tensor: Array, places: tuple[np.ndarray, ...], scale: np.ndarray) -> Array:
    chosen = jnp.moveaxis(tensor[(..., *places)], -1, 0) if places else tensor[None]
    return chosen / jnp.asarray(scale, tensor.dtype).reshape(-1, *[1] * (chosen.ndim - 1))


def values_of_monomials(table: Monomials, h: Array) -> Array:
    """(..., N) from displacements (..., n), each monomial from one a degree lower."""
    parents, variables = table.parents
    parts = [jnp.ones((*h.shape[:-1], 1), h.dtype)]
    for degree in range(1, table.order + 1):
        rows = table.of_degree(degree)
        known = jnp.concatenate(parts, axis=-1)
        parts.append(known[..., parents[rows]] * h[..., variables[rows]])
    return jnp.concatenate(parts, axis=-1)


def enclosed_monomials(table: Monomials, h: Interval) -> Interval:
    """(N,) from a box of displacements (n,); even powers are not negative."""
    powers = joined([interval.integer_pow(h, k)[None] for k in range(table.order + 1)])
    # Those variables of each monomial first that are in it: no more than its degree.
    variables = np.argsort(table.powers == 0, axis=1, kind="stable")[:, : max(table.order, 1)]
    exponents = np.take_along_axis(table.powers, variables, axis=1)
    factors = powers[exponents, variables]
    found = factors[:, 0]
    for k in range(1, factors.shape[1]):
        found = found * factors[:, k]
    return found
