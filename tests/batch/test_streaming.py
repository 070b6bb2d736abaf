"""Inputs that are read in pieces hold the same data sets as those that are read at once."""

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as parquet
import pytest

from mvopt._errors import InputError
from mvopt.batch import blocks
from mvopt.batch.config import DataTable
from mvopt.batch.datasets import EXTRAS
from mvopt.batch.pipeline import Behind, ahead
from mvopt.batch.sources import tables
from mvopt.batch.sources.opening import open_source
from mvopt.batch.sources.source import every

COUNT, POINTS = 57, 5


@pytest.fixture
def in_pieces(monkeypatch):
    monkeypatch.setattr(tables, "_SMALL_BYTES", 0)
    monkeypatch.setattr(tables, "_CSV_BLOCK_BYTES", 300)
    monkeypatch.setattr(blocks, "_POINTS_A_BLOCK", 80)


def loaded(table, wanted=every):
    return [(task.number, task.load()) for task in open_source(table).tasks(wanted)]


def data_sets(parts):
    """(id, x, y, sigma, mask) of each data set."""
    found = []
    for _, data in parts:
        for i, row in enumerate(data.ids.to_pylist()):
            points = slice(data.offsets[i], data.offsets[i + 1])
            x = data.x if data.shared_x else data.x[:, points]
            extras = [data.extras[key][points].tolist() for key in EXTRAS if key in data.extras]
            mask = np.ones(len(data.y), bool) if data.mask is None else data.mask
            y = np.where(mask[points], data.y[points], -1)
            found.append((row, x.tolist(), y.tolist(), extras, mask[points].tolist()))
    return found


def columns(rng):
    """A table with a row per point, one with columns per point, one with lists."""
    y = rng.integers(0, 100, (COUNT, POINTS)).astype(float)
    holes = pa.array(y.ravel(), mask=rng.random(y.size) < 0.1)
    ids = [f"d{i}" for i in rng.permutation(COUNT)]
    x = np.arange(POINTS) + 10.0 * np.arange(COUNT)[:, None]
    long = {"id": np.repeat(ids, POINTS), "x": x.ravel(), "y": holes, "s": x.ravel() + 1}
    rows = {"id": ids}
    for name, values in (("x", x), ("s", x + 1)):
        rows |= {f"{name}{i}": values[:, i] for i in range(POINTS)}
    rows |= {f"y{i}": holes.take(pa.array(np.arange(i, y.size, POINTS))) for i in range(POINTS)}
    offsets = pa.array(np.arange(COUNT + 1, dtype=np.int32) * POINTS)
    cells = {name: pa.ListArray.from_arrays(offsets, pa.array(long[name])) for name in "xys"}
    return pa.table(long), pa.table(rows), pa.table({"id": ids, **cells})


@pytest.fixture
def inputs(tmp_path):
    """The same data sets in files of all layouts, as `[data]` tables."""
    long, wide, lists = columns(np.random.default_rng(3))
    parquet.write_table(long, tmp_path / "long.parquet", row_group_size=64)
    pacsv.write_csv(long, tmp_path / "long.csv")
    pacsv.write_csv(wide, tmp_path / "wide.csv")
    parquet.write_table(wide, tmp_path / "wide.parquet", row_group_size=20)
    parquet.write_table(lists, tmp_path / "lists.parquet", row_group_size=20)
    (tmp_path / "folder").mkdir()
    for i in range(3):
        rows = long.slice(100 * i, 100 if i < 2 else None)
        parquet.write_table(rows, tmp_path / "folder" / f"{i}.parquet")
    names = {"dataset": "id", "x": "x", "y": "y", "sigma": "s"}
    globs = {"layout": "wide", "dataset": "id", "x": "x*", "y": "y*", "sigma": "s*"}
    keys = [("long.parquet", names), ("long.csv", names), ("folder", names)]
    keys += [("wide.csv", globs), ("wide.parquet", globs), ("lists.parquet", names)]
    return [DataTable(path=str(tmp_path / name), **each) for name, each in keys]


def test_every_layout_at_once(inputs):
    expected = data_sets(loaded(inputs[0]))
    assert len(expected) == COUNT
    for table in inputs[1:]:
        assert data_sets(loaded(table)) == expected, table.path


