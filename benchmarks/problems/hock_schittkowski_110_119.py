"""Problems 110 to 119 of Hock and Schittkowski (1981); see `hock_schittkowski`."""

import jax.numpy as jnp
import numpy as np

from benchmarks.problems.constrained import of_array, of_scalars
from benchmarks.problems.hock_schittkowski_083_099 import (
    SHELL_A,
    SHELL_B,
    SHELL_D,
    SHELL_E,
    shell,
)
from benchmarks.problems.problem import constants

# Of problems 111 and 112: free energies, and the atoms of three kinds in each of ten compounds.
ENERGIES = (-6.089, -17.164, -34.054, -5.914, -24.721, -14.986, -24.1, -10.708, -26.662, -22.179)
ATOMS = (
    (1, 2, 2, 0, 0, 1, 0, 0, 0, 1),
    (0, 0, 0, 1, 2, 1, 1, 0, 0, 0),
    (0, 0, 1, 0, 0, 0, 1, 1, 2, 1),
)
# Of problem 119: the pairs whose product counts, the linear constraints and their right sides.
PAIRS = (
    *((1, 4), (1, 7), (1, 8), (1, 16), (2, 3), (2, 7), (2, 10), (3, 7), (3, 9), (3, 10)),
    *((3, 14), (4, 7), (4, 11), (4, 15), (5, 6), (5, 10), (5, 12), (5, 16), (6, 8), (6, 15)),
    *((7, 11), (7, 13), (8, 10), (8, 15), (9, 12), (9, 16), (10, 14), (11, 13), (12, 14)),
    (13, 14),
)
FLOW = (
    (0.22, 0.20, 0.19, 0.25, 0.15, 0.11, 0.12, 0.13),
    (-1.46, 0, -1.30, 1.82, -1.15, 0, 0.80, 0),
    (1.29, -0.89, 0, 0, -1.16, -0.96, 0, -0.49),
    (-1.10, -1.06, 0.95, -0.54, 0, -1.78, -0.41, 0),
    (0, 0, 0, -1.43, 1.51, 0.59, -0.33, -0.43),
    (0, -1.72, -0.33, 0, 1.62, 1.24, 0.21, -0.26),
    (1.12, 0, 0, 0.31, 0, 0, 1.12, 0),
    (0, 0.45, 0.26, -1.10, 0.58, 0, -1.03, 0.10),
)
FLOW_RIGHT = (2.5, 1.1, -3.1, -3.5, 1.3, 2.1, 2.3, -1.5)


def hs110_objective(x):
    return jnp.sum(jnp.log(x - 2) ** 2 + jnp.log(10 - x) ** 2) - jnp.prod(x) ** 0.2


def free_energy(amount):
    share = jnp.log(amount / jnp.sum(amount))
    return jnp.sum(amount * (constants(ENERGIES, amount) + share))


def balance(amount):
    return jnp.sum(constants(ATOMS, amount) * amount, axis=1) - constants((2, 1, 1), amount)


def hs113_objective(x):
    weight = constants((1, 1, 1, 4, 1, 2, 5, 7, 2, 1), x)
    away = x - constants((0, 0, 10, 5, 3, 1, 0, 11, 10, 7), x)
    return jnp.sum(weight * away**2) + x[0] * x[1] - 14 * x[0] - 16 * x[1] + 45


def hs113_inequality(x):
    a, b, c, d, e, f, g, h, i, j = x
    values = (
        105 - 4 * a - 5 * b + 3 * g - 9 * h,
        -10 * a + 8 * b + 17 * g - 2 * h,
        12 + 8 * a - 2 * b - 5 * i + 2 * j,
        120 - 3 * (a - 2) ** 2 - 4 * (b - 3) ** 2 - 2 * c**2 + 7 * d,
        40 - 5 * a**2 - 8 * b - (c - 6) ** 2 + 2 * d,
        30 - 0.5 * (a - 8) ** 2 - 2 * (b - 4) ** 2 - 3 * e**2 + f,
        -(a**2) - 2 * (b - 2) ** 2 + 2 * a * b - 14 * e + 6 * f,
        3 * a - 6 * b - 12 * (i - 8) ** 2 + 7 * j,
    )
    return jnp.stack(values)


def hs114_inequality(a, _b, _c, d, _e, f, g, h, i, j):
    """Four quantities lie between 0.99 (0.9) times and 1/0.99 (1/0.9) times their model."""
    dilution, octane = 35.82 - 0.222 * j, 3 * g - 133
    product = (1.12 + 0.13167 * h - 0.00667 * h**2) * a
    rating = 57.425 + 1.098 * h - 0.038 * h**2 + 0.325 * f
    return (
        *(dilution - 0.9 * i, octane - 0.99 * j, i / 0.9 - dilution, j / 0.99 - octane),
        *(product - 0.99 * d, rating - 0.99 * g, d / 0.99 - product, g / 0.99 - rating),
    )


