"""Timing methods in turn, so that a busy minute of the machine falls on all of them alike."""

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax

from benchmarks.peers import ERRORS, first_line


class Method(NamedTuple):
    """One way to do the job. `run` returns only when its results are on the host."""

    name: str
    run: Callable[[], Any]
    fits: int
    note: str = ""


class Timing(NamedTuple):
    """Seconds: the first call (it compiles), and the warm ones."""

    first: float
    best: float
    median: float

    @property
    def compile(self) -> float:
        """What the first call took beyond a warm one."""
        return max(self.first - self.median, 0.0)


class Measured(NamedTuple):
    timings: dict[str, Timing]
    results: dict[str, Any]
    failures: dict[str, str]


def timed(run: Callable[[], Any]) -> tuple[float, Any]:
    """Wall-clock seconds of one call, and what it returned."""
    start = time.perf_counter()
    result = run()
    return time.perf_counter() - start, result


def interleave(methods: Sequence[Method], repetitions: int) -> Measured:
    """Call every method once cold, then all in turn `repetitions` times.

    Cold means that JAX has forgotten every compiled function, which costs the methods before it
    theirs: so the next round, too, is not counted. A method that raises one of `peers.ERRORS`
    is named in `failures` and drops out.
    """
    first: dict[str, float] = {}
    warm: dict[str, list[float]] = {}
    results: dict[str, Any] = {}
    failures: dict[str, str] = {}
    for turn in range(repetitions + 2):
        for method in methods:
            if method.name in failures:
                continue
            if turn == 0:
                jax.clear_caches()
            try:
                seconds, results[method.name] = timed(method.run)
            except ERRORS as error:
                failures[method.name] = first_line(error)
                continue
            if turn == 0:
                first[method.name] = seconds
            elif turn > 1:
                warm.setdefault(method.name, []).append(seconds)
    timings = {
        name: Timing(first[name], min(seconds), statistics.median(seconds))
        for name, seconds in warm.items()
        if name not in failures
    }
    return Measured(timings, {name: results[name] for name in timings}, failures)
