"""Interval arithmetic on arrays, rounded outwards (Moore 1966; Rump 2010, Acta Numerica 19).

Every result holds all values that the operation takes on its operands, whatever the rounding of
the machine: a result that is correctly rounded is widened by one unit in the last place, an
elementary function by `_ULPS` of them, for nobody promises its accuracy. An end that overflows is
infinite. Where a function may have no value, at a pole or outside of its domain, both ends are NaN,
and so is all that is computed from them: it takes the place of the decorations of IEEE 1788-2015.

The names of the functions are those of JAX's primitives, which they take the place of.
"""

from dataclasses import dataclass
from math import inf, pi
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from mvopt import _tree
from mvopt._types import Array

# Of XLA's exp, log, sin, tanh, erf and so on; their errors are a few units, and not specified.
_ULPS = 16
# exp2, sinh, cosh and erfc are exp of an argument that is rounded: their errors were 0.4 units
# times its size, JAX 0.12 on a CPU. What is larger than this over- or underflows.
_LARGEST_ARGUMENT = 2048.0


@_tree.node
@dataclass(frozen=True)
class Interval:
    """All numbers from `lo` to `hi`, arrays of one shape."""

    lo: Array
    hi: Array

    @classmethod
    def point(cls, value: Any) -> "Interval":
        value = jnp.asarray(value)
        return cls(value, value)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.lo.shape

    @property
    def ndim(self) -> int:
        return self.lo.ndim

    @property
    def dtype(self) -> Any:
        return self.lo.dtype

    def __getitem__(self, index: Any) -> "Interval":
        return Interval(self.lo[index], self.hi[index])

    def reshape(self, *shape: int) -> "Interval":
        return Interval(self.lo.reshape(shape), self.hi.reshape(shape))

    def __neg__(self) -> "Interval":
        return Interval(-self.hi, -self.lo)

    def __add__(self, other: Any) -> "Interval":
        other = _as_interval(other, self.dtype)
        exact = (other.lo == 0) | (self.lo == 0), (other.hi == 0) | (self.hi == 0)
        lo, hi = self.lo + other.lo, self.hi + other.hi
        return Interval(jnp.where(exact[0], lo, below(lo)), jnp.where(exact[1], hi, above(hi)))

    def __sub__(self, other: Any) -> "Interval":
        return self + -_as_interval(other, self.dtype)

    def __mul__(self, other: Any) -> "Interval":
        return _product(self, _as_interval(other, self.dtype))

    def __truediv__(self, other: Any) -> "Interval":
        other = _as_interval(other, self.dtype)
        safe = (other.lo > 0) | (other.hi < 0)
        # Rounded ends of 1/b would make a bound of a/b too wide, so that both are divided.
        divisor = Interval(*(jnp.where(safe, end, 1.0) for end in (other.lo, other.hi)))
        quotient = _quotient(self, divisor)
        return where(safe & self.known, quotient, undefined(quotient))

    __radd__ = __add__
    __rmul__ = __mul__

    def __rsub__(self, other: Any) -> "Interval":
        return -self + other

    def __rtruediv__(self, other: Any) -> "Interval":
        return _as_interval(other, self.dtype) / self

    def sum(self, axis: int | tuple[int, ...]) -> "Interval":
        """The sum along axes, in any order."""
        axes = (axis,) if isinstance(axis, int) else axis
        count = int(np.prod([self.shape[a] for a in axes]))
        return Interval(_sum_below(self.lo, axes, count), -_sum_below(-self.hi, axes, count))

    def contains(self, value: Any) -> Array:
        """Where a value is inside."""
        return (self.lo <= value) & (value <= self.hi)

    @property
    def known(self) -> Array:
        """Where there is a value for sure, bounded or not."""
        return ~jnp.isnan(self.hi - self.lo)

    @property
    def width(self) -> Array:
        """hi − lo."""
        return self.hi - self.lo

    @property
    def magnitude(self) -> Array:
        """The largest |value|."""
        return jnp.maximum(jnp.abs(self.lo), jnp.abs(self.hi))


def below(value: Array, ulps: float | Array = 1) -> Array:
    """A number below everything that rounds to `value` by so many units in the last place."""
    finfo = jnp.finfo(value.dtype)
    down = value - (ulps * finfo.eps * jnp.abs(value) + ulps * finfo.tiny)
    return jnp.where(value == inf, -inf, down)  # what has overflowed is anywhere


