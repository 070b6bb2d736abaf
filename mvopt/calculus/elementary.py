"""Arithmetic and the elementary functions, as operations of a jaxpr on power series."""

from collections.abc import Callable
from math import pi, sqrt
from typing import Any

import jax.numpy as jnp
import numpy as np

from mvopt._jaxpr import is_literal
from mvopt.calculus import interval
from mvopt.calculus.interval import Interval
from mvopt.calculus.series import SeriesRules, constant_like, joined, library
from mvopt.calculus.values import Interpreter, Rule, Value, of_one


def _added(sign: float) -> Rule:
    def rule(interpreter: Interpreter, equation: Any, values: list[Value]) -> list[Value]:
        u, v = (interpreter.lifted(value) for value in values)
        return [Value(u + v if sign > 0 else u - v, True)]

    return rule


def product(rules: SeriesRules, u: Value, v: Value) -> Any:
    """The series u v; a number multiplies each coefficient."""
    return rules.multiply(u.data, v.data) if u.series and v.series else u.data * v.data


def _multiplied(interpreter: Interpreter, equation: Any, values: list[Value]) -> list[Value]:
    rules, (u, v) = interpreter.rules, values
    if u.series and equation.invars[0] is equation.invars[1]:
        return [Value(rules.square(u.data), True)]
    return [Value(product(rules, u, v), True)]


def _divided(interpreter: Interpreter, equation: Any, values: list[Value]) -> list[Value]:
    u, v = values
    if not v.series:
        return [Value(u.data / v.data, True)]
    return [Value(interpreter.rules.divide(interpreter.lifted(u), v.data), True)]


def _integer_power(interpreter: Interpreter, equation: Any, values: list[Value]) -> list[Value]:
    return [Value(interpreter.rules.integer_power(values[0].data, equation.params["y"]), True)]


def _exp2(rules: SeriesRules, u: Any) -> Any:
    return rules.exp(u * _number(u, np.log(2)), library(u).exp2(u[0]))


def _sine(which: int, sign: float, names: tuple[str, str]) -> Callable[[SeriesRules, Any], Any]:
    def method(rules: SeriesRules, u: Any) -> Any:
        first = tuple(getattr(library(u), name)(u[0]) for name in names)
        return rules.sine_and_cosine(u, first, sign)[which]

    return method


def _by_slope(
    name: str, constant: float, slope: Callable[[Any, Any], Any]
) -> Callable[[SeriesRules, Any], Any]:
    """w' = g(w) u' with g = constant + slope(w, w²)."""
    return lambda rules, u: rules.from_slope(getattr(library(u), name)(u[0]), u, slope, constant)


def _inverse(
    name: str, sign: float, slope: Callable[[SeriesRules, Any], Any]
) -> Callable[[SeriesRules, Any], Any]:
    """w' = ± g(u) u' for a function g of u."""

    def method(rules: SeriesRules, u: Any) -> Any:
        found = slope(rules, u)
        return rules.integral(getattr(library(u), name)(u[0]), u, found if sign > 0 else -found)

    return method


def _beside_square(rules: SeriesRules, u: Any, constant: float, sign: float) -> Any:
    """constant + sign u²."""
    squared = rules.square(u)
    return rules.shifted(squared if sign > 0 else -squared, constant)


def _root(constant: float, sign: float) -> Callable[[SeriesRules, Any], Any]:
    """1 / √(constant + sign u²)."""

    def slope(rules: SeriesRules, u: Any) -> Any:
        inside = _beside_square(rules, u, constant, sign)
        return rules.power(inside, -0.5, library(u).rsqrt(inside[0]))

    return slope


def _quotient(sign: float) -> Callable[[SeriesRules, Any], Any]:
    """1 / (1 + sign u²)."""

    def slope(rules: SeriesRules, u: Any) -> Any:
        one = rules.of_constant(constant_like(u[0], 1.0))
        return rules.divide(one, _beside_square(rules, u, 1.0, sign))

    return slope


def _bell(rules: SeriesRules, u: Any) -> Any:
    """2/√π exp(−u²)."""
    return rules.exp(-rules.square(u)) * _number(u, 2 / sqrt(pi))


def _number(like: Any, value: float) -> Any:
    """An irrational number: for intervals one that holds it."""
    near = jnp.asarray(value, like.dtype)
    return (
        Interval(interval.below(near), interval.above(near)) if isinstance(like, Interval) else near
    )


