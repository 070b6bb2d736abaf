"""`Fit`: what comes out of a regression."""

from dataclasses import dataclass, field
from typing import NamedTuple

import jax
import jax.numpy as jnp

from mvopt import _tree
from mvopt._types import Array, Params
from mvopt.regression import report
from mvopt.regression.quantiles import normal_quantile, student_quantile


class About(NamedTuple):
    """What a report says of a fit beside its numbers; hashable."""

    model: str = ""
    names: tuple[str, ...] | None = None  # of the flat params
    loss: str = "linear"
    # The scale of the errors is known, and not estimated from the residuals.
    known_scale: bool = False

    @property
    def robust(self) -> bool:
        """Whether the loss is a robust one, and so no likelihood."""
        return self.loss != "linear" and not self.counts

    @property
    def counts(self) -> bool:
        """Whether the loss is the likelihood of counts."""
        return self.loss in ("Poisson", "Binomial")


@_tree.node
@dataclass(frozen=True)
class Fit:
    """Result of `curve_fit` and `linear_fit`; a pytree of arrays.

    `params` and `stderr` have the structure of the start, `covariance` has shape (n, n) over the
    parameters in the order in which `jax.flatten_util.ravel_pytree` lays them out (for an array
    of parameters: its own order). A parameter that the data do not determine, or that rests on
    a bound, has an infinite standard error; a fixed one has zero. With `in_axes` given, each
    field has a leading batch axis.

    chi2: twice what was minimised, priors included: Σ ((y − model)/sigma)², or for a likelihood the
    deviance, for a robust loss twice its sum. dof: points and priors less free parameters, of which
    those that rest on a bound are none: all statistics are those of the fit with them held there.
    log_likelihood: of the data at the params, for normal errors with the estimated scale where that
    is not known; NaN for a robust loss. num_estimated: the free parameters less those that rest on
    a bound, and that scale.
    r_squared: the share of the weighted variance of y that the model explains; NaN for other losses
    than the square.
    """

    params: Params
    covariance: Array
    stderr: Params
    chi2: Array
    reduced_chi2: Array
    p_value: Array
    dof: Array
    status: Array
    num_steps: Array
    log_likelihood: Array
    num_points: Array
    num_estimated: Array
    r_squared: Array
    about: About = field(default=About(), metadata={"static": True})

    @property
    def aic(self) -> Array:
        """Akaike's information criterion 2k − 2 log L (Akaike 1974)."""
        return 2.0 * self.num_estimated - 2 * self.log_likelihood

    @property
    def aicc(self) -> Array:
        """The same corrected for few points (Hurvich and Tsai 1989); infinite for n ≤ k + 1."""
        k, left = self.num_estimated, self.num_points - self.num_estimated - 1
        extra = jnp.where(left > 0, 2.0 * k * (k + 1) / jnp.maximum(left, 1), jnp.inf)
        return self.aic + extra

    @property
    def bic(self) -> Array:
        """Bayesian information criterion k log n − 2 log L (Schwarz 1978)."""
        return self.num_estimated * jnp.log(1.0 * self.num_points) - 2 * self.log_likelihood

    @property
    def correlation(self) -> Array:
        """Correlation matrix (n, n) of the parameters; NaN where one has no finite error."""
        deviation = jnp.sqrt(jnp.diagonal(self.covariance, axis1=-2, axis2=-1))
        known = (deviation > 0) & jnp.isfinite(deviation)
        both = known[..., :, None] & known[..., None, :]
        product = deviation[..., :, None] * deviation[..., None, :]
        ratio = jnp.where(both, self.covariance, 0.0) / jnp.where(both, product, 1.0)
        return jnp.where(both, ratio, jnp.nan)

    def intervals(self, level: float = 0.95) -> tuple[Params, Params]:
        """Lower and upper ends, each like `params`, of intervals of this confidence level.

        params ∓ t·stderr with Student's t, or a normal quantile where the scale is known.
        """
        check_level(level)
        known = self.about.known_scale
        factor = normal_quantile(level) if known else student_quantile(level, self.dof)

        def end(sign: float, value: Array, error: Array) -> Array:
            share = jnp.reshape(factor, factor.shape + (1,) * (value.ndim - factor.ndim))
            return value + sign * share * error

        low, high = (
            jax.tree.map(
                lambda value, error, s=sign: end(s, value, error), self.params, self.stderr
            )
            for sign in (-1.0, 1.0)
        )
        return low, high

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the parameters in the order of the covariance."""
        return report.labels(self)

    def __str__(self) -> str:
        if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(self)):
            return repr(self)
        return report.text(self)


def check_level(level: float) -> None:
    """ValueError unless the confidence level is between 0 and 1."""
    if not 0 < level < 1:
        raise ValueError(f"level={level} is not a confidence level: give one between 0 and 1")
