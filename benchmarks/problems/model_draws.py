"""Random problems for each named model: `DRAWS[name](rng, sx, sy)` gives x and true parameters.

x comes in units of `sx` and y in units of `sy`, unsorted, in even, random or quadratic spacing,
mostly with 8 to 40 points. The ranges are those in which the data determine the parameters.
"""

import numpy as np

from benchmarks.problems.curve_draws import CURVE_DRAWS
from benchmarks.problems.drawing import abscissa, height, log_uniform, sign, unit_interval
from benchmarks.problems.peak_draws import PEAK_DRAWS


def _powers(degree):
    def draw(rng, sx, sy):
        x = abscissa(rng, rng.uniform(-2, 1), 2)
        return x * sx, [sy / sx**k * rng.normal() for k in range(degree, -1, -1)]

    return draw


def _exponential_decay(rng, sx, sy):
    x = abscissa(rng, rng.uniform(0, 0.3), 1)
    return x * sx, [height(rng, sy), sx * log_uniform(rng, 0.05, 5)]


def _exponential_growth(rng, sx, sy):
    x = abscissa(rng, rng.uniform(-0.5, 0.3), 1)
    return x * sx, [height(rng, sy), sign(rng) / sx * log_uniform(rng, 0.2, 10)]


def _exponential_decay_offset(rng, sx, sy):
    x = abscissa(rng, rng.uniform(0, 0.3), 1)
    amplitude = height(rng, sy)
    return x * sx, [amplitude, sx * log_uniform(rng, 0.08, 1.5), amplitude * rng.uniform(-1, 1)]


def _biexponential(rng, sx, sy):
    x = abscissa(rng, rng.uniform(0, 0.02), 1, least=10)
    amplitude, slow = height(rng, sy), log_uniform(rng, 0.3, 4)
    fast, ratio = slow * log_uniform(rng, 4, 15), sign(rng) * log_uniform(rng, 0.3, 2)
    return x * sx, [amplitude, np.log(fast / sx), amplitude * ratio, np.log(slow / sx)]


def _logistic3(rng, sx, sy):
    low, x = unit_interval(rng)
    middle, width = low + rng.uniform(0, 1), sign(rng) * log_uniform(rng, 0.05, 0.4)
    return x * sx, [height(rng, sy), middle * sx, width * sx]


def _logistic4(rng, sx, sy):
    low, x = unit_interval(rng, least=10)
    middle, width = low + rng.uniform(0.2, 0.8), log_uniform(rng, 0.05, 0.25)
    return x * sx, [sy * rng.normal(), sy * rng.normal(), middle * sx, width * sx]


def _gompertz(rng, sx, sy):
    # The factor b3 = exp(-1/width) for one unit of x is no number for a width of 1e-6: units of
    # x by which it stays within float32.
    sx = sx**0.1
    x = abscissa(rng, rng.choice([0, rng.uniform(-0.5, 0.5)]), 1)
    middle, width = rng.uniform(0.1, 0.8), sign(rng) * log_uniform(rng, 0.06, 0.4)
    b2, b3 = np.exp(middle / width), np.exp(-1 / (width * sx))
    return x * sx, [height(rng, sy), b2, b3]


def _michaelis_menten(rng, sx, sy):
    x = abscissa(rng, rng.uniform(0, 0.1), 1)
    return x * sx, [height(rng, sy), sx * log_uniform(rng, 0.02, 5)]


def _asymptotic(rng, sx, sy):
    x = abscissa(rng, rng.uniform(0, 0.3), 1)
    return x * sx, [sy * rng.normal(), sy * rng.normal(), np.log(log_uniform(rng, 0.8, 15) / sx)]


def _weibull_growth(rng, sx, sy):
    x = abscissa(rng, rng.uniform(0, 0.1), 1, least=10)
    power, time = log_uniform(rng, 0.6, 6), rng.uniform(0.2, 0.8) * sx
    return x * sx, [sy * rng.normal(), sy * rng.normal(), -power * np.log(time), power]


def _power_law(rng, sx, sy):
    x = abscissa(rng, rng.uniform(0.2, 1), rng.uniform(1.5, 5))
    exponent = rng.uniform(-4, 4)
    return x * sx, [height(rng, sy) * sx**-exponent, exponent]


def _first_order_compartment(rng, sx, sy):
    time = abscissa(rng, rng.choice([0, rng.uniform(0, 0.05)]), 1, least=10)
    dose = np.full(len(time), log_uniform(rng, 1, 1e3))
    elimination = log_uniform(rng, 0.3, 5)
    rates = np.array([elimination, elimination * log_uniform(rng, 2, 15)])
    return np.stack([dose, time * sx]), [
        *np.log(rates / sx),
        np.log(log_uniform(rng, 0.1, 10) / sy),
    ]


DRAWS = {
    "linear": _powers(1),
    "quadratic": _powers(2),
    "cubic": _powers(3),
    "exponential_decay": _exponential_decay,
    "exponential_decay_offset": _exponential_decay_offset,
    "exponential_growth": _exponential_growth,
    "biexponential": _biexponential,
    "logistic3": _logistic3,
    "logistic4": _logistic4,
    "gompertz": _gompertz,
    "michaelis_menten": _michaelis_menten,
    "asymptotic": _asymptotic,
    "weibull_growth": _weibull_growth,
    "power_law": _power_law,
    "first_order_compartment": _first_order_compartment,
    **PEAK_DRAWS,
    **CURVE_DRAWS,
}
