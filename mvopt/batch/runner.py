"""A run: from a configuration to the table of results."""

import json
import time
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

import jax
import platformdirs
import pyarrow as pa

from mvopt._errors import located
from mvopt.batch import config as configuration
from mvopt.batch import results, sources, summary
from mvopt.batch.blocks import blocks
from mvopt.batch.choice import choose
from mvopt.batch.config import Config
from mvopt.batch.engines import engine
from mvopt.batch.fitting import columns_of, fit_block
from mvopt.batch.progress import progress_bar

# Below this many data sets unoptimised code, which fits about three times slower, costs less time
# than the compiler's optimisations: those take one second of three.
_FEW_DATA_SETS = 10_000


def run(path: Path, out: Path | None, engine_name: str) -> None:
    """Fit every data set of a configuration, write the table, and print the summary.

    Raises `InputError` before any fit where the input cannot be used. A fit that fails is a row
    of the table with its status.
    """
    fit_all = engine(engine_name)
    config = configuration.load(path)
    set_up_jax(config.fit.precision)
    with located(str(path)):
        data = sources.read(config.data)
        choice = choose(config, data.num_x)
        ids = data.ids.schema.names
        columns_of(choice, config).names(ids)
        writer = results.Writer(out or Path(config.output.path), config.output.csv, _record(config))
    jax.config.update("jax_disable_most_optimizations", len(data) < _FEW_DATA_SETS)
    start = time.perf_counter()
    kept = []
    with writer, progress_bar() as progress:
        bar = progress.add_task("fitting", total=len(data))
        for rows in fit_all(partial(fit_block, data, choice, config), blocks(data)):
            writer.write(rows)
            kept.append(rows.select(summary.columns(ids, choice.names)))
            progress.advance(bar, len(rows))
    seconds = time.perf_counter() - start
    fitted = pa.concat_tables(kept)
    counts = summary.counts(fitted["status"])
    writer.finish({"data_sets": len(data), "statuses": counts, "seconds": round(seconds, 3)})
    console = summary.terminal()
    summary.show(fitted, ids, choice.names, console)
    converged = f"{counts.get('CONVERGED', 0):,} of {len(data):,} data sets converged"
    console.print(
        f"{converged} in {seconds:.2f} s; the table is in {writer.folder}", soft_wrap=True
    )


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


def _record(config: Config) -> dict[str, Any]:
    """Return what the record of the run says about its origin."""
    versions = {"mvopt": _version(), "jax": jax.__version__}
    # By way of JSON, which has no infinity: the bounds that are not given.
    given = json.loads(config.model_dump_json(exclude_unset=True))
    return {"versions": versions, "config": given}


def _version() -> str:
    try:
        return metadata.version("mvopt")
    except metadata.PackageNotFoundError:  # run from a folder, not installed
        return "unknown"
