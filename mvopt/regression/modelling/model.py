"""A model of a curve: its formula, the names of its parameters, and its first guess."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, overload

import jax
import jax.numpy as jnp

from mvopt.regression.modelling.composite import joined, parts_of, prefixed
from mvopt.regression.modelling.grid import Points

Array = jax.Array


@dataclass(frozen=True)
class Model:
    """A named model, called as `model(x, params)`.

    `function(x, *params)` evaluates it, `guess_function(points)` returns a start, `meanings` says
    what each parameter is. The formula calls the independent variables by `x_names`. Models are
    equal when name and function are, so that a model can be a static argument of `jax.jit`.

    `+` and `*` join models; `model(prefix="a_")` is a copy whose parameters have other names.
    """

    name: str
    names: tuple[str, ...] = field(compare=False)
    formula: str = field(compare=False)
    function: Callable[..., Array]
    guess_function: Callable[[Points], Array] = field(compare=False, repr=False)
    source: str = field(compare=False)
    num_x: int = field(default=1, compare=False)
    meanings: tuple[str, ...] = field(default=(), compare=False, repr=False)
    x_names: tuple[str, ...] = field(default=("x",), compare=False, repr=False)

    @overload
    def __call__(self, x: Any, params: Any) -> Array: ...

    @overload
    def __call__(self, *, prefix: str = "") -> "Model": ...

    def __call__(self, x: Any = None, params: Any = None, *, prefix: str = "") -> Any:
        """Values of the model, shape (m,); without x and params the model, its names prefixed.

        `x` is (m,), or for `num_x` > 1 an array (num_x, m) or a sequence of num_x arrays (m,).
        `params` is an array (n,) or a sequence in the order of `names`, or a mapping by name.
        Raises ValueError where the parameters are not those of the model.
        """
        if x is None and params is None:
            return replace(self, **prefixed(self, prefix)) if prefix else self
        return self.function(coordinates(x), *self._values(params))

    def __add__(self, other: "Model") -> "Model":
        return self._joined("+", other)

    def __mul__(self, other: "Model") -> "Model":
        return self._joined("*", other)

    def _joined(self, operation: str, other: "Model") -> "Model":
        if not isinstance(other, Model):
            return NotImplemented
        parts = parts_of(self, operation) + parts_of(other, operation)
        return Model(**joined(operation, parts))

    @property
    def parts(self) -> tuple["Model", ...]:
        """The models of which this one is the sum or the product, or itself."""
        return parts_of(self)

    def evaluate_parts(self, x: Any, params: Any) -> dict[str, Array]:
        """The curve of each part, (m,), by the name of the part; arguments as in a call."""
        values = iter(self._values(params))
        pieces = [[next(values) for _ in part.names] for part in self.parts]
        return {part.name: part(x, own) for part, own in zip(self.parts, pieces, strict=True)}

    def guess(self, x: Any, y: Any, mask: Any = None) -> Array:
        """Start for a fit, shape (n,), in the floating-point dtype of the data.

        `x` as in a call, `y` (m,), `mask` (m,) is True for the points to use. Points may come in
        any order. Points that are not finite are left out; where none is left, or where the data
        determine nothing, the values returned are arbitrary.
        """
        return guess_by(self.guess_function, coordinates(x), jnp.asarray(y), mask)

    def _values(self, params: Any) -> list[Any]:
        if isinstance(params, Mapping):
            if set(params) != set(self.names):
                raise ValueError(
                    f"{self.name} has the parameters {', '.join(self.names)}; "
                    f"given: {', '.join(map(str, params))}"
                )
            return [params[name] for name in self.names]
        if len(params) != len(self.names):
            raise ValueError(
                f"{self.name} has {len(self.names)} parameters ({', '.join(self.names)}); "
                f"given: {len(params)}"
            )
        return [params[i] for i in range(len(self.names))]


@partial(jax.jit, static_argnums=0)  # a grid search step by step costs a second, not a millisecond
def guess_by(guess_function: Callable[[Points], Array], x: Array, y: Array, mask: Any) -> Array:
    """What a guess function says of data as they come, (n,); see `Model.guess`."""
    dtype = jnp.result_type(x, y, float)
    x, y = x.astype(dtype), y.astype(dtype)
    used = jnp.isfinite(y) & jnp.all(jnp.isfinite(jnp.atleast_2d(x)), axis=0)
    if mask is not None:
        used = used & jnp.asarray(mask, bool)
    anywhere = jnp.where(jnp.any(used), jnp.take(x, jnp.argmax(used), axis=-1), 1)
    x = jnp.where(used, x, anywhere[..., None])
    points = Points(x, jnp.where(used, y, 0), used.astype(dtype))
    return guess_function(points).astype(dtype)


def coordinates(x: Any) -> Array:
    """x as one array, (m,) or (num_x, m)."""
    if isinstance(x, tuple | list):
        return jnp.stack([jnp.asarray(axis) for axis in x])
    return jnp.asarray(x)
