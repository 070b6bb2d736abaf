"""Maps over the grid of an image, and a whole run on diffusion-weighted images."""

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
import pytest
from click.testing import CliRunner
from scipy.optimize import curve_fit

from mvopt import Status
from mvopt._errors import InputError
from mvopt.batch import blocks, maps
from mvopt.batch.config import DataTable
from mvopt.batch.folder import Folder
from mvopt.batch.sources.opening import open_source
from mvopt.cli import main

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


def write_nifti(path, values=VOLUME):
    image = nibabel.Nifti1Image(values, AFFINE)
    image.header.set_xyzt_units("mm", "sec")
    image.header["cal_max"] = 100
    nibabel.save(image, path)


def sky(axes):
    world = wcs.WCS(naxis=3)
    world.wcs.ctype = axes
    world.wcs.crval = [10 if "RA" in a else 20 if "DEC" in a else 1e9 for a in axes]
    world.wcs.cdelt = [-0.01 if "RA" in axis else 0.01 for axis in axes]
    return world.to_header()


def results_of(source, folder, file_names, columns):
    """A run that has ended: its parts with these columns, (voxels,) each."""
    results = Folder(folder, {"maps": list(file_names.values())}, "new")
    table = pa.table(columns)
    for number in range(0, source.count, 7):
        results.write(number // 7, table.slice(number, 7))
    maps.write_maps(results, source, file_names)
    results.finish({})
    return sorted(path.name for path in (folder / "maps").iterdir())


def figures(source):
    """The columns of a table of results for a parameter a, all different."""
    names = maps.file_names(None, source, ["a"])
    rng = np.random.default_rng(2)
    columns = {name: rng.normal(size=source.count) for name in names if name != "status"}
    columns["a_stderr"][1] = 1e300
    columns["status"] = [list(Status)[i % len(Status)].name for i in range(source.count)]
    return names, columns


def expected_map(columns, name, mask):
    """The column in the voxels of the mask, found by their numbers one by one."""
    values = columns[name]
    if name == "status":
        values = [int(Status[each]) for each in values]
    found = np.full(mask.shape, np.nan, np.float32)
    for place, value in zip(np.argwhere(mask), values, strict=True):
        found[tuple(place)] = value if abs(value) < 1e38 else np.inf
    return found


def read_nifti(path):
    image = nibabel.load(path)
    assert image.get_data_dtype() == np.float32
    return image.get_fdata(dtype=np.float32)


def write_tiff(path):
    tifffile.imwrite(path, STACK, photometric="minisblack")


def write_fits(path):
    fits.PrimaryHDU(STACK, sky(["RA---TAN", "DEC--TAN", "FREQ"])).writeto(path)


def read_fits(path):
    return fits.getdata(path).astype(np.float32)


KINDS = {
    "a.nii": (write_nifti, read_nifti, ".nii.gz", MASK),
    "a.tif": (write_tiff, tifffile.imread, ".tif", MASK[0]),
    "a.fits": (write_fits, read_fits, ".fits", MASK[0]),
}


@pytest.mark.parametrize("name", KINDS)
def test_maps_hold_the_table_over_the_grid(tmp_path, name):
    write, read, suffix, mask = KINDS[name]
    write(tmp_path / name)
    np.save(tmp_path / "mask.npy", mask)
    paths = {"path": str(tmp_path / name), "mask": str(tmp_path / "mask.npy")}
    source = open_source(DataTable(**paths))
    names, columns = figures(source)
    written = results_of(source, tmp_path / "out", names, columns)
    stems = ["a", "a_stderr", "reduced_chi2", "status"]
    assert written == [stem + suffix for stem in stems]
    for stem in stems:
        values = read(tmp_path / "out" / "maps" / (stem + suffix))
        assert np.array_equal(values, expected_map(columns, stem, mask), equal_nan=True), stem


def test_a_nifti_map_lies_where_the_image_lies(tmp_path):
    write_nifti(tmp_path / "a.nii")
    source = open_source(DataTable(path=str(tmp_path / "a.nii")))
    results_of(source, tmp_path / "out", *figures(source))
    image, found = (nibabel.load(tmp_path / p) for p in ("a.nii", "out/maps/a.nii.gz"))
    assert found.shape == GRID
    assert np.array_equal(found.affine, image.affine)
    assert found.header.get_xyzt_units() == ("mm", "sec")
    assert found.header["sform_code"] == image.header["sform_code"]
    assert np.array_equal(found.header.get_zooms(), image.header.get_zooms()[:3])
    assert found.header["cal_max"] == 0


@pytest.mark.parametrize(
    ("axes", "kept"),
    [
        (["RA---TAN", "DEC--TAN", "FREQ"], True),
        (["FREQ", "RA---TAN", "DEC--TAN"], False),
        (["", "", ""], False),
    ],
)
def test_a_fits_map_keeps_the_coordinates_on_the_sky(tmp_path, axes, kept):
    fits.PrimaryHDU(STACK, sky(axes)).writeto(tmp_path / "a.fits")
    source = open_source(DataTable(path=str(tmp_path / "a.fits")))
    results_of(source, tmp_path / "out", *figures(source))
    header = fits.getheader(tmp_path / "out" / "maps" / "a.fits")
    assert header["NAXIS"] == 2
    assert ("CTYPE1" in header) == kept
    if kept:
        place = wcs.WCS(header).pixel_to_world_values(3, 1)
        expected = wcs.WCS(sky(axes)).pixel_to_world_values(3, 1, 0)[:2]
        np.testing.assert_allclose(place, expected, rtol=1e-12)


def test_maps_are_of_images_and_need_file_names(tmp_path):
    write_nifti(tmp_path / "a.nii")
    image = open_source(DataTable(path=str(tmp_path / "a.nii")))
    np.save(tmp_path / "a.npy", STACK[0])
    rows = open_source(DataTable(path=str(tmp_path / "a.npy")))
    assert maps.file_names(None, rows, ["a"]) == maps.file_names(False, image, ["a/b"]) == {}
    with pytest.raises(InputError, match="maps are of images"):
        maps.file_names(True, rows, ["a"])
    for name in ("a/b", "../a", ".a", ""):
        with pytest.raises(InputError, match="cannot be the name of a map"):
            maps.file_names(None, image, [name])


def test_the_folder_of_maps_is_replaced_unless_it_holds_something_else(tmp_path):
    write_nifti(tmp_path / "a.nii")
    source = open_source(DataTable(path=str(tmp_path / "a.nii")))
    out = tmp_path / "out"
    results_of(source, out, *figures(source))
    (out / "maps" / "mine.nii.gz").touch()
    with pytest.raises(InputError, match=r"maps/mine\.nii\.gz"):
        Folder(out, {}, "new")
    (out / "maps" / "mine.nii.gz").unlink()
    Folder(out, {}, "new").stop()
    assert not (out / "maps").exists()
    (out / "maps").touch()
    with pytest.raises(InputError, match=r"\(maps\)"):
        Folder(out, {}, "new")


# A diffusion-weighted image, fitted by the configuration of the documentation.

SHAPE, SNR = (6, 5, 4), 25
PAIRS = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))  # of the tensor's components
DIFFUSION = ("S0", "Dxx", "Dyy", "Dzz", "Dxy", "Dxz", "Dyz")


