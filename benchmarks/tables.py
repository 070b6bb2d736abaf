"""`python -m benchmarks.tables`: the tables of README and documentation, made from the results.

A page says `<!-- results: NAME -->` where the table of that name begins, `<!-- end -->` where it
ends. Every number in it stands in a file of benchmarks/results.
"""

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
PAGES = (ROOT / "README.md", ROOT / "docs" / "benchmarks.md")
_PART = re.compile(r"<!-- results: ([\w-]+) -->\n(.*?)<!-- end -->", re.DOTALL)


class Column(NamedTuple):
    header: str
    metric: str  # its name, {} being the method's
    form: str  # of the number


class Summary(NamedTuple):
    """A row for each method, of which `methods` holds the names of results and of readers."""

    files: tuple[str, ...]
    columns: tuple[Column, ...]
    methods: dict[str, str]


_SCORES = (
    Column("lowest known minimum", "{}.float64.solved", "{:.0f} %"),
    Column("any known minimum", "{}.float64.known", "{:.0f} %"),
    Column("false success", "{}.float64.false", "{:.0f}"),
    Column("median evaluations", "{}.float64.evaluations", "{:.0f}"),
)
_ROOTS = (
    Column("solved", "systems.{}.solved", "{:.0f} %"),
    Column("false success", "systems.{}.false", "{:.0f}"),
    Column("median evaluations", "systems.{}.evaluations", "{:.0f}"),
)
SUMMARIES = {
    "gauss1d": Summary(
        ("gauss1d",),
        (
            Column("fits a second", "{}.rate", "{:,.0f}"),
            Column("within 10⁻⁴ of the best χ²", "{}.accurate", "{:.3f} %"),
            Column("compiled for", "{}.compile", "{:.1f} s"),
        ),
        {
            "mvopt": "mvopt",
            "optimistix-threads": "Optimistix, vmapped, best chunks, from two threads",
            "optimistix": "Optimistix, vmapped, best chunks",
            "jaxopt-threads": "jaxopt, vmapped, from two threads",
            "jaxopt": "jaxopt, vmapped",
            "scipy-jac": "SciPy `curve_fit` with the analytic Jacobian, in a loop",
            "scipy": "SciPy `curve_fit`, in a loop",
            "lmfit": "lmfit, in a loop",
            "nlsq": "NLSQ, in a loop",
        },
    ),
    "nist": Summary(
        ("nist",),
        (
            Column("mean of the correct digits", "{}.average_lre", "{:.2f}"),
            Column("≥ 6 digits", "{}.params_6", "{:.0f} of 54"),
            Column("standard errors ≥ 4 digits", "{}.stderr_4", "{:.0f} of 54"),
            Column("raised", "{}.raised", "{:.0f}"),
        ),
        {
            "mvopt": "mvopt",
            "mvopt-float32": "mvopt in float32",
            "scipy-lm": "SciPy, `lm`",
            "scipy-trf": "SciPy, `trf`",
            "lmfit": "lmfit",
            "nlsq": "NLSQ",
        },
    ),
    "minimize": Summary(
        ("minimize-published",),
        _SCORES,
        {
            "mvopt": "mvopt, the default",
            "mvopt-bfgs": "mvopt, `BFGS()`",
            "mvopt-lbfgs": "mvopt, `LBFGS()`",
            "optimistix-bfgs": "Optimistix BFGS",
            "optimistix-lbfgs": "Optimistix L-BFGS",
            "scipy-exact": "SciPy trust-exact",
            "scipy-bfgs": "SciPy BFGS",
            "scipy-lbfgsb": "SciPy L-BFGS-B",
        },
    ),
    "constrained": Summary(
        ("constrained", "constrained-peers"),
        (
            Column("certified", "published.{}.float64.certified", "{:.1f} %"),
            Column("best known value", "published.{}.float64.best", "{:.1f} %"),
            Column("false success", "published.{}.float64.false", "{:.0f}"),
        ),
        {
            "mvopt": "mvopt, the default",
            "scipy-slsqp": "SciPy SLSQP",
            "scipy-trust": "SciPy trust-constr",
        },
    ),
    "root": Summary(
        ("root",),
        _ROOTS,
        {
            "mvopt": "mvopt, the default",
            "mvopt-broyden": "mvopt, `Broyden()`",
            "scipy-hybr": "SciPy hybr",
            "optimistix-newton": "Optimistix Newton",
            "jaxopt-broyden": "jaxopt Broyden",
        },
    ),
    "single": Summary(
        ("overhead",),
        (
            Column("one warm call", "single.{}", "{:.0f} µs"),
            Column("of that on the way to the compiled program", "dispatch.{}", "{:.0f} µs"),
            Column("a first call", "compile.{}", "{:.2f} s"),
            Column("over Optimistix's", "compile.{}.ratio", "{:.1f}"),
        ),
        {
            "curve_fit": "`mvopt.curve_fit`, 25 points, 4 parameters",
            "scipy.curve_fit": "SciPy `curve_fit`, the same",
            "linear_fit": "`mvopt.linear_fit`, 25 points",
            "least_squares": "`mvopt.least_squares`, 20 points",
            "minimize": "`mvopt.minimize`, two variables",
            "root": "`mvopt.root`, two equations",
        },
    ),
}


def table(name: str) -> str:
    """A Markdown table, and below it where and with what the numbers were measured."""
    summary = SUMMARIES[name]
    runs = [json.loads((RESULTS / f"{file}.json").read_text()) for file in summary.files]
    values: dict[str, float] = {}
    for run in reversed(runs):  # the first file says what both know
        values |= {metric["name"]: metric["value"] for metric in run["metrics"]}
    lines = [["method", *(column.header for column in summary.columns)]]
    lines.append(["---"] * len(lines[0]))
    for method, label in summary.methods.items():
        cells = [_cell(values, column, method) for column in summary.columns]
        if set(cells) != {"–"}:
            lines.append([label, *cells])
    rows = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    return f"{rows}\n\n" + "".join(_origin(*pair) for pair in zip(summary.files, runs, strict=True))


def _cell(values: dict[str, float], column: Column, method: str) -> str:
    value = values.get(column.metric.format(method))
    return "–" if value is None else column.form.format(value)


def _origin(file: str, run: dict[str, Any]) -> str:
    machine, date = run["machine"], run["date"][:10]
    where = f"{machine['processor']}, {machine['cores']} cores"
    return f"<sub>{file}.json: {where}, JAX {run['versions']['jax']}, {date}</sub>\n"


def written(text: str) -> str:
    """The page with its tables made anew."""
    return _PART.sub(
        lambda part: f"<!-- results: {part[1]} -->\n{table(part[1])}<!-- end -->", text
    )


def main() -> None:
    """Write the pages."""
    for page in PAGES:
        page.write_text(written(page.read_text()))


if __name__ == "__main__":
    main()
