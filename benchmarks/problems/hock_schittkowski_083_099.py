"""Problems 83 to 99 of Hock and Schittkowski (1981); see `hock_schittkowski`."""

from math import cos, sin

import jax.numpy as jnp
import numpy as np

from benchmarks.problems.constrained import of_array, of_scalars
from benchmarks.problems.problem import constants

# Of problem 84: the objective's and the three constraints' terms in x₁, x₁x₂, …, x₁x₅.
PLANT = (
    (-8720288.849, 150512.5253, -156.6950325, 476470.3222, 729482.8271),
    (-145421.402, 2931.1506, -40.427932, 5106.192, 15711.36),
    (-155011.1084, 4360.53352, 12.9492344, 10236.884, 13176.786),
    (-326669.5104, 7390.68412, -27.8986976, 16643.076, 30988.146),
)
# The bounds of problem 85's y₂ to y₁₇.
PULP_LEAST = (
    *(17.505, 11.275, 214.228, 7.458, 0.961, 1.612, 0.146, 107.99),
    *(922.693, 926.832, 18.766, 1072.163, 8961.448, 0.063, 71084.33, 2802713),
)
PULP_MOST = (
    *(1053.6667, 35.03, 665.585, 584.463, 265.916, 7.046, 0.222, 273.366),
    *(1286.105, 1444.046, 537.141, 3247.039, 26844.086, 0.386, 140000, 12146108),
)
# Of Colville's problem 86 and its dual, 117: linear, quadratic and cubic terms, the constraints'
# matrix and their right sides.
SHELL_E = (-15, -27, -36, -18, -12)
SHELL_C = (
    (30, -20, -10, 32, -10),
    (-20, 39, -6, -31, 32),
    (-10, -6, 10, -6, -10),
    (32, -31, -6, 39, -20),
    (-10, 32, -10, -20, 30),
)
SHELL_D = (4, 8, 10, 6, 2)
SHELL_A = (
    *((-16, 2, 0, 1, 0), (0, -2, 0, 0.4, 2), (-3.5, 0, 2, 0, 0), (0, -2, 0, -4, -1)),
    *((0, -9, -2, 1, -2.8), (2, 0, -4, 0, 0), (-1, -1, -1, -1, -1), (-1, -2, -3, -2, -1)),
    *((1, 2, 3, 4, 5), (1, 1, 1, 1, 1)),
)
SHELL_B = (-40, -2, -0.25, -4, -4, -1, -40, -60, 5, 1)


def hs083_objective(x):
    return 5.3578547 * x[2] ** 2 + (0.8356891 * x[4] + 37.293239) * x[0] - 40792.141


def hs083_inequality(x):
    a, b, c, d, e = x
    value = [
        85.334407 + 0.0056858 * b * e + 0.0006262 * a * d - 0.0022053 * c * e,
        80.51249 + 0.0071317 * b * e + 0.0029955 * a * b + 0.0021813 * c**2 - 90,
        9.300961 + 0.0047026 * c * e + 0.0012547 * a * c + 0.0019085 * c * d - 20,
    ]
    value = jnp.stack(value)
    return jnp.concatenate([value, constants((92, 20, 5), x) - value])


def plant(x, rows):
    terms = x[0] * jnp.concatenate([jnp.ones_like(x[:1]), x[1:]])
    return jnp.sum(constants(PLANT[rows], x) * terms, axis=-1)


def hs084_inequality(x):
    value = plant(x, slice(1, None))
    return jnp.concatenate([value, constants((294000, 294000, 277200), x) - value])


def pulp(x):
    """The quantities y₁ to y₁₇ of a pulp mill and c₁₂, c₁₅, c₁₆ and c₁₇."""
    a, b, c, d, e = x
    y1 = b + c + 41.6
    y2 = 12.5 / (0.024 * d - 4.62) + 12
    c2 = (3.535e-4 * a + 0.5311) * a + 0.08705 * y2 * a
    y3 = c2 / (0.052 * a + 78 + 2.377e-3 * y2 * a)
    y4 = 19 * y3
    rest = a - y3
    c4 = 0.04782 * rest + 0.1956 * rest**2 / b + 0.6376 * y4 + 1.594 * y3
    y5 = (rest - y4) * (0.95 - c4 / (100 * b))
    y6 = rest - y5 - y4
    c8 = 0.995 * (y5 + y4)
    y7, y8 = c8 / y1, c8 / 3798
    y9 = 96.82 / (y7 - 0.0663 * y7 / y8 - 0.3153) + 0.321 * y1
    y10 = 1.29 * y5 + 1.258 * y4 + 2.29 * y3 + 1.71 * y6
    y11 = 1.71 * a - 0.452 * y4 + 0.58 * y3
    c12 = 0.995 * y10 + 1998
    y12 = 12.3 / 752.3 * a + 1.75 * 0.995 * y2 * a / c12
    y13 = c12 - 1.75 * y2
    c17 = y9 + e
    y14 = 3623 + 64.4 * b + 58.4 * c + 146312 / c17
    c13 = 0.995 * y10 + 60.8 * b + 48 * d - 0.1121 * y14 - 5095
    y15 = y13 / c13
    y16 = 148000 - 331000 * y15 + 40 * y13 - 61 * y15 * y13
    y17 = 1.413e7 - 1328 * y10 - 531 * y11 + (2324 * y10 - 2.874e7 * y2) / c12
    quantities = (y1, y2, y3, y4, y5, y6, y7, y8, y9, y10, y11, y12, y13, y14, y15, y16, y17)
    return quantities, (c12, c13 - y13 / 0.52, 1.104 - 0.72 * y15, c17)


