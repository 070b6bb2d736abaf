"""Objectives of the published minimisation problems in `classic`; x is (n,), each is a scalar.

Written from the formulas of the collections named there. Those with logarithms are NaN outside
their domain.
"""

import jax.numpy as jnp
import numpy as np

from benchmarks.problems.problem import constants, counted


def pairs(x):
    """The entries of odd and of even number."""
    return x[::2], x[1::2]


# Valleys and polynomials, mostly in pairs of variables


def chained_rosenbrock(x):
    return jnp.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def white_holst(x):
    a, b = pairs(x)
    return jnp.sum(100 * (b - a**3) ** 2 + (1 - a) ** 2)


def extended_beale(x):
    a, b = pairs(x)
    rows = [(1.5, 1), (2.25, 2), (2.625, 3)]
    return sum(jnp.sum((value - a * (1 - b**power)) ** 2) for value, power in rows)


def himmelblau(x):
    a, b = pairs(x)
    return jnp.sum((a**2 + b - 11) ** 2 + (a + b**2 - 7) ** 2)


def extended_powell(x):
    a, b, c, d = (x[k::4] for k in range(4))
    return jnp.sum((a + 10 * b) ** 2 + 5 * (c - d) ** 2 + (b - 2 * c) ** 4 + 10 * (a - d) ** 4)


def extended_wood(x):
    a, b, c, d = (x[k::4] for k in range(4))
    valleys = 100 * (b - a**2) ** 2 + (1 - a) ** 2 + 90 * (d - c**2) ** 2 + (1 - c) ** 2
    return jnp.sum(valleys + 10 * (b + d - 2) ** 2 + 0.1 * (b - d) ** 2)


def extended_maratos(x):
    a, b = pairs(x)
    return jnp.sum(a + 100 * (a**2 + b**2 - 1) ** 2)


def maratosb(x):
    return x[0] + 1e6 * (x[0] ** 2 + x[1] ** 2 - 1) ** 2


def extended_cliff(x):
    a, b = pairs(x)
    return jnp.sum(((a - 3) / 100) ** 2 - (a - b) + jnp.exp(20 * (a - b)))


def hiebert(x):
    a, b = pairs(x)
    return jnp.sum((a - 10) ** 2 + (a * b - 50000) ** 2)


def mexhat(x):
    flat = (x[0] - 1) ** 2
    valley = (x[1] - x[0] ** 2) ** 2 / 10000 + flat - 0.02
    return 10000 * valley**2 - 2 * flat


def three_hump_camel(x):
    a, b = x
    return 2 * a**2 - 1.05 * a**4 + a**6 / 6 + a * b + b**2


def six_hump_camel(x):
    a, b = x
    return (4 - 2.1 * a**2 + a**4 / 3) * a**2 + a * b + 4 * (b**2 - 1) * b**2


def goldstein_price(x):
    a, b = x
    first = 19 - 14 * a + 3 * a**2 - 14 * b + 6 * a * b + 3 * b**2
    second = 18 - 32 * a + 12 * a**2 + 48 * b - 36 * a * b + 27 * b**2
    return (1 + (a + b + 1) ** 2 * first) * (30 + (2 * a - 3 * b) ** 2 * second)


def sisser(x):
    a, b = x
    return 3 * a**4 - 2 * (a * b) ** 2 + 3 * b**4


def styblinski_tang(x):
    return jnp.sum(x**4 - 16 * x**2 + 5 * x) / 2


def zangwill_2(x):
    a, b = x
    return (16 * a**2 + 16 * b**2 - 8 * a * b - 56 * a - 256 * b + 991) / 15


def zangwill_3(x):
    a, b, c = x
    return (a - b + c) ** 2 + (b - a + c) ** 2 + (a + b - c) ** 2


def engval2(x):
    a, b, c = x
    spheres = (a**2 + b**2 + c**2 - 1) ** 2 + (a**2 + b**2 + (c - 2) ** 2 - 1) ** 2
    planes = (a + b + c - 1) ** 2 + (a + b - c + 1) ** 2
    return spheres + planes + (a**3 + 3 * b**2 + (5 * c - a + 1) ** 2 - 36) ** 2


def denschna(x):
    a, b = x
    return a**4 + (a + b) ** 2 + (jnp.exp(b) - 1) ** 2


def denschnc(x):
    a, b = x
    return (a**2 + b**2 - 2) ** 2 + (jnp.exp(a - 1) + b**3 - 2) ** 2


def denschnd(x):
    a, b, c = x
    mixed = 2 * a * b - 3 * b * c + a * c
    return (a**2 + b**3 - c**4) ** 2 + (2 * a * b * c) ** 2 + mixed**2


def denschne(x):
    a, b, c = x
    return a**2 + (b + b**2) ** 2 + (jnp.exp(c) - 1) ** 2


def denschnf(x):
    a, b = x
    first = 2 * (a + b) ** 2 + (a - b) ** 2 - 8
    return first**2 + (5 * a**2 + (b - 3) ** 2 - 9) ** 2


