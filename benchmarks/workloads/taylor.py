"""Series beside nested derivatives, products with Hessians, sparse Jacobians, sound enclosures."""

from collections.abc import Callable, Sequence
from math import factorial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import mvopt
from benchmarks.figures import Figure
from benchmarks.problems.small import rosenbrock
from benchmarks.report import Report, Table
from benchmarks.timing import Method, Timing, interleave
from benchmarks.workloads import enclosures
from benchmarks.workloads.precision import precision

COLUMNS = ("order", "series ms", "nested ms", "series compile s", "nested compile s", "difference")


def run(config: dict[str, Any], only: Sequence[str]) -> Report:  # noqa: ARG001
    """The parts that `config` asks for; it is described in configs/bench/taylor.toml."""
    report = Report("taylor", config)
    parts = {"growth": growth, "products": products, "sparse": sparse}
    for part in config["parts"]:
        if part == "enclosures":
            enclosures.add(report, config[part])
        else:
            with precision("float64"):
                parts[part](report, config[part])
    return report


def waiting(fn: Callable[..., Any], *args: Any) -> Callable[[], Any]:
    return lambda: jax.block_until_ready(fn(*args))


def example(x: Any) -> Any:
    return jnp.exp(jnp.sin(x)) * jnp.tanh(x) / (1 + x * x)


def nested(order: int) -> Callable[[Any], Any]:
    """(order + 1,) coefficients by `jax.grad` of `jax.grad`, the same as a series'."""
    derivatives = [example]
    for _ in range(order):
        derivatives.append(jax.grad(derivatives[-1]))
    return lambda x: jnp.stack([d(x) / factorial(k) for k, d in enumerate(derivatives)])


def growth(report: Report, config: dict[str, Any]) -> None:
    """The time of an expansion at many points against its order."""
    points = jnp.linspace(-1.0, 1.0, config["points"])
    rows, times = [], {"series": {}, "nested": {}}
    for order in config["orders"]:
        ours = jax.jit(jax.vmap(lambda x, k=order: mvopt.taylor(example, x, k).coefficients))
        methods = [Method("series", waiting(ours, points), points.size)]
        if order <= config["nested_up_to"]:
            methods.append(Method("nested", waiting(jax.jit(jax.vmap(nested(order))), points), 0))
        measured = interleave(methods, config["repetitions"])
        found, apart = measured.results, float("nan")
        if "nested" in found:
            apart = float(jnp.max(jnp.abs(found["series"] - found["nested"])))
        nothing = Timing(float("nan"), float("nan"), float("nan"))
        a, b = (measured.timings.get(name, nothing) for name in ("series", "nested"))
        for name, timing in measured.timings.items():
            times[name][order] = timing.median
        rows.append((order, 1e3 * a.median, 1e3 * b.median, a.compile, b.compile, apart))
    report.tables.append(Table(f"Expansions at {points.size:,} points", COLUMNS, rows))
    last = max(times["nested"])
    report.add(
        f"order_{last}.gain", times["nested"][last] / times["series"][last], "ratio", "higher"
    )
    for name, note in (("series", "time ~ order^value"), ("nested", "time of one order more")):
        orders = np.array([k for k in times[name] if k >= 2])
        logs = np.log([times[name][k] for k in orders])
        against = np.log(orders) if name == "series" else orders
        slope = np.polyfit(against, logs, 1)[0]
        value = slope if name == "series" else np.exp(slope)
        report.add(
            f"growth.{name}", value, "power" if name == "series" else "factor", "lower", note
        )
    labels = {"series": "mvopt.taylor", "nested": "nested jax.grad"}
    curves = {labels[name]: [(k, 1e3 * t) for k, t in times[name].items()] for name in labels}
    title = f"Expansions at {points.size:,} points"
    report.figures.append(Figure("growth", title, "order", "ms", curves, log_y=True))


def network(x: Any) -> Any:
    """The mean square of a network of 64 tanh units over 256 points, x being its weights."""
    inputs = jnp.linspace(-1.0, 1.0, 256 * 8).reshape(256, 8)
    first, second = x[: 8 * 64].reshape(8, 64), x[8 * 64 :].reshape(64, -1)
    return jnp.mean((jnp.tanh(inputs @ first) @ second) ** 2)


def products(report: Report, config: dict[str, Any]) -> None:
    """A product with a Hessian beside a gradient, and its memory."""
    rows = []
    for name, fn, n in (
        ("rosenbrock", rosenbrock, config["variables"]),
        ("network", network, 8 * 64 + 64),
    ):
        x = jnp.linspace(-1.0, 1.0, n)
        v = jnp.cos(jnp.arange(float(n)))
        slope, product = jax.jit(mvopt.gradient(fn)), jax.jit(mvopt.hvp(fn))
        methods = [
            Method("gradient", waiting(slope, x), n),
            Method("product", waiting(product, x, v), n),
        ]
        timings = interleave(methods, config["repetitions"]).timings
        ratio = timings["product"].median / timings["gradient"].median
        memory = product.lower(x, v).compile().memory_analysis()
        words = (memory.temp_size_in_bytes + memory.output_size_in_bytes) / (8 * n)
        rows.append((name, n, 1e3 * timings["gradient"].median, ratio, words))
        report.add(f"{name}.hvp", ratio, "gradients", "lower")
        report.add(f"{name}.memory", words, "numbers a variable", "lower")
    columns = (
        "function",
        "variables",
        "gradient ms",
        "hvp / gradient",
        "memory, numbers a variable",
    )
    report.tables.append(Table("Products with a Hessian", columns, rows))


def tridiagonal(x: Any) -> Any:
    """Broyden's (1965) system, entry by entry of its two neighbours."""
    around = jnp.pad(x, 1)
    return (3 - 2 * x) * x - around[:-2] - 2 * around[2:] + 1


def sparse(report: Report, config: dict[str, Any]) -> None:
    """A tridiagonal Jacobian beside the function itself; the pattern is known."""
    n = config["variables"]
    x, i = jnp.linspace(-1.0, 1.0, n), np.arange(n)
    rows, columns = np.concatenate([i, i[1:], i[:-1]]), np.concatenate([i, i[:-1], i[1:]])
    pattern = mvopt.Sparsity(rows, columns, (n, n))
    evaluate = jax.jit(tridiagonal)
    matrix = jax.jit(lambda x: mvopt.linearize(tridiagonal, x).sparse(pattern))
    many = range(config["calls"])
    methods = [
        Method("function", lambda: [jax.block_until_ready(evaluate(x)) for _ in many], n),
        Method("jacobian", lambda: [jax.block_until_ready(matrix(x).data) for _ in many], n),
    ]
    timings = interleave(methods, config["repetitions"]).timings
    ratio = timings["jacobian"].median / timings["function"].median
    v = jnp.cos(jnp.arange(float(n)))
    exact = jax.jvp(tridiagonal, (x,), (v,))[1]
    apart = float(jnp.max(jnp.abs(matrix(x) @ v - exact)) / jnp.max(jnp.abs(exact)))
    report.add("sparse.evaluations", ratio, "evaluations", "lower", f"n = {n:,}")
    report.add("sparse.difference", apart, "relative", "lower", "a product with it beside jvp's")
    report.add("sparse.products", pattern.products, "products", "lower")
