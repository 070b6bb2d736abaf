"""Which part of a distribution a figure shows: one wild fit would flatten the rest."""

import numpy as np

# At either end as much is left out as this at least,
_LEAST = 0.005
# and this at most: what is further from the middle half than so many of its widths. For a normal
# distribution that is beyond seven standard deviations, for an exponential one in 0.1 % of cases.
_MOST = 0.025
_WIDTHS = 5.0
# The axis is logarithmic where the middle nine tenths span more than two decades. A uniform
# distribution that begins at zero spans 1.3, an exponential one 1.8.
_LOG_RATIO = 100.0


def spans_decades(known: np.ndarray) -> bool:
    """Whether a logarithmic axis shows these finite values better."""
    low, high = np.quantile(known, [0.05, 0.95])
    return bool(known.min() > 0 and high > _LOG_RATIO * low)


def shown_range(known: np.ndarray, log: bool = False) -> tuple[float, float]:
    """Return the ends of what is shown of finite values, of which two at least differ."""
    values = np.log(known) if log else known
    first, third = np.quantile(values, [0.25, 0.75])
    far = _WIDTHS * (third - first)
    lowest, lower, higher, highest = np.quantile(values, [_LEAST, _MOST, 1 - _MOST, 1 - _LEAST])
    low = max(lowest, min(lower, first - far))
    high = min(highest, max(higher, third + far))
    if not low < high:  # nearly all are the same
        low, high = values.min(), values.max()
    return (float(np.exp(low)), float(np.exp(high))) if log else (float(low), float(high))
