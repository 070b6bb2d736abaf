"""Multivariate optimisation in JAX: millions of small fits at once, with honest uncertainties."""

from mvopt import projections
from mvopt._types import Certificate, Fit, Multipliers, Solution, Status
from mvopt.calculus.blocks import Blocks
from mvopt.calculus.derivatives import (
    gradient,
    hessian,
    hvp,
    jacobian,
    jvp,
    value_and_gradient,
    value_and_jacobian,
    vjp,
)
from mvopt.kkt import between, check_kkt
from mvopt.least_squares import least_squares
from mvopt.minimize import minimize
from mvopt.quadratic_program import quadratic_program
from mvopt.regression import models
from mvopt.regression.curve_fit import curve_fit
from mvopt.root import root
from mvopt.solvers import (
    BFGS,
    LBFGS,
    AugmentedLagrangian,
    Bisection,
    Broyden,
    Chandrupatla,
    Dogleg,
    FixedPoint,
    GaussNewton,
    GradientDescent,
    InteriorPoint,
    LagrangeNewton,
    LevenbergMarquardt,
    NelderMead,
    NewtonRaphson,
    NonlinearCG,
    ProjectedGradient,
    TrustRegionNewton,
)

__version__ = "0.1.0"

__all__ = [
    "BFGS",
    "LBFGS",
    "AugmentedLagrangian",
    "Bisection",
    "Blocks",
    "Broyden",
    "Certificate",
    "Chandrupatla",
    "Dogleg",
    "Fit",
    "FixedPoint",
    "GaussNewton",
    "GradientDescent",
    "InteriorPoint",
    "LagrangeNewton",
    "LevenbergMarquardt",
    "Multipliers",
    "NelderMead",
    "NewtonRaphson",
    "NonlinearCG",
    "ProjectedGradient",
    "Solution",
    "Status",
    "TrustRegionNewton",
    "between",
    "check_kkt",
    "curve_fit",
    "gradient",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "least_squares",
    "minimize",
    "models",
    "projections",
    "quadratic_program",
    "root",
    "value_and_gradient",
    "value_and_jacobian",
    "vjp",
]
