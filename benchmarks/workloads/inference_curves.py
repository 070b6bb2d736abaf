"""Nonlinear fits with knowledge of the parameters, beside lmfit, SciPy and ODRPACK."""

from typing import Any

import numpy as np
import scipy.optimize

import mvopt
from benchmarks.workloads import inference_data as data
from benchmarks.workloads.inference_rows import Row

EXACT = dict.fromkeys(("xtol", "ftol", "gtol"), 1e-15)
DIFFERENCES = 1e-4  # lmfit's derivatives are differences


def orthogonal() -> list[Row]:
    """Errors in x of half the size of those in y."""
    import odrpack

    made = data.a_decay()
    sigma_x = np.full(made.x.size, 0.08)
    x = made.x + np.random.default_rng(10).normal(0, sigma_x)
    ours = mvopt.curve_fit(
        data.decay, x, made.y, made.truth, made.sigma, sigma_x=sigma_x, absolute_sigma=False
    )
    theirs = odrpack.odr_fit(
        lambda x, p: data.decay(x, p, np),
        x,
        made.y,
        made.truth,
        weight_x=1 / sigma_x**2,
        weight_y=1 / made.sigma**2,
        diff_scheme="central",
        sstol=1e-15,
        partol=1e-15,
    )
    return [
        Row("orthogonal distance, params", "odrpack", ours.params, theirs.beta, 1e-6),
        Row("orthogonal distance, stderr", "odrpack", ours.stderr, theirs.sd_beta, 1e-5),
        Row("orthogonal distance, χ²", "odrpack", ours.chi2, theirs.sum_square, 1e-9),
    ]


def members() -> np.ndarray:
    """Five data sets with a decay and a position in common, (5, 25)."""
    rng, x = np.random.default_rng(11), np.linspace(0, 5, 25)
    own = rng.uniform((1.0, 0.5), (3.0, 2.0), (5, 2))
    clean = [data.decay_and_peak(x, (a, 1.3, c, 3.0), np) for a, c in own]
    return np.stack(clean) + rng.normal(0, 0.05, (5, 25))


def shared() -> list[Row]:
    """A global fit beside one dense problem in all twelve parameters."""
    x, y = np.linspace(0, 5, 25), members()
    start = np.array([1.0, 1.0, 1.0, 2.7])
    regression = mvopt.Regression(data.decay_and_peak, x, y, start, in_axes=(None, 0))
    ours = regression.fit_shared([1, 3])

    def residual(params: np.ndarray) -> np.ndarray:
        own = params[2:].reshape(5, 2)
        members = [(a, params[0], c, params[1]) for a, c in own]
        curves = np.stack([data.decay_and_peak(x, each, np) for each in members])
        return (curves - y).ravel()

    begin = np.concatenate([start[[1, 3]], np.ones(10)])
    peer = scipy.optimize.least_squares(residual, begin, jac="3-point", **EXACT)
    power = 2 * peer.cost / (y.size - 12)
    errors = np.sqrt(np.diag(np.linalg.inv(peer.jac.T @ peer.jac)) * power)

    def flat(values: Any) -> np.ndarray:
        values = np.asarray(values)
        return np.concatenate([values[0, [1, 3]], values[:, [0, 2]].ravel()])

    return [
        Row("global fit, params", "scipy", flat(ours.params), peer.x, 1e-8),
        Row("global fit, stderr", "scipy", flat(ours.stderr), errors, 1e-8),
        Row("global fit, χ²", "scipy", ours.chi2[0], 2 * peer.cost, 1e-10),
    ]


