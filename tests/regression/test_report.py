"""Reports: the numbers of lmfit's, the rounding of the Particle Data Group, what is left out."""

import re
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mvopt
from mvopt import Fit, Status, report
from mvopt.regression.fit import About

lmfit = pytest.importorskip("lmfit")

X = np.linspace(-4, 4, 30)
SIGMA = np.linspace(0.05, 0.2, 30)
Y = 3 * np.exp(-((X - 0.3) ** 2) / 2) + SIGMA * np.random.default_rng(2).normal(size=30)


def peak(x, amplitude, center, width):
    return amplitude * np.exp(-(((x - center) / width) ** 2) / 2)


def made(params, stderr, correlation=None, **fields):
    """Return a fit with these numbers."""
    sides = [jax.flatten_util.ravel_pytree(tree)[0] for tree in (params, stderr)]
    deviation = jnp.where(jnp.isfinite(sides[1]), sides[1], 0.0)
    matrix = jnp.eye(len(deviation)) if correlation is None else jnp.asarray(correlation)
    defaults = {
        "params": jax.tree.map(jnp.asarray, params),
        "stderr": jax.tree.map(jnp.asarray, stderr),
        "covariance": matrix * deviation[:, None] * deviation,
        "chi2": jnp.asarray(12.0),
        "reduced_chi2": jnp.asarray(1.5),
        "p_value": jnp.asarray(jnp.nan),
        "dof": jnp.asarray(8),
        "status": jnp.asarray(1),
        "num_steps": jnp.asarray(5),
        "log_likelihood": jnp.asarray(-3.0),
        "num_points": jnp.asarray(10),
        "num_estimated": jnp.asarray(len(deviation) + 1),
        "r_squared": jnp.asarray(0.9),
    }
    return Fit(**defaults | fields)


def numbers(text):
    """Return the numbers of a report by what stands before them."""
    statistics = dict(re.findall(r"(?m)^ {4}(?:# )?(\S.*?) += ([-\d.e]+)$", text))
    variables = re.findall(r"(?m)^ {4}(\w+): +(\S+) \+/- (\S+) \((\S+)%\)", text)
    correlations = re.findall(r"(?m)^ {4}C\((\w+), (\w+)\) += (\S+)$", text)
    found = {name: float(value) for name, value in statistics.items() if "C(" not in name}
    for name, *values in variables:
        found |= {(name, i): float(value) for i, value in enumerate(values)}
    return found, {frozenset(pair): float(value) for *pair, value in correlations}


def test_the_numbers_are_those_of_lmfit():
    model = lmfit.Model(peak)
    expected = model.fit(Y, x=X, weights=1 / SIGMA, amplitude=2.0, center=0.0, width=1.5)
    fit = mvopt.curve_fit(mvopt.models.gaussian, X, Y, sigma=SIGMA)

    ours, correlations = numbers(str(fit).replace("sigma", "width"))
    theirs, their_correlations = numbers(expected.fit_report())

    constant = 30 * (1 + np.log(2 * np.pi)) + 2 * np.log(SIGMA).sum()
    # lmfit leaves out what does not depend on the model, and does not count the scale.
    theirs["Akaike info crit"] += constant + 2
    theirs["Bayesian info crit"] += constant + np.log(30)
    for name in ("data points", "variables", "chi-square", "reduced chi-square"):
        assert ours[name] == pytest.approx(theirs[name], rel=1e-7), name
    for name in ("Akaike info crit", "Bayesian info crit"):
        assert ours[name] == pytest.approx(theirs[name], rel=1e-7), name
    for name in ("amplitude", "center", "width"):
        assert ours[name, 0] == pytest.approx(theirs[name, 0], rel=1e-6)
        # lmfit differentiates by finite differences; a share has two decimals.
        assert ours[name, 1] == pytest.approx(theirs[name, 1], rel=1e-4)
        assert ours[name, 2] == pytest.approx(theirs[name, 2], abs=0.011)
    assert len(correlations) == 2
    assert correlations == pytest.approx(their_correlations, abs=2e-4)
    # lmfit's has another mean than the weighted one.
    spread = np.sum(((Y - np.average(Y, weights=SIGMA**-2)) / SIGMA) ** 2)
    assert ours["R-squared"] == pytest.approx(1 - theirs["chi-square"] / spread, abs=1e-8)


def test_one_fit():
    correlation = [[1, 0.2, 0.05], [0.2, 1, -0.9], [0.05, -0.9, 1]]
    fit = made(jnp.array([4.0, -0.5, 0.0]), jnp.array([0.1, 0.25, 2.0]), correlation)
    fit = replace(fit, about=About("model", ("a", "bb", "c")), p_value=jnp.asarray(0.125))
    assert (
        str(fit)
        == report.text(fit)
        == """\
[[Model]]
    model
[[Fit Statistics]]
    fitting method     = least squares
    status             = CONVERGED
    # steps            = 5
    # data points      = 10
    # variables        = 3
    chi-square         = 12
    reduced chi-square = 1.5
    p-value            = 0.125
    Akaike info crit   = 14
    Bayesian info crit = 15.2103404
    R-squared          = 0.9
[[Variables]]
    a:   4 +/- 0.1 (2.50%)
    bb: -0.5 +/- 0.25 (50.00%)
    c:   0 +/- 2
[[Correlations]] (unreported correlations are < 0.100)
    C(bb, c) = -0.9000
    C(a, bb) = +0.2000"""
    )


