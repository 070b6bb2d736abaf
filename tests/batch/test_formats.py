"""HDF5, Zarr, FITS tables and netCDF: the arrays that were written, and bad files in one line."""

import pickle
import sys

import numpy as np
import pytest

from mvopt._errors import InputError
from mvopt.batch import blocks
from mvopt.batch.config import DataTable
from mvopt.batch.origin import _fingerprint
from mvopt.batch.sources.labelled import _boxes
from mvopt.batch.sources.opening import open_source

fits = pytest.importorskip("astropy.io.fits")
h5py = pytest.importorskip("h5py")
pytest.importorskip("h5netcdf")
xarray = pytest.importorskip("xarray")
zarr = pytest.importorskip("zarr")

COUNT, POINTS = 23, 4
Y = np.arange(COUNT * POINTS, dtype=float).reshape(COUNT, POINTS)
X = np.array([1.0, 2.0, 4.0, 8.0])
NAMES = [f"well {i}" for i in range(COUNT)]


def loaded(table):
    """All blocks, each read by a task that has been sent elsewhere."""
    return [pickle.loads(pickle.dumps(task)).load() for task in open_source(table).tasks()]


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(blocks, "_POINTS_A_BLOCK", 40)


def write_hdf5(path):
    with h5py.File(path, "w") as file:
        file.create_dataset("plate/y", data=Y.astype(np.int16), chunks=(5, 2), compression="gzip")
        file["plate/x"] = X
        file["mask"] = Y > 2
        file["names"] = NAMES
        file["fixed"] = np.array(NAMES, "S")
        file["pairs"] = np.zeros(COUNT, [("a", float), ("b", int)])
        file.create_dataset("ragged", (COUNT,), h5py.vlen_dtype(float))
        file["nothing"] = h5py.Empty("f8")


def write_zarr(path):
    group = zarr.open_group(path, mode="w")
    group.create_array("plate/y", data=Y.astype(np.int16), chunks=(5, 2))
    group.create_array("plate/x", data=X)
    group.create_array("mask", data=Y > 2)


WRITERS = {"a.h5": write_hdf5, "a.HDF5": write_hdf5, "a.zarr": write_zarr}


@pytest.mark.parametrize("name", WRITERS)
def test_arrays_by_name_come_back_in_blocks(tmp_path, small_blocks, name):
    WRITERS[name](tmp_path / name)
    path = str(tmp_path / name)
    table = DataTable(path=path, y="plate/y", x="plate/x", mask="mask", sigma=0.5)
    parts = loaded(table)
    assert [len(part) for part in parts] == [10, 10, 3]
    assert np.concatenate([part.y for part in parts]).tolist() == Y.ravel().tolist()
    assert parts[0].mask.tolist() == [False] * 3 + [True] * 37
    assert parts[1].mask is None
    assert parts[2].x.tolist() == [X.tolist()]
    assert parts[2].ids["dataset"].to_pylist() == [20, 21, 22]
    assert parts[2].extras["sigma"].tolist() == [0.5] * 12


@pytest.mark.parametrize("dataset", ["names", "fixed"])
def test_texts_of_hdf5_are_ids(tmp_path, dataset):
    write_hdf5(tmp_path / "a.h5")
    keys = {"y": "plate/y", "dataset": dataset}
    (part,) = loaded(DataTable(path=str(tmp_path / "a.h5"), **keys))
    assert part.ids[dataset].to_pylist() == NAMES


def test_a_zarr_array_alone_is_y(tmp_path):
    zarr.save_array(tmp_path / "a.zarr", Y.astype(">f4"))
    (part,) = loaded(DataTable(path=str(tmp_path / "a.zarr") + "/", x=X.tolist()))
    assert part.y.tolist() == Y.ravel().tolist()


