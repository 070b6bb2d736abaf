"""Random problems for peaks, steps and thermal distributions: `PEAK_DRAWS[name](rng, sx, sy)`.

x comes in units of `sx` and y in units of `sy`. The ranges are those in which the data determine
the parameters: tails, flanks and both sides of a peak are on points.
"""

import numpy as np

from benchmarks.problems.drawing import abscissa, height, log_uniform, sign, unit_interval


def _peak(rng, sx, sy, offset=False):
    low, x = unit_interval(rng)
    width = max(log_uniform(rng, 0.05, 0.4 if offset else 0.8), 1 / len(x))
    margin = 0.1 if offset else 0.05
    center, amplitude = low + rng.uniform(margin, 1 - margin), height(rng, sy)
    params = [amplitude, center * sx, width * sx]
    return x * sx, [*params, amplitude * rng.uniform(-2, 2)] if offset else params


def _peak_offset(rng, sx, sy):
    return _peak(rng, sx, sy, offset=True)


def _dense_peak(rng, broadest=0.15, least=20):
    """Low end, x, center and width of a peak whose form, not its width alone, shows.

    A fourth parameter tells two similar forms apart: there are more points than for three, and
    the peak is narrow enough for its tails to lie within the data.
    """
    low, x = unit_interval(rng, least)
    width = max(log_uniform(rng, 0.05, broadest), 2 / len(x))
    return x, low + rng.uniform(0.3, 0.7), width


def _voigt(rng, sx, sy):
    x, center, width = _dense_peak(rng)
    gamma = width * log_uniform(rng, 0.3, 2)
    return x * sx, [height(rng, sy), center * sx, width * sx, gamma * sx]


def _voigt_offset(rng, sx, sy):
    x, params = _voigt(rng, sx, sy)
    return x, [*params, params[0] * rng.uniform(-2, 2)]


def _skewed_voigt(rng, sx, sy):
    x, (amplitude, center, sigma, gamma) = _voigt(rng, sx, sy)
    return x, [amplitude * sx, center, sigma, gamma, sign(rng) * log_uniform(rng, 0.3, 3)]


def _pseudo_voigt(rng, sx, sy):
    x, center, width = _dense_peak(rng)
    return x * sx, [height(rng, sy), center * sx, width * sx, rng.uniform(0, 1)]


def _pearson7(rng, sx, sy):
    x, center, width = _dense_peak(rng)
    return x * sx, [height(rng, sy), center * sx, width * sx, log_uniform(rng, 0.7, 4)]


def _moffat(rng, sx, sy):
    x, (amplitude, center, width, beta) = _pearson7(rng, sx, sy)
    return x, [amplitude, center, width / np.sqrt(2 ** (1 / beta) - 1), beta]


def _pearson4(rng, sx, sy):
    x, (amplitude, center, sigma, expon) = _moffat(rng, sx, sy)
    lean = rng.uniform(-1.5, 1.5)
    return x, [amplitude, center + sigma * lean / 2, sigma, expon, lean * expon]


def _students_t(rng, sx, sy):
    # The formula has a unit of x: its peak is about two wide, whatever the degrees of freedom.
    del sx
    span, low = rng.uniform(6, 20), rng.uniform(-3, 3)
    x = abscissa(rng, low, low + span, least=20)
    return x, [height(rng, sy), low + span * rng.uniform(0.3, 0.7), log_uniform(rng, 0.5, 5)]


def _split(rng, sx, sy):
    x, center, width = _dense_peak(rng, least=12)
    ratio = np.sqrt(log_uniform(rng, 0.3, 3))
    return x * sx, [height(rng, sy), center * sx, width / ratio * sx, width * ratio * sx]


def _skewed_gaussian(rng, sx, sy):
    # For a small skew the curve hardly depends on it: only through its third power.
    x, center, width = _dense_peak(rng, broadest=0.25, least=15)
    skew = sign(rng) * log_uniform(rng, 1, 5)
    return x * sx, [height(rng, sx * sy), center * sx, width * sx, skew]


def _exponential_gaussian(rng, sx, sy):
    # A tail that is short beside the Gaussian only broadens it.
    x, center, width = _dense_peak(rng, broadest=0.1)
    rate = log_uniform(rng, 0.3, 1.5) / width
    return x * sx, [height(rng, sx * sy), (center - 0.2) * sx, width * sx, rate / sx]


def _lognormal(rng, sx, sy):
    x = abscissa(rng, rng.uniform(0.01, 0.1), 1)
    mode, width = rng.uniform(0.15, 0.7), log_uniform(rng, 0.2, 0.8)
    return x * sx, [height(rng, sy), np.log(mode * sx) + width**2, width]


def _doniach(rng, sx, sy):
    # Below 0.08 the asymmetry of either sign fits as well within the noise.
    x, center, width = _dense_peak(rng)
    return x * sx, [height(rng, sy), center * sx, sign(rng) * width * sx, rng.uniform(0.08, 0.5)]


def _breit_wigner(rng, sx, sy):
    x, center, width = _dense_peak(rng, least=12)
    q = sign(rng) * log_uniform(rng, 0.2, 4)
    return x * sx, [height(rng, sy), center * sx, 2 * width * sx, q]


