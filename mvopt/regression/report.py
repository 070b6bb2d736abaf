"""A fit in words: a report, numbers rounded as their errors allow, rows for LaTeX."""

from collections import Counter
from decimal import Decimal
from itertools import combinations
from math import isfinite, isnan
from typing import Any

import jax
import numpy as np

from mvopt._types import Status

_SMALLEST_CORRELATION = 0.1
_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
_NUM_WORST = 5
_LIKELIHOODS = ("Poisson", "Binomial")
# What stands in the place of χ², and of the reduced χ².
_STATISTICS = {
    "linear": ("chi-square", "reduced chi-square"),
    **dict.fromkeys(_LIKELIHOODS, ("deviance", "reduced deviance")),
}
_ROBUST_STATISTICS = ("2 x loss", "2 x loss / dof")
# A mantissa without an exponent reads well between these powers of ten.
_LOWEST_POWER, _HIGHEST_POWER = -4, 5


def text(fit: Any) -> str:
    """The report of a fit, in lmfit's form; of a batch what its fits have in common.

    One fit: model, statistics, each parameter with its standard error, and the correlations of
    at least 0.1, largest first. A batch: how many ended with which status, quantiles of the
    parameters over the fits that converged, and the largest reduced χ². What has no meaning for a
    fit, such as a p-value without sigma, is left out.
    """
    return _text_of_batch(fit) if np.ndim(fit.status) else _text_of_one(fit)


def labels(fit: Any) -> tuple[str, ...]:
    """Names of the parameters in the order of the covariance; of nested ones their paths.

    An entry of an array has its index in brackets, a part of a complex number its name:
    `peak.height`, `rates[1]`, `pole.real`.
    """
    leaves, _ = jax.tree_util.tree_flatten_with_path(fit.params)
    if fit.about.names is not None:
        return fit.about.names
    if not leaves[0][0]:
        return tuple(f"p{i}" for i in range(np.shape(fit.covariance)[-1]))
    names = []
    for path, leaf in leaves:
        place = jax.tree_util.keystr(path, simple=True, separator=".")
        shape = np.shape(leaf)[np.ndim(fit.status) :]
        # Without axes of its own it is one number, and has one index: ().
        for part in (".real", ".imag") if np.iscomplexobj(leaf) else ("",):
            for index in np.ndindex(*shape):
                entry = f"[{','.join(map(str, index))}]" if index else ""
                names.append(place + entry + part)
    return tuple(names)


def statistics(fit: Any) -> tuple[str, str]:
    """What `chi2` and `reduced_chi2` of this fit are, in words."""
    return _STATISTICS.get(fit.about.loss, _ROBUST_STATISTICS)


def columns(fit: Any, params: Any) -> np.ndarray:
    """`params`, or what is like them, with the numbers of a data set in one row, (…, n)."""
    batch = np.shape(fit.status)
    leaves = [np.asarray(leaf).reshape(*batch, -1) for leaf in jax.tree.leaves(params)]
    parts = [(leaf.real, leaf.imag) if np.iscomplexobj(leaf) else (leaf,) for leaf in leaves]
    return np.concatenate([part for pair in parts for part in pair], axis=-1)


def rounded(value: Any, error: Any, latex: bool = False) -> str:
    r"""A number with its standard error, both to the last digit that the error allows.

    `1.234(12)e-7`: the last digits, and in brackets by how much they are uncertain. With `latex`
    `(1.234 \pm 0.012) \times 10^{-7}`, for math mode. The rule is that of the Particle Data Group
    (Review of Particle Physics, Introduction, section 5.3): if the three leading digits of the
    error are at most 354 it keeps two of them, up to 949 one, and beyond that it becomes 1000 and
    keeps two. An exponent is written where the number would be long, or would show digits that the
    error does not allow. A number without error (0) stands alone; an infinite or unknown error is
    written out. ValueError for a negative one.
    """
    value, error = float(value), float(error)
    if error < 0:
        raise ValueError(f"error={error} is negative: give a standard deviation")
    if not isfinite(value):
        return _not_finite(value, latex)
    if error == 0:
        return _alone(value, 6, latex)
    sign = r"\pm" if latex else "±"
    if not isfinite(error):
        return f"{_alone(value, 6, latex)} {sign} {_not_finite(error, latex)}"
    # It would need more digits than a float has.
    if error < 1e-15 * abs(value):
        return f"{_alone(value, 16, latex)} {sign} {_alone(error, 2, latex)}"
    return _with_error(Decimal(value), Decimal(error), latex)


