"""Fits of random problems from the guesses of the named models are counted."""

import json

import jax
import numpy as np
import pytest

from benchmarks.problems import recovery as problems
from benchmarks.workloads import recovery
from mvopt.regression.models import NAMED

CONFIG = {"problems": 20, "noise": 0.02, "tolerance": 1e-3, "judged": 3, "seed": 1}


def test_fits_from_the_guess_are_counted(tmp_path):
    before = jax.config.read("jax_enable_x64")
    report = recovery.run(CONFIG | {"models": ["gaussian"], "targets": {"lowest": 99.0}}, [])
    assert jax.config.read("jax_enable_x64") == before
    found = {metric.name: metric.value for metric in report.metrics}
    assert found["gaussian.reached"] == found["lowest"] == found["all"] == 100
    assert report.missed() == []
    report.write(tmp_path / "page")
    assert json.loads((tmp_path / "page.json").read_text())["details"] == {"failures": []}


def test_a_guess_that_misleads_is_told(monkeypatch):
    model = NAMED["gaussian"]
    monkeypatch.setattr(type(model), "guess", lambda self, x, y, mask: 0 * model_start(x))
    found = recovery.measure(model, CONFIG)
    assert not found.reached.any()
    assert found.reached_from_truth.all()
    assert found.worst[0]["model"] == "gaussian"
    assert found.worst[0]["excess"] > 1


def model_start(x):
    return jax.numpy.stack([x[0], x[0], x[0]])


def test_a_batch_is_padded_and_the_same_for_the_same_seed():
    model = NAMED["gaussian2d_elliptic"]
    one, again = (
        problems.padded([problems.make(model, np.random.default_rng(3), 0.02)] * 2) for _ in "ab"
    )
    np.testing.assert_array_equal(one.y, again.y)
    assert one.x.shape == (2, 2, one.y.shape[1])
    np.testing.assert_array_equal(np.isnan(one.y), ~one.mask)


def test_an_unknown_model_is_named():
    with pytest.raises(ValueError, match="unknown gausian"):
        recovery.chosen(["gausian"])
    assert {model.name for model in recovery.chosen(None)} == set(NAMED)
