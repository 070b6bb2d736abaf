"""Images: voxels as data sets, masks, side files, and bad ones in one line."""

import gzip
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest

from mvopt._errors import InputError
from mvopt.batch import blocks
from mvopt.batch.config import DataTable
from mvopt.batch.sources import slabs
from mvopt.batch.sources.opening import open_source

nibabel = pytest.importorskip("nibabel")
tifffile = pytest.importorskip("tifffile")
fits = pytest.importorskip("astropy.io.fits")
wcs = pytest.importorskip("astropy.wcs")

GRID, POINTS = (3, 4, 5), 6
VOLUME = np.arange(np.prod(GRID) * POINTS, dtype=np.int16).reshape(*GRID, POINTS)
# Oblique: the axes of the voxels are not those of space, and have lengths 2, 2 and 3.
AFFINE = np.array(
    [[1.6, -1.2, 0, -5], [1.2 * 0.8, 1.6 * 0.8, -1.8, 6], [0.72, 0.96, 2.4, 7], [0, 0, 0, 1]]
)
STACK = np.arange(4 * 5 * POINTS, dtype=np.uint16).reshape(POINTS, 4, 5)
MASK = np.random.default_rng(1).random(GRID) < 0.5


def loaded(table):
    """All blocks, each read by a task that has been sent elsewhere."""
    return [pickle.loads(pickle.dumps(task)).load() for task in open_source(table).tasks()]


def whole(table):
    """Ids (N, axes), values (N, m) and which of them are there."""
    parts = loaded(table)
    ids = np.concatenate([np.stack(list(part.ids.columns), axis=1) for part in parts])
    known = [np.ones(len(p.y), bool) if p.mask is None else p.mask for p in parts]
    y = np.concatenate([part.y for part in parts])
    return ids, y.reshape(len(ids), -1), np.concatenate(known).reshape(len(ids), -1)


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    monkeypatch.setattr(blocks, "_POINTS_A_BLOCK", 7 * POINTS)


def write_nifti(path, values=VOLUME, affine=AFFINE):
    image = nibabel.Nifti1Image(values, affine)
    image.header.set_xyzt_units("mm", "sec")
    image.header["cal_max"] = 100
    nibabel.save(image, path)


# Slabs of all of the first axis, of two thirds of it, and none: voxel by voxel.
@pytest.mark.parametrize("slab", [360, 240, 1])
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_nifti_in_c_order_within_the_mask(tmp_path, monkeypatch, name, slab):
    monkeypatch.setattr(slabs, "_LARGEST", slab)
    write_nifti(tmp_path / name)
    write_nifti(tmp_path / "mask.nii.gz", MASK.astype(np.uint8))
    np.save(tmp_path / "mask.npy", MASK)
    table = DataTable(path=str(tmp_path / name), sigma=2.0)
    ids, y, known = whole(table)
    assert np.array_equal(y, VOLUME.reshape(-1, POINTS))
    assert np.array_equal(ids, np.stack(np.unravel_index(np.arange(60), GRID), axis=1))
    assert known.all()
    first = loaded(table)[0]
    assert first.x.tolist() == [[0, 1, 2, 3, 4, 5]]
    assert first.extras["sigma"].tolist() == [2.0] * 42
    assert first.ids.schema.names == ["i", "j", "k"]
    for mask in ("mask.nii.gz", "mask.npy"):
        ids, y, _ = whole(table.model_copy(update={"mask": str(tmp_path / mask)}))
        assert np.array_equal(ids, np.argwhere(MASK))
        assert np.array_equal(y, VOLUME[MASK])


def test_nifti_is_scaled_by_its_header(tmp_path):
    image = nibabel.Nifti1Image(VOLUME, AFFINE)
    image.header.set_slope_inter(0.25, -3)
    nibabel.save(image, tmp_path / "a.nii")
    _, y, _ = whole(DataTable(path=str(tmp_path / "a.nii")))
    assert np.array_equal(y, VOLUME.reshape(-1, POINTS) / 4 - 3)


def write_pages(path):
    with tifffile.TiffWriter(path) as writer:
        for page in STACK:
            writer.write(page, contiguous=False)


