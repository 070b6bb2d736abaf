"""What random problems share: parameters of any order of magnitude, and points unsorted."""

import numpy as np


def log_uniform(rng, low, high):
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def sign(rng):
    return rng.choice([-1.0, 1.0])


def height(rng, sy):
    """A number of either sign, of the order of `sy`."""
    return sign(rng) * sy * log_uniform(rng, 0.1, 10)


def abscissa(rng, low, high, least=8):
    """`least` to 40 points from `low` to `high`, in even, quadratic or random spacing."""
    num = rng.integers(least, 41)
    even = np.linspace(0, 1, num)
    spaced = [even, even**2, np.sort(rng.uniform(0, 1, num))][rng.integers(3)]
    return rng.permutation(low + (high - low) * spaced)


def unit_interval(rng, least=8):
    """The lower end of an interval of length one, and points in it."""
    low = rng.uniform(-3, 3)
    return low, abscissa(rng, low, low + 1, least)
