"""Problems 41 to 60 of Hock and Schittkowski (1981); see `hock_schittkowski`."""

from math import asin, exp, sqrt

import jax.numpy as jnp
import numpy as np

from benchmarks.problems.constrained import of_array, of_scalars
from benchmarks.problems.hock_schittkowski_001_040 import minus_volume, rosenbrock
from benchmarks.problems.problem import constants

# Of problem 57: the age of a batch of chlorine, repeated, and its strength.
AGE = np.repeat(np.arange(8, 43, 2), (2, 4, 4, 3, 3, 2, 3, 3, 3, 3, 2, 3, 2, 1, 2, 2, 1, 1))
CHLORINE = (
    *(0.49, 0.49, 0.48, 0.47, 0.48, 0.47, 0.46, 0.46, 0.45, 0.43, 0.45, 0.43, 0.43, 0.44, 0.43),
    *(0.43, 0.46, 0.45, 0.42, 0.42, 0.43, 0.41, 0.41, 0.40, 0.42, 0.40, 0.40, 0.41, 0.40, 0.41),
    *(0.41, 0.40, 0.40, 0.40, 0.38, 0.41, 0.40, 0.40, 0.41, 0.38, 0.40, 0.40, 0.39, 0.39),
)


def distances(a, b, c, d, e):
    """The objective of problem 47 and a part of that of 79."""
    return (a - b) ** 2 + (b - c) ** 2 + (c - d) ** 4 + (d - e) ** 4


def powers(a, b, c, d, e):
    """The objective of problems 46 and 49 and a part of that of 77."""
    return (a - b) ** 2 + (c - 1) ** 2 + (d - 1) ** 4 + (e - 1) ** 6


def quadratic(weight):
    """The objective of problems 51 and 53, and with another weight of 52."""
    return lambda a, b, c, d, e: (
        (weight * a - b) ** 2 + (b + c - 2) ** 2 + (d - 1) ** 2 + (e - 1) ** 2
    )


def linear(a, b, c, d, e):
    """Zero where the constraints of problems 52 and 53 hold."""
    return a + 3 * b, c + d - 2 * e, b - e


def hs054_objective(a, b, c, d, e, f):
    u, v = (a - 1e4) / 8000, b - 1
    near = (u**2 + 0.4 * u * v + v**2) / 0.96
    far = ((c - 2e6) / 7e6) ** 2 + ((d - 10) / 50) ** 2
    return -jnp.exp(-(near + far + (20 * (e - 1e-3)) ** 2 + ((f - 1e8) / 5e8) ** 2) / 2)


def hs057_objective(x):
    decay = jnp.exp(-x[1] * constants(AGE - 8, x))
    return jnp.sum((constants(CHLORINE, x) - x[0] - (0.49 - x[0]) * decay) ** 2)


def hs059_objective(a, b):
    alone = ((-1.0345e-5 * a + 2.0567e-3) * a - 0.12694) * a**2 + 3.8112 * a
    other = ((-1.3514e-5 * b + 3.4604e-3) * b - 0.25645) * b**2 + 6.8306 * b
    by_b = (((2.266e-7 * a - 3.5256e-5) * a + 1.28134e-3) * a - 0.030234) * a
    by_b2 = ((6.3e-8 * a + 5.2375e-6) * a - 3.4054e-4) * a
    by_b3 = 1.6638e-6 * a - 7e-10 * a**3
    mixed = ((by_b3 * b + by_b2) * b + by_b) * b
    return -75.196 + alone + other + mixed + 28.106 / (b + 1) + 2.8673 * jnp.exp(5e-4 * a * b)


def product(a, b, c, d, e):
    return a * b * c * d * e


