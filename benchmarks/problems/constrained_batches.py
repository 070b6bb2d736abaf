"""Batches of small constrained problems, each member with its own coefficients and start.

Every problem is written twice: in JAX, and in NumPy with analytic derivatives for the methods that
solve one member after the other.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

FUNDS = 20


@dataclass(frozen=True)
class Plain:
    """The functions in NumPy, each called with x (n,) and the coefficients of one member."""

    objective: Callable[..., tuple[float, np.ndarray]]  # with its gradient (n,)
    constraints: dict[str, tuple[Callable[..., Any], Callable[..., Any]]]  # "eq", "ineq"


@dataclass(frozen=True)
class Batch:
    """Minimise `objective(x, *args)` for each member; `axes` are those of the members in `args`."""

    name: str
    starts: np.ndarray  # (N, n)
    args: tuple[np.ndarray, ...]
    axes: tuple[int | None, ...]
    objective: Callable[..., Array]
    plain: Plain
    equality: Callable[..., Array] | None = None
    inequality: Callable[..., Array] | None = None
    bounds: tuple[float, float] | None = None
    quadratic: bool = False  # the arguments are (P, q, A, b) of a quadratic program

    def row(self, index: int) -> tuple[np.ndarray, ...]:
        """The arguments of one member."""
        pairs = zip(self.args, self.axes, strict=True)
        return tuple(each if axis is None else each[index] for each, axis in pairs)


def members(batch: Batch, chosen: np.ndarray) -> Batch:
    """The batch of those members alone."""
    pairs = zip(batch.args, batch.axes, strict=True)
    args = tuple(each if axis is None else each[chosen] for each, axis in pairs)
    return replace(batch, starts=batch.starts[chosen], args=args)


def about(rng: np.random.Generator, size: int, values: Any, spread: float = 0.1) -> np.ndarray:
    """(size, k): the values (k,), each member's off by up to that share."""
    values = np.asarray(values, np.float64)
    return values * (1 + spread * rng.uniform(-1, 1, (size, values.size)))


# A bell exp(−(a x² + b y² − c x y)/2) on the ellipse p x² + q (y + r)² = 1.


def bell(x: Array, coefficients: Array) -> Array:
    """x: (2,); coefficients: (6,), a, b, c, p, q, r."""
    a, b, c, *_ = coefficients
    return jnp.exp(-(a * x[0] ** 2 + b * x[1] ** 2 - c * x[0] * x[1]) / 2)


def on_ellipse(x: Array, coefficients: Array) -> Array:
    *_, p, q, r = coefficients
    return jnp.stack([p * x[0] ** 2 + q * (x[1] + r) ** 2 - 1])


def plain_bell(x: np.ndarray, coefficients: np.ndarray) -> tuple[float, np.ndarray]:
    a, b, c = coefficients[:3]
    u, v = x
    value = np.exp(-(a * u * u + b * v * v - c * u * v) / 2)
    return value, value * np.array([c * v / 2 - a * u, c * u / 2 - b * v])


