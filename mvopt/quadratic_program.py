"""`quadratic_program`: convex quadratic and linear programs from their matrices."""

from typing import Any

import jax.numpy as jnp
import numpy as np

from mvopt._constrained import Together, solve_constrained
from mvopt._entry import check_settings
from mvopt._types import Array, Solution
from mvopt.iteration.drive import Options
from mvopt.linalg.products import dot
from mvopt.solvers.predictor_corrector import PredictorCorrector

DEFAULT_MAX_STEPS = 200


def quadratic_program(
    P: Any,
    q: Any,
    A: Any = None,
    b: Any = None,
    G: Any = None,
    h: Any = None,
    *,
    bounds: tuple[Any, Any] | None = None,
    in_axes: Any = None,
    max_steps: int = DEFAULT_MAX_STEPS,
) -> Solution:
    """Minimise ½ xᵀP x + qᵀx subject to A x = b, G x ≤ h and bounds.

    P: (n, n), symmetric positive semidefinite, or None for a linear program. q: (n,). A: (m, n) and
    b: (m,), G: (k, n) and h: (k,), or None for no such constraints; inf in h for no such row.
    bounds: (lower, upper), each (n,) or a number; ±inf for none. In a batch a bound of shape (N, n)
    is one for each problem.
    in_axes: as in `jax.vmap` over `(P, q, A, b, G, h)`; None is one problem.

    Rows and variables may be of any scale: CONVERGED means that each row, each slope and the value
    are right to about 1e-9 in float64, 2e-5 in float32, of the terms that they consist of. Where
    the `certificate` is, that is not scaled.

    `Solution.multipliers` are those of A x − b = 0 and of h − G x ≥ 0; an equation that follows
    from others has the multiplier zero. With INFEASIBLE they prove it: the constraints, weighted
    with them, add up to 0 ≥ 1 (Farkas 1902), that is to Aᵀy − Gᵀz + lower − upper = 0 beside
    b·y − h·z + … = 1. With UNBOUNDED the params are a feasible point, to rounding, far along a ray
    on which the objective falls for ever. Both are checked before the word is said.
    Differentiable with respect to all arrays. A P that is not positive semidefinite gives a
    stationary point at best: use `minimize`. Raises ValueError for shapes that do not fit.
    """
    check_settings(None, max_steps)
    if any(map(np.iscomplexobj, (P, q, A, b, G, h))):
        raise ValueError("a matrix or a vector of the program is complex: give real ones")
    _check(P, q, A, b, G, h, in_axes)
    axes = in_axes if isinstance(in_axes, tuple | list) else (in_axes,) * 6
    axes = tuple(axes) + (None,) * (6 - len(axes))
    given = tuple(None if each is None else jnp.asarray(each) for each in (P, q, A, b, G, h))
    size = jnp.shape(q)[-1 if axes[1] in (None, 0) else 0]
    start = jnp.zeros(size, jnp.result_type(*(each for each in given if each is not None)))
    functions = Together(
        _objective,
        None if A is None else _equality,
        None if G is None else _inequality,
    )
    return solve_constrained(
        functions,
        lambda sizes, _: PredictorCorrector(sizes=sizes),
        start,
        given,
        bounds=bounds,
        in_axes=None if in_axes is None else (None, *axes),
        max_steps=max_steps,
        options=Options(),
        state=None,
        multipliers=None,
        known=_derivatives,
    )


def _objective(x: Array, P: Any, q: Array, *rest: Any) -> Array:
    del rest
    linear = dot(q, x)
    return linear if P is None else linear + 0.5 * dot(x, dot(P, x))


def _equality(x: Array, P: Any, q: Array, A: Array, b: Array, *rest: Any) -> Array:
    del P, q, rest
    return dot(A, x) - b


def _inequality(x: Array, P: Any, q: Array, A: Any, b: Any, G: Array, h: Array) -> Array:
    del P, q, A, b
    return h - dot(G, x)


def _derivatives(x: Array, P: Any, q: Array, A: Any, b: Any, G: Any, h: Any) -> tuple:
    """Values (1 + m + k,), Jacobian (1 + m + k, n) and Hessian of the objective (n, n)."""
    bend = jnp.zeros((x.size, x.size), x.dtype) if P is None else 0.5 * (P + P.T)
    push = dot(bend, x)
    values, rows = [(dot(q + 0.5 * push, x))[None]], [(q + push)[None]]
    if A is not None:
        values, rows = [*values, dot(A, x) - b], [*rows, A]
    if G is not None:
        values, rows = [*values, h - dot(G, x)], [*rows, -G]
    return jnp.concatenate(values), jnp.concatenate(rows), bend


def _check(P: Any, q: Any, A: Any, b: Any, G: Any, h: Any, in_axes: Any) -> None:
    for matrix, vector, names in ((A, b, "A and b"), (G, h, "G and h")):
        if (matrix is None) != (vector is None):
            raise ValueError(f"{names} belong together: give both or neither")
    if in_axes is not None:
        return
    (n,) = jnp.shape(q)
    for name, matrix, rows in (("P", P, n), ("A", A, None), ("G", G, None)):
        if matrix is None:
            continue
        shape = jnp.shape(matrix)
        if len(shape) != 2 or shape[1] != n or rows not in (None, shape[0]):
            raise ValueError(f"{name} of shape {shape} does not fit q of shape ({n},)")
    for name, matrix, vector in (("b", A, b), ("h", G, h)):
        if matrix is not None and jnp.shape(vector) != jnp.shape(matrix)[:1]:
            raise ValueError(
                f"{name} of shape {jnp.shape(vector)} needs one entry for each row of its matrix, "
                f"of shape {jnp.shape(matrix)}"
            )
