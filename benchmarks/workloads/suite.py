"""Several workloads in one run, each small: whether all of them work, in a minute or two."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from benchmarks import peers
from benchmarks.report import Report


def run(config: dict[str, Any], only: Sequence[str]) -> Report:
    """The `runs` of the configuration, whose names go before those of their metrics."""
    whole = Report("suite", config)
    for name, settings in config["runs"].items():
        workload = import_module(f"benchmarks.workloads.{settings['workload']}")
        try:
            part = workload.run(settings, only)
        except peers.ERRORS as error:
            whole.outcomes[name] = f"failed: {peers.first_line(error)}"
            continue
        add(whole, name, part)
    return whole


def add(whole: Report, name: str, part: Report) -> None:
    """What `part` found, as the part `name` of the whole."""
    whole.metrics += [metric._replace(name=f"{name}.{metric.name}") for metric in part.metrics]
    whole.tables += [table._replace(title=f"{name}: {table.title}") for table in part.tables]
    whole.figures += [
        figure._replace(name=f"{name}-{figure.name}", title=f"{name}: {figure.title}")
        for figure in part.figures
    ]
    whole.outcomes |= {f"{name}.{method}": how for method, how in part.outcomes.items()}
    whole.notes += [f"{name}: {note}" for note in part.notes]
