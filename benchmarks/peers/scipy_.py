"""SciPy: `curve_fit` in a Python loop."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.optimize import OptimizeWarning, curve_fit

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
