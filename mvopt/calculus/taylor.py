"""Taylor series of functions of pytrees, their arithmetic, and how far they can be trusted."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache, partial
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from mvopt import _tree
from mvopt._types import Array
from mvopt.calculus import algebra, formula, remainder
from mvopt.calculus.blocks import entries, names
from mvopt.calculus.derivatives import jacobian, real, split_axis
from mvopt.calculus.expansion import coefficients, values_of_monomials
from mvopt.calculus.flat import concrete, corners, flattened
from mvopt.calculus.interval import Interval, above, below
from mvopt.calculus.monomials import Monomials, monomials
from mvopt.calculus.series import SeriesRules

Kind = Literal["last-term", "sampled", "enclosure"]

_LINES = 12  # outputs that are printed

# One Jacobian for a function, so that what is compiled for it is found again.
_jacobian = lru_cache(maxsize=64)(jacobian)


def taylor(fn: Callable[..., Any], at: Any, order: int, args: tuple = ()) -> "Taylor":
    """The Taylor polynomial of `fn(x, *args)` about the point `at`, up to degree `order`.

    at: a number, or any pytree of real floating-point arrays; `fn` may return any pytree of them.
    The coefficients come from recurrences (Griewank and Walther 2008, chapter 13), at a cost that
    grows with the square of their number; from nested derivatives where an operation has none.
    To expand about many points, map it: `jax.vmap(lambda a: taylor(fn, a, 5))(points)`.

    Raises TypeError for integer or complex input, ValueError for an order below zero, and where
    there would be too many coefficients: C(n + order, order) of them for n numbers.
    """
    if isinstance(order, bool) or not isinstance(order, (int, np.integer)) or order < 0:
        raise ValueError(f"order must be a whole number that is not negative, not {order!r}")
    at = real(at)
    if not jax.tree.leaves(at):
        raise ValueError("there is nothing to expand in: `at` holds no numbers")
    table = monomials(_tree.ravel(at)[0].size, int(order))
    ranks = tuple(leaf.ndim for leaf in jax.tree.leaves(at))
    return Taylor(at, _expanded(fn, at, table, args), args, fn, table, ranks)


@_tree.node
@dataclass(frozen=True)
class Taylor:
    """A polynomial in the displacement from a point, and the function that it stands for.

    `series` is a pytree like what the function returns, each of its arrays with an axis in front
    for the N coefficients: those of degree 0, 1, 2 and so on, within a degree x² before x y before
    y². Sums, products and quotients with series about the same point, or with numbers, are series.
    """

    at: Any
    series: Any
    args: tuple
    fn: Callable[..., Any] | None = field(metadata={"static": True})
    table: Monomials = field(metadata={"static": True})
    ranks: tuple[int, ...] = field(metadata={"static": True})  # of each array of `at`

    # An array beside a series is a number for each output: NumPy leaves it to us.
    __array_ufunc__ = None

    @property
    def order(self) -> int:
        """The highest degree that is kept."""
        return self.table.order

    @property
    def function(self) -> Callable[..., Any]:
        """`fn`; ValueError where it is not known."""
        if self.fn is None:
            raise ValueError(
                "the function of a series made by integral() or revert() is not known: expand that "
                'function itself, or ask for kind="last-term"'
            )
        return self.fn

    @property
    def coefficients(self) -> Any:
        """Of a function of one number f⁽ᵏ⁾(at)/k! along the first axis, (order + 1, ...).

        Of several numbers a dict from the powers of each, in the order of `at`'s leaves:
        `coefficients[2, 1]` belongs to x² y.
        """
        if self.table.variables == 1:
            return self.series
        return {powers: _tree.take(self.series, k) for powers, k in self.table.place.items()}

    def __call__(self, x: Any) -> Any:
        """The polynomial at `x`, like `at`, or with more axes in front of each of its arrays."""
        self._not_batched()
        return _evaluated(self.series, _displacement(x, self.at), self.table)

    def derivative(self) -> "Taylor":
        """The series, one degree shorter, of what `jacobian(fn)` returns."""
        self._not_batched()
        if self.order == 0:
            raise ValueError("a series of order 0 has no derivative: expand to a higher order")
        split = lambda slopes: split_axis(slopes, slopes.ndim - 1, self.at)
        series = jax.tree.map(lambda c: split(algebra.differentiated(c, self.table)), self.series)
        fn = None if self.fn is None else _jacobian(self.fn)
        return replace(self, series=series, fn=fn, table=self._of_order(self.order - 1))

    def integral(self) -> "Taylor":
        """The antiderivative that is zero at `at`, one degree longer; of one variable."""
        self._one_variable("integral")
        series = jax.tree.map(algebra.integrated, self.series)
        table = self._of_order(self.order + 1)
        return replace(self, series=series, args=(), fn=None, table=table)

    def compose(self, inner: "Taylor") -> "Taylor":
        """The series of self(inner(x)) about the point of `inner`.

        ValueError where this series is not about the value of `inner` there.
        """
        self._not_batched()
        inner._not_batched()
        value = _tree.take(inner.series, 0)
        _check_same(self.at, value, "the outer series must be about the value of the inner one")
        order = min(self.order, inner.order)
        outer, inside = self._cut(order), inner._cut(order)
        steps = jnp.concatenate(
            [leaf.reshape(leaf.shape[0], -1) for leaf in jax.tree.leaves(inside.series)], axis=1
        )
        steps = steps.at[0].add(-_tree.ravel(self.at)[0])
        series = algebra.composed(outer.series, outer.table, steps, SeriesRules(inside.table))
        return inside._made(series, lambda f, g: lambda x: f(g(x)), self, inner)

    def revert(self) -> "Taylor":
        """The series of the inverse function about the value; one variable, one output.

        ValueError where the slope is zero: there is no inverse function then.
        """
        self._one_variable("revert")
        leaves, structure = jax.tree.flatten(self.series)
        if len(leaves) != 1 or leaves[0].ndim != 1:
            raise ValueError("revert needs a function that returns one number")
        if self.order < 1 or (concrete(leaves[0]) and leaves[0][1] == 0):
            raise ValueError("a series without a linear term has no inverse: expand elsewhere")
        at = jax.tree.unflatten(structure, [leaves[0][0]])
        (start,), tree = jax.tree.flatten(self.at)
        series = algebra.reverted(leaves[0], start.reshape(()), SeriesRules(self.table))
        series = jax.tree.unflatten(tree, [series.reshape(-1, *start.shape)])
        return Taylor(at, series, (), None, self.table, (0,))

    def bound(self, lower: Any, upper: Any, kind: Kind = "enclosure") -> Any:
        """How large |fn − polynomial| gets in a box: like what `fn` returns.

        lower, upper: like `at`, or numbers that hold for all of it. The box need not contain `at`.
        kind: "last-term" is an estimate, the largest that the last terms that are not zero get;
        "sampled" the largest difference at some 4,000 points, and so at most the true one;
        "enclosure" is proved, by interval arithmetic rounded outwards, and at least the true one
        (infinite where nothing can be proved, as where the function may have no value).

        Raises ValueError for a box that is empty or not finite, and where the function is not
        known; UnsupportedError, which names the operation, where an enclosure has no rule for it.
        """
        self._not_batched()
        if kind not in tuple(_GRADES):
            known = ", ".join(f'"{each}"' for each in _GRADES)
            raise ValueError(f"kind={kind!r} is not known: use one of {known}")
        ends = corners(lower, upper, self.at)
        return _bound(self, *ends, kind)

    def radius(self, tol: Any) -> Array:
        """The largest r for which |fn − polynomial| ≤ tol is proved where |xᵢ − atᵢ| ≤ r.

        To a part in 300; zero where nothing can be proved. ValueError for a tol that is not
        positive, and where the function is not known.
        """
        self._not_batched()
        if concrete(tol) and not tol > 0:
            raise ValueError(f"tol must be positive, not {tol}")
        return _radius(self, tol)

    def convergence_radius(self) -> Array:
        """An estimate, (), of how far the series converges, from the growth of its coefficients.

        Of several variables the largest |xᵢ − atᵢ|. Infinite for a polynomial; for a function
        without singularities a number that grows with the order.
        """
        self._not_batched()
        return jnp.min(
            jnp.stack(
                [algebra.convergence_radius(c, self.table) for c in jax.tree.leaves(self.series)]
            )
        )

    def __neg__(self) -> "Taylor":
        return self._made(
            jax.tree.map(jnp.negative, self.series), lambda f: _each(jnp.negative, f), self
        )

    def __add__(self, other: Any) -> "Taylor":
        return self._combined(other, lambda _, u, v: u + v, jnp.add)

    def __sub__(self, other: Any) -> "Taylor":
        return self._combined(other, lambda _, u, v: u - v, jnp.subtract)

    def __mul__(self, other: Any) -> "Taylor":
        return self._combined(other, SeriesRules.multiply, jnp.multiply)

    def __truediv__(self, other: Any) -> "Taylor":
        return self._combined(other, SeriesRules.divide, jnp.divide)

    __radd__ = __add__
    __rmul__ = __mul__

    def __rsub__(self, other: Any) -> "Taylor":
        return -self + other

    def __rtruediv__(self, other: Any) -> "Taylor":
        return self._constant(other) / self

    def __str__(self) -> str:
        if self._batched:
            return f"a batch of Taylor series of order {self.order}"
        leaves = [np.asarray(leaf) for leaf in jax.tree.leaves(self.series)]
        at = np.concatenate([np.ravel(leaf) for leaf in jax.tree.leaves(self.at)])
        variables = entries(names(self.at, "x"), [jnp.shape(a) for a in jax.tree.leaves(self.at)])
        columns = np.concatenate([leaf.reshape(self.table.size, -1) for leaf in leaves], axis=1)
        outputs = entries(names(self.series, "f"), [leaf.shape[1:] for leaf in leaves])
        lines = [
            formula.polynomial(column, self.table, at, variables) for column in columns.T[:_LINES]
        ]
        if len(outputs) == 1:
            return lines[0]
        more = [f"({len(outputs)} outputs, in part)"] * (len(outputs) > _LINES)
        return "\n".join([f"{n} = {t}" for n, t in zip(outputs, lines, strict=False)] + more)

    def _combined(self, other: Any, of_series: Callable, of_values: Callable) -> "Taylor":
        self._not_batched()
        other = other if isinstance(other, Taylor) else self._constant(other)
        other._not_batched()
        _check_same(self.at, other.at, "both series must be about the same point")
        order = min(self.order, other.order)
        u, v = self._cut(order), other._cut(order)
        outputs = [names(each.series, "f") for each in (u, v)]
        if outputs[0] != outputs[1]:
            raise ValueError(f"the outputs differ: {outputs[0]} and {outputs[1]}")
        combine = partial(algebra.entry_by_entry, partial(of_series, SeriesRules(u.table)))
        series = jax.tree.map(combine, u.series, v.series)
        return u._made(series, partial(_each, of_values), self, other)

    def _constant(self, value: Any) -> "Taylor":
        """A number as a series, with the outputs of this one."""
        value = jnp.asarray(value)
        if jnp.issubdtype(value.dtype, jnp.complexfloating):
            raise TypeError("a series is real: split complex numbers into their two parts")
        rules = SeriesRules(self.table)
        series = jax.tree.map(lambda c: rules.of_constant(value.astype(c.dtype)), self.series)
        return replace(self, series=series, args=(_tree.take(series, 0),), fn=_constant)

    def _made(self, series: Any, combine: Callable, *parts: "Taylor") -> "Taylor":
        """A series made of others, of the function that `combine` makes of theirs."""
        args = tuple(part.args for part in parts)
        fns = [part.fn for part in parts]

        def fn(x: Any, *args: Any) -> Any:
            bind = lambda fn, own: lambda x: fn(x, *own)
            return combine(*(bind(f, own) for f, own in zip(fns, args, strict=True)))(x)

        return replace(self, series=series, args=args, fn=None if None in fns else fn)

    def _of_order(self, order: int) -> Monomials:
        return monomials(self.table.variables, order)

    def _cut(self, order: int) -> "Taylor":
        table = self._of_order(order)
        return replace(
            self, series=jax.tree.map(lambda c: c[: table.size], self.series), table=table
        )

    @property
    def _batched(self) -> bool:
        return self.ranks != tuple(jnp.ndim(leaf) for leaf in jax.tree.leaves(self.at))

    def _not_batched(self) -> None:
        if self._batched:
            raise ValueError(
                "this is a batch of series: map over it, jax.vmap(lambda t, x: t(x))(series, x)"
            )

    def _one_variable(self, what: str) -> None:
        self._not_batched()
        if self.table.variables != 1:
            raise ValueError(f"{what} needs a function of one number, not {self.table.variables}")


@partial(jax.jit, static_argnames=("fn", "table"))
def _expanded(fn: Callable[..., Any], at: Any, table: Monomials, args: tuple) -> Any:
    flat_fn, flat_at, structure = flattened(fn, at, args)
    return jax.tree.unflatten(structure, coefficients(flat_fn, flat_at, table))


@partial(jax.jit, static_argnames="table")
def _evaluated(series: Any, h: Array, table: Monomials) -> Any:
    if table.variables == 1:
        return jax.tree.map(lambda c: algebra.horner(c, h[..., 0]), series)
    terms = values_of_monomials(table, h)
    return jax.tree.map(lambda c: jnp.tensordot(terms, c, 1, precision="highest"), series)


def _last_term(series: Taylor, lower: Array, upper: Array) -> list[Array]:
    at = _tree.ravel(series.at)[0]
    reach = jnp.maximum(jnp.abs(lower - at), jnp.abs(upper - at))
    leaves = jax.tree.leaves(series.series)
    return [remainder.last_term(c, series.table, reach) for c in leaves]


def _sampled(series: Taylor, lower: Array, upper: Array) -> list[Array]:
    fn, at, _ = flattened(series.function, series.at, series.args)
    points = remainder.samples(lower, upper)
    known = jax.tree.leaves(_evaluated(series.series, points - at, series.table))
    return [jnp.max(jnp.abs(f - p), 0) for f, p in zip(jax.vmap(fn)(points), known, strict=True)]


def _enclosed(series: Taylor, lower: Array, upper: Array) -> list[Array]:
    fn, at, _ = flattened(series.function, series.at, series.args)
    leaves, box = jax.tree.leaves(series.series), Interval(lower, upper)
    return [e.magnitude for e in remainder.enclosure(fn, leaves, series.table, at, box)]


_GRADES = {"last-term": _last_term, "sampled": _sampled, "enclosure": _enclosed}


@partial(jax.jit, static_argnames="kind")
def _bound(series: Taylor, lower: Array, upper: Array, kind: Kind) -> Any:
    found = _GRADES[kind](series, lower, upper)
    return jax.tree.unflatten(jax.tree.structure(series.series), found)


@jax.jit
def _radius(series: Taylor, tol: Any) -> Array:
    at = _tree.ravel(series.at)[0]

    def bound(radius: Array) -> Array:
        ends = below(at - radius), above(at + radius)
        return jnp.stack([e.max() for e in _enclosed(series, *ends)]).max()

    return remainder.certified_radius(bound, tol, at.dtype)


def _displacement(x: Any, at: Any) -> Array:
    """x − at, (..., n)."""
    if isinstance(at, jax.Array):
        x = jnp.asarray(x)

    def one(at: Array, x: Any) -> Array:
        x = jnp.asarray(x)
        lead = x.shape[: x.ndim - at.ndim]
        if x.shape[len(lead) :] != at.shape:
            raise ValueError(f"x must end in the shape of `at`, {at.shape}, but is {x.shape}")
        return (x - at).reshape(*lead, at.size)

    steps = jax.tree.leaves(jax.tree.map(one, at, x))
    if len({step.shape[:-1] for step in steps}) > 1:
        raise ValueError("the arrays of x must all have the same axes in front of those of `at`")
    return jnp.concatenate(steps, axis=-1)


def _each(of_values: Callable, *fns: Callable) -> Callable:
    """The function whose outputs are those of others, combined one by one."""
    return lambda x: jax.tree.map(of_values, *(fn(x) for fn in fns))


def _constant(_: Any, value: Any) -> Any:
    return value


def _check_same(a: Any, b: Any, message: str) -> None:
    """ValueError where two points differ by more than rounding; unknown ones pass."""
    alike = jax.tree.map(jnp.shape, a) == jax.tree.map(jnp.shape, b)
    if alike and not concrete((a, b)):
        return
    one, other = (np.asarray(_tree.ravel(tree)[0]) for tree in (a, b))
    slack = 64 * np.finfo(one.dtype).eps
    if not (alike and np.allclose(one, other, rtol=slack, atol=slack)):
        raise ValueError(f"{message}: {a} is not {b}")