def himmelbg(x):
    return jnp.exp(-x[0] - x[1]) * (2 * x[0] ** 2 + 3 * x[1] ** 2)


def sineval(x):
    return 1e4 * (x[1] - jnp.sin(x[0])) ** 2 + x[0] ** 2 / 4


def logros(x):
    return jnp.log(1 + 1e4 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2)


def expfit(x):
    t = 0.25 * counted(x, 10)
    return jnp.sum((x[0] * jnp.exp(t * x[1]) - t) ** 2)


# Sums along a chain of variables


def extended_tridiagonal(x):
    a, b = pairs(x)
    return jnp.sum((a + b - 3) ** 2 + (a - b + 1) ** 4)


def generalized_tridiagonal(x):
    a, b = x[:-1], x[1:]
    return jnp.sum((a + b - 3) ** 2 + (a - b + 1) ** 4)


def arwhead(x):
    return jnp.sum((x[:-1] ** 2 + x[-1] ** 2) ** 2 - 4 * x[:-1] + 3)


def bdqrtic(x):
    s = x**2
    quartic = s[:-4] + 2 * s[1:-3] + 3 * s[2:-2] + 4 * s[3:-1] + 5 * s[-1]
    return jnp.sum((3 - 4 * x[:-4]) ** 2 + quartic**2)


def cragglvy(x):
    a, b, c, d = x[:-2:2], x[1:-2:2], x[2::2], x[3::2]
    steep = (jnp.exp(a) - b) ** 4 + 100 * (b - c) ** 6
    return jnp.sum(steep + (jnp.tan(c - d) + c - d) ** 4 + a**8 + (d - 1) ** 2)


def dqrtic(x):
    return jnp.sum((x - counted(x)) ** 4)


def edensch(x):
    a, b = x[:-1], x[1:]
    return 16 + jnp.sum((a - 2) ** 4 + (a * b - 2 * b) ** 2 + (b + 1) ** 2)


def engval1(x):
    a, b = x[:-1], x[1:]
    return jnp.sum((a**2 + b**2) ** 2 - 4 * a + 3)


def fletchcr(x):
    return 100 * jnp.sum((x[1:] - x[:-1] + 1 - x[:-1] ** 2) ** 2)


def liarwhd(x):
    return jnp.sum(4 * (x**2 - x[0]) ** 2 + (x - 1) ** 2)


def nondia(x):
    return (x[0] - 1) ** 2 + 100 * jnp.sum((x[0] - x[:-1] ** 2) ** 2)


def nonscomp(x):
    return (x[0] - 1) ** 2 + 4 * jnp.sum((x[1:] - x[:-1] ** 2) ** 2)


def nondquar(x):
    quartic = jnp.sum((x[:-2] + x[1:-1] + x[-1]) ** 4)
    return (x[0] - x[1]) ** 2 + quartic + (x[-2] + x[-1]) ** 2


def dixon3dq(x):
    return (x[0] - 1) ** 2 + jnp.sum((x[1:-1] - x[2:]) ** 2) + (x[-1] - 1) ** 2


def tridia(x):
    chain = counted(x)[1:] * (2 * x[1:] - x[:-1]) ** 2
    return (x[0] - 1) ** 2 + jnp.sum(chain)


def power(x):
    return jnp.sum((counted(x) * x) ** 2)


def hilberta(x):
    i = np.arange(1, x.size + 1)
    hilbert = constants(1 / (i[:, None] + i - 1), x)
    return jnp.sum(hilbert * x[:, None] * x)


def perturbed_quadratic(x):
    return jnp.sum(counted(x) * x**2) + jnp.sum(x) ** 2 / 100


def quadratic_qf1(x):
    return jnp.sum(counted(x) * x**2) / 2 - x[-1]


def dixmaanf(x):
    """Its β, γ and δ are 1/16, and the outer two sums are weighted with i/n."""
    n = x.size
    m = n // 3
    weight = counted(x) / n
    near = jnp.sum(x[:-1] ** 2 * (x[1:] + x[1:] ** 2) ** 2)
    middle = jnp.sum(x[: 2 * m] ** 2 * x[m:] ** 4)
    far = jnp.sum(weight[:m] * x[:m] * x[2 * m :])
    return 1 + jnp.sum(weight * x**2) + (near + middle + far) / 16


def schmvett(x):
    a, b, c = x[:-2], x[1:-1], x[2:]
    bell = jnp.exp(-(((a + c) / b - 2) ** 2))
    return -jnp.sum(1 / (1 + (a - b) ** 2) + jnp.sin((jnp.pi * b + c) / 2) + bell)


def tointgss(x):
    a, b, c = x[:-2], x[1:-1], x[2:]
    return jnp.sum((10 / x.size + c**2) * (2 - jnp.exp(-((a - b) ** 2) / (0.1 + c**2))))


# Exponentials and logarithms


def diagonal_1(x):
    return jnp.sum(jnp.exp(x) - counted(x) * x)


