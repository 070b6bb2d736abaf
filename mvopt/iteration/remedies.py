"""What to do about an error of JAX that a function given by a user can cause."""

from collections.abc import Iterator
from contextlib import contextmanager

# The loop over lanes binds what varies over a mesh together with constants.
_UNCHECKED = "Inside jax.shard_map, pass it check_vma=False."
# Words of JAX for a function that lacks one of the two ways to differentiate it, and for its check
# of what varies over a mesh.
_REMEDIES = {
    "manual ax": _UNCHECKED,
    "invariant->variant": _UNCHECKED,
    "forward-mode": "Least squares and roots are differentiated forwards: give the function its "
    "rule by jax.custom_jvp instead of jax.custom_vjp, or minimize its sum of squares, which is "
    "differentiated backwards.",
    "reverse-mode": "minimize differentiates backwards: use a loop of a fixed number of rounds "
    "(lax.scan, or lax.fori_loop between two integers of Python), least_squares if it is a sum of "
    "squares, or solver=NelderMead(), which takes no derivatives.",
}


@contextmanager
def explained() -> Iterator[None]:
    """Errors from within leave as they are, with a note where there is a remedy."""
    try:
        yield
    except (TypeError, ValueError) as error:
        for words, remedy in _REMEDIES.items():
            told = remedy in getattr(error, "__notes__", ())
            if words in str(error).lower() and not told:
                error.add_note(remedy)
        raise
