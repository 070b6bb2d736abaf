"""Multivariate optimisation in JAX: millions of small fits at once, with honest uncertainties.

Entry points and solvers are loaded at once. Series, operators and regression are loaded when one of
their names is asked for first: with them `import mvopt` would take three times as long.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mvopt import losses, projections
from mvopt._types import Certificate, Multipliers, Solution, Status
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

if TYPE_CHECKING:  # the same for tools that read the source as `_LATER` is for `__getattr__`
    from mvopt.batch.many import fit_many as fit_many
    from mvopt.calculus.blocks import Blocks
    from mvopt.calculus.chain import Chain, total_derivative
    from mvopt.calculus.check import DerivativeCheck, check_derivatives
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
    from mvopt.regression import models, report
    from mvopt.regression.comparison import compare
    from mvopt.regression.curve_fit import curve_fit
    from mvopt.regression.fit import Fit
    from mvopt.regression.linear import linear_fit
    from mvopt.regression.regression import Regression

__version__ = "0.1.0"

# Name: the module that it comes from; `models` and `report` are modules themselves.
_LATER = {
    "Blocks": "calculus.blocks",
    "Chain": "calculus.chain",
    "DerivativeCheck": "calculus.check",
    "Fit": "regression.fit",
    "HessianOperator": "calculus.linearize",
    "Linearization": "calculus.linearize",
    "Range": "calculus.range_bound",
    "Regression": "regression.regression",
    "Sparsity": "calculus.sparse",
    "Taylor": "calculus.taylor",
    "UnsupportedError": "calculus.values",
    "check_derivatives": "calculus.check",
    "compare": "regression.comparison",
    "curve_fit": "regression.curve_fit",
    "fit_many": "batch.many",
    "hessian_operator": "calculus.linearize",
    "linear_fit": "regression.linear",
    "linearize": "calculus.linearize",
    "models": "regression.models",
    "range_bound": "calculus.range_bound",
    "report": "regression.report",
    "taylor": "calculus.taylor",
    "total_derivative": "calculus.chain",
}

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
    if name not in _LATER:
        raise AttributeError(f"module 'mvopt' has no attribute {name!r}")
    home = f"{__name__}.{_LATER[name]}"
    try:
        module = import_module(home)
    except ModuleNotFoundError as error:
        if name != "fit_many":
            raise
        # It reads files, which takes more packages than the library.
        raise ImportError(f"{error}: pip install 'mvopt[cli]'") from error
    globals()[name] = found = module if name in ("models", "report") else getattr(module, name)
    return found


def __dir__() -> list[str]:
    return sorted({*__all__, *_LATER, "__version__"})
