import jax
import pytest


@pytest.fixture
def restored_jax():
    """Give back the settings that a run makes for the whole process."""
    keys = (
        "jax_enable_x64",
        "jax_compilation_cache_dir",
        "jax_persistent_cache_min_compile_time_secs",
        "jax_persistent_cache_min_entry_size_bytes",
    )
    before = {key: getattr(jax.config, key) for key in keys}
    yield
    for key, value in before.items():
        jax.config.update(key, value)


@pytest.fixture
def float64(restored_jax):
    jax.config.update("jax_enable_x64", True)
