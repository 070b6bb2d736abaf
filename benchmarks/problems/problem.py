"""A minimisation problem as data: what it minimises, from where, and its known minima."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
from jax import Array
from numpy.typing import ArrayLike

Objective = Callable[[Array], Array]


@dataclass(frozen=True)
class Problem:
    """`objective` maps x (n,) to a scalar of x's dtype; it may be NaN outside its domain.

    `minima` are the known local minimum values, the lowest first; one that is only approached,
    with parameters going to infinity, counts. `residual`, (n,) -> (m,), where the objective is
    its sum of squares.
    """

    name: str
    objective: Objective
    start: tuple[float, ...]
    minima: tuple[float, ...]
    residual: Callable[[Array], Array] | None = None

    @property
    def num_variables(self) -> int:
        return len(self.start)

    def start_times(self, factor: float) -> tuple[float, ...]:
        """The standard start `times` the factor."""
        return times(self.start, factor)


def times(start: tuple[float, ...], factor: float) -> tuple[float, ...]:
    """A start times `factor`, or `factor` everywhere if the start is the origin.

    So do the drivers of Moré, Garbow and Hillstrom (1981), who use the factors 1, 10 and 100; for
    the factor 1 the origin stays.
    """
    if factor != 1 and not any(start):
        return (float(factor),) * len(start)
    return tuple(factor * x for x in start)


def least_squares(
    name: str, residual: Callable[[Array], Array], start: Sequence[float], minima: Sequence[float]
) -> Problem:
    """The problem of minimising the sum of squares of `residual`."""

    def objective(x: Array) -> Array:
        return jnp.sum(residual(x) ** 2)

    return Problem(name, objective, tuple(map(float, start)), tuple(minima), residual)


def moved(problem: Problem, shift: ArrayLike, scale: ArrayLike) -> Problem:
    """`problem` in the variables scale·x + shift: the start moves along, the minima stay.

    shift and scale: scalars or (n,). To move a multiple of the start, put it into the problem
    first: `moved(replace(problem, start=problem.start_times(10)), shift, scale)`.
    """
    n = problem.num_variables
    shift, scale = (np.broadcast_to(np.asarray(a, np.float64), n) for a in (shift, scale))
    start = tuple((scale * np.asarray(problem.start) + shift).tolist())

    def within(function):
        return lambda x: function((x - constants(shift, x)) / constants(scale, x))

    residual = problem.residual and within(problem.residual)
    name = f"{problem.name} moved"
    return Problem(name, within(problem.objective), start, problem.minima, residual)


def standard_move(n: int) -> tuple[np.ndarray, np.ndarray]:
    """A shift and a scale (n,), each the same in every run: 3·sin(i), and 1/10, 1, 10 in turn."""
    i = np.arange(1, n + 1)
    return 3 * np.sin(i), 10.0 ** (i % 3 - 1)


def constants(values: ArrayLike, x: Array) -> Array:
    """Numbers in the dtype of `x`, so that a float32 point is answered in float32."""
    return jnp.asarray(values, x.dtype)


def counted(x: Array, size: int | None = None) -> Array:
    """1, 2, …, `size` (the length of `x` by default) in the dtype of `x`."""
    return jnp.arange(1, (x.size if size is None else size) + 1, dtype=x.dtype)
