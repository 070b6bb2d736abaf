"""Diffusion tensors of real brain images, by the command, beside a log-linear and SciPy's fit.

The images come with the package dipy (Garyfallidis et al. 2014): crops of scans of one and of
several b-values. Nothing of them is kept here.
"""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import nibabel
import numpy as np
from click.testing import CliRunner
from scipy.optimize import curve_fit

from benchmarks.report import Report, Table
from benchmarks.timing import timed
from mvopt import Status
from mvopt.cli import main

PAIRS = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))  # of the tensor's components
NAMES = ("S0", "Dxx", "Dyy", "Dzz", "Dxy", "Dxz", "Dyz")
UNIT = np.array([1000] + [1e-3] * 6)  # of the signal, and of mm²/s
CONFIG = """
[data]
path = "{stem}{suffix}"
mask = "{mask}"
x = ["{stem}.bval", "{stem}.bvec"]
[model]
name = "diffusion_tensor"
"""
COLUMNS = ("image", "voxels", "b-values up to", "converged, %", "voxels/s", "SciPy's voxels/s")
APART = ("image", "beside SciPy, median", "99 % below", "χ² higher by at most", "log-linear, rms")


class Scan(NamedTuple):
    """Voxels (N, m) of an image, their b-values (m,) and directions (3, m)."""

    signal: np.ndarray
    b: np.ndarray
    g: np.ndarray


def run(config: dict[str, Any], only: Sequence[str]) -> Report:  # noqa: ARG001 (no peers here)
    """`config` is described in configs/bench/diffusion.toml."""
    report = Report("diffusion", config)
    report.tables += [
        Table("Diffusion tensors of real images", COLUMNS, []),
        Table("How far apart, in standard errors", APART, []),
    ]
    found = find_spec("dipy")
    if found is None or found.origin is None:
        report.outcomes["images"] = "skipped: dipy, which has them, is not installed"
        return report
    for name in config["images"]:
        add_image(
            report, Path(found.origin).parent / "data" / "files" / name, Path(config["folder"])
        )
    report.outcomes["images"] = "measured"
    return report


def add_image(report: Report, path: Path, folder: Path) -> None:
    stem, _, suffix = path.name.partition(".")
    place = folder / stem
    place.mkdir(parents=True, exist_ok=True)
    image = nibabel.load(path)
    values = image.get_fdata()
    # A logarithm wants signals above zero; noise alone has no tensor.
    mask = (values > 0).all(axis=-1)
    nibabel.save(nibabel.Nifti1Image(mask.astype(np.uint8), image.affine), place / "mask.nii.gz")
    text = CONFIG.format(
        stem=path.parent / stem, suffix=f".{suffix}", mask=place.resolve() / "mask.nii.gz"
    )
    (place / "dti.toml").write_text(text)
    arguments = ["fit", str(place / "dti.toml"), "--out", str(place / "out"), "--restart"]
    for _ in range(2):  # the second has the programs compiled
        seconds, result = timed(lambda: CliRunner().invoke(main, arguments))
        if result.exit_code:
            report.outcomes[stem] = f"failed: {result.output.splitlines()[-1]}"
            return
    read = lambda name: nibabel.load(place / "out" / "maps" / f"{name}.nii.gz").get_fdata()[mask]
    params = np.stack([read(name) for name in NAMES], axis=1)
    errors = np.stack([read(f"{name}_stderr") for name in NAMES], axis=1)
    compare(report, stem, scan(path, values[mask]), params, errors, read("status"), seconds)


def scan(path: Path, signal: np.ndarray) -> Scan:
    stem = path.name.partition(".")[0]
    b, g = (np.loadtxt(path.parent / f"{stem}.{end}") for end in ("bval", "bvec"))
    return Scan(signal, b, np.nan_to_num(g if len(g) == 3 else g.T))


def compare(
    report: Report,
    name: str,
    scan: Scan,
    params: np.ndarray,
    errors: np.ndarray,
    status: np.ndarray,
    seconds: float,
) -> None:
    linear = log_linear(scan)
    scipy_seconds, theirs = timed(lambda: nonlinear(scan, linear))
    converged = status == Status.CONVERGED
    both = converged & np.isfinite(theirs).all(axis=1)
    distance = (np.abs(params - theirs) / errors)[both].max(axis=1)
    half, most = np.quantile(distance, [0.5, 0.99])
    ours, best = (np.sum((model(scan, p) - scan.signal) ** 2, axis=1) for p in (params, theirs))
    excess = float(np.max((ours / best - 1)[both]))
    rms = float(np.sqrt(np.mean(((params - linear) / errors)[converged] ** 2)))
    count, share = len(params), 100 * float(converged.mean())
    rates = count / seconds, count / scipy_seconds
    report.tables[0].rows.append((name, count, float(scan.b.max()), share, *rates))
    report.tables[1].rows.append((name, float(half), float(most), excess, rms))
    report.add(f"{name}.converged", share, "%", "higher")
    report.add(f"{name}.apart", float(most), "stderr", "lower", "99 % of the voxels, beside SciPy")
    report.add(f"{name}.excess", excess, "", "lower", "of χ² over SciPy's, relative, at most")
    report.add(f"{name}.log_linear", rms, "stderr", "neither", "rms, from the log-linear fit")
    report.add(f"{name}.rate", rates[0], "voxels/s", "higher", "the command, files and maps too")


def design(scan: Scan) -> np.ndarray:
    """Of the logarithm of the signal, (m, 7)."""
    rows = [-scan.b * (1 if i == j else 2) * scan.g[i] * scan.g[j] for i, j in PAIRS]
    return np.stack([np.ones_like(scan.b), *rows], axis=1)


def model(scan: Scan, params: np.ndarray) -> np.ndarray:
    """Signals (N, m) of parameters (N, 7)."""
    exponent = params[:, 1:] @ design(scan)[:, 1:].T
    return params[:, :1] * np.exp(exponent)


def log_linear(scan: Scan) -> np.ndarray:
    """Weighted least squares on the logarithms, (N, 7) (Basser, Mattiello and LeBihan 1994)."""
    matrix = design(scan)
    # Columns of one size: the cut-off of small singular values is relative to the largest.
    size = np.linalg.norm(matrix, axis=0)
    found = [
        np.linalg.lstsq(matrix / size * y[:, None], y * np.log(y))[0] / size for y in scan.signal
    ]
    params = np.array(found)
    params[:, 0] = np.exp(params[:, 0])
    return params


def nonlinear(scan: Scan, start: np.ndarray) -> np.ndarray:
    """SciPy's fit of each voxel, (N, 7), NaN where it gives up."""
    matrix = design(scan)[:, 1:] * UNIT[1]

    def signal(_: Any, s0: float, *tensor: float) -> np.ndarray:
        return UNIT[0] * s0 * np.exp(matrix @ np.array(tensor))

    def one(y: np.ndarray, first: np.ndarray) -> np.ndarray:
        try:
            return UNIT * curve_fit(signal, scan.b, y, first / UNIT, xtol=1e-12, ftol=1e-12)[0]
        except RuntimeError:
            return np.full(7, np.nan)

    return np.array([one(y, first) for y, first in zip(scan.signal, start, strict=True)])
