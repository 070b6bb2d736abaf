"""A minimisation problem with constraints as data: what holds, from where, and its known minima."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import inf

import jax.numpy as jnp
from jax import Array

from benchmarks.problems.problem import Objective

Constraint = Callable[[Array], Array]
Bound = float | Sequence[float | None] | None


@dataclass(frozen=True)
class ConstrainedProblem:
    """Minimise `objective` where `equality` is zero, `inequality` ≥ 0 and lower ≤ x ≤ upper.

    `objective` maps x (n,) to a scalar, `equality` to (m,) and `inequality` to (k,), each in x's
    dtype; they may be NaN outside their domain. The bounds are infinite where there is none.
    `start` is the published one and may violate the constraints. `best` is the lowest known
    minimum, `local` are the values of other local minima, the lowest first.
    """

    name: str
    objective: Objective
    start: tuple[float, ...]
    best: float
    equality: Constraint | None = None
    inequality: Constraint | None = None
    lower: tuple[float, ...] | None = None
    upper: tuple[float, ...] | None = None
    local: tuple[float, ...] = ()

    @property
    def num_variables(self) -> int:
        return len(self.start)


def of_array(
    name: str,
    objective: Objective,
    start: Sequence[float],
    best: float,
    *,
    equality: Constraint | None = None,
    inequality: Constraint | None = None,
    lower: Bound = None,
    upper: Bound = None,
    local: Sequence[float] = (),
) -> ConstrainedProblem:
    """The problem whose functions take x (n,); a bound that is a number is that of all variables.

    A bound of None in a sequence is none.
    """

    def bound(value: Bound, none: float) -> tuple[float, ...] | None:
        if value is None:
            return None
        values = [value] * len(start) if isinstance(value, int | float) else value
        return tuple(none if v is None else float(v) for v in values)

    return ConstrainedProblem(
        name,
        objective,
        tuple(map(float, start)),
        float(best),
        equality,
        inequality,
        bound(lower, -inf),
        bound(upper, inf),
        tuple(map(float, local)),
    )


def of_scalars(
    name: str,
    objective: Callable[..., Array],
    start: Sequence[float],
    best: float,
    *,
    equality: Callable[..., Sequence[Array]] | None = None,
    inequality: Callable[..., Sequence[Array]] | None = None,
    **rest,
) -> ConstrainedProblem:
    """The problem whose functions take the variables one by one; the constraints are sequences."""

    def stacked(function):
        return function and (lambda x: jnp.stack(function(*x)))

    return of_array(
        name,
        lambda x: objective(*x),
        start,
        best,
        equality=stacked(equality),
        inequality=stacked(inequality),
        **rest,
    )
