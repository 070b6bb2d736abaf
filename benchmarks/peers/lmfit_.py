"""lmfit: `minimize` with its default method, in a Python loop."""

import warnings
from collections.abc import Callable
from typing import Any

import lmfit
import numpy as np

from benchmarks.problems.gauss1d import Data, gaussian_numpy
from benchmarks.timing import Method


def start_parameters(values: Any) -> lmfit.Parameters:
    parameters = lmfit.Parameters()
    for index, value in enumerate(values):
        parameters.add(f"p{index}", value=float(value))
    return parameters


def estimates(result: Any) -> Any:
    return np.array([parameter.value for parameter in result.params.values()])


def gauss1d_methods(data: Data, options: dict[str, Any], cores: int) -> list[Method]:  # noqa: ARG001
    """The first `subset` fits."""
    subset = min(options["subset"], len(data.y))
    x, ys = data.x.astype(np.float64), data.y.astype(np.float64)

    def residual(parameters: Any, y: Any) -> Any:
        return gaussian_numpy(x, *parameters.valuesdict().values()) - y

    def loop() -> Any:
        fits = [
            lmfit.minimize(residual, start_parameters(data.p0[i]), args=(ys[i],))
            for i in range(subset)
        ]
        return np.stack([estimates(fit) for fit in fits])

    return [Method("lmfit", loop, subset, "loop, differences")]


def nist_methods() -> dict[str, Callable[..., Any]]:
    """`(problem, start) -> (params, stderr)` at default settings."""

    def fit(problem: Any, start: Any) -> Any:
        def residual(parameters: Any) -> Any:
            values = np.array(list(parameters.valuesdict().values()))
            return np.asarray(problem.model(problem.x, values)) - problem.y

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = lmfit.minimize(residual, start_parameters(start))
        errors = [parameter.stderr for parameter in result.params.values()]
        return estimates(result), np.array([np.nan if e is None else e for e in errors])

    return {"lmfit": fit}
