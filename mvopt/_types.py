"""The vocabulary that every other module shares: statuses and results."""

from enum import IntEnum
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

Array = jax.Array
Params = Any  # any pytree of floating-point arrays


class Status(IntEnum):
    """How a problem ended; arrays of results hold the integer."""

    RUNNING = 0
    CONVERGED = 1
    MAX_STEPS = 2
    STALLED = 3
    NONFINITE = 4
    SINGULAR = 5
    INFEASIBLE = 6
    UNBOUNDED = 7
    BAD_INPUT = 8

    @property
    def sentence(self) -> str:
        """One sentence: what happened and what to do about it."""
        return _SENTENCES[self]


_SENTENCES = {
    Status.RUNNING: "Not finished yet: continue from these params, or wait for the result.",
    Status.CONVERGED: "Converged: the tolerances are met, nothing to do.",
    Status.MAX_STEPS: (
        "The step budget ran out while there was still progress: raise max_steps, or start closer."
    ),
    Status.STALLED: (
        "No further progress is possible at this precision although the tolerances are not met: "
        "use float64, rescale the problem, or accept the point after checking its optimality."
    ),
    Status.NONFINITE: (
        "The data or the function at the start is NaN or infinite: mask or clean the data, or "
        "start where the function is defined."
    ),
    Status.SINGULAR: (
        "The data do not determine every parameter (those with an infinite standard error): "
        "fix a parameter, simplify the model, or add data."
    ),
    Status.INFEASIBLE: (
        "The constraints appear to have no common point near here: relax them, or start elsewhere."
    ),
    Status.UNBOUNDED: (
        "The objective decreases without end: add bounds or constraints, or check its sign."
    ),
    Status.BAD_INPUT: (
        "The problem is not well posed: check for too few points, an empty mask, or a sigma that "
        "is not positive and finite."
    ),
}


class Multipliers(NamedTuple):
    """Lagrange multipliers, None for each kind of constraint that there is not.

    At a solution ∇f = Jᵀ·equality + Kᵀ·inequality + lower − upper, with the Jacobians J and K of
    the constraints; all but those of the equations are ≥ 0. `equality` and `inequality` have the
    structure of what the constraint functions return, `lower` and `upper` that of the params. Each
    tells by how much the least value rises when its constraint is tightened by one unit.
    """

    equality: Any = None
    inequality: Any = None
    lower: Any = None
    upper: Any = None


class Certificate(NamedTuple):
    """By how much the conditions of Karush, Kuhn and Tucker are missed: numbers ≥ 0, not scaled.

    stationarity: the largest entry of ∇f − Jᵀ·equality − Kᵀ·inequality − lower + upper.
    feasibility: the largest violation of a constraint or a bound.
    complementarity: the largest product of a multiplier and the distance of its constraint.
    sign: the most negative multiplier of an inequality or a bound.
    slope_rounding, value_rounding: what rounding may leave of the stationarity, judged by ∇f, and
    of the feasibility, judged by the terms that the constraints are sums of.
    """

    stationarity: Array
    feasibility: Array
    complementarity: Array
    sign: Array
    slope_rounding: Array
    value_rounding: Array

    @property
    def residual(self) -> Array:
        """The largest of the first four."""
        return jnp.max(jnp.stack(self[:4]), axis=0)

    def within(self, tol: Any, roundings: Any = 0.0) -> Array:
        """Bool: each is at most `tol`, or so many times what rounding may leave of it."""
        slope, value = roundings * self.slope_rounding, roundings * self.value_rounding
        stationary = self.stationarity <= tol + slope
        complementary = jnp.maximum(self.complementarity, self.sign) <= tol + slope
        return stationary & complementary & (self.feasibility <= tol + value)


class Solution(NamedTuple):
    """Result of `root`, `minimize` and `least_squares`.

    Every field is an array or a pytree of arrays; with `in_axes` given, each has a leading
    batch axis. `value` is the objective (for least squares half the sum of squared residuals
    after the loss), `optimality` the largest entry of the projected gradient in absolute value,
    with constraints the residual of `certificate`. That and `multipliers` are None without
    constraints. The others are None unless they were asked for: what `fn` returned beside its
    value, the solver's last state, from which a later call can go on, and the trace, whose rows
    are flat params and value after each step.
    """

    params: Params
    value: Array
    status: Array
    num_steps: Array
    num_evaluations: Array
    optimality: Array
    multipliers: Multipliers | None = None
    aux: Any = None
    state: Any = None
    trace: Any = None
    certificate: Certificate | None = None
