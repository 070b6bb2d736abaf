"""What a fit is worth as a whole: its status, covariance, and goodness of fit."""

from typing import NamedTuple

import jax.numpy as jnp

from mvopt._types import Array, Status
from mvopt.regression.data import Points
from mvopt.regression.uncertainty import Uncertainty, chi2_p_value


class Worth(NamedTuple):
    """Fields of a `Fit`, over the n free parameters."""

    status: Array
    covariance: Array  # (n, n)
    reduced_chi2: Array
    p_value: Array
    dof: Array


def worth(
    points: Points,
    found: Uncertainty,
    status: Array,
    *,
    absolute_sigma: bool,
    has_sigma: bool,
) -> Worth:
    """Judge a solution whose solver ended with `status`."""
    num_free = len(found.inverse)
    singular = (status == Status.CONVERGED) & found.rank_deficient
    status = jnp.where(singular, Status.SINGULAR, status)
    status = jnp.where(points.usable, status, Status.BAD_INPUT).astype(jnp.int32)
    # Away from a solution there is no covariance of one.
    failed = (
        (status == Status.BAD_INPUT) | (status == Status.NONFINITE) | (status == Status.MAX_STEPS)
    )
    dof = points.num_used - num_free
    reduced = jnp.where(dof > 0, found.chi2 / jnp.maximum(dof, 1), jnp.nan)
    scale = 1.0 if absolute_sigma else jnp.where(dof > 0, reduced, jnp.inf)
    known = jnp.isfinite(found.inverse) & ~failed
    covariance = jnp.where(known, jnp.where(known, found.inverse, 0.0) * scale, jnp.inf)
    p_value = chi2_p_value(found.chi2, dof) if has_sigma else jnp.full_like(found.chi2, jnp.nan)
    return Worth(status, covariance, reduced, p_value, dof)


def root_of_variance(variance: Array) -> Array:
    """Square root whose derivative at zero is zero: a fixed parameter has no error to change."""
    positive = variance > 0
    return jnp.where(positive, jnp.sqrt(jnp.where(positive, variance, 1.0)), 0.0)
