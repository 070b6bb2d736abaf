import jax.numpy as jnp
import pytest

from mvopt import Status


def test_the_integers_are_fixed_because_files_hold_them():
    names = "RUNNING CONVERGED MAX_STEPS STALLED NONFINITE SINGULAR INFEASIBLE UNBOUNDED BAD_INPUT"
    assert [status.name for status in sorted(Status)] == names.split()
    assert [int(status) for status in sorted(Status)] == list(range(9))


@pytest.mark.parametrize("status", list(Status))
def test_each_has_one_sentence_with_a_remedy(status):
    assert status.sentence.endswith(".")
    assert status.sentence.count(":") == 1
    fact, remedy = status.sentence.split(": ")
    assert fact
    assert remedy


def test_sentences_differ():
    assert len({status.sentence for status in Status}) == len(Status)


def test_an_entry_of_an_array_gives_its_sentence():
    statuses = jnp.array([1, 4], jnp.int32)
    assert Status(int(statuses[1])) is Status.NONFINITE
    assert "mask" in Status(int(statuses[1])).sentence
    assert bool((statuses == Status.CONVERGED)[0])