def test_every_layout_in_pieces(inputs, in_pieces, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(tables, "_SMALL_BYTES", 2**20)
        expected = data_sets(loaded(inputs[0]))
    for table in inputs:
        parts = loaded(table)
        assert len(parts) > 3
        assert [number for number, _ in parts] == list(range(len(parts)))
        assert data_sets(parts) == expected, table.path
        again = dict(loaded(table, lambda number: number % 3 == 1))
        assert list(again) == [number for number, _ in parts if number % 3 == 1]
        for number, data in again.items():
            assert data_sets([(number, data)]) == data_sets([parts[number]])


def test_a_data_set_longer_than_a_piece(tmp_path, in_pieces):
    lengths = [3, 400, 2]
    ids = np.repeat([1, 2, 3], lengths)
    parquet.write_table(pa.table({"id": ids, "x": ids, "y": ids}), tmp_path / "a.parquet")
    table = DataTable(path=str(tmp_path / "a.parquet"), dataset="id", x="x", y="y")
    found = data_sets(loaded(table))
    assert [len(y) for _, _, y, *_ in found] == lengths


@pytest.mark.parametrize("kind", ["rising", "falling", "two columns"])
def test_rows_that_are_not_together_are_refused(tmp_path, in_pieces, kind):
    ids = np.repeat(np.arange(60), 5)
    ids = ids[::-1].copy() if kind == "falling" else ids
    again = {"id": np.append(ids, 7), "other": np.zeros(301, int)}
    zeros = {name: np.zeros(301) for name in "xy"}
    parquet.write_table(pa.table({**again, **zeros}), tmp_path / "a.parquet")
    dataset = ["id", "other"] if kind == "two columns" else "id"
    table = DataTable(path=str(tmp_path / "a.parquet"), dataset=dataset, x="x", y="y")
    with pytest.raises(InputError, match=r"data set '7.* are not together: sort"):
        loaded(table)
    parquet.write_table(pa.table({**again, **zeros}).slice(0, 300), tmp_path / "a.parquet")
    assert len(data_sets(loaded(table))) == 60


def test_ids_that_rise_with_gaps_and_then_differ(tmp_path, in_pieces):
    ids = np.repeat(np.concatenate([np.arange(0, 80, 2), [500, 300, 400]]), 5)
    columns = {"id": ids, "x": np.zeros(len(ids)), "y": np.zeros(len(ids))}
    parquet.write_table(pa.table(columns), tmp_path / "a.parquet")
    table = DataTable(path=str(tmp_path / "a.parquet"), dataset="id", x="x", y="y")
    assert len(data_sets(loaded(table))) == 43


@pytest.mark.parametrize("ids", [[-1, 5, -2], [*range(0, 80, 2), 3, 1], [5.0, 7.0, 6.0]])
def test_ids_that_have_not_been_here(tmp_path, in_pieces, ids):
    """Python's hashes of -1 and -2 are one, and 3 lies between ids that have been."""
    ids = np.repeat(ids, 70)
    columns = {"id": ids, "other": ids * 0, "x": ids * 0.0, "y": ids * 0.0}
    parquet.write_table(pa.table(columns), tmp_path / "a.parquet")
    for dataset in ("id", ["id", "other"]):
        table = DataTable(path=str(tmp_path / "a.parquet"), dataset=dataset, x="x", y="y")
        assert len(data_sets(loaded(table))) == len(ids) / 70


def test_lists_of_any_length(tmp_path):
    cells = pa.array([[1.0, 2.0, None], [], [4.0], None], pa.list_(pa.float64()))
    parquet.write_table(pa.table({"y": cells}), tmp_path / "a.parquet")
    table = DataTable(path=str(tmp_path / "a.parquet"), y="y")
    ((_, data),) = loaded(table)
    assert data.offsets.tolist() == [0, 3, 3, 4, 4]
    assert data.x.tolist() == [[0, 1, 2, 0]]
    assert data.mask.tolist() == [True, True, False, True]
    assert data.ids["dataset"].to_pylist() == [0, 1, 2, 3]


def test_lists_of_one_length_share_x(tmp_path):
    cells = pa.FixedSizeListArray.from_arrays(pa.array(np.arange(6.0)), 3)
    parquet.write_table(pa.table({"y": cells, "z": cells}), tmp_path / "a.parquet")
    table = DataTable(path=str(tmp_path / "a.parquet"), y="y", x=[1.0, 2.0, 4.0], sigma="z")
    ((_, data),) = loaded(table)
    assert data.shared_x
    assert data.x.tolist() == [[1, 2, 4]]
    assert data.extras["sigma"].tolist() == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"y": "y", "x": "n"}, "holds double: give a column of lists"),
        ({"y": "y", "x": "w"}, "lists of another length than y"),
        ({"y": "t"}, "holds lists of string"),
        ({"y": "y", "x": [1.0, 2.0]}, "give x as a column of lists"),
        ({"y": ["y", "w"], "layout": "lists"}, "y is missing: give one column"),
    ],
)
def test_bad_lists(tmp_path, keys, words):
    numbers = pa.array([[1.0, 2.0], [3.0]])
    other, texts = pa.array([[1.0], [3.0]]), pa.array([["a", "b"], ["c"]])
    table = pa.table({"y": numbers, "w": other, "t": texts, "n": [1.0, 2.0]})
    parquet.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(InputError, match=words):
        loaded(DataTable(path=str(tmp_path / "a.parquet"), **keys))


