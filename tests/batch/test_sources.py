"""Reading data sets: the same data from every kind of file, and bad files in one line."""

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as parquet
import pytest

from mvopt._errors import InputError
from mvopt.batch.config import DataTable
from mvopt.batch.sources.opening import open_source

LONG = "run,conc,y,s\nb,1,10,1\na,1,20,1\nb,2,11,2\na,2,21,2\na,4,22,3\n"
ROWS = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])


def read(table):
    """The data sets of an input that is one block."""
    (task,) = open_source(table).tasks()
    return task.load()


@pytest.fixture
def csv(tmp_path):
    def write(text: str, **keys) -> DataTable:
        path = tmp_path / "a.csv"
        path.write_text(text)
        return DataTable(path=str(path), **keys)

    return write


def test_long_groups_rows_in_the_order_of_their_first(csv):
    data = read(csv(LONG, dataset="run", x="conc", y="y", sigma="s"))
    assert data.ids.to_pydict() == {"run": ["b", "a"]}
    assert data.offsets.tolist() == [0, 2, 5]
    assert data.x.tolist() == [[1, 2, 1, 2, 4]]
    assert data.y.tolist() == [10, 11, 20, 21, 22]
    assert data.extras["sigma"].tolist() == [1, 2, 1, 2, 3]
    assert data.mask is None


def test_ids_of_two_columns_expressions_and_a_constant_sigma(csv):
    text = "run,plate,conc,y\n1,1,1,3\n1,2,1,4\n2,1,1,5\n1,1,4,6\n"
    keys = {"dataset": ["run", "plate"], "x": ["log(conc)", "conc"], "y": "2*y", "sigma": 0.5}
    data = read(csv(text, **keys))
    assert data.ids.to_pylist() == [
        {"run": "1", "plate": "1"},
        {"run": "1", "plate": "2"},
        {"run": "2", "plate": "1"},
    ]
    np.testing.assert_allclose(data.x, [[0, np.log(4), 0, 0], [1, 4, 1, 1]])
    assert data.y.tolist() == [6, 12, 8, 10]
    assert data.extras["sigma"].tolist() == [0.5] * 4


def test_without_ids_there_is_one_data_set(csv):
    data = read(csv(LONG, x="conc", y="y"))
    assert data.ids.to_pydict() == {"dataset": [0]}
    assert data.offsets.tolist() == [0, 5]


def test_a_missing_value_is_masked_and_a_nan_is_kept(csv):
    text = "conc,y,s,m\n1,10,1,1\n,11,1,1\n3,NA,1,1\n4,13,,1\n5,nan,1,1\n6,15,1,0\n7,16,1,\n"
    data = read(csv(text, x="conc", y="y", sigma="s", mask="m"))
    assert data.mask.tolist() == [True, False, False, False, True, False, False]
    assert np.isnan(data.y[4])


@pytest.mark.parametrize(
    "ids",
    [
        ["12345678901234567890", "12345678901234567891", "12345678901234567892"],
        ["1", "01", "001"],
        ["1", "1.0", "1e0"],
        ["true", "True", "TRUE"],
        ["2024-01-01", "2024-01-01 00:00", "20240101"],
    ],
)
@pytest.mark.parametrize("layout", ["long", "wide"])
def test_ids_in_a_csv_are_text(csv, ids, layout):
    rows = "".join(f"{name},{k},{k}\n" for k, name in enumerate(ids))
    data = read(csv(f"id,x,y\n{rows}", layout=layout, dataset="id", x="x", y="y"))
    assert data.ids["id"].to_pylist() == ids
    assert len(data) == 3


def test_ids_of_many_columns(tmp_path):
    """Numbered by the product of their columns alone, the last would be that of the first."""
    codes = {f"id{k}": np.append(np.arange(256), int(k == 0)) for k in range(9)}
    columns = {**codes, "x": np.arange(257.0), "y": np.arange(257.0)}
    pa.parquet.write_table(pa.table(columns), tmp_path / "a.parquet")
    data = read(DataTable(path=str(tmp_path / "a.parquet"), dataset=list(codes), x="x", y="y"))
    assert len(data) == 257
    assert data.y.tolist() == columns["y"].tolist()


