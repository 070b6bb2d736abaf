"""Random problems for each named model: `DRAWS[name](rng, sx, sy)` gives x and true parameters.

x comes in units of `sx` and y in units of `sy`, unsorted, in even, random or quadratic spacing,
with 8 to 40 points. The ranges are those in which the data determine the parameters.
"""

import numpy as np


def _log(rng, low, high):
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def _sign(rng):
    return rng.choice([-1.0, 1.0])


def _abscissa(rng, low, high, least=8):
    num = rng.integers(least, 41)
    even = np.linspace(0, 1, num)
    spaced = [even, even**2, np.sort(rng.uniform(0, 1, num))][rng.integers(3)]
    return rng.permutation(low + (high - low) * spaced)


def _unit_interval(rng, least=8):
    low = rng.uniform(-3, 3)
    return low, _abscissa(rng, low, low + 1, least)


def _powers(degree):
    def draw(rng, sx, sy):
        x = _abscissa(rng, rng.uniform(-2, 1), 2)
        return x * sx, [sy / sx**k * rng.normal() for k in range(degree, -1, -1)]

    return draw


def _exponential_decay(rng, sx, sy):
    x = _abscissa(rng, rng.uniform(0, 0.3), 1)
    return x * sx, [_sign(rng) * sy * _log(rng, 0.1, 10), sx * _log(rng, 0.05, 5)]


def _exponential_growth(rng, sx, sy):
    x = _abscissa(rng, rng.uniform(-0.5, 0.3), 1)
    return x * sx, [_sign(rng) * sy * _log(rng, 0.1, 10), _sign(rng) / sx * _log(rng, 0.2, 10)]


def _exponential_decay_offset(rng, sx, sy):
    x = _abscissa(rng, rng.uniform(0, 0.3), 1)
    amplitude = _sign(rng) * sy * _log(rng, 0.1, 10)
    return x * sx, [amplitude, sx * _log(rng, 0.08, 1.5), amplitude * rng.uniform(-1, 1)]


def _biexponential(rng, sx, sy):
    x = _abscissa(rng, rng.uniform(0, 0.02), 1, least=10)
    amplitude, slow = _sign(rng) * sy * _log(rng, 0.1, 10), _log(rng, 0.3, 4)
    fast, ratio = slow * _log(rng, 4, 15), _sign(rng) * _log(rng, 0.3, 2)
    return x * sx, [amplitude, np.log(fast / sx), amplitude * ratio, np.log(slow / sx)]


def _peak(rng, sx, sy):
    low, x = _unit_interval(rng)
    width = max(_log(rng, 0.05, 0.8), 1 / len(x))
    center = low + rng.uniform(0.05, 0.95)
    return x * sx, [_sign(rng) * sy * _log(rng, 0.1, 10), center * sx, width * sx]


def _peak_offset(rng, sx, sy):
    low, x = _unit_interval(rng)
    width = max(_log(rng, 0.05, 0.4), 1 / len(x))
    center, amplitude = low + rng.uniform(0.1, 0.9), _sign(rng) * sy * _log(rng, 0.1, 10)
    return x * sx, [amplitude, center * sx, width * sx, amplitude * rng.uniform(-2, 2)]


def _gaussian2d(rng, sx, sy):
    low = rng.uniform(-3, 3, (2, 1))
    side = np.linspace(0, 1, rng.integers(5, 7))
    pixels = np.stack([axis.ravel() for axis in np.meshgrid(side, side)])
    u = pixels if rng.random() < 0.5 else rng.uniform(0, 1, (2, rng.integers(25, 41)))
    u = u[:, rng.permutation(u.shape[1])]
    center = low[:, 0] + rng.uniform(0.2, 0.8, 2)
    amplitude = _sign(rng) * sy * _log(rng, 0.1, 10)
    width = _log(rng, 0.12, 0.4)
    return (low + u) * sx, [amplitude, *center * sx, width * sx, amplitude * rng.uniform(-2, 2)]


def _logistic3(rng, sx, sy):
    low, x = _unit_interval(rng)
    middle, width = low + rng.uniform(0, 1), _sign(rng) * _log(rng, 0.05, 0.4)
    return x * sx, [_sign(rng) * sy * _log(rng, 0.1, 10), middle * sx, width * sx]


def _logistic4(rng, sx, sy):
    low, x = _unit_interval(rng, least=10)
    middle, width = low + rng.uniform(0.2, 0.8), _log(rng, 0.05, 0.25)
    return x * sx, [sy * rng.normal(), sy * rng.normal(), middle * sx, width * sx]


def _gompertz(rng, sx, sy):
    # The factor b3 = exp(-1/width) for one unit of x is no number for a width of 1e-6: units of
    # x by which it stays within float32.
    sx = sx**0.1
    x = _abscissa(rng, rng.choice([0, rng.uniform(-0.5, 0.5)]), 1)
    middle, width = rng.uniform(0.1, 0.8), _sign(rng) * _log(rng, 0.06, 0.4)
    b2, b3 = np.exp(middle / width), np.exp(-1 / (width * sx))
    return x * sx, [_sign(rng) * sy * _log(rng, 0.1, 10), b2, b3]


def _michaelis_menten(rng, sx, sy):
    x = _abscissa(rng, rng.uniform(0, 0.1), 1)
    return x * sx, [_sign(rng) * sy * _log(rng, 0.1, 10), sx * _log(rng, 0.02, 5)]


def _asymptotic(rng, sx, sy):
    x = _abscissa(rng, rng.uniform(0, 0.3), 1)
    return x * sx, [sy * rng.normal(), sy * rng.normal(), np.log(_log(rng, 0.8, 15) / sx)]


def _weibull_growth(rng, sx, sy):
    x = _abscissa(rng, rng.uniform(0, 0.1), 1, least=10)
    power, time = _log(rng, 0.6, 6), rng.uniform(0.2, 0.8) * sx
    return x * sx, [sy * rng.normal(), sy * rng.normal(), -power * np.log(time), power]


def _power_law(rng, sx, sy):
    x = _abscissa(rng, rng.uniform(0.2, 1), rng.uniform(1.5, 5))
    exponent = rng.uniform(-4, 4)
    return x * sx, [_sign(rng) * sy * _log(rng, 0.1, 10) * sx**-exponent, exponent]


def _first_order_compartment(rng, sx, sy):
    time = _abscissa(rng, rng.choice([0, rng.uniform(0, 0.05)]), 1, least=10)
    dose = np.full(len(time), _log(rng, 1, 1e3))
    elimination = _log(rng, 0.3, 5)
    rates = np.array([elimination, elimination * _log(rng, 2, 15)])
    return np.stack([dose, time * sx]), [*np.log(rates / sx), np.log(_log(rng, 0.1, 10) / sy)]


DRAWS = {
    "linear": _powers(1),
    "quadratic": _powers(2),
    "cubic": _powers(3),
    "exponential_decay": _exponential_decay,
    "exponential_decay_offset": _exponential_decay_offset,
    "exponential_growth": _exponential_growth,
    "biexponential": _biexponential,
    "gaussian": _peak,
    "gaussian_offset": _peak_offset,
    "gaussian2d": _gaussian2d,
    "lorentzian": _peak,
    "lorentzian_offset": _peak_offset,
    "logistic3": _logistic3,
    "logistic4": _logistic4,
    "gompertz": _gompertz,
    "michaelis_menten": _michaelis_menten,
    "asymptotic": _asymptotic,
    "weibull_growth": _weibull_growth,
    "power_law": _power_law,
    "first_order_compartment": _first_order_compartment,
}
