"""Random problems of magnetic resonance and tracer kinetics: `IMAGING_DRAWS[name](rng, sx, sy)`."""

import numpy as np

from benchmarks.problems.drawing import abscissa, height, log_uniform


def two_decays(rng, sx, least=10):
    """x, and a slow and a fast rate: no closer than a factor of 4, or they look like one."""
    x = abscissa(rng, rng.uniform(0, 0.02), 1, least)
    slow = log_uniform(rng, 0.3, 4)
    return x * sx, slow / sx, slow * log_uniform(rng, 4, 15) / sx


def _t1_inversion_recovery(rng, sx, sy):
    # With fewer points several choices of the inverted ones fit a magnitude.
    x = abscissa(rng, rng.uniform(0.005, 0.05), 1, least=10)
    return x * sx, [height(rng, sy), sx * log_uniform(rng, 0.1, 0.6), rng.uniform(0.75, 1)]


def _t1_inversion_recovery_magnitude(rng, sx, sy):
    x, (amplitude, t1, efficiency) = _t1_inversion_recovery(rng, sx, sy)
    return x, [abs(amplitude), t1, efficiency]


def _t1_saturation_recovery(rng, sx, sy):
    x = abscissa(rng, rng.uniform(0.005, 0.1), 1)
    return x * sx, [height(rng, sy), sx * log_uniform(rng, 0.08, 2)]


def _t2_star_biexponential(rng, sx, sy):
    x, slow, fast = two_decays(rng, sx)
    return x, [height(rng, sy), rng.uniform(0.25, 0.75), 1 / fast, 1 / slow]


def _spgr(rng, sx, sy):
    # Angles on both sides of Ernst's, at which the signal is largest.
    ratio = log_uniform(rng, 3, 300)
    best = np.degrees(np.arccos(np.exp(-1 / ratio)))
    angles = best * abscissa(rng, rng.uniform(0.15, 0.5), rng.uniform(2, 3.5))
    repetition = np.full(len(angles), sx)
    return np.stack([angles, repetition]), [height(rng, sy), ratio * sx]


def _adc(rng, sx, sy):
    b = abscissa(rng, rng.choice([0, rng.uniform(0, 0.1)]), 1)
    return b * sx, [height(rng, sy), log_uniform(rng, 0.2, 6) / sx]


def _ivim(rng, sx, sy):
    b, slow, fast = two_decays(rng, sx)
    return b, [height(rng, sy), rng.uniform(0.2, 0.7), slow, fast]


def _kurtosis(rng, sx, sy):
    b = abscissa(rng, rng.choice([0, rng.uniform(0, 0.1)]), 1)
    rate = rng.uniform(0.8, 2)
    return b * sx, [height(rng, sy), rate / sx, rng.uniform(0.2, 1.2)]


def _directions(rng, num):
    vectors = rng.normal(size=(3, num))
    return vectors / np.linalg.norm(vectors, axis=0)


def _tensor(rng):
    """A symmetric tensor with eigenvalues of the order of 1, as (xx, yy, zz, xy, xz, yz)."""
    axes = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    tensor = axes @ np.diag(rng.uniform(0.2, 1.6, 3)) @ axes.T
    return np.concatenate([np.diag(tensor), tensor[[0, 0, 1], [1, 2, 2]]])


def _diffusion_tensor(rng, sx, sy):
    num = rng.integers(12, 49)
    b = np.where(np.arange(num) < 2, 0, rng.uniform(0.5, 1.2, num))
    x = np.stack([b * sx, *_directions(rng, num)])
    return x[:, rng.permutation(num)], [height(rng, sy), *_tensor(rng) / sx]


def _diffusion_kurtosis(rng, sx, sy):
    # Two shells and some points without weighting; the kurtosis is isotropic up to a tenth.
    num = rng.integers(60, 91)
    b = np.where(np.arange(num) < 5, 0, np.where(np.arange(num) % 2, 0.8, 1.8))
    x = np.stack([b * sx, *_directions(rng, num)])
    isotropic = np.zeros(15)
    isotropic[:3], isotropic[9:12] = 1, 1 / 3
    fourth = rng.uniform(0.4, 1.2) * isotropic + 0.1 * rng.normal(size=15)
    return x[:, rng.permutation(num)], [height(rng, sy), *_tensor(rng) / sx, *fourth]


def _artery(rng, sx, sy, least=20):
    """Times, and the concentration of a bolus: a sharp rise and two decays."""
    time = abscissa(rng, 0, 1, least)
    since = np.maximum(time - rng.uniform(0.02, 0.1), 0)
    rise = 1 - np.exp(-since / rng.uniform(0.01, 0.03))
    decays = np.exp(-since / rng.uniform(0.05, 0.1)) + rng.uniform(0.2, 0.4) * np.exp(-since)
    return np.stack([time * sx, sy * log_uniform(rng, 1, 10) * rise * decays])


def _patlak(rng, sx, sy):
    return _artery(rng, sx, sy), [log_uniform(rng, 0.05, 1) / sx, log_uniform(rng, 0.02, 0.2)]


def _tofts(rng, sx, sy):
    x, space = _artery(rng, sx, sy), rng.uniform(0.1, 0.6)
    return x, [space * log_uniform(rng, 0.5, 15) / sx, space]


def _extended_tofts(rng, sx, sy):
    x, params = _tofts(rng, sx, sy)
    return x, [*params, rng.uniform(0.02, 0.1)]


def _tissue_uptake(rng, sx, sy):
    # The passage through the plasma takes longer than the distance of the points.
    x, volume = _artery(rng, sx, sy), rng.uniform(0.05, 0.2)
    flow = volume * log_uniform(rng, 3, 12)
    return x, [flow * rng.uniform(0.1, 0.5) / sx, volume, flow / sx]


def _two_compartment_exchange(rng, sx, sy):
    x, plasma = _artery(rng, sx, sy, least=30), rng.uniform(0.05, 0.2)
    flow = plasma * log_uniform(rng, 8, 20)
    transfer = flow * rng.uniform(0.15, 0.5)
    space = plasma * rng.uniform(1.5, 4)
    return x, [transfer / sx, space, plasma, flow / sx]


IMAGING_DRAWS = {
    "t1_inversion_recovery": _t1_inversion_recovery,
    "t1_inversion_recovery_magnitude": _t1_inversion_recovery_magnitude,
    "t1_saturation_recovery": _t1_saturation_recovery,
    "t2_star_biexponential": _t2_star_biexponential,
    "spgr": _spgr,
    "adc": _adc,
    "ivim": _ivim,
    "kurtosis": _kurtosis,
    "diffusion_tensor": _diffusion_tensor,
    "diffusion_kurtosis": _diffusion_kurtosis,
    "patlak": _patlak,
    "tofts": _tofts,
    "extended_tofts": _extended_tofts,
    "tissue_uptake": _tissue_uptake,
    "two_compartment_exchange": _two_compartment_exchange,
}