def _power(interpreter: Interpreter, equation: Any, values: list[Value]) -> list[Value]:
    """u^a; a power that depends on the variables as exp(a log u)."""
    rules, (u, a) = interpreter.rules, values
    atom, power = equation.invars[1], a.data
    if is_literal(atom):
        number = float(atom.val)
        if number.is_integer():
            return [Value(rules.integer_power(u.data, int(number)), True)]
        power = jnp.asarray(number, u.data.dtype)
    elif a.series:
        logarithm = rules.log(interpreter.lifted(u))
        return [Value(rules.exp(rules.multiply(a.data, logarithm)), True)]
    if isinstance(u.data, Interval) and not isinstance(power, Interval):
        power = Interval.point(power.astype(u.data.dtype))
    return [Value(rules.power(u.data, power, library(u.data).pow(u.data[0], power)), True)]


def _polynomial(interpreter: Interpreter, equation: Any, values: list[Value]) -> list[Value]:
    """Horner's scheme for the coefficients from the constant one on."""
    x, *coefficients = values
    found = coefficients[-1]
    for each in reversed(coefficients[:-1]):
        term = Value(product(interpreter.rules, found, x), found.series or x.series)
        found = Value(interpreter.lifted(term) + interpreter.lifted(each), True)
    return [Value(interpreter.lifted(found), True)]


def _cbrt(rules: SeriesRules, u: Any) -> Any:
    return rules.power(u, _number(u, 1 / 3), library(u).cbrt(u[0]))


def _angle(interpreter: Interpreter, equation: Any, values: list[Value]) -> list[Value]:
    """atan2(y, x): w' = (x y' − y x') / (x² + y²)."""
    rules = interpreter.rules
    y, x = (interpreter.lifted(value) for value in values)
    squares = rules.square(x) + rules.square(y)
    ahead, behind = rules.divide(x, squares), rules.divide(y, squares)
    zero = constant_like(squares[0], 0.0)
    turned = (rules.integral(zero, y, ahead) - rules.integral(zero, x, behind))[1:]
    first = library(y).atan2(y[0], x[0])
    if isinstance(y, Interval):  # it jumps on the negative x axis
        smooth = (x.lo[0] > 0) | (y.lo[0] > 0) | (y.hi[0] < 0)
        turned = interval.where(smooth, turned, interval.everything(turned))
    return [Value(joined([first[None], turned]), True)]


RULES: dict[str, Rule] = {
    "acos": of_one(_inverse("acos", -1.0, _root(1.0, -1.0))),
    "acosh": of_one(_inverse("acosh", 1.0, _root(-1.0, 1.0))),
    "add": _added(1.0),
    "add_any": _added(1.0),
    "asin": of_one(_inverse("asin", 1.0, _root(1.0, -1.0))),
    "asinh": of_one(_inverse("asinh", 1.0, _root(1.0, 1.0))),
    "atan": of_one(_inverse("atan", 1.0, _quotient(1.0))),
    "atan2": _angle,
    "atanh": of_one(_inverse("atanh", 1.0, _quotient(-1.0))),
    "cbrt": of_one(_cbrt),
    "cos": of_one(_sine(1, -1.0, ("sin", "cos"))),
    "cosh": of_one(_sine(1, 1.0, ("sinh", "cosh"))),
    "div": _divided,
    "erf": of_one(_inverse("erf", 1.0, _bell)),
    "erfc": of_one(_inverse("erfc", -1.0, _bell)),
    "exp": of_one(SeriesRules.exp),
    "exp2": of_one(_exp2),
    "expm1": of_one(SeriesRules.expm1),
    "integer_pow": _integer_power,
    "log": of_one(SeriesRules.log),
    "log1p": of_one(SeriesRules.log1p),
    "log2": of_one(lambda rules, u: rules.log(u) / _number(u, np.log(2))),
    "logistic": of_one(_by_slope("logistic", 0.0, lambda w, squared: w - squared)),
    "mul": _multiplied,
    "neg": of_one(lambda rules, u: -u),
    "polynomial": _polynomial,
    "pow": _power,
    "rsqrt": of_one(lambda rules, u: rules.power(u, -0.5, library(u).rsqrt(u[0]))),
    "sin": of_one(_sine(0, -1.0, ("sin", "cos"))),
    "sinh": of_one(_sine(0, 1.0, ("sinh", "cosh"))),
    "sqrt": of_one(lambda rules, u: rules.power(u, 0.5, library(u).sqrt(u[0]))),
    "square": of_one(SeriesRules.square),
    "sub": _added(-1.0),
    "tan": of_one(_by_slope("tan", 1.0, lambda w, squared: squared)),
    "tanh": of_one(_by_slope("tanh", 1.0, lambda w, squared: -squared)),
}
