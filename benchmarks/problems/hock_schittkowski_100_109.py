"""Problems 100 to 109 of Hock and Schittkowski (1981); see `hock_schittkowski`."""

from math import cos, log, pi, sin, sqrt

import jax.numpy as jnp
import numpy as np
from jax.scipy.special import logsumexp

from benchmarks.problems.constrained import of_array, of_scalars
from benchmarks.problems.problem import constants

# Of problem 105: the measured values, and how often each occurs.
BLOOD_PRESSURE = np.repeat(
    (
        *(95, 105, 110, 115, 120, 125, 130, 135, 140, 145, 150, 155, 160, 165, 170),
        *(175, 180, 185, 190, 195, 200, 205, 210, 215, 220, 230, 235, 240, 245, 260),
    ),
    (
        *(1, 1, 4, 4, 15, 15, 15, 13, 21, 12, 17, 4, 20, 8, 17),
        *(8, 6, 6, 7, 4, 3, 3, 8, 1, 6, 5, 1, 7, 1, 2),
    ),
)


def hs100_inequality(a, b, c, d, e, f, g):
    return (
        127 - 2 * a**2 - 3 * b**4 - c - 4 * d**2 - 5 * e,
        282 - 7 * a - 3 * b - 10 * c**2 - d + e,
        196 - 23 * a - b**2 - 6 * f**2 + 8 * g,
        -4 * a**2 - b**2 + 3 * a * b - 2 * c**2 - 5 * f + 11 * g,
    )


def posynomials(name, power, best):
    """Problems 101 to 103, which differ in the power of the last variable."""

    def objective(a, b, c, d, e, f, g):
        return (
            10 * a * d**2 * g**power / (b * f**3)
            + 15 * c * d / (a * b**2 * e * g**0.5)
            + 20 * b * f / (a**2 * d * e**2)
            + 25 * a**2 * b**2 * e**0.5 * g / (c * f**2)
        )

    def inequality(a, b, c, d, e, f, g):
        value = objective(a, b, c, d, e, f, g)
        return (
            1
            - 0.5 * a**0.5 * g / (c * f**2)
            - 0.7 * a**3 * b * f * g**0.5 / c**2
            - 0.2 * c * f ** (2 / 3) * g**0.25 / (b * d**0.5),
            1
            - 1.3 * b * f / (a**0.5 * c * e)
            - 0.8 * c * f**2 / (d * e)
            - 3.1 * b**0.5 * f ** (1 / 3) / (a * d**2 * e),
            1
            - 2 * a * e * g ** (1 / 3) / (c**1.5 * f)
            - 0.1 * b * e / (c**0.5 * f * g**0.5)
            - b * c**0.5 * e / a
            - 0.65 * c * e * g / (b**2 * f),
            1
            - 0.2 * b * e**0.5 * g ** (1 / 3) / (a**2 * d)
            - 0.3 * a**0.5 * b**2 * c * d ** (1 / 3) * g**0.25 / e ** (2 / 3)
            - 0.4 * c * e * g**0.75 / (a**3 * b**2)
            - 0.5 * d * g**0.5 / c**2,
            value - 100,
            3000 - value,
        )

    bounds = {"lower": (0.1,) * 6 + (0.01,), "upper": 10}
    return of_scalars(name, objective, (6,) * 7, best, inequality=inequality, **bounds)


def hs104_objective(a, b, _c, _d, _e, _f, g, h):
    return 0.4 * ((a / g) ** 0.67 + (b / h) ** 0.67) + 10 - a - b


def hs104_inequality(a, b, c, d, e, f, g, h):
    value = hs104_objective(a, b, c, d, e, f, g, h)
    return (
        1 - 0.0588 * e * g - 0.1 * a,
        1 - 0.0588 * f * h - 0.1 * (a + b),
        1 - (4 * c + 2 * c**-0.71) / e - 0.0588 * c**-1.3 * g,
        1 - (4 * d + 2 * d**-0.71) / f - 0.0588 * d**-1.3 * h,
        value - 1,
        4.2 - value,
    )


def hs105_objective(x):
    """Minus the log-likelihood of a mixture of three normal distributions."""
    weight = jnp.append(x[:2], 1 - x[0] - x[1]) / x[5:]
    away = (constants(BLOOD_PRESSURE[:, None], x) - x[2:5]) / x[5:]
    density = logsumexp(-(away**2) / 2, axis=1, b=weight)
    return -jnp.sum(density - log(2 * pi) / 2)


def hs106_inequality(a, b, c, d, e, f, g, h):
    return (
        1 - 0.0025 * (d + f),
        1 - 0.0025 * (e + g - d),
        1 - 0.01 * (h - e),
        a * f - 833.33252 * d - 100 * a + 83333.333,
        b * g - 1250 * e - b * d + 1250 * d,
        c * h - 1.25e6 - c * e + 2500 * e,
    )


