"""Several models on the same data: which one the data favour."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from mvopt._types import Array, Status
from mvopt.regression.curve_fit import curve_fit
from mvopt.regression.fit import Fit

CRITERIA = ("aic", "aicc", "bic")


class Comparison(NamedTuple):
    """K models on each data set.

    fits: name → `Fit`. scores: (…, K), lower is better, infinite where a fit has failed. winner:
    (…) int32, the position of the best model, −1 where all have failed. weights: (…, K), of Akaike
    (Burnham and Anderson 2002, section 2.9): how the evidence is shared out.
    """

    fits: dict[str, Fit]
    scores: Array
    winner: Array
    weights: Array

    @property
    def names(self) -> tuple[str, ...]:
        """The models, in the order of the scores."""
        return tuple(self.fits)


def compare(
    models: Any,
    x: Any,
    y: Any,
    p0: Mapping[str, Any] | None = None,
    sigma: Any = None,
    *,
    criterion: str = "aicc",
    **options: Any,
) -> Comparison:
    """Fit several models to every data set and say which describes it best.

    models: named models, or a mapping of names to functions. p0: a start by name for each model
    that has no guess of its own. criterion: "aic", "aicc" or "bic". The other arguments are those
    of `curve_fit`, the same for all. Raises ValueError for a robust loss, which has no likelihood.
    """
    if criterion not in CRITERIA:
        raise ValueError(f"criterion={criterion!r} is not known: use {', '.join(CRITERIA)}")
    if not isinstance(models, Mapping):
        models = {model.name: model for model in models}
    starts = p0 or {}
    unknown = set(starts) - set(models)
    if unknown:
        raise ValueError(f"p0 names {sorted(unknown)}, but the models are {list(models)}")
    fits = {
        name: curve_fit(model, x, y, starts.get(name), sigma, **options)
        for name, model in models.items()
    }
    scores = jnp.stack([_score(fit, criterion) for fit in fits.values()], axis=-1)
    best = jnp.min(scores, axis=-1, keepdims=True)
    known = jnp.isfinite(scores)
    share = jnp.where(known, jnp.exp(-0.5 * (jnp.where(known, scores - best, 0.0))), 0.0)
    total = jnp.sum(share, axis=-1, keepdims=True)
    winner = jnp.where(known.any(axis=-1), jnp.argmin(scores, axis=-1), -1).astype(jnp.int32)
    return Comparison(fits, scores, winner, share / jnp.where(total > 0, total, 1.0))


def _score(fit: Fit, criterion: str) -> Array:
    if fit.about.robust:
        raise ValueError("a robust loss is no likelihood: compare by least squares or a likelihood")
    score = jax.numpy.asarray(getattr(fit, criterion))
    good = (fit.status == Status.CONVERGED) | (fit.status == Status.STALLED)
    return jnp.where(good & ~jnp.isnan(score), score, jnp.inf)
