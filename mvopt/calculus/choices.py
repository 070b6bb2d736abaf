"""Comparisons, choices and functions that jump, as operations of a jaxpr on power series.

A choice goes by the constant term: where an interval leaves it open, the constant term is the hull
of both sides and the rest is unknown.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from mvopt._jaxpr import bind
from mvopt.calculus import interval
from mvopt.calculus.interval import Interval
from mvopt.calculus.series import SeriesRules, joined, library
from mvopt.calculus.values import Interpreter, Rule, UnsupportedError, Value, of_one


def _compared(name: str) -> Rule:
    """A comparison goes by the constant terms: of intervals it is certain, possible, or neither."""

    def rule(interpreter: Interpreter, equation: Any, values: list[Value]) -> list[Value]:
        first = [value.data[0] if value.series else value.data for value in values]
        compare = getattr(library(first[0]), name)
        return [Value(compare(*first), False)]

    return rule


def _chosen(certain: Any, possible: Any, yes: Any, no: Any) -> Any:
    """Series `yes` where that is certain, `no` where it is impossible, else what both share."""
    if not isinstance(yes, Interval):
        return jnp.where(certain, yes, no)
    open_ = possible & ~certain
    first = interval.hull(yes[:1], no[:1])
    either = joined([first, interval.everything(yes[1:])])
    return interval.where(open_, either, interval.where(certain, yes, no))


def _selected(interpreter: Interpreter, equation: Any, values: list[Value]) -> list[Value]:
    which, *cases = values
    cases = [interpreter.lifted(case) for case in cases]
    if isinstance(which.data, Interval):
        certain, possible = which.data.lo, which.data.hi
        return [Value(_chosen(certain, possible, cases[1], cases[0]), True)]
    ends = [jax.tree.leaves(case) for case in cases]
    axis = jnp.broadcast_to(which.data, ends[0][0].shape[1:])
    out = [
        jax.vmap(lambda *one: lax.select_n(axis, *one))(*each) for each in zip(*ends, strict=True)
    ]
    return [Value(jax.tree.unflatten(jax.tree.structure(cases[0]), out), True)]


def larger(u: Any, v: Any, sign: float) -> Any:
    """The larger (or smaller) of two series, where it is the same all over."""
    if not isinstance(u, Interval):
        return jnp.where(u[0] > v[0] if sign > 0 else u[0] < v[0], u, v)
    pick = interval.max if sign > 0 else interval.min
    certain = u.lo[0] >= v.hi[0] if sign > 0 else u.hi[0] <= v.lo[0]
    possible = u.hi[0] > v.lo[0] if sign > 0 else u.lo[0] < v.hi[0]
    found = _chosen(certain, possible, u, v)
    return joined([pick(u[:1], v[:1]), found[1:]])


def _extreme(sign: float) -> Rule:
    def rule(interpreter: Interpreter, equation: Any, values: list[Value]) -> list[Value]:
        u, v = (interpreter.lifted(value) for value in values)
        return [Value(larger(u, v, sign), True)]

    return rule


def _absolute(rules: SeriesRules, u: Any) -> Any:
    if not isinstance(u, Interval):
        return jnp.where(u[0] < 0, -u, u)
    found = _chosen(u.lo[0] >= 0, u.hi[0] > 0, u, -u)
    return joined([interval.abs(u[:1]), found[1:]])


def _stepped(interpreter: Interpreter, equation: Any, values: list[Value]) -> list[Value]:
    """Functions without a slope: sign, floor and the like, constant where they do not jump."""
    first = values[0].data[0] if values[0].series else values[0].data
    if not isinstance(first, Interval):
        return [Value(bind(equation, [first])[0], False)]
    ends = Interval(bind(equation, [first.lo])[0], bind(equation, [first.hi])[0])
    series = interpreter.rules.of_constant(ends)
    jumps = ends.lo != ends.hi
    rest = interval.where(jumps, interval.everything(series[1:]), series[1:])
    return [Value(joined([series[:1], rest]), True)]


def _branched(interpreter: Interpreter, equation: Any, values: list[Value]) -> list[Value]:
    """Both branches, of which one is chosen."""
    index, *operands = values
    branches = equation.params["branches"]
    if len(branches) != 2:
        raise UnsupportedError("cond", " with more than two branches")
    no, yes = (interpreter.run(branch, operands) for branch in branches)
    data = index.data
    certain, possible = (data.lo, data.hi) if isinstance(data, Interval) else (data, data)
    certain, possible = certain.astype(bool), possible.astype(bool)
    return [
        Value(_chosen(certain, possible, interpreter.lifted(a), interpreter.lifted(b)), True)
        for a, b in zip(yes, no, strict=True)
    ]


RULES: dict[str, Rule] = {
    "abs": of_one(_absolute),
    "ceil": _stepped,
    "cond": _branched,
    "floor": _stepped,
    "max": _extreme(1.0),
    "min": _extreme(-1.0),
    "round": _stepped,
    "select_n": _selected,
    "sign": _stepped,
    **{name: _compared(name) for name in ("eq", "ne", "lt", "le", "gt", "ge")},
}
