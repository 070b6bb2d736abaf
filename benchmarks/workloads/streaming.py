"""The command on a large file: memory, time beside its parts and beside one call, and kills."""

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet

import mvopt
from benchmarks.problems import curve_file
from benchmarks.problems.curve_file import KINDS, Kind
from benchmarks.report import Report, Table
from benchmarks.timing import timed
from mvopt.batch import config as configuration
from mvopt.batch import folder, runner
from mvopt.batch.fitting import fit_block

CONFIG = """
[data]
path = "{data}"
layout = "lists"
dataset = "id"
x = {x}
y = "y"
sigma = {noise}
[model]
name = "{model}"
[fit]
absolute_sigma = true
precision = "{precision}"
"""
BLOCKS_ALONE = 12  # timed by themselves


def run(config: dict[str, Any], only: Sequence[str]) -> Report:  # noqa: ARG001 (no peers here)
    """`config` is described in configs/bench/streaming.toml."""
    report = Report("streaming", config)
    kind = KINDS[config["kind"]]
    place = Path(config["folder"])
    place.mkdir(parents=True, exist_ok=True)
    data = place / f"{config['data_sets']}.parquet"
    if not data.exists():
        curve_file.make(data, kind, config["data_sets"], config["seed"])
    settings = place / "config.toml"
    settings.write_text(
        CONFIG.format(
            data=data.resolve(),
            x=kind.x.tolist(),
            noise=kind.noise,
            model=kind.model,
            precision=np.dtype(kind.dtype).name,
        )
    )
    _warm_up(settings, place / "warm")
    seconds, memory = _watched(settings, place / "whole", config["sampling"])
    _memory(report, memory)
    rate = _time(report, settings, seconds, place / "whole")
    _in_memory(report, kind, data, config, rate)
    _accuracy(report, kind, data, place / "whole")
    if "kills" in config:
        _kills(report, config, settings, place)
    return report


def _start(settings: Path, out: Path, more: list[str]) -> subprocess.Popen:
    program = "from mvopt.cli import main; main()"
    command = [sys.executable, "-c", program, "fit", str(settings), "--out", str(out), *more]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def _command(settings: Path, out: Path, more: list[str]) -> float:
    start = time.perf_counter()
    process = _start(settings, out, more)
    _, errors = process.communicate()
    if process.returncode:
        raise RuntimeError(errors.decode())
    return time.perf_counter() - start


def _warm_up(settings: Path, out: Path) -> None:
    """Fill the cache of compiled programs: a run up to its first part."""
    process = _start(settings, out, ["--restart"])
    while process.poll() is None and not (out / folder.part_name(0)).exists():
        time.sleep(0.1)
    process.kill()
    process.wait()


def _watched(settings: Path, out: Path, sampling: float) -> tuple[float, list[tuple[float, float]]]:
    """Seconds of a run, and (seconds, resident megabytes) from its first part on."""
    shutil.rmtree(out, ignore_errors=True)  # the first part is to be that of this run
    start = time.perf_counter()
    process = _start(settings, out, ["--restart"])
    memory = []
    while process.poll() is None:
        if (out / folder.part_name(0)).exists():
            memory.append((time.perf_counter() - start, _resident(process.pid)))
        time.sleep(sampling)
    if process.returncode:
        raise RuntimeError(process.communicate()[1].decode())
    return time.perf_counter() - start, [entry for entry in memory if entry[1] > 0]


def _resident(pid: int) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    line = next((line for line in status.splitlines() if line.startswith("VmRSS")), "VmRSS 0 kB")
    return int(line.split()[1]) / 1024


def _memory(report: Report, memory: list[tuple[float, float]]) -> None:
    first, highest = memory[0][1], max(size for _, size in memory)
    report.add("memory.first", first, "MB", "lower", "resident when the first part was there")
    report.add("memory.highest", highest, "MB", "lower")
    report.add("memory.growth", 100 * (highest / first - 1), "%", "lower")
    report.details["memory"] = memory


