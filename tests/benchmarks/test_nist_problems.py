"""The NIST data sets were carried over without a slip, and their models are the published ones."""

import jax
import numpy as np
import pytest

from benchmarks.problems import nist

# Lanczos1 was generated with 14 digits: its certified sum of squares, 1.4e-25, is the square of
# the rounding of y, and the certified parameters' own rounding (11 digits) outweighs it.
EXACT = [name for name in nist.NAMES if name != "Lanczos1"]
DIFFICULTIES = {"lower": 8, "average": 11, "higher": 8}


@pytest.fixture(autouse=True)
def _double_precision():
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    yield
    jax.config.update("jax_enable_x64", before)


def residual(problem, params):
    return problem.y - np.asarray(problem.model(problem.x, params))


@pytest.mark.parametrize("name", EXACT)
def test_certified_parameters_give_the_certified_sum_of_squares(name):
    problem = nist.load(name)
    rss = np.sum(residual(problem, problem.certified) ** 2)
    assert rss == pytest.approx(problem.rss, rel=1e-9)


def test_lanczos1_fits_to_the_rounding_of_its_parameters():
    problem = nist.load("Lanczos1")
    assert np.max(np.abs(residual(problem, problem.certified))) < 1e-9


@pytest.mark.parametrize("name", EXACT)
def test_certified_standard_errors_follow_from_the_jacobian(name):
    problem = nist.load(name)
    jacobian = np.asarray(jax.jacfwd(problem.model, 1)(problem.x, problem.certified))
    scale = np.linalg.norm(jacobian, axis=0)
    inverse = np.linalg.inv(np.linalg.qr(jacobian / scale, mode="r"))
    stderr = problem.residual_std * np.linalg.norm(inverse, axis=1) / scale
    assert nist.worst_lre(stderr, problem.stderr) > 5


@pytest.mark.parametrize("name", nist.NAMES)
def test_tables_agree_with_themselves(name):
    problem = nist.load(name)
    n = problem.num_parameters
    assert problem.starts.shape == (2, n)
    assert problem.stderr.shape == (n,)
    assert problem.x.shape == ((2, 128) if name == "Nelson" else problem.y.shape)
    std = np.sqrt(problem.rss / (problem.y.size - n))
    assert problem.residual_std == pytest.approx(std, rel=1e-9)


def test_all_27_problems_are_there():
    problems = [nist.load(name) for name in nist.NAMES]
    counts = {level: sum(p.difficulty == level for p in problems) for level in DIFFICULTIES}
    assert counts == DIFFICULTIES


def test_lre_counts_digits():
    digits = nist.lre([1.0, 1.001, 1e-3, np.nan, 5.0], [1.0, 1.0, 0.0, 1.0, 1.0])
    np.testing.assert_allclose(digits, [11.0, 3.0, 3.0, 0.0, 0.0], atol=1e-9)
    assert nist.worst_lre([1.0, 1.001], [1.0, 1.0]) == pytest.approx(3.0)
