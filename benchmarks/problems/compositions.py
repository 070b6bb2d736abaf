"""Random compositions of the functions that enclosures have rules for, with boxes to try them on.

A composition is data, so that one compiled program serves all of them.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

# Each is defined for all numbers; where one is not smooth, or cannot be, it says so itself.
UNARY: dict[str, Callable[[Any], Any]] = {
    "abs": jnp.abs,
    "acos": lambda y: jnp.arccos(0.9 * jnp.sin(y)),
    "acosh": lambda y: jnp.arccosh(2 + y * y),
    "asin": lambda y: jnp.arcsin(0.9 * jnp.cos(y)),
    "asinh": jnp.arcsinh,
    "atan": jnp.arctan,
    "atanh": lambda y: jnp.arctanh(0.8 * jnp.tanh(y)),
    "cbrt": lambda y: jnp.cbrt(2 + jnp.sin(y)),
    "cos": jnp.cos,
    "cosh": lambda y: jnp.cosh(jnp.arctan(y)),
    "cube": lambda y: jnp.sin(y) ** 3,
    "erf": jax.scipy.special.erf,
    "erfc": jax.scipy.special.erfc,
    "exp": lambda y: jnp.exp(-y * y),
    "expm1": lambda y: jnp.expm1(jnp.sin(y)),
    "inner jit": jax.jit(lambda y: y * jnp.exp(-jnp.abs(y))),
    "log": lambda y: jnp.log(1.5 + y * y),
    "log1p": lambda y: jnp.log1p(y * y),
    "logistic": jax.nn.sigmoid,
    "power": lambda y: (1 + y * y) ** -0.3,
    "power of itself": lambda y: (2 + jnp.sin(y)) ** (1 + 0.1 * y),
    "reciprocal": lambda y: 1 / (1.3 + y * y),
    "rsqrt": lambda y: lax.rsqrt(2 + jnp.cos(y)),
    "select": lambda y: jnp.where(y > 0.3, y, 0.5 * y + 0.15),
    "sin": jnp.sin,
    "sinh": lambda y: jnp.sinh(jnp.arctan(y)),
    "sqrt": lambda y: jnp.sqrt(1 + y * y),
    "square": jnp.square,
    "tan": lambda y: jnp.tan(0.7 * jnp.sin(y)),
    "tanh": jnp.tanh,
}
BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda a, b: a + b,
    "atan2": lambda a, b: jnp.arctan2(a, 1 + b * b),
    "concatenate": lambda a, b: jnp.prod(jnp.concatenate([a[None], 1 + b[None]])[::-1]),
    "divide": lambda a, b: a / (1.2 + b * b),
    "dot": lambda a, b: jnp.dot(jnp.stack([a, b, a]), jnp.stack([b, a, 0.5 * a])),
    "maximum": jnp.maximum,
    "multiply": lambda a, b: a * b,
    "subtract": lambda a, b: a - b,
}


class Composition(NamedTuple):
    """What is applied one after the other to x, (2,), and a box of such x."""

    unary: np.ndarray  # (depth,), places in UNARY
    binary: np.ndarray  # in BINARY
    operand: np.ndarray  # what the result is combined with: x[0], x[1], or what there was
    scale: np.ndarray
    lower: np.ndarray
    upper: np.ndarray

    @property
    def name(self) -> str:
        """The functions in their order."""
        pairs = zip(self.unary, self.binary, strict=True)
        return ", ".join(f"{list(UNARY)[u]} {list(BINARY)[b]}" for u, b in pairs)


def value(x: Any, composition: Composition) -> Any:
    """The composition at x."""

    def further(y: Any, step: tuple) -> tuple[Any, None]:
        unary, binary, operand, scale = step
        u = lax.switch(unary, tuple(UNARY.values()), scale * y)
        other = lax.select_n(operand, x[0], x[1], y)
        return lax.switch(binary, tuple(BINARY.values()), u, other), None

    return lax.scan(further, x[0], composition[:4])[0]


def draw(seed: int, count: int, depth: int, dtype: Any) -> list[Composition]:
    """`count` of them, each of as many functions of one number as of two."""
    rng = np.random.default_rng(seed)
    return [_drawn(rng, depth, dtype) for _ in range(count)]


def _drawn(rng: np.random.Generator, depth: int, dtype: Any) -> Composition:
    unary, binary, operand = (
        rng.integers(choices, size=depth, dtype=np.int32)
        for choices in (len(UNARY), len(BINARY), 3)
    )
    scale = rng.uniform(0.3, 1.5, depth)
    center, width = rng.uniform(-2, 2, 2), 10 ** rng.uniform(-2, 0, 2)
    numbers = (scale, center - width / 2, center + width / 2)
    return Composition(unary, binary, operand, *(each.astype(dtype) for each in numbers))
