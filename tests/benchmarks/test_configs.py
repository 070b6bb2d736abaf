"""Every file of configs/ can be read, and what it points to is there."""

import csv
import tomllib
from pathlib import Path

import pytest

CONFIGS = Path(__file__).parents[2] / "configs"
FITS = sorted((CONFIGS / "fit").glob("*.toml"))
BENCHMARKS = sorted((CONFIGS / "bench").glob("*.toml"))
ROWS = {
    "chickweight": 578,
    "dnase": 176,
    "indometh": 66,
    "loblolly": 84,
    "orange": 35,
    "puromycin": 23,
    "theoph": 132,
}


@pytest.mark.parametrize("path", FITS, ids=lambda path: path.stem)
def test_a_fit_names_columns_of_its_data(path):
    data = tomllib.loads(path.read_text())["data"]
    with (CONFIGS / data["path"]).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == ROWS[path.stem]
    x = data["x"] if isinstance(data["x"], list) else [data["x"]]
    bare = [name.removeprefix("log(").removesuffix(")") for name in x]
    assert {data["dataset"], data["y"], *bare} <= set(rows[0])


def test_every_data_set_has_a_fit():
    assert [path.stem for path in FITS] == sorted(ROWS)


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.stem)
def test_a_benchmark_names_its_workload_and_targets(path):
    config = tomllib.loads(path.read_text())
    workloads = CONFIGS.parent / "benchmarks" / "workloads"
    assert (workloads / f"{config['workload']}.py").exists()
    assert config["targets"]
    assert set(config.get("parts", ())) <= set(config)
