"""Zeros of functions of one variable, each in a bracket, and of systems of equations.

The scalar cases are those of T. R. Chandrupatla (1997), A new hybrid quadratic/bisection algorithm
for finding the zero of a nonlinear function without using derivatives, Advances in Engineering
Software 28, 145-149, with the published numbers of function evaluations, the two at the ends of
the bracket included. They belong to his stopping rule: stop where f is zero, or where the
bracket is shorter than 4·eps_m·|x| + eps_a, with x its better end, eps_m = 1e-10 and eps_a = 1e-5.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from benchmarks.problems import mgh
from benchmarks.problems.problem import constants

CHANDRUPATLA_EPS_M = 1e-10
CHANDRUPATLA_EPS_A = 1e-5


class Bracketed(NamedTuple):
    """`function`, elementwise, has opposite signs at `lower` and `upper`."""

    name: str
    function: Callable[[Array], Array]
    lower: float
    upper: float
    root: float
    evaluations: int


class System(NamedTuple):
    """`residual`, (n,) -> (n,), is zero at each of `roots`, the known ones: there may be more."""

    name: str
    residual: Callable[[Array], Array]
    start: tuple[float, ...]
    roots: tuple[tuple[float, ...], ...]


# The functions of Chandrupatla (1997), in his order


def cubic(x):
    return x**3 - 2 * x - 5


def inverse_square(x):
    return 1 - 1 / x**2


def triple_root(x):
    return (x - 3) ** 3


def quintuple_root(x):
    return 6 * (x - 2) ** 5


def ninth_power(x):
    return x**9


def nineteenth_power(x):
    return x**19


def flat_root(x):
    """x·exp(-1/x²), and zero within 3.8e-4 of zero; all its derivatives vanish there."""
    near = jnp.abs(x) < 3.8e-4
    safe = jnp.where(near, 1, x)
    return jnp.where(near, 0, safe * jnp.exp(-1 / safe**2))


def plant(x):
    decay = (1 - 0.61489) * jnp.exp(-x)
    return -3062 * decay / (0.61489 + decay) - 1013 + 1628 / x


def pole(x):
    return jnp.exp(x) - 2 - 0.01 / x**2 + 2e-6 / x**3


# The roots are exact or have 16 digits. Each row: brackets, and the published evaluations.
_SCALAR = (
    (
        *(cubic, 2.0945514815423265),
        ((2, 3, 7), (1, 10, 11), (1, 100, 14), (-1e4, 1e4, 23), (-1e10, 1e10, 43)),
    ),
    (
        *(inverse_square, 1.0),
        ((0.5, 1.51, 8), (1e-4, 1e4, 22), (1e-6, 1e6, 28), (1e-10, 1e10, 41), (1e-12, 1e12, 48)),
    ),
    (
        *(triple_root, 3.0),
        ((0, 5, 21), (-10, 10, 23), (-1e4, 1e4, 36), (-1e6, 1e6, 45), (-1e10, 1e10, 55)),
    ),
    (
        *(quintuple_root, 2.0),
        ((0, 5, 21), (-10, 10, 23), (-1e4, 1e4, 33), (-1e6, 1e6, 43), (-1e10, 1e10, 54)),
    ),
    (ninth_power, 0.0, ((-1, 4, 21), (-2, 5, 22), (-1, 10, 23), (-5, 50, 25), (-10, 100, 26))),
    (
        *(nineteenth_power, 0.0),
        ((-1, 4, 21), (-2, 5, 22), (-1, 10, 23), (-5, 50, 25), (-10, 100, 26)),
    ),
    (flat_root, 0.0, ((-1, 4, 8), (-2, 5, 8), (-1, 10, 11), (-5, 50, 18), (-10, 100, 19))),
    (
        *(plant, 1.0375360332870405),
        ((2e-4, 2, 9), (2e-4, 3, 10), (2e-4, 9, 11), (2e-4, 27, 12), (2e-4, 81, 14)),
    ),
    (
        *(pole, 0.7032048403631358),
        ((2e-4, 1, 7), (2e-4, 3, 8), (2e-4, 9, 10), (2e-4, 27, 11), (2e-4, 81, 13)),
    ),
)
CHANDRUPATLA = tuple(
    Bracketed(f"{function.__name__}_{k}", function, float(lower), float(upper), root, evaluations)
    for function, root, cases in _SCALAR
    for k, (lower, upper, evaluations) in enumerate(cases, 1)
)


# Systems


def himmelblau(x):
    a, b = x
    return jnp.stack([a**2 + b - 11, a + b**2 - 7])


def boggs(x):
    """Boggs (1971), SIAM Journal on Numerical Analysis 8, 767-785."""
    a, b = x
    return jnp.stack([a**2 - b + 1, a - jnp.cos(jnp.pi * b / 2)])


def brown_conte(x):
    """Brown and Conte (1967), Proceedings of the 22nd ACM National Conference, 111-114."""
    a, b = x
    wave = jnp.sin(a * b) / 2 - b / (4 * jnp.pi) - a / 2
    growth = (1 - 1 / (4 * jnp.pi)) * (jnp.exp(2 * a) - jnp.e)
    return jnp.stack([wave, growth + jnp.e * b / jnp.pi - 2 * jnp.e * a])


def powell_singular_2(x):
    """Powell (1970): the Jacobian is singular at the root, and a plain Newton method may stall."""
    a, b = x
    return jnp.stack([a, 10 * a / (a + 0.1) + 2 * b**2])


def griewank_osborne(x):
    """Griewank and Osborne (1983): Newton's method diverges from almost every start."""
    a, b = x
    return jnp.stack([29 / 16 * a**3 - 2 * a * b, b - a**2])


