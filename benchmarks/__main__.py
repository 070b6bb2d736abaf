"""`python -m benchmarks CONFIG.toml … [--out PATH] [--only PEERS] [--check] [--compare OLD]`.

Several configurations are run one after the other, each in a process of its own, so that none finds
JAX as another left it, and one that crashes does not keep the others from running.
"""

import argparse
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks import comparison, peers

# Each is imported when it is run: it may want packages that the others do not.
WORKLOADS = (
    "accelerator constrained diffusion fuzz gauss1d heavytail inference minimize nist overhead "
    "recovery root streaming suite taylor training"
).split()


def arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m benchmarks", description=__doc__)
    parser.add_argument("configs", type=Path, nargs="+", help="files of configs/bench")
    parser.add_argument(
        "--out", type=Path, help="the results' path without its ending; a folder for several"
    )
    parser.add_argument("--only", help=f"the peers to run, of {','.join(peers.NAMES)}, or none")
    parser.add_argument("--check", action="store_true", help="fail where a target is missed")
    parser.add_argument(
        "--compare",
        type=Path,
        metavar="OLD",
        help="fail where a metric is worse than in that run (a .json file or a folder of them), or "
        "missing, or a method crashes",
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


def earlier_run(path: Path, out: Path) -> dict[str, Any]:
    """The earlier run to compare with, in a folder that of the same name as `out`.

    Leaves with a message where there is none.
    """
    try:
        return comparison.read(path / f"{out.name}.json" if path.is_dir() else path)
    except ValueError as error:
        sys.exit(str(error))


def main(argv: list[str] | None = None) -> int:
    """Run the workloads; 1 where a method crashed, a target is missed, or something is worse."""
    asked = arguments(argv)
    configs = asked.configs
    return run_one(configs[0], asked) if len(configs) == 1 else run_each(configs, asked)


def run_each(configs: list[Path], asked: argparse.Namespace) -> int:
    """A process for each configuration; which of them failed is said at the end."""
    for path in configs:
        read(path)  # a slip in the last one is told before the first has run for an hour
    bad = []
    for path in configs:
        command = [sys.executable, "-m", "benchmarks", str(path)]
        command += ["--check"] if asked.check else []
        command += [] if asked.only is None else ["--only", asked.only]
        command += [] if asked.out is None else ["--out", str(asked.out / path.stem)]
        command += [] if asked.compare is None else ["--compare", str(asked.compare)]
        print(f"— {path}", flush=True)
        if subprocess.run(command, check=False).returncode:
            bad.append(path)
    print(f"{len(configs) - len(bad)} of {len(configs)} ran as they should")
    for path in bad:
        print(f"not as it should: {path}")
    return 1 if bad else 0


def run_one(path: Path, asked: argparse.Namespace) -> int:
    """One workload, in this process."""
    config = read(path)
    out = asked.out or Path(config.get("out", f"benchmarks/results/{path.stem}"))
    earlier = None if asked.compare is None else earlier_run(asked.compare, out)
    workload = import_module(f"benchmarks.workloads.{config['workload']}")
    report = workload.run(config, chosen_peers(asked.only))
    report.show()
    report.write(out)
    print(f"written: {out}.json, {out}.md")
    missed = asked.check and bool(report.missed())
    regressions = [] if earlier is None else comparison.worse(earlier, report)
    for sentence in regressions:
        print(f"worse: {sentence}")
    return 1 if report.failed or missed or regressions else 0


if __name__ == "__main__":
    sys.exit(main())
