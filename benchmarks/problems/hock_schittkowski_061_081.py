"""Problems 61 to 81 of Hock and Schittkowski (1981); see `hock_schittkowski`."""

from math import sqrt

import jax.numpy as jnp
from jax.scipy.special import ndtr

from benchmarks.problems.constrained import of_array, of_scalars
from benchmarks.problems.hock_schittkowski_001_040 import exponentials
from benchmarks.problems.hock_schittkowski_041_060 import distances, powers, product
from benchmarks.problems.problem import constants

# Of problem 70, at the times 0.1, 1, 2, …, 18.
TRACER = (
    *(0.00189, 0.1038, 0.268, 0.506, 0.577, 0.604, 0.725, 0.898, 0.947, 0.845),
    *(0.702, 0.528, 0.385, 0.257, 0.159, 0.0869, 0.0453, 0.01509, 0.00189),
)


def hs062_objective(a, b, c):
    third = c + 0.03
    second = b + third
    logs = 255 * jnp.log((a + second) / (0.09 * a + second))
    logs += 280 * jnp.log(second / (0.07 * b + third)) + 290 * jnp.log(third / (0.13 * c + 0.03))
    return -32.174 * logs


def alkylation(x):
    """Problem 67's y₂ to y₈ (7,): the limit of its two fixed-point iterations, each a quadratic."""
    a, b, c = x
    half = (1 - 0.0122 * 13.167) / 2
    slope = 0.0122 * 0.6667
    y6 = (jnp.sqrt(half**2 + slope * (0.0122 * 112 - 1 + b / a)) - half) / slope
    y2 = 0.01 * a * (112 + 13.167 * y6 - 0.6667 * y6**2)
    y3 = 1.22 * y2 - a
    base = 86.35 + 1.098 * y6 - 0.038 * y6**2 - 0.325 * 89  # y₅ without y₄
    linear = y2 * (35.82 - 0.222 * (3 * base - 133)) + 1000 * c
    discriminant = linear**2 - 4 * 0.222 * 3 * 0.325 * 98000 * y2 * c
    y4 = 2 * 98000 * c / (linear + jnp.sqrt(discriminant))
    y5 = base + 0.325 * y4
    y8 = 3 * y5 - 133
    return jnp.stack([y2, y3, y4, y5, y6, 35.82 - 0.222 * y8, y8])


def hs067_objective(x):
    y2, y3, _, y5, *_ = alkylation(x)
    return 5.04 * x[0] + 0.035 * x[1] + 10 * x[2] + 3.36 * y3 - 0.063 * y2 * y5


def hs067_inequality(x):
    y = alkylation(x)
    least = constants((0, 0, 85, 90, 3, 0.01, 145), x)
    most = constants((5000, 2000, 93, 95, 12, 4, 162), x)
    return jnp.concatenate([y - least, most - y])


def inspection(name, cost, income, size, best):
    """Problems 68 and 69: the design of a control chart with samples of `size`."""

    def objective(a, _, c, d):
        growth = jnp.expm1(a)
        return (cost * size - d * (income * growth - c) / (growth + d)) / a

    def equality(_, b, c, d):
        root = sqrt(size)
        return c - 2 * ndtr(-b), d - ndtr(-b + root) - ndtr(-b - root)

    bounds = {"lower": (1e-4, 0, 0, 0), "upper": (100, 100, 2, 2)}
    return of_scalars(name, objective, (1,) * 4, best, equality=equality, **bounds)


def hs070_objective(x):
    a, b, c, d = x
    mean = c + (1 - c) * d
    time = constants((0.1, *range(1, 19)), x) / 7.658

    def gamma(shape, rate):
        """A gamma density by Stirling's formula."""
        factor = jnp.sqrt(shape / 6.2832) / (1 + 1 / (12 * shape))
        return factor * rate**shape * time ** (shape - 1) * jnp.exp(shape - shape * rate * time)

    both = c * gamma(b, mean) + (1 - c) * gamma(a, mean / d)
    return jnp.sum((both - constants(TRACER, x)) ** 2)


