"""Places in an array: integers, and nodes where a place is counted."""

from collections.abc import Iterator
from itertools import product

import numpy as np

from mvopt.iteration.registers import graph as numbers
from mvopt.iteration.registers.graph import Compute, Entry, Graph, Index, Node

Place = int | Node


def indices(shape: tuple[int, ...]) -> Iterator[Index]:
    """All indices of an array, the last axis fastest."""
    return product(*map(range, shape))


def counted(index: Index) -> bool:
    """Whether it stands for many places, over which something counts."""
    return any(isinstance(place, Node) for place in index)


def shifted(graph: Graph, place: Place, by: Place) -> Place:
    """The place so much further on."""
    if isinstance(place, int) and isinstance(by, int):
        return place + by
    return place if by == 0 else _node(graph, numbers.ADD, place, by)


def scaled(graph: Graph, place: Place, by: int) -> Place:
    """The place times a number."""
    if by == 1:
        return place
    return _node(graph, numbers.MULTIPLY, place, by) if isinstance(place, Node) else place * by


def clipped(graph: Graph, place: Place, length: int) -> Place:
    """The nearest place within an axis."""
    return _node(graph, numbers.MINIMUM, _node(graph, numbers.MAXIMUM, place, 0), length - 1)


def raveled(graph: Graph, index: Index, shape: Index) -> Place:
    """The place of an entry in the order of an array."""
    flat: Place = 0
    for place, length in zip(index, shape, strict=True):
        assert isinstance(length, int)
        flat = shifted(graph, scaled(graph, flat, length), place)
    return flat


def unraveled(graph: Graph, flat: Place, shape: tuple[int, ...]) -> Index:
    """The index of the entry at a place in the order of an array."""
    index: list[Place] = []
    for axis in reversed(range(len(shape))):
        length = shape[axis]
        if all(each == 1 for each in shape[:axis]):
            index.append(flat)
            flat = 0
        elif isinstance(flat, int):
            flat, rest = divmod(flat, length)
            index.append(rest)
        else:
            index.append(_node(graph, numbers.REMAINDER, flat, length))
            flat = _node(graph, numbers.DIVIDE, flat, length)
    return tuple(reversed(index))


def _node(graph: Graph, compute: Compute, a: Place, b: Place) -> Place:
    args: list[Entry] = [each if isinstance(each, Node) else np.int32(each) for each in (a, b)]
    found = graph.apply(compute, args, np.int32)
    return found if isinstance(found, Node) else int(found)
