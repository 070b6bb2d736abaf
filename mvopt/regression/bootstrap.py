"""Resampled data sets, and what their fits say of the uncertainty (Efron 1979)."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from mvopt import _tree
from mvopt._types import Array, Status
from mvopt.losses import Binomial, Loss, Poisson
from mvopt.regression import inference
from mvopt.regression.batch import Batch
from mvopt.regression.fit import Fit, check_level
from mvopt.regression.fitting import fit_batch

KINDS = ("residual", "case", "parametric")
# Numbers in the resampled data sets that are fitted in one go.
_NUMBERS = 1 << 23


class Bootstrap(NamedTuple):
    """Fits of B resampled data sets.

    params: like the params of the fit, with an axis B after the batch axis. status: (…, B); what
    did not converge is left out of the figures below.
    """

    params: Any
    status: Array

    def stderr(self) -> Any:
        """Standard deviations over the resampled data sets, like the params of the fit."""
        return jax.tree.map(
            lambda leaf: jnp.nanstd(self._kept(leaf), axis=self._axis, ddof=1), self.params
        )

    def intervals(self, level: float = 0.95) -> tuple[Any, Any]:
        """Percentiles (Efron 1979) that hold this share of the resampled params between them."""
        check_level(level)
        ends = (50 * (1 - level), 50 * (1 + level))
        low, high = (
            jax.tree.map(
                lambda leaf, q=q: jnp.nanpercentile(self._kept(leaf), q, axis=self._axis),
                self.params,
            )
            for q in ends
        )
        return low, high

    def covariance(self) -> Array:
        """(…, n, n) over the resampled data sets."""
        flat = lambda params: _tree.ravel(params)[0]
        for _ in range(self._axis + 1):
            flat = jax.vmap(flat)
        values = self._kept(flat(self.params))
        apart = values - jnp.nanmean(values, axis=self._axis, keepdims=True)
        apart = jnp.where(jnp.isfinite(apart), apart, 0.0)
        count = jnp.sum(self.status == Status.CONVERGED, axis=-1)
        products = jnp.einsum("...bi,...bj->...ij", apart, apart)
        return products / jnp.maximum(count - 1, 1)[..., None, None]

    @property
    def _axis(self) -> int:
        return self.status.ndim - 1

    def _kept(self, leaf: Array) -> Array:
        good = self.status == Status.CONVERGED
        return jnp.where(good.reshape(good.shape + (1,) * (leaf.ndim - good.ndim)), leaf, jnp.nan)


class Fitted(NamedTuple):
    """What a resample of one data set is made from; all (m,)."""

    y: Array
    residual: Array  # (y − model)/sigma, zero for points left out
    sigma: Array
    used: Array  # bool
    scale: Array  # () standard deviation of the residuals
    dof: Array  # ()


def resampled(kind: str, loss: Loss | None, fitted: Fitted, key: Array) -> tuple[Array, Array]:
    """y and sigma of one new data set, both (m,); an infinite sigma leaves its point out."""
    mean = fitted.y - fitted.sigma * fitted.residual
    if kind == "parametric":
        return _drawn(loss, mean, fitted, key), fitted.sigma
    chance = jnp.where(fitted.used, 0.0, -jnp.inf)
    chosen = jax.random.categorical(key, chance, shape=fitted.y.shape)
    if kind == "case":
        counts = jnp.zeros(fitted.y.size, jnp.int32).at[chosen].add(jnp.where(fitted.used, 1, 0))
        root = jnp.sqrt(counts.astype(fitted.y.dtype))
        return fitted.y, jnp.where(
            counts > 0, fitted.sigma / jnp.where(counts > 0, root, 1), jnp.inf
        )
    count = jnp.sum(fitted.used)
    center = jnp.sum(jnp.where(fitted.used, fitted.residual, 0.0)) / count
    # The residuals of a fit are smaller than the errors, by √((n − p)/n) on average.
    larger = jnp.sqrt(count / jnp.maximum(fitted.dof, 1))
    errors = larger.astype(mean.dtype) * (fitted.residual - center)
    return mean + fitted.sigma * errors[chosen], fitted.sigma


def _drawn(loss: Loss | None, mean: Array, fitted: Fitted, key: Array) -> Array:
    if isinstance(loss, Poisson):
        return jax.random.poisson(key, jnp.maximum(mean, 0.0)).astype(mean.dtype)
    if isinstance(loss, Binomial):
        trials = jnp.broadcast_to(jnp.asarray(loss.trials, mean.dtype), mean.shape)
        return jax.random.binomial(key, trials, jnp.clip(mean, 0.0, 1.0))
    noise = jax.random.normal(key, mean.shape, mean.dtype)
    return mean + fitted.sigma * fitted.scale * noise


def bootstrap(batch: Batch, fit: Fit, key: Array, num: int, kind: str, max_steps: int) -> Bootstrap:
    """Fits of `num` resampled data sets, each from the params of the fit."""
    given = batch.given()
    _check(batch, given, fit, kind)
    fitted = _fitted(batch, given, fit)
    loss = given.loss if fit.about.counts else None
    start = jax.vmap(_tree.ravel(batch.one(fit))[1])(batch.flat(fit))
    draw = jax.vmap(jax.vmap(partial(resampled, kind, loss), in_axes=(None, 0)))
    at_once = max(_NUMBERS // fitted.y.size, 1)
    parts = []
    for first in range(0, num, at_once):
        count = min(at_once, num - first)
        keys = jax.random.split(jax.random.fold_in(key, first), (batch.count, count))
        y, sigma = (part.reshape(-1, *batch.y_shape()) for part in draw(fitted, keys))
        starts = jax.tree.map(lambda leaf, n=count: jnp.repeat(leaf, n, axis=0), start)
        changes: dict[str, Any] = {"y": y, "start": starts}
        if batch.setup.omit_nan or given.sigma is not None or given.mask is not None:
            changes["mask"] = jnp.repeat(fitted.used, count, axis=0).reshape(y.shape)
        if given.sigma is not None or kind == "case":
            changes["sigma"] = sigma
        found = fit_batch(batch.repeated(count, **changes), None, max_steps)
        shaped = lambda leaf, n=count: leaf.reshape(batch.count, n, *leaf.shape[1:])
        parts.append(jax.tree.map(shaped, Bootstrap(found.params, found.status)))
    whole = jax.tree.map(lambda *leaves: jnp.concatenate(leaves, axis=1), *parts)
    return _tree.take(whole, 0) if batch.size is None else whole


def _check(batch: Batch, given: Any, fit: Fit, kind: str) -> None:
    if kind not in KINDS:
        raise ValueError(f"kind={kind!r} is not known: use one of {', '.join(KINDS)}")
    if fit.about.counts and kind != "parametric":
        raise ValueError('counts are resampled by kind="parametric" only')
    if given.sigma_x is not None:
        raise ValueError("there is no bootstrap for errors in x")
    if batch.setup.in_parts:
        raise ValueError("there is no bootstrap for complex data: fit their two parts as real ones")
    if given.sigma is not None:
        axes = jnp.ndim(given.sigma) - bool(batch.own().sigma)
        if axes > len(batch.y_shape()):
            raise ValueError("a covariance matrix of y cannot be resampled point by point")


def _fitted(batch: Batch, given: Any, fit: Fit) -> Fitted:
    """What resamples are made from, with a leading axis for the data sets."""
    own, shape = batch.own(), (batch.count, *batch.y_shape())

    def spread(leaf: Any, mapped: bool) -> Array:
        one = leaf if mapped else leaf[None]
        full = one.reshape(*one.shape[:1], *(1,) * (len(shape) - one.ndim), *one.shape[1:])
        return jnp.broadcast_to(full, shape).reshape(batch.count, -1)

    y = spread(given.y, own.y).astype(fit.chi2.dtype)
    used = inference.ask(batch, inference.used, fit).reshape(batch.count, -1)
    sigma = jnp.ones_like(y)
    if given.sigma is not None:
        sigma = spread(given.sigma, own.sigma).astype(y.dtype)
    scale = jnp.ones_like(fit.chi2) if fit.about.known_scale else jnp.sqrt(fit.reduced_chi2)
    return Fitted(
        y=jnp.where(used, y, 0.0),
        residual=inference.ask(batch, inference.residuals, fit).reshape(batch.count, -1),
        sigma=jnp.where(used, sigma, 1.0),
        used=used,
        scale=jnp.broadcast_to(scale, (batch.count,)),
        dof=jnp.broadcast_to(fit.dof, (batch.count,)),
    )