def diagonal_2(x):
    return jnp.sum(jnp.exp(x) - x / counted(x))


def diagonal_5(x):
    """Σ log(eˣ + e⁻ˣ), which overflows nowhere in this form."""
    return jnp.sum(jnp.logaddexp(x, -x))


def hager(x):
    return jnp.sum(jnp.exp(x) - jnp.sqrt(counted(x)) * x)


def raydan_1(x):
    return jnp.sum(counted(x) / 10 * (jnp.exp(x) - x))


def three_exponentials(x):
    a, b = pairs(x)
    terms = jnp.exp(a + 3 * b - 0.1) + jnp.exp(a - 3 * b - 0.1) + jnp.exp(-a - 0.1)
    return jnp.sum(terms)


def log_barrier(x):
    return jnp.sum(x) - jnp.sum(jnp.log(x))


def entropy(x):
    return jnp.sum(x * jnp.log(x)) + x.size * (jnp.sum(x) - 1) ** 2 / 2


def _slopes(rows, n):
    """A fixed matrix without structure: sin(i·j + i²)."""
    i = np.arange(1, rows + 1)[:, None]
    return np.sin(i * np.arange(1, n + 1) + i**2)


def analytic_center(x):
    slack = 1 - jnp.sum(constants(_slopes(30, x.size), x) * x, axis=1)
    return -jnp.sum(jnp.log(slack)) - jnp.sum(jnp.log(1 - x**2))


def log_sum_exp(x):
    exponents = jnp.sum(constants(_slopes(40, x.size), x) * x, axis=1)
    exponents = exponents + constants(np.cos(np.arange(1, 41)), x)
    largest = jnp.max(exponents)
    return largest + jnp.log(jnp.sum(jnp.exp(exponents - largest)))


# Statistics: negative log-likelihoods and a potential energy

# Launch temperature (°F) and distress of the Space Shuttle's O-rings: Dalal, Fowlkes and Hoadley
# (1989), Journal of the American Statistical Association 84, 945-957.
TEMPERATURE = (
    *(66, 70, 69, 68, 67, 72, 73, 70, 57, 63, 70, 78),
    *(67, 53, 67, 75, 70, 81, 76, 79, 75, 76, 58),
)
DISTRESS = (0, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 1)
# Dobson (1990), An Introduction to Generalized Linear Models, p. 93: three outcomes, three
# treatments.
COUNTS = (18, 17, 15, 20, 10, 20, 25, 13, 12)
# Millions of revolutions to failure of ball bearings: Lieblein and Zelen (1956), Journal of
# Research of the National Bureau of Standards 57, 273-316.
BEARINGS = (
    *(17.88, 28.92, 33.00, 41.52, 42.12, 45.60, 48.40, 51.84, 51.96, 54.12, 55.56, 67.80),
    *(68.64, 68.64, 68.88, 84.12, 93.12, 98.64, 105.12, 105.84, 127.92, 128.04, 173.40),
)


def logistic_regression(x):
    logit = x[0] + x[1] * constants(TEMPERATURE, x)
    return jnp.sum(jnp.logaddexp(0, logit) - constants(DISTRESS, x) * logit)


def poisson_regression(x):
    """Intercept, outcomes 2 and 3, treatments 2 and 3; without the counts' factorials."""
    outcome, treatment = np.tile(np.arange(3), 3), np.repeat(np.arange(3), 3)
    levels = [np.ones(9), outcome == 1, outcome == 2, treatment == 1, treatment == 2]
    rate = jnp.sum(constants(np.stack(levels, axis=1), x) * x, axis=1)
    return jnp.sum(jnp.exp(rate) - constants(COUNTS, x) * rate)


def weibull(x):
    """Shape and scale, both positive."""
    shape, scale = x
    t = constants(BEARINGS, x) / scale
    return -jnp.sum(jnp.log(shape / scale) + (shape - 1) * jnp.log(t) - t**shape)


def lennard_jones(x):
    """Atoms at the rows of x as (n/3, 3), in units of the pair's depth and diameter."""
    points = x.reshape(-1, 3)
    i, j = np.triu_indices(len(points), 1)
    inverse = 1 / jnp.sum((points[i] - points[j]) ** 2, axis=1) ** 3
    return 4 * jnp.sum(inverse**2 - inverse)


def minimal_surface(x):
    """The area over the unit square, whose boundary is a saddle's, in two triangles a cell."""
    side = round(x.size**0.5)
    t = np.arange(side + 2) / (side + 1)
    frame = constants(t[:, None] ** 2 - t**2, x)
    height = frame.at[1:-1, 1:-1].set(x.reshape(side, side))
    right = (side + 1) * (height[1:] - height[:-1])
    up = (side + 1) * (height[:, 1:] - height[:, :-1])
    lower = jnp.sqrt(1 + right[:, :-1] ** 2 + up[:-1] ** 2)
    upper = jnp.sqrt(1 + right[:, 1:] ** 2 + up[1:] ** 2)
    return jnp.sum(lower + upper) / (2 * (side + 1) ** 2)
