"""What all tests share: float64, quick compilation, programs kept between runs, a count of them."""

import gc
import os
from importlib.metadata import version
from pathlib import Path

# Compilation is most of the suite's time. Each process has one core, so that a program is not to
# be split for several threads. The fusion emitters of JAX 0.10 double it; later ones cannot be
# turned off, and are quicker.
os.environ["XLA_FLAGS"] = (
    os.environ.get("XLA_FLAGS", "") + " --xla_cpu_parallel_codegen_split_count=1"
)
if version("jaxlib").startswith("0.10."):
    os.environ["XLA_FLAGS"] += " --xla_cpu_use_fusion_emitters=false"

import jax
import jax.numpy as jnp
import pytest

jax.config.update("jax_enable_x64", True)
jax.config.update("jax_disable_most_optimizations", True)
jax.config.update("jax_compilation_cache_dir", str(Path(__file__).parents[1] / ".jax_cache"))
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
# The lines of Python in a compiled program, of which no test reads any.
jax.config.update("jax_traceback_in_locations_limit", 0)


def pytest_configure(config):
    # Two processes of the suite may read and write one entry at once; it is then compiled anew.
    config.addinivalue_line(
        "filterwarnings", "ignore:Error (reading|writing) persistent compilation cache:UserWarning"
    )
    # Tracing makes so many small objects that looking for cycles takes a tenth of its time.
    gc.freeze()
    gc.set_threshold(200_000, 20, 20)


@pytest.fixture(autouse=True, scope="module")
def programs_of_one_module():
    """Drop compiled programs after each module: each holds memory maps, whose number is limited."""
    yield
    jax.clear_caches()


@pytest.fixture(scope="module")
def fully_optimized():
    """As users compile: for modules about what the compiler may do to the arithmetic."""
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", True)


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


@pytest.fixture(scope="session")
def rounding():
    """By how much results may differ with the number of lanes: on accelerators sums do."""
    return 0 if jax.default_backend() == "cpu" else 1e-12


@pytest.fixture(params=["float32", "float64"])
def dtype(request):
    return jnp.dtype(request.param)


@pytest.fixture
def compiled():
    """Programs compiled since the start of the test: one entry each, also if from the cache."""
    events = []

    def listen(event, duration, **rest):
        if event == "/jax/core/compile/backend_compile_duration":
            events.append(event)

    jax.monitoring.register_event_duration_secs_listener(listen)
    yield events
    jax.monitoring.unregister_event_duration_listener(listen)
