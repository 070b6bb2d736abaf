"""Polynomials as text that a person reads."""

from collections.abc import Sequence

import numpy as np

from mvopt.calculus.monomials import Monomials

_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_SHOWN = 12  # terms that are printed, and outputs


def polynomial(
    coefficients: np.ndarray, table: Monomials, at: np.ndarray, variables: Sequence[str]
) -> str:
    """`1 + 2 (x − 0.5) − 3 (x − 0.5)² + O(3)` from (N,) coefficients."""
    steps = [_step(name, place) for name, place in zip(variables, at, strict=True)]
    shown = [
        k for k in range(table.size) if coefficients[k] != 0 or not np.isfinite(coefficients[k])
    ]
    text = ""
    for k in shown[:_SHOWN]:
        factors = [
            step + (str(int(power)).translate(_RAISED) if power > 1 else "")
            for step, power in zip(steps, table.powers[k], strict=True)
            if power
        ]
        text += _term(float(coefficients[k]), factors, not text)
    if len(shown) > _SHOWN:
        text += f" + … ({len(shown)} terms)"
    return f"{text or '0'} + O({_remainder(steps, table.order + 1)})"


def _step(name: str, place: float) -> str:
    if place == 0:
        return name
    return f"({name} {'−' if place > 0 else '+'} {abs(place):.6g})"


def _term(coefficient: float, factors: list[str], first: bool) -> str:
    size = "" if abs(coefficient) == 1 and factors else f"{abs(coefficient):.6g}"
    body = " ".join(filter(None, [size, *factors]))
    negative = coefficient < 0
    if first:
        return f"−{body}" if negative else body
    return f" − {body}" if negative else f" + {body}"


def _remainder(steps: list[str], order: int) -> str:
    step = steps[0] if len(steps) == 1 else "h"
    return step + (str(order).translate(_RAISED) if order > 1 else "")
