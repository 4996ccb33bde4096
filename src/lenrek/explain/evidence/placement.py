"""Where the features of a layer stand on the input: each at the centre of its receptive field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor, nn

from lenrek.errors import ModelError
from lenrek.explain.fields.form import Form
from lenrek.explain.fields.span import Span
from lenrek.explain.layer_field import LayerField, axis_field
from lenrek.explain.receptive import ReceptiveFields, receptive_field

_FIELDS: WeakKeyDictionary[nn.Module, dict[tuple[str, tuple[int, ...]], ReceptiveFields]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Placement:
    """A map's cells on the input.

    Attributes:
        centres: along each axis, in input samples and in ascending order; beyond the borders where a field's centre is.
        size: of the input.
        backwards: the axes along which the cells run the other way.
    """

    centres: tuple[tuple[float, ...], ...]
    size: tuple[int, ...]
    backwards: tuple[int, ...] = ()

    def __call__(self, cells: Tensor) -> Tensor:
        """(batch, *map_size) to (batch, *size): linear between the centres, constant beyond the outermost.

        Example:
            >>> Placement(((1.0, 3.0),), (5,))(torch.tensor([[2.0, 4.0]]))
            tensor([[2., 2., 3., 4., 4.]])
        """
        placed = cells
        for axis, (centres, n) in enumerate(zip(self.centres, self.size, strict=True)):
            weights = torch.from_numpy(_hats(centres, n)).to(cells)
            weights = weights.flip(1) if axis in self.backwards else weights
            placed = (placed.movedim(axis + 1, -1) @ weights.T).movedim(-1, axis + 1)
        return placed


def fields_of(network: nn.Module, x: Tensor) -> ReceptiveFields:
    """`receptive_field`, kept while the network lives and its description stays the same."""
    known = _FIELDS.setdefault(network, {})
    key = (repr(network), tuple(x.shape[1:]))
    if key not in known:
        known.clear()
        known[key] = receptive_field(network, x[:1])
    return known[key]


def find_placement(network: nn.Module, x: Tensor, layer: str, who: str) -> Placement:
    """Where the features of `layer` stand on samples like `x`.

    Raises:
        ModelError: no such layer, or one whose features see the whole input, or no single part of it each.
    Example:
        >>> find_placement(nn.Conv1d(1, 1, 5, stride=4), torch.zeros(1, 1, 20), "", "example").centres
        ((2.0, 6.0, 10.0, 14.0),)
    """
    return place_layer(fields_of(network, x)[layer], tuple(x.shape[2:]), who)


def place_layer(found: LayerField, size: tuple[int, ...], who: str) -> Placement:
    """As `find_placement`."""
    if len(found.shape) != len(size) + 2:
        raise ModelError(
            f"{who}: the output of layer {found.name!r} is {found.shape}, expected (batch, channels, *size) with "
            f"{len(size)} axes of positions, as the input has.\n  Hint: name a layer before it."
        )
    ascending, backwards = [], []
    for axis, span in enumerate(found.spans[0]):
        centres = _centres(found, span, axis, who)
        if len(centres) > 1 and centres[1] < centres[0]:
            centres = centres[::-1]
            backwards.append(axis)
        ascending.append(tuple(centres))
    return Placement(tuple(ascending), size, tuple(backwards))


def default_layer(network: nn.Module, x: Tensor, who: str) -> str:
    """The last module whose features have a place on the input: what the classifier pools.

    Raises:
        ModelError: there is none.
    """
    found = fields_of(network, x)
    modules = dict(network.named_modules())
    placeable: dict[str, LayerField] = {}
    for layer in found.layers:
        if layer.name.partition("#")[0] in modules and max(layer.shape[2:], default=1) > 1:
            try:
                place_layer(layer, tuple(x.shape[2:]), who)
            except ModelError:
                continue
            placeable[layer.name] = layer
    if not placeable:
        raise ModelError(
            f"{who}: no layer of {type(network).__name__} has features that stand at a place of the input; each sees "
            "all of it, or there are no axes of positions.\n  Hint: integrated gradients and occlusion need no layer."
        )
    name = next(reversed(placeable))
    while (outer := name.rpartition(".")[0]) in placeable and placeable[outer].shape == placeable[name].shape:
        name = outer  # the block or stage that ends with it
    return name


def _centres(found: LayerField, span: Span, axis: int, who: str) -> list[float]:
    """Of the fields of all features along one axis, in the features' order."""
    n, own = found.shape[axis + 2], axis + 2
    if n == 1:  # one cell stands for the whole axis
        return [(found.input_shapes[0][own] - 1) / 2]
    if isinstance(span.form, Form) and not span.unknown and span.form.moving == [own]:
        field = axis_field(span)
        if field.centre is not None and field.stride:
            return [float(field.centre + field.stride * p) for p in range(n)]
    if not span.unknown and not span.nothing and _varies_along(span, own):
        first, last = (ends.flatten().double() for ends in (span.first, span.last))
        middles = ((first + last) / 2).tolist()
        steps = np.diff(middles)
        if bool((first <= last).all()) and (bool((steps > 0).all()) or bool((steps < 0).all())):
            return middles
    field = axis_field(span)
    reason = {"whole": "each sees all of it", "part": "all see the same part", "none": "none sees it"}.get(field.kind)
    raise ModelError(
        f"{who}: the features of layer {found.name!r} have no place along axis {axis} of the input: "
        f"{reason or field.reason}.\n  Hint: name a layer before it."
    )


def _varies_along(span: Span, own: int) -> bool:
    """Whether what a feature sees is known for each index of one axis, and depends on no other."""
    shape = torch.broadcast_shapes(span.first.shape, span.last.shape)
    alone = all(n == 1 for axis, n in enumerate(shape) if axis != own)
    return alone and span.first.shape[own] == span.last.shape[own] == span.shape[own]


def _hats(centres: Sequence[float], n: int) -> np.ndarray:
    """(n, cells): how much each cell counts at each sample; every row sums to 1."""
    cells = np.eye(len(centres))
    return np.stack([np.interp(np.arange(n), centres, cell) for cell in cells], axis=1)
