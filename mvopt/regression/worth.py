"""What a fit is worth: its status, covariance, and goodness of fit.

What each figure means depends on what was minimised:

- least squares: χ² and its probability; the covariance (JᵀJ)⁻¹, times the reduced χ² where the
  scale of the errors is not known (Bates and Watts 1988, section 1.2.3);
- a likelihood: the deviance in the place of χ², and the inverse of the expected information;
- a robust loss: no distribution of its sum is known, so there is no p-value. The covariance is that
  of an M-estimator (Huber 1981, equation 7.6.9): K² Σψ²/(n − p) / (mean ψ′)² (JᵀJ)⁻¹ with
  K = 1 + p/n · var ψ′/(mean ψ′)².
"""

from typing import NamedTuple

import jax.numpy as jnp

from mvopt._types import Array, Status
from mvopt.families.linearization import LeastSquaresProblem
from mvopt.losses import Likelihood, Loss, Robust
from mvopt.regression.data import Points
from mvopt.regression.uncertainty import Uncertainty, chi2_p_value, uncertainty


class Worth(NamedTuple):
    """Fields of a `Fit`, over the n free parameters; one that rests on a bound counts as held."""

    status: Array
    covariance: Array  # (n, n)
    chi2: Array
    reduced_chi2: Array
    p_value: Array
    dof: Array
    log_likelihood: Array
    num_points: Array
    num_estimated: Array
    r_squared: Array


class Knowledge(NamedTuple):
    """What is known of the errors of the data; hashable."""

    has_sigma: bool
    known_scale: bool
    errors_in_x: bool = False
    in_parts: bool = False  # of complex data: real and imaginary part have a mean each


def worth(
    points: Points,
    loss: Loss | None,
    problem: LeastSquaresProblem,
    params: Array,
    status: Array,
    knowledge: Knowledge,
    num_priors: Array | int = 0,
) -> Worth:
    """Judge the solution `params`, (n,), of a solver that ended with `status`."""
    robust = isinstance(loss, Robust)
    scale: Array | float
    # A robust loss weighs the points for its own ends; the covariance has its own formula.
    found = uncertainty(problem._replace(loss=None) if robust else problem, params)
    status = _status(points, found, status)
    # Away from a solution there is no covariance of one.
    failed = (
        (status == Status.BAD_INPUT) | (status == Status.NONFINITE) | (status == Status.MAX_STEPS)
    )
    num_free = found.num_free
    dof = points.num_used + num_priors - num_free
    # What the loss is a function of: the residuals, or the values of the model.
    arguments = found.residual[: points.y.size] if loss is None else problem.residual(params)
    chi2 = found.chi2 if loss is None else 2 * problem.objective(params)
    reduced = jnp.where(dof > 0, chi2 / jnp.maximum(dof, 1), jnp.nan)
    nan = jnp.full_like(chi2, jnp.nan)
    if isinstance(loss, Robust):
        scale = _huber_factor(loss, arguments, points, num_free)
    else:
        scale = 1.0 if knowledge.known_scale else jnp.where(dof > 0, reduced, jnp.inf)
    known = jnp.isfinite(found.inverse) & ~failed
    return Worth(
        status=status,
        covariance=jnp.where(known, jnp.where(known, found.inverse, 0.0) * scale, jnp.inf),
        chi2=chi2,
        reduced_chi2=reduced,
        p_value=nan if robust or not knowledge.has_sigma else chi2_p_value(chi2, dof),
        dof=dof,
        log_likelihood=(
            nan
            if knowledge.errors_in_x
            else _log_likelihood(points, loss, problem, arguments, knowledge)
        ),
        num_points=points.num_used,
        num_estimated=num_free + (not knowledge.known_scale),
        r_squared=(
            nan
            if loss is not None or knowledge.errors_in_x
            else _r_squared(points, arguments, 2 if knowledge.in_parts else 1)
        ),
    )


def _status(points: Points, found: Uncertainty, status: Array) -> Array:
    singular = (status == Status.CONVERGED) & found.rank_deficient
    status = jnp.where(singular, Status.SINGULAR, status)
    return points.judged(status)


def _huber_factor(loss: Robust, residual: Array, points: Points, num_free: Array) -> Array:
    """K² Σψ²/(n − p) / (mean ψ′)²; infinite without degrees of freedom."""
    used = jnp.ones(residual.shape, bool) if points.used is None else points.used
    count = points.num_used.astype(residual.dtype)
    slope = loss.terms(residual).slope
    rate = jnp.where(used, loss.slope_of_slope(residual), 0.0)
    mean = jnp.sum(rate) / count
    variance = jnp.sum(jnp.where(used, (rate - mean) ** 2, 0.0)) / count
    factor = 1 + num_free / count * variance / mean**2
    dof = count - num_free
    power = jnp.sum(jnp.where(used, slope**2, 0.0)) / jnp.maximum(dof, 1)
    good = (dof > 0) & (mean > 0)
    return jnp.where(good, factor**2 * power / jnp.where(good, mean, 1.0) ** 2, jnp.inf)


def _log_likelihood(
    points: Points,
    loss: Loss | None,
    problem: LeastSquaresProblem,
    arguments: Array,
    knowledge: Knowledge,
) -> Array:
    """Of the data alone, without the priors; NaN for a robust loss."""
    if isinstance(loss, Robust):
        return jnp.full((), jnp.nan, arguments.dtype)
    if loss is not None and problem.loss is not None:
        return log_saturated(points, loss) - jnp.sum(problem.loss(arguments).value)
    count = points.num_used.astype(arguments.dtype)
    chi2 = jnp.sum(arguments**2)
    return normal_log_likelihood(chi2, count, log_weight(points), knowledge.known_scale)


def log_saturated(points: Points, likelihood: Likelihood) -> Array:
    """The highest log-likelihood that a model with a parameter for each point could reach."""
    best = likelihood.log_saturated(points.y)
    return jnp.sum(best if points.used is None else jnp.where(points.used, best, 0.0))


def log_weight(points: Points) -> Array:
    """−Σ log sigma, or minus half the logarithm of the determinant of the covariance of y."""
    if points.whiten is None:
        return jnp.zeros((), points.y.dtype)
    weights = points.whiten if points.whiten.ndim == 1 else jnp.diagonal(points.whiten)
    inside = weights > 0
    if points.used is not None:
        inside = inside & points.used
    return jnp.sum(jnp.where(inside, jnp.log(jnp.where(inside, weights, 1.0)), 0.0))


def normal_log_likelihood(chi2: Array, count: Array, log_weight: Array, known: bool) -> Array:
    """Of `count` normal errors, at the scale that is known or at the best one."""
    if known:
        return log_weight - 0.5 * (chi2 + count * jnp.log(2 * jnp.pi))
    return log_weight - 0.5 * count * (jnp.log(2 * jnp.pi * chi2 / count) + 1)


def _r_squared(points: Points, residual: Array, num_means: int) -> Array:
    """1 − Σr²/Σ(y − ȳ)², both weighted; ȳ is one for each equal part of the points."""
    spread = points.whitened(points.y)
    for k in range(num_means):
        part = jnp.arange(points.y.size) * num_means // points.y.size == k
        ones = points.whitened(part.astype(points.y.dtype))
        spread = spread - ones * (jnp.sum(ones * spread) / jnp.sum(ones * ones))
    return 1 - jnp.sum(residual**2) / jnp.sum(spread**2)


def root_of_variance(variance: Array) -> Array:
    """Square root whose derivative at zero is zero: a fixed parameter has no error to change."""
    positive = variance > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, variance, 1.0)), 0.0)
