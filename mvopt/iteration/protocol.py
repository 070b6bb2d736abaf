"""What a solver is: a few functions of one problem, and a state that they hand on."""

from collections.abc import Callable
from typing import Any, Protocol, runtime_checkable

from mvopt._types import Array


class State(Protocol):
    """The part of every solver's state that the loop reads."""

    @property
    def params(self) -> Array:
        """Best point so far, flat, (n,)."""
        ...

    @property
    def value(self) -> Array:
        """Objective there, (); infinite before the first evaluation."""
        ...

    @property
    def optimality(self) -> Array:
        """Largest entry of the projected gradient there, ()."""
        ...

    @property
    def trial(self) -> Array:
        """Where to evaluate next, (n,)."""
        ...


class Solver(Protocol):
    """Hyperparameters as a pytree, a NamedTuple say, with these methods.

    (Not a dataclass by `jax.tree_util.register_dataclass`: see `mvopt._tree.node`.)

    Each is written for ONE problem. The loop maps them over lanes, so they must not branch in
    Python on traced values, and a `step` must not contain a loop whose length depends on the data.
    The evaluation is apart from the step, so that the loop can store it between the two in the
    layout that suits the lanes, and so that a fresh lane needs no evaluation of its own.
    """

    def init(self, problem: Any, params: Array, state: Any) -> Any:
        """State at the start, without evaluating anything.

        `state` is the one of the lane's former problem. What the first step overwrites may be kept
        from it (each field that is reset costs a pass over all lanes); nothing else may.
        """
        ...

    def blank(self, params: Array) -> Any:
        """Any state for params of this shape: the loop takes its structure and dtypes."""
        ...

    def evaluate(self, problem: Any, state: Any) -> Any:
        """Whatever `step` needs to know of the problem's functions at `state.trial`."""
        ...

    def step(self, problem: Any, state: Any, evaluation: Any) -> Any:
        """Digest the evaluation at `state.trial` and choose the next trial."""
        ...

    def status(self, problem: Any, state: Any) -> Array:
        """`Status` as int32 (), RUNNING while there is more to do."""
        ...

    def optimality(self, problem: Any, params: Array) -> Array:
        """A function of the flat params, (n,), that is zero at a solution: the implicit rule."""
        ...


@runtime_checkable
class TreeSolver(Protocol):
    """A solver that holds functions of the user: of the params as a pytree, or as a flat vector."""

    def over(self, unravel: Callable[[Array], Any], params: Array) -> Any:
        """The same solver, for flat params like these, of which `unravel` makes the pytree."""
        ...
