"""Whether a function is linear.

It shows in the derivative, which then does not depend on the point; the jaxpr of the derivative
says so without a number being computed.
"""

from collections.abc import Callable
from typing import Any

import jax
from jax.interpreters import partial_eval

from mvopt._types import Array


def is_affine(function: Callable[[Array], Any], params: Array) -> bool:
    """Whether the function is sure to be linear in the params, up to a constant.

    True is a proof; False says nothing: sin(x)² + cos(x)² counts as nonlinear.
    """

    def derivative(params: Array, tangent: Array) -> Any:
        return jax.jvp(function, (params,), (tangent,))[1]

    jaxpr = jax.make_jaxpr(derivative)(params, params).jaxpr
    _, used = partial_eval.dce_jaxpr(jaxpr, [True] * len(jaxpr.outvars))
    return not used[0]
