"""Quantiles of the distributions that intervals are made from."""

import jax
import jax.numpy as jnp

from mvopt._types import Array

# Each round of Newton's method doubles the digits; from the start below four reach float64.
_ROUNDS = 6
# Beyond it the expansion in 1/ν is exact to eight digits, and log Γ cancels in float32.
_MANY = 300


def normal_quantile(level: Array | float) -> Array:
    """z with P(|Z| ≤ z) = level for a standard normal Z."""
    return jax.scipy.special.ndtri(0.5 + 0.5 * jnp.asarray(level, float))


@jax.jit
def student_quantile(level: Array | float, dof: Array) -> Array:
    """t with P(|T| ≤ t) = level for Student's t with `dof` degrees of freedom; NaN for dof ≤ 0.

    Newton's method on log t, where the tail is nearly straight, with the tail as an incomplete beta
    function (Abramowitz and Stegun 1964, 26.7.1).
    """
    level = jnp.asarray(level, float)
    dof = jnp.asarray(dof)
    nu = jnp.maximum(dof, 1).astype(level.dtype)
    outside = 1 - level
    log_constant = (
        jax.lax.lgamma((nu + 1) / 2) - jax.lax.lgamma(nu / 2) - 0.5 * jnp.log(jnp.pi * nu)
    )
    z = normal_quantile(level)
    # The expansion in 1/ν (Abramowitz and Stegun 26.7.5), and for heavy tails their power law.
    body = z + (z**3 + z) / (4 * nu) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * nu**2)
    body = body + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * nu**3)
    tail = jnp.exp((jnp.log(2.0) + log_constant - jnp.log(nu) - jnp.log(outside)) / nu)
    start = jnp.where(nu > 2, body, jnp.maximum(body, jnp.sqrt(nu) * tail))

    def improve(_, log_t: Array) -> Array:
        t = jnp.exp(log_t)
        beyond = jax.scipy.special.betainc(nu / 2, 0.5, nu / (nu + t * t))
        log_density = log_constant - (nu + 1) / 2 * jnp.log1p(t * t / nu)
        slope = -2 * jnp.exp(log_density) * t / beyond  # of log(beyond) by log t
        step = (jnp.log(beyond) - jnp.log(outside)) / slope
        return log_t - jnp.clip(step, -1.0, 1.0)

    t = jnp.exp(jax.lax.fori_loop(0, _ROUNDS, improve, jnp.log(start)))
    t = jnp.where(nu > _MANY, body, t)
    return jnp.where(dof > 0, t, jnp.nan)


def fisher_quantile(level: Array | float, dof: Array) -> Array:
    """2 F with P(F ≤ …) = level for Fisher's F with 2 and `dof` degrees of freedom.

    With dof = ∞ it is the quantile of χ² with two degrees of freedom.
    """
    outside = 1 - jnp.asarray(level, float)
    nu = jnp.asarray(dof, outside.dtype)
    finite = jnp.isfinite(nu)
    safe = jnp.where(finite & (nu > 0), nu, 1.0)
    value = jnp.where(finite, safe * jnp.expm1(-2 / safe * jnp.log(outside)), -2 * jnp.log(outside))
    return jnp.where(nu > 0, value, jnp.nan)


def scheffe_quantile(level: Array | float, count: Array, dof: Array) -> Array:
    """p F with P(F ≤ …) = level for Fisher's F with p = `count` and `dof` degrees of freedom.

    By bisection on the logarithm of the incomplete beta function's argument; for dof = ∞ it is the
    quantile of χ² with p degrees of freedom.
    """
    level = jnp.asarray(level, float)
    nu = jnp.asarray(dof, level.dtype)
    finite = jnp.isfinite(nu)
    safe = jnp.where(finite & (nu > 0), nu, 1.0)

    def inside(value: Array) -> Array:
        share = jax.scipy.special.betainc(count / 2, safe / 2, value / (value + safe))
        return jnp.where(finite, share, jax.scipy.special.gammainc(count / 2, value / 2))

    def halve(_, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = ends
        middle = (low + high) / 2
        below = inside(jnp.exp(middle)) < level
        return jnp.where(below, middle, low), jnp.where(below, high, middle)

    ends = jnp.full_like(safe, -20.0), jnp.full_like(safe, 40.0)
    low, high = jax.lax.fori_loop(0, 60, halve, ends)
    return jnp.where(nu > 0, jnp.exp((low + high) / 2), jnp.nan)
