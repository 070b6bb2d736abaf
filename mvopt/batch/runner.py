"""A run: from a configuration to the table of results."""

import os
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import platformdirs
import pyarrow as pa

from mvopt._errors import InputError, located
from mvopt.batch import config as configuration
from mvopt.batch import folder, maps, summary
from mvopt.batch.choice import choose
from mvopt.batch.config import Config
from mvopt.batch.engines import engine
from mvopt.batch.fitting import Job, fit_timed
from mvopt.batch.folder import Folder, Mode
from mvopt.batch.origin import origin
from mvopt.batch.pipeline import Behind
from mvopt.batch.progress import progress_bar
from mvopt.batch.shards import Shard
from mvopt.batch.sources.opening import open_source
from mvopt.batch.sources.source import Source

# Below this many data sets unoptimised code, which fits about three times slower, costs less time
# than the compiler's optimisations: those take one second of three.
_FEW_DATA_SETS = 10_000


@dataclass(frozen=True)
class Prepared:
    """An input, opened, and what is done with its data sets."""

    source: Source
    job: Job


def prepare(config: Config) -> Prepared:
    """Open what the configuration describes; raises `InputError` where it cannot be used."""
    set_up_jax(config.fit.precision)
    source = open_source(config.data)
    job = Job(choose(config, source.num_x), config.fit, config.output)
    job.columns.names(source.id_names)
    few = source.count is not None and source.count < _FEW_DATA_SETS
    jax.config.update("jax_disable_most_optimizations", few)
    return Prepared(source, job)


def run(
    path: Path, out: Path | None, engine_name: str, mode: Mode = "new", shard: Shard | None = None
) -> None:
    """Fit every data set of a configuration, write the table, and print the summary.

    Raises `InputError` before any fit where the input cannot be used. A fit that fails is a row
    of the table with its status. Whatever stops the run leaves the parts that are finished.
    """
    fit_all = engine(engine_name)
    config = configuration.load(path)
    with located(str(path)):
        prepared = prepare(config)
        place = out or Path(config.output.path)
        parameters = prepared.job.choice.names
        # A shard has a part of a map only: those are written once all are merged.
        wanted = {} if shard else maps.file_names(config.output.maps, prepared.source, parameters)
        source = {
            **origin(config, prepared.source.files),
            "shard": shard and shard.folder,
            "maps": list(wanted.values()),
        }
        results = Folder(place / shard.folder if shard else place, source, mode)
    start = time.perf_counter()
    try:
        figures = results.finished or _fit_all(prepared, results, fit_all, shard)
        if config.output.csv and not (results.path / folder.CSV).exists():
            results.write_csv()
        maps.write_maps(results, prepared.source, wanted)
    except BaseException as error:
        results.stop()
        if isinstance(error, KeyboardInterrupt):
            raise InputError(
                f"stopped; {len(results.done)} finished parts are in {results.path}: continue with "
                "--resume"
            ) from None
        raise
    seconds = time.perf_counter() - start
    _conclude(prepared, results, {"seconds": round(seconds, 3), **figures})


def _fit_all(
    prepared: Prepared, results: Folder, fit_all: Any, shard: Shard | None
) -> dict[str, Any]:
    """Fit the blocks that are not done, and return figures for the record."""
    asked, busy = 0, 0.0
    earlier = set(results.done)

    def wanted(number: int) -> bool:
        nonlocal asked
        asked = max(asked, number + 1)
        return number not in earlier and (shard is None or shard.holds(number))

    writer: Behind[tuple[int, pa.Table]] = Behind(lambda part: results.write(*part))
    start = time.perf_counter()

    with progress_bar() as progress:
        bar = progress.add_task("fitting", total=None if shard else prepared.source.count)
        progress.advance(bar, sum(folder.num_rows(results.path)))
        try:
            work = partial(fit_timed, prepared.job)
            for number, (rows, seconds) in fit_all(work, prepared.source.tasks(wanted)):
                writer.put((number, rows))
                progress.advance(bar, len(rows))
                busy += seconds
        finally:
            writer.close()
    share = busy / max(time.perf_counter() - start, 1e-9)
    return {"blocks": asked, "busy": round(share, 3)}


def _conclude(prepared: Prepared, results: Folder, figures: dict[str, Any]) -> None:
    ids, parameters = prepared.source.id_names, prepared.job.choice.names
    columns = summary.columns(ids, parameters)
    found = summary.summarize(folder.read(results.path, columns), parameters)
    results.finish({**figures, "data_sets": found.total, "statuses": found.counts})
    console = summary.terminal()
    if found.total:  # a shard may have got none
        summary.show(found, ids, parameters, console)
    converged = f"{found.converged:,} of {found.total:,} data sets converged"
    # Of shards that were merged it is not known.
    busy = f", {figures['busy']:.0%} of the time with fitting" if "busy" in figures else ""
    console.print(
        f"{converged} in {figures['seconds']:.2f} s{busy}; the table is in {results.path}",
        soft_wrap=True,
    )


def use_devices(count: int) -> None:
    """Use only so many accelerators, or cores where there is none; before JAX has looked at them.

    Without this all are used.
    """
    first = ",".join(map(str, range(count)))
    for platform in ("cuda", "rocm"):
        jax.config.update(f"jax_{platform}_visible_devices", first)
    if jax.default_backend() == "cpu" and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def set_up_jax(precision: str) -> None:
    """Set the number format, and keep compiled programs for the next run.

    A cache folder that the user has set (JAX_COMPILATION_CACHE_DIR) stays.
    """
    jax.config.update("jax_enable_x64", precision != "float32")
    settings: Any = jax.config  # whose attributes JAX does not declare
    if settings.jax_compilation_cache_dir is None:
        folder = platformdirs.user_cache_dir("mvopt")
        jax.config.update("jax_compilation_cache_dir", folder)
    # Small programs too: a run on a small table compiles for longer than it fits.
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
