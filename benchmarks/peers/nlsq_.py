"""NLSQ: `curve_fit` in a Python loop, its fitter kept so that it compiles once.

Importing NLSQ changes JAX's settings for the whole process (64-bit floats, a compilation cache
on disk, XLA's flags). They are put back here, and NLSQ's calls run in 64 bits by themselves.
"""

import logging
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import jax
import numpy as np

_SETTINGS = (
    "jax_enable_x64",
    "jax_compilation_cache_dir",
    "jax_persistent_cache_min_compile_time_secs",
)
jax.devices()  # XLA reads its flags when the first device is asked for: before NLSQ sets them
_settings = {name: getattr(jax.config, name) for name in _SETTINGS}
_environment = dict(os.environ)

import nlsq  # noqa: E402

from benchmarks.problems.gauss1d import Data, gaussian  # noqa: E402
from benchmarks.timing import Method  # noqa: E402


def _put_back() -> None:
    for name, value in _settings.items():
        jax.config.update(name, value)
    for name in set(os.environ) - set(_environment):
        del os.environ[name]


_fitter: Any = nlsq.CurveFit()  # the settings change here too
_put_back()


@contextmanager
def _by_itself() -> Iterator[None]:
    """64 bits, and no report of every iteration on the terminal."""
    logging.disable(logging.WARNING)
    try:
        with jax.enable_x64(True):
            yield
    finally:
        logging.disable(logging.NOTSET)
        _put_back()


def gauss1d_methods(data: Data, options: dict[str, Any], cores: int) -> list[Method]:  # noqa: ARG001
    """The first `subset` fits."""
    subset = min(options["subset"], len(data.y))
    model = lambda x, *p: gaussian(x, p)
    x, y, p0 = (np.asarray(a, np.float64) for a in data)

    def loop() -> Any:
        with _by_itself():
            fits = [_fitter.curve_fit(model, x, y[i], p0[i]).popt for i in range(subset)]
        return np.stack([np.asarray(fit) for fit in fits])

    return [Method("nlsq", loop, subset, "loop")]


def nist_methods() -> dict[str, Callable[..., Any]]:
    """`(problem, start) -> (params, stderr)` at default settings."""

    def fit(problem: Any, start: Any) -> Any:
        model = lambda x, *p: problem.model(x, p)
        with _by_itself(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            params, covariance = nlsq.curve_fit(model, problem.x, problem.y, start)
        return np.asarray(params), np.sqrt(np.diag(np.asarray(covariance)))

    return {"nlsq": fit}
