"""Enclosures beside singular points: for every operation with a rule, no value outside.

The rules are tried in groups, which share a program, each in one precision; `range_bound`, `bound`
and `radius`, which follow from them, for one. With EVERY_OPERATION=1 in the environment all are
tried in both and through all three, which compiles for more than half an hour.
"""

import os
from functools import partial

import jax
import numpy as np
import pytest

from benchmarks.problems import singular_points as problems
from benchmarks.problems.singular_points import CASES, COMPOSITIONS, draw, towards
from mvopt import range_bound, taylor
from mvopt.calculus.expansion import enclosed_coefficients
from mvopt.calculus.interval import Interval, normal
from mvopt.calculus.monomials import monomials
from mvopt.calculus.propagate import _RULES

EVERY = bool(os.environ.get("EVERY_OPERATION"))
DTYPES = ("float64", "float32")
TRIED = DTYPES if EVERY else DTYPES[:1]
GROUPS = np.array_split(list(CASES), 6)
RULES = [
    (group, dtype)
    for k, group in enumerate(GROUPS)
    for dtype in (DTYPES if EVERY else DTYPES[k % 2 :][:1])
]
BOXES, DEGREE = 300, 3
EPS = 8 * np.finfo(np.longdouble).eps


def coefficients(fn, boxes, *args):
    """Of each output ends, (4, ..., B), of the values and of the derivatives over factorials."""

    def one(lower, upper, *args):
        box = normal(Interval(lower[None], upper[None]))
        return enclosed_coefficients(lambda x: fn(x[0], *args), box, monomials(1, DEGREE))

    found = jax.jit(jax.vmap(one, out_axes=-1))(boxes.lower, boxes.upper, *args)
    return [(np.asarray(each.lo), np.asarray(each.hi)) for each in found]


def outside(found, error, lo, hi):
    """Where a value, known to an error, is not enclosed."""
    with np.errstate(invalid="ignore"):
        return (found + error < lo[..., None]) | (found - error > hi[..., None])


def wrong_coefficients(lo, hi, x, known):
    """(..., B): where a value is outside, or a divided difference, a value of a derivative."""
    wrong = np.isnan(known).any(-1) & ~np.isnan(lo[0])
    wrong |= outside(known, EPS * np.abs(known), lo[0], hi[0]).any(-1)
    x, error = x.astype(np.longdouble), EPS * (1 + np.abs(known))
    for degree in range(1, DEGREE + 1):
        with np.errstate(all="ignore"):
            gap = x[:, degree:] - x[:, :-degree]
            error = (error[..., 1:] + error[..., :-1]) / gap
            known = np.where(gap > 0, np.diff(known) / gap, np.nan)
        wrong |= outside(known, error, lo[degree], hi[degree]).any(-1)
    return wrong


def test_every_operation_with_a_rule_is_tried():
    assert {name.split()[0] for name in CASES} == set(_RULES)


@pytest.mark.parametrize(("names", "dtype"), RULES)
def test_values_and_derivatives_are_inside(names, dtype):
    cases = {name: CASES[name] for name in names}
    points = tuple({point for case in cases.values() for point in case.points})
    boxes = draw(points, BOXES, dtype)
    fn = lambda x, shift: [problems.values(case, x, shift) for case in cases.values()]
    found = coefficients(fn, boxes, boxes.shift)
    x = towards([boxes.singular], boxes.lower, boxes.upper)
    wrong = {}
    for (name, case), (lo, hi) in zip(cases.items(), found, strict=True):
        known = problems.exact_values(case, x, boxes.shift[:, None])
        wrong[name] = int(wrong_coefficients(lo, hi, x, known).sum())
    assert wrong == dict.fromkeys(cases, 0)


def of_operation(case, dtype, number):
    """A function, its values, boxes, arguments: one of the five values of an operation in each."""
    boxes = draw(case.points, number, dtype, seed=1)
    which = np.random.default_rng(3).integers(0, 5, number)
    fn = lambda x, shift, which: problems.values(case, x, shift)[which]
    exact = lambda x: problems.exact_values(case, x, boxes.shift[:, None])[which, np.arange(number)]
    return fn, exact, boxes, (boxes.shift, which)


