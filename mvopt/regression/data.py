"""One data set made safe to fit: masks, sigmas and missing points turned into weights."""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import lax

from mvopt import _tree
from mvopt._types import Array, Status
from mvopt.linalg.products import dot


@dataclass(frozen=True)
class InParts:
    """A model of complex values as one of their real and imaginary parts, (2, ...); hashable."""

    model: Callable[[Any, Any], Array]

    @property
    def name(self) -> str:
        """That of the model."""
        return getattr(self.model, "name", getattr(self.model, "__name__", ""))

    def __call__(self, x: Any, params: Any) -> Array:
        """The parts at x."""
        return _tree.parts(self.model(x, params))


class Points(NamedTuple):
    """Points of one data set; those not used have any finite y, an x of the others, no weight."""

    x: Any
    y: Array  # (m,)
    whiten: Array | None  # (m,) reciprocal sigmas, or (m, m), or None: all one
    used: Array | None  # (m,) bool, or None: all of them
    usable: Array  # () bool: enough points for the parameters, sigma positive
    finite: Array  # () bool: x and y are numbers wherever they are used

    @property
    def sound(self) -> Array:
        """() bool: there is something to fit."""
        return self.usable & self.finite

    def only_if(self, valid: Array) -> "Points":
        """The same, not usable unless this holds, (..., m), at all points that are used."""
        valid = valid if self.used is None else valid | ~self.used
        return self._replace(usable=self.usable & jnp.all(valid))

    def judged(self, status: Array) -> Array:
        """`Status` as int32 () of a fit that ended with this one."""
        status = jnp.where(self.usable, status, Status.BAD_INPUT)
        return jnp.where(self.finite, status, Status.NONFINITE).astype(jnp.int32)

    def refused(self) -> "Points":
        """The same with a y of NaN if they are not sound, so that no solver starts on them."""
        return self._replace(y=jnp.where(self.sound, self.y, jnp.nan))

    @property
    def num_used(self) -> Array:
        """Number of points that count, int32 ()."""
        if self.used is None:
            return jnp.asarray(self.y.size, jnp.int32)
        return jnp.sum(self.used, dtype=jnp.int32)

    def residual(self, values: Array) -> Array:
        """Whitened values − y, (m,): its sum of squares is χ²."""
        return self.whitened(values.reshape(-1) - self.y)

    def whitened(self, difference: Array) -> Array:
        """In units of sigma, zero for the points left out, (m,)."""
        if self.used is not None:
            difference = jnp.where(self.used, difference, 0.0)
        if self.whiten is None:
            return difference
        return dot(self.whiten, difference) if self.whiten.ndim == 2 else self.whiten * difference


def points_of(
    x: Any,
    y: Array,
    sigma: Array | None,
    mask: Array | None,
    num_free: int,
    in_parts: bool = False,
) -> Points:
    """Apply mask and sigma; an infinite sigma leaves its point out.

    y (m,) or any shape, `mask` like y, `sigma` like y or (m, m). A covariance matrix that is not
    positive definite, a sigma that is not positive, a mask of NaN, or too few points make the data
    set unusable. in_parts: the first axis of y is that of the real and imaginary parts.
    """
    shape, y = y.shape, y.reshape(-1)
    used, valid = None, jnp.asarray(True)
    if mask is not None:
        used = jnp.broadcast_to(mask.astype(bool), shape).reshape(-1)
        valid = _known(mask).all()
    whiten = None
    if sigma is not None and sigma.shape == (y.size, y.size) != shape:
        whiten, definite = _whitening(sigma, used)
        valid = valid & definite
    elif sigma is not None:
        sigma = jnp.broadcast_to(sigma, shape).reshape(-1)
        informative = ~jnp.isposinf(sigma)
        used = informative if used is None else used & informative
        valid = valid & jnp.all(jnp.where(used, sigma > 0, True))
        whiten = jnp.where(used, 1 / jnp.where(used & (sigma > 0), sigma, 1.0), 0.0)
    if used is not None:
        y = jnp.where(used, y, 0.0)
        seen = used.reshape(2, -1).any(axis=0) if in_parts else used
        x = _safe(x, shape[in_parts:], seen)
    numbers = (jnp.isfinite(leaf).all() for leaf in jax.tree.leaves((x, y)) if _inexact(leaf))
    finite = functools.reduce(jnp.logical_and, numbers)
    points = Points(x, y, whiten, used, valid, finite)
    count = points.num_used
    return points._replace(usable=valid & (count >= num_free), finite=finite | (count == 0))


