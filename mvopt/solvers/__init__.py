"""One method a file; none imports another."""

from mvopt.solvers.augmented_lagrangian import AugmentedLagrangian
from mvopt.solvers.bfgs import BFGS
from mvopt.solvers.bisection import Bisection
from mvopt.solvers.broyden import Broyden
from mvopt.solvers.chandrupatla import Chandrupatla
from mvopt.solvers.dogleg import Dogleg
from mvopt.solvers.fixed_point import FixedPoint
from mvopt.solvers.gauss_newton import GaussNewton
from mvopt.solvers.gradient_descent import GradientDescent
from mvopt.solvers.interior_point import InteriorPoint
from mvopt.solvers.lagrange_newton import LagrangeNewton
from mvopt.solvers.lbfgs import LBFGS
from mvopt.solvers.levenberg_marquardt import LevenbergMarquardt
from mvopt.solvers.nelder_mead import NelderMead
from mvopt.solvers.newton_raphson import NewtonRaphson
from mvopt.solvers.nonlinear_cg import NonlinearCG
from mvopt.solvers.projected_gradient import ProjectedGradient
from mvopt.solvers.trust_region_newton import TrustRegionNewton

__all__ = [
    "BFGS",
    "LBFGS",
    "AugmentedLagrangian",
    "Bisection",
    "Broyden",
    "Chandrupatla",
    "Dogleg",
    "FixedPoint",
    "GaussNewton",
    "GradientDescent",
    "InteriorPoint",
    "LagrangeNewton",
    "LevenbergMarquardt",
    "NelderMead",
    "NewtonRaphson",
    "NonlinearCG",
    "ProjectedGradient",
    "TrustRegionNewton",
]
