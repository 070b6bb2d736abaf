"""A function replaced by its tangent at a point: Jacobians and Hessians as linear operators."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from mvopt import _tree
from mvopt._types import Array
from mvopt.calculus.derivatives import count, direction, gradient, jacobian, real, real_output
from mvopt.calculus.sparse import Sparsity
from mvopt.calculus.taylor import Kind, taylor

if TYPE_CHECKING:
    from jax.experimental.sparse import BCOO

# One gradient for a function, so that what is compiled or detected for it is found again.
_gradient = lru_cache(maxsize=64)(gradient)


def linearize(fn: Callable[..., Any], at: Any, args: tuple = ()) -> "Linearization":
    """The linear approximation of `fn(x, *args)` at the point `at`, a pytree.

    The function is evaluated once; each product with its Jacobian afterwards costs no more than an
    evaluation, and no matrix is stored. Raises TypeError for integer or complex input.
    """
    return Linearization(*_linear(fn, at, args), fn)


def hessian_operator(fn: Callable[..., Any], at: Any, args: tuple = ()) -> "HessianOperator":
    """The Hessian of `fn(x, *args)`, which returns one number, at the point `at`, a pytree.

    A product with it costs about two gradients (Pearlmutter 1994). It is the linearisation of the
    gradient, which is its `value`. Raises TypeError as `gradient` does.
    """
    slope = _gradient(fn)
    return HessianOperator(*_linear(slope, at, args), slope)


def _linear(fn: Callable[..., Any], at: Any, args: tuple) -> tuple[Any, Any, Any, tuple]:
    at = real(at)
    return at, *_linearized(fn, at, args), args


# Compiled, so that the products of one function at many points are one program too.
@partial(jax.jit, static_argnames="fn")
def _linearized(fn: Callable[..., Any], at: Any, args: tuple) -> tuple[Any, Any]:
    return jax.linearize(lambda x: real_output(fn(x, *args)), at)


@jax.jit
def _push(push: Callable[[Any], Any], v: Any) -> Any:
    return push(v)


@jax.jit
def _pull(push: Callable[[Any], Any], at: Any, w: Any) -> Any:
    return jax.linear_transpose(push, at)(w)[0]


@partial(jax.jit, static_argnames="fn")
def _dense(fn: Callable[..., Any], at: Any, args: tuple) -> Array:
    return jacobian(fn, labelled=True)(at, *args).matrix


@partial(jax.jit, static_argnames=("fn", "pattern"))
def _sparse(fn: Callable[..., Any], pattern: Sparsity, at: Any, args: tuple) -> "BCOO":
    flat, unravel = _tree.ravel(at)
    of_flat = lambda flat: _tree.ravel(fn(unravel(flat), *args))[0]
    value, push = jax.linearize(of_flat, flat)
    pull = jax.linear_transpose(push, flat)
    return pattern.matrix(push, lambda w: pull(w)[0], value.dtype)


@_tree.node
@dataclass(frozen=True)
class Linearization:
    """`value` + J (x − `at`), and its Jacobian J, (m, n), as a linear operator."""

    at: Any
    value: Any
    push: Callable[[Any], Any]
    args: tuple
    fn: Callable[..., Any] = field(metadata={"static": True})

    @property
    def jacobian(self) -> "Linearization":
        """The operator, which this object is."""
        return self

    @property
    def shape(self) -> tuple[int, int]:
        """(m, n): numbers that the function returns, and that it takes."""
        return count(self.value), count(self.at)

    def __call__(self, x: Any) -> Any:
        """The linear approximation at `x`, like `value`."""
        return jax.tree.map(jnp.add, self.value, self.mv(self._step(x)))

    def mv(self, v: Any) -> Any:
        """J v, like `value`, for v like `at`."""
        return _push(self.push, direction(v, self.at, "v", "at"))

    def vm(self, w: Any) -> Any:
        """Jᵀ w, like `at`, for w like `value`."""
        return _pull(self.push, self.at, direction(w, self.value, "w", "value"))

    def dense(self) -> Array:
        """J, (m, n): a row for each number of the outputs, in the order of their leaves."""
        return _dense(self.fn, self.at, self.args)

    def sparse(self, pattern: Sparsity | None = None) -> "BCOO":
        """J, (m, n), with one product for each colour of its columns, or of its rows.

        pattern: which entries can be other than zero; without it that is found from the function,
        once for each shape of its input, which needs the extra `sparse` (ImportError without).
        ValueError for a pattern of another shape.
        """
        pattern = Sparsity.detect(self.fn, self.at, self.args) if pattern is None else pattern
        if pattern.shape != self.shape:
            raise ValueError(f"the pattern is that of a matrix {pattern.shape}, not {self.shape}")
        return _sparse(self.fn, pattern, self.at, self.args)

    def error(self, x: Any) -> Any:
        """An estimate of |fn − linear approximation| at `x`, like `value`: the quadratic term."""
        step = self._step(x)
        slope = lambda at: jax.jvp(lambda x: self.fn(x, *self.args), (at,), (step,))[1]
        bend = jax.jvp(slope, (self.at,), (step,))[1]
        return jax.tree.map(lambda b: jnp.abs(b) / 2, bend)

    def bound(self, lower: Any, upper: Any, kind: Kind = "enclosure") -> Any:
        """How large |fn − linear approximation| gets in a box, as of `Taylor.bound`."""
        return taylor(self.fn, self.at, 1, self.args).bound(lower, upper, kind)

    def _step(self, x: Any) -> Any:
        return jax.tree.map(jnp.subtract, direction(x, self.at, "x", "at"), self.at)


@_tree.node
@dataclass(frozen=True)
class HessianOperator(Linearization):
    """The linearisation of a gradient, whose Jacobian, the Hessian, is symmetric."""

    def vm(self, w: Any) -> Any:
        """The same as `mv`."""
        return self.mv(w)
