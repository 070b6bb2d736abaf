"""Linear models, and what is said of their fits, beside statsmodels."""

import numpy as np
import statsmodels.api as sm
from statsmodels.sandbox.stats.runs import runstest_1samp

import mvopt
from benchmarks.workloads.inference_data import a_parabola, parabola
from benchmarks.workloads.inference_rows import Row

EXACT = 1e-10  # both are closed forms


def rows() -> list[Row]:
    return [*least_squares(), *criteria(), *bands(), *sandwiches(), *runs()]


def least_squares() -> list[Row]:
    """`linear_fit` with equal errors, standard deviations, and a covariance matrix."""
    data = a_parabola()
    rng = np.random.default_rng(3)
    design = np.vander(data.x, 3, increasing=True)
    sigma = rng.uniform(0.1, 0.5, data.x.size)
    apart = np.abs(data.x[:, None] - data.x)
    matrix = np.outer(sigma, sigma) * np.exp(-apart)
    found = []
    for name, given, peer in (
        ("OLS", None, sm.OLS(data.y, design)),
        ("WLS", sigma, sm.WLS(data.y, design, weights=1 / sigma**2)),
        ("GLS", matrix, sm.GLS(data.y, design, sigma=matrix)),
    ):
        ours, theirs = mvopt.linear_fit(design, data.y, given), peer.fit()
        found += [
            Row(f"linear_fit params, {name}", "statsmodels", ours.params, theirs.params, EXACT),
            Row(f"linear_fit stderr, {name}", "statsmodels", ours.stderr, theirs.bse, EXACT),
            Row(f"log-likelihood, {name}", "statsmodels", ours.log_likelihood, theirs.llf, EXACT),
        ]
        if name != "GLS":
            found.append(Row(f"R², {name}", "statsmodels", ours.r_squared, theirs.rsquared, EXACT))
    return found


def criteria() -> list[Row]:
    """Ours count the scale of the errors as a parameter, as R does; statsmodels does not."""
    data = a_parabola()
    ours = mvopt.linear_fit(np.vander(data.x, 3), data.y)
    theirs = sm.OLS(data.y, np.vander(data.x, 3)).fit()
    scale = np.log(data.x.size)
    return [
        Row("AIC less 2 for the scale", "statsmodels", ours.aic - 2, theirs.aic, EXACT),
        Row("BIC less log n for the scale", "statsmodels", ours.bic - scale, theirs.bic, EXACT),
        Row("t-intervals, 95 %", "statsmodels", ours.intervals(), theirs.conf_int().T, EXACT),
    ]


def fitted() -> tuple[mvopt.Regression, mvopt.Fit]:
    data = a_parabola()
    regression = mvopt.Regression(parabola, data.x, data.y, np.zeros(3))
    return regression, regression.fit()


def bands() -> list[Row]:
    """Between the points, and beyond them."""
    data, (regression, fit) = a_parabola(), fitted()
    x = np.linspace(-1, 7, 9)
    peer = sm.OLS(data.y, np.vander(data.x, 3, increasing=True)).fit()
    frame = peer.get_prediction(np.vander(x, 3, increasing=True)).summary_frame(0.05)
    found = []
    for kind, prefix in (("confidence", "mean_ci"), ("prediction", "obs_ci")):
        band = regression.band(fit, x, kind=kind)
        ours = np.stack([band.lower, band.upper])
        theirs = np.stack([frame[f"{prefix}_lower"], frame[f"{prefix}_upper"]])
        found.append(Row(f"{kind} band, linear model", "statsmodels", ours, theirs, EXACT))
    profile = regression.intervals(fit)
    ours = np.stack([profile.lower, profile.upper])
    errors = np.asarray(fit.stderr)
    title = "profile intervals, linear model, in stderr"
    return [*found, Row(title, "statsmodels", ours, peer.conf_int().T, 1e-7, errors)]


def sandwiches() -> list[Row]:
    data, (regression, fit) = a_parabola(), fitted()
    peer = sm.OLS(data.y, np.vander(data.x, 3, increasing=True)).fit()
    found = []
    for kind in ("HC0", "HC1", "HC2", "HC3"):
        ours = np.sqrt(np.diag(regression.sandwich(fit, kind)))
        theirs = getattr(peer, f"{kind}_se")
        found.append(Row(f"sandwich stderr, {kind}", "statsmodels", ours, theirs, EXACT))
    return found


def runs() -> list[Row]:
    regression, fit = fitted()
    _, ours = regression.runs_test(fit)
    residual = np.asarray(regression.residuals(fit))
    _, theirs = runstest_1samp(residual, cutoff=0, correction=False)
    return [Row("runs test, p-value", "statsmodels", ours, theirs, EXACT)]
