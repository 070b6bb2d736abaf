"""Sums and products in doubled precision: a number as the unevaluated sum of two of its dtype.

Error-free transformations give the rounding error of an operation as a number of its own (Dekker
1971; Knuth, The Art of Computer Programming 2, section 4.2.2; Ogita, Rump and Oishi 2005).

XLA may contract a·b + c to one rounding, and may do so in one place but not in another where the
same product is used. That ruins the textbook forms, in which a rounded product appears twice. Here
every product is exact, by how its factors are split: contracted or not, it adds the same. What
is passed in must for that reason be no product itself, unless it is exact.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import lax

from mvopt._types import Array


class Doubled(NamedTuple):
    """high + low, to about twice the digits of one of them; not normalised."""

    high: Array
    low: Array

    def plus(self, number: Array) -> "Doubled":
        """The sum with numbers of single length."""
        high, low = two_sum(self.high, number)
        return Doubled(high, self.low + low)

    def rounded(self) -> Array:
        """The nearest number of single length."""
        return self.high + self.low


def two_sum(a: Array, b: Array) -> Doubled:
    """a + b exactly: the rounded sum and its error (Knuth)."""
    high = a + b
    from_b = high - a
    return Doubled(high, (a - (high - from_b)) + (b - from_b))


def two_product(a: Array, b: Array) -> Doubled:
    """a · b exactly, unless a factor is near overflow or the error underflows.

    Dekker's product, its leading part made of the partial products instead of rounded by itself.
    """
    a_high, a_low = split(a)
    b_high, b_low = split(b)
    first, last = a_high * b_high, a_low * b_low
    high = first + ((a_high * b_low + a_low * b_high) + last)
    return Doubled(high, (((first - high) + a_high * b_low) + a_low * b_high) + last)


def split(a: Array) -> tuple[Array, Array]:
    """a as a sum of two numbers of half its bits, so that products of halves are exact.

    By rounding to half the bits. Veltkamp's splitting rounds a product, and with a power of two for
    a factor, where contraction cannot harm, one half may be a bit too long.
    """
    info = jnp.finfo(a.dtype)
    high = lax.reduce_precision(a, exponent_bits=info.nexp, mantissa_bits=(info.nmant + 1) // 2 - 1)
    return high, a - high


def total(terms: Doubled) -> Doubled:
    """The sum over the leading axis, in pairs: few operations on long vectors, small errors."""
    high, low = terms
    while len(high) > 1:
        half, rest = divmod(len(high), 2)
        pairs, error = two_sum(high[:half], high[half : 2 * half])
        low = jnp.concatenate([low[:half] + low[half : 2 * half] + error, low[2 * half :]])
        high = jnp.concatenate([pairs, high[2 * half :]]) if rest else pairs
    return Doubled(high[0], low[0])
