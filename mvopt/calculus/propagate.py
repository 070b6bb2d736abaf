"""A function carried out on power series: its jaxpr, one rule for each operation.

What does not depend on the expansion variables stays a plain array (or interval). Operations that
only move numbers act on all coefficients alike; the rules for the others are in `elementary.py`,
`choices.py` and `collective.py`.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from mvopt._jaxpr import INLINED, bind, is_literal
from mvopt.calculus import choices, collective, elementary
from mvopt.calculus.interval import Interval, normal
from mvopt.calculus.monomials import monomials
from mvopt.calculus.series import SeriesRules
from mvopt.calculus.values import Rule, UnsupportedError, Value

# A rule for derivatives does not matter here: the function itself is followed.
_INLINED = INLINED | {"custom_jvp_call": "call_jaxpr", "custom_vjp_call": "call_jaxpr"}
_STRUCTURAL = frozenset(
    "broadcast_in_dim concatenate copy dynamic_slice expand_dims gather pad reshape rev slice "
    "split squeeze stop_gradient transpose unstack stack".split()
)
_CONSTANTS = monomials(1, 0)
_ENTRY_BY_ENTRY = elementary.RULES | choices.RULES
_RULES = _ENTRY_BY_ENTRY | collective.RULES
# The rules for whole numbers, and those for truths, that may be uncertain.
_OF_CHOICES = frozenset("cond convert_element_type eq ge gt le lt ne scan select_n".split())
_OF_TRUTHS = _OF_CHOICES | {"and", "not", "or"}


def propagate(fn: Callable[[Any], Any], rules: SeriesRules, x: Any, enclose: bool) -> list[Any]:
    """The series of each leaf of `fn` for the series `x`, (N, n), of its flat argument.

    enclose: compute with intervals.
    """
    closed = jax.make_jaxpr(fn)(jax.ShapeDtypeStruct(x.shape[1:], x.dtype))
    interpreter = _Interpreter(rules, enclose)
    found = interpreter.run(closed, [Value(x, True)])
    return [interpreter.lifted(value) for value in found]


class _Interpreter(NamedTuple):
    rules: SeriesRules
    enclose: bool

    def run(self, closed: Any, args: Sequence[Value]) -> list[Value]:
        jaxpr, consts = getattr(closed, "jaxpr", closed), getattr(closed, "consts", ())
        env: dict[Any, Value] = dict(zip(jaxpr.invars, args, strict=True))
        env.update(
            (var, self.constant(const)) for var, const in zip(jaxpr.constvars, consts, strict=True)
        )

        def read(atom: Any) -> Value:
            return self.constant(atom.val) if is_literal(atom) else env[atom]

        for equation in jaxpr.eqns:
            values = self.apply(equation, [read(atom) for atom in equation.invars])
            env.update(zip(equation.outvars, values, strict=True))
        return [read(atom) for atom in jaxpr.outvars]

    def constant(self, value: Any) -> Value:
        """Numbers that stand in the function are what they are: an interval without width."""
        value = jnp.asarray(value)
        real = jnp.issubdtype(value.dtype, jnp.floating)
        return Value(normal(Interval.point(value)) if self.enclose and real else value, False)

    def lifted(self, value: Value) -> Any:
        """As a series."""
        return value.data if value.series else self.rules.of_constant(value.data)

    def apply(self, equation: Any, values: list[Value]) -> list[Value]:
        name, params = equation.primitive.name, equation.params
        if name in _INLINED:
            return self.run(params[_INLINED[name]], values)
        if not any(value.series or isinstance(value.data, Interval) for value in values):
            return [self.constant(each) for each in bind(equation, [v.data for v in values])]
        uncertain = [_uncertain(value) for value in values]
        if name in _STRUCTURAL:
            if name in ("gather", "dynamic_slice") and any(uncertain[1:]):
                raise UnsupportedError(name, " from a place that depends on a comparison")
            return self.moved(equation, values)
        rule = _RULES.get(name)
        if rule is None:
            raise UnsupportedError(name)
        if any(uncertain) and name not in (_OF_TRUTHS if _logical(equation) else _OF_CHOICES):
            raise UnsupportedError(name, " of whole numbers that depend on a comparison")
        if name in _ENTRY_BY_ENTRY:
            values = [_aligned(value, equation.outvars[0].aval.ndim) for value in values]
        if any(uncertain) or any(value.series for value in values):
            return rule(self, equation, values)
        return self.of_constants(rule, equation, values)

    def of_constants(self, rule: Rule, equation: Any, values: list[Value]) -> list[Value]:
        """Intervals that depend on nothing: series of degree zero."""
        plain = _Interpreter(SeriesRules(_CONSTANTS), self.enclose)
        data = [Value(v.data[None], True) if isinstance(v.data, Interval) else v for v in values]
        out = rule(plain, equation, data)
        return [Value(v.data[0], False) if v.series else v for v in out]

    def moved(self, equation: Any, values: list[Value]) -> list[Value]:
        """An operation that moves numbers: on each coefficient, and on both ends of an interval."""
        mixed = any(value.series for value in values)
        moving = [
            v.series or jnp.issubdtype(v.data.dtype, jnp.floating) for v in values
        ]  # indices stay
        data = [
            self.lifted(v) if mixed and m else v.data for v, m in zip(values, moving, strict=True)
        ]
        axes = [0 if mixed and m else None for m in moving]

        def ends(which: str) -> list[Any]:
            arrays = [getattr(d, which) if isinstance(d, Interval) else d for d in data]
            one = lambda *arrays: bind(equation, arrays)
            return jax.vmap(one, in_axes=axes)(*arrays) if mixed else one(*arrays)

        if any(isinstance(d, Interval) for d in data):
            out = [Interval(a, b) for a, b in zip(ends("lo"), ends("hi"), strict=True)]
        else:
            out = ends("")
        return [Value(each, mixed) for each in out]


def _uncertain(value: Value) -> bool:
    """Whether it is a truth, or chosen by one, that depends on intervals."""
    return isinstance(value.data, Interval) and not jnp.issubdtype(value.data.dtype, jnp.floating)


def _logical(equation: Any) -> bool:
    return all(atom.aval.dtype == bool for atom in equation.invars)


def _aligned(value: Value, ndim: int) -> Value:
    """A number beside arrays, with axes of length one."""
    if value.data.ndim > int(value.series):
        return value
    return Value(
        jax.tree.map(lambda leaf: leaf.reshape(*leaf.shape, *[1] * ndim), value.data), value.series
    )
