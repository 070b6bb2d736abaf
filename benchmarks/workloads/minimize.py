"""Minimisers side by side: published problems, a batch, and one problem of growing size."""

from collections.abc import Sequence
from typing import Any

from benchmarks.report import Report
from benchmarks.workloads import growing, many, published

PARTS = {"published": published.add, "many": many.add, "growing": growing.add}


def run(config: dict[str, Any], only: Sequence[str]) -> Report:
    """The parts that `config` asks for; it is described in configs/bench/minimize.toml."""
    report = Report("minimize", config)
    for part in config["parts"]:
        PARTS[part](report, config, only)
    return report
