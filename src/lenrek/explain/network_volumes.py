"""Which volumes of a network a picture shows: those that a reader of the paper would draw."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from lenrek.explain.summary import Summary
from lenrek.explain.summary_rows import Row

FEW = 16  # boxes in a row that can still be read on a slide


@dataclass(frozen=True)
class NetworkVolume:
    """One box, and what made it.

    Attributes:
        shape: (channels, *size), or (features,).
        layers: what made it, in words, in the order of running; empty for the input.
        times: how many volumes of this shape, one after the other, it stands for.
    """

    shape: tuple[int, ...]
    layers: tuple[str, ...] = ()
    times: int = 1


def volumes_of(found: Summary, depth: int | None = None) -> list[NetworkVolume]:
    """The input and what each layer makes of it, in the order of running; branches stand one after the other.

    A layer without arithmetic that keeps the shape (an activation, a norm) makes no new volume. Where there would be
    more than `FEW`, equal neighbours become one, and then what lies deeper in the network is left out.

    Args:
        depth: modules no deeper than this, each as one; None: as deep as fits.
    """
    deepest = max((row.depth for row in found.rows), default=0)
    if depth is not None:
        return _together(_volumes(found, depth))
    for at in range(deepest, 0, -1):
        volumes = _volumes(found, at)
        volumes = volumes if len(volumes) <= FEW else _together(volumes)
        if len(volumes) <= FEW:
            return volumes
    return volumes


def _volumes(found: Summary, depth: int) -> list[NetworkVolume]:
    volumes = [NetworkVolume(tuple(found.inputs[0][1:]))]
    for row in found.rows:
        if not (row.depth == depth or (row.innermost and row.depth < depth)) or len(row.outputs) != 1:
            continue
        shape = tuple(row.outputs[0][1:])
        if not shape:
            continue
        if shape == volumes[-1].shape and not row.macs:
            volumes[-1] = replace(volumes[-1], layers=(*volumes[-1].layers, row.type))
        else:
            volumes.append(NetworkVolume(shape, (_words(row),)))
    return volumes


def _together(volumes: Sequence[NetworkVolume]) -> list[NetworkVolume]:
    """Neighbours of the same shape, made by the same kind of layer, as one."""
    found: list[NetworkVolume] = []
    for one in volumes:
        before = found[-1] if found else None
        if before is not None and one.shape == before.shape and one.layers[:1] == before.layers[:1] != ():
            found[-1] = replace(before, times=before.times + 1)
        else:
            found.append(one)
    return found


def _words(row: Row) -> str:
    """A layer in the words of a figure: its type without its axes, its window and its stride."""
    kind = row.type
    for axes in ("1d", "2d", "3d"):
        kind = kind.removesuffix(axes)
    parts = row.options.split(", ")
    window = parts[0] if parts[0][:1].isdigit() else ""
    steps = [part for part in parts[1:] if part.startswith(("stride", "dilation", "groups"))]
    return " ".join([kind, window, *steps]).replace("  ", " ").strip()
