"""What is said of a point under constraints depends on the point, not on its solver."""

import jax.numpy as jnp
import numpy as np
import pytest

import mvopt
from benchmarks import judging
from benchmarks.judging import Reached
from benchmarks.judging_constrained import (
    STATIONARY,
    ConstrainedJudge,
    Limits,
    best_forces,
    box,
    certified,
    verdict,
)
from benchmarks.problems.constrained import of_array

LIMITS = Limits(1e-6, 1e-8, False, 1e-8, 1e-6, 1e-4)
# Minima at (1, ±1), for the objective bends down between the bounds of the second variable.
PROBLEM = of_array(
    "made",
    lambda x: x[0] ** 2 - 0.5 * x[1] ** 2 + 0.1 * x[1],
    (2, 2),
    0.4,
    inequality=lambda x: jnp.stack([x[0] - 1]),
    lower=(None, -1),
    upper=(5, 1),
    local=(0.6,),
)


def ended(x, converged=True, multipliers=None, evaluations=1):
    return Reached(np.array(x, float), converged, "", evaluations, multipliers)


def said(found, problem=PROBLEM, limits=LIMITS):
    return verdict(found, ConstrainedJudge(problem).point(found), problem, limits)


def test_a_minimum_is_certified_with_the_multipliers_that_fit_best():
    point = ConstrainedJudge(PROBLEM).point(ended([1, -1]))
    assert point.value == pytest.approx(0.4)
    assert point.violation == 0
    assert point.residual < 1e-12
    assert certified(point, 1e-8)
    assert said(ended([1, -1])) == judging.SOLVED


def test_multipliers_that_were_returned_are_taken_at_their_word():
    zero = np.zeros(2)
    right = mvopt.Multipliers(None, np.array([2.0]), np.array([0, 1.1]), zero)
    wrong = right._replace(inequality=np.array([1.5]))
    judge = ConstrainedJudge(PROBLEM)
    assert judge.point(ended([1, -1], multipliers=right)).residual < 1e-12
    assert judge.point(ended([1, -1], multipliers=wrong)).residual == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (ended([1, 0]), judging.FALSE),
        (ended([1, 0], converged=False), judging.FAILED),
        (ended([1 - 1e-5, -1]), judging.FALSE),
        (ended([1 - 1e-7, -1]), judging.FAILED),
        (ended([1, 1]), judging.LOCAL),
        (ended([np.nan, 0]), judging.NONFINITE),
        (ended([np.nan, 0], evaluations=0), judging.CRASHED),
    ],
)
def test_verdicts(found, expected):
    assert said(found) == expected


def test_a_point_that_is_certified_is_not_a_failure():
    problem = of_array("made", lambda x: jnp.sum(x**4 - 2 * x**2), (0.1,), -1, lower=-3)
    assert said(ended([0]), problem) == STATIONARY


def test_a_relative_violation_is_one_of_the_terms():
    problem = of_array("made", lambda x: x[0], (1,), 0, equality=lambda x: 1e6 * (x - 1))
    point = ConstrainedJudge(problem).point(ended([1.00001]))
    assert point.violation == pytest.approx(10)
    assert point.share == pytest.approx(1e-5, rel=1e-3)
    assert point.missed(LIMITS._replace(relative=True)) == point.share


def test_forces_are_not_negative_and_none_acts_from_infinitely_far():
    pulls, gaps = np.array([[1.0, 0], [0, 1], [0, -1]]), np.array([0, 0, np.inf])
    np.testing.assert_allclose(best_forces(np.array([2.0, -3]), pulls, gaps), [2, 0, 0])
    np.testing.assert_allclose(best_forces(np.array([1.0]), np.ones((1, 1)), np.ones(1)), [0.5])


def test_bounds_are_infinite_where_there_are_none():
    free = of_array("made", jnp.sum, (1, 2), 0, upper=(3, None))
    np.testing.assert_array_equal(box(free), [[-np.inf, -np.inf], [3, np.inf]])