TIFFS = {
    "a.tif": lambda path: tifffile.imwrite(path, STACK, photometric="minisblack"),
    "packed.tiff": lambda path: tifffile.imwrite(
        path, STACK, photometric="minisblack", compression="zlib"
    ),
    "imagej.TIF": lambda path: tifffile.imwrite(path, STACK, imagej=True),
    "pages.tif": write_pages,
}


@pytest.mark.parametrize("name", TIFFS)
def test_tiff_stacks(tmp_path, name):
    TIFFS[name](tmp_path / name)
    tifffile.imwrite(tmp_path / "mask.tif", MASK[0].astype(np.uint8))
    table = DataTable(path=str(tmp_path / name), mask=str(tmp_path / "mask.tif"))
    ids, y, _ = whole(table)
    assert loaded(table)[0].ids.schema.names == ["row", "column"]
    assert np.array_equal(ids, np.argwhere(MASK[0]))
    assert np.array_equal(y, STACK[:, MASK[0]].T)


def sky(axes):
    world = wcs.WCS(naxis=3)
    world.wcs.ctype = axes
    world.wcs.crval = [10 if "RA" in a else 20 if "DEC" in a else 1e9 for a in axes]
    world.wcs.cdelt = [-0.01 if "RA" in axis else 0.01 for axis in axes]
    return world.to_header()


def write_fits(path, values=STACK, **cards):
    unit = fits.PrimaryHDU(values, sky(["RA---TAN", "DEC--TAN", "FREQ"]))
    unit.header.update(cards)
    unit.writeto(path)


@pytest.mark.parametrize("name", ["a.fits", "a.fits.gz", "packed.fits"])
def test_fits_cubes(tmp_path, name):
    if name == "packed.fits":
        fits.CompImageHDU(STACK.astype(np.int16)).writeto(tmp_path / name)
    else:
        write_fits(tmp_path / name)  # unsigned: stored with BZERO
    write_fits(tmp_path / "mask.fits", MASK[0].astype(np.uint8))
    table = DataTable(path=str(tmp_path / name), mask=str(tmp_path / "mask.fits"))
    ids, y, known = whole(table)
    assert loaded(table)[0].ids.schema.names == ["y", "x"]
    assert np.array_equal(ids, np.argwhere(MASK[0]))
    assert np.array_equal(y, STACK[:, MASK[0]].T)
    assert known.all()


def test_blank_and_nan_are_missing_in_fits(tmp_path):
    holes = STACK.astype(np.float32)[None]
    holes[0, 2, 1, 1] = np.nan
    write_fits(tmp_path / "nan.fits", holes)
    _, y, known = whole(DataTable(path=str(tmp_path / "nan.fits")))
    assert np.argwhere(~known).tolist() == [[6, 2]]
    assert y[7, 2] == STACK[2, 1, 2]
    write_fits(tmp_path / "blank.fits", STACK.astype(np.int16), BLANK=7, BSCALE=0.5)
    _, y, known = whole(DataTable(path=str(tmp_path / "blank.fits")))
    assert np.argwhere(~known).tolist() == [[7, 0]]
    assert y[8].tolist() == (STACK[:, 1, 3] / 2).tolist()


def test_a_nan_in_nifti_stays(tmp_path):
    values = VOLUME.astype(np.float32)
    values[0, 0, 1, 2] = np.nan
    write_nifti(tmp_path / "a.nii", values)
    _, y, known = whole(DataTable(path=str(tmp_path / "a.nii")))
    assert known.all()
    assert np.argwhere(np.isnan(y)).tolist() == [[1, 2]]


SIDE = {
    "a.bval": "0 1000 1000 2000 2000 3000\n",
    "a.bvec": "0 1 0 0 .5 0\n0 0 1 0 .5 0\n0 0 0 1 0 1\n",
    "turned.bvec": "0 0 0\n1 0 0\n0 1 0\n0 0 1\n.5 .5 0\n0 0 1\n",
    "nan.bvec": "nan nan nan\n1 0 0\n0 1 0\n0 0 1\n.5 .5 0\n0 0 1\n",
    "missing.bvec": "0 1 0 0 nan 0\n0 0 1 0 .5 0\n0 0 0 1 0 1\n",
    "column.txt": "# times\n0\n1\n2\n3\n4\n5\n",
    "t.tsv": "time\tdose\n0\t1\n1\t2\n2\t3\n3\t4\n4\t5\n5\t6\n",
    "t.csv": "time,dose\n0,1\n1,2\n2,3\n3,4\n4,5\n5,6\n",
    "short.txt": "1, 2, 3\n",
    "ragged.txt": "1 2\n3\n",
    "words.txt": "1 2\n3 four\n",
    "empty.txt": "",
}


