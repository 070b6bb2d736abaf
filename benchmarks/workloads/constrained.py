"""Minimisation with constraints: published problems, batches of small ones, the cost of a step."""

from collections.abc import Sequence
from typing import Any

from benchmarks.report import Report
from benchmarks.workloads import constrained_batch, constrained_overhead, constrained_published

PARTS = {
    "published": constrained_published.add,
    "batch": constrained_batch.add,
    "overhead": constrained_overhead.add,
}


def run(config: dict[str, Any], only: Sequence[str]) -> Report:
    """The parts that `config` asks for; it is described in configs/bench/constrained.toml."""
    report = Report("constrained", config)
    for part in config["parts"]:
        PARTS[part](report, config, only)
    return report
