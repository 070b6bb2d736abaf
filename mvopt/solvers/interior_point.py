"""The interior-point method: Newton's on a sequence of barrier problems."""

from dataclasses import dataclass

from mvopt import _tree
from mvopt.families.primal_dual import PrimalDualMethod


@_tree.node
@dataclass(frozen=True)
class InteriorPoint(PrimalDualMethod):
    """The default of `minimize` with inequality constraints, or equations and bounds.

    A primal-dual method with exact Hessians and a filter line search (Wächter and Biegler 2006).
    The step is solved for in the null space of the equations, so that it does not matter if these
    depend on each other. All is dense: time grows with n³. A variable whose bounds are equal stays
    there. The start is moved inside the bounds, and need not meet the constraints.
    """