def test_a_changed_chunk_is_noticed_when_a_run_is_continued(tmp_path):
    write_zarr(tmp_path / "a.zarr")
    before = _fingerprint(tmp_path / "a.zarr")
    assert _fingerprint(tmp_path / "a.zarr") == before
    chunk = next(p for p in (tmp_path / "a.zarr/plate/y/c").rglob("*") if p.is_file())
    chunk.write_bytes(chunk.read_bytes() + b"\0")
    assert _fingerprint(tmp_path / "a.zarr") != before


BAD_ARRAYS = [
    ("a.h5", {"y": "plate/yy"}, "did you mean plate/y?"),
    ("a.h5", {"y": "pairs"}, "give real numbers"),
    ("a.h5", {"y": "ragged"}, "give real numbers"),
    ("a.h5", {"y": "names"}, "give real numbers"),
    ("a.h5", {"y": "nothing"}, "is no array"),
    ("a.h5", {"y": "plate/x"}, "y has shape"),
    ("a.h5", {"y": "plate/y", "dataset": "pairs"}, "give numbers or texts"),
    ("a.h5", {"y": "plate/y", "dataset": "ragged"}, "give numbers or texts"),
    ("a.h5", {"y": "plate/y", "sigma": "plate/x", "layout": "long"}, "wide"),
    ("*.h5", {"y": "plate/y"}, "no such file"),
    ("cut.h5", {}, "truncated"),
    ("text.h5", {}, "give a whole HDF5 file"),
    ("empty.h5", {}, "the file is empty"),
    ("none.h5", {}, "no array in the file"),
    ("empty.zarr", {}, "give a whole Zarr array"),
    ("file.zarr", {}, "give a whole Zarr array"),
]


@pytest.mark.parametrize(("name", "keys", "words"), BAD_ARRAYS, ids=range(len(BAD_ARRAYS)))
def test_bad_arrays(tmp_path, name, keys, words):
    write_hdf5(tmp_path / "a.h5")
    (tmp_path / "cut.h5").write_bytes((tmp_path / "a.h5").read_bytes()[:3000])
    (tmp_path / "text.h5").write_text("no HDF5\n" * 500)
    (tmp_path / "empty.h5").touch()
    (tmp_path / "empty.zarr").mkdir()
    (tmp_path / "file.zarr").write_text("no folder")
    h5py.File(tmp_path / "none.h5", "w").close()
    check_refused(DataTable(path=str(tmp_path / name), **keys), words)


def check_refused(table, words):
    with pytest.raises(InputError) as caught:
        loaded(table)
    message = str(caught.value)
    assert words in message
    assert table.path in message
    assert "\n" not in message


@pytest.mark.parametrize(
    ("name", "module", "extra"),
    [
        ("a.h5", "h5py", "hdf5"),
        ("a.zarr", "zarr", "zarr"),
        ("a.fits", "astropy.io.fits", "fits"),
        ("a.nc", "xarray", "netcdf"),
        ("a.nc", "h5netcdf", "netcdf"),
    ],
)
def test_a_library_that_is_not_installed(tmp_path, monkeypatch, name, module, extra):
    (tmp_path / name).write_text("anything")
    monkeypatch.setitem(sys.modules, module, None)
    check_refused(DataTable(path=str(tmp_path / name), y="y"), f"pip install 'mvopt[{extra}]'")


def write_table(path):
    columns = [
        fits.Column("flux", f"{POINTS}E", array=Y),
        fits.Column("error", f"{POINTS}D", array=Y + 1),
        *(fits.Column(f"t{i}", "J", array=Y[:, i], null=9) for i in range(POINTS)),
        *(fits.Column(f"x{i}", "D", array=X[i] * np.arange(COUNT)) for i in range(POINTS)),
        fits.Column("name", "9A", array=NAMES),
        fits.Column("number", "K", array=np.arange(COUNT) * 7),
        fits.Column("ragged", "PD()", array=np.array([X[: 1 + i % 4] for i in range(COUNT)], "O")),
    ]
    fits.BinTableHDU.from_columns(columns).writeto(path)


