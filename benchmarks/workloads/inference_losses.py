"""Robust losses and likelihoods beside statsmodels and SciPy."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy.optimize

import mvopt
from benchmarks.workloads.inference_data import a_decay, decay
from benchmarks.workloads.inference_rows import Row

ITERATED = 1e-6  # both stop somewhere


def line(x: Any, p: Any) -> Any:
    return p[0] + p[1] * x


def estimated_scale() -> list[Row]:
    """The line and the scale of errors that have heavy tails."""
    import statsmodels.api as sm

    rng = np.random.default_rng(4)
    x = np.linspace(0, 5, 60)
    y = 1 + 2 * x + rng.standard_t(2, x.size)
    found = []
    for name, norm in (
        ("huber", sm.robust.norms.HuberT(1.345)),
        ("tukey", sm.robust.norms.TukeyBiweight(4.685)),
    ):
        peer = sm.RLM(y, sm.add_constant(x), M=norm).fit(tol=1e-13, maxiter=1000)
        ours = mvopt.curve_fit(line, x, y, [0.0, 0.0], loss=name)
        found += [
            Row(
                f"{name}, estimated scale, params",
                "statsmodels",
                ours.params,
                peer.params,
                ITERATED,
            ),
            Row(f"{name}, estimated scale, stderr", "statsmodels", ours.stderr, peer.bse, ITERATED),
        ]
    return found


def given_scale() -> list[Row]:
    """A decay with a fifth of the points far off."""
    data = a_decay()
    y = data.y + np.where(np.arange(data.x.size) % 5 == 2, 1.0, 0.0)
    found = []
    for name, loss in (
        ("huber", mvopt.losses.Huber),
        ("soft_l1", mvopt.losses.SoftL1),
        ("cauchy", mvopt.losses.Cauchy),
    ):
        ours = mvopt.curve_fit(decay, data.x, y, data.truth, loss=loss(0.2, 1.0))
        peer = scipy.optimize.least_squares(
            lambda p: decay(data.x, p, np) - y,
            data.truth,
            jac="3-point",
            loss=name,
            f_scale=0.2,
            **dict.fromkeys(("xtol", "ftol", "gtol"), 1e-15),
        )
        found += [
            Row(f"{name}, given scale, params", "scipy", ours.params, peer.x, ITERATED),
            Row(f"{name}, given scale, loss", "scipy", ours.chi2, 2 * peer.cost, 1e-10),
        ]
    return found


def likelihoods() -> list[Row]:
    """Generalised linear models with their usual links."""
    import statsmodels.api as sm

    rng = np.random.default_rng(5)
    x, trials = np.linspace(0, 1, 60), 12.0
    design = sm.add_constant(x)
    counts = rng.poisson(np.exp(2 - x)).astype(float)
    hits = rng.binomial(12, 1 / (1 + np.exp(1 - 2 * x))).astype(float)
    both = np.stack([hits, trials - hits], axis=1)
    families = sm.families
    found = []
    for name, loss, model, y, peer in (
        ("Poisson", "poisson", lambda x, p: jnp.exp(line(x, p)), counts,
         sm.GLM(counts, design, family=families.Poisson())),
        ("binomial", mvopt.losses.Binomial(trials), lambda x, p: jax.nn.sigmoid(line(x, p)), hits,
         sm.GLM(both, design, family=families.Binomial())),
    ):  # fmt: skip
        theirs = peer.fit(tol=1e-13)
        ours = mvopt.curve_fit(model, x, y, [0.0, 0.0], loss=loss)
        found += [
            Row(f"{name}, params", "statsmodels", ours.params, theirs.params, ITERATED),
            Row(f"{name}, stderr", "statsmodels", ours.stderr, theirs.bse, ITERATED),
            Row(f"{name}, deviance", "statsmodels", ours.chi2, theirs.deviance, 1e-10),
            Row(f"{name}, log-likelihood", "statsmodels", ours.log_likelihood, theirs.llf, 1e-10),
        ]
    return found
