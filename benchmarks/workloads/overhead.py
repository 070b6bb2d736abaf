"""What there is to pay besides the mathematics: imports, compilation, and the way of one call."""

import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import mvopt
from benchmarks import peers
from benchmarks.problems import small
from benchmarks.report import Report, Table
from benchmarks.timing import timed

BASE = "import jax, optax, chex"
EVERY_NAME = f"{BASE}, mvopt; [getattr(mvopt, name) for name in mvopt.__all__]"


def run(config: dict[str, Any], only: Sequence[str]) -> Report:
    """The parts that `config` asks for; it is described in configs/bench/overhead.toml."""
    report = Report("overhead", config)
    for part in config["parts"]:
        PARTS[part](report, config[part], only)
    return report


def seconds_of(code: str) -> float:
    """What a new process prints last: seconds that it measured itself."""
    # Compiled sources are kept, as they are for whoever has imported a package once.
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=kept
    )
    return float(done.stdout.split()[-1])


def imports(report: Report, config: dict[str, Any], _only: Sequence[str]) -> None:
    """Processes in turn with and without this library, and the median of both."""
    watch = "import time; start = time.perf_counter(); {}; print(time.perf_counter() - start)"
    added = {"mvopt": f"{BASE}, mvopt", "names": EVERY_NAME}
    statements = {"base": BASE, **added}
    seconds: dict[str, list[float]] = {name: [] for name in statements}
    seconds_of(watch.format(EVERY_NAME))  # after which the sources are compiled
    for _ in range(config["processes"]):
        for name, statement in statements.items():
            seconds[name].append(seconds_of(watch.format(statement)))
    base, whole, every = (statistics.median(seconds[name]) for name in statements)
    report.add("import.base", base, "s", "neither", BASE)
    report.add("import.added", whole - base, "s", "lower", f"by import mvopt after {BASE}")
    note = "by import mvopt and the first use of every name"
    report.add("import.every_name", every - base, "s", "lower", note)
    report.outcomes["import"] = "measured"


def compilation(report: Report, config: dict[str, Any], only: Sequence[str]) -> None:
    """First calls, each in a process of its own, ours and Optimistix's in turn."""
    with_peer = "optimistix" in only and peers.available("optimistix")
    if not with_peer:
        how = "not installed" if "optimistix" in only else "not asked for"
        report.outcomes["optimistix"] = f"skipped: {how}"
    libraries = ("mvopt", "optimistix") if with_peer else ("mvopt",)
    code = "from benchmarks.problems import small; small.first_call({!r}, {!r})"
    rows = []
    for case in small.PROBLEMS:
        seconds: dict[str, list[float]] = {name: [] for name in libraries}
        for _ in range(config["processes"]):
            for name in libraries:
                seconds[name].append(seconds_of(code.format(name, case)))
        medians = {name: statistics.median(each) for name, each in seconds.items()}
        rows.append((case, medians["mvopt"], medians.get("optimistix", "–")))
        report.add(f"compile.{case}", medians["mvopt"], "s", "lower", "a first call, less imports")
        if with_peer:
            ratio = medians["mvopt"] / medians["optimistix"]
            report.add(f"compile.{case}.ratio", ratio, "ratio", "lower", "over Optimistix's")
    report.outcomes |= {f"compile.{name}": "measured" for name in libraries}
    report.tables.append(Table("Seconds of a first call", ("problem", *libraries), rows))


def single(report: Report, config: dict[str, Any], only: Sequence[str]) -> None:
    """One problem at a time, warm: every entry point, eagerly and compiled into a program."""
    calls = entry_points()
    if "scipy" in only and peers.available("scipy"):
        calls["scipy.curve_fit"] = partial(small.by_scipy, small.data())
    else:
        report.outcomes["scipy"] = "skipped: not asked for or not installed"
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    for _ in range(config["calls"]):
        for name, call in calls.items():
            seconds[name].append(timed(call)[0])
    medians = {name: 1e6 * statistics.median(each) for name, each in seconds.items()}
    rows = []
    for name in calls:
        if name.endswith(".compiled"):
            continue
        within = medians.get(f"{name}.compiled")
        outside = "–" if within is None else medians[name] - within
        rows.append((name, medians[name], "–" if within is None else within, outside))
        report.add(f"single.{name}", medians[name], "µs", "lower", "median of a warm call")
        if within is not None:
            note = "that call less the same in a compiled program"
            report.add(f"dispatch.{name}", medians[name] - within, "µs", "lower", note)
        report.outcomes[name] = "measured"
    columns = ("call", "µs", "µs of the compiled program", "µs on the way to it")
    report.tables.append(Table("One small problem, warm", columns, rows))
    if "scipy.curve_fit" in medians:
        ratio = medians["curve_fit"] / medians["scipy.curve_fit"]
        report.add("single.curve_fit.ratio", ratio, "ratio", "lower", "over SciPy's curve_fit")
        ours, theirs = (np.asarray(calls[name]()) for name in ("curve_fit", "scipy.curve_fit"))
        apart = float(np.max(np.abs(ours / theirs - 1)))
        report.add("single.curve_fit.apart", apart, "relative", "lower", "from SciPy's params")


def entry_points() -> dict[str, Callable[[], Any]]:
    """For each a call with arrays of NumPy, and one of a program of the user's with it inside."""
    fits: dict[str, tuple[Callable[..., Any], tuple]] = {
        "curve_fit": (lambda x, y, p: mvopt.curve_fit(small.peak, x, y, p), small.data()),
        "linear_fit": (mvopt.linear_fit, small.straight_line()),
    }
    for name, (function, start) in small.PROBLEMS.items():
        fits[name] = partial(getattr(mvopt, name), function), (start,)
    calls: dict[str, Callable[[], Any]] = {}
    for name, (function, given) in fits.items():
        compiled, held = jax.jit(function), tuple(map(jnp.asarray, given))
        calls[name] = lambda function=function, given=given: finished(function(*given))
        calls[f"{name}.compiled"] = lambda compiled=compiled, held=held: finished(compiled(*held))
    return calls


def finished(result: Any) -> Any:
    """The params, once everything of the result is there."""
    return jax.block_until_ready(result).params


PARTS = {"imports": imports, "compilation": compilation, "single": single}