def power(voltage, angle, size):
    """The real and the reactive power (3,) that three buses, each a line apart, feed in."""
    lag = jnp.append(jnp.zeros_like(angle[:1]), angle)
    lag = lag[:, None] - lag - 0.25
    own, other = voltage[:, None], voltage
    real = own * (own * sin(0.25) + other * jnp.sin(lag))
    reactive = own * (own * cos(0.25) - other * jnp.cos(lag))
    return size * jnp.sum(real, axis=1), size * jnp.sum(reactive, axis=1)


def hs107_equality(x):
    real, reactive = power(x[4:7], x[7:], 48.4 / 50.176)
    fed = jnp.concatenate([real, reactive]) + constants((0.4, 0.4, 0.8, 0.2, 0.2, -0.337), x)
    return fed - jnp.insert(x[:4], np.array([2, 4]), 0)


def hexagon(a, b, c, d, e, f, g, h, i):
    """The areas, doubled, of the triangles of problem 108."""
    return a * d - b * c, c * i, -e * i, e * h - f * g


def hs108_inequality(a, b, c, d, e, f, g, h, i):
    return (
        *(1 - c**2 - d**2, 1 - i**2, 1 - e**2 - f**2, 1 - a**2 - (b - i) ** 2),
        *(1 - (a - e) ** 2 - (b - f) ** 2, 1 - (a - g) ** 2 - (b - h) ** 2),
        *(1 - (c - e) ** 2 - (d - f) ** 2, 1 - (c - g) ** 2 - (d - h) ** 2),
        *(1 - g**2 - (h - i) ** 2, *hexagon(a, b, c, d, e, f, g, h, i)),
    )


def hs109_inequality(x):
    rise, squares = x[3] - x[2], x[:2] ** 2 + x[7:] ** 2
    return jnp.concatenate([jnp.stack([0.55 + rise, 0.55 - rise]), 2.25e6 - squares])


def hs109_equality(x):
    real, reactive = power(x[4:7], x[2:4], 1 / 50.176)
    real += constants((400, 400, 881.779), x) - jnp.append(x[:2], 0)
    charge = 0.7533e-3 * x[4:7] ** 2 + jnp.append(x[7:], 0) - constants((200, 200, 22.938), x)
    return jnp.concatenate([real, charge - reactive])


PROBLEMS = (
    of_scalars(
        "hs100",
        lambda a, b, c, d, e, f, g: (
            (a - 10) ** 2
            + 5 * (b - 12) ** 2
            + c**4
            + 3 * (d - 11) ** 2
            + 10 * e**6
            + 7 * f**2
            + g**4
            - 4 * f * g
            - 10 * f
            - 8 * g
        ),
        (1, 2, 0, 4, 0, 1, 1),
        680.630057374402,
        inequality=hs100_inequality,
    ),
    posynomials("hs101", -0.25, 1809.76476557141),
    posynomials("hs102", 0.125, 911.880571430108),
    posynomials("hs103", 0.5, 543.667958466281),
    of_scalars(
        "hs104",
        hs104_objective,
        (6, 3, 0.4, 0.2, 6, 6, 1, 0.5),
        3.95116344010336,
        inequality=hs104_inequality,
        lower=0.1,
        upper=10,
    ),
    of_array(
        "hs105",
        hs105_objective,
        (0.1, 0.2, 100, 125, 175, 11.2, 13.2, 15.8),
        1138.41066367213,
        inequality=lambda x: (1 - x[0] - x[1])[None],
        lower=(0.001, 0.001, 100, 130, 170, 5, 5, 5),
        upper=(0.499, 0.499, 180, 210, 240, 25, 25, 25),
        local=(1138.41847126881, 1139.54787109711),
    ),
    of_scalars(
        "hs106",
        lambda a, b, c, *_: a + b + c,
        (5000, 5000, 5000, 200, 350, 150, 225, 425),
        7049.24802052867,
        inequality=hs106_inequality,
        lower=(100, 1000, 1000, *[10] * 5),
        upper=(*[10000] * 3, *[1000] * 5),
    ),
    of_array(
        "hs107",
        lambda x: 3000 * x[0] + 1000 * x[0] ** 3 + 2000 * x[1] + 666.667 * x[1] ** 3,
        (0.8, 0.8, 0.2, 0.2, 1.0454, 1.0454, 1.0454, 0, 0),
        5055.01180354381,
        equality=hs107_equality,
        lower=(0, 0, None, None, 0.90909, 0.90909, 0.90909, None, None),
        upper=(None, None, None, None, 1.0909, 1.0909, 1.0909, None, None),
    ),
    of_scalars(
        "hs108",
        lambda *x: -sum(hexagon(*x)) / 2,
        (1,) * 9,
        -sqrt(3) / 2,
        inequality=hs108_inequality,
        lower=(*[None] * 8, 0),
        local=(-0.674981442930105, -0.5),
    ),
    of_array(
        "hs109",
        lambda x: 3 * x[0] + 1e-6 * x[0] ** 3 + 2 * x[1] + 0.522074e-6 * x[1] ** 3,
        (0,) * 9,
        5362.0691811096,
        equality=hs109_equality,
        inequality=hs109_inequality,
        lower=(0, 0, -0.55, -0.55, 196, 196, 196, -400, -400),
        upper=(None, None, 0.55, 0.55, 252, 252, 252, 800, 800),
    ),
)
