"""SciPy's methods for constraints: SLSQP, and the trust region with exact second derivatives."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import Bounds, NonlinearConstraint, minimize

from benchmarks.judging import Reached, Solve
from benchmarks.judging_constrained import Prepare, bounded, box
from benchmarks.peers.derivatives import Exact, exact
from benchmarks.problems.constrained import ConstrainedProblem
from benchmarks.problems.constrained_batches import Batch
from benchmarks.timing import Method


def constrained_methods(options: dict[str, Any], dtype: str) -> dict[str, Prepare]:
    """Both, in float64 alone; the options have each one's under its name in SciPy."""
    if dtype != "float64":
        return {}
    asked = {"scipy-slsqp": ("SLSQP", _dictionaries), "scipy-trust": ("trust-constr", _ranges)}
    return {
        name: _method(called, constraints, options.get(called, {}))
        for name, (called, constraints) in asked.items()
    }


def _method(called: str, constraints: Callable[..., list], options: dict[str, Any]) -> Prepare:
    second = called == "trust-constr"

    def prepare(problem: ConstrainedProblem) -> Solve:
        objective = exact(problem.objective)
        kinds = (("eq", problem.equality), ("ineq", problem.inequality))
        given = constraints({kind: exact(each) for kind, each in kinds if each})
        bounds = Bounds(*box(problem)) if bounded(problem) else None
        hessian = (lambda x: objective.curvature(x, 1.0)) if second else None

        def solve(x0: np.ndarray) -> Reached:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                found = minimize(
                    lambda x: float(objective.value(x)),
                    x0,
                    jac=objective.jacobian,
                    hess=hessian,
                    method=called,
                    bounds=bounds,
                    constraints=given,
                    options=options,
                )
            told = bool(found.success)
            return Reached(np.asarray(found.x), told, str(found.message), int(found.nfev))

        return solve

    return prepare


def _dictionaries(functions: dict[str, Exact]) -> list[dict[str, Any]]:
    """As SLSQP takes constraints."""
    return [
        {"type": kind, "fun": each.value, "jac": each.jacobian} for kind, each in functions.items()
    ]


def _ranges(functions: dict[str, Exact]) -> list[NonlinearConstraint]:
    """As trust-constr takes them."""
    most = {"eq": 0.0, "ineq": np.inf}
    return [
        NonlinearConstraint(each.value, 0.0, most[kind], jac=each.jacobian, hess=each.curvature)
        for kind, each in functions.items()
    ]


def constrained_batch(batch: Batch, options: dict[str, Any]) -> list[Method]:
    """SLSQP over the first `subset` problems, one by one, with NumPy's functions alone."""
    subset = min(options["subset"], len(batch.starts))
    limits = {name: value for name, value in options.items() if name != "subset"}
    n = batch.starts.shape[1]
    bounds = None if batch.bounds is None else [batch.bounds] * n

    def one(index: int) -> np.ndarray:
        args = batch.row(index)
        constraints = [
            {"type": kind, "fun": value, "jac": jacobian, "args": args}
            for kind, (value, jacobian) in batch.plain.constraints.items()
        ]
        return minimize(
            batch.plain.objective,
            batch.starts[index],
            args,
            jac=True,
            method="SLSQP",
            bounds=bounds,
            constraints=constraints,
            options=limits,
        ).x

    def loop() -> np.ndarray:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return np.stack([one(index) for index in range(subset)])

    return [Method("scipy-slsqp", loop, subset, "loop, analytic derivatives in NumPy")]