def test_every_kind_of_file_gives_the_same_data_sets(tmp_path):
    x = [0.5, 1.5, 2.5]
    wide = pa.table({"id": [7, 8], **{f"y{i}": ROWS[:, i] for i in range(3)}})
    pacsv.write_csv(wide, tmp_path / "a.csv")
    parquet.write_table(wide, tmp_path / "a.parquet")
    folder = tmp_path / "folder"
    folder.mkdir()
    for i in range(2):
        parquet.write_table(wide.slice(i, 1), folder / f"{i}.parquet")
    np.save(tmp_path / "a.npy", ROWS)
    np.savez(tmp_path / "a.npz", y=ROWS, id=np.array([7, 8]), x=np.array(x))
    long = pa.table({"id": [7] * 3 + [8] * 3, "x": x * 2, "y": ROWS.ravel()})
    pacsv.write_csv(long, tmp_path / "long.csv")

    table = {"layout": "wide", "y": "y*", "x": x, "dataset": "id"}
    cases = [("a.csv", table), ("a.parquet", table), ("folder", table), ("folder/*", table)]
    cases += [("a.npy", {"x": x}), ("a.npz", {"x": "x", "y": "y", "dataset": "id"})]
    cases += [("long.csv", {"x": "x", "y": "y", "dataset": "id"})]
    for name, keys in cases:
        data = read(DataTable(path=str(tmp_path / name), **keys))
        assert data.offsets.tolist() == [0, 3, 6], name
        assert data.y.tolist() == ROWS.ravel().tolist(), name
        assert data.x.tolist() == ([x] if data.shared_x else [x * 2]), name
        assert data.mask is None, name
        if "dataset" in keys:
            text = name.endswith(".csv")
            assert data.ids["id"].to_pylist() == (["7", "8"] if text else [7, 8]), name


def test_wide_with_own_x_sigma_mask_and_missing_values(csv):
    text = "t0,t1,y0,y1,s0,s1,m0,m1\n1,2,3,4,5,6,1,1\n1,,3,4,5,6,1,1\n1,2,3,4,5,,0,1\n"
    data = read(csv(text, layout="wide", x="t*", y="y*", sigma="s*", mask="m*"))
    assert data.mask.reshape(3, 2).tolist() == [[True, True], [True, False], [False, False]]
    assert data.x.shape == (1, 6)
    assert data.ids.to_pydict() == {"dataset": [0, 1, 2]}


def test_an_npz_with_several_variables_and_a_mask(tmp_path):
    mask = np.array([[True, True, False], [True, True, True]])
    np.savez(tmp_path / "a.npz", y=ROWS, u=np.arange(3.0), v=2 * ROWS, m=mask, s=ROWS)
    path = str(tmp_path / "a.npz")
    data = read(DataTable(path=path, x=["u", "v"], mask="m", sigma="s"))
    assert data.x.tolist() == [[0, 1, 2, 0, 1, 2], [2, 4, 6, 8, 10, 12]]
    assert data.mask.tolist() == mask.ravel().tolist()


