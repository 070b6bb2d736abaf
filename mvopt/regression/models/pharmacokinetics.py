"""Pharmacokinetics: one compartment with first-order absorption and elimination."""

import jax
import jax.numpy as jnp

from mvopt.regression.models._model import Model
from mvopt.regression.models._saturation import exp_below, relative_rise
from mvopt.regression.models._separable import Points, geometric, largest, ordered_pairs, search

Array = jax.Array


def _first_order_compartment(x: Array, lKe: Array, lKa: Array, lCl: Array) -> Array:
    response = _response(x[1], exp_below(lKe), exp_below(lKa))
    return x[0] * jnp.exp(lKe + lKa - lCl) * response


def _response(time: Array, first: Array, second: Array) -> Array:
    """(exp(-first*t) - exp(-second*t)) / (second - first), symmetric, and finite at equal rates."""
    slower = jnp.minimum(first, second)
    return time * jnp.exp(-slower * time) * relative_rise(jnp.abs(second - first) * time)


def _guess_first_order_compartment(points: Points) -> Array:
    """The absorption is taken to be the faster of the two: the data alone cannot tell."""
    dose, time = points.x
    scale = largest(time, points.weight)
    u = (time / scale)[:, None]
    top_dose = largest(dose, points.weight)
    relative_dose = (dose / top_dose)[:, None]

    def columns(elimination: Array, absorption: Array) -> list[Array]:
        return [relative_dose * _response(u, elimination, absorption)]

    pairs = ordered_pairs(geometric(0.02, 300.0, 16).astype(u.dtype))
    rates, along = search(columns, pairs, points)
    # along = Ke*Ka/Cl with the rates in units of 1/time: a negative one has no logarithm.
    factor = jnp.maximum(jnp.abs(along[0]) / top_dose, jnp.finfo(u.dtype).tiny)
    elimination, absorption = jnp.log(jnp.stack(rates) / scale)
    clearance = elimination + absorption - jnp.log(factor) + jnp.log(scale)
    return jnp.stack([elimination, absorption, clearance])


first_order_compartment = Model(
    name="first_order_compartment",
    names=("lKe", "lKa", "lCl"),
    formula=(
        "dose*exp(lKe + lKa - lCl)*(exp(-exp(lKe)*time) - exp(-exp(lKa)*time))"
        "/(exp(lKa) - exp(lKe))"
    ),
    function=_first_order_compartment,
    guess_function=_guess_first_order_compartment,
    source="R, SSfol (Pinheiro and Bates, 2000)",
    num_x=2,
    x_names=("dose", "time"),
    meanings=(
        "logarithm of the elimination rate",
        "logarithm of the absorption rate",
        "logarithm of the clearance",
    ),
)
