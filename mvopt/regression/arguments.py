"""The arguments of a regression, checked and brought into one form."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mvopt import _tree
from mvopt._entry import axes_of_bounds
from mvopt.losses import Binomial, Likelihood, Loss, Robust
from mvopt.regression.data import InParts
from mvopt.regression.dataset import Given
from mvopt.regression.parameters import check_names

NAMES = ("x", "y", "p0", "sigma", "mask", "bounds", "prior", "loss", "sigma_x")
PRECISIONS = ("float32", "float64", "mixed")


def check_precision(precision: str | None) -> None:
    """ValueError for a precision that does not exist, or that JAX does not allow now."""
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


def seconds(x: Any) -> Any:
    """Dates as seconds since the earliest of them, durations as seconds; else x as it is.

    What is missing is NaN.
    """
    first = x[0] if isinstance(x, list | tuple) and x else None
    if isinstance(first, datetime | timedelta):
        x = np.asarray(x, f"{'datetime64' if isinstance(first, datetime) else 'timedelta64'}[us]")
    kind = getattr(getattr(x, "dtype", None), "kind", None)
    if kind == "M":
        x = np.asarray(x, "datetime64[ns]")
        x, kind = x - np.nanmin(x), "m"
    return np.asarray(x) / np.timedelta64(1, "s") if kind == "m" else x


def as_array(given: Any) -> Any:
    """A list of numbers as one array."""
    numbers = isinstance(given, list | tuple) and _tree.all_numbers(given)
    return np.asarray(given) if numbers else given


def in_parts(model: Callable, y: Any, sigma: Any, loss: Any, sigma_x: Any) -> Callable:
    """The model of both parts of a complex y; ValueError for what goes with real data alone."""
    if not np.iscomplexobj(y):
        if sigma is not None and np.iscomplexobj(sigma):
            raise ValueError("sigma is complex, but y is real: give a real sigma")
        return model
    if isinstance(loss, Likelihood) or loss in ("poisson", "binomial"):
        raise ValueError("a likelihood is of counts, but y is complex")
    if sigma_x is not None:
        raise ValueError("errors in x are for a real y: give its two parts as two values a point")
    return InParts(model)


def check_roles(start: Any, fixed: Any, tied: Any, prior: Any) -> None:
    """ValueError where complex params are to be held, tied or known beforehand."""
    leaves = [leaf for leaf in jax.tree.leaves(start) if _tree.is_complex(leaf)]
    if leaves and not (fixed is None and tied is None and prior is None):
        raise ValueError(
            "fixed, tied and prior are for real params: split a complex one into two real ones"
        )


def start_of(model: Callable, p0: Any) -> tuple[Any, bool]:
    """The start as the user gave it, and whether the model's guess has to fill gaps in it."""
    names = getattr(model, "names", None)
    if p0 is None:
        if not hasattr(model, "guess"):
            raise ValueError("this model has no guess of its own: give p0, a start for the params")
        return None, True
    if isinstance(p0, Mapping) and names is not None:
        check_names("p0", p0, names)
        shapes = {np.ndim(value) for value in p0.values()}
        columns = [jnp.asarray(p0.get(name, jnp.nan), float) for name in names]
        p0 = jnp.stack(jnp.broadcast_arrays(*columns), axis=-1) if shapes else None
    p0 = _in_one_dtype(_tree.inexact(p0))
    if not hasattr(model, "guess"):
        return p0, False
    leaves = jax.tree.leaves(p0)
    known = any(isinstance(leaf, jax.core.Tracer) for leaf in leaves)
    return p0, not known and any(bool(np.isnan(leaf).any()) for leaf in leaves)


def _in_one_dtype(params: Any) -> Any:
    """All params in the widest of their dtypes: a fit has one."""
    leaves = jax.tree.leaves(params)
    if len({leaf.dtype for leaf in leaves}) < 2:
        return params
    widest = jnp.result_type(*(_tree.real_dtype(leaf.dtype) for leaf in leaves))
    return jax.tree.map(lambda leaf: leaf.astype(jnp.result_type(leaf, widest)), params)