@pytest.mark.parametrize("name", ["a.fits", "a.fits.gz"])
def test_tables_of_fits(tmp_path, small_blocks, name):
    write_table(tmp_path / name)
    path, rows = str(tmp_path / name), np.arange(COUNT)
    cells = {"y": "flux", "sigma": "error", "x": X.tolist(), "layout": "lists"}
    parts = loaded(DataTable(path=path, dataset=["name", "number"], **cells))
    assert np.concatenate([part.y for part in parts]).tolist() == Y.ravel().tolist()
    assert np.concatenate([p.extras["sigma"] for p in parts]).tolist() == (Y + 1).ravel().tolist()
    assert parts[1].ids["name"].to_pylist() == NAMES[10:20]
    assert parts[1].ids["number"].to_pylist() == (7 * rows[10:20]).tolist()
    for x in ("x?", ["x0", "x1", "x2", "x3"]):
        parts = loaded(DataTable(path=path, y="t?", x=x))
        y = np.concatenate([part.y for part in parts])
        assert np.array_equal(y, np.where(Y == 9, np.nan, Y).ravel(), equal_nan=True)
        x = np.concatenate([part.x for part in parts], axis=1)
        assert x.tolist() == [(X * rows[:, None]).ravel().tolist()]


SIZES = {"lat": 3, "time": POINTS, "lon": 5}
CUBE = np.arange(60.0).reshape(3, POINTS, 5)


def write_netcdf(path):
    """y over three dimensions, of which lat has no coordinate and lon one of texts."""
    holes = CUBE.copy()
    holes[1, 2, 3] = np.nan
    variables = {
        "y": (tuple(SIZES), holes),
        "whole": (tuple(SIZES), 4 * CUBE),
        "noise": ("time", X + 1),
        "area": (("lon", "lat"), np.arange(15.0).reshape(5, 3)),
        "depth": ("lat", np.array([1.0, 2.0, np.nan])),
        "alone": ("time", X),
        "other": ("z", X),
        "text": ("time", list("abcd")),
    }
    coordinates = {"time": ("time", X, {"units": "days since 2000-01-01"}), "lon": list("vwxyz")}
    scaled = {"dtype": "int16", "scale_factor": 0.5, "_FillValue": -1}
    encoding = {"whole": scaled, "y": {"_FillValue": None}}
    dataset = xarray.Dataset(variables, coordinates)
    dataset.to_netcdf(path, engine="h5netcdf", encoding=encoding)


def labelled(tmp_path, **keys):
    if not (tmp_path / "a.nc").exists():
        write_netcdf(tmp_path / "a.nc")
    parts = loaded(DataTable(path=str(tmp_path / "a.nc"), **keys))
    y = np.concatenate([part.y for part in parts]).reshape(-1, POINTS)
    ids = [row for part in parts for row in part.ids.to_pylist()]
    return parts, ids, y


def test_the_points_of_netcdf_lie_along_the_dimension_of_x(tmp_path, small_blocks):
    keys = {"x": "time", "sigma": "noise", "mask": "area"}
    parts, ids, y = labelled(tmp_path, y="whole", **keys)
    assert [len(part) for part in parts] == [10, 5]
    expected = np.moveaxis(CUBE, 1, -1).reshape(15, POINTS)
    assert np.array_equal(y, 4 * expected)
    assert ids == [{"lat": i, "lon": letter} for i in range(3) for letter in "vwxyz"]
    assert parts[1].x.tolist() == [X.tolist()]
    assert parts[1].extras["sigma"].tolist() == (X + 1).tolist() * 5
    # area is 0 at the first of each.
    assert parts[0].mask.reshape(-1, POINTS)[:, 0].tolist() == [False] + [True] * 9
    assert parts[1].mask is None


