"""The residuals of Moré, Garbow and Hillstrom (1981), numbered as there; x is (n,), they are (m,).

Each has its first and second derivatives wherever the published formula has them. The sign of a
residual is the paper's or the reverse, which no sum of squares sees.
"""

import jax.numpy as jnp
import numpy as np

from benchmarks.problems.problem import constants, counted

BARD = (
    *(0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39),
    *(0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39),
)
GAUSSIAN = (0.0009, 0.0044, 0.0175, 0.0540, 0.1295, 0.2420, 0.3521, 0.3989)
MEYER = (
    *(34780, 28610, 23650, 19630, 16370, 13720, 11540, 9744),
    *(8261, 7030, 6005, 5147, 4427, 3820, 3307, 2872),
)
KOWALIK_U = (4, 2, 1, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625)
KOWALIK_Y = (
    *(0.1957, 0.1947, 0.1735, 0.1600, 0.0844, 0.0627),
    *(0.0456, 0.0342, 0.0323, 0.0235, 0.0246),
)
OSBORNE_1 = (
    *(0.844, 0.908, 0.932, 0.936, 0.925, 0.908, 0.881, 0.850, 0.818, 0.784, 0.751),
    *(0.718, 0.685, 0.658, 0.628, 0.603, 0.580, 0.558, 0.538, 0.522, 0.506, 0.490),
    *(0.478, 0.467, 0.457, 0.448, 0.438, 0.431, 0.424, 0.420, 0.414, 0.411, 0.406),
)
OSBORNE_2 = (
    *(1.366, 1.191, 1.112, 1.013, 0.991, 0.885, 0.831, 0.847, 0.786, 0.725, 0.746, 0.679, 0.608),
    *(0.655, 0.616, 0.606, 0.602, 0.626, 0.651, 0.724, 0.649, 0.649, 0.694, 0.644, 0.624, 0.661),
    *(0.612, 0.558, 0.533, 0.495, 0.500, 0.423, 0.395, 0.375, 0.372, 0.391, 0.396, 0.405, 0.428),
    *(0.429, 0.523, 0.562, 0.607, 0.653, 0.672, 0.708, 0.633, 0.668, 0.645, 0.632, 0.591, 0.559),
    *(0.597, 0.625, 0.739, 0.710, 0.729, 0.720, 0.636, 0.581, 0.428, 0.292, 0.162, 0.098, 0.054),
)


def rosenbrock(x):
    """1 and, pair by pair, 21."""
    a, b = x[::2], x[1::2]
    return jnp.concatenate([10 * (b - a**2), 1 - a])


def freudenstein_roth(x):  # 2
    a, b = x
    return jnp.stack([-13 + a + ((5 - b) * b - 2) * b, -29 + a + ((b + 1) * b - 14) * b])


def powell_badly_scaled(x):  # 3
    a, b = x
    return jnp.stack([1e4 * a * b - 1, jnp.exp(-a) + jnp.exp(-b) - 1.0001])


def brown_badly_scaled(x):  # 4
    a, b = x
    return jnp.stack([a - 1e6, b - 2e-6, a * b - 2])


def beale(x):  # 5
    a, b = x
    return jnp.stack([1.5 - a * (1 - b), 2.25 - a * (1 - b**2), 2.625 - a * (1 - b**3)])


def jennrich_sampson(x):  # 6, m = 10
    i = counted(x, 10)
    return 2 + 2 * i - (jnp.exp(i * x[0]) + jnp.exp(i * x[1]))


def helical_valley(x):
    """7: the angle is that of the plane turned by a right angle, whose cut is the paper's.

    The radius is a plain root: a guarded hypotenuse loses its second derivative where b = 0.
    """
    a, b, c = x
    turns = 0.25 + jnp.arctan2(-a, b) / (2 * jnp.pi)
    return jnp.stack([10 * (c - 10 * turns), 10 * (jnp.sqrt(a**2 + b**2) - 1), c])


def bard(x):  # 8
    u = counted(x, 15)
    v = 16 - u
    return constants(BARD, x) - (x[0] + u / (v * x[1] + jnp.minimum(u, v) * x[2]))


def gaussian(x):  # 9
    t = (8 - counted(x, 15)) / 2
    y = constants(GAUSSIAN + GAUSSIAN[-2::-1], x)
    return x[0] * jnp.exp(-x[1] * (t - x[2]) ** 2 / 2) - y


def meyer(x):  # 10
    t = 45 + 5 * counted(x, 16)
    return x[0] * jnp.exp(x[1] / (t + x[2])) - constants(MEYER, x)


def gulf(x):
    """11, m = 99: the paper prints «mi» for the minus sign before x₂.

    With m = 100 the last term would be |25 − x₂|^x₃, without a derivative at the solution.
    """
    t = np.arange(1, 100) / 100
    distance = jnp.abs(constants(25 + (-50 * np.log(t)) ** (2 / 3), x) - x[1])
    return jnp.exp(-(distance ** x[2]) / x[0]) - constants(t, x)


def box_3d(x):  # 12, m = 10
    t = np.arange(1, 11) / 10
    factor = constants(np.exp(-t) - np.exp(-10 * t), x)
    t = constants(t, x)
    return jnp.exp(-t * x[0]) - jnp.exp(-t * x[1]) - x[2] * factor


def powell_singular(x):
    """13 and, four by four, 22."""
    a, b, c, d = (x[k::4] for k in range(4))
    root5, root10 = 5**0.5, 10**0.5
    parts = [a + 10 * b, root5 * (c - d), (b - 2 * c) ** 2, root10 * (a - d) ** 2]
    return jnp.concatenate(parts)


