"""The effective receptive field: how much each input within the field really moves a feature, measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lenrek.errors import DataError, OptionError
from lenrek.explain.effective_fit import Fit, fitted
from lenrek.explain.inputs import InputSize, inputs_of
from lenrek.explain.receptive import receptive_field
from lenrek.explain.up_to import up_to
from lenrek.ops.mode import in_mode

WHO = "effective_receptive_field"
RANDOM_SAMPLES = 16  # where no data are given


@dataclass(frozen=True, eq=False)
class EffectiveField:
    """What a feature is moved by.

    Attributes:
        layer: its name; "" is the network's output.
        position: (row, column) of the feature, or however many axes the layer has.
        magnitude: the gradient's absolute value at every position of the input, averaged over samples and channels.
        box: the inputs that the feature can see at all, by `receptive_field`; None where that is not known.
        samples: over how many the average goes.
        fit: a Gaussian, axis by axis; None where the gradient is zero everywhere, as behind dead rectifiers.
    """

    layer: str
    position: tuple[int, ...]
    magnitude: np.ndarray
    box: tuple[range, ...] | None
    samples: int
    fit: Fit | None

    @property
    def note(self) -> str:
        """What is to be said of a measurement that shows nothing."""
        if self.fit is not None:
            return ""
        return "the gradient is zero everywhere: nothing in these samples moves the feature (dead rectifiers do that)"

    def to_dict(self) -> dict[str, Any]:
        """JSON-ready, without the picture."""
        box = None if self.box is None else [[one.start, one.stop - 1] for one in self.box]
        fit = {} if self.fit is None else self.fit.to_dict()
        return {
            "layer": self.layer, "position": list(self.position), "samples": self.samples, "box": box,
            **fit, **({"note": self.note} if self.note else {}),
        }  # fmt: skip

    def __str__(self) -> str:
        name = self.layer or "the output"
        if self.fit is None:
            return f"{name}{list(self.position)}: {self.note}"
        sds = " × ".join(f"{sd:.1f}" for sd in self.fit.sd)
        box = "" if self.box is None else f" of {' × '.join(str(len(one)) for one in self.box)} that it can see"
        return (
            f"{name}{list(self.position)}: standard deviation {sds}; effective size {self.fit.effective_size:.1f} "
            f"samples per axis{box}; mean of {self.samples} samples"
        )


def effective_receptive_field(
    model: nn.Module,
    x: Tensor | InputSize | None = None,
    layer: str | None = None,
    *,
    channel: int | None = None,
    position: Sequence[int] | None = None,
    samples: int = RANDOM_SAMPLES,
    seed: int = 0,
) -> EffectiveField:
    """How much every input moves one feature of `model`: the mean magnitude of its gradient, with a Gaussian fit.

    Args:
        model: any network with one input, run in evaluation on its own device; neither its weights nor their gradients
            are changed.
        x: real samples (batch, channels, *size); or (channels, *size) for standard normal ones; by default of the size
            in the model's contract.
        layer: the module's path, with "#2" behind it its second run; by default the network's output.
        channel: of the layer's output; by default all, each sample with random signs, so that channels do not cancel.
        position: (row, column), or as many as the layer has axes after batch and channels; by default the centre.
        samples: random samples, where no real ones are given.
        seed: of random samples and signs.
    Raises:
        OptionError: no such layer, channel or position.
        DataError: samples with other than finite values, or a gradient that is not finite.
    Source: Luo, Li, Urtasun & Zemel 2016, arXiv:1701.04128.
    Example: of stacked convolutions the field is smaller than what the feature can see, and grows with their root.
        >>> _ = torch.manual_seed(0)
        >>> layers = [nn.Conv2d(4, 4, 3, padding=1, bias=False) for _ in range(6)]
        >>> found = effective_receptive_field(nn.Sequential(*layers), (4, 33, 33))
        >>> [len(one) for one in found.box], bool(found.fit.effective_size < 13)
        ([13, 13], True)
    """
    generator = torch.Generator().manual_seed(seed)
    given = _samples(model, x, samples, generator)
    layer = layer or ""
    if layer.partition("#")[0] not in dict(model.named_modules()):
        receptive_field(model, given[:1])[layer]  # says which there are
        raise OptionError(f"{WHO}: layer {layer!r} is an operator, expected a module.")
    total = torch.zeros(given.shape[2:] if given.ndim > 2 else given.shape[1:], dtype=torch.float64)
    place: tuple[int, ...] = ()
    with in_mode(model, training=False), torch.enable_grad():
        for sample in given.split(1):  # one by one: a gradient's memory is that of one sample
            sample = sample.detach().clone().requires_grad_()
            output = up_to(model, layer, sample, WHO)
            place = _position(output, position)
            signal = _signal(output, channel, place, generator)
            (gradient,) = torch.autograd.grad(output, sample, signal, allow_unused=True)
            if gradient is not None:
                total += _over_channels(gradient.detach().abs().double().cpu())
    magnitude = (total / len(given)).numpy()
    if not np.isfinite(magnitude).all():
        raise DataError(f"{WHO}: the gradient of {layer or 'the output'!r} is not finite: are the weights?")
    return EffectiveField(layer, place, magnitude, _box(model, given[:1], layer, place), len(given), fitted(magnitude))


def _samples(model: nn.Module, x: Tensor | InputSize | None, samples: int, generator: torch.Generator) -> Tensor:
    parameter = next((p for p in model.parameters() if p.is_floating_point()), torch.empty(0))
    if isinstance(x, Tensor):
        if x.ndim < 2 or not len(x) or not x.is_floating_point():
            raise OptionError(
                f"{WHO}: x is {tuple(x.shape)} of {x.dtype}, expected floating (batch, channels, *size) "
                "of at least one sample."
            )
        if not bool(torch.isfinite(x).all()):
            raise DataError(f"{WHO}: x has values that are not finite.")
        return x.to(parameter.device, parameter.dtype)
    inputs = inputs_of(model, x, who=WHO)
    if len(inputs) != 1:
        raise OptionError(f"{WHO}: sizes of {len(inputs)} inputs, expected one.")
    if samples < 1:
        raise OptionError(f"{WHO}: samples is {samples}, expected at least 1.")
    drawn = torch.randn(samples, *inputs[0].shape[1:], generator=generator)
    return drawn.to(parameter.device, parameter.dtype)


def _position(output: Tensor, position: Sequence[int] | None) -> tuple[int, ...]:
    sizes = output.shape[2:]
    if position is None:
        return tuple(n // 2 for n in sizes)
    if len(position) != len(sizes) or not all(0 <= at < n for at, n in zip(position, sizes, strict=True)):
        raise OptionError(
            f"{WHO}: position is {tuple(position)}, expected one for each axis of the layer's output, below "
            f"{tuple(sizes)}."
        )
    return tuple(position)


def _signal(output: Tensor, channel: int | None, place: tuple[int, ...], generator: torch.Generator) -> Tensor:
    signal = torch.zeros_like(output)
    channels = output.shape[1] if output.ndim > 1 else 1
    if channel is not None:
        if not 0 <= channel < channels:
            raise OptionError(f"{WHO}: channel is {channel}, expected 0 to {channels - 1}.")
        signal[(0, channel, *place)] = 1
        return signal
    signs = torch.randint(0, 2, (channels,), generator=generator) * 2 - 1
    feature = signal[0] if output.ndim > 1 else signal  # a view: in the end of the channels at the position
    for at in place:
        feature = feature.select(1, at)
    feature.copy_(signs)
    return signal


def _over_channels(gradient: Tensor) -> Tensor:
    """(1, channels, *size) → *size."""
    return gradient[0].mean(0) if gradient.ndim > 2 else gradient[0]


def _box(model: nn.Module, x: Tensor, layer: str, place: tuple[int, ...]) -> tuple[range, ...] | None:
    """What the feature can see at all, where the network's operators tell."""
    try:
        return receptive_field(model, x).box(place, layer)
    except OptionError:
        return None
