"""Random problems for curves that are no peaks: `CURVE_DRAWS[name](rng, sx, sy)`.

x comes in units of `sx` and y in units of `sy` where the model has such units. The ranges are
those in which the data determine the parameters.
"""

import numpy as np

from benchmarks.problems.drawing import abscissa, height, log_uniform, sign, unit_interval
from benchmarks.problems.imaging_draws import IMAGING_DRAWS, two_decays

GAS_CONSTANT = 8.31446261815324


def _constant(rng, sx, sy):
    return unit_interval(rng)[1] * sx, [height(rng, sy)]


def _asymptotic_offset(rng, sx, sy):
    x = abscissa(rng, rng.uniform(0, 0.3), 1)
    return x * sx, [
        height(rng, sy),
        np.log(log_uniform(rng, 0.8, 15) / sx),
        rng.uniform(-0.5, 0.3) * sx,
    ]


def _bertalanffy(rng, sx, sy):
    x, (limit, log_rate, zero) = _asymptotic_offset(rng, sx, sy)
    return x, [limit, np.exp(log_rate), zero]


def _asymptotic_origin(rng, sx, sy):
    x = abscissa(rng, rng.uniform(0, 0.1), 1)
    return x * sx, [height(rng, sy), np.log(log_uniform(rng, 0.3, 15) / sx)]


def _biexponential_offset(rng, sx, sy):
    # The slow decay comes to its end within the data, else it and the offset are one.
    x = abscissa(rng, rng.uniform(0, 0.02), 1, least=16) * sx
    slow = log_uniform(rng, 2, 4) / sx
    fast = slow * log_uniform(rng, 5, 10)
    amplitude = height(rng, sy)
    ratio = sign(rng) * log_uniform(rng, 0.5, 2)
    offset = amplitude * rng.uniform(-1, 1)
    return x, [amplitude, np.log(fast), amplitude * ratio, np.log(slow), offset]


def _stretched_exponential(rng, sx, sy):
    x = abscissa(rng, rng.uniform(0.005, 0.1), 1)
    return x * sx, [height(rng, sy), sx * log_uniform(rng, 0.1, 0.8), log_uniform(rng, 0.4, 2.5)]


def _doses(rng, sx, least=10):
    """Doses over two to four decades, and one of them, not at the ends."""
    decades = rng.uniform(2, 4)
    u = abscissa(rng, -decades, 0, least)
    return 10**u * sx, 10 ** rng.uniform(-0.75 * decades, -0.25 * decades) * sx


def _slope(rng):
    return sign(rng) * log_uniform(rng, 0.7, 4)


def _dose_response2(rng, sx, _):
    x, middle = _doses(rng, sx)
    return x, [_slope(rng), middle]


def _dose_response3(rng, sx, sy):
    x, middle = _doses(rng, sx)
    return x, [_slope(rng), height(rng, sy), middle]


def _dose_response4(rng, sx, sy):
    x, middle = _doses(rng, sx)
    return x, [_slope(rng), sy * rng.normal(), sy * rng.normal(), middle]


def _dose_response5(rng, sx, sy):
    # The change spans several doses: a kink between two of them would fit as well as the exponent.
    x, middle = _doses(rng, sx, least=20)
    lower, upper = sy * rng.normal(), sy * rng.normal()
    slope = sign(rng) * log_uniform(rng, 0.8, 1.6)
    return x, [slope, lower, upper, middle, log_uniform(rng, 0.5, 2)]


def _hill(rng, sx, sy):
    x, middle = _doses(rng, sx)
    return x, [height(rng, sy), middle, log_uniform(rng, 0.7, 4)]


def _emax(rng, sx, sy):
    x = abscissa(rng, rng.choice([0, rng.uniform(0, 0.05)]), 1)
    return x * sx, [sy * rng.normal(), height(rng, sy), sx * log_uniform(rng, 0.02, 2)]


def _wave(rng, sx, least, cycles):
    """x, and a frequency: from `cycles` in the data to two thirds of half a cycle a point."""
    _, x = unit_interval(rng, least)
    return x * sx, 2 * np.pi * log_uniform(rng, cycles, len(x) / 3) / sx


def _sine(rng, sx, sy):
    x, frequency = _wave(rng, sx, 10, 0.7)
    return x, [height(rng, sy), frequency, rng.uniform(-3, 3)]


