"""Multivariate optimisation in JAX: millions of small fits at once, with honest uncertainties."""

from mvopt._types import Fit, Solution, Status
from mvopt.least_squares import least_squares
from mvopt.minimize import minimize
from mvopt.regression import models
from mvopt.regression.curve_fit import curve_fit
from mvopt.root import root
from mvopt.solvers import (
    BFGS,
    LBFGS,
    Bisection,
    Broyden,
    Chandrupatla,
    Dogleg,
    FixedPoint,
    GaussNewton,
    GradientDescent,
    LevenbergMarquardt,
    NelderMead,
    NewtonRaphson,
    NonlinearCG,
    TrustRegionNewton,
)

__version__ = "0.1.0"

__all__ = [
    "BFGS",
    "LBFGS",
    "Bisection",
    "Broyden",
    "Chandrupatla",
    "Dogleg",
    "Fit",
    "FixedPoint",
    "GaussNewton",
    "GradientDescent",
    "LevenbergMarquardt",
    "NelderMead",
    "NewtonRaphson",
    "NonlinearCG",
    "Solution",
    "Status",
    "TrustRegionNewton",
    "curve_fit",
    "least_squares",
    "minimize",
    "models",
    "root",
]
