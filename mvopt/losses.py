"""What a fit minimises other than the sum of squares: robust losses and likelihoods.

Each loss is a sum over the points. `terms` gives for every point its value, its slope ψ and a
weight w ≥ 0 that stands for its curvature, which is all that a Gauss–Newton method needs:

- robust losses ρ(z) of z = residual/scale (Huber 1964), with the weight ψ/z of iteratively
  reweighted least squares: a parabola with it touches ρ at z and lies above it (Holland and Welsch
  1977);
- half the deviance of a likelihood, with the expected information (Fisher's scoring; McCullagh and
  Nelder 1989, section 2.5). Twice the loss is the likelihood-ratio χ² (Baker and Cousins 1984).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import jax
import jax.numpy as jnp

from mvopt import _tree
from mvopt._types import Array
from mvopt.families.linearization import Terms

Number = float | Array


@dataclass(frozen=True)
class Robust:
    """A loss that grows more slowly than the square beyond `threshold` scales.

    threshold: None: in `curve_fit` the one with 95 % of the efficiency of least squares on normal
    errors, in `least_squares` one, as in SciPy.
    scale: standard deviation of the good residuals, in units of sigma (of y, without sigma). None:
    in `curve_fit` it is estimated, together with the params, by the median absolute residual
    divided by 0.6745, and is one with absolute_sigma; in `least_squares` it is one.
    """

    threshold: Number | None = None
    scale: Number | None = None

    efficient: ClassVar[float]  # the threshold with an efficiency of 95 %

    def shape(self, t: Array) -> tuple[Array, Array]:
        """ρ and ψ/z of t = z/threshold, for a threshold of one."""
        raise NotImplementedError

    def settled(self) -> tuple[Number, Number]:
        """Threshold and scale, one for what is not given."""
        threshold = 1.0 if self.threshold is None else self.threshold
        return threshold, 1.0 if self.scale is None else self.scale

    def terms(self, residual: Array, y: Array | None = None) -> Terms:
        """The loss of each residual, (m,), in its own units squared: near zero half its square."""
        del y
        threshold, scale = (jnp.asarray(each, residual.dtype) for each in self.settled())
        unit = threshold * scale
        value, weight = self.shape(residual / unit)
        return Terms(unit * unit * value, weight * residual, weight)

    def slope_of_slope(self, residual: Array) -> Array:
        """ψ′, (m,)."""
        slope = lambda residual: self.terms(residual).slope
        return jax.jvp(slope, (residual,), (jnp.ones_like(residual),))[1]


@_tree.node
@dataclass(frozen=True)
class Huber(Robust):
    """Square within the threshold, linear beyond (Huber 1964)."""

    efficient = 1.345

    def shape(self, t: Array) -> tuple[Array, Array]:
        """ρ and ψ/z."""
        size = jnp.maximum(jnp.abs(t), 1.0)
        return jnp.where(size > 1, size - 0.5, 0.5 * t * t), 1 / size


@_tree.node
@dataclass(frozen=True)
class SoftL1(Robust):
    """√(1 + t²) − 1: a smooth form of the absolute value (Charbonnier et al. 1997)."""

    efficient = 1.287

    def shape(self, t: Array) -> tuple[Array, Array]:
        """ρ and ψ/z."""
        root = jnp.sqrt(1 + t * t)
        return t * t / (1 + root), 1 / root  # no cancellation for small t


@_tree.node
@dataclass(frozen=True)
class Cauchy(Robust):
    """½ log(1 + t²): the likelihood of a Cauchy distribution."""

    efficient = 2.385

    def shape(self, t: Array) -> tuple[Array, Array]:
        """ρ and ψ/z."""
        return 0.5 * jnp.log1p(t * t), 1 / (1 + t * t)


@_tree.node
@dataclass(frozen=True)
class Tukey(Robust):
    """Tukey's biweight: points beyond the threshold do not count (Beaton and Tukey 1974)."""

    efficient = 4.685

    def shape(self, t: Array) -> tuple[Array, Array]:
        """ρ and ψ/z."""
        rest = jnp.maximum(1 - t * t, 0.0)
        square = jnp.minimum(t * t, 1.0)
        # (1 − (1 − t²)³)/6 without cancellation.
        return square * (3 - square * (3 - square)) / 6, rest * rest