PROBLEMS = (
    of_scalars(
        "hs041",
        lambda a, b, c, _: 2 - a * b * c,
        (2, 2, 2, 2),
        52 / 27,
        equality=lambda a, b, c, d: [a + 2 * b + 2 * c - d],
        lower=0,
        upper=(1, 1, 1, 2),
    ),
    of_scalars(
        "hs042",
        lambda a, b, c, d: (a - 1) ** 2 + (b - 2) ** 2 + (c - 3) ** 2 + (d - 4) ** 2,
        (1, 1, 1, 1),
        28 - 10 * sqrt(2),
        equality=lambda a, _, c, d: [a - 2, c**2 + d**2 - 2],
    ),
    of_scalars(
        "hs043",
        lambda a, b, c, d: a**2 + b**2 + 2 * c**2 + d**2 - 5 * a - 5 * b - 21 * c + 7 * d,
        (0, 0, 0, 0),
        -44,
        inequality=lambda a, b, c, d: [
            8 - a**2 - b**2 - c**2 - d**2 - a + b - c + d,
            10 - a**2 - 2 * b**2 - c**2 - 2 * d**2 + a + d,
            5 - 2 * a**2 - b**2 - c**2 - 2 * a + b + d,
        ],
    ),
    of_scalars(
        "hs044",
        lambda a, b, c, d: a - b - c - a * c + a * d + b * c - b * d,
        (0, 0, 0, 0),
        -15,
        inequality=lambda a, b, c, d: [
            *(8 - a - 2 * b, 12 - 4 * a - b, 12 - 3 * a - 4 * b),
            *(8 - 2 * c - d, 8 - c - 2 * d, 5 - c - d),
        ],
        lower=0,
        local=(-13,),
    ),
    of_scalars(
        "hs045",
        lambda *x: 2 - product(*x) / 120,
        (2, 2, 2, 2, 2),
        1,
        lower=0,
        upper=(1, 2, 3, 4, 5),
    ),
    of_scalars(
        "hs046",
        powers,
        (sqrt(2) / 2, 1.75, 0.5, 2, 2),
        0,
        equality=lambda a, b, c, d, e: [a**2 * d + jnp.sin(d - e) - 1, b + c**4 * d**2 - 2],
        local=(0.0210889286274712, 3.95024703997424),
    ),
    of_scalars(
        "hs047",
        distances,
        (2, sqrt(2), -1, 2 - sqrt(2), 0.5),
        0,
        equality=lambda a, b, c, d, e: [a + b**2 + c**3 - 3, b - c**2 + d - 1, a * e - 1],
        local=(10.0900785385925, 10.7502657613861, 294.498766316567),
    ),
    of_scalars(
        "hs048",
        lambda a, b, c, d, e: (a - 1) ** 2 + (b - c) ** 2 + (d - e) ** 2,
        (3, 5, -3, 2, -2),
        0,
        equality=lambda a, b, c, d, e: [a + b + c + d + e - 5, c - 2 * (d + e) + 3],
    ),
    of_scalars(
        "hs049",
        powers,
        (10, 7, 2, -3, 0.8),
        0,
        equality=lambda a, b, c, d, e: [a + b + c + 4 * d - 7, c + 5 * e - 6],
    ),
    of_scalars(
        "hs050",
        lambda a, b, c, d, e: (a - b) ** 2 + (b - c) ** 2 + (c - d) ** 4 + (d - e) ** 2,
        (35, -31, 11, 5, -5),
        0,
        equality=lambda a, b, c, d, e: [
            *(a + 2 * b + 3 * c - 6, b + 2 * c + 3 * d - 6),
            c + 2 * d + 3 * e - 6,
        ],
    ),
    of_scalars(
        "hs051",
        quadratic(1),
        (2.5, 0.5, 2, -1, 0.5),
        0,
        equality=lambda a, b, c, d, e: [a + 3 * b - 4, c + d - 2 * e, b - e],
    ),
    of_scalars("hs052", quadratic(4), (2, 2, 2, 2, 2), 1859 / 349, equality=linear),
    of_scalars(
        "hs053", quadratic(1), (2, 2, 2, 2, 2), 176 / 43, equality=linear, lower=-10, upper=10
    ),
    of_scalars(
        "hs054",
        hs054_objective,
        (6000, 1.5, 4e6, 2, 3e-3, 5e7),
        -exp(-27 / 280),
        equality=lambda a, b, *_: [a + 4000 * b - 17600],
        lower=(0, -10, 0, 0, -1, 0),
        upper=(2e4, 10, 1e7, 20, 1, 2e8),
    ),
    of_scalars(  # the equations are linearly dependent
        "hs055",
        lambda a, b, _, d, e, _f: a + 2 * b + 4 * e + jnp.exp(a * d),
        (1, 2, 0, 0, 0, 2),
        19 / 3,
        equality=lambda a, b, c, d, e, f: [
            *(a + 2 * b + 5 * e - 6, a + b + c - 3, d + e + f - 2),
            *(a + d - 1, b + e - 2, c + f - 2),
        ],
        lower=0,
        upper=(1, None, None, 1, None, None),
        local=(20 / 3,),
    ),
    of_scalars(
        "hs056",
        lambda a, b, c, *_: minus_volume(a, b, c),
        (1, 1, 1, *[asin(sqrt(1 / 4.2))] * 3, asin(sqrt(5 / 7.2))),
        -3.456,
        equality=lambda a, b, c, d, e, f, g: [
            *(a - 4.2 * jnp.sin(d) ** 2, b - 4.2 * jnp.sin(e) ** 2, c - 4.2 * jnp.sin(f) ** 2),
            a + 2 * b + 2 * c - 7.2 * jnp.sin(g) ** 2,
        ],
    ),
    of_array(
        "hs057",
        hs057_objective,
        (0.42, 5),
        0.0284596697229867,
        inequality=lambda x: (0.49 * x[1] - x[0] * x[1] - 0.09)[None],
        lower=(0.4, -4),
        local=(0.030647619047619,),
    ),
    of_scalars(
        "hs058",
        rosenbrock,
        (-2, 1),
        3.19033674426474,
        inequality=lambda a, b: [b**2 - a, a**2 - b, a**2 + b**2 - 1],
        lower=(-2, None),
        upper=(0.5, None),
        local=(100.990099009877,),
    ),
    of_scalars(
        "hs059",
        hs059_objective,
        (90, 10),
        -7.80423595366485,
        inequality=lambda a, b: [a * b - 700, b - a**2 / 125, (b - 50) ** 2 - 5 * (a - 55)],
        lower=0,
        upper=(75, 65),
        local=(-6.75456601913471,),
    ),
    of_scalars(
        "hs060",
        lambda a, b, c: (a - 1) ** 2 + (a - b) ** 2 + (b - c) ** 4,
        (2, 2, 2),
        0.0325682002550698,
        equality=lambda a, b, c: [a * (1 + b**2) + c**4 - 4 - 3 * sqrt(2)],
        lower=-10,
        upper=10,
        local=(2.18966058758156,),
    ),
)