def test_what_has_no_meaning_is_left_out():
    nan = jnp.asarray(jnp.nan)
    about = About("model", ("a", "b", "c"), "Huber")
    fit = made(jnp.array([1.0, 2.0, 3.0]), jnp.array([0.0, jnp.inf, 0.5]), about=about)
    fit = replace(fit, log_likelihood=nan, r_squared=nan, status=jnp.asarray(int(Status.SINGULAR)))
    text = str(replace(fit, num_estimated=jnp.asarray(3)))
    assert "    fitting method     = robust loss, Huber\n" in text
    assert f"    status             = SINGULAR\n        {Status.SINGULAR.sentence}\n" in text
    assert "    2 x loss           = 12\n    2 x loss / dof     = 1.5\n[[Variables]]" in text
    assert "    a:  1 (fixed)\n    b:  2 (at a bound or undetermined)\n    c:  3 +/- 0.5" in text
    assert text.endswith("(16.67%)")


@pytest.mark.parametrize("change", [{"dof": 0}, {"status": int(Status.MAX_STEPS)}], ids=str)
def test_without_any_errors_no_parameter_is_blamed(change):
    change = {name: jnp.asarray(value) for name, value in change.items()}
    text = str(made(jnp.array([1.0, 2.0]), jnp.full(2, jnp.inf), **change))
    assert text.endswith("    p0:  1 (no standard error)\n    p1:  2 (no standard error)")


def test_a_perfect_fit_has_no_fixed_parameters():
    perfect = made(jnp.array([1.0, 2.0]), jnp.zeros(2), chi2=jnp.zeros(()))
    assert "fixed" not in str(perfect)


def test_likelihoods_have_a_deviance():
    about = About("model", ("a",), "Poisson", known_scale=True)
    text = str(made(jnp.ones(1), jnp.ones(1), about=about, num_estimated=jnp.asarray(1)))
    assert "= maximum likelihood, Poisson\n" in text
    assert "    # variables        = 1\n    deviance           = 12\n    reduced deviance " in text


def test_float32_has_seven_digits():
    fit = made(jnp.array([1 / 3], jnp.float32), jnp.array([0.1], jnp.float32))
    assert "p0:  0.3333333 +/- 0.1 (30.00%)" in str(fit)


@pytest.mark.parametrize("batch", [(), (3,)])
def test_nested_parameters_are_named_by_their_path(batch):
    tree = {"peak": {"height": 1.0, "at": jnp.ones(2)}, "base": [jnp.ones((1, 2))]}
    tree = jax.tree.map(lambda leaf: jnp.ones((*batch, *jnp.shape(leaf))), tree)
    fit = made(tree, tree, status=jnp.ones(batch, int))
    expected = "base.0[0,0]", "base.0[0,1]", "peak.at[0]", "peak.at[1]", "peak.height"
    assert report.labels(fit) == expected


def batch():
    values = np.random.default_rng(0).normal(size=(40, 2))
    reduced = np.arange(40.0)
    status = np.where(np.arange(40) < 30, Status.CONVERGED, Status.MAX_STEPS)
    values[35], reduced[35], status[35] = np.nan, np.nan, Status.NONFINITE
    return Fit(
        params=jnp.asarray(values),
        stderr=jnp.full((40, 2), 0.25),
        covariance=jnp.tile(jnp.eye(2) / 16, (40, 1, 1)),
        about=About("model", ("a", "bb")),
        status=jnp.asarray(status),
        reduced_chi2=jnp.asarray(reduced),
        chi2=jnp.asarray(3 * reduced),
        dof=jnp.full(40, 3),
        p_value=jnp.zeros(40),
        num_steps=jnp.zeros(40),
        log_likelihood=jnp.zeros(40),
        num_points=jnp.zeros(40),
        num_estimated=jnp.zeros(40),
        r_squared=jnp.zeros(40),
    )