def cube_roots_of_one(x):
    """z³ = 1 for z = x₁ + i·x₂."""
    a, b = x
    return jnp.stack([a**3 - 3 * a * b**2 - 1, 3 * a**2 * b - b**3])


def burden_faires(x):
    """Burden and Faires, Numerical Analysis, section 10.2."""
    a, b, c = x
    first = 3 * a - jnp.cos(b * c) - 0.5
    second = a**2 - 81 * (b + 0.1) ** 2 + jnp.sin(c) + 1.06
    return jnp.stack([first, second, jnp.exp(-a * b) + 20 * c + (10 * jnp.pi - 3) / 3])


def propane_combustion(x):
    """Meintjes and Morgan (1990), ACM Transactions on Mathematical Software 16, 143-151."""
    root = 40**0.5
    r, r5, r6, r7, r8 = 10, 0.193, 0.002597 / root, 0.003448 / root, 0.00001799 / 40
    r9, r10 = 0.0002155 / root, 0.00003846 / 40
    a, b, c, d, e = x
    first = a * b + a - 3 * e
    second = 2 * a * b + a + b * c**2 + r8 * b - r * e + 2 * r10 * b**2 + r7 * b * c + r9 * b * d
    third = 2 * b * c**2 + 2 * r5 * c**2 - 8 * e + r6 * c + r7 * b * c
    fourth = r9 * b * d + 2 * d**2 - 4 * r * e
    total = a * (b + 1) + r10 * b**2 + b * c**2 + r8 * b + r5 * c**2 + d**2 - 1
    return jnp.stack([first, second, third, fourth, total + r6 * c + r7 * b * c + r9 * b * d])


def unknown_exponent(x):
    """Powers of 1 + h with an unknown exponent, which overflow where a search goes astray."""
    a, r, h = x
    power, twice = (1 + h) ** -a, a * (a + 1) * r * h**2
    first = a * r * h - r * (1 - power) - twice / 2 + 8
    second = a * r * h * (1 - power / (1 + h)) - twice + 56 / 3
    return jnp.stack([first, second, twice * (1 - power / (1 + h) ** 2) - 208 / 9])


def deist_sefor(x):
    """Deist and Sefor (1967), Computer Journal 10, 78-82: cotangents between narrow poles."""
    beta = constants([0.02249, 0.02166, 0.02083, 0.02, 0.01918, 0.01835], x)
    others = constants(1 - np.eye(6), x)
    angles = beta[:, None] * x
    return jnp.sum(others / jnp.tan(angles), axis=1)


def chandrasekhar(x):
    """The H-equation with c = 0.9 at midpoints: Kelley (1995), Iterative Methods, section 5.6."""
    mu = (np.arange(1, x.size + 1) - 0.5) / x.size
    kernel = constants(0.9 / (2 * x.size) * mu[:, None] / (mu[:, None] + mu), x)
    return x - 1 / (1 - jnp.sum(kernel * x, axis=1))


