"""32 or 64 bits for a stretch of a run, as a user of that precision has JAX set."""

from collections.abc import Iterator
from contextlib import contextmanager

import jax


@contextmanager
def precision(dtype: str) -> Iterator[None]:
    """Within, JAX's default is `dtype`, on every thread."""
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", dtype == "float64")
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", before)
