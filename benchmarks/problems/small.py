"""One small problem for each entry point, as a beginner would write it."""

import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

_TIMES = np.linspace(0, 1, 20)
_TOLERANCE = 1e-6  # Optimistix's rtol and atol


def peak(x: Any, p: Any) -> Any:
    """A Gaussian on an offset."""
    return p[0] * jnp.exp(-0.5 * ((x - p[1]) / p[2]) ** 2) + p[3]


def data() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x and y, (25,), of a peak with noise, and a start."""
    truth = np.array([10, 0.5, 1.2, 1.0])
    x = np.linspace(-5, 5, 25)
    noise = np.random.default_rng(0).normal(0, 0.3, x.size)
    return x, np.asarray(peak(x, truth)) + noise, truth * [1.1, 0.8, 1.2, 0.9]


def straight_line() -> tuple[np.ndarray, np.ndarray]:
    """A design (25, 2) and y (25,)."""
    x = np.linspace(0, 1, 25)
    return np.stack([np.ones_like(x), x], axis=1), 1 + 2 * x + 0.1 * np.sin(40 * x)


def residual(p: Any, _: Any = None) -> Any:
    return p[0] * jnp.exp(-p[1] * _TIMES) - 2 * jnp.exp(-3 * _TIMES)


def rosenbrock(x: Any, _: Any = None) -> Any:
    return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def circle_and_line(x: Any, _: Any = None) -> Any:
    return jnp.stack([x[0] ** 2 + x[1] ** 2 - 1, x[0] - x[1]])


# For each entry point a function and a start.
PROBLEMS = {
    "least_squares": (residual, np.array([1.0, 1.0])),
    "minimize": (rosenbrock, np.array([-1.2, 1.0])),
    "root": (circle_and_line, np.array([1.0, 0.5])),
}


def by_scipy(given: tuple[np.ndarray, ...]) -> np.ndarray:
    """The fit of `data` by SciPy at its defaults, the model in NumPy."""
    from scipy.optimize import curve_fit

    def model(x, a, b, c, d):
        return a * np.exp(-0.5 * ((x - b) / c) ** 2) + d

    x, y, start = given
    return curve_fit(model, x, y, start)[0]


def first_call(library: str, case: str) -> None:
    """Print the seconds of a first call; JAX has compiled something else before."""
    call = {"mvopt": _ours, "optimistix": _theirs}[library](case)
    jax.block_until_ready(jax.jit(lambda a: a @ a)(jnp.eye(3)))
    start = time.perf_counter()
    jax.block_until_ready(call())
    print(time.perf_counter() - start)


def _ours(case: str) -> Any:
    import mvopt

    function, start = PROBLEMS[case]
    return lambda: getattr(mvopt, case)(function, start).params


def _theirs(case: str) -> Any:
    """The same by Optimistix's method of the same name, or, of minimisation, its BFGS."""
    import optimistix as optx

    solve, solver = {
        "least_squares": (optx.least_squares, optx.LevenbergMarquardt),
        "minimize": (optx.minimise, optx.BFGS),
        "root": (optx.root_find, optx.Newton),
    }[case]
    function, start = PROBLEMS[case]
    at, within = jnp.asarray(start), {"rtol": _TOLERANCE, "atol": _TOLERANCE}
    return lambda: solve(function, solver(**within), at, throw=False).value
