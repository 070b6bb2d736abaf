"""Thermal distributions: Bose-Einstein, Fermi-Dirac and Maxwell-Boltzmann.

In lmfit's ThermalDistributionModel the amplitude multiplies the exponential, where it does the
same as a shift of the center, and no data can tell one from the other. Here it multiplies the
distribution; that of Maxwell and Boltzmann alone has no second place for it.
"""

import jax
import jax.numpy as jnp

from mvopt.regression.modelling.grid import Points, combinations, extent, geometric, search
from mvopt.regression.modelling.model import Model
from mvopt.regression.models._peak_search import joined
from mvopt.regression.models._saturation import exp_below
from mvopt.regression.models.exponentials import rate_search
from mvopt.regression.models.steps import FINER, guess_step, logistic

Array = jax.Array


def _bose(x: Array, amplitude: Array, center: Array, kt: Array) -> Array:
    return amplitude * _occupation((x - center) / kt)


def _fermi(x: Array, amplitude: Array, center: Array, kt: Array) -> Array:
    return amplitude * jax.nn.sigmoid((center - x) / kt)


def _maxwell(x: Array, amplitude: Array, center: Array, kt: Array) -> Array:
    return amplitude * exp_below((center - x) / kt)


def _occupation(energy: Array) -> Array:
    """1/(exp(energy) - 1), finite also at energy 0, without overflow on either side."""
    distance = jnp.maximum(jnp.abs(energy), jnp.finfo(energy.dtype).eps)
    decay = jnp.exp(-distance)
    return jnp.where(energy < 0, -1, decay) / -jnp.expm1(-distance)


def _guess_bose(points: Points) -> Array:
    """The pole is taken to lie outside the data: below them for kt > 0, above for kt < 0."""
    low, span = extent(points.x, points.weight)
    u = ((points.x - low) / span)[:, None]

    def columns(center: Array, kt: Array) -> list[Array]:
        nearest = (jnp.where(kt > 0, 0, 1) - center) / kt
        return [_occupation((u - center) / kt) / _occupation(nearest)]

    gap, kt = combinations(geometric(0.002, 2.0, 24), geometric(0.03, 10.0, 16))
    candidates = joined((-gap, kt), (1 + gap, -kt))
    candidates = tuple(axis.astype(u.dtype) for axis in candidates)
    (center, kt), along = search(columns, candidates, points)
    nearest = (jnp.where(kt > 0, 0, 1) - center) / kt
    return jnp.stack([along[0] / _occupation(nearest), low + center * span, kt * span])


def _guess_fermi(points: Points) -> Array:
    amplitude, center, sigma = guess_step(points, logistic, FINER)
    return jnp.stack([amplitude, center, -sigma])


def _guess_maxwell(points: Points) -> Array:
    """The center is put at the lowest x."""
    low, _ = extent(points.x, points.weight)
    rate, along = rate_search(points._replace(x=points.x - low), offset=False)
    return jnp.stack([along[0], low, -1 / rate])


_KT = "thermal energy, negative for an energy loss"
_SOURCE = "; lmfit, ThermalDistributionModel (Newville et al., 2014)"

bose = Model(
    name="bose",
    names=("amplitude", "center", "kt"),
    formula="amplitude/(exp((x - center)/kt) - 1)",
    function=_bose,
    guess_function=_guess_bose,
    source="Bose (1924)" + _SOURCE,
    meanings=("occupation at center + log(2)*kt", "energy of the pole", _KT),
)

fermi = Model(
    name="fermi",
    names=("amplitude", "center", "kt"),
    formula="amplitude/(exp((x - center)/kt) + 1)",
    function=_fermi,
    guess_function=_guess_fermi,
    source="Fermi (1926)" + _SOURCE,
    meanings=("occupation far below the center", "energy at half the occupation", _KT),
)

maxwell = Model(
    name="maxwell",
    names=("amplitude", "center", "kt"),
    formula="amplitude/exp((x - center)/kt)",
    function=_maxwell,
    guess_function=_guess_maxwell,
    source="Maxwell (1860)" + _SOURCE,
    meanings=(
        "occupation at the center",
        "origin of energy: fix it, for the data cannot tell it from the amplitude",
        _KT,
    ),
)