@pytest.fixture
def beside(tmp_path):
    """A NIfTI image with side files; returns what [data] x says with these in their folder."""
    write_nifti(tmp_path / "a.nii")
    for name, text in SIDE.items():
        (tmp_path / name).write_text(text)

    def table(x):
        places = [str(tmp_path / each) for each in x] if isinstance(x, list) else str(tmp_path / x)
        return DataTable(path=str(tmp_path / "a.nii"), x=places)

    return table


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        ("column.txt", [[0, 1, 2, 3, 4, 5]]),
        ("t.tsv:dose", [[1, 2, 3, 4, 5, 6]]),
        (["t.csv:dose", "t.csv:time"], [[1, 2, 3, 4, 5, 6], [0, 1, 2, 3, 4, 5]]),
        (
            ["a.bval", "a.bvec"],
            [
                [0, 1000, 1000, 2000, 2000, 3000],
                [0, 1, 0, 0, 0.5, 0],
                [0, 0, 1, 0, 0.5, 0],
                [0, 0, 0, 1, 0, 1],
            ],
        ),
    ],
)
def test_abscissas_from_side_files(beside, x, expected):
    source = open_source(beside(x))
    assert source.num_x == len(expected)
    first, *_ = source.tasks()
    assert first.load().x.tolist() == expected
    names = {Path(file).name for file in source.files}
    assert names == {"a.nii", *(n.partition(":")[0] for n in (x if isinstance(x, list) else [x]))}


def test_without_weighting_there_is_no_direction(beside):
    first, *_ = open_source(beside(["a.bval", "nan.bvec"])).tasks()
    second, *_ = open_source(beside(["a.bval", "a.bvec"])).tasks()
    assert first.load().x.tolist() == second.load().x.tolist()
    for x in (["a.bval", "missing.bvec"], "nan.bvec"):
        with pytest.raises(InputError, match="not finite"):
            open_source(beside(x))


def test_a_file_with_a_row_per_point_is_transposed(beside):
    first, *_ = open_source(beside("turned.bvec")).tasks()
    second, *_ = open_source(beside("a.bvec")).tasks()
    assert first.load().x.tolist() == second.load().x.tolist()


@pytest.mark.parametrize(
    ("x", "words"),
    [
        ("short.txt", "x has 3 numbers for 6 points"),
        ("ragged.txt", "unequal numbers"),
        ("words.txt", "line 2 has 'four'"),
        ("t.csv", "line 1 has 'time', which is no number: give FILE:COLUMN"),
        ("t.csv:doses", "did you mean dose?"),
        ("empty.txt", "no or unequal"),
        ("none.txt", "no such file"),
        ("a.nii", "no text"),
    ],
)
def test_bad_side_files(beside, x, words):
    check_refused(beside(x), words, x.partition(":")[0])


def check_refused(table, *words):
    with pytest.raises(InputError) as caught:
        loaded(table)
    message = str(caught.value)
    for word in (*words, table.path):
        assert word in message
    assert "\n" not in message


