"""Reading ahead of the computation and writing behind it, each in a thread of its own."""

import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")

# Blocks that wait at either end: one is being made while another is there.
_WAITING = 2
_PATIENCE = 0.1  # seconds between two looks at whether the other side has gone


def ahead(items: Iterable[Item]) -> Iterator[Item]:
    """Yield the items, of which the next are made meanwhile; their errors are raised here."""
    ready: queue.Queue = queue.Queue(_WAITING)
    gone = threading.Event()

    def hand_over(kind: str, content: Any) -> None:
        while not gone.is_set():
            try:
                ready.put((kind, content), timeout=_PATIENCE)
            except queue.Full:
                continue
            return

    def make() -> None:
        try:
            for item in items:
                hand_over("item", item)
                if gone.is_set():
                    return
            hand_over("end", None)
        except BaseException as error:  # noqa: BLE001 (raised again where it is waited for)
            hand_over("error", error)

    maker = threading.Thread(target=make, name="mvopt-reader", daemon=True)
    maker.start()
    try:
        while True:
            kind, content = ready.get()
            if kind == "error":
                raise content
            if kind == "end":
                return
            yield content
    finally:
        gone.set()
        maker.join()


class Behind(Generic[Item]):
    """Calls `work` for what it is given, in order, while the caller goes on."""

    def __init__(self, work: Callable[[Item], None]) -> None:
        self._work = work
        self._waiting: queue.Queue = queue.Queue(_WAITING)
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="mvopt-writer", daemon=True)
        self._thread.start()

    def put(self, item: Item) -> None:
        """Hand over an item; an error of an earlier one is raised here."""
        self._raise()
        self._waiting.put((item,))

    def close(self) -> None:
        """Wait until all is done."""
        self._waiting.put(None)
        self._thread.join()
        self._raise()

    def _raise(self) -> None:
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _run(self) -> None:
        failed = False
        while (entry := self._waiting.get()) is not None:
            if failed:  # the caller will be told; until then nothing more is done
                continue
            try:
                self._work(*entry)
            except BaseException as error:  # noqa: BLE001 (raised again in the caller's thread)
                self._error, failed = error, True
