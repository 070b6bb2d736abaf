"""What is done to the coefficients of a Taylor polynomial, (N, ...)."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mvopt._types import Array
from mvopt.calculus.monomials import Monomials, monomials
from mvopt.calculus.series import SeriesRules


def horner(coefficients: Array, h: Array) -> Array:
    """(*h, *out): the polynomial of one variable at displacements h."""
    out = coefficients.ndim - 1
    h = h.reshape(*h.shape, *[1] * out)
    value = jnp.broadcast_to(
        coefficients[-1], jnp.broadcast_shapes(h.shape, coefficients.shape[1:])
    )
    for k in reversed(range(coefficients.shape[0] - 1)):
        value = value * h + coefficients[k]
    return value


def entry_by_entry(combine: Callable[[Array, Array], Array], u: Array, v: Array) -> Array:
    """Two series combined whose outputs broadcast: their axes are lined up behind the first."""
    rank = max(u.ndim, v.ndim)
    u, v = (each.reshape(-1, *[1] * (rank - each.ndim), *each.shape[1:]) for each in (u, v))
    return combine(u, v)


def differentiated(coefficients: Array, table: Monomials) -> Array:
    """(N', ..., n): the coefficients of all partial derivatives, to one degree less."""
    shorter = monomials(table.variables, table.order - 1)
    raised = shorter.powers[:, None, :] + np.eye(table.variables, dtype=int)
    rows = np.array([[table.place[tuple(map(int, p))] for p in each] for each in raised])
    factors = jnp.asarray(shorter.powers + 1, coefficients.dtype)
    slopes = coefficients[rows] * factors.reshape(*rows.shape, *[1] * (coefficients.ndim - 1))
    return jnp.moveaxis(slopes, 1, -1)


def integrated(coefficients: Array) -> Array:
    """(N + 1, ...): of the antiderivative in one variable that starts at zero."""
    degrees = jnp.arange(1, coefficients.shape[0] + 1, dtype=coefficients.dtype)
    terms = coefficients / degrees.reshape(-1, *[1] * (coefficients.ndim - 1))
    return jnp.concatenate([jnp.zeros_like(terms[:1]), terms])


def composed(outer: Any, table: Monomials, steps: Array, rules: SeriesRules) -> Any:
    """The series of a polynomial of series: `steps` are those of its displacements, (N, n)."""
    parents, variables = table.parents
    one = rules.of_constant(jnp.ones((), steps.dtype))
    powers = [one]
    for parent, variable in zip(parents[1:], variables[1:], strict=True):
        powers.append(rules.multiply(powers[parent], steps[:, variable]))
    matrix = jnp.stack(powers, axis=1)
    return jax.tree.map(lambda c: jnp.tensordot(matrix, c, 1, precision="highest"), outer)


def reverted(coefficients: Array, start: Array, rules: SeriesRules) -> Array:
    """(N,) of the inverse function, whose value is `start`: Lagrange's inversion formula.

    The coefficient of degree k is that of degree k − 1 in (h/(y − y₀))^k, divided by k.
    """
    order = coefficients.shape[0] - 1
    slope = jnp.concatenate([coefficients[1:], jnp.zeros_like(coefficients[:1])])
    inverse = rules.divide(rules.of_constant(jnp.ones_like(start)), slope)
    found, power = [start], inverse
    for k in range(1, order + 1):
        found.append(power[k - 1] / k)
        power = rules.multiply(power, inverse)
    return jnp.stack(found)


def convergence_radius(coefficients: Array, table: Monomials) -> Array:
    """From log |cₖ| = a + p log k − k log r, which holds beside a singularity (Darboux 1878).

    By least squares over the degrees that have terms; of several variables with the sum of |c|.
    """
    if table.order == 0:
        return jnp.asarray(jnp.inf, coefficients.dtype)
    sizes = jnp.abs(coefficients.reshape(coefficients.shape[0], -1))
    norms = jnp.stack([sizes[table.of_degree(k)].sum(0).max() for k in range(1, table.order + 1)])
    degrees = np.arange(1, table.order + 1)
    present = norms > 0
    known = (present & (degrees > table.order // 2)).sum() >= 2
    logarithms = jnp.where(present, jnp.log(jnp.where(present, norms, 1.0)), 0.0)
    growth = jnp.where(present.sum() > 3, jnp.log(jnp.asarray(degrees, norms.dtype)), 0.0)
    columns = [jnp.ones_like(norms), jnp.asarray(degrees, norms.dtype), growth]
    design = jnp.where(present[:, None], jnp.stack(columns, axis=1), 0.0)
    slope = jnp.linalg.lstsq(design, logarithms)[0][1]
    return jnp.where(known, jnp.exp(-slope), jnp.inf)
