"""A network as boxes in a row: the volumes between its layers, with their sizes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from torch import nn

from lenrek.drawing.scene.drawing import Drawing
from lenrek.drawing.scene.shapes import Box, Line, Said, Scene, Shape, width_of, words
from lenrek.explain.inputs import InputSize
from lenrek.explain.network_volumes import NetworkVolume, volumes_of
from lenrek.explain.summary import summary

if TYPE_CHECKING:
    from torch import Tensor

MARGIN, GAP = 24, 26
TALLEST, THICKEST, LEAST = 170.0, 56.0, 4.0  # px: the largest side, the most channels, and anything at all
VECTOR = 10.0  # px: the width of a box without axes
MANY = 1024  # features that a vector needs to be as tall as the tallest volume
SLANT = (0.42, -0.42)  # px right and up, for each px of depth
SIZE, SMALL = 15.0, 13.0
NOTE = "Sides are as long as the square roots of their sizes, channels as thick as theirs."


def draw_network(
    model: nn.Module,
    input_size: InputSize | Tensor | Sequence[Tensor] | None = None,
    *,
    depth: int | None = None,
    title: str | None = None,
) -> Drawing:
    """Draw the volumes of a network as boxes in a row, with their sizes and the layers that make them.

    Heights are the rows (of a signal its samples), depths the columns, thickness the channels, each as the square root,
    so that 224 and 7 both fit. Of a volume with three axes the first is written only. Vectors are thin bars.

    Args:
        model, input_size: as for `summary`.
        depth: modules no deeper than this, each as one box; None: as deep as 16 boxes allow.
        title: above the picture; None: the network's type; "": none.
    Raises:
        TraceError: the network does not run on such an input.
    Example:
        >>> drawn = draw_network(nn.Sequential(nn.Conv2d(1, 6, 5), nn.ReLU(), nn.MaxPool2d(2)), (1, 28, 28))
        >>> [volume["shape"] for volume in drawn.record["volumes"]]
        [[1, 28, 28], [6, 24, 24], [6, 12, 12]]
    """
    found = summary(model, input_size)
    volumes = volumes_of(found, depth)
    name = found.type if title is None else title
    record = {
        "network": found.type,
        "volumes": [{"shape": list(v.shape), "layers": list(v.layers), "times": v.times} for v in volumes],
        "scale": NOTE,
        "parameters": found.totals.parameters + found.totals.frozen,
        "macs": found.totals.macs,
    }
    return Drawing(lambda _: _scene(volumes, name), 1, 0, "draw_network", record)


def _scene(volumes: Sequence[NetworkVolume], title: str) -> Scene:
    scale = _Scale(volumes)
    boxes = [_Solid(one, scale) for one in volumes]
    top = MARGIN + (34 if title else 0)
    floor = top + max(box.height - box.depth * SLANT[1] for box in boxes)
    x, places = float(MARGIN), []
    for box in boxes:
        places.append(x + max(0.0, (box.label_width - box.width) / 2))
        x += max(box.width, box.label_width) + GAP
    lines = max(len(box.labels) for box in boxes)
    bottom = floor + 20 + lines * SIZE * 1.4
    width = max(x - GAP + MARGIN, 2 * MARGIN + width_of(title, 18), 2 * MARGIN + width_of(NOTE, SMALL))
    told = "; ".join(" ".join(piece for line in box.labels for piece in [line]) for box in boxes)
    scene = Scene(width, bottom + 26 + MARGIN / 2, f"{title or 'Network'}: {told}.")
    if title:
        scene.over.append(words(MARGIN, MARGIN + 8, title, "ink", size=18, anchor="start", bold=True))
    for box, left in zip(boxes, places, strict=True):
        middle = floor - (floor - top) / 2
        scene.under.extend(box.faces(left, middle + (box.height - box.depth * SLANT[1]) / 2))
        for number, line in enumerate(box.labels):
            role, bold = ("ink", True) if not number else ("soft", False)
            y = floor + 22 + number * SIZE * 1.4
            size = SIZE if not number else SMALL
            scene.over.append(words(left + box.width / 2, y, (Said(line, role),), role, size=size, bold=bold))
    scene.over.append(words(MARGIN, bottom + 14, NOTE, "faint", size=SMALL, anchor="start"))
    return scene


class _Scale:
    """px for the square root of one sample, one channel and one feature."""

    def __init__(self, volumes: Sequence[NetworkVolume]) -> None:
        sides = [n for one in volumes if len(one.shape) > 1 for n in one.shape[1:][-2:]]
        channels = [one.shape[0] for one in volumes if len(one.shape) > 1]
        features = [one.shape[0] for one in volumes if len(one.shape) == 1]
        self._side = TALLEST / max(sides, default=1) ** 0.5
        self._channel = THICKEST / max(channels, default=1) ** 0.5
        self._feature = TALLEST / max([MANY, *features]) ** 0.5

    def side(self, n: int) -> float:
        return max(LEAST, self._side * n**0.5)

    def channels(self, n: int) -> float:
        return max(LEAST, self._channel * n**0.5)

    def features(self, n: int) -> float:
        return max(LEAST, self._feature * n**0.5)


class _Solid:
    """A box: its front is as wide as it has channels and as high as it has rows, its depth are the columns."""

    def __init__(self, volume: NetworkVolume, scale: _Scale) -> None:
        channels, *size = volume.shape
        if not size:
            self.front, self.height, self.depth = VECTOR, scale.features(channels), 0.0
        else:
            self.front, self.depth = scale.channels(channels), scale.side(size[-1]) if len(size) > 1 else 0.0
            self.height = scale.side(size[-2] if len(size) > 1 else size[0])
        self.width = self.front + self.depth * SLANT[0]
        self.labels = [str(channels), *([" × ".join(map(str, size))] if size else []), *_wrapped(volume)]
        sizes = [SIZE, *[SMALL] * (len(self.labels) - 1)]
        self.label_width = max(width_of(text, size) for text, size in zip(self.labels, sizes, strict=True))

    def faces(self, x: float, bottom: float) -> Iterator[Shape]:
        top, right, away = bottom - self.height, x + self.front, (self.depth * SLANT[0], self.depth * SLANT[1])
        if self.depth:
            over = ((x, top), (right, top), (right + away[0], top + away[1]), (x + away[0], top + away[1]))
            side = (
                (right, top),
                (right, bottom),
                (right + away[0], bottom + away[1]),
                (right + away[0], top + away[1]),
            )
            yield Line(role="volume-top", points=over, closed=True)
            yield Line(role="volume-side", points=side, closed=True)
        yield Box(role="volume", x=x, y=top, width=self.front, height=self.height)


def _wrapped(volume: NetworkVolume) -> list[str]:
    """What made the volume: the layer, its options, and how often."""
    if not volume.layers:
        return ["input"]
    kind, *rest = volume.layers[0].split(" ")
    times = f"{volume.times} × " if volume.times > 1 else ""
    lines = [times + kind]
    text = " ".join(rest)
    for option in ("stride", "dilation", "groups"):
        text = text.replace(f" {option}", f"\n{option}")
    return [*lines, *filter(None, text.split("\n"))]
