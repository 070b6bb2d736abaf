"""Brackets enclose their roots, Chandrupatla's algorithm takes its counts, systems are zero."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks.problems import mgh, roots

SYSTEMS = {system.name: system for system in roots.SYSTEMS}


def chandrupatla(function, a, b):
    """Function evaluations until his stopping rule holds, as the paper's flow chart has it."""
    fa, fb = function(a), function(b)
    c, fc = a, fa
    evaluations, fraction = 2, 0.5
    while True:
        x = a + fraction * (b - a)
        fx = function(x)
        evaluations += 1
        if np.sign(fx) == np.sign(fa):
            c, fc = a, fa
        else:
            c, fc, b, fb = b, fb, a, fa
        a, fa = x, fx
        best, value = (a, fa) if abs(fa) < abs(fb) else (b, fb)
        tolerance = 2 * roots.CHANDRUPATLA_EPS_M * abs(best) + roots.CHANDRUPATLA_EPS_A / 2
        least = tolerance / abs(b - a)
        if least > 0.5 or value == 0:
            return evaluations, best
        xi, phi = (a - b) / (c - b), (fa - fb) / (fc - fb)
        fraction = 0.5
        if phi**2 < xi and (1 - phi) ** 2 < 1 - xi:
            fraction = fa / (fb - fa) * fc / (fb - fc)
            fraction += (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)
        fraction = min(max(fraction, least), 1 - least)


def named(name):
    return {case.name: case for case in roots.CHANDRUPATLA}[name]


@pytest.mark.parametrize("name", [case.name for case in roots.CHANDRUPATLA])
def test_chandrupatlas_algorithm_takes_the_published_evaluations(name):
    case = named(name)
    evaluations, root = chandrupatla(lambda x: float(case.function(x)), case.lower, case.upper)
    assert evaluations == case.evaluations
    assert case.function(root) == pytest.approx(0, abs=3e-3)


@pytest.mark.parametrize("name", [case.name for case in roots.CHANDRUPATLA if "_1" in case.name])
def test_the_root_lies_in_its_bracket(name):
    case = named(name)
    ends = case.function(jnp.array([case.lower, case.upper]))
    assert ends[0] * ends[1] < 0
    assert case.lower < case.root < case.upper
    slope = abs(jax.grad(case.function)(case.root))
    assert np.isfinite(slope)
    assert abs(case.function(jnp.array(case.root))) <= 1e-15 * (1 + slope * abs(case.root))
    assert case.function(jnp.ones(3, jnp.float32)).dtype == jnp.float32


def test_nine_functions_in_five_brackets():
    assert len(roots.CHANDRUPATLA) == 45
    assert len({case.function for case in roots.CHANDRUPATLA}) == 9


@pytest.mark.parametrize("name", SYSTEMS)
def test_a_system_is_square_and_zero_at_its_roots(name):
    system = SYSTEMS[name]
    residual = jax.jit(system.residual)
    start = jnp.array(system.start)
    assert residual(start).shape == start.shape
    assert np.all(np.isfinite(residual(start)))
    assert np.any(residual(start) != 0)
    assert jax.eval_shape(system.residual, start.astype(jnp.float32)).dtype == jnp.float32
    for root in system.roots:
        np.testing.assert_allclose(residual(jnp.array(root)), 0, atol=1e-12)


def test_the_collection_of_systems():
    assert len(SYSTEMS) == len(roots.SYSTEMS)
    assert set(mgh.SQUARE) < set(SYSTEMS)
    assert len(SYSTEMS) - len(mgh.SQUARE) == 13