def test_a_nan_of_netcdf_is_missing_where_the_file_says_so(tmp_path):
    (part,), _, y = labelled(tmp_path, y="y", x=["time", "noise"])
    assert part.mask is None
    assert np.argwhere(np.isnan(y)).tolist() == [[8, 2]]
    assert part.x.tolist() == [X.tolist(), (X + 1).tolist()]
    (part,), _, _ = labelled(tmp_path, y="y", x="time", sigma="depth")
    known = part.mask.reshape(-1, POINTS)
    assert known.all(axis=1).tolist() == [True] * 10 + [False] * 5


def test_dimensions_without_a_coordinate_and_data_sets_without_dimensions(tmp_path):
    (part,), ids, y = labelled(tmp_path, y="y", x="lat", trials=3.0)
    assert part.x.tolist() == [[0, 1, 2]]
    assert ids[7] == {"time": 2.0, "lon": "x"}
    assert part.y[21:24].tolist() == CUBE[:, 1, 2].tolist()
    (part,), ids, y = labelled(tmp_path, y="alone", x="time")
    assert ids == [{"dataset": 0}]
    assert y.tolist() == [X.tolist()]


def test_any_range_of_data_sets_is_covered_once():
    shape = (3, 1, 4, 2)
    numbers = np.arange(24).reshape(shape)
    for start in range(24):
        for stop in range(start + 1, 25):
            parts = [numbers[box].ravel() for box in _boxes(start, stop, shape)]
            assert np.concatenate(parts).tolist() == list(range(start, stop))
            assert len(parts) <= 7


BAD_TABLES = [
    ("t.fits", {"y": "fluxes"}, "did you mean flux?"),
    ("t.fits", {"y": "name"}, "give real numbers"),
    ("t.fits", {"y": "ragged"}, "give real numbers"),
    ("t.fits", {"y": "t?", "x": ["x0", "x1"]}, "x has shape"),
    ("t.fits", {"y": "flux", "layout": "long"}, "wide"),
    ("i.fits", {"y": "flux"}, "no table but PrimaryHDU"),
    ("cut.fits", {"y": "flux"}, "cannot be read"),
    ("text.fits", {"y": "flux"}, "cannot be read"),
    ("a.nc", {"x": "time"}, "y is missing"),
    ("a.nc", {"y": "y"}, "give the name of a coordinate"),
    ("a.nc", {"y": "y", "x": "tima"}, "did you mean time?"),
    ("a.nc", {"y": "y", "x": [1.0, 2.0]}, "give the name of a coordinate"),
    ("a.nc", {"y": "y", "x": "lon"}, "give real numbers"),
    ("a.nc", {"y": "y", "x": "other"}, "does not lie along one dimension of y"),
    ("a.nc", {"y": "y", "x": "area"}, "does not lie along one dimension of y"),
    ("a.nc", {"y": "y", "x": ["time", "depth"]}, "does not lie along one dimension of y"),
    ("a.nc", {"y": "y", "x": "depth"}, "not finite"),
    ("a.nc", {"y": "text", "x": "time"}, "give real numbers"),
    ("a.nc", {"y": "y", "x": "time", "sigma": "other"}, "has the dimensions z"),
    ("a.nc", {"y": "y", "x": "time", "dataset": "lon"}, "remove it"),
    ("cut.nc", {"y": "y", "x": "time"}, "cannot be read"),
    ("text.nc", {"y": "y", "x": "time"}, "cannot be read"),
]


@pytest.mark.parametrize(("name", "keys", "words"), BAD_TABLES, ids=range(len(BAD_TABLES)))
def test_bad_tables_and_variables(tmp_path, name, keys, words):
    write_table(tmp_path / "t.fits")
    write_netcdf(tmp_path / "a.nc")
    fits.PrimaryHDU(CUBE).writeto(tmp_path / "i.fits")
    for good in ("t.fits", "a.nc"):
        content, suffix = (tmp_path / good).read_bytes(), good.partition(".")[2]
        (tmp_path / f"cut.{suffix}").write_bytes(content[: 3 * len(content) // 5])
        (tmp_path / f"text.{suffix}").write_text("neither table nor variable\n" * 500)
    check_refused(DataTable(path=str(tmp_path / name), **keys), words)
