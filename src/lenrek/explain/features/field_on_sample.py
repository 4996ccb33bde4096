"""One feature's receptive field on the sample that it looks at: what it can see, and what moves it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from markupsafe import Markup

from lenrek.drawing.pictures import png_source
from lenrek.drawing.sheet import Row, Sheet
from lenrek.drawing.svg import element, path
from lenrek.drawing.tile import Tile, image_tile
from lenrek.errors import OptionError
from lenrek.explain.effective import EffectiveField, effective_receptive_field
from lenrek.explain.features.maps import one_sample
from lenrek.explain.features.sample_tile import PADDING_WORDS, sample_tile, shades
from lenrek.explain.features.sees import sees
from lenrek.explain.network_of import plain_network
from lenrek.explain.receptive import receptive_field
from lenrek.explain.up_to import up_to
from lenrek.ops.mode import in_mode

WHO = "field_on_sample"
HEAT = (214, 69, 32)
BOX_STYLE = "fill:none;stroke:#1fa2ff;stroke-width:2;vector-effect:non-scaling-stroke"
BEYOND_STYLE = BOX_STYLE + ";stroke-dasharray:4 3"
PLANES = ("across axis 1", "across axis 2", "across axis 3")


@dataclass(frozen=True, eq=False)
class FieldOnSample:
    """A notebook shows `sheet()`.

    Attributes:
        layer, channel, position: of the feature; `value`, what it is on this sample.
        box: what it sees of the sample, exactly, along each axis.
        reach: the same as if the sample had no borders: beyond it lies padding.
        effective: how much every sample of the input moves the feature.
        sample: (channels, *size), as it is drawn.
    """

    layer: str
    channel: int
    position: tuple[int, ...]
    value: float
    box: tuple[range, ...]
    reach: tuple[range, ...]
    effective: EffectiveField
    sample: np.ndarray

    def to_dict(self) -> dict[str, Any]:
        return {
            "layer": self.layer, "channel": self.channel, "position": list(self.position), "value": self.value,
            "box": [[one.start, one.stop - 1] for one in self.box],
            "reach": [[one.start, one.stop - 1] for one in self.reach],
            "effective": self.effective.to_dict(),
        }  # fmt: skip

    def sheet(self, *, side: float = 320) -> Sheet:
        """The sample with the field on it; of a volume the three planes through the field's middle."""
        size = " × ".join(str(len(one)) for one in self.box)
        title = f"What channel {self.channel} of {self.layer or 'the output'} sees at {self.position}"
        note = (
            f"Blue: the {size} samples that it can see at all, exactly. Red: how much each moves it here, the square "
            f"root of its gradient's magnitude. {_beyond(self.box, self.reach)}Its value: {self.value:.3g}."
        )
        note += f" {self.effective.note[:1].upper()}{self.effective.note[1:]}." if self.effective.note else ""
        caption = (f"{self.value:.3g}",)
        axes = self.sample.ndim - 1
        if axes == 3:
            tiles = [self._plane(axis, side / 2) for axis in range(3)]
        else:
            frame = [
                range(min(0, one.start), max(n, one.stop))
                for one, n in zip(self.reach, self.sample.shape[1:], strict=True)
            ]
            over = self._over_signal() if axes == 1 else self._over_image()
            x, y = -frame[-1].start, 0 if axes == 1 else -frame[0].start
            moved = [element("g", *over, transform=f"translate({x} {y})")]
            tiles = [sample_tile(self.sample, title, caption, box=frame, side=side, over=moved)]
        if axes == 1:  # a signal has room
            tiles = [Tile(tiles[0].picture, 3 * side, side / 2, title, caption)]
        return Sheet(title, note, [Row(tiles)])

    def _repr_svg_(self) -> str:
        return self.sheet().to_svg()

    def _strength(self) -> np.ndarray:
        """0 to 1 on every sample."""
        magnitude = self.effective.magnitude
        return np.sqrt(magnitude / (magnitude.max() or 1.0))

    def _over_image(self) -> list[Markup]:
        return _heat(self._strength()) + _boxes(self.box, self.reach)

    def _over_signal(self) -> list[Markup]:
        (box,), strength = self.box, self._strength()
        heat = path(
            [(0, 100.0), *((at + 0.5, 100 - 95 * one) for at, one in enumerate(strength)), (len(strength), 100.0)], True
        )
        beyond = self.reach[0]
        frames = [
            element("rect", x=one.start, y=1, width=len(one), height=98, style=style)
            for one, style in ((box, BOX_STYLE), (beyond, BEYOND_STYLE))
            if style == BOX_STYLE or one != box
        ]
        return [element("path", d=heat, style=f"fill:rgb{HEAT};fill-opacity:.35"), *frames]

    def _plane(self, axis: int, side: float) -> Tile:
        at = (self.box[axis].start + self.box[axis].stop) // 2
        plane = np.take(shades(self.sample), at, axis)
        rest = [place for place in range(3) if place != axis]
        box = tuple(self.box[i] for i in rest)
        over = _heat(np.take(self._strength(), at, axis)) + _boxes(box, box)
        return image_tile(plane, f"plane {at} {PLANES[axis]}", (f"plane {at} {PLANES[axis]}",), side=side, over=over)


