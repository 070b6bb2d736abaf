"""Curves and simulated data for the workload of inference.

Each curve takes the module of its functions, so that peers evaluate the same formula in NumPy.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

Curve = Callable[..., Any]  # (x, params, module)


def decay(x: Any, p: Any, xp: Any = jnp) -> Any:
    """Exponential decay with an offset."""
    return p[0] * xp.exp(-x / p[1]) + p[2]


def peak(x: Any, p: Any, xp: Any = jnp) -> Any:
    """A Gaussian on a constant."""
    return p[0] * xp.exp(-0.5 * ((x - p[1]) / p[2]) ** 2) + p[3]


def saturation(x: Any, p: Any, xp: Any = jnp) -> Any:  # noqa: ARG001 (needs no module)
    """Michaelis and Menten (1913)."""
    return p[0] * x / (p[1] + x)


def logistic(x: Any, p: Any, xp: Any = jnp) -> Any:
    return p[0] / (1 + xp.exp(-(x - p[1]) / p[2]))


def parabola(x: Any, p: Any, xp: Any = jnp) -> Any:  # noqa: ARG001 (needs no module)
    return p[0] + p[1] * x + p[2] * x * x


def decay_and_peak(x: Any, p: Any, xp: Any = jnp) -> Any:
    """A decay, and a peak of known width."""
    return p[0] * xp.exp(-x / p[1]) + p[2] * xp.exp(-(((x - p[3]) / 0.5) ** 2))


class Sample(NamedTuple):
    """A curve with one simulated data set."""

    curve: Curve
    truth: np.ndarray
    x: np.ndarray
    y: np.ndarray
    sigma: np.ndarray

    def residual(self, params: Any) -> np.ndarray:
        """(model − y)/sigma in NumPy."""
        return (self.curve(self.x, params, np) - self.y) / self.sigma

    def chi2(self, params: Any) -> float:
        return float(np.sum(self.residual(params) ** 2))


def sample(
    curve: Curve, truth: Any, ends: tuple[float, float], count: int, noise: float, seed: int
) -> Sample:
    """Normal errors of one standard deviation at equidistant points."""
    rng = np.random.default_rng(seed)
    truth, x = np.asarray(truth, float), np.linspace(*ends, count)
    y = curve(x, truth, np) + rng.normal(0, noise, count)
    return Sample(curve, truth, x, y, np.full(count, noise))


def a_decay() -> Sample:
    return sample(decay, (3.0, 1.5, 0.5), (0.0, 5.0), 30, 0.15, 1)


def a_parabola() -> Sample:
    return sample(parabola, (1.0, 2.0, -0.3), (0.0, 5.0), 40, 0.3, 2)


def jacobian(curve: Curve, x: np.ndarray, params: Any) -> np.ndarray:
    """(m, n) by central differences, for formulas that are to owe nothing to ours."""
    params = np.asarray(params, float)
    columns = []
    for index, value in enumerate(params):
        step = np.zeros_like(params)
        step[index] = 1e-5 * max(abs(value), 1e-3)
        rise = curve(x, params + step, np) - curve(x, params - step, np)
        columns.append(rise / (2 * step[index]))
    return np.stack(columns, axis=1)
