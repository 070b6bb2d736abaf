import jax
import pytest


@pytest.fixture
def float64(restored_jax):
    jax.config.update("jax_enable_x64", True)