def test_many_data_sets_in_any_order(tmp_path):
    count, points = 20_000, 5
    order = np.random.default_rng(3).permutation(count * points)
    number = np.repeat(np.arange(count), points)[order]
    table = pa.table({"id": number, "x": order % points, "y": order.astype(float)})
    parquet.write_table(table, tmp_path / "a.parquet")
    keys = {"dataset": "id", "x": "x", "y": "y"}
    data = read(DataTable(path=str(tmp_path / "a.parquet"), **keys))
    ids = data.ids["id"].to_numpy()
    assert len(data) == count
    assert np.array_equal(np.sort(ids), np.arange(count))
    assert np.array_equal(data.y // points, np.repeat(ids, points))


LONG_KEYS = {"dataset": "run", "x": "conc", "y": "y"}
BAD_TABLES = [
    ("", LONG_KEYS, "is empty"),
    ("run,conc,y\n", LONG_KEYS, "no rows"),
    (LONG, {**LONG_KEYS, "x": "cone"}, "x = 'cone' is no column: did you mean conc?"),
    (LONG, {**LONG_KEYS, "dataset": "runs"}, "dataset = 'runs' is no column: did you mean run?"),
    (LONG, {**LONG_KEYS, "x": "log(cone)"}, "did you mean conc?"),
    (LONG, {**LONG_KEYS, "x": "conc.real"}, "attribute"),
    (LONG, {**LONG_KEYS, "x": None}, "x is missing"),
    (LONG, {**LONG_KEYS, "y": None}, "y is missing"),
    (LONG, {**LONG_KEYS, "y": ["y", "s"]}, "give one column"),
    (LONG, {**LONG_KEYS, "x": [1.0, 2.0]}, "columns by name"),
    (LONG, {**LONG_KEYS, "mask": "run"}, "a mask is true/false"),
    (LONG.replace("11", "low"), LONG_KEYS, "the column y has the text 'low' in row 3"),
    (LONG.replace("b,2,11,2", "b,2"), LONG_KEYS, "cannot be read"),
    (LONG.replace("b,2", ",2"), LONG_KEYS, "the column run is empty in row 3"),
    (LONG.replace("conc", "y"), LONG_KEYS | {"x": "s"}, "two columns 'y'"),
    (LONG, {"layout": "wide", "y": "z*"}, "matches no column"),
    (LONG, {"layout": "wide"}, "y is missing"),
    (LONG, {"layout": "wide", "y": ["conc", "y"], "x": [1.0]}, "x has 1 numbers for 2 points"),
    (LONG, {"layout": "wide", "y": ["conc", "y"], "sigma": ["s"]}, "sigma has 1 columns and y 2"),
]


@pytest.mark.parametrize(("text", "keys", "words"), BAD_TABLES, ids=range(len(BAD_TABLES)))
def test_bad_tables(csv, text, keys, words):
    with pytest.raises(InputError) as caught:
        read(csv(text, **keys))
    message = str(caught.value)
    assert words in message
    assert "a.csv" in message
    assert "\n" not in message


def test_text_in_a_number_column_of_parquet(tmp_path):
    table = pa.table({"x": [1, 2], "y": ["3", "four"], "d": pa.array([0, 1], pa.date32())})
    parquet.write_table(table, tmp_path / "a.parquet")
    path = str(tmp_path / "a.parquet")
    with pytest.raises(InputError, match="column y has the text 'four' in row 2"):
        read(DataTable(path=path, x="x", y="y"))
    with pytest.raises(InputError, match="column d holds date32"):
        read(DataTable(path=path, x="d", y="x"))


def test_bad_array_files(tmp_path):
    def reading(name, **keys):
        return read(DataTable(path=str(tmp_path / name), **keys))

    np.save(tmp_path / "object.npy", np.array([[1, "a"]], object), allow_pickle=True)
    np.savez(tmp_path / "a.npz", y=ROWS, words=np.array([["a"]]), short=np.ones(2))
    np.save(tmp_path / "flat.npy", np.ones(3))
    (tmp_path / "empty.npy").write_bytes(b"")
    (tmp_path / "text.npz").write_text("no array")
    (tmp_path / "a.txt").write_text("x")
    for name, keys, words in [
        ("object.npy", {}, "cannot be read"),
        ("flat.npy", {}, "shape"),
        ("flat.npy", {"y": "y"}, "use NPZ"),
        ("empty.npy", {}, "empty"),
        ("text.npz", {}, "cannot be read"),
        ("a.npz", {"y": "yy"}, "did you mean y"),
        ("a.npz", {"y": "words"}, "real numbers"),
        ("a.npz", {"sigma": "short"}, "sigma has shape"),
        ("a.npz", {"dataset": "x"}, "no array"),
        ("a.npz", {"layout": "long"}, "wide"),
        ("a.txt", {"x": "x", "y": "y"}, "unknown kind"),
    ]:
        with pytest.raises(InputError, match=words):
            reading(name, **keys)
