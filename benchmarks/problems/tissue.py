"""Convolutions of an arterial curve for the formulas of tracer kinetics, in NumPy."""

import numpy as np

# Nodes of a quadrature between two samples, exact to rounding for rates up to 10 / their distance.
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(16)


def convolved(curve, rate, time):
    """∫ curve(s) exp(-rate (time - s)) ds from the first time on, by quadrature between samples.

    The curve is a straight line between them; times come in any order, the rate may be complex.
    """
    order = np.argsort(time)
    time, curve = time[order], curve[order]
    values = np.zeros(len(time), np.result_type(rate, float))
    shares = (1 + _NODES) / 2
    width = np.diff(time)[:, None]
    lines = curve[:-1, None] * (1 - shares) + curve[1:, None] * shares
    gains = np.sum(_WEIGHTS / 2 * width * lines * np.exp(-rate * width * (1 - shares)), axis=1)
    for i, gain in enumerate(gains):
        values[i + 1] = values[i] * np.exp(-rate * width[i, 0]) + gain
    unsorted = np.empty_like(values)
    unsorted[order] = values
    return unsorted


def exchanged(curve, washout, leaving, returning, time):
    """Contents of plasma and tissue for one unit of flow, convolved with the arterial curve.

    The plasma loses to the vein and to the tissue at the rates `washout` and `leaving`, the
    tissue returns at the rate `returning`.
    """
    half = (washout + leaving + returning) / 2
    root = np.sqrt(half**2 - washout * returning)
    fast, slow = half + root, half - root
    # The contents start at 1 and first fall at the rate of the loss to the vein.
    share = (washout - slow) / (fast - slow)
    return share * convolved(curve, fast, time) + (1 - share) * convolved(curve, slow, time)