def above(value: Array, ulps: float | Array = 1) -> Array:
    """A number above everything that rounds to `value`."""
    return -below(-value, ulps)


def normal(x: Interval) -> Interval:
    """With ends outwards of those that are subnormal, which a CPU takes for zero."""
    finfo = jnp.finfo(x.dtype)
    tiny = float(finfo.tiny)

    def moved(end: Array, negative: float, positive: float) -> Array:
        # By its bits, since in a comparison it is zero too.
        bits = lax.bitcast_convert_type(jnp.abs(end), f"uint{finfo.bits}")
        subnormal = (bits > 0) & (bits < 1 << finfo.nmant)
        return jnp.where(subnormal, jnp.where(jnp.signbit(end), negative, positive), end)

    return Interval(moved(x.lo, -tiny, 0.0), moved(x.hi, 0.0, tiny))


def everything(like: Interval) -> Interval:
    """The whole line, everywhere."""
    return Interval(jnp.full_like(like.lo, -inf), jnp.full_like(like.hi, inf))


def undefined(like: Interval) -> Interval:
    """No value for sure, everywhere."""
    return Interval(*[jnp.full_like(like.lo, jnp.nan)] * 2)


def where(condition: Array, a: Interval, b: Interval) -> Interval:
    return Interval(jnp.where(condition, a.lo, b.lo), jnp.where(condition, a.hi, b.hi))


def hull(a: Interval, b: Interval) -> Interval:
    """The least interval that holds both."""
    return Interval(jnp.minimum(a.lo, b.lo), jnp.maximum(a.hi, b.hi))


def intersection(a: Interval, b: Interval) -> Interval:
    """What two enclosures of the same values have in common; one that is not known says nothing."""
    return Interval(jnp.fmax(a.lo, b.lo), jnp.fmin(a.hi, b.hi))


def _as_interval(value: Any, dtype: Any) -> Interval:
    return value if isinstance(value, Interval) else Interval.point(jnp.asarray(value, dtype))


def _product(a: Interval, b: Interval) -> Interval:
    """Zero times anything is zero, also beside an unbounded end."""
    found = _outward([x * y for x in (a.lo, a.hi) for y in (b.lo, b.hi)])
    nothing = ((a.lo == 0) & (a.hi == 0)) | ((b.lo == 0) & (b.hi == 0))
    found = where(nothing, Interval.point(jnp.zeros_like(found.lo)), _with_sign(found, a, b))
    return where(a.known & b.known, found, undefined(found))


def _quotient(a: Interval, b: Interval) -> Interval:
    """For a b on one side of zero."""
    found = _outward([x / y for x in (a.lo, a.hi) for y in (b.lo, b.hi)])
    return _with_sign(found, a, b)


def _outward(values: list[Array]) -> Interval:
    """What rounded values at the corners of a box enclose; with 0 ∞ or ∞/∞ there, everything."""
    lo = jnp.minimum(jnp.minimum(values[0], values[1]), jnp.minimum(values[2], values[3]))
    hi = jnp.maximum(jnp.maximum(values[0], values[1]), jnp.maximum(values[2], values[3]))
    open_ = jnp.isnan(lo)
    return Interval(jnp.where(open_, -inf, below(lo)), jnp.where(open_, inf, above(hi)))


def _with_sign(found: Interval, a: Interval, b: Interval) -> Interval:
    """A product or quotient, whose sign is that of its factors in spite of the widening."""
    positive = ((a.lo >= 0) & (b.lo >= 0)) | ((a.hi <= 0) & (b.hi <= 0))
    negative = ((a.lo >= 0) & (b.hi <= 0)) | ((a.hi <= 0) & (b.lo >= 0))
    return Interval(
        jnp.where(positive, jnp.maximum(found.lo, 0.0), found.lo),
        jnp.where(negative, jnp.minimum(found.hi, 0.0), found.hi),
    )


def _sum_below(ends: Array, axes: tuple[int, ...], count: int) -> Array:
    total, size = ends.sum(axes), jnp.abs(ends).sum(axes)
    finfo = jnp.finfo(ends.dtype)
    # However the terms are paired, each takes part in fewer than `count` additions (Higham 2002,
    # section 4.2).
    slack = 1.01 * count * finfo.eps * size + count * finfo.tiny
    return jnp.where(size == 0, 0.0, jnp.where(size == inf, -inf, below(total - slack)))


