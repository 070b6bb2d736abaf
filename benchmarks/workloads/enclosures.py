"""Guaranteed bounds of random compositions, tried on many points and beside interval arithmetic."""

from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import mvopt
from benchmarks.problems.compositions import Composition, draw, value
from benchmarks.report import Report, Table
from benchmarks.workloads.precision import precision
from mvopt.calculus.expansion import enclosed_coefficients
from mvopt.calculus.interval import Interval
from mvopt.calculus.monomials import monomials

COLUMNS = (
    *("dtype", "functions", "points outside", "tighter", "tighter where loose"),
    *("median width / sampled", "exponent"),
)
_LOOSE = 1.01  # times the sampled range: where interval arithmetic leaves something to gain
_SHRINKS = 2.0 ** -np.arange(6)


class Tried(NamedTuple):
    """One composition: widths are of ranges, `bounds` those of a Taylor polynomial's error."""

    name: str
    outside: int  # points whose value, or whose error, is not enclosed
    width: float
    plain: float  # by interval arithmetic alone
    sampled: float
    bounds: list[float]  # over boxes of half the size each


def add(report: Report, config: dict[str, Any]) -> None:
    """For each precision: soundness, tightness, and the power of the width."""
    rows = []
    for dtype in config["dtypes"]:
        with precision(dtype):
            tried = [
                attempt(each, config["order"], config["points"])
                for each in draw(config["seed"], config["count"], config["depth"], dtype)
            ]
        outside = sum(each.outside for each in tried)
        tighter = np.array([each.width < each.plain for each in tried])
        loose = np.array([each.plain > _LOOSE * each.sampled for each in tried])
        ratio = np.median([each.width / each.sampled for each in tried if each.sampled > 0])
        powers = [p for p in map(partial(exponent, dtype=dtype), tried) if p is not None]
        found = (outside, tighter.mean(), tighter[loose].mean(), ratio, np.median(powers))
        rows.append((dtype, len(tried), *(float(each) for each in found)))
        report.add(f"outside.{dtype}", outside, "points", "lower", f"of {config['points']:,} each")
        report.add(f"tighter.{dtype}", tighter.mean(), "share", "higher", "than intervals alone")
        report.add(
            f"tighter_where_loose.{dtype}",
            tighter[loose].mean(),
            "share",
            "higher",
            f"of {loose.sum()} whose intervals alone are 1 % wider than the sampled range",
        )
        report.add(f"exponent.{dtype}", np.median(powers), "power", "higher", "of the box's width")
        report.add(f"exponent_5th.{dtype}", np.quantile(powers, 0.05), "power", "higher")
        report.details[f"enclosures.{dtype}"] = [each._asdict() for each in tried]
    report.tables.append(Table("Enclosures of random compositions", COLUMNS, rows))


def attempt(case: Composition, order: int, points: int) -> Tried:
    """One composition; all values are computed in the precision of its numbers."""
    outside, width, plain, sampled, bounds = jax.device_get(_measure(case, order, points))
    return Tried(
        case.name, int(outside), float(width), float(plain), float(sampled), bounds.tolist()
    )


@partial(jax.jit, static_argnames=("order", "points"))
def _measure(case: Composition, order: int, points: int) -> Any:
    lower, upper, fn = case.lower, case.upper, partial(value, composition=case)
    center = 0.5 * (lower + upper)
    series = mvopt.taylor(value, center, order, (case,))
    shrunk = jnp.asarray(_SHRINKS, lower.dtype)[:, None]
    ends = center + shrunk * (lower - center), center + shrunk * (upper - center)
    bounds = jax.vmap(series.bound)(*ends)
    enclosed = mvopt.range_bound(value, lower, upper, (case,))
    unit = jax.random.uniform(jax.random.key(0), (points, 2), lower.dtype)
    unit = unit.at[:4].set(jnp.asarray([[0, 0], [0, 1], [1, 0], [1, 1]], lower.dtype))
    x = jnp.clip(lower + unit * (upper - lower), lower, upper)
    values, errors = jax.lax.map(lambda x: (fn(x), fn(x) - series(x)), x, batch_size=10_000)
    wrong = (values < enclosed.lower) | (values > enclosed.upper) | (jnp.abs(errors) > bounds[0])
    (plain,) = enclosed_coefficients(lambda x: [fn(x)], Interval(lower, upper), monomials(2, 0))
    return (
        jnp.sum(wrong | jnp.isnan(values)),
        enclosed.upper - enclosed.lower,
        plain[0].width,
        values.max() - values.min(),
        bounds,
    )


def exponent(tried: Tried, dtype: str) -> float | None:
    """The power of the width that the bound falls with, where it is not rounding, else None."""
    bounds = np.array(tried.bounds)
    floor = 1e3 * np.finfo(dtype).eps * max(tried.sampled, 1.0)
    used = np.isfinite(bounds) & (bounds > floor)
    if used.sum() < 3:
        return None
    # The smallest boxes that are still clear of rounding: the power is one for small widths.
    used &= np.cumsum(used[::-1])[::-1] <= 3
    return float(np.polyfit(np.log(_SHRINKS[used]), np.log(bounds[used]), 1)[0])
