"""Comparisons, choices and functions that jump, as operations of a jaxpr on power series.

A choice goes by the constant term: where an interval leaves it open, the constant term is the hull
of both sides and the rest is unknown. A single point that chooses otherwise leaves it open, were it
an end where both sides are equal: of a series about that point the slope is the other one. A truth
about intervals is one itself, from what is certain to what is possible; it is no series, and
neither are whole numbers that are chosen by it.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from mvopt._jaxpr import bind
from mvopt.calculus import interval
from mvopt.calculus.interval import Interval
from mvopt.calculus.series import SeriesRules, joined
from mvopt.calculus.values import Interpreter, Rule, UnsupportedError, Value, of_one


def _less(x: Interval, y: Interval) -> Interval:
    """x < y; beside what has no value, a NaN, all is possible."""
    return Interval(x.hi < y.lo, ~(x.lo >= y.hi))


def _at_most(x: Interval, y: Interval) -> Interval:
    return Interval(x.hi <= y.lo, ~(x.lo > y.hi))


def _equal(x: Interval, y: Interval) -> Interval:
    same = (x.lo == x.hi) & (y.lo == y.hi) & (x.lo == y.lo)
    return Interval(same, ~((x.lo > y.hi) | (y.lo > x.hi)))


def _not(truth: Interval) -> Interval:
    return Interval(~truth.hi, ~truth.lo)


_COMPARISONS: dict[str, Callable[[Interval, Interval], Interval]] = {
    "eq": _equal,
    "ge": lambda x, y: _at_most(y, x),
    "gt": lambda x, y: _less(y, x),
    "le": _at_most,
    "lt": _less,
    "ne": lambda x, y: _not(_equal(x, y)),
}


def _compared(name: str) -> Rule:
    """A comparison goes by the constant terms: of intervals it is certain, possible, or neither."""

    def rule(interpreter: Interpreter, equation: Any, values: list[Value]) -> list[Value]:
        first = [value.data[0] if value.series else value.data for value in values]
        if not any(isinstance(each, Interval) for each in first):
            return [Value(getattr(lax, name)(*first), False)]
        first = [_ends(each) for each in first]
        if equation.invars[0] is equation.invars[1]:
            # A number beside itself: what tells a NaN from the others.
            first = [Interval.point(each.lo) for each in first]
        return [Value(_COMPARISONS[name](*first), False)]

    return rule


def _ends(data: Any) -> Interval:
    return data if isinstance(data, Interval) else Interval.point(data)


def _chosen(certain: Any, possible: Any, yes: Interval, no: Interval) -> Interval:
    """Series `yes` where that is certain, `no` where it is impossible, else what both share."""
    shape = jnp.broadcast_shapes(yes.shape, no.shape, (1, *certain.shape))
    yes, no = (jax.tree.map(lambda e: jnp.broadcast_to(e, shape), each) for each in (yes, no))
    open_ = possible & ~certain
    first = interval.hull(yes[:1], no[:1])
    either = joined([first, interval.everything(yes[1:])])
    return interval.where(open_, either, interval.where(certain, yes, no))


def _chosen_exact(which: Interval, yes: Any, no: Any) -> Interval:
    """The same of truths and whole numbers."""
    yes, no = _ends(yes), _ends(no)
    known = interval.where(which.lo.astype(bool), yes, no)
    return interval.where(which.lo == which.hi, known, interval.hull(yes, no))


def _selected(interpreter: Interpreter, equation: Any, values: list[Value]) -> list[Value]:
    which, *cases = values
    if isinstance(which.data, Interval) and which.data.dtype != bool:
        raise UnsupportedError("select_n", " by a whole number that depends on a comparison")
    if not jnp.issubdtype(equation.outvars[0].aval.dtype, jnp.floating):
        found = [case.data for case in cases]
        if isinstance(which.data, Interval):
            return [Value(_chosen_exact(which.data, found[1], found[0]), False)]
        return [Value(_picked(which.data, [_ends(each) for each in found]), False)]
    found = [interpreter.lifted(case) for case in cases]
    if isinstance(which.data, Interval):
        return [Value(_chosen(which.data.lo, which.data.hi, found[1], found[0]), True)]
    pick = jax.vmap(lambda *rows: _picked(which.data, list(rows)))
    return [Value(pick(*found), True)]


def _picked(which: Any, cases: list[Any]) -> Any:
    axis = jnp.broadcast_to(which, cases[0].shape)
    return jax.tree.map(lambda *leaves: lax.select_n(axis, *leaves), *cases)


def larger(u: Any, v: Any, sign: float) -> Any:
    """The larger (or smaller) of two series, where it is the same all over."""
    if not isinstance(u, Interval):
        return jnp.where(u[0] > v[0] if sign > 0 else u[0] < v[0], u, v)
    pick = interval.max if sign > 0 else interval.min
    choice = _less(v[0], u[0]) if sign > 0 else _less(u[0], v[0])
    found = _chosen(choice.lo, choice.hi, u, v)
    return joined([pick(u[:1], v[:1]), found[1:]])


def _logical(combine: Any) -> Rule:
    """Of truths that may be uncertain: of what is certain, and of what is possible."""

    def rule(interpreter: Interpreter, equation: Any, values: list[Value]) -> list[Value]:
        return [Value(combine(*(_ends(value.data) for value in values)), False)]

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
    found = _chosen(u.lo[0] >= 0, ~(u.hi[0] < 0), u, -u)
    return joined([interval.abs(u[:1]), found[1:]])


def _stepped(interpreter: Interpreter, equation: Any, values: list[Value]) -> list[Value]:
    """Functions without a slope: sign, floor and the like, constant where they do not jump."""
    first = values[0].data[0] if values[0].series else values[0].data
    if not isinstance(first, Interval):
        return [Value(bind(equation, [first])[0], False)]
    ends = Interval(bind(equation, [first.lo])[0], bind(equation, [first.hi])[0])
    return [Value(constant_between_jumps(interpreter, ends), True)]


def constant_between_jumps(interpreter: Interpreter, ends: Interval) -> Any:
    """The series of a function without a slope, which does not jump where its ends are equal."""
    series = interpreter.rules.of_constant(ends)
    rest = interval.where(ends.lo == ends.hi, series[1:], interval.everything(series[1:]))
    return joined([series[:1], rest])


def _branched(interpreter: Interpreter, equation: Any, values: list[Value]) -> list[Value]:
    """One branch, where it is known which, else both of two, of which one is chosen."""
    index, *operands = values
    real = [jnp.issubdtype(out.aval.dtype, jnp.floating) for out in equation.outvars]

    def handed_on(branch: Any) -> list[Any]:
        values = interpreter.run(branch, operands)
        return [interpreter.lifted(v) if r else v.data for v, r in zip(values, real, strict=True)]

    run = [partial(handed_on, branch) for branch in equation.params["branches"]]
    which = index.data
    if not isinstance(which, Interval):
        try:
            found = lax.switch(which, run)
        except TypeError as error:
            why = " of which a branch returns a choice that may be uncertain"
            raise UnsupportedError("cond", why) from error
    elif len(run) == 2:
        truth = which.lo.astype(bool), which.hi.astype(bool)
        found = [
            _chosen(*truth, yes, no) if r else _chosen_exact(which, yes, no)
            for no, yes, r in zip(*(one() for one in run), real, strict=True)
        ]
    else:
        raise UnsupportedError("cond", " with more than two branches, chosen by a value")
    return [Value(each, r) for each, r in zip(found, real, strict=True)]


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
    "not": _logical(_not),
    "or": _logical(lambda a, b: Interval(a.lo | b.lo, a.hi | b.hi)),
    "round": _stepped,
    "select_n": _selected,
    "sign": _stepped,
    **{name: _compared(name) for name in _COMPARISONS},
}
