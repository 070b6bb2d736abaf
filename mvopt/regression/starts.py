"""The best of many starts spread over a box."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mvopt import _tree
from mvopt._types import Status
from mvopt.iteration.protocol import Solver
from mvopt.regression.batch import Batch
from mvopt.regression.fit import Fit
from mvopt.regression.fitting import fit_batch

_GOOD = (Status.CONVERGED, Status.SINGULAR, Status.STALLED)


def latin_hypercube(num: int, lower: Any, upper: Any, seed: int) -> np.ndarray:
    """`num` points (num, n) of a box: every coordinate has one in each of `num` equal slices.

    McKay, Beckman and Conover (1979). lower, upper: (n,) and finite, or ValueError.
    """
    rng = np.random.default_rng(seed)
    lower, upper = np.asarray(lower, float), np.asarray(upper, float)
    if not (np.isfinite(lower).all() and np.isfinite(upper).all() and (lower <= upper).all()):
        raise ValueError("starts need a box with finite ends, lower ≤ upper, for every parameter")
    slices = np.stack([rng.permutation(num) for _ in range(lower.size)], axis=1)
    share = (slices + rng.uniform(size=slices.shape)) / num
    return lower + share * (upper - lower)


def multi_start(
    batch: Batch,
    lower: Any,
    upper: Any,
    num: int,
    seed: int,
    solver: Solver | None,
    max_steps: int,
) -> Fit:
    """The best fit of each data set, from its own start and `num` others."""
    own = fit_batch(batch, solver, max_steps)
    points = latin_hypercube(num, batch.vector(own, lower), batch.vector(own, upper), seed)
    flat = jnp.tile(jnp.asarray(points, own.chi2.dtype), (batch.count, 1))
    start = jax.vmap(_tree.ravel(batch.one(own))[1])(flat)
    others = fit_batch(batch.repeated(num, start=start), solver, max_steps)
    if batch.size is None:
        own = jax.tree.map(lambda leaf: leaf[None], own)

    def joined(one: Any, several: Any) -> Any:
        several = several.reshape(batch.count, num, *several.shape[1:])
        return jnp.concatenate([one[:, None], several], axis=1)

    all_fits = jax.tree.map(joined, own, others)
    chi2 = np.where(np.isin(all_fits.status, _GOOD), all_fits.chi2, np.inf)
    best = np.argmin(chi2, axis=1)
    found = jax.tree.map(lambda leaf: leaf[np.arange(batch.count), best], all_fits)
    return _tree.take(found, 0) if batch.size is None else found
