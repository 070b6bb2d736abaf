"""The 35 test problems of Moré, Garbow and Hillstrom, with standard starts and known minima.

J. J. Moré, B. S. Garbow, K. E. Hillstrom (1981), Testing unconstrained optimization software, ACM
Transactions on Mathematical Software 7, 17-41. The numbers are the paper's. Problems of variable
dimension have n = 10 where the paper leaves it open (12 for the extended Powell singular function,
whose n is a multiple of 4; 5 parameters and 10 residuals for the linear ones, as in MINPACK's test
driver), and all dimensions for which the paper gives a minimum.

The published minima have 6 digits; here they were found again, from the standard start and forty
more, and polished by Newton steps in float64 until the gradient was rounding. Minima that are
only approached were computed from the limit of the model. A start times 10 or 100 may overflow
float64 (6, 100×) or be the solution (11, 10×) or a plateau of gradient zero (11, 100×).
"""

from benchmarks.problems import mgh_residuals as residuals
from benchmarks.problems.problem import least_squares


def _parabola(n):
    t = [i / (n + 1) for i in range(1, n + 1)]
    return [ti * (ti - 1) for ti in t]


_BARD = (
    *(8.214877306578963e-3, 0.1147984487628),  # the second with x₂ = -x₃ infinite
    *(0.9327752438983, 1.00382058682195, 1.77492677781526, 1.88627481359135, 2.36291629719185),
    17.42869333333333,  # x₂ and x₃ infinite: the scatter of y about its mean
)
_OSBORNE_1 = (0.5, 1.5, -1, 0.01, 0.02)
_OSBORNE_2 = (1.3, 0.65, 0.65, 0.7, 0.6, 3, 5, 7, 2, 4.5, 5.5)
_VARIABLY = [1 - i / 10 for i in range(1, 11)]
_TRIDIAGONAL = (0, 0.878973621360391, 1.45245542417558, 1.52188062565681, 1.64267981734389)
# Infinite where a narrow peak passes through the two highest points.
_GAUSSIAN = (1.12793276961934e-8, 0.28112775)
# The second is approached as two opposite exponentials take the first two points alone, the
# fourth as they vanish.
_BIGGS = (0, 4.46812371759905e-3, 5.65564992549987e-3, 0.30636677262479)
# 1.0273e-3 is approached at infinity; the second and the last have poles between the points.
_KOWALIK = (3.07505603849237e-4, 4.23674626469833e-4, 1.02734304869546e-3, 1.59435202602196e-3)
# The last is a single exponential, the peaks having left the points.
_OSBORNE_2_MINIMA = (
    *(4.01377362935477e-2, 8.75947240934157e-2, 0.124097937861138),
    1.78981358688109,
)
_CHEBYQUAD_10 = (4.77271369637535e-3, 6.50395480088231e-3, 9.50062885022166e-3)

