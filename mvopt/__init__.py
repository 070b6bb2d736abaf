"""Multivariate optimisation in JAX: millions of small fits at once, with honest uncertainties."""

from mvopt._types import Fit, Solution, Status
from mvopt.least_squares import least_squares
from mvopt.solvers import LevenbergMarquardt

__version__ = "0.1.0"

__all__ = ["Fit", "LevenbergMarquardt", "Solution", "Status", "least_squares"]
