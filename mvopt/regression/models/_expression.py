"""A model from the text of its formula."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np

from mvopt.regression.expression import Expression, parse
from mvopt.regression.guessing import Search
from mvopt.regression.modelling.model import Model

Array = jax.Array


@dataclass(frozen=True)
class Curve:
    """The function of a model: an expression that takes its parameters one by one."""

    expression: Expression

    def __call__(self, x: Array, *params: Any) -> Array:
        """Values, shape (m,)."""
        return self.expression(x, params)


def expression(
    text: str,
    variables: tuple[str, ...] = ("x",),
    lower: Mapping[str, float] | None = None,
    upper: Mapping[str, float] | None = None,
) -> Model:
    """The model of a formula such as "a*exp(-b*x) + c"; names that are no variables are parameters.

    lower, upper: bounds of some parameters by name. The guess stays within them and is the better
    for them; a fit is bounded by its own argument `bounds`. Raises ValueError for a text that is no
    formula, one without parameters, and bounds that are none.
    """
    parsed = parse(text, tuple(variables))
    if not parsed.names:
        raise ValueError(f"there is no parameter in {text!r}: name at least one")
    low = _side("lower", parsed.names, lower, -np.inf)
    high = _side("upper", parsed.names, upper, np.inf)
    for name, least, most in zip(parsed.names, low, high, strict=True):
        if not least <= most:
            raise ValueError(f"the bounds of {name} are {least:g} and {most:g}: swap them")
    # The bounds tell models with different guesses apart.
    bounded = Expression(parsed.formula, parsed.variables, parsed.names, parsed.tree, low, high)
    return Model(
        name=parsed.formula,
        names=parsed.names,
        formula=parsed.formula,
        function=Curve(bounded),
        guess_function=Search(bounded, low, high),
        source="",
        num_x=len(parsed.variables),
        x_names=parsed.variables,
    )


def _side(
    what: str, names: tuple[str, ...], given: Mapping[str, float] | None, missing: float
) -> tuple[float, ...]:
    given = given or {}
    unknown = [name for name in given if name not in names]
    if unknown:
        raise ValueError(f"{what} names {unknown}, but the parameters are {list(names)}")
    return tuple(float(given.get(name, missing)) for name in names)