def _sine_offset(rng, sx, sy):
    x, frequency = _wave(rng, sx, 12, 1.0)
    amplitude = height(rng, sy)
    return x, [amplitude, frequency, rng.uniform(-3, 3), amplitude * rng.uniform(-2, 2)]


def _damped_sine(rng, sx, sy):
    x = abscissa(rng, rng.uniform(0, 0.1), 1, least=16)
    frequency = 2 * np.pi * log_uniform(rng, 1.5, len(x) / 4)
    decay = log_uniform(rng, 0.3, 4)
    params = [height(rng, sy), frequency / sx, rng.uniform(-3, 3), decay / sx]
    return x * sx, params


def _damped_sine_offset(rng, sx, sy):
    x, params = _damped_sine(rng, sx, sy)
    return x, [*params, params[0] * rng.uniform(-1, 1)]


def _damped_oscillator(rng, sx, sy):
    # Points no further apart than the resonance is wide, or it can hide between two of them.
    x = abscissa(rng, rng.uniform(0.02, 0.2), 1, least=14)
    center = rng.uniform(0.2, 0.9)
    damping = max(log_uniform(rng, 0.05, 0.5), 0.6 / len(x) / center)
    return x * sx, [height(rng, sy), center * sx, damping]


def _damped_harmonic_oscillator(rng, sx, sy):
    # Both signs of x: it is their ratio that shows the temperature. No x at 0, where the printed
    # formula is 0/0.
    x = abscissa(rng, -1, 1, least=20) + 1e-3
    center = rng.uniform(0.25, 0.8)
    width, temperature = log_uniform(rng, 0.15, 0.5) * center, log_uniform(rng, 0.3, 2) * center
    return x * sx, [height(rng, sy) * sx, center * sx, width * sx, temperature * sx]


def _dose_and_time(rng, sx, low, least=8):
    time = abscissa(rng, low, 1, least)
    return np.full(len(time), log_uniform(rng, 1, 1e3)), time * sx


def _one_compartment_bolus(rng, sx, sy):
    x = _dose_and_time(rng, sx, rng.uniform(0, 0.1))
    return np.stack(x), [log_uniform(rng, 0.1, 10) / sy, log_uniform(rng, 0.3, 12) / sx]


def _one_compartment_infusion(rng, sx, sy):
    dose, time = _dose_and_time(rng, sx, rng.uniform(0.01, 0.1))
    duration = np.full(len(time), rng.uniform(0.1, 0.6) * sx)
    x = np.stack([dose, duration, time])
    return x, [log_uniform(rng, 0.1, 10) / sy, log_uniform(rng, 0.3, 12) / sx]


def _one_compartment_oral(rng, sx, sy):
    x = _dose_and_time(rng, sx, rng.choice([0, rng.uniform(0, 0.05)]), least=10)
    elimination = log_uniform(rng, 0.3, 5)
    absorption = elimination * log_uniform(rng, 2, 15)
    return np.stack(x), [log_uniform(rng, 0.1, 10) / sy, absorption / sx, elimination / sx]


def _two_compartment_bolus(rng, sx, sy):
    x, slow, fast = two_decays(rng, sx)
    amplitude = height(rng, sy)
    return x, [amplitude, fast, amplitude * log_uniform(rng, 0.3, 2), slow]


def _two_compartment_oral(rng, sx, sy):
    # Three rates, each a multiple of the other, or they are not told apart; the samples are close
    # at first, where the absorption shows.
    x = rng.permutation(np.linspace(rng.uniform(0, 0.1), 1, rng.integers(24, 41)) ** 2)
    beta = log_uniform(rng, 0.8, 1.5)
    alpha = beta * log_uniform(rng, 5, 8)
    absorption = alpha * log_uniform(rng, 4, 6)
    amplitude = height(rng, sy)
    params = [amplitude, alpha / sx, amplitude * log_uniform(rng, 0.2, 0.6), beta / sx]
    return x * sx, [*params, absorption / sx]


def _richards(rng, sx, sy):
    low, x = unit_interval(rng, least=14)
    middle, width = low + rng.uniform(0.2, 0.7), sign(rng) * log_uniform(rng, 0.04, 0.15)
    return x * sx, [height(rng, sy), middle * sx, width * sx, log_uniform(rng, 0.2, 4)]


