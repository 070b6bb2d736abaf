"""One method a file; none imports another."""

from mvopt.solvers.levenberg_marquardt import LevenbergMarquardt

__all__ = ["LevenbergMarquardt"]