def hs085_objective(x):
    y, (c12, c15, c16, _) = pulp(x)
    value = -5.843e-7 * y[16] + 1.17e-4 * y[13] + 0.1365 + 2.358e-5 * y[12] + 1.502e-6 * y[15]
    return value + 0.0321 * y[11] + 4.324e-3 * y[4] + 1e-4 * c15 / c16 + 37.48 * y[1] / c12


def hs085_inequality(x):
    y, (c12, _, _, c17) = pulp(x)
    inner = jnp.stack(y[1:])
    outer = [1.5 * x[1] - x[2], y[3] - 0.28 / 0.72 * y[4], 21 - 3496 * y[1] / c12]
    outer += [62212 / c17 - 110.6 - y[0], y[0] - 213.1, 405.23 - y[0]]
    least, most = constants(PULP_LEAST, x), constants(PULP_MOST, x)
    return jnp.concatenate([jnp.stack(outer), inner - least, most - inner])


def shell(x):
    """The quadratic form of problems 86 and 117, and the product with its matrix."""
    product = jnp.sum(constants(SHELL_C, x) * x, axis=1)
    return jnp.sum(x * product), product


def hs086_objective(x):
    return jnp.sum(constants(SHELL_E, x) * x + constants(SHELL_D, x) * x**3) + shell(x)[0]


def hs087_objective(a, b, *_):
    """A price that rises, for all that is taken, at 300 and at 100 and 200: it jumps there."""
    price = jnp.where(b < 100, 28, jnp.where(b < 200, 29, 30))
    return jnp.where(a < 300, 30, 31) * a + price * b


def hs087_equality(a, b, c, d, e, f):
    first, second = c * d / 131.078, 0.90798 / 131.078
    return (
        300 - a - first * jnp.cos(1.48477 - f) + second * c**2 * cos(1.47588),
        -b - first * jnp.cos(1.48477 + f) + second * d**2 * cos(1.47588),
        -e - first * jnp.sin(1.48477 + f) + second * d**2 * sin(1.47588),
        200 - first * jnp.sin(1.48477 - f) + second * c**2 * sin(1.47588),
    )


def _rod():
    """The first 30 positive roots of μ tan μ = 1."""
    base = np.pi * np.arange(30)
    roots = base + 1
    for _ in range(100):
        roots = base + np.arctan2(1, roots)
    return roots


ROD = _rod()


def heat(name, size, best):
    """Problems 88 to 92: to heat a rod in the least time, with `size` switches of the heat.

    The squares of the variables are the times between the switches. The published sums over the
    roots μ are written without sines, which μ tan μ = 1 gives.
    """
    signs = np.append(1, 2 * (-1.0) ** np.arange(1, size))
    weight = 2 / (ROD**2 * (ROD**2 + 2))

    def inequality(x):
        until = jnp.cumsum(x[::-1] ** 2)[::-1]
        decay = jnp.exp(-constants(ROD[:, None] ** 2, x) * until)
        reached = jnp.sum(constants(signs, x) * decay, axis=1) + (-1) ** size
        error = reached * (reached - constants(2 - 2 / ROD**2, x))
        return (1e-4 - 2 / 15 - jnp.sum(constants(weight, x) * error))[None]

    start = [0.5 * (-1) ** i for i in range(size)]
    return of_array(name, lambda x: jnp.sum(x**2), start, best, inequality=inequality)


def transformer(a, b, c, d):
    """The two volumes of problem 93."""
    return a * d * (a + b + c), b * c * (a + 1.57 * b + d)


def hs093_objective(a, b, c, d, e, f):
    core, coil = transformer(a, b, c, d)
    return (0.0204 + 0.0607 * e**2) * core + (0.0187 + 0.0437 * f**2) * coil


def hs093_inequality(a, b, c, d, e, f):
    core, coil = transformer(a, b, c, d)
    return 1e-3 * a * b * c * d * e * f - 2.07, 1 - 6.2e-4 * e**2 * core - 5.8e-4 * f**2 * coil