def generators(name, angle, best):
    """Problems 74 and 75: two generators, whose angles differ by at most `angle`."""

    def equality(a, b, c, d):
        return (
            1000 * (jnp.sin(-c - 0.25) + jnp.sin(-d - 0.25)) + 894.8 - a,
            1000 * (jnp.sin(c - 0.25) + jnp.sin(c - d - 0.25)) + 894.8 - b,
            1000 * (jnp.sin(d - 0.25) + jnp.sin(d - c - 0.25)) + 1294.8,
        )

    return of_scalars(
        name,
        lambda a, b, *_: 3 * a + 1e-6 * a**3 + 2 * b + 2e-6 / 3 * b**3,
        (0, 0, 0, 0),
        best,
        equality=equality,
        inequality=lambda _a, _b, c, d: [d - c + angle, c - d + angle],
        lower=(0, 0, -angle, -angle),
        upper=(1200, 1200, angle, angle),
    )


def spheres(a, b, c, d, e):
    """Zero where the constraints of problems 78, 80 and 81 hold."""
    return a**2 + b**2 + c**2 + d**2 + e**2 - 10, b * c - 5 * d * e, a**3 + b**3 + 1


_BOX = {"lower": (-2.3, -2.3, -3.2, -3.2, -3.2), "upper": (2.3, 2.3, 3.2, 3.2, 3.2)}