def wood(x):  # 14
    a, b, c, d = x
    root10, root90 = 10**0.5, 90**0.5
    valleys = [10 * (b - a**2), 1 - a, root90 * (d - c**2), 1 - c]
    return jnp.stack([*valleys, root10 * (b + d - 2), (b - d) / root10])


def kowalik_osborne(x):  # 15
    u = constants(KOWALIK_U, x)
    return constants(KOWALIK_Y, x) - x[0] * u * (u + x[1]) / (u * (u + x[2]) + x[3])


def brown_dennis(x):  # 16, m = 20
    t = np.arange(1, 21) / 5
    grown, sine, cosine = (constants(f(t), x) for f in (np.exp, np.sin, np.cos))
    t = constants(t, x)
    return (x[0] + t * x[1] - grown) ** 2 + (x[2] + x[3] * sine - cosine) ** 2


def osborne_1(x):  # 17
    t = 10 * (counted(x, 33) - 1)
    decays = x[1] * jnp.exp(-t * x[3]) + x[2] * jnp.exp(-t * x[4])
    return constants(OSBORNE_1, x) - (x[0] + decays)


def biggs_exp6(x):  # 18, m = 13
    t = np.arange(1, 14) / 10
    y = constants(np.exp(-t) - 5 * np.exp(-10 * t) + 3 * np.exp(-4 * t), x)
    t = constants(t, x)
    return x[2] * jnp.exp(-t * x[0]) - x[3] * jnp.exp(-t * x[1]) + x[5] * jnp.exp(-t * x[4]) - y


def osborne_2(x):  # 19
    t = constants(np.arange(65) / 10, x)
    peaks = x[1:4] * jnp.exp(-((t[:, None] - x[8:11]) ** 2) * x[5:8])
    return constants(OSBORNE_2, x) - (x[0] * jnp.exp(-t * x[4]) + jnp.sum(peaks, axis=1))


def watson(x):  # 20
    j = np.arange(x.size)
    powers = (np.arange(1, 30)[:, None] / 29) ** j
    slopes = np.zeros_like(powers)
    slopes[:, 1:] = j[1:] * powers[:, :-1]
    # Sums of products, not a matrix product: its float32 precision is the backend's choice.
    value = jnp.sum(constants(powers, x) * x, axis=1)
    slope = jnp.sum(constants(slopes, x) * x, axis=1)
    return jnp.concatenate([slope - value**2 - 1, jnp.stack([x[0], x[1] - x[0] ** 2 - 1])])


def penalty_1(x):  # 23
    return jnp.append(1e-5**0.5 * (x - 1), jnp.sum(x**2) - 0.25)


def penalty_2(x):  # 24
    grown, i = jnp.exp(x / 10), np.arange(1, x.size + 1) / 10
    pairs = grown[1:] + grown[:-1] - constants(np.exp(i[1:]) + np.exp(i[:-1]), x)
    singles = grown[1:] - float(np.exp(-0.1))
    last = jnp.sum(counted(x)[::-1] * x**2) - 1
    small = 1e-5**0.5
    return jnp.concatenate([x[:1] - 0.2, small * pairs, small * singles, last[None]])


def variably_dimensioned(x):  # 25
    weighted = jnp.sum(counted(x) * (x - 1))
    return jnp.concatenate([x - 1, jnp.stack([weighted, weighted**2])])


def trigonometric(x):  # 26
    cosine = jnp.cos(x)
    return x.size - jnp.sum(cosine) + counted(x) * (1 - cosine) - jnp.sin(x)


def brown_almost_linear(x):  # 27
    return jnp.append(x[:-1] + jnp.sum(x) - (x.size + 1), jnp.prod(x) - 1)


def discrete_boundary_value(x):  # 28
    h = 1 / (x.size + 1)
    padded = jnp.pad(x, 1)
    return 2 * x - padded[:-2] - padded[2:] + h**2 * (x + h * counted(x) + 1) ** 3 / 2


def discrete_integral_equation(x):  # 29
    t = np.arange(1, x.size + 1) / (x.size + 1)
    kernel = np.minimum.outer(t, t) * (1 - np.maximum.outer(t, t))
    cubes = (x + constants(t, x) + 1) ** 3
    return x + jnp.sum(constants(kernel, x) * cubes, axis=1) / (2 * (x.size + 1))


def broyden_tridiagonal(x):  # 30
    padded = jnp.pad(x, 1)
    return (3 - 2 * x) * x - padded[:-2] - 2 * padded[2:] + 1


def broyden_banded(x):  # 31: five neighbours below, one above
    padded = jnp.pad(x * (1 + x), (5, 1))
    neighbours = sum(padded[k : k + x.size] for k in (0, 1, 2, 3, 4, 6))
    return x * (2 + 5 * x**2) + 1 - neighbours


def linear_full_rank(x):  # 32, m = 2n
    filled = jnp.pad(x, (0, x.size))
    return filled - jnp.sum(x) / x.size - 1


def linear_rank_1(x):  # 33, m = 2n
    return counted(x, 2 * x.size) * jnp.sum(counted(x) * x) - 1


def linear_rank_1_zeros(x):  # 34, m = 2n: the first and last column and row are zero
    weighted = jnp.sum(counted(x)[1:-1] * x[1:-1])
    # Row i has the factor i - 1; the first row has 0 of itself, the last is blanked.
    rows = (counted(x, 2 * x.size) - 1).at[-1].set(0)
    return rows * weighted - 1


def chebyquad(x):  # 35, m = n: shifted Chebyshev polynomials by their recurrence
    before, now = jnp.ones_like(x), 2 * x - 1
    means = []
    for k in range(1, x.size + 1):
        mean = jnp.sum(now) / x.size
        means.append(mean + 1 / (k**2 - 1) if k % 2 == 0 else mean)
        before, now = now, 2 * (2 * x - 1) * now - before
    return jnp.stack(means)
