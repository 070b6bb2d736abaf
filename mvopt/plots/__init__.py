"""Pictures of functions and of fits. Extra `plot`.

Those of functions draw into `ax`, or into a new figure, and return the Matplotlib axes. Those of
fits make a figure of their own and return it.
"""

from mvopt.plots.batches import batch, maps, worst
from mvopt.plots.fits import contour, fit
from mvopt.plots.functions import contours, path, series

__all__ = ["batch", "contour", "contours", "fit", "maps", "path", "series", "worst"]
