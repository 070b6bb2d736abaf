"""Diffusion in magnetic resonance over the b-value: one direction, or none that matters."""

import jax
import jax.numpy as jnp

from mvopt.regression.modelling.grid import Points, combinations, geometric, largest, search
from mvopt.regression.modelling.model import Model
from mvopt.regression.models._saturation import exp_below
from mvopt.regression.models.exponentials import rate_search, two_rates

Array = jax.Array


def _adc(x: Array, S0: Array, D: Array) -> Array:
    return S0 * exp_below(-x * D)


def _ivim(x: Array, S0: Array, f: Array, D: Array, Dstar: Array) -> Array:
    return S0 * (f * exp_below(-x * Dstar) + (1 - f) * exp_below(-x * D))


def _kurtosis(x: Array, S0: Array, D: Array, K: Array) -> Array:
    decay = x * D
    return S0 * exp_below(-decay + decay**2 * K / 6)


def _guess_adc(points: Points) -> Array:
    rate, along = rate_search(points, offset=False)
    return jnp.stack([along[0], -rate])


def _guess_ivim(points: Points) -> Array:
    """The faster of two decays is taken to be the flow: the formula alone cannot tell."""
    rates, along = two_rates(points)
    whole = along[0] + along[1]
    return jnp.stack([whole, along[0] / whole, rates[1], rates[0]])


def _guess_kurtosis(points: Points) -> Array:
    scale = largest(points.x, points.weight)
    u = (points.x / scale)[:, None]

    def columns(rate: Array, kurtosis: Array) -> list[Array]:
        return [_kurtosis(u, jnp.ones_like(rate), rate, kurtosis)]

    rates = geometric(0.05, 12.0, 32).astype(u.dtype)
    kurtoses = jnp.linspace(-1, 4, 26, dtype=u.dtype)
    # A signal that rises again beyond b*D = 3/K is no diffusion.
    rate, kurtosis = combinations(rates, kurtoses)
    candidates = (rate, jnp.minimum(kurtosis, 3 / rate))
    (rate, kurtosis), along = search(columns, candidates, points)
    return jnp.stack([along[0], rate / scale, kurtosis])


_S0 = "signal without diffusion weighting"

adc = Model(
    name="adc",
    names=("S0", "D"),
    formula="S0*exp(-b*D)",
    function=_adc,
    guess_function=_guess_adc,
    source="Stejskal and Tanner (1965); Le Bihan et al. (1986)",
    x_names=("b",),
    meanings=(_S0, "apparent diffusion coefficient"),
)

ivim = Model(
    name="ivim",
    names=("S0", "f", "D", "Dstar"),
    formula="S0*(f*exp(-b*Dstar) + (1 - f)*exp(-b*D))",
    function=_ivim,
    guess_function=_guess_ivim,
    source="Le Bihan et al. (1988)",
    x_names=("b",),
    meanings=(
        _S0,
        "fraction of the flowing blood",
        "diffusion coefficient of the tissue",
        "pseudo-diffusion coefficient of the blood",
    ),
)

kurtosis = Model(
    name="kurtosis",
    names=("S0", "D", "K"),
    formula="S0*exp(-b*D + b**2*D**2*K/6)",
    function=_kurtosis,
    guess_function=_guess_kurtosis,
    source="Jensen et al. (2005)",
    x_names=("b",),
    meanings=(_S0, "apparent diffusion coefficient", "apparent kurtosis: 0 for free diffusion"),
)