def bratu(x):
    """-u'' = eᵘ with u = 0 at both ends of the unit interval, by central differences."""
    padded = jnp.pad(x, 1)
    return 2 * x - padded[:-2] - padded[2:] - jnp.exp(x) / (x.size + 1) ** 2


def trigexp(x):
    """Toint (1986), Numerical solution of large sets of algebraic nonlinear equations."""
    a, b = x[:-1], x[1:]
    difference = b - a
    above = jnp.sin(-difference) * jnp.sin(a + b) + 2 * b - 5
    below = 4 * b - a * jnp.exp(-difference) - 3
    cubes = 3 * x[:-1] ** 3
    return jnp.pad(cubes + above, (0, 1)) + jnp.pad(below, (1, 0))


_SQRT3 = 3**0.5 / 2
# The lower halves of both solutions, which are symmetric.
_BRATU_LOW = (
    *(0.04577840079635375, 0.08290521146206008, 0.11105318889041221),
    *(0.12996600647223275, 0.13946733916819928),
)
_BRATU_HIGH = (
    *(0.9693795572278147, 1.9169714427745281, 2.8083622369482177),
    *(3.562705614821053, 4.025656727965846),
)
_OWN = (
    System(
        *("himmelblau", himmelblau, (1.0, 1.0)),
        (
            *((3.0, 2.0), (-2.805118086952745, 3.131312518250573)),
            *((-3.779310253377747, -3.283185991286170), (3.584428340330492, -1.848126526964404)),
        ),
    ),
    System("boggs", boggs, (1.0, 0.0), ((0.0, 1.0), (-1.0, 2.0), (-(0.5**0.5), 1.5))),
    System(
        *("brown_conte", brown_conte, (0.6, 3.0)),
        (
            (0.5, np.pi),
            (0.29944869249092626, 2.83692777045894),
            (-0.26059929002247645, 0.6225308966139109),
        ),
    ),
    System("unknown_exponent", unknown_exponent, (1.0, 0.0, 1.0), ((1.0, 3.0, 2.0),)),
    System("powell_singular_2", powell_singular_2, (3.0, 1.0), ((0.0, 0.0),)),
    System("griewank_osborne", griewank_osborne, (1.0, 1.0), ((0.0, 0.0),)),
    System(
        *("cube_roots_of_one", cube_roots_of_one, (-0.4, 0.9)),
        ((1.0, 0.0), (-0.5, _SQRT3), (-0.5, -_SQRT3)),
    ),
    System(
        *("burden_faires", burden_faires, (0.1, 0.1, -0.1)),
        (
            (0.5, 0.0, -np.pi / 6),
            (0.49814468458949124, -0.1996058955437799, -0.5288259775733875),
        ),
    ),
    System(
        *("propane_combustion", propane_combustion, (1.0,) * 5),
        (
            (
                *(0.003114102265984958, 34.59792453029015, 0.06504177869743795),
                *(0.8593780505779406, 0.036951859148046023),
            ),
            (
                *(0.0027571774003751683, 39.242289044801616, -0.061387604107401607),
                *(0.8597244250184788, 0.036985043297897403),
            ),
        ),
    ),
    System(
        *("deist_sefor", deist_sefor, (75.0,) * 6),
        (
            (
                *(121.8504553447328, 114.1608993655581, 93.64875031693823),
                *(62.318570432812535, 41.32194908213674, 30.502665694033276),
            ),
        ),
    ),
    System(
        *("chandrasekhar", chandrasekhar, (1.0,) * 10),
        (
            (
                *(1.0967358168344776, 1.2334840217223595, 1.3423629130310344, 1.4356463490493694),
                *(1.5178684864866108, 1.5914920868821103, 1.658105751392686, 1.718837251229592),
                *(1.7745363737392699, 1.8258694825916462),
            ),
        ),
    ),
    System(
        "bratu",
        bratu,
        (0.0,) * 10,
        (_BRATU_LOW + _BRATU_LOW[::-1], _BRATU_HIGH + _BRATU_HIGH[::-1]),
    ),
    System("trigexp", trigexp, (0.0,) * 10, ((1.0,) * 10,)),
)

# The square problems of Moré, Garbow and Hillstrom: their zeros are judged by the residual.
SYSTEMS = _OWN + tuple(
    System(problem.name, problem.residual, problem.start, ())
    for problem in mgh.PROBLEMS
    if problem.name in mgh.SQUARE and problem.residual is not None
)