def directions(count):
    """Unit vectors on a spiral from pole to pole."""
    z = 1 - (2 * np.arange(count) + 1) / count
    turn = np.arange(count) * np.pi * (3 - np.sqrt(5))
    return np.stack([np.sqrt(1 - z**2) * np.cos(turn), np.sqrt(1 - z**2) * np.sin(turn), z])


def tensors(rng):
    """S0 and symmetric tensors with eigenvalues of tissue, in mm²/s, turned at random."""
    turned, _ = np.linalg.qr(rng.normal(size=(*SHAPE, 3, 3)))
    values = rng.uniform((1.2e-3, 4e-4, 3e-4), (1.7e-3, 7e-4, 6e-4), (*SHAPE, 3))
    matrix = turned @ (values[..., None] * np.swapaxes(turned, -1, -2))
    return rng.uniform(800, 1200, SHAPE), matrix


@pytest.fixture(scope="module")
def diffusion(tmp_path_factory):
    """The folder of a configuration with its image, mask, b-values and directions; and these."""
    folder = tmp_path_factory.mktemp("dti")
    rng = np.random.default_rng(4)
    b = np.array([0.0] * 4 + [1000.0] * 20)
    g = np.concatenate([np.zeros((3, 4)), directions(20)], axis=1)
    s0, matrix = tensors(rng)
    clean = s0[..., None] * np.exp(-b * np.einsum("...ij,im,jm->...m", matrix, g, g))
    noise = rng.normal(0, 1000 / SNR, (2, *clean.shape))
    signal = np.hypot(clean + noise[0], noise[1]).astype(np.float32)  # Rice's distribution
    mask = np.linalg.norm(np.indices(SHAPE).T - (2.5, 2, 1.5), axis=-1).T < 2.4
    write_nifti(folder / "dwi.nii.gz", signal)
    write_nifti(folder / "mask.nii.gz", mask.astype(np.uint8))
    np.savetxt(folder / "dwi.bval", b[None], fmt="%d")
    np.savetxt(folder / "dwi.bvec", g, fmt="%.12f")
    page = Path(__file__).parents[2] / "docs" / "formats.md"
    (example,) = re.findall(r"```toml dti.toml\n(.*?)```", page.read_text(), re.DOTALL)
    (folder / "dti.toml").write_text(example)
    return folder, signal, mask, b, g


def invoke(*arguments):
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.output