def _hyperbolic_decline(rng, sx, sy):
    x = abscissa(rng, rng.choice([0, rng.uniform(0, 0.05)]), 1)
    return x * sx, [height(rng, sy), log_uniform(rng, 1, 30) / sx, rng.uniform(0.1, 1.5)]


def _shifted_power_law(rng, sx, sy):
    low, x = unit_interval(rng, least=10)
    start, exponent = log_uniform(rng, 0.03, 0.5), sign(rng) * log_uniform(rng, 0.5, 3)
    amplitude = height(rng, sy) * sx**-exponent
    return x * sx, [amplitude, (start - low) * sx, exponent]


def _langmuir(rng, sx, sy):
    x = abscissa(rng, rng.uniform(0, 0.1), 1)
    return x * sx, [height(rng, sy), log_uniform(rng, 0.3, 50) / sx]


def _freundlich(rng, sx, sy):
    x = abscissa(rng, rng.uniform(0.01, 0.2), 1)
    n = log_uniform(rng, 0.7, 5)
    return x * sx, [height(rng, sy) * sx ** (-1 / n), n]


def _substrate_inhibition(rng, sx, sy):
    # Both the rise and the fall are within the data.
    x = abscissa(rng, rng.uniform(0.005, 0.03), 1, least=10)
    half, inhibition = log_uniform(rng, 0.03, 0.2), log_uniform(rng, 0.3, 1.5)
    return x * sx, [height(rng, sy), half * sx, inhibition * sx]


def _competition(rng, num_sites, least):
    """Decimal logarithms of concentrations, and of those half way; they have no other unit."""
    low, decades = rng.uniform(-12, -8), rng.uniform(5, 7)
    x = abscissa(rng, low, low + decades, least)
    if num_sites == 1:
        return x, [low + decades * rng.uniform(0.3, 0.7)]
    first = low + rng.uniform(1.2, 0.35 * decades)
    return x, [first, first + rng.uniform(1.7, 2.5)]


def _one_site_competition(rng, _, sy):
    x, middles = _competition(rng, 1, 8)
    return x, [sy * rng.normal(), sy * rng.normal(), *middles]


def _two_site_competition(rng, _, sy):
    x, middles = _competition(rng, 2, 16)
    return x, [sy * rng.normal(), sy * rng.normal(), rng.uniform(0.3, 0.7), *middles]


def _arrhenius(rng, sx, sy):
    x = abscissa(rng, 1, rng.uniform(1.2, 1.6))
    exponent = rng.uniform(3, 30)  # at the lowest temperature
    return x * sx, [height(rng, sy) * np.exp(exponent), exponent * GAS_CONSTANT * sx]


CURVE_DRAWS = {
    "constant": _constant,
    "asymptotic_offset": _asymptotic_offset,
    "bertalanffy": _bertalanffy,
    "asymptotic_origin": _asymptotic_origin,
    "biexponential_offset": _biexponential_offset,
    "stretched_exponential": _stretched_exponential,
    "dose_response2": _dose_response2,
    "dose_response3": _dose_response3,
    "dose_response4": _dose_response4,
    "dose_response5": _dose_response5,
    "hill": _hill,
    "emax": _emax,
    "sine": _sine,
    "sine_offset": _sine_offset,
    "damped_sine": _damped_sine,
    "damped_sine_offset": _damped_sine_offset,
    "damped_oscillator": _damped_oscillator,
    "damped_harmonic_oscillator": _damped_harmonic_oscillator,
    "one_compartment_bolus": _one_compartment_bolus,
    "one_compartment_infusion": _one_compartment_infusion,
    "one_compartment_oral": _one_compartment_oral,
    "two_compartment_bolus": _two_compartment_bolus,
    "two_compartment_oral": _two_compartment_oral,
    "richards": _richards,
    "hyperbolic_decline": _hyperbolic_decline,
    "shifted_power_law": _shifted_power_law,
    "langmuir": _langmuir,
    "freundlich": _freundlich,
    "substrate_inhibition": _substrate_inhibition,
    "one_site_competition": _one_site_competition,
    "two_site_competition": _two_site_competition,
    "arrhenius": _arrhenius,
    **IMAGING_DRAWS,
}
