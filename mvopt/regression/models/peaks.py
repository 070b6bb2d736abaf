"""Peaks: Gaussian and Lorentzian, alone or on an offset."""

from collections.abc import Callable
from functools import partial

import jax
import jax.numpy as jnp

from mvopt.regression.modelling.grid import Points
from mvopt.regression.modelling.model import Model
from mvopt.regression.models._peak_search import peak_search

Array = jax.Array


def bell(z: Array) -> Array:
    """The Gaussian of height and standard deviation 1."""
    return jnp.exp(-(z**2) / 2)


def resonance(z: Array) -> Array:
    """The Lorentzian of height and half width 1."""
    return 1 / (1 + z**2)


def _gaussian(x: Array, amplitude: Array, center: Array, sigma: Array) -> Array:
    return amplitude * bell((x - center) / sigma)


def _gaussian_offset(
    x: Array, amplitude: Array, center: Array, sigma: Array, offset: Array
) -> Array:
    return _gaussian(x, amplitude, center, sigma) + offset


def _lorentzian(x: Array, amplitude: Array, center: Array, sigma: Array) -> Array:
    return amplitude * resonance((x - center) / sigma)


def _lorentzian_offset(
    x: Array, amplitude: Array, center: Array, sigma: Array, offset: Array
) -> Array:
    return _lorentzian(x, amplitude, center, sigma) + offset


def _guess_peak(points: Points, shape: Callable[[Array], Array], offset: bool) -> Array:
    peak = peak_search(points, shape, offset=offset)
    values = [peak.amplitude, peak.center, peak.scale]
    return jnp.stack([*values, peak.offset] if offset else values)


_PEAK_NAMES = ("amplitude", "center", "sigma")
_GAUSSIAN_MEANINGS = ("height at the center", "position of the peak", "standard deviation")
_LORENTZIAN_MEANINGS = (
    "height at the center",
    "position of the peak",
    "half width at half maximum",
)

gaussian = Model(
    name="gaussian",
    names=_PEAK_NAMES,
    formula="amplitude*exp(-(x - center)**2/(2*sigma**2))",
    function=_gaussian,
    guess_function=partial(_guess_peak, shape=bell, offset=False),
    source="Gauss (1809)",
    meanings=_GAUSSIAN_MEANINGS,
)

gaussian_offset = Model(
    name="gaussian_offset",
    names=(*_PEAK_NAMES, "offset"),
    formula="amplitude*exp(-(x - center)**2/(2*sigma**2)) + offset",
    function=_gaussian_offset,
    guess_function=partial(_guess_peak, shape=bell, offset=True),
    source="Gpufit, GAUSS_1D (Przybylski et al., 2017)",
    meanings=(*_GAUSSIAN_MEANINGS, "value far from the peak"),
)

lorentzian = Model(
    name="lorentzian",
    names=_PEAK_NAMES,
    formula="amplitude/(1 + ((x - center)/sigma)**2)",
    function=_lorentzian,
    guess_function=partial(_guess_peak, shape=resonance, offset=False),
    source="Lorentz (1906)",
    meanings=_LORENTZIAN_MEANINGS,
)

lorentzian_offset = Model(
    name="lorentzian_offset",
    names=(*_PEAK_NAMES, "offset"),
    formula="amplitude/(1 + ((x - center)/sigma)**2) + offset",
    function=_lorentzian_offset,
    guess_function=partial(_guess_peak, shape=resonance, offset=True),
    source="Lorentz (1906)",
    meanings=(*_LORENTZIAN_MEANINGS, "value far from the peak"),
)
