"""Every operation that enclosures have a rule for, beside poles, jumps, kinks and ends of domains.

A function is written once for two libraries: JAX's operations, which are bounded, and NumPy's in
extended precision, which say what the values are; what has no value there, as 1/0, is NaN.
"""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
from jax import lax

Function = Callable[[Any, Any, Any], Any]  # of a library, the values a, and the number u


class Case(NamedTuple):
    """An operation on values a that are singular at u = 0, and where it is singular itself."""

    function: Function
    points: tuple[float, ...] = ()


class Boxes(NamedTuple):
    """(B,) each: lower ≤ x ≤ upper about a singular point; u is x − shift, `at` for a series."""

    lower: np.ndarray
    upper: np.ndarray
    shift: np.ndarray
    at: np.ndarray
    singular: np.ndarray


def values(case: Case, x: Any, shift: Any) -> Any:
    """(5,) of a number x: what is to be bounded."""
    u = x - shift
    return case.function(JAX, jnp.stack(_singular(JAX, u)), u)


def exact_values(case: Case, x: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """(5, ...) of numbers x: the same to 19 digits."""
    u = np.asarray(x, np.longdouble) - np.asarray(shift, np.longdouble)
    with np.errstate(all="ignore"):
        found = case.function(EXACT, np.stack(_singular(EXACT, u)), u)
    return np.broadcast_to(found, (5, *u.shape))


def _singular(m: Any, u: Any) -> list[Any]:
    """The number itself, a pole, a jump, a kink, the end of a domain with a vertical tangent."""
    return [u, m.div(1, u), m.where(u >= 0, 1.5 + 0 * u, -0.5 + 0 * u), m.abs(u), m.sqrt(u)]


def draw(points: tuple[float, ...], count: int, dtype: Any, seed: int = 0) -> Boxes:
    """A point is inside, where the box will be cut, on an end, or one rounding beside an end."""
    rng = np.random.default_rng(seed)
    one = np.dtype(dtype).type
    shift = rng.choice([0.0, 0.0, 1.0, -2.5], count).astype(dtype)
    singular = (shift + rng.choice([0.0, *points, *points], count)).astype(dtype)
    before, behind = np.nextafter(singular, one(-np.inf)), np.nextafter(singular, one(np.inf))
    reach = 10 ** rng.uniform(np.log10(np.finfo(dtype).eps), 0.5, (2, count))
    left, right = (singular - reach[0]).astype(dtype), (singular + reach[1]).astype(dtype)
    step = 2.0 ** rng.integers(-30, -4, count)
    cut = (singular - step * rng.integers(0, 65, count)).astype(dtype)
    pairs = [
        *((left, right), (cut, (cut + 64 * step).astype(dtype)), (before, behind)),
        *((singular, right), (left, singular), (singular, singular)),
        *((behind, right), (left, before), (before, right), (left, behind)),
    ]
    kind = rng.permutation(np.arange(count) % len(pairs))
    lower, upper = (np.choose(kind, [pair[side] for pair in pairs]) for side in (0, 1))
    lower, upper = np.minimum(lower, upper), np.maximum(lower, upper)
    at = lower + rng.choice([0.0, 0.5, 1.0, -0.4, 1.3], count) * (upper - lower)
    return Boxes(lower, upper, shift, at.astype(dtype), singular)


def towards(places: list[np.ndarray], lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    """(B, P), ascending: points of the boxes, nearer and nearer to places from both sides."""
    dtype = lower.dtype
    finfo, found = np.finfo(dtype), [lower, upper]
    away = [finfo.smallest_subnormal, finfo.tiny, *np.geomspace(finfo.eps, 3, 10)]
    for place in places:
        found.append(place)
        for sign in (-1, 1):
            found.append(np.nextafter(place, dtype.type(sign * np.inf)))
            found += [(place + sign * distance).astype(dtype) for distance in away]
    found += [(lower + share * (upper - lower)).astype(dtype) for share in np.linspace(0, 1, 15)]
    return np.sort(np.clip(np.stack(found, 1), lower[:, None], upper[:, None]), axis=1)


def _valued(function: Any) -> Any:
    """A function that has no value where it is infinite."""

    def one(*x: Any) -> Any:
        found = function(*x)
        return np.where(np.isinf(found), np.nan, found)

    return one


def _special(function: Any, far: tuple[int, int]) -> Any:
    """A function of mpmath, which is constant far from zero."""

    def one(x: Any) -> Any:
        if not abs(x) < 100:
            return np.longdouble(np.nan if np.isnan(x) else far[int(x > 0)])
        with mpmath.workprec(100):
            digits = mpmath.nstr(function(mpmath.mpf(np.format_float_scientific(x))), 25)
        return np.longdouble(digits)

    def many(x: Any) -> Any:
        few, places = np.unique(np.asarray(x, np.longdouble), return_inverse=True)
        return np.array([one(each) for each in few])[places].reshape(np.shape(x))

    return many


_half_turn = np.pi / 2
# Of each function its NumPy counterpart and its singular points.
_UNARY: dict[str, tuple[Any, tuple[float, ...]]] = {
    "abs": (np.abs, ()),
    "acos": (np.arccos, (-1, 1)),
    "acosh": (np.arccosh, (1, -1)),
    "asin": (np.arcsin, (-1, 1)),
    "asinh": (np.arcsinh, ()),
    "atan": (np.arctan, ()),
    "atanh": (_valued(np.arctanh), (-1, 1)),
    "cbrt": (np.cbrt, ()),
    "ceil": (np.ceil, (1, -2)),
    "cos": (np.cos, (_half_turn,)),
    "cosh": (np.cosh, (600, 80)),
    "erf": (_special(mpmath.erf, (-1, 1)), ()),
    "erfc": (_special(mpmath.erfc, (2, 0)), (8.2, 24)),
    "exp": (np.exp, (88.7228, 709.7827)),
    "exp2": (np.exp2, (120, 1000)),
    "expm1": (np.expm1, (88.7228,)),
    "floor": (np.floor, (1, -2)),
    "log": (_valued(np.log), (1,)),
    "log1p": (_valued(np.log1p), (-1,)),
    "log2": (_valued(np.log2), (1,)),
    "logistic": (lambda x: 1 / (1 + np.exp(-x)), (-88.7228,)),
    "neg": (np.negative, ()),
    "round": (np.round, (0.5, 1.5)),
    "rsqrt": (_valued(lambda x: 1 / np.sqrt(x)), ()),
    "sign": (np.sign, ()),
    "sin": (np.sin, (_half_turn,)),
    "sinh": (np.sinh, (600, 80)),
    "sqrt": (np.sqrt, ()),
    "square": (np.square, ()),
    "tan": (np.tan, (_half_turn, -_half_turn, 3 * _half_turn)),
    "tanh": (np.tanh, (9.0,)),
}


def _named(name: str) -> Function:
    return lambda m, a, u: getattr(m, name)(a)


def _joined(fold: Any) -> Any:
    return lambda a, b: fold(jnp.stack(jnp.broadcast_arrays(a, b)))


JAX = SimpleNamespace(
    **{name: getattr(lax, name, None) for name in _UNARY} | {"log2": jnp.log2, "round": jnp.round},
    add_any=lambda a, b: jax.linear_transpose(lambda t: (t, t), a)((a, b + 0 * a))[0],
    atan2=jnp.arctan2,
    clip=lambda a, least, most: lax.clamp(
        jnp.asarray(least, a.dtype), a, jnp.asarray(most, a.dtype)
    ),
    cond=lax.cond,
    cummax=_joined(lambda rows: lax.cummax(rows, 0)[1]),
    cummin=_joined(lambda rows: lax.cummin(rows, 0, reverse=True)[0]),
    cumprod=_joined(lambda rows: jnp.cumprod(rows, 0)[1]),
    cumsum=_joined(lambda rows: jnp.cumsum(rows, 0)[1]),
    div=lambda a, b: a / b,
    dot=lambda a, b, c, d: jnp.einsum(
        "ki,ki->i", *(jnp.stack(jnp.broadcast_arrays(*each)) for each in ((a, c), (b, d)))
    ),
    float=lambda truth, like: truth.astype(like.dtype),
    integer_pow=lax.integer_pow,
    is_finite=lax.is_finite,
    loop=lambda count, body, first: lax.fori_loop(0, count, lambda _, y: body(y), first),
    max=jnp.maximum,
    min=jnp.minimum,
    polynomial=getattr(lax, "polynomial", lambda x, c: c[0] + x * (c[1] + x * c[2])),
    pow=lambda a, b: lax.pow(a, b) if jnp.ndim(b) else a**b,
    product=_joined(lambda rows: rows.prod(0)),
    largest=_joined(lambda rows: rows.max(0)),
    least=_joined(lambda rows: rows.min(0)),
    total=_joined(lambda rows: rows.sum(0)),
    where=jnp.where,
)
EXACT = SimpleNamespace(
    **{name: function for name, (function, _) in _UNARY.items()},
    add_any=np.add,
    atan2=np.arctan2,
    clip=np.clip,
    cond=lambda truth, yes, no, a: np.where(truth, yes(a), no(a)),
    cummax=np.maximum,
    cummin=np.minimum,
    cumprod=np.multiply,
    cumsum=np.add,
    div=lambda a, b: np.where(b == 0, np.nan, a / np.where(b == 0, 1, b)),
    dot=lambda a, b, c, d: a * b + c * d,
    float=lambda truth, like: truth.astype(like.dtype),
    integer_pow=lambda a, k: np.where((a == 0) & (k < 0), np.nan, a ** np.longdouble(k)),
    is_finite=np.isfinite,
    loop=lambda count, body, first: body(body(first)) if count == 2 else body(first),
    max=np.maximum,
    min=np.minimum,
    polynomial=lambda x, c: c[0] + x * (c[1] + x * c[2]),
    pow=lambda a, b: np.where((a == 0) & (b < 0), np.nan, np.power(a, b)),
    product=np.multiply,
    largest=np.maximum,
    least=np.minimum,
    total=np.add,
    where=np.where,
)

# By the operation's name, with a number where there are several of one operation.
CASES: dict[str, Case] = {
    **{name: Case(_named(name), points) for name, (_, points) in _UNARY.items() if name != "log2"},
    "add": Case(lambda m, a, u: a + u),
    "add_any": Case(lambda m, a, u: m.add_any(a, u)),
    "and": Case(lambda m, a, u: m.where((u >= 0) & (u < 0.5), 1 + a, u), (0.5,)),
    "atan2": Case(lambda m, a, u: m.atan2(a, u - 1), (1,)),
    "atan2 1": Case(lambda m, a, u: m.atan2(u, a - 2), (2, -2)),
    "clamp": Case(lambda m, a, u: m.clip(a, -1, 1), (-1, 1)),
    "cond": Case(lambda m, a, u: m.cond(u >= 0, lambda a: 2 * a, lambda a: 3 - a, a)),
    "cond 1": Case(lambda m, a, u: m.cond(u > 0, lambda a: 2 + 0 * a, lambda a: 3 + 0 * a, a)),
    "convert_element_type": Case(lambda m, a, u: a * (1 + m.float(u > 0, u))),
    "convert_element_type 1": Case(lambda m, a, u: 0 * a + m.float(m.where(u < 0, 1, 3), u)),
    "cummax": Case(lambda m, a, u: m.cummax(a, u), (1,)),
    "cummin": Case(lambda m, a, u: m.cummin(a, u), (1,)),
    "cumprod": Case(lambda m, a, u: m.cumprod(a, u)),
    "cumsum": Case(lambda m, a, u: m.cumsum(a, u)),
    "div": Case(lambda m, a, u: m.div(a, u - 1), (1,)),
    "div 1": Case(lambda m, a, u: m.div(u, m.sin(a)), (np.pi,)),
    "dot_general": Case(lambda m, a, u: m.dot(a, u, 1 + u, a)),
    "eq": Case(lambda m, a, u: m.where(a == 0.5, 3.0, u), (0.5, 0.25, 2)),
    "ge": Case(lambda m, a, u: m.where(a >= 0.5, a, 2 + u), (0.5, 0.25, 2)),
    "gt": Case(lambda m, a, u: m.where(a > 0.5, a, 2 + u), (0.5, 0.25, 2)),
    "integer_pow": Case(lambda m, a, u: m.integer_pow(a, -1)),
    "integer_pow 1": Case(lambda m, a, u: m.integer_pow(a, 3) - m.integer_pow(a, -2)),
    "is_finite": Case(lambda m, a, u: m.where(m.is_finite(a), 1 + u, a)),
    "le": Case(lambda m, a, u: m.where(a <= 0.5, a, 2 + u), (0.5, 0.25, 2)),
    "log2": Case(lambda m, a, u: m.log2(a), (1,)),
    "lt": Case(lambda m, a, u: m.where(a < 0.5, a, 2 + u), (0.5, 0.25, 2)),
    "max": Case(lambda m, a, u: m.max(a, u), (1,)),
    "min": Case(lambda m, a, u: m.min(a, u), (1,)),
    "mul": Case(lambda m, a, u: a * u),
    "mul 1": Case(lambda m, a, u: a * a),
    "ne": Case(lambda m, a, u: m.where(a != 0.5, u, 3.0), (0.5, 0.25, 2)),
    "not": Case(lambda m, a, u: m.where(~(u >= 0), 1 + a, u)),
    "or": Case(lambda m, a, u: m.where((u >= 0) | (u < -0.5), 1 + a, u), (-0.5,)),
    "polynomial": Case(lambda m, a, u: m.polynomial(a, (1.0, -2.0, 0.5))),
    "pow": Case(lambda m, a, u: m.pow(a, 1.5)),
    "pow 1": Case(lambda m, a, u: m.pow(a, -0.5)),
    "pow 2": Case(lambda m, a, u: m.pow(a, a)),
    "pow 3": Case(lambda m, a, u: m.pow(2 + 0 * a, a)),
    "reduce_max": Case(lambda m, a, u: m.largest(a, u), (1,)),
    "reduce_min": Case(lambda m, a, u: m.least(a, u), (1,)),
    "reduce_prod": Case(lambda m, a, u: m.product(a, u)),
    "reduce_sum": Case(lambda m, a, u: m.total(a, u)),
    "scan": Case(lambda m, a, u: m.loop(2, lambda y: 0.5 * y * a + u, a)),
    "select_n": Case(lambda m, a, u: m.where(u > 0, a, 2.0)),
    "select_n 1": Case(lambda m, a, u: m.where(u <= 0, 5.0, 1.0) + 0 * a),
    "sub": Case(lambda m, a, u: a - u),
}

# Functions of u alone.
COMPOSITIONS: dict[str, Case] = {
    "sin/cos": Case(lambda m, a, u: m.div(m.sin(u), m.cos(u)), (_half_turn,)),
    "1/(u - 1)": Case(lambda m, a, u: m.div(1, u - 1), (1,)),
    "log sin": Case(lambda m, a, u: m.log(m.sin(u)), (np.pi,)),
    "half a circle": Case(lambda m, a, u: m.sqrt(1 - u * u), (-1, 1)),
    "tan squared": Case(lambda m, a, u: m.tan(u) ** 2, (_half_turn,)),
    "the power of itself": Case(lambda m, a, u: m.pow(u, u)),
    "a choice": Case(lambda m, a, u: m.where(u > 0, m.log(u), 0)),
    "a safe choice": Case(lambda m, a, u: m.where(u > 0, m.log(m.where(u > 0, u, 1)), 0)),
    "floor/u": Case(lambda m, a, u: m.div(m.floor(u), u), (1,)),
    "atan and tanh of poles": Case(lambda m, a, u: m.atan(m.div(1, u)) + m.tanh(m.tan(u)), (1.5,)),
}
# One after the other they make a composition of numbers y and u.
STEPS: tuple[Function, ...] = (
    lambda m, y, u: m.div(1, y),
    lambda m, y, u: m.log(y),
    lambda m, y, u: m.sqrt(y),
    lambda m, y, u: m.floor(y),
    lambda m, y, u: m.abs(y),
    lambda m, y, u: m.where(y > 0, y, 2 * y - 1),
    lambda m, y, u: m.atan2(y, u - 1),
    lambda m, y, u: m.cbrt(y),
    lambda m, y, u: m.pow(y, y),
    lambda m, y, u: m.div(y, m.sin(u)),
    lambda m, y, u: m.float(y >= 0, y) - u,  # the first so many are singular at y = 0
    lambda m, y, u: m.tan(y),
    lambda m, y, u: m.exp(y),
    lambda m, y, u: m.sin(y),
    lambda m, y, u: m.atan(y),
    lambda m, y, u: m.tanh(y),
    lambda m, y, u: m.asin(y),
    lambda m, y, u: y * u,
    lambda m, y, u: y + u,
    lambda m, y, u: m.max(y, u),
    lambda m, y, u: 1 - y * y,
    lambda m, y, u: m.clip(y, -1, 1),
)
_SINGULAR_STEPS = 11


def draw_steps(count: int, length: int, seed: int = 0) -> np.ndarray:
    """(count, length) places in STEPS, of which the first one is singular at zero."""
    rng = np.random.default_rng(seed)
    steps = rng.integers(0, len(STEPS), (count, length), dtype=np.int32)
    steps[:, 0] = np.arange(count) % _SINGULAR_STEPS
    return steps


def composed(x: Any, shift: Any, steps: Any) -> Any:
    """The composition at a number x."""
    u = x - shift
    branches = [lambda y, step=step: step(JAX, y, u) for step in STEPS]
    return lax.scan(lambda y, k: (lax.switch(k, branches, y), None), u, steps)[0]


def exact_composed(x: np.ndarray, shift: np.ndarray, steps: np.ndarray) -> np.ndarray:
    """(B, P) of (B, P) numbers, each row by its own composition."""
    u = np.asarray(x, np.longdouble) - np.asarray(shift, np.longdouble)[:, None]
    y = u.copy()
    with np.errstate(all="ignore"):
        for row, places in enumerate(steps):
            for k in places:
                y[row] = STEPS[k](EXACT, y[row], u[row])
    return y
