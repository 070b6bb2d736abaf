"""The vocabulary that every other module shares: statuses and results."""

from enum import IntEnum
from typing import Any, NamedTuple

import jax

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


class Solution(NamedTuple):
    """Result of `root`, `minimize` and `least_squares`.

    Every field is an array or a pytree of arrays; with `in_axes` given, each has a leading
    batch axis. `value` is the objective (for least squares half the sum of squared residuals
    after the loss), `optimality` the largest entry of the projected gradient in absolute value,
    `multipliers` None where there are no constraints. The last three fields are None unless they
    were asked for: what `fn` returned beside its value, the solver's last state, from which a later
    call can go on, and the trace, whose rows are flat params and value after each step.
    """

    params: Params
    value: Array
    status: Array
    num_steps: Array
    num_evaluations: Array
    optimality: Array
    multipliers: Any = None
    aux: Any = None
    state: Any = None
    trace: Any = None


class Fit(NamedTuple):
    """Result of `curve_fit` and `linear_fit`.

    `params` and `stderr` have the structure of the start, `covariance` has shape (n, n) over the
    parameters in the order in which `jax.flatten_util.ravel_pytree` lays them out (for an array
    of parameters: its own order). A parameter that the data do not determine, or that rests on
    a bound, has an infinite standard error; a fixed one has zero. With `in_axes` given, each
    field has a leading batch axis.
    """

    params: Params
    covariance: Array
    stderr: Params
    chi2: Array
    reduced_chi2: Array
    p_value: Array
    dof: Array
    status: Array
    num_steps: Array