@_tree.node
@dataclass(frozen=True)
class Poisson:
    """Maximum likelihood for counts y ≥ 0 with the model as their mean (Fisher 1925)."""

    def terms(self, mean: Array, y: Array) -> Terms:
        """Half the deviance of each count; infinite where the mean is not positive."""
        return Terms(_deviance(y, mean), *_slope_and_information(y, mean))

    def valid(self, y: Array) -> Array:
        """Whether each y can be a count, (m,) bool."""
        return y >= 0

    def stand_in(self, y: Array) -> tuple[Array, Array]:
        """A mean and a y for points that are left out."""
        return jnp.ones_like(y), jnp.ones_like(y)

    def log_saturated(self, y: Array) -> Array:
        """Logarithm of the probability of each y at its best mean, y itself."""
        return _xlogx(y) - y - jax.lax.lgamma(y + 1)


@_tree.node
@dataclass(frozen=True)
class Binomial:
    """Maximum likelihood for y successes out of `trials`, with the model as their probability.

    trials: a number, or an array like y.
    """

    trials: Number = 1.0

    def terms(self, probability: Array, y: Array) -> Terms:
        """Half the deviance of each y; infinite where the probability is not within 0 and 1."""
        trials = jnp.broadcast_to(jnp.asarray(self.trials, y.dtype), y.shape)
        failures = trials - y
        hit, miss = trials * probability, trials * (1 - probability)
        slopes, weights = zip(
            _slope_and_information(y, hit), _slope_and_information(failures, miss), strict=True
        )
        return Terms(
            _deviance(y, hit) + _deviance(failures, miss),
            trials * (slopes[0] - slopes[1]),
            trials * trials * (weights[0] + weights[1]),
        )

    def valid(self, y: Array) -> Array:
        """Whether each y is between 0 and the trials, (m,) bool."""
        return (y >= 0) & (y <= self.trials)

    def stand_in(self, y: Array) -> tuple[Array, Array]:
        """A probability and a y for points that are left out."""
        half = jnp.full_like(y, 0.5)
        return half, half * self.trials

    def log_saturated(self, y: Array) -> Array:
        """Logarithm of the probability of each y at its best probability, y/trials."""
        trials = jnp.asarray(self.trials, y.dtype)
        log_ways = jax.lax.lgamma(trials + 1) - jax.lax.lgamma(y + 1)
        log_ways = log_ways - jax.lax.lgamma(trials - y + 1)
        return log_ways + _xlogx(y) + _xlogx(trials - y) - _xlogx(trials)


Likelihood = Poisson | Binomial
Loss = Robust | Likelihood

NAMED: dict[str, Callable[[], Loss]] = {
    "huber": Huber,
    "soft_l1": SoftL1,
    "cauchy": Cauchy,
    "tukey": Tukey,
    "poisson": Poisson,
    "binomial": Binomial,
}


def loss_of(loss: "str | Loss") -> Loss | None:
    """The loss of that name; None for "linear". Raises ValueError for one that does not exist."""
    if isinstance(loss, Robust | Poisson | Binomial):
        return loss
    if loss == "linear":
        return None
    if not isinstance(loss, str) or loss not in NAMED:
        raise ValueError(
            f"loss={loss!r} is not known: use one of linear, {', '.join(NAMED)}, or a member of "
            "mvopt.losses"
        )
    return NAMED[loss]()


def _deviance(y: Array, mean: Array) -> Array:
    """y log(y/mean) − y + mean, ≥ 0; infinite for a mean that is not positive.

    Near y = mean by the series of Loader (2000, "Fast and accurate computation of binomial
    probabilities"), for the three terms cancel there.
    """
    positive = mean > 0
    mean = jnp.where(positive, mean, 1.0)
    counted = y > 0
    safe = jnp.where(counted, y, 1.0)
    gap = mean - safe
    s = gap / (mean + safe)
    near = jnp.abs(s) < 0.1
    square = jnp.where(near, s * s, 0.0)
    series = jnp.full_like(square, 1 / 15)
    for odd in (13, 11, 9, 7, 5, 3):
        series = series * square + 1 / odd
    # With t = mean/y − 1 and s = t/(2 + t): t − log(1 + t) = t s − 2 s³ (1/3 + s²/5 + …).
    close = gap * s - 2 * safe * square * s * series
    far = gap - safe * jnp.log(jnp.where(near, 1.0, mean / safe))
    value = jnp.where(counted, jnp.where(near, close, far), mean)
    return jnp.where(positive, value, jnp.inf)


def _slope_and_information(y: Array, mean: Array) -> tuple[Array, Array]:
    """1 − y/mean and 1/mean."""
    inverse = 1 / jnp.where(mean > 0, mean, 1.0)
    return 1 - y * inverse, inverse


def _xlogx(y: Array) -> Array:
    return jnp.where(y > 0, y * jnp.log(jnp.where(y > 0, y, 1.0)), 0.0)