def profiles() -> list[Row]:
    """Ends of the intervals of MINUIT's curves from a root finder around `least_squares`."""
    found = []
    made = data.a_decay()
    regression = mvopt.Regression(
        made.curve, made.x, made.y, made.truth, made.sigma, absolute_sigma=True
    )
    fit = regression.fit()
    ours = regression.intervals(fit, 0.95)
    best, errors = np.asarray(fit.params), np.asarray(fit.stderr)
    rise = 1.959963984540054**2

    def profile(index: int, value: float) -> float:
        def residual(others: np.ndarray) -> np.ndarray:
            return made.residual(np.insert(others, index, value))

        start = np.delete(best, index)
        inner = scipy.optimize.least_squares(residual, start, jac="3-point", x_scale="jac", **EXACT)
        return 2 * inner.cost - made.chi2(best) - rise

    for side, far in (("lower", -4.0), ("upper", 6.0)):
        ends = [
            scipy.optimize.brentq(lambda v, i=i: profile(i, v), best[i], best[i] + far * errors[i])
            for i in range(3)
        ]
        title = f"profile intervals 95 %, decay, {side} ends, in stderr"
        found.append(Row(title, "scipy", getattr(ours, side), ends, 1e-6, errors))
    return found


def told() -> list[Row]:
    """A bound in force, a fixed parameter, and one tied to another by an expression."""
    import lmfit

    made = data.a_decay()
    model = lmfit.Model(lambda x, a, b, c: data.decay(x, (a, b, c), np))
    start = dict(zip("abc", made.truth, strict=True))

    def curve(x: Any, p: Any) -> Any:
        return data.decay(x, (p["a"], p["b"], p["c"]))

    low, high = dict.fromkeys("abc", -np.inf), dict.fromkeys("abc", np.inf)
    found = []
    for name, ours, hints in (
        ("bounds", {"bounds": (low | {"c": 0.6}, high)}, {"c": {"min": 0.6}}),
        ("fixed", {"fixed": ["b"]}, {"b": {"vary": False}}),
        ("tied", {"tied": {"c": "a/5"}}, {"c": {"expr": "a/5"}}),
    ):
        params = model.make_params(**start)
        for key, hint in hints.items():
            params[key].set(**hint)
        theirs = model.fit(made.y, params, x=made.x, method="least_squares", fit_kws=EXACT)
        fit = mvopt.curve_fit(curve, made.x, made.y, start, **ours)
        ends = [[each[key] for key in "abc"] for each in (fit.params, theirs.best_values)]
        found.append(Row(f"{name}, params", "lmfit", *ends, 1e-6))
        if name != "bounds":  # where ours says that a parameter at its bound has no error
            errors = [theirs.params[key].stderr for key in "abc"]
            ours_errors = [fit.stderr[key] for key in "abc"]
            found.append(Row(f"{name}, stderr", "lmfit", ours_errors, errors, DIFFERENCES))
    return found


def asked() -> list[Row]:
    """Profile intervals, correlations and bands of a fit with an unknown scale."""
    import lmfit

    made = data.a_decay()
    model = lmfit.Model(lambda x, a, b, c: data.decay(x, (a, b, c), np))
    start = dict(zip("abc", made.truth, strict=True))
    theirs = model.fit(made.y, x=made.x, **start)
    regression = mvopt.Regression(data.decay, made.x, made.y, made.truth)
    fit = regression.fit()
    correlation = [theirs.params[i].correl[j] for i, j in ("ab", "ac", "bc")]
    own = [fit.correlation[i, j] for i, j in ((0, 1), (0, 2), (1, 2))]
    found = [Row("correlation", "lmfit", own, correlation, DIFFERENCES)]

    ours = regression.intervals(fit, 0.95)
    ends = theirs.conf_interval(sigmas=[0.95]).values()
    ends = np.array([(each[0][1], each[2][1]) for each in ends]).T
    ours = np.stack([ours.lower, ours.upper])
    title = "profile intervals 95 %, unknown scale, in stderr"
    found.append(Row(title, "lmfit", ours, ends, 1e-3, fit.stderr))

    x = np.linspace(-1, 7, 9)
    values, half = theirs.eval(x=x), theirs.eval_uncertainty(x=x, sigma=0.95)
    for kind, reach in (("confidence", half), ("prediction", theirs.dely_predicted)):
        band = regression.band(fit, x, kind=kind)
        both = np.stack([band.lower, band.upper])
        title = f"{kind} band, nonlinear model, in half widths"
        peer = np.stack([values - reach, values + reach])
        found.append(Row(title, "lmfit", both, peer, DIFFERENCES, reach))
    return found
