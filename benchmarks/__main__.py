"""`python -m benchmarks CONFIG.toml [--out PATH] [--only PEERS] [--check] [--compare OLD.json]`."""

import argparse
import sys
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks import comparison, peers

# Each is imported when it is run: it may want packages that the others do not.
WORKLOADS = (
    *(
        "accelerator",
        "constrained",
        "diffusion",
        "fuzz",
        "gauss1d",
        "heavytail",
        "inference",
        "minimize",
    ),
    *("nist", "recovery", "root", "streaming", "taylor", "training"),
)


def arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument("config", type=Path, help="a file of configs/bench")
    parser.add_argument("--out", type=Path, help="the results' path without its ending")
    parser.add_argument("--only", help=f"the peers to run, of {','.join(peers.NAMES)}, or none")
    parser.add_argument("--check", action="store_true", help="fail where a target is missed")
    parser.add_argument(
        "--compare",
        type=Path,
        metavar="OLD.json",
        help="fail where a metric is worse than in that run, or missing, or a method crashes",
    )
    return parser.parse_args(argv)


def chosen_peers(only: str | None) -> list[str]:
    """The peers asked for; leaves with a message where one is unknown."""
    if only is None:
        return list(peers.NAMES)
    names = [] if only == "none" else only.split(",")
    unknown = sorted(set(names) - set(peers.NAMES))
    if unknown:
        sys.exit(f"--only: unknown peer {', '.join(unknown)}; known: {', '.join(peers.NAMES)}")
    return names


def read(path: Path) -> dict[str, Any]:
    """The configuration; leaves with a message where it cannot be used."""
    try:
        config = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        sys.exit(f"{path}: {peers.first_line(error)}")
    if config.get("workload") not in WORKLOADS:
        sys.exit(f"{path}: workload must be one of {', '.join(WORKLOADS)}")
    return config


def earlier_run(path: Path) -> dict[str, Any]:
    """The earlier run to compare with; leaves with a message where there is none."""
    try:
        return comparison.read(path)
    except ValueError as error:
        sys.exit(str(error))


def main(argv: list[str] | None = None) -> int:
    """Run one workload; 1 where a method crashed, a target is missed, or something is worse."""
    asked = arguments(argv)
    config = read(asked.config)
    earlier = None if asked.compare is None else earlier_run(asked.compare)
    workload = import_module(f"benchmarks.workloads.{config['workload']}")
    report = workload.run(config, chosen_peers(asked.only))
    report.show()
    out = asked.out or Path(config.get("out", f"benchmarks/results/{asked.config.stem}"))
    report.write(out)
    print(f"written: {out}.json, {out}.md")
    missed = asked.check and bool(report.missed())
    regressions = [] if earlier is None else comparison.worse(earlier, report)
    for sentence in regressions:
        print(f"worse: {sentence}")
    return 1 if report.failed or missed or regressions else 0


if __name__ == "__main__":
    sys.exit(main())
