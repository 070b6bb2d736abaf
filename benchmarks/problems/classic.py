"""Published minimisation problems of 2 to 50 variables outside the Moré-Garbow-Hillstrom set.

Sources: Andrei (2008), An unconstrained optimization test functions collection, Advanced Modeling
and Optimization 10, 147-161; the unconstrained problems of CUTE: Bongartz, Conn, Gould and Toint
(1995), ACM Transactions on Mathematical Software 21, 123-160; Dixon and Szegő (1978), Towards
Global Optimisation 2; Boyd and Vandenberghe (2004), Convex Optimization; the data sets' sources
stand beside them. The starts are the collections'; those of the problems with several minima and
of the ones that come from no collection are ours.

Every minimum was found with SciPy's trust-exact method from the start and from up to thirteen
others, and polished by Newton steps in float64; those with a closed form agree with it. Exceptions
are hiebert and maratosb, whose valleys it could not follow to the end: theirs are in closed form.
A problem with more local minima than are listed says so.
"""

from math import log

from benchmarks.problems import classic_objectives as objectives
from benchmarks.problems.problem import Problem

# Each of the ten pairs may go to infinity as Beale's function does.
_EXTENDED_BEALE = [0.452008928571429 * k for k in range(11)]
# In each variable either of the two minima of a quartic.
_STYBLINSKI = [-195.830828518857 + 14.136719048487 * k for k in range(6)]
# More lie beyond further poles of the tangent.
_CRAGGLVY = (
    *(1.88656589666311, 3.90369334881419, 4.51535189175435),
    *(4.95091709403058, 7.18256287009639),
)
_SCHMVETT = (  # and more
    *(-24, -21.7749280569262, -21.5656800243096),
    *(-16.0083869745637, -12.6990265269196),
)

# Four atoms, not far from a regular tetrahedron, which has six pairs at the best distance.
_ATOMS = (0, 0, 0, 1.5, 0, 0, 0, 1.4, 0, 0.2, 0.3, 1.3)

_TABLE = (
    # Valleys and polynomials
    ("chained_rosenbrock", (-1.2, 1) * 10, (0, 3.9866238542612)),
    ("white_holst", (-1.2, 1) * 5, (0,)),
    ("extended_beale", (1, 0.8) * 10, _EXTENDED_BEALE),
    ("himmelblau", (1,) * 20, (0,)),
    ("extended_powell", (3, -1, 0, 1) * 10, (0,)),
    ("extended_wood", (-3, -1, -3, -1) * 5, (0,)),
    ("extended_maratos", (1.1, 0.1) * 5, (-5.0031211034837,)),
    ("maratosb", (1.1, 0.1), (-1.0000000625,)),
    ("extended_cliff", (0, -1) * 5, (0.998933068388498,)),
    ("hiebert", (0, 0), (0,)),
    ("mexhat", (0.86, 0.72), (-0.0401,)),
    ("sisser", (1, 0.1), (0,)),
    ("zangwill_2", (3, 8), (-18.2,)),
    ("zangwill_3", (100, -1, 2.5), (0,)),
    ("engval2", (1, 2, 0), (0, 112.273169125691)),
    ("denschna", (1, 1), (0,)),
    ("denschnc", (2, 3), (0, 0.183361654677934, 3.64644163359159)),
    ("denschnd", (10, 10, 10), (0,)),
    ("denschne", (2, 3, -8), (0, 1)),  # one as x₃ goes to minus infinity
    ("denschnf", (2, 0), (0,)),
    ("himmelbg", (0.5, 0.5), (0,)),  # at the origin and at infinity
    ("sineval", (4.712389, -1), (0,)),
    ("logros", (-1.2, 1), (0,)),
    ("expfit", (0, 0), (0.240510593999058,)),
    # Several minima
    ("three_hump_camel", (-2, 1.5), (0, 0.298638442236858)),
    ("six_hump_camel", (-1, 2), (-1.03162845348988, -0.21546382438372, 2.10425031031126)),
    ("goldstein_price", (1, -1), (3, 30, 84, 840)),
    ("styblinski_tang", (-1,) * 5, _STYBLINSKI),
    # Chains
    ("extended_tridiagonal", (2,) * 10, (0,)),
    ("generalized_tridiagonal", (2,) * 10, (7.21121670329151,)),
    ("arwhead", (1,) * 50, (0,)),
    ("bdqrtic", (1,) * 20, (58.3204124959727,)),
    ("cragglvy", (1,) + (2,) * 9, _CRAGGLVY),
    ("dqrtic", (2,) * 10, (0,)),
    ("edensch", (8,) * 20, (123.284592020769,)),
    ("engval1", (2,) * 20, (20.2786621304618,)),
    ("fletchcr", (0,) * 10, (0,)),
    ("liarwhd", (4,) * 20, (0,)),
    ("nondia", (-1,) * 20, (0, 0.989896874095186)),
    ("nonscomp", (3,) * 10, (0,)),
    ("nondquar", (1, -1) * 10, (0,)),
    ("dixon3dq", (-1,) * 10, (0,)),
    ("tridia", (1,) * 20, (0,)),
    ("power", (1,) * 10, (0,)),
    ("hilberta", (1,) * 10, (0,)),
    ("perturbed_quadratic", (0.5,) * 20, (0,)),
    ("quadratic_qf1", (1,) * 20, (-1 / 40,)),
    ("dixmaanf", (2,) * 15, (1,)),
    ("schmvett", (0.5,) * 10, _SCHMVETT),
    ("tointgss", (3,) * 10, (8, 9)),  # nine as x₁ goes to infinity
    # Logarithms and exponentials; the minima of the first five are sums over the variables
    ("diagonal_1", (0.1,) * 10, (sum(i - i * log(i) for i in range(1, 11)),)),
    ("diagonal_2", [1 / i for i in range(1, 11)], (sum((1 + log(i)) / i for i in range(1, 11)),)),
    ("diagonal_5", (1.1,) * 10, (10 * log(2),)),
    ("hager", (1,) * 10, (sum(i**0.5 * (1 - log(i) / 2) for i in range(1, 11)),)),
    ("raydan_1", (1,) * 10, (5.5,)),
    ("three_exponentials", (0.1,) * 10, (12.7963334832911,)),
    ("log_barrier", (0.1,) * 10, (10,)),
    ("entropy", (1,) * 10, (-2.37997247466839,)),
    ("analytic_center", (0,) * 10, (-7.8246858060775,)),
    ("log_sum_exp", (0,) * 10, (3.73809764211633,)),
    # Statistics and physics
    ("logistic_regression", (0, 0), (10.1575963439334,)),
    ("poisson_regression", (0,) * 5, (-274.73775990738,)),
    ("weibull", (1, 50), (113.69195908769,)),
    ("lennard_jones", _ATOMS, (-6,)),
    ("minimal_surface", (0,) * 25, (1.8542700300031,)),
)

PROBLEMS = tuple(
    Problem(name, getattr(objectives, name), tuple(map(float, start)), tuple(minima))
    for name, start, minima in _TABLE
)
BY_NAME = {problem.name: problem for problem in PROBLEMS}
# The objective is NaN outside a domain that the start lies in.
WITH_DOMAIN = ("log_barrier", "entropy", "analytic_center", "weibull")
