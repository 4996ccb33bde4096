"""What a feature sees of a sample, and beyond its borders."""

from __future__ import annotations

from collections.abc import Sequence

from lenrek.errors import OptionError
from lenrek.explain.layer_field import LayerField


def sees(field: LayerField, position: Sequence[int]) -> tuple[range, ...]:
    """What a feature sees, on into the padding, where borders cut it.

    Within the borders it is exact, for each channel: where branches meet, some channels see less than others. How far
    it goes beyond them is taken from the same channel's feature in the middle of the map.

    Args:
        position: the channel, and the place in the map.
    """
    exact = field.box(position)
    middle = (position[0], *(n // 2 for n in field.shape[2:]))
    try:
        free, free_middle = field.box(position, clipped=False), field.box(middle, clipped=False)
    except OptionError:  # no formula without borders
        return exact
    found = []
    sizes = field.input_shapes[0][2:] or field.input_shapes[0][1:]
    for seen, beyond, inner, wide, n in zip(exact, free, field.box(middle), free_middle, sizes, strict=True):
        first, stop = seen.start, seen.stop
        if first == 0:
            first = min(0, beyond.start + (inner.start - wide.start if inner.start else 0))
        if stop == n:
            stop = max(n, beyond.stop - (wide.stop - inner.stop if inner.stop < n else 0))
        found.append(range(first, stop))
    return tuple(found)
