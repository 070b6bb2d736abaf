"""`check_kkt`: whether a point solves a constrained problem, whoever found it; and `between`."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from mvopt import _tree
from mvopt._constrained import Together, one_certificate
from mvopt._entry import axes_of_bounds, check_bounds, names_of
from mvopt._types import Array, Certificate
from mvopt.iteration.axes import Layout, axes_of, split


def check_kkt(
    fn: Callable[..., Any],
    solution: Any,
    args: tuple = (),
    *,
    bounds: tuple[Any, Any] | None = None,
    equality: Callable[..., Any] | None = None,
    inequality: Callable[..., Any] | None = None,
    in_axes: Any = None,
    has_aux: bool = False,
) -> Certificate:
    """By how much `solution` misses the conditions of Karush, Kuhn and Tucker.

    solution: anything with `params` and `multipliers`, such as what `minimize` returned. They are
    all that is taken from it: functions and derivatives are evaluated anew.
    The other arguments are those of `minimize`; with `in_axes` the solution's arrays have a leading
    batch axis, and so has the result.

    Raises ValueError where the multipliers do not fit the constraints.
    """
    x = _tree.inexact(solution.params)
    bounds = check_bounds(bounds, x)
    names = ("params", "multipliers", "bounds", *names_of(args)[1:])
    axes = None
    if in_axes is not None:
        _, *rest = axes_of((x, *args), in_axes, names_of(args))
        axes = (0, 0, axes_of_bounds(bounds, x, 0), *rest)
    layout, rows, shared, size = split((x, solution.multipliers, bounds, *args), axes, names)
    functions = Together(fn, equality, inequality, has_aux)
    found = _certificates(functions, layout, rows, shared)
    return found if size is not None else _tree.take(found, 0)


@partial(jax.jit, static_argnames=("functions", "layout"))
def _certificates(
    functions: Together, layout: Layout, rows: list[Array], shared: list[Array]
) -> Certificate:
    def one(row: list[Array]) -> Certificate:
        x, multipliers, bounds, *args = layout.join(row, shared)
        return one_certificate(functions, x, multipliers, bounds, tuple(args))

    return jax.vmap(one)(rows) if rows else jax.tree.map(lambda leaf: leaf[None], one([]))


def between(
    fn: Callable[..., Any], lower: Any = None, upper: Any = None
) -> Callable[..., dict[str, Any]]:
    """A constraint function for `inequality=` that keeps fn(x, *args) from `lower` to `upper`.

    lower, upper: finite numbers or arrays like what `fn` returns; None where there is no such
    side. The multipliers come as a dictionary with the keys "lower" and "upper".

    Raises ValueError where both are None or one is not finite.
    """
    if lower is None and upper is None:
        raise ValueError("between needs a lower or an upper bound")
    for name, side in (("lower", lower), ("upper", upper)):
        if side is not None and not _finite(side):
            raise ValueError(f"{name} must be finite, give None where there is no bound: {side}")

    def inequality(x: Any, *args: Any) -> dict[str, Any]:
        value = fn(x, *args)
        sides = {}
        if lower is not None:
            sides["lower"] = jax.tree.map(lambda v, low: v - low, value, _like(lower, value))
        if upper is not None:
            sides["upper"] = jax.tree.map(lambda v, high: high - v, value, _like(upper, value))
        return sides

    return inequality


def _finite(side: Any) -> bool:
    return all(
        isinstance(leaf, jax.core.Tracer) or bool(jnp.isfinite(leaf).all())
        for leaf in jax.tree.leaves(side)
    )


def _like(side: Any, value: Any) -> Any:
    return jax.tree.broadcast(side, value)