def hs116_inequality(a, b, c, d, e, f, g, h, i, j, k, l_, m):
    def separation(x, y):
        return y - 0.03475 * x - 0.975 * x * y + 0.00975 * x**2

    def price(x, y):
        return (1.231059 * x - 1.262626) * y

    total = k + l_ + m
    return (
        *(c - b, b - a, 1 - 0.002 * (g - h), total - 50, 250 - total),
        *(m + price(c, j), l_ + price(b, i), k + price(a, h)),
        *(separation(b, e), separation(c, f), separation(a, d)),
        e * g - a * h - d * g + d * h,
        1 - 0.002 * (b * i + e * h - a * h - f * i) - e - f,
        b * i - c * j - f * i - 500 * (b - f) + b * j,
        b - 0.9 - 0.002 * (b - c) * j,
    )


def hs117_objective(x):
    y = x[10:]
    return (
        shell(y)[0]
        + 2 * jnp.sum(constants(SHELL_D, x) * y**3)
        - jnp.sum(constants(SHELL_B, x) * x[:10])
    )


def hs117_inequality(x):
    y = x[10:]
    gradient = 2 * shell(y)[1] + 3 * constants(SHELL_D, x) * y**2 + constants(SHELL_E, x)
    return gradient - jnp.sum(constants(SHELL_A, x) * x[:10, None], axis=0)


def hs118_objective(x):
    three = x.reshape(5, 3)
    linear, square = constants((2.3, 1.7, 2.2), x), constants((1e-4, 1e-4, 1.5e-4), x)
    return jnp.sum((linear + square * three) * three)


def hs118_inequality(x):
    three = x.reshape(5, 3)
    rise = (three[1:] - three[:-1]).T
    most = constants([[6], [7], [6]], x)
    need = jnp.sum(three, axis=1) - constants((60, 50, 70, 85, 100), x)
    return jnp.concatenate([(rise + 7).ravel(), (most - rise).ravel(), need])


def hs119_objective(x):
    value = x**2 + x + 1
    first, second = np.array(PAIRS).T - 1
    return jnp.sum(value**2) + jnp.sum(value[first] * value[second])


def hs119_equality(x):
    matrix = np.hstack([FLOW, np.eye(8)])
    matrix[6, 8] = -0.36
    return jnp.sum(constants(matrix, x) * x, axis=1) - constants(FLOW_RIGHT, x)


PROBLEMS = (
    of_array("hs110", hs110_objective, (9,) * 10, -45.7784697074463, lower=2.001, upper=9.999),
    of_array(
        "hs111",
        lambda x: free_energy(jnp.exp(x)),
        (-2.3,) * 10,
        -47.7610908593659,
        equality=lambda x: balance(jnp.exp(x)),
        lower=-100,
        upper=100,
    ),
    of_array("hs112", free_energy, (0.1,) * 10, -47.7610908593659, equality=balance, lower=1e-6),
    of_array(
        "hs113",
        hs113_objective,
        (2, 3, 5, 5, 1, 2, 7, 3, 6, 10),
        24.3062090681798,
        inequality=hs113_inequality,
    ),
    of_scalars(
        "hs114",
        lambda a, b, c, d, e, _f, g, *_: 5.04 * a + 0.035 * b + 10 * c + 3.36 * e - 0.063 * d * g,
        (1745, 12000, 110, 3048, 1974, 89.2, 92.8, 8, 3.6, 145),
        -1768.80696371624,
        equality=lambda a, b, c, d, e, f, _, h, i, _j: [
            *(1.22 * d - a - e, 98000 * c / (d * i + 1000 * c) - f, (b + e) / a - h)
        ],
        inequality=hs114_inequality,
        lower=(*[1e-5] * 5, 85, 90, 3, 1.2, 145),
        upper=(2000, 16000, 120, 5000, 2000, 93, 95, 12, 4, 162),
    ),
    of_scalars(
        "hs116",
        lambda *x: sum(x[10:]),
        (0.5, 0.8, 0.9, 0.1, 0.14, 0.5, 489, 80, 650, 450, 150, 150, 150),
        97.5875095580706,
        inequality=hs116_inequality,
        lower=(*[0.1] * 3, 1e-4, *[0.1] * 4, 500, 0.1, 1, 1e-4, 1e-4),
        upper=(1, 1, 1, 0.1, 0.9, 0.9, 1000, 1000, 1000, 500, 150, 150, 150),
        local=(97.5910346637013,),
    ),
    of_array(
        "hs117",
        hs117_objective,
        (*[0.001] * 6, 60, *[0.001] * 8),
        32.3486789657227,
        inequality=hs117_inequality,
        lower=0,
    ),
    of_array(
        "hs118",
        hs118_objective,
        (20, 55, 15, *(20, 60, 20) * 4),
        664.82045,
        inequality=hs118_inequality,
        lower=(8, 43, 3, *[0] * 12),
        upper=(21, 57, 16, *(90, 120, 60) * 4),
    ),
    of_array(
        "hs119",
        hs119_objective,
        (10,) * 16,
        244.899697516801,
        equality=hs119_equality,
        lower=0,
        upper=5,
    ),
)