def read_maps(folder, names):
    return np.stack([read_nifti(folder / "maps" / f"{name}.nii.gz") for name in names], axis=-1)


def log_linear(signal, b, g):
    """Weighted least squares on the logarithm, by numpy.linalg: (S0, six components)."""
    rows = [-b * (1 if i == j else 2) * g[i] * g[j] for i, j in PAIRS]
    design = np.stack([np.ones_like(b), *rows], axis=1)
    # Columns of one size: the cut-off of small singular values is relative to the largest.
    size = np.linalg.norm(design, axis=0)
    found, *_ = np.linalg.lstsq(design / size * signal[:, None], signal * np.log(signal))
    found = found / size
    return np.array([np.exp(found[0]), *found[1:]])


def nonlinear(signal, b, g, start):
    """SciPy's fit with the tensor in µm²/ms, so that all parameters are of one size."""
    rows = np.stack([(1 if i == j else 2) * g[i] * g[j] for i, j in PAIRS])

    def model(_, s0, *tensor):
        return 1000 * s0 * np.exp(-b / 1000 * (tensor @ rows))

    def slopes(_, s0, *tensor):
        values = model(_, s0, *tensor)
        return np.stack([values / s0, *(-b / 1000 * rows * values)], axis=1)

    unit = np.array([1000] + [1e-3] * 6)
    tight = {"xtol": 1e-12, "ftol": 1e-12}
    found, covariance = curve_fit(model, b, signal, start / unit, jac=slopes, **tight)
    return found * unit, np.sqrt(np.diag(covariance)) * unit


def test_diffusion_tensors_from_image_to_maps(diffusion, monkeypatch, restored_jax):
    folder, signal, mask, b, g = diffusion
    monkeypatch.setattr(blocks, "_POINTS_A_BLOCK", 28 * len(b))
    monkeypatch.chdir(folder)
    count = np.count_nonzero(mask)
    assert f"{count} of {count} data sets converged" in invoke("fit", "dti.toml")
    out = folder / "results" / "dti"
    found = read_maps(out, DIFFUSION)
    stderr = read_maps(out, [f"{name}_stderr" for name in DIFFUSION])
    assert np.isnan(found[~mask]).all()
    # The maps are in float32.
    expected = [nonlinear(y, b, g, log_linear(y, b, g)) for y in signal[mask].astype(float)]
    params, errors = (np.stack(values) for values in zip(*expected, strict=True))
    scale = np.abs(params).max(axis=0)
    np.testing.assert_allclose(found[mask] / scale, params / scale, atol=1e-7)
    np.testing.assert_allclose(stderr[mask], errors, rtol=1e-6)
    linear = np.stack([log_linear(y, b, g) for y in signal[mask].astype(float)])
    # Another estimator of the same: nearer to each other than to the truth.
    assert np.sqrt(np.mean(((found[mask] - linear) / stderr[mask]) ** 2)) < 0.5
    status = read_maps(out, ["status"])[..., 0]
    assert np.array_equal(status == int(Status.CONVERGED), mask)
    table = pa.concat_tables(parquet.read_table(p) for p in sorted(out.glob("*.parquet")))
    assert len(table) == count
    places = np.stack([table[name].to_numpy() for name in "ijk"], axis=1)
    assert np.array_equal(places, np.argwhere(mask))


def test_maps_after_a_merge_and_files_that_a_run_follows_from(diffusion, monkeypatch, restored_jax):
    folder, _, mask, b, _ = diffusion
    monkeypatch.setattr(blocks, "_POINTS_A_BLOCK", 28 * len(b))
    monkeypatch.chdir(folder)
    for shard in ("1/2", "2/2"):
        invoke("fit", "dti.toml", "--out", "shared", "--shard", shard)
    invoke("merge", "shared")
    assert not (folder / "shared" / "maps").exists()
    invoke("fit", "dti.toml", "--out", "shared", "--resume")
    table = pa.concat_tables(
        parquet.read_table(path) for path in sorted((folder / "shared").glob("*.parquet"))
    )
    expected = np.stack([table[name].to_numpy().astype(np.float32) for name in DIFFUSION], axis=1)
    assert np.array_equal(read_maps(folder / "shared", DIFFUSION)[mask], expected)
    before = (folder / "shared" / "maps" / "S0.nii.gz").read_bytes()
    (folder / "shared" / "maps" / "S0.nii.gz").unlink()
    invoke("fit", "dti.toml", "--out", "shared", "--resume")
    assert (folder / "shared" / "maps" / "S0.nii.gz").read_bytes() == before
    (folder / "dwi.bval").write_text((folder / "dwi.bval").read_text().replace("1000", "1001"))
    result = CliRunner().invoke(main, ["fit", "dti.toml", "--out", "shared", "--resume"])
    assert result.exit_code == 2
    assert "another origin" in result.output
    assert "dwi.bval" in result.output
