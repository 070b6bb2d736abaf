"""`root`: a zero of a function of one or many variables, for one start or a batch."""

from collections.abc import Callable
from functools import partial
from typing import Any

from mvopt._entry import Entry, check_settings, solve_all
from mvopt._types import Array, Solution
from mvopt.families.equations import RootProblem
from mvopt.iteration.drive import Options
from mvopt.iteration.protocol import Solver
from mvopt.solvers.newton_raphson import NewtonRaphson

DEFAULT_MAX_STEPS = 200


def root(
    fn: Callable[..., Any],
    x0: Any,
    args: tuple = (),
    *,
    solver: Solver | None = None,
    bounds: tuple[Any, Any] | None = None,
    in_axes: Any = None,
    max_steps: int = DEFAULT_MAX_STEPS,
    has_aux: bool = False,
    trace: int = 0,
    keep_state: bool = False,
    state: Any = None,
) -> Solution:
    """Find x with fn(x, *args) = 0, from `x0`.

    fn: `fn(x, *args)` returns a pytree with as many entries as `x`; (value, aux) if `has_aux`. Of a
    complex entry both parts are to be zero, and a complex unknown counts as two.
    x0: pytree of real or complex arrays (a list of numbers is one array); the result has its
    structure, and the wider of its dtype and that of what `fn` returns.
    solver: `NewtonRaphson()` if None; `Broyden`, `FixedPoint`, and for a number x with a
    bracket `Chandrupatla` and `Bisection` are the others.
    bounds: (lower, upper), each a pytree like `x` or a number for all; ±inf, None or a
    key that is left out for none. They are the bracket of a method that needs one. In a batch a
    bound with an axis more than one problem's `x` holds one value for each problem.
    in_axes: as in `jax.vmap` over `(x0, *args)`; None is one problem.
    max_steps: evaluations of `fn` for each problem.
    trace: number of steps to record in `Solution.trace`, each flat params and ½‖fn‖².
    keep_state: return `Solution.state`; given as `state` to a later call with the same problems, it
    goes on from there.

    `Solution.value` is fn at the params, `optimality` its largest entry in absolute value.
    Works under `jit`, `vmap` and, by the implicit function theorem, `grad` and `jvp` with respect
    to `args` and whatever `fn` closes over. Raises ValueError for bounds that cross or shapes
    that do not fit; never because a problem has no solution.
    """
    check_settings(solver, max_steps)
    entry = partial(
        Entry,
        fn,
        RootProblem,
        False,
        has_aux=has_aux,
        found=_value_and_aux if has_aux else _value,
        options=Options(keep_state, trace),
    )
    solver = NewtonRaphson() if solver is None else solver
    solution, (value, aux) = solve_all(entry, solver, x0, args, bounds, in_axes, max_steps, state)
    return solution._replace(value=value, aux=aux)


def _value(problem: Any, out: Any, params: Array) -> tuple[Any, Any]:
    del problem, params
    return out, None


def _value_and_aux(problem: Any, out: Any, params: Array) -> tuple[Any, Any]:
    del problem, params
    return out
