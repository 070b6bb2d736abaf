"""Problems 1 to 40 of Hock and Schittkowski (1981); see `hock_schittkowski`."""

from math import acos, cos, log, pi, sqrt

import jax.numpy as jnp

from benchmarks.problems.constrained import of_array, of_scalars
from benchmarks.problems.problem import constants


def rosenbrock(a, b):
    return 100 * (b - a**2) ** 2 + (1 - a) ** 2


def wood(a, b, c, d):
    valleys = rosenbrock(a, b) + 90 * (d - c**2) ** 2 + (1 - c) ** 2
    return valleys + 10.1 * ((b - 1) ** 2 + (d - 1) ** 2) + 19.8 * (b - 1) * (d - 1)


def minus_volume(a, b, c):
    return -a * b * c


def squares(a, b, c):
    return a**2 + b**2 + c**2


def exponentials(a, b, c):
    return b - jnp.exp(a), c - jnp.exp(b)


def hs025_objective(x):
    """The powers are of positive numbers, for the second variable is at most 25.6."""
    level = constants(0.01, x) * jnp.arange(1, 100, dtype=x.dtype)
    time = 25 + jnp.cbrt(-50 * jnp.log(level)) ** 2
    return jnp.sum((jnp.exp(-((time - x[1]) ** x[2]) / x[0]) - level) ** 2)


_A_2 = sqrt(598 / 1200)
# Where the bound of problem 2 is active, both minima are roots of one cubic.
_ROOTS_2 = [2 * _A_2 * cos((acos(1 / (400 * _A_2**3)) + turn) / 3) for turn in (0, 2 * pi)]
_A_11 = (7.5 * sqrt(6) + sqrt(338.5)) ** (1 / 3)
_X_11 = (_A_11 - 1 / _A_11) / sqrt(6)
_Y_19 = 5 - sqrt(17.280975)