def of_composition(case, dtype, number):
    boxes = draw(case.points, number, dtype, seed=2)
    fn = lambda x, shift: case.function(problems.JAX, x - shift, x - shift)

    def exact(x):
        u = x.astype(np.longdouble) - boxes.shift[:, None]
        return case.function(problems.EXACT, u, u)

    return fn, exact, boxes, (boxes.shift,)


def of_random_compositions(dtype, number):
    """Of a hundred compositions of three operations."""
    boxes = draw((), number, dtype, seed=3)
    steps = np.tile(problems.draw_steps(100, 3), (number // 100, 1))
    exact = lambda x: problems.exact_composed(x, boxes.shift, steps)
    return problems.composed, exact, boxes, (boxes.shift, steps)


@pytest.mark.parametrize("dtype", TRIED)
def test_random_compositions_are_inside(dtype):
    fn, exact, boxes, args = of_random_compositions(dtype, 1000)
    ((lo, hi),) = coefficients(lambda *x: [fn(*x)], boxes, *args)
    x = towards([boxes.singular], boxes.lower, boxes.upper)
    assert not wrong_coefficients(lo, hi, x, exact(x)).any()


@partial(jax.jit, static_argnames="fn")
@partial(jax.vmap, in_axes=(None, 0, 0, 0, 0, 0))
def doors(fn, lower, upper, at, tol, args):
    series = taylor(fn, at, 2, args)
    found = range_bound(fn, lower, upper, args)
    bound, radius = series.bound(lower, upper), series.radius(tol)
    return found.lower, found.upper, found.defined, series.coefficients, bound, radius


def outside_of_doors(fn, exact, boxes, args):
    """In how many boxes a value is not where `range_bound`, `bound` and `radius` have it."""
    dtype, number = boxes.lower.dtype, boxes.lower.size
    tol = (10 ** np.random.default_rng(2).uniform(-6, 1, number)).astype(dtype)
    found = doors(fn, boxes.lower, boxes.upper, boxes.at, tol, args)
    lower, upper, defined, series, bound, radius = map(np.asarray, found)

    def known(lower, upper):
        """(B, P): values, errors of the polynomial, and what they are known to."""
        x = towards([boxes.singular, boxes.at], lower, upper)
        value, step = exact(x), x.astype(np.longdouble) - boxes.at[:, None]
        terms = [series[:, k, None] * step**k for k in range(3)]
        slack = EPS * (np.abs(value) + sum(np.abs(term) for term in terms))
        return value, np.abs(value - sum(terms)), slack

    with np.errstate(all="ignore"):
        value, error, slack = known(boxes.lower, boxes.upper)
        none = np.isnan(value).any(1)
        wrong = outside(value, slack, lower, upper).any(1) | (none & defined)
        wrong |= ~defined & ((lower > -np.inf) | (upper < np.inf))
        off = (error - slack > bound[:, None]).any(1) | (none & (bound < np.inf)) | np.isnan(bound)
        exactly = np.longdouble(boxes.at) - radius, np.longdouble(boxes.at) + radius
        lower, upper = (end.astype(dtype) for end in exactly)
        lower = np.where(lower < exactly[0], np.nextafter(lower, boxes.at), lower)
        upper = np.where(upper > exactly[1], np.nextafter(upper, boxes.at), upper)
        value, error, slack = known(lower, upper)
        far = (error - slack > tol[:, None]).any(1) | np.isnan(value).any(1)
    return int(wrong.sum()), int(off.sum()), int((far & (radius > 0)).sum())


THROUGH = {name: (of_operation, CASES[name]) for name in (CASES if EVERY else ["tan"])}
if EVERY:
    THROUGH |= {name: (of_composition, case) for name, case in COMPOSITIONS.items()}


@pytest.mark.parametrize("name", THROUGH)
@pytest.mark.parametrize("dtype", TRIED)
def test_nothing_is_outside_of_ranges_bounds_and_radii(name, dtype):
    of, case = THROUGH[name]
    assert outside_of_doors(*of(case, dtype, 200)) == (0, 0, 0)
