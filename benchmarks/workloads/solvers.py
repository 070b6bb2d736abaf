"""Our solvers as a peer would be called: a function, a start, what was reached."""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np

import mvopt
from benchmarks import judging_constrained
from benchmarks.judging import Prepare, Reached, Solve
from benchmarks.judging_constrained import bounded, box
from benchmarks.problems.constrained import ConstrainedProblem

# A benchmark's name for a solver, and its class; None is the default of the entry point.
MINIMISERS = {
    "mvopt": None,
    "mvopt-bfgs": "BFGS",
    "mvopt-lbfgs": "LBFGS",
    "mvopt-ncg": "NonlinearCG",
    "mvopt-neldermead": "NelderMead",
}
CONSTRAINED = {
    "mvopt": None,
    "mvopt-interior": "InteriorPoint",
    "mvopt-lagrange": "LagrangeNewton",
    "mvopt-augmented": "AugmentedLagrangian",
}
ROOT_FINDERS = {"mvopt": None, "mvopt-broyden": "Broyden"}
BRACKETERS = {
    "mvopt-newton": "NewtonRaphson",
    "mvopt-chandrupatla": "Chandrupatla",
    "mvopt-bisection": "Bisection",
}
# A simplex crawls in many dimensions: it is not asked for more than this.
SIMPLEX_VARIABLES = 10


def chosen(known: dict[str, str | None], names: Sequence[str]) -> dict[str, Any]:
    """The solvers of those `names`; ValueError for a name that is not known."""
    unknown = sorted(set(names) - set(known))
    if unknown:
        raise ValueError(f"solvers: unknown {', '.join(unknown)}; known: {', '.join(known)}")
    kinds = {name: known[name] for name in names}
    return {name: kind and getattr(mvopt, kind)() for name, kind in kinds.items()}


def minimiser(solver: Any, max_steps: int | None = None) -> Prepare:
    """By the public entry point; `max_steps` is its own default where it is None."""
    limits = {} if max_steps is None else {"max_steps": max_steps}

    def prepare(objective: Callable[..., Any]) -> Solve:
        def solve(x0: np.ndarray, *args: np.ndarray) -> Reached:
            return reached(mvopt.minimize(objective, x0, args, solver=solver, **limits))

        return solve

    return prepare


def constrained(solver: Any) -> judging_constrained.Prepare:
    """By the public entry point, with its own number of steps."""

    def prepare(problem: ConstrainedProblem) -> Solve:
        def solve(x0: np.ndarray) -> Reached:
            solution = mvopt.minimize(
                problem.objective,
                x0,
                solver=solver,
                equality=problem.equality,
                inequality=problem.inequality,
                bounds=box(problem, x0.dtype) if bounded(problem) else None,
            )
            return reached(solution)

        return solve

    return prepare


def root_finder(solver: Any) -> Prepare:
    def prepare(residual: Callable[..., Any]) -> Solve:
        return lambda x0: reached(mvopt.root(residual, x0, solver=solver))

    return prepare


def bracketer(solver: Any) -> Prepare:
    """Called with the ends of a bracket, starts in its middle."""

    def prepare(function: Callable[..., Any]) -> Solve:
        def solve(lower: float, upper: float) -> Reached:
            ends = np.float64(lower), np.float64(upper)
            middle = np.float64((lower + upper) / 2)
            return reached(mvopt.root(function, middle, solver=solver, bounds=ends))

        return solve

    return prepare


def reached(solution: mvopt.Solution) -> Reached:
    """The result of one problem on the host."""
    status = mvopt.Status(int(solution.status))
    return Reached(
        x=np.atleast_1d(np.asarray(solution.params)),
        converged=status == mvopt.Status.CONVERGED,
        status=status.name,
        evaluations=int(solution.num_evaluations),
        multipliers=jax.tree.map(np.asarray, solution.multipliers),
    )
