"""Multivariate optimisation in JAX: millions of small fits at once, with honest uncertainties."""

from mvopt._types import Fit, Solution, Status
from mvopt.least_squares import least_squares
from mvopt.regression import models
from mvopt.regression.curve_fit import curve_fit
from mvopt.solvers import Dogleg, GaussNewton, LevenbergMarquardt

__version__ = "0.1.0"

__all__ = [
    "Dogleg",
    "Fit",
    "GaussNewton",
    "LevenbergMarquardt",
    "Solution",
    "Status",
    "curve_fit",
    "least_squares",
    "models",
]
