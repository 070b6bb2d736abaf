"""Polynomials: the guess is already the least-squares solution."""

from functools import cache, partial

import jax
import jax.numpy as jnp

from mvopt.regression.modelling.grid import Points, extent, fit_columns
from mvopt.regression.modelling.model import Model

Array = jax.Array


def _ascending(x: Array, *coefficients: Array) -> Array:
    """c0 + c1 x + c2 x**2 + …, by Horner's rule."""
    value = coefficients[-1] * jnp.ones_like(x)
    for coefficient in reversed(coefficients[:-1]):
        value = value * x + coefficient
    return value


def _descending(x: Array, *coefficients: Array) -> Array:
    return _ascending(x, *reversed(coefficients))


def _coefficients(points: Points, degree: int) -> Array:
    """Coefficients in ascending powers, solved on the interval [-1, 1] and expanded."""
    low, span = extent(points.x, points.weight)
    center, half = low + span / 2, span / 2
    u = (points.x - center) / half
    along = fit_columns([u**power for power in range(degree + 1)], points.y, points.weight)[0]
    expanded = jnp.zeros(degree + 1, along.dtype)
    for power in reversed(range(degree + 1)):  # Horner's rule on polynomials in x
        raised = jnp.concatenate([jnp.zeros_like(expanded[:1]), expanded[:-1]])
        expanded = ((raised - center * expanded) / half).at[0].add(along[power])
    return expanded


def _guess_descending(points: Points, degree: int) -> Array:
    return _coefficients(points, degree)[::-1]


@cache
def polynomial(degree: int) -> Model:
    """The polynomial of this degree, with the parameters c0, c1, … in ascending powers.

    The same degree gives the same instance. Raises ValueError for a negative degree.
    """
    if degree < 0:
        raise ValueError(f"the degree of a polynomial is 0 or more; given: {degree}")
    names = tuple(f"c{power}" for power in range(degree + 1))
    terms = ["c0", "c1*x", *(f"c{power}*x**{power}" for power in range(2, degree + 1))]
    return Model(
        name=f"polynomial{degree}",
        names=names,
        formula=" + ".join(terms[: degree + 1]),
        function=_ascending,
        guess_function=partial(_coefficients, degree=degree),
        source="Legendre (1805)",
        meanings=tuple(f"coefficient of x**{power}" for power in range(degree + 1)),
    )


linear = Model(
    name="linear",
    names=("slope", "intercept"),
    formula="slope*x + intercept",
    function=_descending,
    guess_function=partial(_guess_descending, degree=1),
    source="Legendre (1805)",
    meanings=("change of y for one unit of x", "value at x = 0"),
)

quadratic = Model(
    name="quadratic",
    names=("a", "b", "c"),
    formula="a*x**2 + b*x + c",
    function=_descending,
    guess_function=partial(_guess_descending, degree=2),
    source="Legendre (1805)",
    meanings=("coefficient of x**2", "coefficient of x", "value at x = 0"),
)

cubic = Model(
    name="cubic",
    names=("a", "b", "c", "d"),
    formula="a*x**3 + b*x**2 + c*x + d",
    function=_descending,
    guess_function=partial(_guess_descending, degree=3),
    source="Legendre (1805)",
    meanings=("coefficient of x**3", "coefficient of x**2", "coefficient of x", "value at x = 0"),
)
