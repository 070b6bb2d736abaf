"""The statistics of fits: beside other packages, by simulation, and how long they take."""

from collections.abc import Sequence
from typing import Any

from benchmarks.report import Report
from benchmarks.workloads import (
    inference_against,
    inference_coverage,
    inference_heights,
    inference_speed,
)
from benchmarks.workloads.precision import precision

PARTS = {
    "against": inference_against.add,
    "coverage": inference_coverage.add,
    "speed": inference_speed.add,
    "heights": inference_heights.add,
}


def run(config: dict[str, Any], only: Sequence[str]) -> Report:
    """The parts that `config` asks for; it is described in configs/bench/inference.toml."""
    report = Report("inference", config)
    for part in config["parts"]:
        with precision("float64"):
            PARTS[part](report, config[part], only)
    return report
