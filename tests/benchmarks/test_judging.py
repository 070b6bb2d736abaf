"""Success is judged by the value reached: what counts as solved, local, false or failed."""

import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import judging
from benchmarks.judging import Judge

MINIMA = (0.0, 48.98425367924)


def never():
    raise AssertionError("Newton's step is not needed for this verdict")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0.0, judging.SOLVED),
        (9e-7, judging.SOLVED),
        (-1.0, judging.SOLVED),  # lower than what is known: not a failure of the method
        (48.984253, judging.LOCAL),
        (48.99, judging.FAILED),
        (40.0, judging.FAILED),
        (np.nan, judging.NONFINITE),
        (np.inf, judging.NONFINITE),
    ],
)
def test_the_value_decides_whatever_a_method_says(value, expected):
    assert judging.verdict(value, False, MINIMA, 1e-6, never) == expected


def test_false_success_is_convergence_that_newtons_step_refutes():
    judged = lambda converged, gains: judging.verdict(1.0, converged, MINIMA, 1e-6, lambda: gains)
    assert judged(True, True) == judging.FALSE
    assert judged(True, False) == judging.FAILED  # a minimum that is not listed
    assert judged(False, True) == judging.FAILED


def test_the_tolerance_is_relative_above_one_and_rounding_adds_to_it():
    assert judging.at(1000.0005, (1000.0,), 1e-6) == 0
    assert judging.at(1000.002, (1000.0,), 1e-6) == -1
    assert judging.at(1000.002, (1000.0,), 1e-6, rounding=0.01) == 0


def valley(x, scale):
    return 100 * (x[1] / scale - x[0] ** 2) ** 2 + (1 - x[0]) ** 2


@pytest.fixture(scope="module")
def judge():
    return Judge(valley)


def test_newtons_step_gains_on_the_way_but_not_at_the_minimum(judge):
    for scale in (1.0, 1e8):
        args = (np.array(scale),)
        assert judge.gain(np.array([0.5, 0.25 * scale]), args, np.float64) > 0.1
        assert judge.value(np.array([1.0, scale]), args) == 0
        assert judge.gain(np.array([1.0, scale]), args, np.float64) == 0


def test_a_point_rounded_to_float32_is_not_blamed_for_it(judge):
    args = (np.array(1.0),)
    nearest = np.array([1 - 6e-8, 1.0])  # a float32 neighbour of the minimum
    assert judge.rounding(np.ones(2), args, np.float32, 0.0) > judge.value(nearest, args) > 0


def test_newtons_step_goes_down_at_a_saddle_and_stays_where_nothing_is_finite():
    step = judging.newton_step(np.array([1.0, 1.0]), np.diag([1e-10, -1e10]))
    np.testing.assert_allclose(step, [-1e10, -1e-10])
    assert not judging.newton_step(np.array([np.nan, 1.0]), np.eye(2)).any()
    assert not judging.newton_step(np.zeros(2), np.zeros((2, 2))).any()


def test_a_residual_is_a_share_of_its_terms():
    share = judging.residual_share(np.array([1e-3, 1e-9]), np.diag([1e6, 0.0]), np.array([1.0, 5]))
    assert share == pytest.approx(1e-9, rel=1e-3)
    assert judging.residual_share(np.array([np.nan]), np.eye(1), np.ones(1)) == np.inf


def test_a_plateau_is_no_false_success():
    flat = Judge(lambda x: jnp.sum(0 * x) + 3)
    assert flat.gain(np.ones(2), (), np.float64) == 0
