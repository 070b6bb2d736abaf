"""Relaxation in magnetic resonance: T1 by inversion, saturation and flip angle, and T2*."""

import jax
import jax.numpy as jnp
import numpy as np

from mvopt.regression.modelling.grid import (
    Points,
    combinations,
    fastest,
    geometric,
    largest,
    search,
)
from mvopt.regression.modelling.model import Model
from mvopt.regression.models.exponentials import rate_search, two_rates
from mvopt.regression.models.growth import rise_from_zero

Array = jax.Array


def _inversion(x: Array, amplitude: Array, T1: Array, efficiency: Array) -> Array:
    return amplitude * (1 - 2 * efficiency * jnp.exp(-x / T1))


def _inversion_magnitude(x: Array, amplitude: Array, T1: Array, efficiency: Array) -> Array:
    return jnp.abs(_inversion(x, amplitude, T1, efficiency))


def _saturation(x: Array, amplitude: Array, T1: Array) -> Array:
    return -amplitude * jnp.expm1(-x / T1)


def _biexponential(
    x: Array, amplitude: Array, fraction: Array, T2_short: Array, T2_long: Array
) -> Array:
    parts = fraction * jnp.exp(-x / T2_short) + (1 - fraction) * jnp.exp(-x / T2_long)
    return amplitude * parts


def _spgr(x: Array, amplitude: Array, T1: Array) -> Array:
    angle = x[0] * (np.pi / 180)
    # 1 - E*cos(angle) as (1 - E) + E*(1 - cos(angle)): for E near 1 and a small angle both parts
    # are small, and the difference of their rounded complements would not be accurate.
    lost = -jnp.expm1(-x[1] / T1)
    turned = 2 * jnp.sin(angle / 2) ** 2
    below = lost + (1 - lost) * turned
    flat = below == 0  # angle 0 or TR 0: no signal
    return amplitude * jnp.sin(angle) * lost / jnp.where(flat, 1, below)


def _guess_inversion(points: Points) -> Array:
    rate, along = rate_search(points, offset=True)
    return jnp.stack([along[1], -1 / rate, -along[0] / (2 * along[1])])


def _guess_inversion_magnitude(points: Points) -> Array:
    """Which of the points were negative is left open: the magnitude itself is compared."""
    scale = largest(points.x, points.weight)
    u = (points.x / scale)[:, None]

    def columns(rate: Array, efficiency: Array) -> list[Array]:
        return [jnp.abs(1 - 2 * efficiency * jnp.exp(-rate * u))]

    # Close steps: each change of a sign is a kink between two minima.
    rates = geometric(0.3, jnp.minimum(fastest(u[:, 0], points.weight), 100), 48)
    efficiencies = jnp.linspace(0.5, 1.2, 36, dtype=u.dtype)
    (rate, efficiency), _ = search(columns, combinations(rates, efficiencies), points)
    fine = combinations(
        rate * geometric(0.85, 1.18, 17).astype(u.dtype),
        efficiency + jnp.linspace(-0.04, 0.04, 17, dtype=u.dtype),
    )
    (rate, efficiency), along = search(columns, fine, points)
    return jnp.stack([along[0], scale / rate, efficiency])


def _guess_saturation(points: Points) -> Array:
    amplitude, lrc = rise_from_zero(points)
    return jnp.stack([amplitude, jnp.exp(-lrc)])


def _guess_biexponential(points: Points) -> Array:
    rates, along = two_rates(points)
    amplitude = along[0] + along[1]
    return jnp.stack([amplitude, along[0] / amplitude, 1 / rates[0], 1 / rates[1]])


def _guess_spgr(points: Points) -> Array:
    angle, scale = points.x[0][:, None], largest(points.x[1], points.weight)
    repetition = (points.x[1] / scale)[:, None]

    def columns(ratio: Array) -> list[Array]:
        # A signal is about 1/sqrt(2 T1/TR) at its best angle.
        ones = jnp.ones_like(ratio)
        return [jnp.sqrt(1 + ratio) * _spgr(jnp.stack([angle, repetition]), ones, ratio)]

    (ratio,), along = search(columns, (geometric(0.1, 1e4, 64).astype(angle.dtype),), points)
    return jnp.stack([along[0] * jnp.sqrt(1 + ratio), ratio * scale])


_INVERSION_MEANINGS = (
    "signal after full recovery",
    "time constant of the recovery",
    "efficiency of the inversion: 1 where it is complete",
)

t1_inversion_recovery = Model(
    name="t1_inversion_recovery",
    names=("amplitude", "T1", "efficiency"),
    formula="amplitude*(1 - 2*efficiency*exp(-x/T1))",
    function=_inversion,
    guess_function=_guess_inversion,
    source="Hahn (1949)",
    meanings=_INVERSION_MEANINGS,
)

t1_inversion_recovery_magnitude = Model(
    name="t1_inversion_recovery_magnitude",
    names=("amplitude", "T1", "efficiency"),
    formula="abs(amplitude*(1 - 2*efficiency*exp(-x/T1)))",
    function=_inversion_magnitude,
    guess_function=_guess_inversion_magnitude,
    source="Barral et al. (2010)",
    meanings=_INVERSION_MEANINGS,
)

t1_saturation_recovery = Model(
    name="t1_saturation_recovery",
    names=("amplitude", "T1"),
    formula="amplitude*(1 - exp(-x/T1))",
    function=_saturation,
    guess_function=_guess_saturation,
    source="Markley, Horsley and Klein (1971)",
    meanings=("signal after full recovery", "time constant of the recovery"),
)

t2_star_biexponential = Model(
    name="t2_star_biexponential",
    names=("amplitude", "fraction", "T2_short", "T2_long"),
    formula="amplitude*(fraction*exp(-x/T2_short) + (1 - fraction)*exp(-x/T2_long))",
    function=_biexponential,
    guess_function=_guess_biexponential,
    source="Du et al. (2010)",
    meanings=(
        "signal at echo time 0",
        "fraction of the signal that decays fast",
        "time constant of the fast decay",
        "time constant of the slow decay",
    ),
)

spgr = Model(
    name="spgr",
    names=("amplitude", "T1"),
    formula=(
        "amplitude*sin(flip_degrees*pi/180)*(1 - exp(-TR/T1))"
        "/(1 - cos(flip_degrees*pi/180)*exp(-TR/T1))"
    ),
    function=_spgr,
    guess_function=_guess_spgr,
    source="Gpufit, T1_FA_EXPONENTIAL; Gupta (1977)",
    num_x=2,
    x_names=("flip_degrees", "TR"),
    meanings=("signal of the fully relaxed spins at 90 degrees", "longitudinal relaxation time"),
)