def test_a_file_that_is_cut_off_is_named(tmp_path, in_pieces):
    rng = np.random.default_rng(1)
    table = pa.table({name: rng.random(5000) for name in ("id", "x", "y")})
    parquet.write_table(table, tmp_path / "a.parquet", row_group_size=500)
    content = bytearray((tmp_path / "a.parquet").read_bytes())
    content[60_000:90_000] = b"\0" * 30_000
    (tmp_path / "a.parquet").write_bytes(content)
    data = DataTable(path=str(tmp_path / "a.parquet"), layout="wide", y=["x", "y"])
    with pytest.raises(InputError, match=r"a\.parquet cannot be read"):
        loaded(data)


def test_a_bad_number_in_a_large_csv_is_named(tmp_path, in_pieces):
    rows = [f"{i},{i}" for i in range(500)]
    rows[400] = "400,four"
    (tmp_path / "a.csv").write_text("x,y\n" + "\n".join(rows) + "\n")
    with pytest.raises(InputError, match=r"a\.csv cannot be read: .*four"):
        loaded(DataTable(path=str(tmp_path / "a.csv"), x="x", y="y"))


def test_what_is_made_ahead_comes_in_order_with_its_error():
    def items():
        yield from range(10)
        raise ValueError("after ten")

    found = []
    with pytest.raises(ValueError, match="after ten"):
        found.extend(ahead(items()))
    # Items that were ready are not lost to the error.
    assert found == list(range(10)) or found == []


def test_no_more_is_made_after_the_reader_has_gone():
    made = []

    def items():
        for i in range(1000):
            made.append(i)
            yield i

    for item in ahead(items()):
        if item == 3:
            break
    assert len(made) < 12


def test_writing_behind_keeps_order_and_raises_the_first_error():
    done = []

    def work(item):
        if item == 3:
            raise OSError("full")
        done.append(item)

    def write(items):
        writer = Behind(work)
        for i in items:
            writer.put(i)
        writer.close()

    with pytest.raises(OSError, match="full"):
        write(range(100))
    assert done == [0, 1, 2]
    with pytest.raises(OSError, match="full"):
        write([3])
    write([4])
    assert done == [0, 1, 2, 4]


def test_long_lists_are_no_small_table(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "_SMALL_BYTES", 20_000)
    cells = pa.FixedSizeListArray.from_arrays(pa.array(np.random.default_rng(0).random(6400)), 64)
    parquet.write_table(pa.table({"y": cells}), tmp_path / "a.parquet")
    path = str(tmp_path / "a.parquet")
    assert tables.Reader([path], [], ["y"], []).whole is None
    monkeypatch.setattr(tables, "_SMALL_BYTES", 2**20)
    assert tables.Reader([path], [], ["y"], []).whole is not None