def _time(report: Report, settings: Path, whole: float, out: Path) -> float:
    """The run's own time beside reading alone, and fitting alone (from a few blocks); fits/s."""
    prepared = runner.prepare(configuration.load(settings))
    start = time.perf_counter()
    count = 0
    for task in prepared.source.tasks():
        count += len(task.load())
    reading = time.perf_counter() - start
    tasks = prepared.source.tasks(lambda number: number < BLOCKS_ALONE)
    blocks = [task.load() for task in tasks]
    fit_block(prepared.job, blocks[0])  # loads the program
    start = time.perf_counter()
    for block in blocks:
        fit_block(prepared.job, block)
    fitting = (time.perf_counter() - start) * count / sum(len(block) for block in blocks)
    record = folder.read_record(out) or {}
    rows = [
        ("the command, start to end", whole),
        ("of it after the start of Python and JAX", record["seconds"]),
        ("reading alone", reading),
        (f"fitting alone (from {len(blocks)} blocks)", fitting),
    ]
    report.tables.append(Table("Time", ("what", "seconds"), rows))
    report.add("time.whole", whole, "s", "lower")
    report.add("time.reading", reading, "s", "lower")
    report.add("time.fitting", fitting, "s", "lower")
    report.add("time.ratio", record["seconds"] / max(reading, fitting), "", "lower")
    rate = count / record["seconds"]
    report.add("time.rate", rate, "fits/s", "higher", "file to file")
    report.add("time.busy", 100 * record["busy"], "%", "higher", "of the time with fitting")
    return rate


def _in_memory(report: Report, kind: Kind, data: Path, config: dict[str, Any], rate: float) -> None:
    """The same fits by one call of `curve_fit`, from the model's guess and from near the truth."""
    count = min(config["data_sets"], config["in_memory"])
    table = parquet.ParquetFile(data).read().slice(0, count)
    y = table["y"].combine_chunks().flatten().to_numpy().reshape(count, -1)
    truth = np.stack([table[name].to_numpy() for name in kind.names], axis=1)
    x, sigma = kind.x.astype(kind.dtype), np.asarray(kind.noise, kind.dtype)
    near = (truth * np.random.default_rng(0).uniform(0.8, 1.2, truth.shape)).astype(kind.dtype)
    model = mvopt.models.NAMED[kind.model]
    for name, start, axis in (("guess", None, None), ("start", near, 0)):

        def fit(start: Any = start, axis: Any = axis) -> Any:
            sigmas = np.broadcast_to(sigma, len(x))
            axes = (None, 0, axis, None)
            found = mvopt.curve_fit(model, x, y, start, sigmas, absolute_sigma=True, in_axes=axes)
            return jax.block_until_ready(found)

        fit()
        seconds = timed(fit)[0]
        note = f"{count:,} fits in one call, from the {name}"
        report.add(f"memory.rate.{name}", count / seconds, "fits/s", "higher", note)
        report.add(f"share.{name}", 100 * rate * seconds / count, "%", "higher", "of it, by file")


def _accuracy(report: Report, kind: Kind, data: Path, out: Path) -> None:
    """Converged fits, and how many standard errors the estimates are from the truth."""
    names = kind.names
    true = parquet.read_table(data, columns=["id", *names])
    columns = ["id", "status", *names, *(f"{name}_stderr" for name in names)]
    found = pa.concat_tables(folder.read(out, columns))
    in_order = np.array_equal(found["id"].to_numpy(), true["id"].to_numpy())
    report.outcomes["rows"] = "measured" if in_order else "failed: not the rows of the data"
    converged = 100 * np.mean(np.asarray(found["status"].to_pylist()) == "CONVERGED")
    report.add("converged", converged, "%", "higher")
    for name in names:
        error = found[name].to_numpy() - true[name].to_numpy()
        spread = float(np.nanstd(error / found[f"{name}_stderr"].to_numpy()))
        report.add(f"{name}.spread", spread, "stderr", "neither", "of estimate - truth; 1 is ideal")


def _kills(report: Report, config: dict[str, Any], settings: Path, place: Path) -> None:
    """A run killed at random moments and resumed each time, against the run that was not."""
    rng = np.random.default_rng(config["seed"])
    killed, early, out = 0, 0, place / "killed"
    mode = "--restart"
    while killed < config["kills"]:
        process = _start(settings, out, [mode])
        try:
            process.wait(float(rng.uniform(*config["killed_after"])))
            early += 1  # it was finished before the kill
            mode = "--restart"
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            killed += 1
            mode = "--resume"
    _command(settings, out, ["--resume"])
    different = _different(place / "whole", out)
    report.add("kill.kills", killed, "", "neither", f"{early} runs ended before theirs")
    report.add("kill.different", different, "rows", "lower", "compared bit by bit")


def _different(first: Path, second: Path) -> int:
    """Rows that are not bit for bit the same in both tables."""
    count = 0
    for a, b in zip(folder.read(first), folder.read(second), strict=True):
        same = np.ones(len(a), bool)
        for name in a.column_names:
            same &= [x == y for x, y in zip(_bits(a[name]), _bits(b[name]), strict=True)]
        count += int(np.count_nonzero(~same))
    return count


def _bits(column: pa.ChunkedArray) -> Any:
    values = column.to_numpy()
    return values.view(np.int64) if values.dtype == np.float64 else values
