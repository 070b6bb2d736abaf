"""The named models by their printed formulas, in NumPy and SciPy: independent of their JAX code."""

import numpy as np
from scipy import special

from benchmarks.problems.tissue import convolved, exchanged


def magnitude(value):
    """The absolute value, which keeps the imaginary part of a complex step."""
    return np.where(np.real(value) < 0, -value, value)


def wofz_real(x, y):
    """Re w(x + iy), w the Faddeeva function; imaginary parts of x and y are small steps."""
    z = np.real(x) + 1j * np.real(y)
    w = special.wofz(z)
    slope = -2 * z * w + 2j / np.sqrt(np.pi)
    step = slope.real * np.imag(x) - slope.imag * np.imag(y)
    return w.real + 1j * step if np.iscomplexobj(x) or np.iscomplexobj(y) else w.real


NUMPY_NAMES = {
    "abs": magnitude,
    "arctan": np.arctan,
    "convolved": convolved,
    "cos": np.cos,
    "erf": special.erf,
    "erfc": special.erfc,
    "exchanged": exchanged,
    "exp": np.exp,
    "log": np.log,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "pi": np.pi,
    "sin": np.sin,
    "sqrt": np.sqrt,
    "where": np.where,
    "wofz_real": wofz_real,
}


def by_numpy(model, x, params):
    """The model by its printed formula, in float64 (or complex128, for complex steps)."""
    coordinates = zip(model.x_names, np.atleast_2d(x), strict=True)
    values = dict(zip(model.names, params, strict=True)) | dict(coordinates) | NUMPY_NAMES
    return eval(model.formula, {"__builtins__": {}}, values)
