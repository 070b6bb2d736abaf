"""Pharmacokinetics: one compartment and two, dosed at once, by infusion or by mouth.

Models with a volume take the dose with the data, in a row of x; those in macro constants hold the
dose in their coefficients and take the time only. The time counts from a single dose on.
"""

import itertools

import jax
import jax.numpy as jnp
import numpy as np

from mvopt.regression.modelling.grid import (
    Points,
    combinations,
    fastest,
    geometric,
    largest,
    ordered_pairs,
    search,
)
from mvopt.regression.modelling.model import Model
from mvopt.regression.models._convolution import mean_decay
from mvopt.regression.models._saturation import exp_below, relative_rise
from mvopt.regression.models.exponentials import two_rates

Array = jax.Array


def _first_order_compartment(x: Array, lKe: Array, lKa: Array, lCl: Array) -> Array:
    response = _response(x[1], exp_below(lKe), exp_below(lKa))
    return x[0] * jnp.exp(lKe + lKa - lCl) * response


def _bolus(x: Array, V: Array, ke: Array) -> Array:
    return x[0] / V * exp_below(-ke * x[1])


def _oral(x: Array, V: Array, ka: Array, ke: Array) -> Array:
    return x[0] / V * ka * _response(x[1], ke, ka)


def _infusion(x: Array, V: Array, ke: Array) -> Array:
    return x[0] / V * _unit_infusion(x[1], x[2], ke)


def _unit_infusion(duration: Array, time: Array, ke: Array) -> Array:
    """Amount in the body of a dose of 1 given evenly over the duration; 0 is a bolus."""
    given = jnp.clip(time, 0, duration)  # the time for which the infusion has run
    share = jnp.where(duration > 0, given / jnp.where(duration > 0, duration, 1), 1)
    return share * mean_decay(ke * given)[0] * exp_below(-ke * (time - given))


def _two_bolus(x: Array, A: Array, alpha: Array, B: Array, beta: Array) -> Array:
    return A * exp_below(-alpha * x) + B * exp_below(-beta * x)


def _two_oral(x: Array, A: Array, alpha: Array, B: Array, beta: Array, ka: Array) -> Array:
    return _two_bolus(x, A, alpha, B, beta) - (A + B) * exp_below(-ka * x)


def _response(time: Array, first: Array, second: Array) -> Array:
    """(exp(-first*t) - exp(-second*t)) / (second - first), symmetric, and finite at equal rates."""
    slower = jnp.minimum(first, second)
    return time * jnp.exp(-slower * time) * relative_rise(jnp.abs(second - first) * time)


def _guess_first_order_compartment(points: Points) -> Array:
    elimination, absorption, along = _oral_search(points)
    # along = Ke*Ka/Cl: a negative one has no logarithm.
    factor = jnp.maximum(jnp.abs(along), jnp.finfo(along.dtype).tiny)
    rates = jnp.log(jnp.stack([elimination, absorption]))
    return jnp.stack([*rates, rates[0] + rates[1] - jnp.log(factor)])


def _oral_search(points: Points) -> tuple[Array, Array, Array]:
    """Rates of elimination and absorption, and the factor of dose * `_response`, each ().

    The absorption is taken to be the faster of the two: the data alone cannot tell.
    """
    dose, time = points.x
    scale = largest(time, points.weight)
    u = (time / scale)[:, None]
    top_dose = largest(dose, points.weight)
    relative_dose = (dose / top_dose)[:, None]

    def columns(elimination: Array, absorption: Array) -> list[Array]:
        return [relative_dose * _response(u, elimination, absorption)]

    pairs = ordered_pairs(geometric(0.02, 300.0, 16).astype(u.dtype))
    (elimination, absorption), along = search(columns, pairs, points)
    return elimination / scale, absorption / scale, along[0] / top_dose / scale


def _guess_oral(points: Points) -> Array:
    elimination, absorption, along = _oral_search(points)
    return jnp.stack([absorption / along, absorption, elimination])


def _guess_bolus(points: Points) -> Array:
    dose, time = points.x
    # A bolus is an infusion that takes no time.
    x = jnp.stack([dose, jnp.zeros_like(time), time])
    return _guess_infusion(points._replace(x=x))


