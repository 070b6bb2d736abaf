"""A run beside an earlier one: what became worse, what is missing, what no longer runs."""

import json
from pathlib import Path
from typing import Any

from benchmarks.report import Metric, Report


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
    sentences = []
    for before in map(_metric, earlier["metrics"]):
        if before.name not in now:
            sentences.append(f"{before.name}: {before.value:.5g} before, missing now")
            continue
        allowed = report.tolerance(before.name)
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


def _metric(written: dict[str, Any]) -> Metric:
    return Metric(**{name: written[name] for name in Metric._fields})


def _is_worse(before: Metric, value: float, tolerance: float) -> bool:
    loss = before.value - value if before.direction == "higher" else value - before.value
    return not loss <= tolerance * abs(before.value)  # a NaN is worse