_TABLE = (
    (1, "rosenbrock", residuals.rosenbrock, (-1.2, 1), (0,)),
    (2, "freudenstein_roth", residuals.freudenstein_roth, (0.5, -2), (0, 48.98425367924)),
    (3, "powell_badly_scaled", residuals.powell_badly_scaled, (0, 1), (0, 1.04029400396164)),
    (4, "brown_badly_scaled", residuals.brown_badly_scaled, (1, 1), (0,)),
    # Approached with x₁(1 - x₂) = 0.99107 as x₁ goes to minus infinity.
    (5, "beale", residuals.beale, (1, 1), (0, 0.452008928571429)),
    # Approached as one of the two goes to minus infinity.
    (
        6,
        "jennrich_sampson",
        residuals.jennrich_sampson,
        (0.3, 0.4),
        (124.362182355615, 259.580190134253),
    ),
    (7, "helical_valley", residuals.helical_valley, (-1, 0, 0), (0,)),
    (8, "bard", residuals.bard, (1, 1, 1), _BARD),
    (9, "gaussian", residuals.gaussian, (0.4, 1, 0), _GAUSSIAN),
    (10, "meyer", residuals.meyer, (0.02, 4000, 250), (87.9458551706779,)),
    (11, "gulf", residuals.gulf, (5, 2.5, 0.15), (0,)),
    # Zero also where x₁ = x₂ and x₃ = 0; the second is approached as x₂ goes to infinity.
    (12, "box_3d", residuals.box_3d, (0, 10, 20), (0, 0.0755887407549974)),
    (13, "powell_singular", residuals.powell_singular, (3, -1, 0, 1), (0,)),
    (14, "wood", residuals.wood, (-3, -1, -3, -1), (0,)),
    (15, "kowalik_osborne", residuals.kowalik_osborne, (0.25, 0.39, 0.415, 0.39), _KOWALIK),
    (16, "brown_dennis", residuals.brown_dennis, (25, 5, -5, -1), (85822.2016263563,)),
    (17, "osborne_1", residuals.osborne_1, _OSBORNE_1, (5.4648946974827e-5,)),
    (18, "biggs_exp6", residuals.biggs_exp6, (1, 2, 1, 1, 1, 1), _BIGGS),
    (19, "osborne_2", residuals.osborne_2, _OSBORNE_2, _OSBORNE_2_MINIMA),
    (20, "watson_6", residuals.watson, (0,) * 6, (2.28767005355235e-3,)),
    (20, "watson_9", residuals.watson, (0,) * 9, (1.3997601380948e-6,)),
    (20, "watson_12", residuals.watson, (0,) * 12, (4.722381105e-10,)),
    (21, "extended_rosenbrock", residuals.rosenbrock, (-1.2, 1) * 5, (0,)),
    (22, "extended_powell_singular", residuals.powell_singular, (3, -1, 0, 1) * 3, (0,)),
    (23, "penalty_1_4", residuals.penalty_1, range(1, 5), (2.24997750089994e-5,)),
    (23, "penalty_1_10", residuals.penalty_1, range(1, 11), (7.08765146709037e-5,)),
    (24, "penalty_2_4", residuals.penalty_2, (0.5,) * 4, (9.37629300735544e-6,)),
    (24, "penalty_2_10", residuals.penalty_2, (0.5,) * 10, (2.93660537456746e-4,)),
    (25, "variably_dimensioned", residuals.variably_dimensioned, _VARIABLY, (0,)),
    (
        26,
        "trigonometric",
        residuals.trigonometric,
        (0.1,) * 10,
        (0, 2.79505612187888e-5, 4.21863388791827e-5, 8.78822521821899e-4),
    ),
    # One at (0, …, 0, n + 1).
    (27, "brown_almost_linear", residuals.brown_almost_linear, (0.5,) * 10, (0, 1)),
    (28, "discrete_boundary_value", residuals.discrete_boundary_value, _parabola(10), (0,)),
    (29, "discrete_integral_equation", residuals.discrete_integral_equation, _parabola(10), (0,)),
    (30, "broyden_tridiagonal", residuals.broyden_tridiagonal, (-1,) * 10, _TRIDIAGONAL),
    (
        31,
        "broyden_banded",
        residuals.broyden_banded,
        (-1,) * 10,
        (0, 2.68021992072614, 12.8576966076356),
    ),
    # With m = 10 and n = 5: m - n, m(m - 1)/(2(2m + 1)) and (m² + 3m - 6)/(2(2m - 3)).
    (32, "linear_full_rank", residuals.linear_full_rank, (1,) * 5, (5,)),
    (33, "linear_rank_1", residuals.linear_rank_1, (1,) * 5, (15 / 7,)),
    (34, "linear_rank_1_zeros", residuals.linear_rank_1_zeros, (1,) * 5, (62 / 17,)),
    (35, "chebyquad_8", residuals.chebyquad, [i / 9 for i in range(1, 9)], (3.51687372567793e-3,)),
    (35, "chebyquad_9", residuals.chebyquad, [i / 10 for i in range(1, 10)], (0,)),
    (35, "chebyquad_10", residuals.chebyquad, [i / 11 for i in range(1, 11)], _CHEBYQUAD_10),
)

PROBLEMS = tuple(least_squares(*row[1:]) for row in _TABLE)
BY_NAME = {problem.name: problem for problem in PROBLEMS}
NUMBERS = {row[1]: row[0] for row in _TABLE}

# As many residuals as variables, and a zero.
SQUARE = tuple(
    "rosenbrock freudenstein_roth powell_badly_scaled helical_valley powell_singular"
    " extended_rosenbrock extended_powell_singular trigonometric brown_almost_linear"
    " discrete_boundary_value discrete_integral_equation broyden_tridiagonal broyden_banded"
    " chebyquad_9".split()
)
