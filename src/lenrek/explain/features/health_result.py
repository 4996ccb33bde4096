"""What was found of filters on data: lists for each layer, as rows of a table with the criteria under it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lenrek.data.shown import counted, few

COLUMNS = ("layer", "filters", "then", "dead", "saturated", "constant", "duplicates", "which")


@dataclass(frozen=True, eq=False)
class LayerHealth:
    """One layer's filters on the data.

    Attributes:
        layer: its name; `then`, the nonlinearity that follows, and `measured`, the module whose output goes into that.
        off: (filters,), the share of positions and samples at which the nonlinearity gives zero.
        at_limit: (filters,), the share at which it is at another limit.
        dead, saturated, constant: indices of filters.
        duplicates: (filter, an earlier filter, cosine of the angle between their weights), each filter once.
    """

    layer: str
    then: str
    measured: str
    off: np.ndarray
    at_limit: np.ndarray
    dead: tuple[int, ...]
    saturated: tuple[int, ...]
    constant: tuple[int, ...]
    duplicates: tuple[tuple[int, int, float], ...]

    @property
    def filters(self) -> int:
        return len(self.off)

    def row(self) -> tuple[str, ...]:
        """As text, under `COLUMNS`."""
        parts = [
            (name, few([str(i) for i in found]))
            for name, found in (("dead", self.dead), ("saturated", self.saturated), ("constant", self.constant))
            if found
        ]
        pairs = [f"{one} = {other}" for one, other, _ in self.duplicates]
        which = "; ".join([f"{name} {text}" for name, text in parts] + ([few(pairs)] if pairs else []))
        numbers = (len(self.dead), len(self.saturated), len(self.constant), len(self.duplicates))
        return (self.layer, str(self.filters), self.then or "–", *(str(n) if n else "" for n in numbers), which)

    def to_dict(self) -> dict[str, Any]:
        return {
            "layer": self.layer, "filters": self.filters, "then": self.then, "measured": self.measured,
            "dead": list(self.dead), "saturated": list(self.saturated), "constant": list(self.constant),
            "duplicates": [[one, other, cosine] for one, other, cosine in self.duplicates],
            "off": self.off.tolist(), "at_limit": self.at_limit.tolist(),
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class FilterHealth:
    """`print` shows a table, with the criteria under it."""

    layers: tuple[LayerHealth, ...]
    samples: int
    dead_share: float
    saturated_share: float
    duplicate_cosine: float

    @property
    def criteria(self) -> str:
        """In words."""
        return (
            f"Over {counted(self.samples, 'sample')}. Dead: the nonlinearity gives zero at {_share(self.dead_share)} "
            f"positions. Saturated: it is at another limit at {_share(self.saturated_share)} positions. Constant: no "
            "nonlinearity is known to follow, and the value never changes. Duplicate: the cosine between its weights "
            f"and an earlier filter's of the same group is at least {self.duplicate_cosine:.4g}."
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "samples": self.samples, "dead_share": self.dead_share, "saturated_share": self.saturated_share,
            "duplicate_cosine": self.duplicate_cosine, "layers": [layer.to_dict() for layer in self.layers],
        }  # fmt: skip

    def __str__(self) -> str:
        rows = [COLUMNS, *(layer.row() for layer in self.layers)]
        widths = [max(len(row[place]) for row in rows) for place in range(len(COLUMNS))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
        return "\n".join([*lines, "", self.criteria])


def _share(share: float) -> str:
    return "all" if share == 1 else f"{100 * share:.4g} % of all"