def test_a_batch():
    fit = batch()
    lines = str(fit).splitlines()
    assert lines[:3] == ["[[Model]]", "    model", "[[Status]] of 40 fits"]
    assert [line.split()[:2] for line in lines[3:6]] == [
        ["CONVERGED", "30"],
        ["MAX_STEPS", "9"],
        ["NONFINITE", "1"],
    ]
    assert lines[6] == "[[Variables]] quantiles over the 30 that converged"
    quantiles = np.quantile(fit.params[:30], [0.05, 0.25, 0.5, 0.75, 0.95], axis=0).T
    for line, name, expected in zip(lines[8:10], ("a", "bb"), quantiles, strict=True):
        first, *rest = line.split()
        assert first == name
        np.testing.assert_allclose(np.array(rest, float), [*expected, 0.25], rtol=1e-4)
    assert lines[10] == "[[Worst fits]] by reduced chi-square"
    assert [line.split() for line in lines[11:]] == [
        [f"{i}:", f"{i}", "MAX_STEPS"] for i in (39, 38, 37, 36, 34)
    ]


def test_a_batch_of_failures_has_no_quantiles():
    fit = replace(batch(), status=jnp.full(40, 4), reduced_chi2=jnp.full(40, jnp.nan))
    assert str(fit).splitlines()[-1].startswith("    NONFINITE 40  ")


def test_traced_fits_have_no_report():
    texts = []
    jax.eval_shape(lambda fit: texts.append(str(fit)), batch())
    assert texts[0].startswith("Fit(params=")


@pytest.mark.parametrize(
    ("value", "error", "expected"),
    [
        # The examples of the Particle Data Group.
        (0.827, 0.119, ("0.83(12)", r"0.83 \pm 0.12")),
        (0.827, 0.367, ("0.8(4)", r"0.8 \pm 0.4")),
        (14.674, 0.964, ("14.7(1.0)", r"14.7 \pm 1.0")),
        # The ends of the rule.
        (1.23456, 0.0354, ("1.235(35)", r"1.235 \pm 0.035")),
        (1.23456, 0.0355, ("1.23(4)", r"1.23 \pm 0.04")),
        (1.23456, 0.0949, ("1.23(9)", r"1.23 \pm 0.09")),
        (1.23456, 0.0950, ("1.23(10)", r"1.23 \pm 0.10")),
        (9.9996, 0.00999, ("10.000(10)", r"10.000 \pm 0.010")),
        # Exponents.
        (1.2345e-7, 1.2e-9, ("1.235(12)e-7", r"(1.235 \pm 0.012) \times 10^{-7}")),
        (-1234.0, 120.0, ("-1.23(12)e3", r"(-1.23 \pm 0.12) \times 10^{3}")),
        (123456.7, 0.5, ("123456.7(5)", r"123456.7 \pm 0.5")),
        (1234567.0, 5.0, ("1.234567(5)e6", r"(1.234567 \pm 0.000005) \times 10^{6}")),
        (0.00012, 0.000012, ("0.000120(12)", r"0.000120 \pm 0.000012")),
        (-3.0, 1e5, ("0.0(1.0)e5", r"(0.0 \pm 1.0) \times 10^{5}")),
        (1e300, 1e-300, ("1e300 ± 1e-300", r"1 \times 10^{300} \pm 1 \times 10^{-300}")),
        (np.float32(0.1), np.float32(0.01), ("0.100(10)", r"0.100 \pm 0.010")),
        # What is no error.
        (2.5, 0.0, ("2.5", "2.5")),
        (0.0, 0.0, ("0", "0")),
        (-1.5e-9, np.inf, ("-1.5e-9 ± inf", r"-1.5 \times 10^{-9} \pm \infty")),
        (2.5, np.nan, ("2.5 ± nan", r"2.5 \pm \mathrm{NaN}")),
        (np.nan, 1.0, ("nan", r"\mathrm{NaN}")),
        (-np.inf, 1.0, ("-inf", r"-\infty")),
    ],
)
def test_rounded(value, error, expected):
    assert (report.rounded(value, error), report.rounded(value, error, latex=True)) == expected


def test_a_negative_error_is_refused():
    with pytest.raises(ValueError, match="give a standard deviation"):
        report.rounded(1.0, -1.0)


def test_latex_tables():
    about = About("model", ("half_life", "b"))
    one = made(jnp.array([0.827, 2.0]), jnp.array([0.119, 0.0]), about=about)
    assert report.latex_table(one).splitlines() == [
        r"\begin{tabular}{ll}",
        r"\toprule",
        r"Parameter & Value \\",
        r"\midrule",
        r"half\_life & $0.83 \pm 0.12$ \\",
        r"b & $2$ \\",
        r"$\chi^2/\nu$ & $12/8$ \\",
        r"\bottomrule",
        r"\end{tabular}",
    ]
    several = report.latex_table(batch()).splitlines()
    assert several[0] == r"\begin{tabular}{llll}"
    assert several[2] == r"Fit & a & bb & $\chi^2/\nu$ \\"
    assert several[4].startswith(r"0 & $0.13 \pm 0.25$ & ")
    assert several[5].endswith(r" & $3/3$ \\")
    assert several[39] == r"35 & $\mathrm{NaN}$ & $\mathrm{NaN}$ & $\mathrm{NaN}/3$ \\"
    assert len(several) == 46
