"""A folder with an input and its configuration, and settings given back."""

import numpy as np
import pytest
from runs import CONFIG, decays, lines


@pytest.fixture(autouse=True)
def own_settings(tmp_path, monkeypatch, restored_jax):
    """Run in a folder of its own; give back what a run sets for the whole process."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def files(tmp_path):
    y = decays(3, np.random.default_rng(11))
    (tmp_path / "a.csv").write_text(lines(y, ("u", "v", "w")))
    (tmp_path / "c.toml").write_text(CONFIG)
    return tmp_path