def damaged(folder):
    """Files of each kind that cannot be used, and masks that do not fit."""
    for name in ("a.nii", "a.nii.gz"):
        write_nifti(folder / name)
    write_nifti(folder / "flat.nii", VOLUME[..., 0])
    write_nifti(folder / "shifted.nii", MASK.astype(np.uint8), AFFINE + 0.1 * np.eye(4, k=3))
    write_nifti(folder / "small.nii", MASK[:2].astype(np.uint8))
    write_nifti(folder / "none.nii", np.zeros(GRID, np.uint8))
    write_nifti(folder / "complex.nii", VOLUME.astype(np.complex64))
    np.save(folder / "words.npy", np.full(GRID, "a"))
    np.save(folder / "objects.npy", np.full(GRID, None), allow_pickle=True)
    TIFFS["a.tif"](folder / "a.tif")
    TIFFS["packed.tiff"](folder / "b.tif")
    tifffile.imwrite(folder / "rgb.tif", np.zeros((4, 5, 3), np.uint8), photometric="rgb")
    tifffile.imwrite(folder / "one.tif", STACK[0])
    write_fits(folder / "a.fits")
    write_fits(folder / "a.fits.gz")
    fits.PrimaryHDU(STACK[0]).writeto(folder / "flat.fits")
    for name in ("a.nii", "a.nii.gz", "a.tif", "b.tif", "a.fits", "a.fits.gz"):
        content = (folder / name).read_bytes()
        (folder / f"cut-{name}").write_bytes(content[: 3 * len(content) // 5])
        (folder / f"text-{name}").write_text("neither image nor table\n" * 500)
        (folder / f"empty-{name}").touch()
    content = gzip.compress((folder / "a.nii").read_bytes()[:500])
    (folder / "short-a.nii.gz").write_bytes(content)


BAD_IMAGES = [
    *(
        (f"{kind}-{name}", {}, "the file is empty" if kind == "empty" else "cannot be read")
        for kind in ("cut", "text", "empty")
        for name in ("a.nii", "a.nii.gz", "a.tif", "b.tif", "a.fits", "a.fits.gz")
    ),
    ("short-a.nii.gz", {}, "cannot be read"),
    ("*.nii", {}, "no such file"),
    ("flat.nii", {}, "give an image of 4 dimensions"),
    ("complex.nii", {}, "give real numbers"),
    ("rgb.tif", {}, "give gray pages"),
    ("flat.fits", {}, "no image of 3 dimensions"),
    ("a.nii", {"y": "signal"}, "y is not for images"),
    ("a.nii", {"dataset": "i"}, "dataset is not for images"),
    ("a.nii", {"sigma": "noise.nii"}, "give one number"),
    ("a.nii", {"x": [1.0, 2.0]}, "x has 2 numbers for 6 points"),
    ("a.nii", {"mask": "one.tif"}, "ends in .nii, .nii.gz, .npy"),
    ("a.nii", {"mask": ["a", "b"]}, "ends in .nii, .nii.gz, .npy"),
    ("a.nii", {"mask": "nowhere.nii"}, "no such file"),
    ("a.nii", {"mask": "shifted.nii"}, "lies elsewhere in space"),
    ("a.nii", {"mask": "small.nii"}, "shape (2, 4, 5) and the image (3, 4, 5)"),
    ("a.nii", {"mask": "a.nii.gz"}, "give a mask of 3 dimensions"),
    ("a.nii", {"mask": "none.nii"}, "no voxel of it counts"),
    ("a.nii", {"mask": "words.npy"}, "give real numbers"),
    ("a.nii", {"mask": "objects.npy"}, "cannot be read"),
    ("a.nii", {"mask": "cut-a.nii"}, "cannot be read"),
    ("a.fits", {"mask": "a.fits"}, "no image of 2 dimensions"),
]


@pytest.fixture(scope="module")
def bad_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bad")
    damaged(folder)
    return folder


@pytest.mark.parametrize(
    ("name", "keys", "words"), BAD_IMAGES, ids=[f"{n}-{k}" for n, k, _ in BAD_IMAGES]
)
def test_bad_images(bad_files, name, keys, words):
    if isinstance(keys.get("mask"), str):
        keys = {**keys, "mask": str(bad_files / keys["mask"])}
    check_refused(DataTable(path=str(bad_files / name), **keys), words)


@pytest.mark.parametrize(
    ("name", "module", "extra"),
    [
        ("a.nii", "nibabel", "nifti"),
        ("a.tif", "tifffile", "tiff"),
        ("a.fits", "astropy.io.fits", "fits"),
    ],
)
def test_a_library_that_is_not_installed(bad_files, monkeypatch, name, module, extra):
    monkeypatch.setitem(sys.modules, module, None)
    check_refused(DataTable(path=str(bad_files / name)), f"pip install 'mvopt[{extra}]'")
