"""The only differentiation rule: derivatives of a solution by the implicit function theorem.

At a solution x*(θ) of F(x, θ) = 0,

    ∂F/∂x · dx* + ∂F/∂θ · dθ = 0    ⇒    dx* = −(∂F/∂x)⁻¹ (∂F/∂θ · dθ),

whatever the iteration that found x*. F is the solver's `optimality`: the gradient, with bounds the
projected one. The rule is linear in dθ, so that JAX transposes it for reverse mode.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from mvopt._types import Array, Status
from mvopt.iteration.drive import Options
from mvopt.iteration.lanes import in_chunks
from mvopt.iteration.method import Method, Outcome
from mvopt.iteration.protocol import Solver
from mvopt.iteration.work import work_off

ProblemOf = Callable[[Any, Any], Any]
# Above this many params ∂F/∂x is not built; the solve is a few hundred products with it.
_DENSE_LIMIT = 1000
_GMRES_TOLERANCE = 1e-8


def solve(
    solver: Solver,
    problem_of: ProblemOf,
    starts: Array,
    data: Any,
    shared: Any,
    *,
    max_steps: Array | int,
    lanes: int,
    count: Array | int,
    states: Any = None,
    options: Options = Options(),  # noqa: B008 (immutable)
    confirm: Callable[[Any, Array], Array] | None = None,
) -> Outcome:
    """`work_off`, differentiable with respect to `data`, `shared` and the numbers of the solver.

    starts: (N, n). data: a pytree of arrays with a leading axis N. shared: a pytree of arrays that
    all problems have in common. `problem_of(row, shared)` builds one problem. The derivative
    with respect to the starts is zero. confirm: `confirm(problem, params)` is asked once about each
    solution; False turns CONVERGED into STALLED.
    """

    @jax.custom_jvp
    def run(solver, starts, data, shared, max_steps, count, states):
        outcome = work_off(
            Method(solver, lambda row: problem_of(row, shared), max_steps),
            starts,
            data,
            lanes=lanes,
            count=count,
            states=states,
            options=options,
        )
        if confirm is None:
            return outcome

        def confirmed(item: Any) -> Array:
            row, params, status = item
            problem = problem_of(row, shared)
            return _confirmed(partial(confirm, problem, params), status)

        rows = (data, outcome.params, outcome.status)
        return outcome._replace(status=in_chunks(confirmed, rows, lanes))

    @run.defjvp
    def rule(primals, tangents):
        solver, _, data, shared, _, _, _ = primals
        outcome = run(*primals)
        common = (shared, solver)
        data_dots = _floats(tangents[2], data)
        common_dots = _floats((tangents[3], tangents[0]), common)

        def one(params, row, row_dots):
            return _tangents(problem_of, params, row, common, row_dots, common_dots)

        params_dot, value_dot = jax.vmap(one)(outcome.params, data, data_dots)
        zeros = jax.tree.map(_zero_tangent, outcome)
        return outcome, zeros._replace(params=params_dot, value=value_dot)

    return run(solver, starts, data, shared, max_steps, count, states)


def _confirmed(confirm: Callable[[], Array], status: Array) -> Array:
    """STALLED instead of CONVERGED where `confirm()` is False; it is asked nowhere else."""
    converged = status == Status.CONVERGED
    refused = lax.cond(converged, lambda: ~confirm(), lambda: jnp.zeros((), bool))
    return jnp.where(refused, Status.STALLED, status).astype(jnp.int32)


def _tangents(problem_of, params, row, common, row_dots, common_dots):
    """Of params and value of one problem; common: what all share, and the solver."""
    row_floats, common_floats = _floats(row, row), _floats(common, common)

    def merged(row_floats, common_floats):
        shared, solver = _merged(common, common_floats)
        return problem_of(_merged(row, row_floats), shared), solver

    def optimality(params, row_floats, common_floats):
        problem, solver = merged(row_floats, common_floats)
        return solver.optimality(problem, params)

    def objective(params, row_floats, common_floats):
        return merged(row_floats, common_floats)[0].objective(params)

    _, forcing = jax.jvp(
        lambda *data: optimality(params, *data),
        (row_floats, common_floats),
        (row_dots, common_dots),
    )
    at_solution = partial(optimality, row_floats=row_floats, common_floats=common_floats)
    if params.size > _DENSE_LIMIT:
        params_dot = -_matrix_free_solve(at_solution, params, forcing)
    else:
        params_dot = -_scaled_solve(jax.jacfwd(at_solution)(params), forcing)
    _, value_dot = jax.jvp(
        objective,
        (params, row_floats, common_floats),
        (params_dot, row_dots, common_dots),
    )
    return params_dot, value_dot


def _scaled_solve(matrix: Array, b: Array) -> Array:
    """Solve after scaling rows and columns to a unit diagonal: parameters may differ by 10¹⁵."""
    diagonal = jnp.abs(jnp.diagonal(matrix))
    scale = lax.stop_gradient(jnp.where(diagonal > 0, lax.rsqrt(diagonal), 1.0))
    return scale * jnp.linalg.solve(matrix * scale[:, None] * scale, b * scale)


def _matrix_free_solve(function: Callable[[Array], Array], params: Array, b: Array) -> Array:
    """Solve J u = b by GMRES from products with J (and Jᵀ, when JAX transposes the rule)."""
    _, product = jax.linearize(function, params)

    def gmres(product: Callable[[Array], Array], b: Array) -> Array:
        return jax.scipy.sparse.linalg.gmres(product, b, tol=_GMRES_TOLERANCE, maxiter=50)[0]

    return lax.custom_linear_solve(product, b, gmres, transpose_solve=gmres)


def _floats(tree: Any, like: Any) -> list[Array]:
    """Leaves of `tree` at which `like` is real or complex: integers carry no tangent."""
    pairs = zip(jax.tree.leaves(tree), jax.tree.leaves(like), strict=True)
    return [leaf for leaf, model in pairs if jnp.issubdtype(model.dtype, jnp.inexact)]


def _merged(tree: Any, floats: list[Array]) -> Any:
    queue = iter(floats)
    return jax.tree.map(
        lambda leaf: next(queue) if jnp.issubdtype(leaf.dtype, jnp.inexact) else leaf, tree
    )


def _zero_tangent(leaf: Array) -> Any:
    if jnp.issubdtype(leaf.dtype, jnp.floating):
        return jnp.zeros_like(leaf)
    return jnp.zeros(leaf.shape, jax.dtypes.float0)
