"""Many small fits of a Gaussian peak on a constant: data, model and a common judge of accuracy.

y = a·exp(−(x−b)²/2c²) + d at x = 0…24 with a ∈ [5, 15], b ∈ [8.75, 16.25], c ∈ [1.5, 3.5] and
d ∈ [0.5, 1.5], all uniform; normal noise of 0.3; starts within ±20 % of the truth.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

Array = NDArray
LOWER = np.array([5.0, 8.75, 1.5, 0.5])
UPPER = np.array([15.0, 16.25, 3.5, 1.5])
NOISE = 0.3
NUM_POINTS = 25


class Data(NamedTuple):
    """x (25,), y (N, 25) and starts (N, 4) in float32."""

    x: Array
    y: Array
    p0: Array


def make(num_fits: int, seed: int) -> Data:
    """`num_fits` data sets, the same for the same seed."""
    rng = np.random.default_rng(seed)
    x = np.arange(NUM_POINTS, dtype=np.float64)
    truth = rng.uniform(LOWER, UPPER, (num_fits, 4))
    y = gaussian_numpy(x, *truth.T[:, :, None]) + rng.normal(0.0, NOISE, (num_fits, NUM_POINTS))
    p0 = truth * rng.uniform(0.8, 1.2, truth.shape)
    return Data(x.astype(np.float32), y.astype(np.float32), p0.astype(np.float32))


def gaussian(x, p):
    """The model for the peers that differentiate by JAX."""
    return p[0] * jnp.exp(-0.5 * ((x - p[1]) / p[2]) ** 2) + p[3]


def gaussian_numpy(x, a, b, c, d):
    return a * np.exp(-0.5 * ((x - b) / c) ** 2) + d


def jacobian_numpy(x, a, b, c, d):  # noqa: ARG001 (the same call as the model's)
    z = (x - b) / c
    bell = np.exp(-0.5 * z * z)
    slope = a * bell * z / c
    return np.stack([bell, slope, slope * z, np.ones_like(bell)], axis=-1)


def in_pieces(function: Callable[..., Array], *arrays: Array, size: int = 8192) -> Array:
    """`function` over slices of the leading axis, so that temporaries stay small."""
    pieces = range(0, len(arrays[0]), size)
    return np.concatenate([function(*(a[i : i + size] for a in arrays)) for i in pieces])


def chi2(data: Data, params: Array) -> Array:
    """Sum of squared residuals (N,) of params (N, 4), in float64; infinite where not finite."""
    x = data.x.astype(np.float64)

    def piece(y: Array, p: Array) -> Array:
        with np.errstate(all="ignore"):
            return np.sum((gaussian_numpy(x, *p.T[:, :, None]) - y) ** 2, axis=-1)

    sums = in_pieces(piece, data.y.astype(np.float64), params.astype(np.float64))
    return np.where(np.isfinite(sums), sums, np.inf)


def polish(data: Data, params: Array, steps: int = 8) -> Array:
    """χ² (N,) after Levenberg–Marquardt steps in float64 from params (N, 4).

    It judges the others, so it is plain: each step is kept where it lowers χ², and the damping,
    relative to the diagonal (Marquardt, 1963), falls or rises tenfold.
    """
    x = data.x.astype(np.float64)

    def piece(y: Array, p: Array) -> Array:
        damping = np.full(len(p), 1e-3)
        best = np.sum((gaussian_numpy(x, *p.T[:, :, None]) - y) ** 2, axis=-1)
        for _ in range(steps):
            columns = p.T[:, :, None]
            jacobian = jacobian_numpy(x, *columns)
            residual = gaussian_numpy(x, *columns) - y
            normal = np.swapaxes(jacobian, 1, 2) @ jacobian
            diagonal = np.einsum("nii->ni", normal)
            diagonal *= 1 + damping[:, None]
            diagonal += 1e-12 * np.max(diagonal, axis=1, keepdims=True)  # never singular
            gradient = np.einsum("nmk,nm->nk", jacobian, residual)
            trial = p - np.linalg.solve(normal, gradient[..., None])[..., 0]
            cost = np.sum((gaussian_numpy(x, *trial.T[:, :, None]) - y) ** 2, axis=-1)
            better = cost < best
            p, best = np.where(better[:, None], trial, p), np.where(better, cost, best)
            damping *= np.where(better, 0.1, 10.0)
        return best

    usable = np.all(np.isfinite(params), axis=-1) & (np.abs(params[:, 2]) > 1e-3)
    usable &= np.isfinite(chi2(data, params))
    result = np.full(len(params), np.inf)
    y = data.y[usable].astype(np.float64)
    result[usable] = in_pieces(piece, y, params[usable].astype(np.float64))
    return result