PROBLEMS = (
    of_scalars(
        "hs061",
        lambda a, b, c: 4 * a**2 + 2 * b**2 + 2 * c**2 - 33 * a + 16 * b - 24 * c,
        (0, 0, 0),
        -143.64614219778,
        equality=lambda a, b, c: [3 * a - 2 * b**2 - 7, 4 * a - c**2 - 11],
        local=(-81.9190960946275,),
    ),
    of_scalars(
        "hs062",
        hs062_objective,
        (0.7, 0.2, 0.1),
        -26272.5144873183,
        equality=lambda a, b, c: [a + b + c - 1],
        lower=0,
        upper=1,
    ),
    of_scalars(
        "hs063",
        lambda a, b, c: 1000 - a**2 - 2 * b**2 - c**2 - a * b - a * c,
        (2, 2, 2),
        961.715172130052,
        equality=lambda a, b, c: [8 * a + 14 * b + 7 * c - 56, a**2 + b**2 + c**2 - 25],
        lower=0,
    ),
    of_scalars(
        "hs064",
        lambda a, b, c: 5 * a + 5e4 / a + 20 * b + 7.2e4 / b + 10 * c + 1.44e5 / c,
        (1, 1, 1),
        6299.84242792152,
        inequality=lambda a, b, c: [1 - 4 / a - 32 / b - 120 / c],
        lower=1e-5,
    ),
    of_scalars(
        "hs065",
        lambda a, b, c: (a - b) ** 2 + (a + b - 10) ** 2 / 9 + (c - 5) ** 2,
        (-5, 5, 0),
        0.953528856804783,
        inequality=lambda a, b, c: [48 - a**2 - b**2 - c**2],
        lower=(-4.5, -4.5, -5),
        upper=(4.5, 4.5, 5),
    ),
    of_scalars(
        "hs066",
        lambda a, _, c: 0.2 * c - 0.8 * a,
        (0, 1.05, 2.9),
        0.518163274181541,
        inequality=exponentials,
        lower=0,
        upper=(100, 100, 10),
    ),
    of_array(
        "hs067",
        hs067_objective,
        (1745, 12000, 110),
        -1162.02698005969,
        inequality=hs067_inequality,
        lower=1e-5,
        upper=(2000, 16000, 120),
    ),
    inspection("hs068", 1e-4, 1, 24, -0.92042500363975),
    inspection("hs069", 0.1, 1000, 4, -956.712886650028),
    of_array(
        "hs070",
        hs070_objective,
        (2, 4, 0.04, 2),
        7.49846357442765e-3,
        inequality=lambda x: (x[2] + (1 - x[2]) * x[3])[None],
        lower=1e-5,
        upper=(100, 100, 1, 100),
        local=(0.179807906044605, 0.186349122092509, 0.186511945402758, 0.269086187636753),
    ),
    of_scalars(
        "hs071",
        lambda a, b, c, d: a * d * (a + b + c) + c,
        (1, 5, 5, 1),
        17.0140172891563,
        equality=lambda a, b, c, d: [a**2 + b**2 + c**2 + d**2 - 40],
        inequality=lambda a, b, c, d: [a * b * c * d - 25],
        lower=1,
        upper=5,
        local=(27.1464281994822, 30.6969384566991),
    ),
    of_scalars(
        "hs072",
        lambda a, b, c, d: 1 + a + b + c + d,
        (1, 1, 1, 1),
        727.679357789613,
        inequality=lambda a, b, c, d: [
            0.0401 - 4 / a - 2.25 / b - 1 / c - 0.25 / d,
            0.010085 - 0.16 / a - 0.36 / b - 0.64 / c - 0.64 / d,
        ],
        lower=1e-3,
        upper=(4e5, 3e5, 2e5, 1e5),
    ),
    of_scalars(
        "hs073",
        lambda a, b, c, d: 24.55 * a + 26.75 * b + 39 * c + 40.5 * d,
        (1, 1, 1, 1),
        29.8943781591434,
        equality=lambda a, b, c, d: [a + b + c + d - 1],
        inequality=lambda a, b, c, d: [
            2.3 * a + 5.6 * b + 11.1 * c + 1.3 * d - 5,
            12 * a
            + 11.9 * b
            + 41.8 * c
            + 52.1 * d
            - 21
            - 1.645 * jnp.sqrt(0.28 * a**2 + 0.19 * b**2 + 20.5 * c**2 + 0.62 * d**2),
        ],
        lower=0,
    ),
    generators("hs074", 0.55, 5126.49810959527),
    generators("hs075", 0.48, 5174.41269537774),
    of_scalars(
        "hs076",
        lambda a, b, c, d: (
            a**2 + 0.5 * b**2 + c**2 + 0.5 * d**2 - a * c + c * d - a - 3 * b + c - d
        ),
        (0.5, 0.5, 0.5, 0.5),
        -103 / 22,
        inequality=lambda a, b, c, d: [
            *(5 - a - 2 * b - c - d, 4 - 3 * a - b - 2 * c + d, b + 4 * c - 1.5)
        ],
        lower=0,
    ),
    of_scalars(
        "hs077",
        lambda a, b, c, d, e: (a - 1) ** 2 + powers(a, b, c, d, e),
        (2, 2, 2, 2, 2),
        0.241505128790179,
        equality=lambda a, b, c, d, e: [
            a**2 * d + jnp.sin(d - e) - 2 * sqrt(2),
            b + c**4 * d**2 - 8 - sqrt(2),
        ],
        local=(4.6025615121182, 5.5333572786407, 9.9087601966998),
    ),
    of_scalars(
        "hs078",
        product,
        (-2, 1.5, 2, -1, -1),
        -2.91970040896368,
        equality=spheres,
        local=(-0.823594830085023, 0),
    ),
    of_scalars(
        "hs079",
        lambda a, b, c, d, e: (a - 1) ** 2 + distances(a, b, c, d, e),
        (2, 2, 2, 2, 2),
        0.078776820871057,
        equality=lambda a, b, c, d, e: [
            a + b**2 + c**3 - 2 - 3 * sqrt(2),
            b - c**2 + d + 2 - 2 * sqrt(2),
            a * e - 2,
        ],
        local=(
            *(13.9668249003902, 27.4520040947083, 27.521961454403),
            *(86.5275397159262, 649.504864967825),
        ),
    ),
    of_scalars(
        "hs080",
        lambda *x: jnp.exp(product(*x)),
        (-2, 2, 2, -1, -1),
        0.053949847770272,
        equality=spheres,
        **_BOX,
        local=(0.438851219942813, 1),
    ),
    of_scalars(
        "hs081",
        lambda a, b, c, d, e: jnp.exp(product(a, b, c, d, e)) - (a**3 + b**3 + 1) ** 2 / 2,
        (-2, 2, 2, -1, -1),
        0.053949847770272,
        equality=spheres,
        **_BOX,
        local=(0.438851219942813, 1),
    ),
)
