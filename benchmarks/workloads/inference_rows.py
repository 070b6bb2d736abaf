"""A row of the table of ours beside theirs."""

from typing import Any, NamedTuple

import numpy as np

COLUMNS = ("quantity", "peer", "ours", "theirs", "difference", "wanted", "")


class Row(NamedTuple):
    """One quantity, a number or an array of them.

    unit: what the difference is divided by, such as the standard error; None: the size of theirs.
    """

    quantity: str
    peer: str
    ours: Any
    theirs: Any
    wanted: float
    unit: Any = None

    def worst(self) -> tuple[float, float, float]:
        """Ours and theirs where they differ most, and by how much; a NaN differs infinitely."""
        ours, theirs = (np.asarray(each, float) for each in (self.ours, self.theirs))
        if ours.shape != theirs.shape:
            raise ValueError(f"{self.quantity}: ours has shape {ours.shape}, {theirs.shape} theirs")
        unit = np.abs(theirs) if self.unit is None else np.broadcast_to(self.unit, ours.shape)
        with np.errstate(invalid="ignore", divide="ignore"):
            apart = np.where(ours == theirs, 0.0, np.abs(ours - theirs) / unit)
        apart = np.where(np.isnan(apart), np.inf, apart).ravel()
        index = int(np.argmax(apart))
        return float(ours.ravel()[index]), float(theirs.ravel()[index]), float(apart[index])

    @property
    def beyond(self) -> bool:
        """Whether the wanted limit is missed."""
        return not self.worst()[2] <= self.wanted

    def cells(self) -> tuple[Any, ...]:
        """As `COLUMNS` name them."""
        ours, theirs, apart = self.worst()
        mark = "BEYOND" if self.beyond else ""
        shown = f"{apart:.1e}", f"{self.wanted:.0e}"
        return self.quantity, self.peer, f"{ours:.9g}", f"{theirs:.9g}", *shown, mark