def omits_nan(policy: str) -> bool:
    """Whether points with a NaN are left out; ValueError for a policy that does not exist."""
    if policy not in ("propagate", "omit"):
        raise ValueError(
            f"nan_policy={policy!r} is not known: use 'omit' to leave points with a NaN out, or "
            "'propagate', with which their data set has the status NONFINITE"
        )
    return policy == "omit"


def without_nan(
    x: Any, y: Array, sigmas: tuple[Array | None, ...], mask: Array | None, in_parts: bool = False
) -> Array:
    """A mask like y without the points that have a NaN in x, y, or a standard deviation.

    What does not end in the shape of the points is none of theirs. in_parts: as in `points_of`.
    """
    known = _known(y)
    shapes = [(leaf, y.shape[in_parts:]) for leaf in jax.tree.leaves(x)]
    for leaf, shape in (*shapes, *((leaf, y.shape) for leaf in sigmas if leaf is not None)):
        if _of_points(leaf, shape):
            known = known & _known(leaf).all(axis=tuple(range(leaf.ndim - len(shape))))
    return known if mask is None else known & mask.astype(bool)


def _known(leaf: Array) -> Array:
    return ~jnp.isnan(leaf) if _inexact(leaf) else jnp.ones(jnp.shape(leaf), bool)


def _inexact(leaf: Array) -> bool:
    return bool(jnp.issubdtype(jnp.result_type(leaf), jnp.inexact))


def _of_points(leaf: Array, shape: tuple[int, ...]) -> bool:
    """Whether a leaf of x has a value, or a row of them, for each point."""
    return bool(shape) and jnp.shape(leaf)[max(jnp.ndim(leaf) - len(shape), 0) :] == shape


def _whitening(covariance: Array, used: Array | None) -> tuple[Array, Array]:
    """L⁻¹ of the used part of C = L Lᵀ, and whether C is positive definite."""
    unit = jnp.eye(len(covariance), dtype=covariance.dtype)
    if used is not None:
        covariance = jnp.where(used[:, None] & used[None, :], covariance, unit)
    lower = lax.linalg.cholesky(covariance)
    definite = jnp.isfinite(lower).all()
    lower = jnp.where(definite, lower, unit)
    return lax.linalg.triangular_solve(lower, unit, left_side=True, lower=True), definite


def _safe(x: Any, shape: tuple[int, ...], used: Array) -> Any:
    """Replace the x of points left out by that of a used one.

    A model that is NaN there would otherwise spoil the derivatives of the whole data set.
    """
    # By reductions: an index that differs between lanes would be a gather.
    place = jnp.arange(used.size, dtype=jnp.int32)
    first = jnp.min(jnp.where(used, place, used.size - 1))

    def replace(leaf: Array) -> Array:
        leaf = jnp.asarray(leaf)
        if not _of_points(leaf, shape):
            return leaf
        flat = leaf.reshape(*leaf.shape[: leaf.ndim - len(shape)], -1)
        stand_in = jnp.sum(jnp.where(place == first, flat, 0), axis=-1, keepdims=True)
        return jnp.where(used, flat, stand_in).reshape(leaf.shape)

    return jax.tree.map(replace, x)


def check_shape(model: Callable, x: Any, y: Any, params: Any) -> None:
    """Raise ValueError unless the model returns one value for each y: nothing is broadcast."""
    if y.size == 0:
        raise ValueError("there are no data: y is empty")
    if _tree.size(params) == 0:
        raise ValueError("there are no parameters: p0 is empty")
    found = jax.eval_shape(model, x, params)
    if not hasattr(found, "shape"):
        raise ValueError(
            f"the model returns {type(found).__name__}: return one array, with a value a point"
        )
    if _tree.is_complex(found):
        raise ValueError(
            "the model returns complex numbers, but y is real: give a complex y, or let the model "
            "return its absolute value or its real part"
        )
    shape = found.shape
    if shape != y.shape:
        raise ValueError(
            f"the model returns shape {shape}, but y has shape {y.shape}: return one value a point"
        )


def check_like(name: str, given: Array | None, y: Array, *, matrix: bool) -> None:
    """Raise ValueError unless `given` has the shape of y, or is one number, or a matrix (m, m)."""
    allowed = [y.shape, (), *([(y.size, y.size)] if matrix else [])]
    if given is not None and given.shape not in allowed:
        instead = "one value a point" + (", or a matrix (m, m)" if matrix else "")
        raise ValueError(f"{name} has shape {given.shape}, but y has {y.shape}: give {instead}")
