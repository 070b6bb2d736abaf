"""`linear_fit` against NumPy and certified results, for one data set and for batches."""

import json
from fractions import Fraction
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from benchmarks import problems
from mvopt import Status, linear_fit

RNG = np.random.default_rng(5)
DESIGN, Y = RNG.normal(size=(30, 4)), RNG.normal(size=30)
SIGMA = RNG.uniform(0.5, 2.0, 30)


NIST = json.loads((Path(problems.__file__).parent / "nist_linear.json").read_text())


def nist_design(case):
    x = np.array(case["x"], float)
    if case["kind"] == "linear":
        return np.column_stack([np.ones(len(x)), x])
    return np.vander(x, case["degree"] + 1, increasing=True)[:, 1 - case["intercept"] :]


def digits(found, certified):
    """Of the worst; where zero is certified, absolutely."""
    certified = np.array(certified, float)
    scale = np.where(certified == 0, 1.0, np.abs(certified))
    return -np.log10(np.max(np.maximum(np.abs(found - certified) / scale, 1e-16)))


def lstsq(design, y):
    return np.linalg.lstsq(design, y, rcond=None)[0]


def test_one_data_set():
    found = linear_fit(DESIGN, Y)
    expected = lstsq(DESIGN, Y)
    chi2 = np.sum((DESIGN @ expected - Y) ** 2)
    np.testing.assert_allclose(found.params, expected, rtol=1e-13)
    np.testing.assert_allclose(found.chi2, chi2, rtol=1e-13)
    covariance = np.linalg.inv(DESIGN.T @ DESIGN) * chi2 / 26
    np.testing.assert_allclose(found.covariance, covariance, rtol=1e-12, atol=1e-16)
    np.testing.assert_allclose(found.stderr, np.sqrt(np.diag(covariance)), rtol=1e-12)
    assert found.status == Status.CONVERGED
    assert found.dof == 26
    assert np.isnan(found.p_value)


@pytest.mark.parametrize("name", NIST)
def test_nist(name):
    design, case = nist_design(NIST[name]), NIST[name]
    y = np.array(case["y"], float)
    batch = linear_fit(np.stack([design] * 3), np.stack([y] * 3), in_axes=(0, 0))
    fits = [jax.tree.map(lambda leaf: leaf[1], batch)]
    if name in ("NoInt2", "Longley", "Wampler1"):  # one data set is another program
        fits.append(linear_fit(design, y))
    for found in fits:
        assert found.status == Status.CONVERGED
        # Powers of the abscissas of Filip are rounded, those of the others are whole or short.
        assert digits(found.params, case["estimates"]) > (7.5 if name == "Filip" else 13)
        assert digits(found.stderr, case["errors"]) > 7


def exact_solution(design, y):
    """Of the normal equations, in rational numbers, (n,)."""
    rows = [[Fraction(float(entry)) for entry in row] for row in np.column_stack([design, y])]
    n = design.shape[1]
    system = [[sum(row[i] * row[j] for row in rows) for j in range(n + 1)] for i in range(n)]
    for k in range(n):
        system[k] = [entry / system[k][k] for entry in system[k]]
        for i in set(range(n)) - {k}:
            share = system[i][k]
            system[i] = [a - share * b for a, b in zip(system[i], system[k], strict=True)]
    return np.array([float(row[n]) for row in system])


@pytest.mark.parametrize(
    ("name", "dtype", "least"),
    [("Filip", "float64", 13), ("Wampler3", "float32", 7), ("Longley", "float32", 5.5)],
)
def test_the_last_digits_of_a_design_as_rounded(name, dtype, least):
    """Elimination without refinement has 7.6, 1.4 and 2.9 of them."""
    design = nist_design(NIST[name]).astype(dtype)
    y = np.array(NIST[name]["y"], dtype)
    found = linear_fit(design, y)
    assert found.params.dtype == dtype
    assert digits(np.asarray(found.params, float), exact_solution(design, y)) > least


def test_refinement_overflows_to_what_was_there():
    """Factors that cannot be split are no reason to lose the solution."""
    y = jnp.asarray(Y * 1e305 / np.abs(Y).max())
    np.testing.assert_allclose(linear_fit(DESIGN, y).params, lstsq(DESIGN, y), rtol=1e-12)


def test_weights_and_a_covariance_of_the_data():
    expected = lstsq(DESIGN / SIGMA[:, None], Y / SIGMA)
    weighted = linear_fit(DESIGN, Y, SIGMA, absolute_sigma=True)
    np.testing.assert_allclose(weighted.params, expected, rtol=1e-12)
    inverse = np.linalg.inv((DESIGN / SIGMA[:, None] ** 2).T @ DESIGN)
    np.testing.assert_allclose(weighted.covariance, inverse, rtol=1e-11)
    assert 0 < weighted.p_value < 1
    matrix = np.diag(SIGMA**2) + 0.1
    lower = np.linalg.cholesky(matrix)
    expected = lstsq(np.linalg.solve(lower, DESIGN), np.linalg.solve(lower, Y))
    np.testing.assert_allclose(linear_fit(DESIGN, Y, matrix).params, expected, rtol=1e-11)


def test_one_bad_data_set_harms_no_other():
    designs, ys = RNG.normal(size=(100, 30, 4)), RNG.normal(size=(100, 30))
    masks = np.ones((100, 30), bool)
    ys[3, 2] = np.nan
    designs[5, :, 1] = 0
    designs[6, :, 2] = 3 * designs[6, :, 0]
    masks[7, 2:] = False
    ys[8, 20:], masks[8, 20:] = np.nan, False
    found = linear_fit(designs, ys, mask=masks, in_axes=(0, 0, None, 0))
    status = dict(enumerate(np.asarray(found.status)))
    odd = {3: Status.NONFINITE, 5: Status.SINGULAR, 6: Status.SINGULAR, 7: Status.BAD_INPUT}
    assert {k: s for k, s in status.items() if s != Status.CONVERGED} == odd
    for k in set(range(100)) - set(odd):
        used = masks[k]
        expected = lstsq(designs[k][used], ys[k][used])
        np.testing.assert_allclose(found.params[k], expected, rtol=1e-10)
    assert np.isinf(found.stderr[5][1])
    assert np.isfinite(np.delete(found.stderr[5], 1)).all()
    np.testing.assert_allclose(
        designs[6] @ found.params[6], designs[6] @ lstsq(designs[6], ys[6]), rtol=1e-9, atol=1e-12
    )


def test_it_is_differentiable():
    weights = jax.jacfwd(lambda y: linear_fit(DESIGN, y).params)(Y)
    np.testing.assert_allclose(weights, np.linalg.pinv(DESIGN), rtol=1e-10, atol=1e-14)
    backward = jax.grad(lambda y: linear_fit(DESIGN, y).params[1])(Y)
    np.testing.assert_allclose(backward, weights[1], rtol=1e-10, atol=1e-14)


def test_float32():
    found = linear_fit(jnp.asarray(DESIGN, jnp.float32), jnp.asarray(Y, jnp.float32))
    assert found.params.dtype == jnp.float32
    np.testing.assert_allclose(found.params, lstsq(DESIGN, Y), rtol=1e-4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: linear_fit(DESIGN, Y[:3]), "a row for each y"),
        (lambda: linear_fit(Y, Y), "a column for each parameter"),
        (lambda: linear_fit(DESIGN, Y, np.ones(3)), "sigma has shape"),
        (lambda: linear_fit(DESIGN, Y, in_axes=(None, None)), "give one a batch axis"),
    ],
)
def test_errors_say_what_to_do(call, message):
    with pytest.raises(ValueError, match=message):
        call()