def _increasing(
    function: Any, x: Interval, least: float = -inf, most: float = inf, more: Any = jnp.zeros_like
) -> Interval:
    """`more`: units in the last place that an error has beside the usual ones."""
    ulps = [_ULPS + jnp.minimum(more(end), _LARGEST_ARGUMENT) for end in (x.lo, x.hi)]
    lo, hi = below(function(x.lo), ulps[0]), above(function(x.hi), ulps[1])
    return Interval(jnp.maximum(lo, least), jnp.minimum(hi, most))


def _where_defined(inside: Array, x: Interval, apply: Any, stand_in: float) -> Interval:
    """The function where it is defined on the whole interval."""
    found = apply(where(inside, x, Interval.point(jnp.full_like(x.lo, stand_in))))
    return where(inside, found, undefined(found))


def exp(x: Interval) -> Interval:
    return _increasing(jnp.exp, x, 0.0)


def exp2(x: Interval) -> Interval:
    return _increasing(jnp.exp2, x, 0.0, more=jnp.abs)


def expm1(x: Interval) -> Interval:
    return _increasing(jnp.expm1, x, -1.0)


def log(x: Interval) -> Interval:
    return _where_defined(x.lo > 0, x, lambda x: _increasing(jnp.log, x), 1.0)


def log1p(x: Interval) -> Interval:
    return _where_defined(x.lo > -1, x, lambda x: _increasing(jnp.log1p, x), 0.0)


def sqrt(x: Interval) -> Interval:
    return _where_defined(x.lo >= 0, x, lambda x: _increasing(jnp.sqrt, x, 0.0), 1.0)


def rsqrt(x: Interval) -> Interval:
    return 1 / sqrt(x)


def cbrt(x: Interval) -> Interval:
    return _increasing(jnp.cbrt, x)


def tanh(x: Interval) -> Interval:
    return _increasing(jnp.tanh, x, -1.0, 1.0)


def logistic(x: Interval) -> Interval:
    return _increasing(jax.nn.sigmoid, x, 0.0, 1.0)


def sinh(x: Interval) -> Interval:
    return _increasing(jnp.sinh, x, more=jnp.abs)


def cosh(x: Interval) -> Interval:
    return _increasing(jnp.cosh, abs(x), 1.0, more=jnp.abs)


def asinh(x: Interval) -> Interval:
    return _increasing(jnp.arcsinh, x)


def acosh(x: Interval) -> Interval:
    return _where_defined(x.lo >= 1, x, lambda x: _increasing(jnp.arccosh, x, 0.0), 2.0)


def atanh(x: Interval) -> Interval:
    return _where_defined(x.magnitude < 1, x, lambda x: _increasing(jnp.arctanh, x), 0.0)


def atan(x: Interval) -> Interval:
    return _increasing(jnp.arctan, x)


def asin(x: Interval) -> Interval:
    return _where_defined(x.magnitude <= 1, x, lambda x: _increasing(jnp.arcsin, x), 0.0)


def acos(x: Interval) -> Interval:
    falling = lambda x: -_increasing(lambda x: -jnp.arccos(x), x)  # π/2 − asin loses digits
    return _where_defined(x.magnitude <= 1, x, falling, 0.0)


def erf(x: Interval) -> Interval:
    return _increasing(jax.scipy.special.erf, x, -1.0, 1.0)


def erfc(x: Interval) -> Interval:
    return -_increasing(lambda x: -jax.scipy.special.erfc(x), x, -2.0, 0.0, jnp.square)


def sin(x: Interval) -> Interval:
    return _wave(jnp.sin, x, 0.25)


def cos(x: Interval) -> Interval:
    return _wave(jnp.cos, x, 0.0)