def _guess_infusion(points: Points) -> Array:
    dose, duration, time = points.x
    scale, top_dose = largest(time, points.weight), largest(dose, points.weight)
    u, v = (time / scale)[:, None], (duration / scale)[:, None]
    relative_dose = (dose / top_dose)[:, None]
    first = jnp.min(u, where=(points.weight > 0)[:, None], initial=1)

    def columns(rate: Array) -> list[Array]:
        # Anchored at the first point in use: of order 1 however late the samples begin.
        return [relative_dose * _unit_infusion(v, u, rate) * jnp.exp(rate * first)]

    rates = geometric(0.02, fastest(u[:, 0] - first, points.weight), 48)
    (rate,), along = search(columns, (rates,), points)
    return jnp.stack([top_dose / along[0] * jnp.exp(-rate * first), rate / scale])


def _guess_two_bolus(points: Points) -> Array:
    rates, along = two_rates(points)
    return jnp.stack([along[0], rates[0], along[1], rates[1]])


def _guess_two_oral(points: Points) -> Array:
    """The absorption is taken to be the fastest of the three rates: the data cannot tell."""
    scale = largest(points.x, points.weight)
    u = (points.x / scale)[:, None]

    def columns(beta: Array, alpha: Array, ka: Array) -> list[Array]:
        absorbed = jnp.exp(-ka * u)
        return [jnp.exp(-alpha * u) - absorbed, jnp.exp(-beta * u) - absorbed]

    rates = geometric(0.1, jnp.minimum(fastest(u[:, 0], points.weight), 300), 16)
    slow, middle, fast = np.array(list(itertools.combinations(range(16), 3))).T
    triples = (rates[slow], rates[middle], rates[fast])
    rough, _ = search(columns, triples, points)
    factors = geometric(0.7, 1.4, 8).astype(u.dtype)
    (beta, alpha, ka), along = search(
        columns, combinations(*(rate * factors for rate in rough)), points
    )
    return jnp.stack([along[0], alpha / scale, along[1], beta / scale, ka / scale])


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

_VOLUME = "volume of distribution"
_KE, _KA = "elimination rate", "absorption rate"

one_compartment_bolus = Model(
    name="one_compartment_bolus",
    names=("V", "ke"),
    formula="dose/V*exp(-ke*time)",
    function=_bolus,
    guess_function=_guess_bolus,
    source="Gibaldi and Perrier (1982)",
    num_x=2,
    x_names=("dose", "time"),
    meanings=(_VOLUME, _KE),
)

one_compartment_infusion = Model(
    name="one_compartment_infusion",
    names=("V", "ke"),
    formula=(
        "dose/(duration*V*ke)*(1 - exp(-ke*minimum(time, duration)))"
        "*exp(-ke*maximum(time - duration, 0))"
    ),
    function=_infusion,
    guess_function=_guess_infusion,
    source="Gibaldi and Perrier (1982)",
    num_x=3,
    x_names=("dose", "duration", "time"),
    meanings=(_VOLUME, _KE),
)

one_compartment_oral = Model(
    name="one_compartment_oral",
    names=("V", "ka", "ke"),
    formula="dose*ka/(V*(ka - ke))*(exp(-ke*time) - exp(-ka*time))",
    function=_oral,
    guess_function=_guess_oral,
    source="Bateman (1910)",
    num_x=2,
    x_names=("dose", "time"),
    meanings=("volume of distribution over the bioavailable share", _KA, _KE),
)

_MACRO_MEANINGS = (
    "coefficient of the distribution phase",
    "rate of the distribution phase",
    "coefficient of the elimination phase",
    "rate of the elimination phase",
)

two_compartment_bolus = Model(
    name="two_compartment_bolus",
    names=("A", "alpha", "B", "beta"),
    formula="A*exp(-alpha*x) + B*exp(-beta*x)",
    function=_two_bolus,
    guess_function=_guess_two_bolus,
    source="Gibaldi and Perrier (1982)",
    meanings=_MACRO_MEANINGS,
)

two_compartment_oral = Model(
    name="two_compartment_oral",
    names=("A", "alpha", "B", "beta", "ka"),
    formula="A*exp(-alpha*x) + B*exp(-beta*x) - (A + B)*exp(-ka*x)",
    function=_two_oral,
    guess_function=_guess_two_oral,
    source="Gibaldi and Perrier (1982)",
    meanings=(*_MACRO_MEANINGS, _KA),
)
