"""Newton's method on the gradient of the Lagrangian."""

from dataclasses import dataclass

from mvopt import _tree
from mvopt._types import Array
from mvopt.families.constrained import ConstrainedProblem
from mvopt.families.primal_dual import PrimalDualMethod
from mvopt.families.primal_dual_state import PrimalDualState


@_tree.node
@dataclass(frozen=True)
class LagrangeNewton(PrimalDualMethod):
    """The default of `minimize` with equality constraints alone.

    Newton's method for ∇f = Jᵀλ, c = 0, with the Hessian of the Lagrangian made positive definite
    along the constraints, and a filter that weighs the objective against the violation. It is
    `InteriorPoint` for problems without a wall; ValueError with inequalities or bounds.
    """

    def init(
        self, problem: ConstrainedProblem, params: Array, state: PrimalDualState
    ) -> PrimalDualState:
        """State at the start."""
        if problem.sizes.inequalities or problem.sizes.bounded:
            raise ValueError(
                "LagrangeNewton takes equality constraints alone: use InteriorPoint with "
                "inequalities or bounds"
            )
        return super().init(problem, params, state)