def _wave(function: Any, x: Interval, crest: float) -> Interval:
    """A sine whose crests are at `crest` periods, and whose troughs half a period after them."""
    ends = [function(end) for end in (x.lo, x.hi)]
    # Beside a zero the error is that of the reduced argument, not of the value.
    unit = _ULPS * jnp.finfo(x.dtype).eps
    slack = [unit * jnp.minimum(1.0, jnp.abs(end)) for end in (x.lo, x.hi)]
    lo = jnp.minimum(*(below(end - s, _ULPS) for end, s in zip(ends, slack, strict=True)))
    hi = jnp.maximum(*(above(end + s, _ULPS) for end, s in zip(ends, slack, strict=True)))
    hi = jnp.where(_passes(x, crest), 1.0, jnp.minimum(hi, 1.0))
    lo = jnp.where(_passes(x, crest + 0.5), -1.0, jnp.maximum(lo, -1.0))
    return where(x.known, Interval(lo, hi), undefined(x))


def _passes(x: Interval, place: float, period: float = 2 * pi) -> Array:
    """Whether an interval holds a point at `place` + k periods, or cannot be told not to."""
    first, last = x.lo / period - place, x.hi / period - place
    unsure = 8 * jnp.finfo(x.dtype).eps * (1 + jnp.maximum(jnp.abs(first), jnp.abs(last)))
    inside = jnp.floor(last + unsure) >= jnp.ceil(first - unsure)
    return inside | ~jnp.isfinite(x.lo) | ~jnp.isfinite(x.hi)


def tan(x: Interval) -> Interval:
    slack = 4 * _ULPS * jnp.finfo(x.dtype).eps * jnp.minimum(1.0, x.magnitude)
    between = lambda x: _increasing(jnp.tan, x) + Interval(-slack, slack)
    return _where_defined(~_passes(x, 0.5, pi), x, between, 0.0)


def abs(x: Interval) -> Interval:
    least = jnp.where(x.contains(0), 0.0, jnp.minimum(jnp.abs(x.lo), jnp.abs(x.hi)))
    return Interval(least, x.magnitude)


def max(x: Interval, y: Interval) -> Interval:
    return Interval(jnp.maximum(x.lo, y.lo), jnp.maximum(x.hi, y.hi))


def min(x: Interval, y: Interval) -> Interval:
    return Interval(jnp.minimum(x.lo, y.lo), jnp.minimum(x.hi, y.hi))


def integer_pow(x: Interval, y: int) -> Interval:
    """x^y; even powers know that they are not negative."""
    if y < 0:
        return 1 / integer_pow(x, -y)
    if y == 0:
        return where(x.known, Interval.point(jnp.ones_like(x.lo)), undefined(x))
    base = abs(x) if y % 2 == 0 else x
    ulps = 2 * y
    lo, hi = base.lo**y, base.hi**y
    lo = jnp.where(base.lo == 0, 0.0, below(lo, ulps))
    hi = jnp.where(base.hi == 0, 0.0, above(hi, ulps))
    return Interval(jnp.maximum(lo, 0.0) if y % 2 == 0 else lo, hi)


def pow(x: Interval, y: Interval) -> Interval:
    """x^y of positive x, which is monotone in both."""

    def apply(x: Interval) -> Interval:
        pairs = [(a, b) for a in (x.lo, x.hi) for b in (y.lo, y.hi)]
        ends = jnp.stack([a**b for a, b in pairs])
        # The power of a float32 that overflows loses digits in its logarithm.
        sizes = jnp.stack([jnp.abs(jnp.log2(a) * b) for a, b in pairs])
        ulps = _ULPS * (1 + jnp.minimum(sizes.max(0), _LARGEST_ARGUMENT))
        return Interval(jnp.maximum(below(ends.min(0), ulps), 0.0), above(ends.max(0), ulps))

    return _where_defined((x.lo > 0) & y.known, x, apply, 1.0)


def atan2(y: Interval, x: Interval) -> Interval:
    """The angle of the points of a box that does not reach the negative x axis."""
    right = x.lo > 0
    beside = ~right & ((y.lo > 0) | (y.hi < 0))
    one = Interval.point(jnp.ones_like(x.lo))
    slope = atan(y / where(right, x, one))
    quarter = jnp.copysign(jnp.full_like(x.lo, pi / 2), y.lo)
    turned = Interval(below(quarter), above(quarter)) - atan(x / where(beside, y, one))
    whole = Interval(below(jnp.full_like(x.lo, -pi)), above(jnp.full_like(x.hi, pi)))
    found = where(right, slope, where(beside, turned, whole))
    return where(y.known & x.known, found, undefined(found))
