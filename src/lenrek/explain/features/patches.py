"""What excites a feature most: pieces of real samples, cut by its exact receptive field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lenrek.data.shown import counted, shown
from lenrek.drawing.sheet import Row, Sheet
from lenrek.errors import DataError, OptionError
from lenrek.explain.evidence.network import check_count
from lenrek.explain.features.sample_tile import PADDING_WORDS, inside, sample_tile
from lenrek.explain.features.sees import sees
from lenrek.explain.features.stream import SampleStream
from lenrek.explain.layer_field import LayerField
from lenrek.explain.layer_outputs import LayerOutputs
from lenrek.explain.network_of import contract_of, plain_network
from lenrek.explain.receptive import receptive_field
from lenrek.explain.record import TraceError

WHO = "strongest_patches"
MOST_NAMED = 18  # letters of a sample's name under its patch


@dataclass(frozen=True, eq=False)
class Patch:
    """What one feature saw of one sample.

    Attributes:
        value: of the feature.
        index, name, label: of the sample; label is "" where there is none.
        position: of the feature in its map; () where it has none.
        box: what it sees along each axis of the sample, in samples: negative and beyond the end in the padding.
        sample: (channels, *size), all of it as it is stored.
    """

    value: float
    index: int
    name: str
    label: str
    position: tuple[int, ...]
    box: tuple[range, ...]
    sample: np.ndarray

    @property
    def values(self) -> np.ndarray:
        """(channels, *box) as stored, 0 in the padding."""
        cut = np.zeros((len(self.sample), *map(len, self.box)), self.sample.dtype)
        into, of = inside(self.box, self.sample.shape[1:])
        cut[(slice(None), *into)] = self.sample[(slice(None), *of)]
        return cut

    def to_dict(self) -> dict[str, Any]:
        return {
            "value": self.value, "sample": self.name, "label": self.label, "position": list(self.position),
            "box": [[one.start, one.stop - 1] for one in self.box],
        }  # fmt: skip


@dataclass(frozen=True, eq=False)
class Patches:
    """The strongest patches of some channels of a layer. A notebook shows `sheet()`.

    Attributes:
        layer: its name.
        found: for each channel its patches, the strongest first.
        samples: how many were gone through.
        note: why a patch is the whole sample, where the receptive field is not known.
    """

    layer: str
    found: dict[int, tuple[Patch, ...]]
    samples: int
    note: str

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, without the pictures."""
        channels = {str(channel): [patch.to_dict() for patch in found] for channel, found in self.found.items()}
        return {
            "layer": self.layer, "samples": self.samples, "channels": channels,
            **({"note": self.note} if self.note else {}),
        }  # fmt: skip

    def sheet(self, *, side: float = 72) -> Sheet:
        """A row for each channel. `side`: px of the longer side of a patch."""
        rows = []
        for channel, patches in self.found.items():
            tiles = [
                sample_tile(
                    patch.sample,
                    f"sample {patch.name}, where channel {channel} is {patch.value:.3g}",
                    (f"{patch.value:.3g}", _short(patch.label or patch.name)),
                    box=patch.box,
                    side=side,
                )
                for patch in patches
            ]
            never = ", never above 0" if patches and patches[0].value <= 0 else ""
            rows.append(Row(tiles, f"channel {channel}{never}"))
        what = f"What excites channels of {self.layer or 'the output'} most in {counted(self.samples, 'sample')}"
        size = "all that the feature can see" if not self.note else f"the whole sample ({self.note})"
        note = (
            f"Each patch is {size}, with the feature's value under it. These are extremes: they do not "
            f"tell what the feature does elsewhere. The middle of a patch counts most. {PADDING_WORDS}"
        )
        return Sheet(what, note, rows)

    def _repr_svg_(self) -> str:
        return self.sheet().to_svg()


