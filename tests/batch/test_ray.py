"""The engine for clusters, on a cluster of this machine alone."""

import os
import signal

import jax
import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from click.testing import CliRunner

from mvopt._errors import InputError
from mvopt.batch import blocks, engines
from mvopt.batch.fitting import Part
from mvopt.batch.sources.source import Loaded
from mvopt.cli import main

ray = pytest.importorskip("ray")

SETTING = "jax_disable_most_optimizations"

# Ray itself opens files and sockets that it leaves to the end of the process.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module", autouse=True)
def cluster():
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="error")
    yield
    ray.shutdown()


def tasks(count):
    return [Loaded(number, number) for number in range(count)]


def test_every_block_comes_back_once_with_the_settings_of_this_process():
    def work(number):
        return Part(pa.table({"a": [number, int(jax.config.values[SETTING])]}), 0.5)

    found = dict(engines.on_ray(work, tasks(9)))
    assert sorted(found) == list(range(9))
    assert all(part.seconds == 0.5 for part in found.values())
    expected = [[i, int(jax.config.values[SETTING])] for i in range(9)]
    assert [found[i].rows["a"].to_pylist() for i in range(9)] == expected


def test_fits_are_those_of_this_process(tmp_path, monkeypatch, restored_jax):
    monkeypatch.setattr(blocks, "_DATA_SETS_A_BLOCK", 5)
    rng, x = np.random.default_rng(6), np.linspace(0, 4, 12)
    true = rng.uniform([1, 0.3], [3, 1.5], (23, 2))
    y = true[:, :1] * np.exp(-true[:, 1:] * x) + 0.01 * rng.standard_normal((23, len(x)))
    np.savez(tmp_path / "a.npz", x=x, y=y)
    configuration = '[data]\npath = "a.npz"\nx = "x"\n[model]\nname = "exponential_decay"\n'
    (tmp_path / "c.toml").write_text(configuration)
    monkeypatch.chdir(tmp_path)
    tables = []
    for name, more in (("local", []), ("ray", ["--engine", "ray"])):
        result = CliRunner().invoke(main, ["fit", "c.toml", "--out", name, *more])
        assert result.exit_code == 0, result.output
        parts = sorted((tmp_path / name).glob("*.parquet"))
        assert len(parts) == 5
        table = pa.concat_tables(parquet.read_table(part) for part in parts)
        tables.append({column: table[column].to_numpy() for column in table.column_names})
    np.testing.assert_equal(tables[0], tables[1])
    np.testing.assert_allclose(1 / tables[1]["decay"], true[:, 1], atol=0.1)


def test_an_error_in_the_work_is_raised_as_it_is():
    def work(number):
        raise InputError("the input is bad")

    with pytest.raises(InputError, match=r"^the input is bad$"):
        list(engines.on_ray(work, tasks(1)))


def test_a_block_whose_worker_dies_goes_to_another(tmp_path):
    def work(number):
        mark = tmp_path / str(number)
        if number == 2 and not mark.exists():
            mark.write_text("")
            os.kill(os.getpid(), signal.SIGKILL)
        return Part(number, 0.0)

    assert sorted(dict(engines.on_ray(work, tasks(4)))) == [0, 1, 2, 3]
    assert (tmp_path / "2").exists()


def test_a_block_that_kills_every_worker_ends_the_run_with_what_to_do(monkeypatch):
    monkeypatch.setattr(engines, "_RETRIES", 0)  # each start of a worker takes seconds

    def work(number):
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(InputError, match=r"block 0 was lost with its worker 1 times .*--resume"):
        list(engines.on_ray(work, tasks(1)))


def test_a_cluster_has_a_worker_for_each_gpu_or_each_smallest_machine():
    def node(**resources):
        return {"Alive": True, "Resources": resources}

    dead = {"Alive": False, "Resources": {"CPU": 64.0}}
    assert engines._workers([node(CPU=4.0), node(CPU=8.0), dead]) == (3, {"num_cpus": 4})
    assert engines._workers([node(CPU=4.0, GPU=2.0)]) == (2, {"num_cpus": 1, "num_gpus": 1})
    assert engines._workers([node(memory=1.0)]) == (1, {"num_cpus": 1})
