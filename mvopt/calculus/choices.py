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
        if isinstance(first[0], Interval) and equation.invars[0] is equation.invars[1]:
            # A number beside itself: what tells a NaN from the others.
            first = [Interval.point(each.lo) for each in first]
        return [Value(compare(*first), False)]

    return rule


def _chosen(certain: Any, possible: Any, yes: Any, no: Any) -> Any:
    """Series `yes` where that is certain, `no` where it is impossible, else what both share."""
    if not isinstance(yes, Interval):
        return jnp.where(certain, yes, no)
    shape = jnp.broadcast_shapes(yes.shape, no.shape, (1, *certain.shape))
    yes, no = (jax.tree.map(lambda e: jnp.broadcast_to(e, shape), each) for each in (yes, no))
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


def _logical(combine: Any) -> Rule:
    """Of truths that may be uncertain: of what is certain, and of what is possible."""

    def rule(interpreter: Interpreter, equation: Any, values: list[Value]) -> list[Value]:
        ends = [v.data if isinstance(v.data, Interval) else Interval.point(v.data) for v in values]
        return [Value(combine(*ends), False)]

    return rule


def _finite(interpreter: Interpreter, equation: Any, values: list[Value]) -> list[Value]:
    first = values[0].data[0] if values[0].series else values[0].data
    if not isinstance(first, Interval):
        return [Value(jnp.isfinite(first), False)]
    certain = jnp.isfinite(first.lo) & jnp.isfinite(first.hi)
    return [Value(Interval(certain, jnp.ones_like(certain)), False)]


def _clamped(interpreter: Interpreter, equation: Any, values: list[Value]) -> list[Value]:
    least, x, most = (interpreter.lifted(value) for value in values)
    return [Value(larger(larger(x, least, 1.0), most, -1.0), True)]


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
    """One branch, where it is known which, else both of two, of which one is chosen."""
    index, *operands = values
    run = [
        lambda branch=branch: [
            interpreter.lifted(value) for value in interpreter.run(branch, operands)
        ]
        for branch in equation.params["branches"]
    ]
    if not isinstance(index.data, Interval):
        found = lax.switch(index.data, run)
    elif len(run) == 2:
        certain, possible = index.data.lo.astype(bool), index.data.hi.astype(bool)
        no, yes = (one() for one in run)
        found = [_chosen(certain, possible, a, b) for a, b in zip(yes, no, strict=True)]
    else:
        raise UnsupportedError("cond", " with more than two branches, chosen by a value")
    return [Value(each, True) for each in found]


RULES: dict[str, Rule] = {
    "abs": of_one(_absolute),
    "and": _logical(lambda a, b: Interval(a.lo & b.lo, a.hi & b.hi)),
    "ceil": _stepped,
    "clamp": _clamped,
    "cond": _branched,
    "floor": _stepped,
    "is_finite": _finite,
    "max": _extreme(1.0),
    "min": _extreme(-1.0),
    "not": _logical(lambda a: Interval(~a.hi, ~a.lo)),
    "or": _logical(lambda a, b: Interval(a.lo | b.lo, a.hi | b.hi)),
    "round": _stepped,
    "select_n": _selected,
    "sign": _stepped,
    **{name: _compared(name) for name in ("eq", "ne", "lt", "le", "gt", "ge")},
}