def strongest_patches(
    model: Any,
    samples: Any,
    layer: str,
    channels: int | Sequence[int],
    k: int = 9,
    *,
    one_per_sample: bool = True,
    limit: int | None = None,
) -> Patches:
    """The k places in a data set at which a feature is largest, and what it sees there.

    The data are gone through once in batches, and the samples that were found are read again: memory does not grow with
    the data. Of equal values the first sample's counts, and in it the first position.

    Args:
        model: a network or a `lenrek.Classifier`, run in evaluation.
        samples: a source, what `lenrek.open_source` takes, or a tensor (samples, channels, *size) as the network takes
            it.
        layer: the module's path, with "#2" behind it its second run; "" is the output.
        channels: of the layer, one or several.
        k: patches for each channel.
        one_per_sample: at most one patch of each sample. False: the strongest places, wherever they are.
        limit: go through at most so many samples, evenly spaced.
    Raises:
        ModelError: no such layer.
        OptionError: no such channel.
        DataError: samples that cannot be read, or features that are not finite.
    Source: Zeiler & Fergus 2014, arXiv:1311.2901, §4.
    Example: a filter that looks for a step up finds it, where the signal goes from 1 to 5.
        >>> import torch
        >>> conv = torch.nn.Conv1d(1, 1, 2, bias=False)
        >>> _ = conv.weight.data.copy_(torch.tensor([[[-1.0, 1.0]]]))
        >>> x = torch.tensor([[[0.0, 1, 5, 5]], [[3.0, 2, 1, 2]]])
        >>> first, second = strongest_patches(torch.nn.Sequential(conv), x, "0", 0, k=2).found[0]
        >>> first.value, first.index, first.box, first.values.tolist()
        (4.0, 0, (range(1, 3),), [[1.0, 5.0]])
    """
    check_count("k", k, WHO)
    network = plain_network(model, WHO)
    stream = SampleStream(contract_of(model), samples, limit=limit, who=WHO)
    chosen = [channels] if isinstance(channels, int) else list(channels)
    best = [_Best(k) for _ in chosen]
    shape: tuple[int, ...] = ()
    gone_through = 0
    with LayerOutputs(network, [layer], who=WHO) as run:
        for index, x in stream:
            _, (features,) = run(x)
            shape = tuple(features.shape[1:])
            _check_channels(chosen, shape[0], layer)
            for channel, one in zip(chosen, best, strict=True):
                one.take(features[:, channel].reshape(len(x), -1).float().numpy(), index, one_per_sample, layer)
            gone_through += len(index)
    field, note = _field(network, stream.size, layer, shape)
    whole = tuple(range(n) for n in stream.size[1:])
    found = {}
    for channel, one in zip(chosen, best, strict=True):
        patches = []
        for value, number, flat in one.rows:
            position = tuple(int(at) for at in np.unravel_index(flat, shape[1:])) if shape[1:] else ()
            box = whole if field is None else sees(field, (channel, *position))
            stored = stream.stored(number)
            patches.append(
                Patch(value, number, stream.name(number), stream.label(number), position, box, stored)
            )  # fmt: skip
        found[channel] = tuple(patches)
    return Patches(layer, found, gone_through, note)


class _Best:
    """The k largest values seen so far; of equal ones those seen first."""

    def __init__(self, k: int) -> None:
        self.k = k
        self.rows: list[tuple[float, int, int]] = []  # value, sample, flat position; descending

    def take(self, values: np.ndarray, index: np.ndarray, one_per_sample: bool, layer: str) -> None:
        """Values (samples, positions) of the samples `index`."""
        if not np.isfinite(values).all():
            raise DataError(f"{WHO}: {layer or 'the output'!r} computes numbers that are not finite: are the weights?")
        each = 1 if one_per_sample else min(self.k, values.shape[1])
        at = values.argmax(1)[:, None] if each == 1 else np.argsort(-values, axis=1, kind="stable")[:, :each]
        top = np.take_along_axis(values, at, 1)
        rows = [
            (float(top[row, place]), int(index[row]), int(at[row, place])) for row, place in np.ndindex(*top.shape)
        ]  # fmt: skip
        self.rows = sorted(self.rows + rows, key=lambda row: -row[0])[: self.k]


def _field(
    network: Any, size: tuple[int, ...], layer: str, shape: tuple[int, ...]
) -> tuple[LayerField | None, str]:  # fmt: skip
    """What the layer's features see, or why that is not known."""
    try:
        field = receptive_field(network, size)[layer]
        sees(field, (0,) * len(shape))
    except (TraceError, OptionError) as error:
        return None, shown(str(error).partition("\n")[0].removeprefix("receptive_field: "))
    return field, ""


def _check_channels(chosen: Sequence[int], there: int, layer: str) -> None:
    for channel in chosen:
        if not 0 <= channel < there:
            raise OptionError(
                f"{WHO}: channel is {channel}, expected 0 to {there - 1}: {layer or 'the output'!r} has {there} "
                "channels."
            )
    if not chosen or len(set(chosen)) < len(chosen):
        raise OptionError(f"{WHO}: channels is {list(chosen)}, expected at least one, each once.")


def _short(text: str) -> str:
    text = shown(text)
    return text if len(text) <= MOST_NAMED else "…" + text[1 - MOST_NAMED :]
