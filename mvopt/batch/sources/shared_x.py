"""Abscissas that all data sets share, as numbers of the configuration."""

from typing import Any

import numpy as np

from mvopt._errors import InputError


def shared_x(value: Any, points: int) -> np.ndarray:
    """Return x (k, points) from numbers; by default 0, 1, 2, ..."""
    if not value:
        return np.arange(points, dtype=float)[None]
    rows = value if isinstance(value[0], list) else [value]
    for row in rows:
        if len(row) != points:
            raise InputError(f"x has {len(row)} numbers for {points} points: give as many")
    numbers = np.asarray(rows, float)
    if not np.isfinite(numbers).all():
        raise InputError("x holds a number that is not finite: leave that point out")
    return numbers
