"""What the interpreters of jaxprs need to know of their equations.

Jaxprs and literals are told by what they have: `jax.extend`, where their classes are, imports
Pallas, which took a fifth of the time of `import mvopt`.
"""

from collections.abc import Iterator, Sequence
from typing import Any

# Operations that only wrap an inner function, with the name of the parameter that holds it.
INLINED = {
    "closed_call": "call_jaxpr",
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "remat2": "jaxpr",
}


def bind(equation: Any, arrays: Sequence[Any], params: dict | None = None) -> list[Any]:
    """The results of the operation itself, with other parameters if they are given."""
    params = equation.params if params is None else params
    out = equation.primitive.bind(*arrays, **equation.primitive.get_bind_params(params))
    return out if equation.primitive.multiple_results else [out]


def is_literal(atom: Any) -> bool:
    """Whether an operand stands in the jaxpr as a number, its `val`."""
    return hasattr(atom, "val")


def inner_jaxprs(equation: Any) -> Iterator[Any]:
    """The jaxprs that are parameters of the operation."""
    held = (getattr(value, "jaxpr", value) for value in equation.params.values())
    return (each for each in held if hasattr(each, "eqns"))


def scan_counts(equation: Any) -> tuple[int, int]:
    """How many constants and how many carries a `scan` has; what is left is scanned over.

    The parameters that say so differ between versions of JAX. The shapes do not: a carry leaves
    the loop as it leaves the body, and what is scanned over loses an axis on entry.
    """
    body = getattr(equation.params["jaxpr"], "jaxpr", equation.params["jaxpr"])
    num_carry = sum(
        a.aval.shape == b.aval.shape for a, b in zip(equation.outvars, body.outvars, strict=True)
    )
    num_xs = sum(
        a.aval.shape != b.aval.shape for a, b in zip(equation.invars, body.invars, strict=True)
    )
    return len(equation.invars) - num_carry - num_xs, num_carry