def latex_table(fit: Any) -> str:
    """A LaTeX table (package booktabs): a row a parameter, of a batch a row a fit."""
    names = [name.replace("_", r"\_") for name in labels(fit)]
    batch = np.ndim(fit.status) > 0
    values, errors = (columns(fit, each) for each in (fit.params, fit.stderr))
    if batch:
        heading = ["Fit", *names, r"$\chi^2/\nu$"]
        rows = [
            [str(i), *_cells(value, error), _ratio(chi2, dof)]
            for i, (value, error, chi2, dof) in enumerate(
                zip(values, errors, np.asarray(fit.chi2), np.asarray(fit.dof), strict=True)
            )
        ]
    else:
        heading = ["Parameter", "Value"]
        rows = [list(pair) for pair in zip(names, _cells(values, errors), strict=True)]
        rows.append([r"$\chi^2/\nu$", _ratio(fit.chi2, fit.dof)])
    lines = [
        rf"\begin{{tabular}}{{{'l' * len(heading)}}}",
        r"\toprule",
        *(rf"{' & '.join(row)} \\" for row in (heading, *rows)),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    lines.insert(3, r"\midrule")
    return "\n".join(lines)


def _cells(values: np.ndarray, errors: np.ndarray) -> list[str]:
    return [f"${rounded(*pair, latex=True)}$" for pair in zip(values, errors, strict=True)]


def _ratio(chi2: Any, dof: Any) -> str:
    chi2 = float(chi2)
    number = _alone(chi2, 4, latex=True) if isfinite(chi2) else _not_finite(chi2, latex=True)
    return f"${number}/{int(dof)}$"


def _not_finite(value: float, latex: bool) -> str:
    if isnan(value):
        return r"\mathrm{NaN}" if latex else "nan"
    sign = "-" if value < 0 else ""
    return sign + (r"\infty" if latex else "inf")


def _alone(value: float, digits: int, latex: bool) -> str:
    """At most so many digits, in Python's own choice of exponent or none."""
    mantissa, _, power = f"{value:.{digits}g}".partition("e")
    return mantissa + _exponent(int(power or 0), latex)


def _exponent(power: int, latex: bool) -> str:
    if power == 0:
        return ""
    return rf" \times 10^{{{power}}}" if latex else f"e{power}"


def _with_error(value: Decimal, error: Decimal, latex: bool) -> str:
    leading = error.adjusted()
    three = int(error.scaleb(2 - leading).to_integral_value())
    last = leading - 1 if three <= 354 else leading
    unit = Decimal(1).scaleb(last)
    digits = [(each / unit).to_integral_value() for each in (value, error)]
    # "or": what is rounded to zero has no sign.
    value, error = (each * unit or Decimal(0) for each in digits)
    largest = max(value.copy_abs(), error).adjusted()
    plain = last <= 0 and _LOWEST_POWER <= largest <= _HIGHEST_POWER
    power = 0 if plain else largest
    decimals = power - last
    numbers = [f"{each.scaleb(-power):.{decimals}f}" for each in (value, error)]
    exponent = _exponent(power, latex)
    if latex:
        pair = r" \pm ".join(numbers)
        return f"({pair}){exponent}" if exponent else pair
    # An error of whole units keeps its point; a smaller one is understood in the last digits.
    inside = numbers[1] if Decimal(numbers[1]) >= 1 else str(int(digits[1]))
    return f"{numbers[0]}({inside}){exponent}"


def _text_of_one(fit: Any) -> str:
    status = Status(int(fit.status))
    statistic, reduced = statistics(fit)
    lines = [
        *_heading(fit),
        "[[Fit Statistics]]",
        f"    fitting method     = {_method(fit.about.loss)}",
        f"    status             = {status.name}",
        "" if status == Status.CONVERGED else f"        {status.sentence}",
        f"    # steps            = {int(fit.num_steps)}",
        f"    # data points      = {int(fit.num_points)}",
        f"    # variables        = {_num_free(fit)}",
        _line(statistic, fit.chi2),
        _line(reduced, fit.reduced_chi2),
        _line("p-value", fit.p_value),
        _line("Akaike info crit", fit.aic),
        _line("Bayesian info crit", fit.bic),
        _line("R-squared", fit.r_squared),
        "[[Variables]]",
        *_variables(fit),
        *_correlations(fit),
    ]
    return "\n".join(line for line in lines if line)


def _heading(fit: Any) -> list[str]:
    return ["[[Model]]", f"    {fit.about.model}"] if fit.about.model else []


def _method(loss: str) -> str:
    if loss == "linear":
        return "least squares"
    return f"maximum likelihood, {loss}" if loss in _LIKELIHOODS else f"robust loss, {loss}"


def _line(name: str, value: Any) -> str:
    """Empty where there is no such number."""
    return "" if np.isnan(value) else f"    {name:18} = {_number(value)}"


def _number(value: Any, digits: int = 9) -> str:
    """As many digits as the precision has, at most `digits`."""
    value = np.asarray(value)
    known = np.finfo(value.dtype).precision + 1
    return f"{float(value):.{min(digits, known)}g}"


def _num_free(fit: Any) -> int:
    return int(np.max(fit.num_estimated)) - (not fit.about.known_scale)


def _variables(fit: Any) -> list[str]:
    names = labels(fit)
    values, errors = columns(fit, fit.params), columns(fit, fit.stderr)
    # In a perfect fit whose scale is unknown none has an error.
    fixed = (errors == 0) & bool(fit.about.known_scale or fit.chi2 > 0)
    # Otherwise the fit as a whole has no errors.
    solved = int(fit.status) in (Status.CONVERGED, Status.SINGULAR, Status.STALLED)
    scaled = fit.about.known_scale or fit.dof > 0
    reason = "at a bound or undetermined" if solved and scaled else "no standard error"
    width = max(map(len, names)) + 1
    lines = []
    for name, value, error, held in zip(names, values, errors, fixed, strict=True):
        start = f"    {name + ':':{width}} {'' if value < 0 else ' '}{_number(value)}"
        if held:
            lines.append(f"{start} (fixed)")
        elif not np.isfinite(error):
            lines.append(f"{start} ({reason})")
        else:
            share = f" ({abs(error / value):.2%})" if value else ""
            lines.append(f"{start} +/- {_number(error, 7)}{share}")
    return lines


def _correlations(fit: Any) -> list[str]:
    matrix, names = np.asarray(fit.correlation), labels(fit)
    pairs = [
        (matrix[i, j], names[i], names[j])
        for i, j in combinations(range(len(names)), 2)
        if abs(matrix[i, j]) >= _SMALLEST_CORRELATION
    ]
    if not pairs:
        return []
    pairs.sort(key=lambda pair: -abs(pair[0]))
    width = max(len(first) + len(second) for _, first, second in pairs) + 5
    return [
        f"[[Correlations]] (unreported correlations are < {_SMALLEST_CORRELATION:.3f})",
        *(f"    {f'C({a}, {b})':{width}} = {value:+.4f}" for value, a, b in pairs),
    ]


def _text_of_batch(fit: Any) -> str:
    status = np.asarray(fit.status).ravel()
    counts = Counter(status.tolist()).most_common()
    width = max(len(Status(code).name) for code, _ in counts)
    digits = len(str(counts[0][1]))
    lines = [
        *_heading(fit),
        f"[[Status]] of {status.size} fits",
        *(
            f"    {Status(code).name:{width}} {number:{digits}}  {Status(code).sentence}"
            for code, number in counts
        ),
        *_quantiles(fit, status == Status.CONVERGED),
        *_worst(fit),
    ]
    return "\n".join(lines)


def _quantiles(fit: Any, converged: np.ndarray) -> list[str]:
    if not converged.any():
        return []
    names = labels(fit)
    values = columns(fit, fit.params).reshape(-1, len(names))[converged]
    errors = columns(fit, fit.stderr).reshape(-1, len(names))[converged]
    rows = np.column_stack([np.quantile(values, _QUANTILES, axis=0).T, np.median(errors, axis=0)])
    width = max(map(len, names))
    heading = "".join(f" {f'{100 * each:g} %':>11}" for each in _QUANTILES)
    return [
        f"[[Variables]] quantiles over the {converged.sum()} that converged",
        f"    {'':{width}}{heading}   median error",
        *(
            f"    {name:{width}}"
            + "".join(f" {each:11.5g}" for each in row[:-1])
            + f" {row[-1]:14.5g}"
            for name, row in zip(names, rows, strict=True)
        ),
    ]


def _worst(fit: Any) -> list[str]:
    """The fits with the largest reduced χ², among those that have one."""
    reduced = np.asarray(fit.reduced_chi2)
    flat = np.where(np.isfinite(reduced), reduced, -np.inf).ravel()
    order = np.argsort(-flat, kind="stable")[:_NUM_WORST]
    order = order[np.isfinite(flat[order])]
    if not order.size:
        return []
    places = [np.unravel_index(index, reduced.shape) for index in order]
    shown = [", ".join(map(str, place)) for place in places]
    width = max(map(len, shown))
    status = np.asarray(fit.status)
    return [
        f"[[Worst fits]] by {statistics(fit)[1]}",
        *(
            f"    {name:>{width}}: {reduced[place]:<11.5g} {Status(int(status[place])).name}"
            for name, place in zip(shown, places, strict=True)
        ),
    ]
