"""Packed flags: any of them, and the ranks of those that are set."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mvopt.iteration import flags


@pytest.mark.parametrize("lanes", [1, 7, 32, 96, 4096])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 1.0])
def test_ranks_number_the_flags(lanes, share):
    chosen = np.random.default_rng(lanes).random(lanes) < share
    ranks, number = jax.jit(flags.ranks)(jnp.asarray(chosen))
    assert number == chosen.sum()
    assert ranks.dtype == number.dtype == jnp.int32
    np.testing.assert_array_equal(np.sort(ranks[chosen]), np.arange(chosen.sum()))


@pytest.mark.parametrize("lanes", [1, 7, 32, 96])
def test_any_set_sees_a_single_flag(lanes):
    assert not flags.any_set(jnp.zeros(lanes, bool))
    for lane in range(lanes):
        assert flags.any_set(jnp.arange(lanes) == lane)