def names_of(model: Callable, start: Any) -> tuple[str, ...] | None:
    """Names of the flat parameters: the model's, or the keys of a flat mapping."""
    names = getattr(model, "names", None)
    if names is not None:
        return tuple(names)
    if isinstance(start, Mapping) and all(
        jax.tree_util.all_leaves([leaf]) and not _tree.is_complex(leaf) for leaf in start.values()
    ):
        return tuple(sorted(start))
    return None


def resolved(loss: Loss | None, sigma: Any, absolute_sigma: bool) -> tuple[Loss | None, bool]:
    """The loss with its settings, and whether its scale is to be estimated."""
    if loss is None:
        return None, False
    if isinstance(loss, Robust):
        threshold = loss.efficient if loss.threshold is None else loss.threshold
        scale = 1.0 if loss.scale is None else loss.scale
        estimated = loss.scale is None and not absolute_sigma
        return replace(loss, threshold=threshold, scale=scale), estimated
    if sigma is not None:
        raise ValueError("a likelihood has its own variance of y: leave sigma out")
    return loss, False


def prior_of(prior: Any, names: tuple[str, ...] | None, start: Any) -> tuple[Any, Any] | None:
    """(means, standard deviations), each like the params."""
    if prior is None:
        return None
    if isinstance(prior, Mapping):
        if names is None:
            raise ValueError("prior holds names, but the parameters have none: give a pair")
        check_names("prior", prior, names)
        pairs = {name: prior.get(name, (0.0, jnp.inf)) for name in names}
        sides: Any = [{name: jnp.asarray(pairs[name][k], float) for name in names} for k in (0, 1)]
        if not isinstance(start, Mapping):
            sides = (jnp.stack(jnp.broadcast_arrays(*side.values()), axis=-1) for side in sides)
        prior = tuple(sides)
    if len(prior) != 2:
        raise ValueError("prior must be a pair (means, standard deviations), or name → pair")
    mean, deviation = (_tree.inexact(side) for side in prior)
    for leaf in jax.tree.leaves(deviation):
        if not isinstance(leaf, jax.core.Tracer) and not np.all(np.asarray(leaf) > 0):
            raise ValueError("a standard deviation of a prior is not positive: fix the parameter")
    return mean, deviation


def axes_over(given: Given, in_axes: Any) -> Any:
    """`in_axes` over all of a `Given`: what came with one axis more than usual is mapped too."""
    if in_axes is None:
        return None
    first = 5  # x, y, p0, sigma, mask
    if not isinstance(in_axes, tuple | list):
        in_axes = (in_axes,) * first
    if len(in_axes) > first:
        raise ValueError(
            f"in_axes has {len(in_axes)} entries, but it is over (x, y, p0, sigma, mask)"
        )
    axes = [*in_axes, *[None] * (first - len(in_axes))]
    params = jnp.zeros(1) if given.start is None else given.start
    start_axis = None if given.start is None else axes[2]
    limits = (axes_of_bounds(side, params, start_axis) for side in (given.bounds, given.prior))
    y_ndim = np.ndim(given.y) - (axes[1] is not None)
    usual = y_ndim if isinstance(given.loss, Binomial) else 0
    loss = jax.tree.map(lambda leaf: 0 if np.ndim(leaf) > usual else None, given.loss)
    sigma_x = None
    if given.sigma_x is not None and np.ndim(given.sigma_x) > np.ndim(given.x) - (axes[0] == 0):
        sigma_x = 0
    return (*axes, *limits, loss, sigma_x)


def check_sigma_x(given: Given) -> None:
    """ValueError where errors in x do not go with the rest."""
    if given.sigma_x is None:
        return
    if np.ndim(given.x) == 0:
        raise ValueError("sigma_x is for an x that is one array, (m,) or (k, m)")
    if not (given.loss is None or isinstance(given.loss, Robust)):
        raise ValueError("sigma_x is for normal errors of y, not for counts: leave it out")
