"""A folder with an input and its configuration, and settings given back."""

import jax
import numpy as np
import pytest
from runs import CONFIG, decays, lines


@pytest.fixture(autouse=True)
def own_settings(tmp_path, monkeypatch):
    """Run in a folder of its own; give back what a run sets for the whole process."""
    keys = (
        "jax_enable_x64",
        "jax_compilation_cache_dir",
        "jax_persistent_cache_min_compile_time_secs",
        "jax_persistent_cache_min_entry_size_bytes",
    )
    before = {key: getattr(jax.config, key) for key in keys}
    monkeypatch.chdir(tmp_path)
    yield
    for key, value in before.items():
        jax.config.update(key, value)


@pytest.fixture
def files(tmp_path):
    y = decays(3, np.random.default_rng(11))
    (tmp_path / "a.csv").write_text(lines(y, ("u", "v", "w")))
    (tmp_path / "c.toml").write_text(CONFIG)
    return tmp_path
