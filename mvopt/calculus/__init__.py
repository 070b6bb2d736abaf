"""Derivatives, power series and intervals of functions of pytrees."""
