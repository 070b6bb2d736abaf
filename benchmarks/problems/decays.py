"""Many small maximum likelihood fits: decays counted in bins over a background.

The counts y_i at time t_i are Poisson with mean μ_i = e^a exp(−e^b t_i) + e^c. Minimised over
(a, b, c) is Σ μ_i − y_i + y_i log(y_i / μ_i), the statistic of Cash (1979), Astrophysical Journal
228, 939-947, less its value for a perfect fit: half the deviance, about half the number of bins.
"""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.scipy.special import xlogy

BINS = 20


class Decays(NamedTuple):
    starts: np.ndarray  # (N, 3)
    counts: np.ndarray  # (N, BINS)


def times(dtype) -> Array:
    return jnp.linspace(0, 10, BINS, dtype=dtype)


def objective(params: Array, counts: Array) -> Array:
    """params: (3,); counts: (BINS,)."""
    a, b, c = params
    log_decay = a - jnp.exp(b) * times(params.dtype)
    mean = jnp.exp(log_decay) + jnp.exp(c)
    return jnp.sum(mean - counts + xlogy(counts, counts) - xlogy(counts, mean))


def make(size: int, seed: int, dtype: str) -> Decays:
    """Amplitudes of 50 to 500, rates of 0.3 to 1.5, backgrounds of 5 to 20, log-uniform.

    Each start is read off its counts: the first one, a rate of 0.5, the mean of the last five.
    """
    rng = np.random.default_rng(seed)
    limits = np.log([[50, 500], [0.3, 1.5], [5, 20]])
    drawn = np.exp(rng.uniform(*limits.T, (size, 3)))
    amplitude, rate, background = (column[:, None] for column in drawn.T)
    mean = amplitude * np.exp(-rate * np.asarray(times(float))) + background
    counts = rng.poisson(mean)
    tail = counts[:, -5:].mean(axis=1) + 0.5
    starts = np.stack([np.log(counts[:, 0] + 1), np.full(size, np.log(0.5)), np.log(tail)], axis=1)
    return Decays(starts.astype(dtype), counts.astype(dtype))
