"""The public names: all are there, and what is not asked for costs nothing."""

import subprocess
import sys

import pytest

import mvopt

# Each module that a name is loaded from, on its own: one may not count on another to come first.
ALONE = """
import importlib, sys
import jax, optax, chex
import mvopt

loaded = {name for name in sys.modules if name.startswith(("mvopt.batch", "mvopt.regression"))}
assert not loaded, loaded
for home in sorted(set(mvopt._LATER.values())):
    for name in [name for name in sys.modules if name.startswith("mvopt")]:
        del sys.modules[name]
    importlib.import_module(f"mvopt.{home}")
"""


@pytest.mark.parametrize("name", [*mvopt.__all__, "fit_many"])
def test_every_public_name_is_there(name):
    assert getattr(mvopt, name) is getattr(mvopt, name)
    assert name in dir(mvopt)


def test_what_is_loaded_later_is_public():
    assert set(mvopt._LATER) <= {*mvopt.__all__, "fit_many"}


def test_another_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'fit_curve'"):
        mvopt.fit_curve  # noqa: B018


def test_each_part_is_loaded_by_itself_and_only_when_it_is_asked_for():
    subprocess.run([sys.executable, "-c", ALONE], check=True)
