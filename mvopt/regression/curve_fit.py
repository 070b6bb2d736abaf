"""`curve_fit`: a model, data, and out come parameters with uncertainties."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mvopt import _tree
from mvopt._entry import check_bounds
from mvopt._types import Array, Fit
from mvopt.iteration.axes import split_given
from mvopt.iteration.blocks import in_blocks
from mvopt.iteration.protocol import Solver
from mvopt.least_squares import DEFAULT_MAX_STEPS, check_loss
from mvopt.regression.fitting import Setup, fit_rows
from mvopt.solvers.levenberg_marquardt import LevenbergMarquardt

PRECISIONS = ("float32", "float64", "mixed")


def curve_fit(
    model: Callable[[Any, Any], Array],
    x: Any,
    y: Any,
    p0: Any = None,
    sigma: Any = None,
    *,
    mask: Any = None,
    bounds: tuple[Any, Any] | None = None,
    fixed: Any = None,
    loss: str = "linear",
    absolute_sigma: bool = False,
    in_axes: Any = None,
    solver: Solver | None = None,
    max_steps: int = DEFAULT_MAX_STEPS,
    precision: str | None = None,
) -> Fit:
    """Fit `model(x, params)` to `y` by weighted least squares, for one data set or many at once.

    model: `model(x, params)` returns values of the shape of y; a model of `mvopt.models` or your
    own function.
    x: any pytree, such as (m,) or (k, m). y: (m,) or any shape.
    p0: start, a pytree that gives the params their structure (a list of numbers is one array).
    None, NaN in it, or a mapping of some names to values: the model's own guess fills the rest.
    sigma: standard deviations of y, like y; or their covariance matrix (m, m); None: all one.
    mask: like y, True for the points to use; the others may hold anything.
    bounds: (lower, upper), each like the params or a number; shared by the batch.
    fixed: names of parameters, or a pytree of Booleans like the params; these keep their start.
    loss: "linear" is the only one.
    absolute_sigma: as in SciPy: sigma is in units of y; if False only its ratios count, and the
    covariance is scaled by the reduced χ².
    in_axes: as in `jax.vmap`, over `(x, y, p0, sigma, mask)`; None is one data set.
    max_steps: evaluations of model and Jacobian for each data set.
    precision: "float32", "float64", or "mixed": a float32 fit finished in float64, covariance
    included; None: the dtype of the data. The last two need `jax.config` `jax_enable_x64`.

    Returns a `Fit`; `p_value` is NaN without sigma, for then χ² has no scale. No data set of a
    batch can harm another: NaN, too few points or a sigma that is not positive end in its status.
    Differentiable with respect to the data, forward and reverse, by the implicit function theorem.
    Raises ValueError for a model, shapes, names or bounds that do not fit together.
    """
    _check_options(loss, precision)
    start, fill = _start(model, p0)
    data = (x, y, start, sigma, mask)
    names = ("x", "y", "p0", "sigma", "mask")
    layout, rows, shared, size = split_given(data, in_axes, names)
    free = _free(fixed, getattr(model, "names", None))
    setup = Setup(model, layout, fill, free, absolute_sigma, precision)
    solver = LevenbergMarquardt() if solver is None else solver
    bounds = check_bounds(bounds)

    def run(rows: list[Array], count: int) -> Fit:
        return fit_rows(setup, solver, bounds, rows, shared, max_steps, count)

    return run([], 1) if size is None else in_blocks(run, rows, size)


def _check_options(loss: str, precision: str | None) -> None:
    check_loss(loss)
    if precision not in (None, *PRECISIONS):
        raise ValueError(
            f"precision={precision!r} is not known: use one of {', '.join(PRECISIONS)}"
        )
    # What float64 becomes tells whether JAX allows it.
    if precision in ("float64", "mixed") and jnp.result_type(float) != jnp.float64:
        raise ValueError(
            f'precision="{precision}" needs float64: call '
            'jax.config.update("jax_enable_x64", True) at the start of the program'
        )


def _start(model: Callable, p0: Any) -> tuple[Any, bool]:
    """The start as the user gave it, and whether the model's guess has to fill gaps in it."""
    names = getattr(model, "names", None)
    if p0 is None:
        if not hasattr(model, "guess"):
            raise ValueError("this model has no guess of its own: give p0, a start for the params")
        return None, True
    if isinstance(p0, Mapping) and names is not None:
        unknown = [name for name in p0 if name not in names]
        if unknown:
            raise ValueError(f"p0 names {unknown}, but the parameters are {list(names)}")
        shapes = {np.ndim(value) for value in p0.values()}
        columns = [jnp.asarray(p0.get(name, jnp.nan), float) for name in names]
        p0 = jnp.stack(jnp.broadcast_arrays(*columns), axis=-1) if shapes else None
    p0 = _tree.inexact(p0)
    if not hasattr(model, "guess"):
        return p0, False
    leaves = jax.tree.leaves(p0)
    known = any(isinstance(leaf, jax.core.Tracer) for leaf in leaves)
    return p0, not known and any(bool(jnp.isnan(leaf).any()) for leaf in leaves)


def _free(fixed: Any, names: Sequence[str] | None) -> tuple[int, ...] | None:
    """Indices of the parameters that are not fixed; None where all are free."""
    if fixed is None:
        return None
    if isinstance(fixed, Mapping) and names is not None:
        fixed = [name for name, flag in fixed.items() if flag]
    leaves = jax.tree.leaves(fixed)
    if all(isinstance(leaf, str) for leaf in leaves):
        if names is None:
            raise ValueError("fixed holds names, but the model has none: give Booleans like p0")
        unknown = [name for name in leaves if name not in names]
        if unknown:
            raise ValueError(f"fixed names {unknown}, but the parameters are {list(names)}")
        flags = np.array([name in leaves for name in names])
    else:
        flags = np.concatenate([np.ravel(np.asarray(leaf, bool)) for leaf in leaves])
    free = tuple(int(i) for i in np.flatnonzero(~flags))
    if not free:
        raise ValueError("every parameter is fixed: leave one free")
    return free if len(free) < flags.size else None
