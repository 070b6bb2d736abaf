"""Benchmarks: this library and its peers side by side, run by `python -m benchmarks CONFIG`."""
