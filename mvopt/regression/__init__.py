"""Fitting curves to data, with uncertainties."""
