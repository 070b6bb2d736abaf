"""Fitting many data sets from files: configuration in, a table of parameters out."""
