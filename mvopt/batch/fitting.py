"""The fits of a block: each bucket goes to the library, and rows of the table come back."""

from dataclasses import replace
from typing import Any, NamedTuple

import jax
import numpy as np
import pyarrow as pa

from mvopt import losses
from mvopt.batch import results
from mvopt.batch.blocks import Bucket, buckets
from mvopt.batch.choice import Choice
from mvopt.batch.config import Config
from mvopt.batch.datasets import DataSets
from mvopt.regression.fit import Fit
from mvopt.regression.regression import Regression


class Fitted(NamedTuple):
    """Fits, and the ends (B, n) of the parameters' intervals where they are wanted."""

    fit: Fit
    ends: tuple[Any, Any] | None


def columns_of(choice: Choice, config: Config) -> results.Columns:
    """The columns of the table, apart from the ids."""
    intervals = config.output.intervals is not None
    return results.Columns(choice.names, intervals, tuple(config.output.figures))


def fit_block(data: DataSets, choice: Choice, config: Config, block: range) -> pa.Table:
    """Fit a block of data sets and return its rows of the table, in the order of the data."""
    parts, index, num_points = [], [], []
    for bucket in buckets(data, block):
        parts.append(_fit_bucket(bucket, choice, config))
        index.append(bucket.index)
        num_points.append(np.count_nonzero(bucket.mask, axis=1))
    order = np.argsort(np.concatenate(index))
    fit, ends = jax.tree.map(lambda *leaves: np.concatenate(leaves)[order], *parts)
    ids = data.ids.slice(block.start, len(block))
    return columns_of(choice, config).table(ids, fit, ends, np.concatenate(num_points)[order])


def _fit_bucket(bucket: Bucket, choice: Choice, config: Config) -> Fitted:
    dtype = np.float32 if config.fit.precision == "float32" else np.float64

    def cast(values: Any) -> Any:
        return jax.tree.map(lambda leaf: np.asarray(leaf).astype(dtype, copy=False), values)

    extras = cast(bucket.extras)
    if "sigma_x" in extras and bucket.num_x > 1:
        extras["sigma_x"] = np.repeat(extras["sigma_x"][:, None], bucket.num_x, axis=1)
    regression = Regression(
        choice.model,
        cast(bucket.x),
        cast(bucket.y),
        None if np.isnan(choice.start).all() else cast(choice.start),
        extras.get("sigma"),
        mask=bucket.mask,
        bounds=cast(choice.bounds),
        fixed=choice.fixed or None,
        tied=choice.tied,
        prior=cast(choice.prior),
        loss=_loss(config, extras.get("trials")),
        sigma_x=extras.get("sigma_x"),
        absolute_sigma=config.fit.absolute_sigma,
        in_axes=(None if bucket.shared_x else 0, 0, None, 0, 0),
        precision=config.fit.precision,
    )
    fit = regression.fit(max_steps=config.fit.max_steps)
    return jax.device_get(Fitted(fit, _ends(regression, fit, choice, config)))


def _loss(config: Config, trials: np.ndarray | None) -> str | losses.Loss:
    given = {"threshold": config.fit.threshold, "scale": config.fit.scale, "trials": trials}
    settings: dict[str, Any] = {k: value for k, value in given.items() if value is not None}
    return replace(losses.NAMED[config.fit.loss](), **settings) if settings else config.fit.loss


def _ends(regression: Regression, fit: Fit, choice: Choice, config: Config) -> Any:
    if config.output.intervals is None:
        return None
    if config.output.intervals == "t":
        return fit.intervals(config.output.level)
    found = regression.intervals(fit, config.output.level, config.fit.max_steps)
    # The profile of a tied parameter is not searched.
    unknown = np.array([name in choice.tied for name in choice.names])
    return tuple(np.where(unknown, np.nan, end) for end in (found.lower, found.upper))
