"""The fits of a block: each bucket goes to the library, and rows of the table come back."""

import time
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import jax
import numpy as np
import pyarrow as pa

from mvopt import losses
from mvopt.batch import results
from mvopt.batch.blocks import Bucket, buckets, room_for
from mvopt.batch.choice import Choice
from mvopt.batch.config import FitTable, OutputTable
from mvopt.batch.datasets import DataSets
from mvopt.regression.fit import Fit
from mvopt.regression.regression import Regression


class Fitted(NamedTuple):
    """Fits, and the ends (B, n) of the parameters' intervals where they are wanted."""

    fit: Fit
    ends: tuple[Any, Any] | None


@dataclass(frozen=True)
class Job:
    """What is done with each data set: the model, `[fit]` and `[output]`."""

    choice: Choice
    fit: FitTable
    output: OutputTable

    @property
    def columns(self) -> results.Columns:
        """The columns of the table, apart from the ids."""
        figures = tuple(self.output.figures)
        return results.Columns(self.choice.names, self.output.intervals is not None, figures)


class Part(NamedTuple):
    """The rows of a block, and the seconds that its fits took."""

    rows: pa.Table
    seconds: float


def fit_timed(job: Job, data: DataSets) -> Part:
    """Fit a block of data sets, and say how long it took."""
    start = time.perf_counter()
    return Part(fit_block(job, data), time.perf_counter() - start)


def fit_block(job: Job, data: DataSets) -> pa.Table:
    """Fit a block of data sets and return its rows of the table, in the order of the data."""
    # The setting holds for this thread; a user of the library may have another.
    with jax.enable_x64(job.fit.precision != "float32"):
        return _rows(job, data)


def _rows(job: Job, data: DataSets) -> pa.Table:
    parts, index = [], []
    for bucket in buckets(data):
        parts.append(_fit_in_memory(bucket, job))
        index.append(bucket.index)
    order = np.argsort(np.concatenate(index))
    fit, ends = jax.tree.map(lambda *leaves: np.concatenate(leaves)[order], *parts)
    return job.columns.table(data.ids, fit, ends)


def _fit_in_memory(bucket: Bucket, job: Job) -> Fitted:
    """Fit a bucket; one that the device cannot hold, by halves."""
    try:
        return _fit_bucket(bucket, job)
    except (MemoryError, jax.errors.JaxRuntimeError) as error:
        full = isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in str(error)
        if not full or len(bucket.index) == 1:
            raise
    halves = [_fit_in_memory(half, job) for half in bucket.halves()]
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *halves)


def _fit_bucket(bucket: Bucket, job: Job) -> Fitted:
    choice = job.choice
    dtype = np.float32 if job.fit.precision == "float32" else np.float64

    def cast(values: Any) -> Any:
        return jax.tree.map(lambda leaf: np.asarray(leaf).astype(dtype, copy=False), values)

    extras, start = cast(bucket.extras), _start(bucket, choice)
    if "sigma_x" in extras and bucket.num_x > 1:
        extras["sigma_x"] = np.repeat(extras["sigma_x"][:, None], bucket.num_x, axis=1)
    regression = Regression(
        choice.model,
        cast(bucket.x),
        cast(bucket.y),
        None if np.isnan(start).all() else cast(start),
        extras.get("sigma"),
        # Without a mask what depends on x alone is worked out once for all.
        mask=_mask(bucket, choice),
        bounds=cast(choice.bounds),
        fixed=choice.fixed or None,
        tied=choice.tied,
        prior=cast(choice.prior),
        loss=_loss(job.fit, extras.get("trials")),
        sigma_x=extras.get("sigma_x"),
        absolute_sigma=job.fit.absolute_sigma,
        nan_policy=job.fit.nan_policy,
        in_axes=(None if bucket.shared_x else 0, 0, 0 if start.ndim == 2 else None, 0, 0),
        precision=job.fit.precision,
    )
    regression = regression.with_room(room_for(bucket))
    fit = regression.fit(max_steps=job.fit.max_steps)
    return jax.device_get(Fitted(fit, _ends(regression, fit, job)))


def _start(bucket: Bucket, choice: Choice) -> np.ndarray:
    """Return the starts, (n,), or (B, n) where each data set has its own; NaN is to be guessed."""
    if not bucket.starts:
        return choice.start
    start = np.tile(choice.start, (len(bucket.index), 1))
    for name, values in bucket.starts.items():
        start[:, choice.names.index(name)] = values
    return start


def _mask(bucket: Bucket, choice: Choice) -> np.ndarray | None:
    """Return which points count; none where a parameter is to be fixed at a value not there."""
    mask = bucket.mask
    for name in set(choice.fixed) & bucket.starts.keys():
        mask = mask & np.isfinite(bucket.starts[name])[:, None]
    return None if mask.all() else mask


def _loss(table: FitTable, trials: np.ndarray | None) -> str | losses.Loss:
    given = {"threshold": table.threshold, "scale": table.scale, "trials": trials}
    settings: dict[str, Any] = {k: value for k, value in given.items() if value is not None}
    return replace(losses.NAMED[table.loss](), **settings) if settings else table.loss


def _ends(regression: Regression, fit: Fit, job: Job) -> Any:
    if job.output.intervals is None:
        return None
    if job.output.intervals == "t":
        return fit.intervals(job.output.level)
    found = regression.intervals(fit, job.output.level, job.fit.max_steps)
    # The profile of a tied parameter is not searched.
    unknown = np.array([name in job.choice.tied for name in job.choice.names])
    return tuple(np.where(unknown, np.nan, end) for end in (found.lower, found.upper))