def plain_on_ellipse(x: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    p, q, r = coefficients[3:]
    return np.array([p * x[0] ** 2 + q * (x[1] + r) ** 2 - 1])


def plain_on_ellipse_jacobian(x: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    p, q, r = coefficients[3:]
    return np.array([[2 * p * x[0], 2 * q * (x[1] + r)]])


def bells(size: int, seed: int) -> Batch:
    """One equation; the starts lie about a point at the side of the ellipse."""
    rng = np.random.default_rng(seed)
    starts = about(rng, size, [0.7, -1.3])
    plain = Plain(plain_bell, {"eq": (plain_on_ellipse, plain_on_ellipse_jacobian)})
    args = (about(rng, size, [2, 1, 1, 1, 3, 1]),)
    return Batch("equality", starts, args, (0,), bell, plain, equality=on_ellipse)


# Within a ball, beyond a plane and above a parabolic cylinder.


def valley(x: Array, coefficients: Array) -> Array:
    """x: (3,); coefficients: (7,), the last three of the constraints."""
    a, b, c, d, *_ = coefficients
    return a * jnp.exp(x[0]) + (x[1] - b) ** 2 + (x[2] - c) ** 2 + d * x[0] * x[1]


def in_ball(x: Array, coefficients: Array) -> Array:
    """(3,), not negative for |x| ≤ r, Σ x ≥ s and x₁ ≥ p x₀²."""
    *_, r, s, p = coefficients
    return jnp.stack([r**2 - jnp.sum(x**2), jnp.sum(x) - s, x[1] - p * x[0] ** 2])


def plain_valley(x: np.ndarray, coefficients: np.ndarray) -> tuple[float, np.ndarray]:
    a, b, c, d = coefficients[:4]
    u, v, w = x
    value = a * np.exp(u) + (v - b) ** 2 + (w - c) ** 2 + d * u * v
    return value, np.array([a * np.exp(u) + d * v, 2 * (v - b) + d * u, 2 * (w - c)])


def plain_in_ball(x: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    r, s, p = coefficients[4:]
    return np.array([r * r - x @ x, x.sum() - s, x[1] - p * x[0] ** 2])


def plain_in_ball_jacobian(x: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    p = coefficients[6]
    return np.array([-2 * x, np.ones(3), [-2 * p * x[0], 1, 0]])


def valleys(size: int, seed: int, infeasible: float = 0.0) -> Batch:
    """Three inequalities. That share of the members has a plane beyond the ball: no point."""
    rng = np.random.default_rng(seed)
    coefficients = about(rng, size, [1, 2, 1.5, 0.5, 2, 1, 0.5])
    coefficients[rng.permutation(size)[: round(infeasible * size)], 5] = 10
    starts = rng.normal(0, 1, (size, 3))
    plain = Plain(plain_valley, {"ineq": (plain_in_ball, plain_in_ball_jacobian)})
    return Batch("inequality", starts, (coefficients,), (0,), valley, plain, inequality=in_ball)


def impossible(batch: Batch) -> np.ndarray:
    """(N,) bool: the members of `valleys` without a feasible point."""
    (coefficients,) = batch.args
    return coefficients[:, 5] > np.sqrt(3) * coefficients[:, 4]


# Weights of funds that sum to one, for a return against a variance.


def risk(x: Array, P: Array, q: Array, A: Array, b: Array) -> Array:  # noqa: ARG001
    """x: (FUNDS,)."""
    return jnp.dot(x, jnp.dot(P, x)) / 2 + jnp.dot(q, x)


def spent(x: Array, P: Array, q: Array, A: Array, b: Array) -> Array:  # noqa: ARG001
    return jnp.dot(A, x) - b


def plain_risk(x: np.ndarray, P: np.ndarray, q: np.ndarray, *_: Any) -> tuple[float, np.ndarray]:
    force = P @ x
    return x @ force / 2 + q @ x, force + q


def plain_spent(x: np.ndarray, P: Any, q: Any, A: np.ndarray, b: np.ndarray) -> np.ndarray:  # noqa: ARG001
    return A @ x - b


def plain_spent_jacobian(x: Any, P: Any, q: Any, A: np.ndarray, b: Any) -> np.ndarray:  # noqa: ARG001
    return A


def portfolios(size: int, seed: int) -> Batch:
    """A covariance of three factors for all members, returns of their own; from equal weights."""
    rng = np.random.default_rng(seed)
    factors = rng.normal(0, 1, (FUNDS, 3))
    covariance = factors @ factors.T / 3 + np.diag(rng.uniform(0.1, 0.5, FUNDS))
    returns = rng.normal(0, 0.5, FUNDS) + rng.normal(0, 0.2, (size, FUNDS))
    args = (covariance, -returns, np.ones((1, FUNDS)), np.ones(1))
    return Batch(
        "portfolio",
        np.full((size, FUNDS), 1 / FUNDS),
        args,
        (None, 0, None, None),
        risk,
        Plain(plain_risk, {"eq": (plain_spent, plain_spent_jacobian)}),
        equality=spent,
        bounds=(0.0, 1.0),
        quadratic=True,
    )


MAKERS = {"equality": bells, "inequality": valleys, "portfolio": portfolios}
