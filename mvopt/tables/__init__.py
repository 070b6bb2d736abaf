"""Fits of data frames (extra `tables`) and of labelled arrays (extra `xarray`)."""

from mvopt.tables.arrays import fit_array
from mvopt.tables.frames import TableFit, fit_table

__all__ = ["TableFit", "fit_array", "fit_table"]