# Of problems 95 to 98: the cost, and the constraints' terms in the variables and in the products
# x₁x₃, x₃x₅, x₄x₅, x₄x₆, x₅x₆ and x₁x₆.
COST = (4.3, 31.8, 63.3, 15.8, 68.5, 4.7)
LINEAR = (
    (17.1, 38.2, 204.2, 212.3, 623.4, 1495.5),
    (17.9, 36.8, 113.9, 169.7, 337.8, 1385.2),
    (0, -273, 0, -70, -819, 0),
    (159.9, -311, 0, 587, 391, 2198),
)
BILINEAR = (
    (-169, -3580, -3810, -18500, -24300, 0),
    (-139, 0, -2450, -16600, -17200, 0),
    (0, 0, 26000, 0, 0, 0),
    (0, 0, 0, 0, 0, -14000),
)


def mixture(name, right, best, local=()):
    """Problems 95 to 98, which differ in the right sides of the constraints."""

    def inequality(x):
        products = x[np.array([0, 2, 3, 3, 4, 0])] * x[np.array([2, 4, 4, 5, 5, 5])]
        terms = constants(LINEAR, x) * x + constants(BILINEAR, x) * products
        return jnp.sum(terms, axis=1) - constants(right, x)

    return of_array(
        name,
        lambda x: jnp.sum(constants(COST, x) * x),
        (0,) * 6,
        best,
        inequality=inequality,
        lower=0,
        upper=(0.31, 0.046, 0.068, 0.042, 0.028, 0.0134),
        local=local,
    )


ROCKET_STEPS = np.diff((0, 25, 50, 100, 150, 200, 290, 380))
ROCKET_THRUST = (50, 50, 75, 75, 75, 100, 100)


def hs099_objective(x):
    thrust = constants(ROCKET_STEPS * ROCKET_THRUST, x)
    return -(jnp.sum(thrust * jnp.cos(x)) ** 2)


def hs099_equality(x):
    step = constants(ROCKET_STEPS, x)
    acceleration = constants(ROCKET_THRUST, x) * jnp.sin(x) - 32
    speed = jnp.cumsum(step * acceleration)
    height = jnp.sum(step * (speed - step * acceleration / 2))
    return jnp.stack([height - 1e5, speed[-1] - 1000])


PROBLEMS = (
    of_array(
        "hs083",
        hs083_objective,
        (78, 33, 27, 27, 27),
        -30665.5386717833,
        inequality=hs083_inequality,
        lower=(78, 33, 27, 27, 27),
        upper=(102, 45, 45, 45, 45),
    ),
    of_array(
        "hs084",
        lambda x: 24345 - plant(x, 0),
        (2.52, 2, 37.5, 9.25, 6.8),
        -5280335.13321476,
        inequality=hs084_inequality,
        lower=(0, 1.2, 20, 9, 6.5),
        upper=(1000, 2.4, 60, 9.3, 7),
    ),
    of_array(
        "hs085",
        hs085_objective,
        (900, 80, 115, 267, 27),
        -1.90515525853478,
        inequality=hs085_inequality,
        lower=(704.4148, 68.6, 0, 193, 25),
        upper=(906.3855, 288.88, 134.75, 287.0966, 84.1988),
    ),
    of_array(
        "hs086",
        hs086_objective,
        (0, 0, 0, 0, 1),
        -32.3486789657227,
        inequality=lambda x: jnp.sum(constants(SHELL_A, x) * x, axis=1) - constants(SHELL_B, x),
        lower=0,
    ),
    of_scalars(
        "hs087",
        hs087_objective,
        (390, 1000, 419.5, 340.5, 198.175, 0.5),
        8927.59773549784,
        equality=hs087_equality,
        lower=(0, 0, 340, 340, -1000, 0),
        upper=(400, 1000, 420, 420, 1000, 0.5236),
    ),
    heat("hs088", 2, 1.36265681488985),
    heat("hs089", 3, 1.36265681488985),
    heat("hs090", 4, 1.36265681488985),
    heat("hs091", 5, 1.36265681488985),
    heat("hs092", 6, 1.36265681488985),
    of_scalars(
        "hs093",
        hs093_objective,
        (5.54, 4.4, 12.02, 11.82, 0.702, 0.852),
        135.075962829152,
        inequality=hs093_inequality,
        lower=0,
    ),
    mixture("hs095", (4.97, -1.88, -29.08, -78.02), 0.0156195252423938),
    mixture("hs096", (4.97, -1.88, -69.08, -118.02), 0.0156195252423938),
    mixture("hs097", (32.97, 25.12, -29.08, -78.02), 3.13580912280702, (4.07124635651322,)),
    mixture("hs098", (32.97, 25.12, -124.08, -173.02), 3.13580912280702, (4.07124635651322,)),
    of_array(
        "hs099",
        hs099_objective,
        (0.5,) * 7,
        -831079891.510108,
        equality=hs099_equality,
        lower=0,
        upper=1.58,
    ),
)
