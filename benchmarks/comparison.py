"""A run beside an earlier one: what became worse, what is missing, what no longer runs."""

import json
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from benchmarks.report import Metric, Report

# By how much a metric may be worse, as a share of its earlier value, where the configuration has
# no pattern for its name in [tolerances]. The machines are shared.
TOLERANCE = 0.3


def read(path: Path) -> dict[str, Any]:
    """The JSON file of an earlier run; ValueError where it is none."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ValueError(f"{path} is no earlier run: {error}") from None
    if not isinstance(content, dict) or not {"workload", "metrics", "outcomes"} <= content.keys():
        raise ValueError(f"{path} is no earlier run: give the .json that one wrote")
    return content


def worse(earlier: dict[str, Any], report: Report) -> list[str]:
    """A sentence for each metric that is worse or missing, and each method that no longer runs."""
    if earlier["workload"] != report.workload:
        return [f"that was a run of {earlier['workload']}, and this is {report.workload}"]
    now = {metric.name: metric for metric in report.metrics}
    tolerances = report.config.get("tolerances", {})
    sentences = []
    for before in (Metric(**each) for each in earlier["metrics"]):
        if before.name not in now:
            sentences.append(f"{before.name}: {before.value:.5g} before, missing now")
            continue
        allowed = _tolerance(before.name, tolerances)
        if before.direction != "neither" and _is_worse(before, now[before.name].value, allowed):
            sentences.append(
                f"{before.name}: {before.value:.5g} {before.unit} before, "
                f"{now[before.name].value:.5g} now"
            )
    for name, how in earlier["outcomes"].items():
        outcome = report.outcomes.get(name, "missing")
        if how == "measured" and outcome != "measured":
            sentences.append(f"{name}: measured before, {outcome} now")
    return sentences


def _tolerance(name: str, tolerances: dict[str, float]) -> float:
    """That of the first pattern that fits."""
    return next((each for pattern, each in tolerances.items() if fnmatch(name, pattern)), TOLERANCE)


def _is_worse(before: Metric, value: float, tolerance: float) -> bool:
    loss = before.value - value if before.direction == "higher" else value - before.value
    return not loss <= tolerance * abs(before.value)  # a NaN is worse
