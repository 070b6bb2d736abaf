"""Formulas as text: a parser over a whitelist, evaluated by walking the tree.

Python's own parser only turns the text into a tree; nothing is ever compiled or run as Python.
Every node of the tree must be on the whitelist, constants are floats (so that 9**9**9 overflows
instead of filling the memory), and length and depth are limited before they can cost anything.
"""

import ast
import math
import operator
import unicodedata
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from mvopt._errors import InputError, quoted, suggestion
from mvopt._types import Array
from mvopt.regression.guessing import guess_for

MAX_LENGTH = 2000
MAX_DEPTH = 150
# The largest whole exponent that is multiplied out; beyond it the general power is as fast.
_LARGEST_WHOLE_EXPONENT = 64

CONSTANTS = {"pi": math.pi, "e": math.e}
_ONE_ARGUMENT = (
    "exp log log10 log2 log1p expm1 sqrt abs sin cos tan asin acos atan sinh cosh tanh erf erfc"
)
FUNCTIONS = {**dict.fromkeys(_ONE_ARGUMENT.split(), 1), "minimum": 2, "maximum": 2, "where": 3}

_BINARY: dict[type, str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Pow: "**"}
_COMPARE: dict[type, str] = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">="}
_OPERATORS: dict[str, Callable[..., Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "negative": operator.neg,
}

# A tree is ("number", value), ("name", name) or ("call", operation, (tree, ...)).
Tree = tuple[Any, ...]


@dataclass(frozen=True)
class Expression:
    """A parsed formula: a model `(x, params)`, or a function of the columns of a table.

    `variables` are the names that stand for the data, `names` the others (the parameters) in
    the order of their first appearance. `lower` and `upper`, if given, bound what is guessed for
    them. Two expressions of the same text, variables and bounds are equal, so that one can be a
    static argument of `jax.jit`.
    """

    formula: str
    variables: tuple[str, ...]
    names: tuple[str, ...] = field(compare=False)
    tree: Tree = field(compare=False, repr=False)
    lower: tuple[float, ...] | None = None
    upper: tuple[float, ...] | None = None

    def __call__(self, x: Any, params: Any) -> Array:
        """Return the model's values, shape (m,), at x of shape (m,), or (k, m) for k variables."""
        rows = [x] if len(self.variables) == 1 else list(x)
        values = dict(zip(self.variables, rows, strict=True))
        values.update((name, params[i]) for i, name in enumerate(self.names))
        return jnp.broadcast_to(self.of(values), jnp.shape(rows[0]))

    def guess(self, x: Any, y: Any, mask: Any = None) -> Array:
        """Return a start for a fit, shape (n,), within the bounds; see `guess_for`."""
        return guess_for(self, x, y, mask, self.lower, self.upper)

    def of(self, values: Mapping[str, Any]) -> Any:
        """Return the formula's value where its names have these values."""
        return _evaluate(self.tree, values, jnp)

    def over_columns(self, columns: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the formula's value in every row of the columns (arrays of one length)."""
        with np.errstate(all="ignore"):
            return np.asarray(_evaluate(self.tree, columns, np))


def parse(text: str, variables: tuple[str, ...] = (), known: Iterable[str] = ()) -> Expression:
    """Parse a formula; names that are not variables become its parameters.

    A # begins a comment to the end of its line. Two names of which Python sees one, such as those
    with the micro sign and with the Greek letter, are one, spelled as among the variables and the
    `known` names or else as it comes first. Raises `InputError` in one line, with the position, for
    anything outside the whitelist.
    """
    if len(text) > MAX_LENGTH:
        raise InputError(
            f"the expression has {len(text):,} characters: keep it under {MAX_LENGTH:,}"
        )
    formula = " ".join(" ".join(line.partition("#")[0] for line in text.splitlines()).split())
    if not formula:
        raise InputError("the expression is empty: write one such as 'a*exp(-b*x) + c'")
    tree = _build(_spelled(_python_tree(formula), formula, (*variables, *known)), 0)
    names = tuple(dict.fromkeys(n for n in _names(tree) if n not in variables))
    return Expression(formula, variables, names, tree)


def _python_tree(formula: str) -> ast.expr:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(formula, mode="eval").body
    except SyntaxError as error:
        position = error.offset or len(formula)  # 0: the end came too early
        raise InputError(
            f"the expression {quoted(formula)} cannot be read at position {position} "
            f"({error.msg}): "
            "use numbers, names, + - * / **, parentheses and functions such as exp(x)"
        ) from None
    except (ValueError, RecursionError, MemoryError):
        raise InputError(
            f"the expression {quoted(formula)} cannot be read: it holds characters that are no "
            "text, or is nested too deeply"
        ) from None


def _spelled(root: ast.expr, formula: str, known: Iterable[str]) -> ast.expr:
    """The tree with names as they are written, of which Python's parser has the form NFKC."""
    spelling = {unicodedata.normalize("NFKC", name): name for name in known}
    line = formula.encode()
    names = [node for node in ast.walk(root) if isinstance(node, ast.Name)]
    for node in sorted(names, key=lambda name: name.col_offset):
        if node.id not in (*FUNCTIONS, *CONSTANTS):
            written = line[node.col_offset : node.end_col_offset].decode()
            node.id = spelling.setdefault(node.id, written)
    return root


def _build(node: ast.expr, depth: int) -> Tree:
    """Translate one node of Python's tree, or refuse it."""
    if depth > MAX_DEPTH:
        raise InputError(
            f"the expression is nested more than {MAX_DEPTH} levels deep: break it up or shorten it"
        )
    match node:
        case ast.Constant(value=value):
            return ("number", _number(value, node))
        case ast.Name(id=name):
            return _name(name, node)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _build(operand, depth + 1)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _fold("negative", (_build(operand, depth + 1),), node)
        case ast.BinOp(op=op, left=left, right=right) if type(op) in _BINARY:
            sides = (_build(left, depth + 1), _build(right, depth + 1))
            return _fold(_BINARY[type(op)], sides, node)
        case ast.BinOp(op=ast.BitXor()):
            raise _refused("the operator ^", node, "a power is written **")
        case ast.Call():
            return _call(node, depth)
        case ast.Compare():
            raise _refused("a comparison", node, "it may only be the first argument of where()")
    raise _refused(_WORDS.get(type(node), type(node).__name__), node)


def _call(node: ast.Call, depth: int) -> Tree:
    if not isinstance(node.func, ast.Name):
        raise _refused("a call of something that is not a function's name", node)
    name = node.func.id
    if name not in FUNCTIONS:
        remedy = suggestion(name, FUNCTIONS, "functions")
        raise _refused(f"the function {quoted(name)}", node, remedy)
    if node.keywords or len(node.args) != FUNCTIONS[name]:
        raise _refused(f"{name}() with these arguments", node, f"it takes {FUNCTIONS[name]}")
    if name != "where":
        return _fold(name, tuple(_build(arg, depth + 1) for arg in node.args), node)
    test = node.args[0]
    if not isinstance(test, ast.Compare) or len(test.ops) != 1:
        raise _refused("this first argument of where()", test, "give a comparison such as x < a")
    if type(test.ops[0]) not in _COMPARE:
        raise _refused("this comparison", test, "use < <= > >=")
    sides = (_build(test.left, depth + 1), _build(test.comparators[0], depth + 1))
    condition = ("call", _COMPARE[type(test.ops[0])], sides)
    return ("call", name, (condition, *(_build(arg, depth + 1) for arg in node.args[1:])))


def _number(value: object, node: ast.expr) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _refused(_WORDS.get(type(value), f"the constant {quoted(value)}"), node)
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    return _finite(number, node)


def _name(name: str, node: ast.expr) -> Tree:
    if name.startswith("_"):
        raise _refused(f"the name {quoted(name)}", node, "names start with a letter")
    if name in FUNCTIONS:
        raise _refused(f"the function {name} without arguments", node, f"write {name}(...)")
    return ("number", CONSTANTS[name]) if name in CONSTANTS else ("name", name)


def _fold(operation: str, arguments: tuple[Tree, ...], node: ast.expr) -> Tree:
    """Return the call, or its value where all arguments are numbers."""
    tree = ("call", operation, arguments)
    if any(kind != "number" for kind, *_ in arguments):
        return tree
    with np.errstate(all="ignore"):
        # NumPy's floats overflow to infinity, where Python's raise.
        numbers = [("number", np.float64(value)) for _, value in arguments]
        return ("number", _finite(float(_evaluate(("call", operation, numbers), {}, np)), node))


def _finite(number: float, node: ast.expr) -> float:
    if not math.isfinite(number):
        raise _refused("a constant that is not finite", node, "write a smaller one")
    return number


def _evaluate(tree: Tree, values: Mapping[str, Any], numpy: Any) -> Any:
    """Evaluate with `numpy` as the array library: NumPy itself or jax.numpy."""
    kind, content = tree[0], tree[1]
    if kind == "number":
        return content
    if kind == "name":
        return values[content]
    if content == "**" and tree[2][1][0] == "number":
        return _evaluate(tree[2][0], values, numpy) ** _exponent(tree[2][1][1])
    arguments = [_evaluate(argument, values, numpy) for argument in tree[2]]
    if content == "**":
        return numpy.power(*arguments)
    if content in _OPERATORS:
        return _OPERATORS[content](*arguments)
    if content in ("erf", "erfc"):
        return _ERROR_FUNCTIONS[numpy, content](*arguments)
    return getattr(numpy, content)(*arguments)  # its name is a key of FUNCTIONS


def _exponent(value: float) -> float | int:
    # A whole exponent given as an int is multiplied out, which is faster and exact for x < 0.
    whole = float(value).is_integer() and abs(value) <= _LARGEST_WHOLE_EXPONENT
    return int(value) if whole else value


def _names(tree: Tree) -> Iterator[str]:
    if tree[0] == "name":
        yield tree[1]
    elif tree[0] == "call":
        for argument in tree[2]:
            yield from _names(argument)


def _refused(what: str, node: ast.expr, remedy: str = "") -> InputError:
    remedy = remedy or "use numbers, names, + - * / **, parentheses and functions such as exp(x)"
    return InputError(f"{what} is not allowed at position {node.col_offset + 1}: {remedy}")


_ERROR_FUNCTIONS: dict[tuple[Any, str], Callable[[Any], Any]] = {
    (jnp, "erf"): jax.scipy.special.erf,
    (jnp, "erfc"): jax.scipy.special.erfc,
    (np, "erf"): np.vectorize(math.erf, otypes=[float]),
    (np, "erfc"): np.vectorize(math.erfc, otypes=[float]),
}
_WORDS: dict[type, str] = {
    ast.Attribute: "access to an attribute",
    ast.Subscript: "a subscript",
    ast.Lambda: "a lambda",
    ast.ListComp: "a comprehension",
    ast.SetComp: "a comprehension",
    ast.DictComp: "a comprehension",
    ast.GeneratorExp: "a comprehension",
    ast.IfExp: "if ... else",
    ast.BoolOp: "and / or",
    ast.NamedExpr: "an assignment",
    ast.BinOp: "this operator",
    ast.UnaryOp: "this operator",
    ast.JoinedStr: "a text",
    ast.Tuple: "a tuple",
    ast.List: "a list",
    ast.Dict: "a dictionary",
    ast.Starred: "an unpacking",
    ast.Await: "await",
    str: "a text",
    bytes: "a text",
    bool: "a truth value",
}
