"""What an operation on power series gets, and what it may say."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

from mvopt.calculus.series import SeriesRules


class UnsupportedError(NotImplementedError):
    """An operation without a rule; `primitive` is its name."""

    def __init__(self, primitive: str, why: str = ""):
        self.primitive = primitive
        super().__init__(
            f"there is no rule for the operation {primitive!r}{why}: write the function without it"
        )


class Value(NamedTuple):
    """An array (or interval), or with `series` the coefficients of one along a first axis."""

    data: Any
    series: bool


class Interpreter(Protocol):
    """What carries out a function, as its rules see it."""

    @property
    def rules(self) -> SeriesRules:
        """The arithmetic of its series."""

    def lifted(self, value: Value) -> Any:
        """A value as a series, (N, ...)."""

    def run(self, closed: Any, args: Sequence[Value]) -> list[Value]:
        """What an inner function returns."""


Rule = Callable[[Interpreter, Any, list[Value]], list[Value]]


def of_one(method: Callable[[SeriesRules, Any], Any]) -> Rule:
    """A function of one series."""

    def rule(interpreter: Interpreter, equation: Any, values: list[Value]) -> list[Value]:
        return [Value(method(interpreter.rules, values[0].data), True)]

    return rule
