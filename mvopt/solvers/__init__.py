"""One method a file; none imports another."""

from mvopt.solvers.dogleg import Dogleg
from mvopt.solvers.gauss_newton import GaussNewton
from mvopt.solvers.levenberg_marquardt import LevenbergMarquardt

__all__ = ["Dogleg", "GaussNewton", "LevenbergMarquardt"]