def field_on_sample(
    model: Any,
    x: Any,
    layer: str,
    channel: int,
    position: Sequence[int] | None = None,
    *,
    shown: np.ndarray | None = None,
) -> FieldOnSample:
    """What one feature can see of a sample, and what of it moves the feature.

    Args:
        model: a network or a `lenrek.Classifier`.
        x: one sample (channels, *size), or (1, channels, *size), as the network takes it.
        layer: the module's path, with "#2" behind it its second run.
        channel: of the layer.
        position: in its map; by default where the channel is largest.
        shown: the sample as it is to be drawn, (channels, *size); by default x.
    Raises:
        ModelError: no such layer.
        OptionError: no such channel or position, or nothing is known of what the layer sees.
    Example:
        >>> net = torch.nn.Sequential(torch.nn.Conv2d(1, 2, (3, 5), padding=1))
        >>> x = torch.ones(1, 8, 9)
        >>> found = field_on_sample(net, x, "0", 1, (0, 2))
        >>> found.box, found.reach
        ((range(0, 2), range(1, 6)), (range(-1, 2), range(1, 6)))
    """
    network = plain_network(model, WHO)
    sample = one_sample(network, x, WHO)
    sample = sample.to(next((p.device for p in network.parameters()), sample.device))
    with in_mode(network, training=False), torch.no_grad():
        values = up_to(network, layer, sample, WHO)[0].float().cpu().numpy()
    if not 0 <= channel < len(values):
        raise OptionError(f"{WHO}: channel is {channel}, expected 0 to {len(values) - 1}.")
    if position is None:
        at = tuple(int(i) for i in np.unravel_index(values[channel].argmax(), values.shape[1:]))
    else:
        at = tuple(position)
    measured = effective_receptive_field(network, sample, layer or None, channel=channel, position=at)
    field = receptive_field(network, sample)[layer]
    box, reach = field.box((channel, *at)), sees(field, (channel, *at))
    drawn = sample[0].cpu().numpy() if shown is None else shown
    return FieldOnSample(layer, channel, at, float(values[(channel, *at)]), box, reach, measured, drawn)


def _heat(strength: np.ndarray) -> list[Markup]:
    """Red, the more opaque the stronger."""
    pixels = np.zeros((*strength.shape, 4), np.uint8)
    pixels[..., :3] = HEAT
    pixels[..., 3] = np.rint(200 * strength)
    rows, columns = strength.shape
    style = "image-rendering:pixelated"
    return [element("image", href=png_source(pixels), width=columns, height=rows, style=style)]


def _boxes(box: tuple[range, ...], reach: tuple[range, ...]) -> list[Markup]:
    styled = [(box, BOX_STYLE), *([(reach, BEYOND_STYLE)] if reach != box else [])]
    return [
        element("rect", x=columns.start, y=rows.start, width=len(columns), height=len(rows), style=style)
        for (rows, columns), style in styled
    ]


def _beyond(box: tuple[range, ...], reach: tuple[range, ...]) -> str:
    return "" if reach == box else f"Dashed: where it goes on into the padding. {PADDING_WORDS} "
