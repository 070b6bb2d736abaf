"""SciPy: one problem after the other, with exact derivatives where a method takes them."""

import warnings
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
from scipy.optimize import OptimizeWarning, brentq, curve_fit, minimize, root

from benchmarks.judging import Prepare, Reached, Solve
from benchmarks.peers.scipy_constrained import constrained_batch, constrained_methods  # noqa: F401
from benchmarks.problems.gauss1d import Data, gaussian_numpy, jacobian_numpy
from benchmarks.timing import Method

NOT_FOUND = np.full(4, np.nan)


def gauss1d_methods(data: Data, options: dict[str, Any], cores: int) -> list[Method]:  # noqa: ARG001
    """MINPACK with differences and with the analytic Jacobian, over the first `subset` fits."""
    subset = min(options["subset"], len(data.y))
    x = data.x.astype(np.float64)

    def loop(jacobian: Any) -> Any:
        return np.stack([one(data.y[i], data.p0[i], jacobian) for i in range(subset)])

    def one(y: Any, p0: Any, jacobian: Any) -> Any:
        try:
            return curve_fit(gaussian_numpy, x, y, p0, jac=jacobian)[0]
        except RuntimeError:  # its word for "not converged"
            return NOT_FOUND

    return [
        Method("scipy", lambda: loop(None), subset, "loop, differences"),
        Method("scipy-jac", lambda: loop(jacobian_numpy), subset, "loop, analytic Jacobian"),
    ]


def nist_methods() -> dict[str, Callable[..., Any]]:
    """`(problem, start) -> (params, stderr)` at default settings, by the name of the method."""

    def solve(method: str) -> Callable[..., Any]:
        def fit(problem: Any, start: Any) -> Any:
            model = lambda x, *p: np.asarray(problem.model(x, np.asarray(p)))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", OptimizeWarning)
                warnings.simplefilter("ignore", RuntimeWarning)
                params, covariance = curve_fit(model, problem.x, problem.y, start, method=method)
            return params, np.sqrt(np.diag(covariance))

        return fit

    return {"scipy-lm": solve("lm"), "scipy-trf": solve("trf")}


def minimize_methods(options: dict[str, Any], dtype: str, max_steps: int) -> dict[str, Prepare]:  # noqa: ARG001
    """Its own budgets unless the options have `max_iterations`, and float64 alone.

    They are 200 iterations a variable, and 15,000 evaluations for L-BFGS-B.
    """
    if dtype != "float64":
        return {}
    limit = options.get("max_iterations")
    limits = {} if limit is None else {"maxiter": limit}

    def method(name: str) -> Prepare:
        def prepare(objective: Callable[..., Any]) -> Solve:
            value_and_gradient = jax.jit(jax.value_and_grad(objective))
            hessian = jax.jit(jax.hessian(objective))
            exact = name.startswith("trust")

            def solve(x0: Any, *args: Any) -> Reached:
                def first(x: Any) -> Any:
                    value, gradient = value_and_gradient(x, *args)
                    return float(value), np.asarray(gradient)

                second = (lambda x: np.asarray(hessian(x, *args))) if exact else None
                with warnings.catch_warnings(), np.errstate(all="ignore"):
                    warnings.simplefilter("ignore")
                    found = minimize(
                        first, np.asarray(x0), jac=True, hess=second, method=name, options=limits
                    )
                return Reached(found.x, found.success, str(found.message), found.nfev)

            return solve

        return prepare

    names = {"scipy-bfgs": "BFGS", "scipy-lbfgsb": "L-BFGS-B", "scipy-exact": "trust-exact"}
    return {name: method(called) for name, called in names.items()}


def root_methods(options: dict[str, Any], max_steps: int) -> dict[str, Prepare]:  # noqa: ARG001
    """MINPACK's Powell hybrid with the exact Jacobian, default settings."""

    def prepare(residual: Callable[..., Any]) -> Solve:
        value, jacobian = jax.jit(residual), jax.jit(jax.jacfwd(residual))

        def solve(x0: Any) -> Reached:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                exact = lambda x: np.asarray(jacobian(x))
                found = root(lambda x: np.asarray(value(x)), np.asarray(x0), jac=exact)
            return Reached(found.x, found.success, " ".join(found.message.split()), found.nfev)

        return solve

    return {"scipy-hybr": prepare}


def bracket_methods(options: dict[str, Any], max_steps: int) -> dict[str, Prepare]:  # noqa: ARG001
    """Brent's method with default settings."""

    def prepare(function: Callable[..., Any]) -> Solve:
        value = jax.jit(function)

        def solve(lower: float, upper: float) -> Reached:
            f = lambda x: float(value(np.float64(x)))
            x, told = brentq(f, lower, upper, full_output=True, disp=False)
            return Reached(np.array([x]), told.converged, told.flag, told.function_calls)

        return solve

    return {"scipy-brentq": prepare}
