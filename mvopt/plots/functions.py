"""Pictures of functions: their series, their slopes, and the way of a solver.

Each draws into `ax`, or into a new figure, and returns the Matplotlib axes.
"""

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mvopt.calculus.derivatives import gradient
from mvopt.calculus.taylor import taylor
from mvopt.minimize import minimize
from mvopt.plots.figure import new_figure

_POINTS = 400
_GRID = 120
_ARROWS = 16


def series(
    fn: Callable[..., Any],
    at: Any,
    orders: Sequence[int],
    lower: float,
    upper: float,
    args: tuple = (),
    ax: Any = None,
) -> Any:
    """`fn(x, *args)` of one number with its Taylor polynomials about `at`, on [lower, upper].

    The band around each polynomial is where the function is proved to be: the enclosure of the
    error between `at` and x. It is left out where it is taller than the function's own values.
    """
    ax = _axes(ax)
    at = jnp.asarray(at, float)
    x = jnp.linspace(lower, upper, _POINTS)
    exact = np.asarray(jax.vmap(lambda x: fn(x, *args))(x))
    ax.plot(x, exact, color="black", label="function")
    low, high = np.quantile(exact[np.isfinite(exact)], [0.02, 0.98])
    height = max(high - low, 1e-3 * abs(high), 1e-12)
    for order in orders:
        polynomial = taylor(fn, at, order, args)
        values = np.asarray(polynomial(x))
        error = jax.vmap(lambda x, p=polynomial: p.bound(jnp.minimum(at, x), jnp.maximum(at, x)))(x)
        known = np.asarray(error) <= height
        (line,) = ax.plot(x, values, label=f"order {order}")
        ax.fill_between(
            x, values - error, values + error, where=known, color=line.get_color(), alpha=0.2, lw=0
        )
    ax.set_ylim(low - 0.5 * height, high + 0.5 * height)
    ax.axvline(float(at), color="grey", lw=0.5)
    ax.set_xlabel("x")
    ax.legend()
    return ax


def contours(
    fn: Callable[..., Any],
    lower: Sequence[float],
    upper: Sequence[float],
    at: Sequence[float] | None = None,
    args: tuple = (),
    ax: Any = None,
) -> Any:
    """Level curves of `fn(x, *args)` of two numbers, x (2,), with its gradient field.

    at: a point, (2,), whose value is drawn as three curves: that of the function, of its linear
    approximation, and of its quadratic one.
    """
    ax = _axes(ax)
    grid, values = _levels(fn, lower, upper, args, ax)
    step = max(1, _GRID // _ARROWS)
    arrows = grid[step // 2 :: step, step // 2 :: step]
    slopes = jax.vmap(jax.vmap(lambda x: gradient(fn)(x, *args)))(arrows)
    slopes = slopes / jnp.linalg.norm(slopes, axis=-1, keepdims=True)
    ax.quiver(
        arrows[..., 0], arrows[..., 1], slopes[..., 0], slopes[..., 1], color="grey", width=0.002
    )
    if at is not None:
        point = jnp.asarray(at, float)
        value = float(fn(point, *args))
        curves = {"function": values}
        for name, order in (("linear", 1), ("quadratic", 2)):
            curves[name] = np.asarray(taylor(fn, point, order, args)(grid))
        for (name, z), color in zip(curves.items(), ("black", "tab:blue", "tab:red"), strict=True):
            ax.contour(grid[..., 0], grid[..., 1], z, levels=[value], colors=color)
            ax.plot([], [], color=color, label=name)
        ax.plot(*point, "o", color="black")
        ax.legend()
    return ax


def path(
    fn: Callable[..., Any],
    x0: Sequence[float],
    lower: Sequence[float],
    upper: Sequence[float],
    args: tuple = (),
    solver: Any = None,
    steps: int = 50,
    ax: Any = None,
) -> Any:
    """Level curves of `fn(x, *args)` of two numbers with the points a solver passes from `x0`.

    steps: at most so many of them; the solver is run anew up to each.
    """
    ax = _axes(ax)
    _levels(fn, lower, upper, args, ax)
    points = [np.asarray(x0, float)]
    for step in range(1, steps + 1):
        found = minimize(fn, jnp.asarray(x0, float), args, solver=solver, max_steps=step)
        points.append(np.asarray(found.params))
        if int(found.num_steps) < step:
            break
    ax.plot(*np.array(points).T, "o-", color="tab:red", ms=3)
    return ax


def _axes(ax: Any) -> Any:
    return new_figure().add_subplot() if ax is None else ax


def _levels(
    fn: Callable[..., Any], lower: Sequence[float], upper: Sequence[float], args: tuple, ax: Any
) -> tuple[Any, np.ndarray]:
    """A grid, (G, G, 2), and the values there, whose level curves are drawn at even ranks."""
    sides = [jnp.linspace(a, b, _GRID) for a, b in zip(lower, upper, strict=True)]
    grid = jnp.stack(jnp.meshgrid(*sides), axis=-1)
    values = np.asarray(jax.vmap(jax.vmap(lambda x: fn(x, *args)))(grid))
    levels = np.unique(np.quantile(values[np.isfinite(values)], np.linspace(0, 1, 21)))
    ax.contour(grid[..., 0], grid[..., 1], values, levels=levels, cmap="viridis", linewidths=0.7)
    ax.set_xlabel("x[0]")
    ax.set_ylabel("x[1]")
    return grid, values
