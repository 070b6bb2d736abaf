"""The command on thousands of slightly wrong inputs: it ends with code 0, or with 2 and one line.

The inputs run in processes of their own with limits on memory and time, so that a crash of a file
library, a hang and a blow-up are seen as such. The compiled part of a fit is traced but neither
compiled nor run.
"""

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from click.testing import CliRunner

from benchmarks.problems.mutations import mutant
from benchmarks.report import Report, Table
from mvopt.cli import main
from mvopt.regression import fitting, intervals

LONGEST = 700  # characters of a line


def run(config: dict[str, Any], only: Sequence[str]) -> Report:  # noqa: ARG001 (no peers here)
    """`config` is described in configs/bench/fuzz.toml."""
    report = Report("fuzz", config)
    kinds: Counter = Counter()
    bad: list[dict[str, Any]] = []
    for outcome in everything(config):
        kinds[outcome["kind"]] += 1
        if outcome["kind"] not in ("code 0", "code 2"):
            bad.append(outcome)
    report.add("bad", len(bad), "inputs", "lower", "a traceback, crash, hang, or many lines")
    report.tables.append(Table("Ends", ("how", "inputs"), sorted(kinds.items())))
    report.details["bad"] = bad
    report.notes += [f"seed {each['seed']}: {each['kind']}: {each['said']}" for each in bad[:20]]
    return report


def everything(config: dict[str, Any]) -> list[dict[str, Any]]:
    """How each input ended, from as many processes as the configuration says."""
    ends = np.linspace(0, config["inputs"], config["processes"] + 1).astype(int)
    ends = [config["first_seed"] + int(end) for end in ends]
    with ThreadPoolExecutor(config["processes"]) as pool:
        shares = pool.map(partial(outcomes, config), ends[:-1], ends[1:])
        return [outcome for share in shares for outcome in share]


def outcomes(config: dict[str, Any], first: int, last: int) -> list[dict[str, Any]]:
    """How each input of these seeds ended: seed, kind and what was said."""
    found = []
    while first < last:
        command = [sys.executable, "-m", "benchmarks.workloads.fuzz", str(first), str(last)]
        limits = [str(config["megabytes"]), str(config["seconds"])]
        process = subprocess.Popen(
            [*command, *limits], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert process.stdout is not None
        for line in process.stdout:
            outcome = json.loads(line)
            first = outcome["seed"] + 1
            found.append(outcome)
        if process.wait() or first < last:
            died = f"process died: {process.returncode}"
            found.append({"seed": first, "kind": died, "said": ""})
            first += 1
    return found


def serve(first: int, last: int, megabytes: int, seconds: int) -> None:
    """Try the inputs of these seeds, and print a line of JSON for each."""
    jax.config.update("jax_enable_x64", True)
    limit = megabytes * 2**20
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    signal.signal(signal.SIGALRM, _too_long)
    with only_traced():
        for seed in range(first, last):
            signal.alarm(seconds)
            kind, said = ended(seed)
            signal.alarm(0)
            print(json.dumps({"seed": seed, "kind": kind, "said": said}), flush=True)
            if seed % 50 == 0:
                jax.clear_caches()


def ended(seed: int) -> tuple[str, str]:
    """How the command ended on the input of that seed, and what it said."""
    text, name, content = mutant(seed)
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        Path("c.toml").write_bytes(text)
        Path(name).write_bytes(content)
        result = CliRunner().invoke(main, ["fit", "c.toml"])
        strays = sorted(set(os.listdir(folder)) - {"c.toml", name, "out", "results"})
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        return "exception", repr(result.exception)[:500]
    if result.exit_code not in (0, 2):
        return f"code {result.exit_code}", result.stderr[-500:]
    said = [line for line in result.stderr.splitlines() if line.startswith("mvopt: ")]
    if result.exit_code == 2 and (len(said) != 1 or len(said[0]) > LONGEST):
        return "not one line", result.stderr[-500:]
    if strays and result.exit_code == 2:
        return "files left", str(strays)
    return f"code {result.exit_code}", said[0] if said else ""


@contextlib.contextmanager
def only_traced() -> Iterator[None]:
    """Let fits and intervals be traced, for their errors, and end as zeros, never compiled."""
    compiled = ((fitting, "fit_rows", 1), (intervals, "profile_ends", 2))
    with contextlib.ExitStack() as stack:
        for module, name, static in compiled:
            whole = getattr(module, name)
            setattr(module, name, _traced(whole, static))
            stack.callback(setattr, module, name, whole)
        yield


def _traced(whole: Callable[..., Any], static: int) -> Callable[..., Any]:
    """A function that returns zeros like what `whole` returns; its first arguments are static."""

    def traced(*args: Any) -> Any:
        shapes = jax.eval_shape(partial(whole, *args[:static]), *args[static:])
        return jax.tree.map(lambda leaf: np.zeros(leaf.shape, leaf.dtype), shapes)

    return traced


def _too_long(*_: Any) -> None:
    raise TimeoutError("it hangs")


if __name__ == "__main__":
    serve(*(int(argument) for argument in sys.argv[1:]))
