"""Linear functions are recognised by their derivative."""

import jax.numpy as jnp
import numpy as np

from mvopt.calculus.affine import is_affine
from mvopt.regression.models import NAMED

X = np.linspace(0, 5, 30)


def test_linear_models_are_recognised():
    for name in ("linear", "quadratic", "cubic", "constant"):
        model = NAMED[name]
        assert is_affine(lambda p, model=model: model(X, p), jnp.ones(len(model.names)))
    for name in ("gaussian", "michaelis_menten", "power_law"):
        model = NAMED[name]
        assert not is_affine(lambda p, model=model: model(X, p), jnp.ones(len(model.names)))
