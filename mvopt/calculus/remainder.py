"""How far a Taylor polynomial is from its function over a box: an estimate, a sample, a proof."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mvopt._types import Array
from mvopt.calculus.expansion import (
    enclosed_coefficients,
    enclosed_monomials,
    values_of_monomials,
)
from mvopt.calculus.flat import FlatFunction
from mvopt.calculus.interval import Interval, everything, hull, intersection, normal, where
from mvopt.calculus.monomials import Monomials, monomials

# Degrees beyond the polynomial's whose coefficients are enclosed, while there are not too many.
_FURTHER = 3
_MANY = 300
_SAMPLES = 4_096
_RADII = 64


def enclosure(
    fn: FlatFunction, series: list[Array], table: Monomials, at: Array, box: Interval
) -> list[Interval]:
    """Of each output: all values of fn − polynomial in the box, (n,), as computed too.

    Lagrange's remainder of the degrees d + 1, d + 2 and d + 3, each after the terms between, over
    all points between the expansion point and the box (Moore 1966; Neumaier 2003, Reliable
    Computing 9); what holds for each holds for all of them.
    """
    longer = _longer(table)
    box, center = normal(box), normal(Interval.point(at))
    terms = enclosed_monomials(longer, box - center)
    # At the corners the values show by their width how far a machine rounds them.
    lower, upper = Interval.point(box.lo), Interval.point(box.hi)
    boxes = jax.tree.map(lambda *ends: jnp.stack(ends), center, hull(box, center), lower, upper)
    found = jax.vmap(lambda box: enclosed_coefficients(fn, box, longer))(boxes)
    bounds = []
    for known, each in zip(series, found, strict=True):
        rounding = each[2:, 0].width.max(0)
        bound = _remainder(known, each[0], each[1], terms, table, longer)
        bound += Interval(-rounding, rounding)
        bounds.append(where(bound.known, bound, everything(bound)))
    return bounds


def _longer(table: Monomials) -> Monomials:
    n, order = table.variables, table.order
    further = 1
    while further < _FURTHER and Monomials(n, order + further + 1).size <= _MANY:
        further += 1
    return monomials(n, order + further)


def _remainder(
    known: Array,
    here: Interval,
    there: Interval,
    terms: Interval,
    table: Monomials,
    longer: Monomials,
) -> Interval:
    size, order = table.size, table.order
    terms = jax.tree.map(lambda leaf: leaf.reshape(leaf.shape + (1,) * (here.ndim - 1)), terms)
    polynomial = Interval.point(known) * terms[:size]
    # In case that the derivatives are worse to know than the function itself.
    found = there[0] - polynomial.sum(0)
    kept = ((here[:size] - known) * terms[:size]).sum(0)
    exact, bounded = here * terms, there * terms
    for degree in range(order + 1, longer.order + 1):
        rows = longer.of_degree(degree)
        between = slice(size, rows.start)
        found = intersection(found, kept + exact[between].sum(0) + bounded[rows].sum(0))
    # Of Horner's scheme, and of sums of monomials (Higham 2002, section 5.1).
    eps = jnp.finfo(known.dtype).eps
    slack = (4 * order + size + 4) * eps * polynomial.magnitude.sum(0)
    return found + Interval(-slack, slack)


def last_term(series: Array, table: Monomials, reach: Array) -> Array:
    """The largest that the terms of the last degree can be that are not all zero.

    reach: (n,), the largest displacement.
    """
    sizes = values_of_monomials(table, reach)
    terms = jnp.abs(series) * sizes.reshape(-1, *[1] * (series.ndim - 1))
    found = jnp.zeros(series.shape[1:], series.dtype)
    for degree in range(1, table.order + 1):
        here = terms[table.of_degree(degree)].sum(0)
        found = jnp.where(here > 0, here, found)
    return found


def samples(lower: Array, upper: Array) -> Array:
    """(M, n) points of a box, with its corners where they are few.

    A Kronecker sequence, whose steps are powers of the inverse of the positive root of
    g^(n + 1) = g + 1 (Roberts 2018); one variable gets equal steps.
    """
    n = lower.size
    if n == 1:
        unit = np.linspace(0, 1, _SAMPLES)[:, None]
    else:
        root = 2.0
        for _ in range(64):
            root = (1 + root) ** (1 / (n + 1))
        steps = root ** -np.arange(1.0, n + 1)
        unit = (0.5 + np.arange(_SAMPLES)[:, None] * steps) % 1
        corners = np.indices((2,) * n).reshape(n, -1).T if n <= 10 else np.zeros((0, n))
        unit = np.concatenate([unit, corners])
    share = jnp.asarray(unit, lower.dtype)
    return jnp.clip(lower + share * (upper - lower), lower, upper)


def certified_radius(bound: Callable[[Array], Array], tol: Any, dtype: Any) -> Array:
    """The largest radius found for which `bound(radius)` is at most `tol`; zero if there is none.

    Three rounds over geometric grids, the first over all numbers whose squares are normal: every
    radius that is returned has been proved by itself, whether or not the bounds grow with it.
    """
    finfo = jnp.finfo(dtype)
    smallest = jnp.sqrt(jnp.asarray(finfo.tiny, dtype))
    spread = float(np.log(float(finfo.max)) / 2 - np.log(float(finfo.tiny)) / 2)

    def refined(k: Array, found: tuple[Array, Array]) -> tuple[Array, Array]:
        smallest, best = found
        steps = jnp.linspace(0, spread, _RADII, dtype=dtype) / (_RADII - 1.0) ** k
        radii = smallest * jnp.exp(steps)
        best = jnp.max(jnp.where(jax.vmap(bound)(radii) <= tol, radii, best))
        return jnp.where(best > 0, best, smallest), best

    return jax.lax.fori_loop(0, 3, refined, (smallest, jnp.zeros((), dtype)))[1]