PROBLEMS = (
    of_scalars("hs001", rosenbrock, (-2, 1), 0, lower=(None, -1.5)),
    of_scalars(
        "hs002",
        rosenbrock,
        (-2, 1),
        rosenbrock(_ROOTS_2[0], 1.5),
        lower=(None, 1.5),
        local=(rosenbrock(_ROOTS_2[1], 1.5),),
    ),
    of_scalars("hs003", lambda a, b: b + 1e-5 * (b - a) ** 2, (10, 1), 0, lower=(None, 0)),
    of_scalars("hs004", lambda a, b: (a + 1) ** 3 / 3 + b, (1.125, 0.125), 8 / 3, lower=(1, 0)),
    of_scalars(
        "hs005",
        lambda a, b: jnp.sin(a + b) + (a - b) ** 2 - 1.5 * a + 2.5 * b + 1,
        (0, 0),
        -sqrt(3) / 2 - pi / 3,
        lower=(-1.5, -3),
        upper=(4, 3),
        local=(2 * pi / 3 - sqrt(3) / 2,),
    ),
    of_scalars(
        "hs006", lambda a, _: (1 - a) ** 2, (-1.2, 1), 0, equality=lambda a, b: [10 * (b - a**2)]
    ),
    of_scalars(
        "hs007",
        lambda a, b: jnp.log(1 + a**2) - b,
        (2, 2),
        -sqrt(3),
        equality=lambda a, b: [(1 + a**2) ** 2 + b**2 - 4],
        local=(sqrt(3),),
    ),
    of_scalars(
        "hs008",
        lambda a, _: -1 + 0 * a,
        (2, 1),
        -1,
        equality=lambda a, b: [a**2 + b**2 - 25, a * b - 9],
    ),
    of_scalars(
        "hs009",
        lambda a, b: jnp.sin(pi * a / 12) * jnp.cos(pi * b / 16),
        (0, 0),
        -0.5,
        equality=lambda a, b: [4 * a - 3 * b],
    ),
    of_scalars(
        "hs010",
        lambda a, b: a - b,
        (-10, 10),
        -1,
        inequality=lambda a, b: [-3 * a**2 + 2 * a * b - b**2 + 1],
    ),
    of_scalars(
        "hs011",
        lambda a, b: (a - 5) ** 2 + b**2 - 25,
        (4.9, 0.1),
        (_X_11 - 5) ** 2 + _X_11**4 - 25,
        inequality=lambda a, b: [b - a**2],
    ),
    of_scalars(
        "hs012",
        lambda a, b: 0.5 * a**2 + b**2 - a * b - 7 * a - 7 * b,
        (0, 0),
        -30,
        inequality=lambda a, b: [25 - 4 * a**2 - b**2],
    ),
    of_scalars(  # no multipliers at the minimum
        "hs013",
        lambda a, b: (a - 2) ** 2 + b**2,
        (-2, -2),
        1,
        inequality=lambda a, b: [(1 - a) ** 3 - b],
        lower=0,
    ),
    of_scalars(
        "hs014",
        lambda a, b: (a - 2) ** 2 + (b - 1) ** 2,
        (2, 2),
        9 - 2.875 * sqrt(7),
        equality=lambda a, b: [a - 2 * b + 1],
        inequality=lambda a, b: [1 - a**2 / 4 - b**2],
    ),
    of_scalars(
        "hs015",
        rosenbrock,
        (-2, 1),
        306.5,
        inequality=lambda a, b: [a * b - 1, a + b**2],
        upper=(0.5, None),
        local=(360.379767174284,),
    ),
    of_scalars(
        "hs016",
        rosenbrock,
        (-2, 1),
        0.25,
        inequality=lambda a, b: [a + b**2, a**2 + b],
        lower=(-0.5, None),
        upper=(0.5, 1),
        local=(58.5 - 25 * sqrt(2),),
    ),
    of_scalars(
        "hs017",
        rosenbrock,
        (-2, 1),
        1,
        inequality=lambda a, b: [b**2 - a, a**2 - b],
        lower=(-0.5, None),
        upper=(0.5, 1),
    ),
    of_scalars(
        "hs018",
        lambda a, b: 0.01 * a**2 + b**2,
        (2, 2),
        5,
        inequality=lambda a, b: [a * b - 25, a**2 + b**2 - 25],
        lower=(2, 0),
        upper=50,
    ),
    of_scalars(
        "hs019",
        lambda a, b: (a - 10) ** 3 + (b - 20) ** 3,
        (20.1, 5.84),
        4.095**3 + (_Y_19 - 20) ** 3,
        inequality=lambda a, b: [
            (a - 5) ** 2 + (b - 5) ** 2 - 100,
            82.81 - (a - 6) ** 2 - (b - 5) ** 2,
        ],
        lower=(13, 0),
        upper=100,
    ),
    of_scalars(
        "hs020",
        rosenbrock,
        (-2, 1),
        81.5 - 25 * sqrt(3),
        inequality=lambda a, b: [a + b**2, a**2 + b, a**2 + b**2 - 1],
        lower=(-0.5, None),
        upper=(0.5, None),
        local=(83.5 - 25 * sqrt(3),),
    ),
    of_scalars(
        "hs021",
        lambda a, b: 0.01 * a**2 + b**2 - 100,
        (-1, -1),
        -99.96,
        inequality=lambda a, b: [10 * a - b - 10],
        lower=(2, -50),
        upper=50,
    ),
    of_scalars(
        "hs022",
        lambda a, b: (a - 2) ** 2 + (b - 1) ** 2,
        (2, 2),
        1,
        inequality=lambda a, b: [2 - a - b, b - a**2],
    ),
    of_scalars(
        "hs023",
        lambda a, b: a**2 + b**2,
        (3, 1),
        2,
        inequality=lambda a, b: [
            *(a + b - 1, a**2 + b**2 - 1, 9 * a**2 + b**2 - 9),
            *(a**2 - b, b**2 - a),
        ],
        lower=-50,
        upper=50,
        local=(5 + 2 * sqrt(5),),
    ),
    of_scalars(
        "hs024",
        lambda a, b: ((a - 3) ** 2 - 9) * b**3 / (27 * sqrt(3)),
        (1, 0.5),
        -1,
        inequality=lambda a, b: [a / sqrt(3) - b, a + sqrt(3) * b, 6 - a - sqrt(3) * b],
        lower=0,
    ),
    of_array(
        "hs025",
        hs025_objective,
        (100, 12.5, 3),
        0,
        lower=(0.1, 0, 0),
        upper=(100, 25.6, 5),
    ),
    of_scalars(
        "hs026",
        lambda a, b, c: (a - b) ** 2 + (b - c) ** 4,
        (-2.6, 2, 2),
        0,
        equality=lambda a, b, c: [(1 + b**2) * a + c**4 - 3],
    ),
    of_scalars(
        "hs027",
        lambda a, b, _: 0.01 * (a - 1) ** 2 + (b - a**2) ** 2,
        (2, 2, 2),
        0.04,
        equality=lambda a, _, c: [a + c**2 + 1],
    ),
    of_scalars(
        "hs028",
        lambda a, b, c: (a + b) ** 2 + (b + c) ** 2,
        (-4, 1, 1),
        0,
        equality=lambda a, b, c: [a + 2 * b + 3 * c - 1],
    ),
    of_scalars(
        "hs029",
        minus_volume,
        (1, 1, 1),
        -16 * sqrt(2),
        inequality=lambda a, b, c: [48 - a**2 - 2 * b**2 - 4 * c**2],
    ),
    of_scalars(
        "hs030",
        squares,
        (1, 1, 1),
        1,
        inequality=lambda a, b, _: [a**2 + b**2 - 1],
        lower=(1, -10, -10),
        upper=10,
    ),
    of_scalars(
        "hs031",
        lambda a, b, c: 9 * a**2 + b**2 + 9 * c**2,
        (1, 1, 1),
        6,
        inequality=lambda a, b, _: [a * b - 1],
        lower=(-10, 1, -10),
        upper=(10, 10, 1),
    ),
    of_scalars(
        "hs032",
        lambda a, b, c: (a + 3 * b + c) ** 2 + 4 * (a - b) ** 2,
        (0.1, 0.7, 0.2),
        1,
        equality=lambda a, b, c: [1 - a - b - c],
        inequality=lambda a, b, c: [6 * b + 4 * c - a**3 - 3],
        lower=0,
    ),
    of_scalars(
        "hs033",
        lambda a, _, c: (a - 1) * (a - 2) * (a - 3) + c,
        (0, 0, 3),
        sqrt(2) - 6,
        inequality=lambda a, b, c: [c**2 - a**2 - b**2, a**2 + b**2 + c**2 - 4],
        lower=0,
        upper=(None, None, 5),
    ),
    of_scalars(
        "hs034",
        lambda a, *_: -a,
        (0, 1.05, 2.9),
        -log(log(10)),
        inequality=exponentials,
        lower=0,
        upper=(100, 100, 10),
    ),
    of_scalars(
        "hs035",
        lambda a, b, c: (
            9 - 8 * a - 6 * b - 4 * c + 2 * a**2 + 2 * b**2 + c**2 + 2 * a * b + 2 * a * c
        ),
        (0.5, 0.5, 0.5),
        1 / 9,
        inequality=lambda a, b, c: [3 - a - b - 2 * c],
        lower=0,
    ),
    of_scalars(
        "hs036",
        minus_volume,
        (10, 10, 10),
        -3300,
        inequality=lambda a, b, c: [72 - a - 2 * b - 2 * c],
        lower=0,
        upper=(20, 11, 42),
    ),
    of_scalars(
        "hs037",
        minus_volume,
        (10, 10, 10),
        -3456,
        inequality=lambda a, b, c: [72 - a - 2 * b - 2 * c, a + 2 * b + 2 * c],
        lower=0,
        upper=42,
    ),
    of_scalars("hs038", wood, (-3, -1, -3, -1), 0, lower=-10, upper=10),
    of_scalars(
        "hs039",
        lambda a, *_: -a,
        (2, 2, 2, 2),
        -1,
        equality=lambda a, b, c, d: [b - a**3 - c**2, a**2 - b - d**2],
    ),
    of_scalars(
        "hs040",
        lambda a, b, c, d: -a * b * c * d,
        (0.8, 0.8, 0.8, 0.8),
        -0.25,
        equality=lambda a, b, c, d: [a**3 + b**2 - 1, a**2 * d - c, d**2 - b],
    ),
)
