"""What a run leaves behind: a JSON file for machines, a Markdown page for people."""

import datetime
import json
import math
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
from rich.console import Console
from rich.markdown import Markdown

from benchmarks.figures import Figure, draw

PACKAGES = (
    *("mvopt", "jax", "jaxlib", "numpy"),
    *("scipy", "optimistix", "jaxopt", "optax", "lmfit", "nlsq", "cyipopt"),
)
Direction = Literal["higher", "lower", "neither"]  # which way is better
# By how much a metric may be worse than in an earlier run, as a share of its value there, where the
# configuration has no pattern for its name in [tolerances]. The machines are shared.
TOLERANCE = 0.3


class Metric(NamedTuple):
    """One number: what it is, its unit, which way is better."""

    name: str
    value: float
    unit: str
    direction: Direction
    note: str = ""


class Table(NamedTuple):
    title: str
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


@dataclass
class Report:
    """Everything that a workload found; `outcomes` says for each method how it went.

    `details` are too long for a page: they are in the JSON alone.
    """

    workload: str
    config: dict[str, Any]
    metrics: list[Metric] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    figures: list[Figure] = field(default_factory=list)
    outcomes: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)

    def add(self, name: str, value: float, unit: str, direction: Direction, note: str = "") -> None:
        self.metrics.append(Metric(name, float(value), unit, direction, note))

    def tolerance(self, name: str) -> float:
        """By how much a metric may be worse than in an earlier run: the first pattern that fits."""
        patterns = self.config.get("tolerances", {}).items()
        return next((each for pattern, each in patterns if fnmatch(name, pattern)), TOLERANCE)

    @property
    def failed(self) -> bool:
        """Whether a method crashed or a number did not come out finite."""
        crashed = any(outcome.startswith("failed") for outcome in self.outcomes.values())
        return crashed or not all(math.isfinite(metric.value) for metric in self.metrics)

    def missed(self) -> list[str]:
        """A sentence for every target of the configuration that is missed or not measured."""
        values = {metric.name: metric for metric in self.metrics}
        sentences = []
        for name, target in self.config.get("targets", {}).items():
            if name not in values:
                sentences.append(f"{name}: target {target:g}, not measured")
                continue
            metric = values[name]
            gain = metric.value - target
            if gain < 0 if metric.direction == "higher" else gain > 0:
                sentences.append(f"{name}: target {target:g}, measured {metric.value:.5g}")
        return sentences

    def as_json(self) -> str:
        content = {
            "workload": self.workload,
            "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "machine": machine(),
            "versions": versions(),
            "config": self.config,
            "outcomes": self.outcomes,
            "metrics": [
                metric._asdict() | {"tolerance": self.tolerance(metric.name)}
                for metric in self.metrics
            ],
            "targets_missed": self.missed(),
            "notes": self.notes,
            "tables": [table._asdict() for table in self.tables],
            "figures": [figure._asdict() for figure in self.figures],
            "details": self.details,
        }
        return json.dumps(content, indent=1) + "\n"

    def as_markdown(self, images: Sequence[tuple[str, str]] = ()) -> str:
        """The page; `images` are titles and file names of the figures."""
        described = machine()
        head = [
            f"# {self.workload}",
            f"{described['processor']}, {described['cores']} cores, {described['devices']}, "
            + ", ".join(f"{name} {number}" for name, number in versions().items()),
        ]
        units = [
            (metric.name, _shown(metric.value), metric.unit, metric.direction, metric.note)
            for metric in self.metrics
        ]
        columns = ("metric", "value", "unit", "better", "")
        tables = [*self.tables, Table("Metrics", columns, units)]
        bodies = [f"## {t.title}\n\n{_markdown_table(t.columns, t.rows)}" for t in tables]
        others = [f"- {name}: {how}" for name, how in self.outcomes.items() if how != "measured"]
        others += [f"- target missed: {sentence}" for sentence in self.missed()]
        others += [f"- {note}" for note in self.notes]
        shown = [f"![{title}]({name})" for title, name in images]
        return "\n\n".join([*head, *shown, *bodies, "\n".join(others)]).rstrip() + "\n"

    def write(self, out: Path) -> None:
        """Write `out`.json, `out`.md and the figures, `out`-NAME.png."""
        out.parent.mkdir(parents=True, exist_ok=True)
        images = []
        for figure in self.figures:
            path = out.with_name(f"{out.name}-{figure.name}.png")
            if draw(figure, path):
                images.append((figure.title, path.name))
        if len(images) < len(self.figures):
            self.notes.append("no figures: matplotlib is not installed")
        out.with_suffix(".json").write_text(self.as_json())
        out.with_suffix(".md").write_text(self.as_markdown(images))

    def show(self) -> None:
        """Print the page; a pipe gets lines wide enough for the tables."""
        console = Console()
        if not console.is_terminal:
            console.width = 160
        console.print(Markdown(self.as_markdown()))


def _shown(value: Any) -> str:
    if not isinstance(value, float):
        return str(value)
    return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.4g}"


def _markdown_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(_shown(cell) for cell in line) + " |" for line in lines)


def cores() -> int:
    """The cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def machine() -> dict[str, Any]:
    """Processor, cores, memory, system and devices, without the machine's name."""
    info = Path("/proc/cpuinfo")
    models = [
        line.split(":", 1)[1].strip()
        for line in (info.read_text().splitlines() if info.exists() else [])
        if line.startswith("model name")
    ]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": models[0] if models else platform.processor(),
        "cores": cores(),
        "memory_gib": round(memory, 1),
        "system": platform.system(),
        "python": platform.python_version(),
        "devices": ", ".join(sorted({device.device_kind for device in jax.devices()})),
    }


def versions() -> dict[str, str]:
    """The version of each package that is installed."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