def _bose(rng, sx, sy):
    # Both the pole, where only amplitude*kt shows, and the exponential, where only
    # amplitude*exp(center/kt) does, are within the data.
    kt, gap = log_uniform(rng, 0.2, 1), log_uniform(rng, 0.05, 0.3)
    x = abscissa(rng, gap * kt, gap * kt + 1, least=15)
    side, low = sign(rng), rng.uniform(-3, 3)
    return (low + side * x) * sx, [height(rng, sy), low * sx, side * kt * sx]


def _fermi(rng, sx, sy):
    low, x = unit_interval(rng)
    kt = sign(rng) * log_uniform(rng, 0.05, 0.4)
    return x * sx, [height(rng, sy), (low + rng.uniform(0, 1)) * sx, kt * sx]


def _maxwell(rng, sx, sy):
    low, x = unit_interval(rng)
    return x * sx, [height(rng, sy), low * sx, sign(rng) * log_uniform(rng, 0.1, 5) * sx]


def _step(rng, sx, sy):
    low, x = unit_interval(rng, least=10)
    width = sign(rng) * max(log_uniform(rng, 0.05, 0.4), 2 / len(x))
    return x * sx, [height(rng, sy), (low + rng.uniform(0.2, 0.8)) * sx, width * sx]


def _step_linear(rng, sx, sy):
    # Only the points on the ramp tell where it is, only those beside it how high.
    low, x = unit_interval(rng, least=15)
    center, width = low + rng.uniform(0.4, 0.6), sign(rng) * rng.uniform(0.2, 0.5)
    return x * sx, [height(rng, sy), center * sx, width * sx]


def _rectangle(rng, sx, sy, narrowest=0.04):
    low, x = unit_interval(rng, least=25)
    up, down = low + rng.uniform(0.2, 0.35), low + rng.uniform(0.65, 0.8)
    rise, fall = (max(log_uniform(rng, narrowest, 0.12), 1.5 / len(x)) for _ in range(2))
    return x * sx, [height(rng, sy), up * sx, rise * sx, down * sx, fall * sx]


def _rectangle_linear(rng, sx, sy):
    # Even points: a gap among random ones can swallow a whole side.
    _, params = _rectangle(rng, 1, sy, narrowest=0.08)
    x = np.linspace(0, 1, rng.integers(25, 41)) + params[1] - 0.3
    amplitude, *rest = params
    return rng.permutation(x) * sx, [amplitude, *(value * sx for value in rest)]


def _plane(rng, least=25, most=40):
    """Lower corner and points (2, m) of a unit square: pixels or scattered."""
    low = rng.uniform(-3, 3, (2, 1))
    side = np.linspace(0, 1, rng.integers(np.ceil(np.sqrt(least)), np.floor(np.sqrt(most)) + 1))
    pixels = np.stack([axis.ravel() for axis in np.meshgrid(side, side)])
    scattered = rng.random() < 0.5
    u = rng.uniform(0, 1, (2, rng.integers(least, most + 1))) if scattered else pixels
    return low, u[:, rng.permutation(u.shape[1])]


def _gaussian2d(rng, sx, sy):
    low, u = _plane(rng)
    center, amplitude = low[:, 0] + rng.uniform(0.2, 0.8, 2), height(rng, sy)
    width = log_uniform(rng, 0.12, 0.4)
    return (low + u) * sx, [amplitude, *center * sx, width * sx, amplitude * rng.uniform(-2, 2)]


def _elliptic(rng, sx, sy, narrowest=0.12, broadest=0.35):
    low, u = _plane(rng, 36, 60)
    center, amplitude = low[:, 0] + rng.uniform(0.3, 0.7, 2), height(rng, sy)
    widths = np.array([log_uniform(rng, narrowest, broadest) for _ in range(2)])
    params = [amplitude, *center * sx, *widths * sx, amplitude * rng.uniform(-2, 2)]
    return (low + u) * sx, params


def _rotated(rng, sx, sy):
    # A round peak has no angle: the axes differ by a factor of 1.5 at least.
    x, params = _elliptic(rng, sx, sy, 0.12, 0.18)
    params[3 + rng.integers(2)] *= rng.uniform(2.25, 2.5)
    return x, [*params, rng.uniform(-np.pi / 2, np.pi / 2)]


PEAK_DRAWS = {
    "gaussian": _peak,
    "gaussian_offset": _peak_offset,
    "lorentzian": _peak,
    "lorentzian_offset": _peak_offset,
    "voigt": _voigt,
    "voigt_offset": _voigt_offset,
    "pseudo_voigt": _pseudo_voigt,
    "skewed_voigt": _skewed_voigt,
    "pearson7": _pearson7,
    "pearson4": _pearson4,
    "students_t": _students_t,
    "moffat": _moffat,
    "split_gaussian": _split,
    "split_lorentzian": _split,
    "skewed_gaussian": _skewed_gaussian,
    "exponential_gaussian": _exponential_gaussian,
    "lognormal": _lognormal,
    "doniach": _doniach,
    "breit_wigner": _breit_wigner,
    "gaussian2d": _gaussian2d,
    "gaussian2d_elliptic": _elliptic,
    "gaussian2d_rotated": _rotated,
    "lorentzian2d_elliptic": _elliptic,
    "step_linear": _step_linear,
    "step_atan": _step,
    "step_erf": _step,
    "step_logistic": _step,
    "rectangle_linear": _rectangle_linear,
    "rectangle_atan": _rectangle,
    "rectangle_erf": _rectangle,
    "rectangle_logistic": _rectangle,
    "bose": _bose,
    "fermi": _fermi,
    "maxwell": _maxwell,
}
