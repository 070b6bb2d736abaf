"""Multivariate optimisation in JAX: millions of small fits at once, with honest uncertainties."""

from typing import Any

from mvopt import losses, projections
from mvopt._types import Certificate, Multipliers, Solution, Status
from mvopt.calculus.blocks import Blocks
from mvopt.calculus.chain import Chain, total_derivative
from mvopt.calculus.check import DerivativeCheck, check_derivatives
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
from mvopt.calculus.linearize import (
    HessianOperator,
    Linearization,
    hessian_operator,
    linearize,
)
from mvopt.calculus.range_bound import Range, range_bound
from mvopt.calculus.sparse import Sparsity
from mvopt.calculus.taylor import Taylor, taylor
from mvopt.calculus.values import UnsupportedError
from mvopt.kkt import between, check_kkt
from mvopt.least_squares import least_squares
from mvopt.minimize import minimize
from mvopt.quadratic_program import quadratic_program
from mvopt.regression import models, report
from mvopt.regression.comparison import compare
from mvopt.regression.curve_fit import curve_fit
from mvopt.regression.fit import Fit
from mvopt.regression.linear import linear_fit
from mvopt.regression.regression import Regression
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
    "Chain",
    "Chandrupatla",
    "DerivativeCheck",
    "Dogleg",
    "Fit",
    "FixedPoint",
    "GaussNewton",
    "GradientDescent",
    "HessianOperator",
    "InteriorPoint",
    "LagrangeNewton",
    "LevenbergMarquardt",
    "Linearization",
    "Multipliers",
    "NelderMead",
    "NewtonRaphson",
    "NonlinearCG",
    "ProjectedGradient",
    "Range",
    "Regression",
    "Solution",
    "Sparsity",
    "Status",
    "Taylor",
    "TrustRegionNewton",
    "UnsupportedError",
    "between",
    "check_derivatives",
    "check_kkt",
    "compare",
    "curve_fit",
    "gradient",
    "hessian",
    "hessian_operator",
    "hvp",
    "jacobian",
    "jvp",
    "least_squares",
    "linear_fit",
    "linearize",
    "losses",
    "minimize",
    "models",
    "projections",
    "quadratic_program",
    "range_bound",
    "report",
    "root",
    "taylor",
    "total_derivative",
    "value_and_gradient",
    "value_and_jacobian",
    "vjp",
]


def __getattr__(name: str) -> Any:
    """`fit_many`, only when it is asked for: it reads files, which takes more packages."""
    if name != "fit_many":
        raise AttributeError(f"module 'mvopt' has no attribute {name!r}")
    try:
        from mvopt.batch.many import fit_many  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ImportError(f"{error}: pip install 'mvopt[cli]'") from error
    return fit_many
