"""Transforms of each value by itself: of bytes by a table per sample and channel, of others by the same formula."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from lenrek.data.augmentation.drawn import Drawn
from lenrek.kernels.recolour import recolour, sum_bytes, turn_colours

COLOURS = ("saturation", "hue")
OF_CHANNELS = ("autocontrast", "equalize")  # go by the values of each channel
LEVELS = 256


def recoloured(x: Tensor, drawn: Drawn, full_scale: float) -> Tensor:
    """x (batch, channels, *size) with other values; uint8 in place, others as new floats of full scale 1."""
    byvalue = any(name in drawn for name in VALUES)
    colours = _colours(drawn) if any(name in drawn for name in COLOURS) else None
    if x.dtype != torch.uint8:
        y = x.float() / full_scale
        if byvalue:
            y = _values(y.flatten(2), drawn, _means(x) / full_scale, y).view(x.shape)
        if colours is None:
            return y
        # One by one: how a value is rounded goes by its place in the tensor.
        return torch.cat([turn_colours(*pair, 1) for pair in zip(y.split(1), colours.split(1), strict=True)])
    tables = None
    if byvalue:
        channels = x.shape[1] if any(name in drawn for name in OF_CHANNELS) else 1
        start = torch.arange(LEVELS, dtype=torch.float32).expand(len(x), channels, -1) / 255
        means = sum_bytes(x) / (255 * max(x[0].numel(), 1)) if "contrast" in drawn else torch.zeros(len(x))
        found = _values(start, drawn, means, x)
        tables = found.mul_(255).clamp_(0, 255).add_(0.5).to(torch.uint8).expand(-1, x.shape[1], -1)
    return recolour(x, tables, colours)


def _colours(drawn: Drawn) -> Tensor:
    pale = 1 + drawn.signed("saturation") if "saturation" in drawn else np.ones(len(drawn.index))
    turn = drawn.signed("hue") if "hue" in drawn else np.zeros(len(drawn.index))
    return torch.from_numpy(np.stack([pale, turn], 1)).float()


def _means(x: Tensor) -> Tensor:
    return x.flatten(1).double().mean(1).float()


def _values(v: Tensor, drawn: Drawn, means: Tensor, x: Tensor) -> Tensor:
    """What becomes of the values v (batch, channels, number), full scale 1, of samples x with these mean values."""
    for name in VALUES:
        if name in drawn:
            # Only where it happens: a factor of 1 may still round, and a batch without it would not.
            on = torch.from_numpy(drawn.on(name)).reshape(-1, 1, 1)
            v = torch.where(on, CHANGES[name](v, drawn, means, x), v)
    return v


def _stretched(v: Tensor, drawn: Drawn, means: Tensor, x: Tensor) -> Tensor:
    scale = 255 if x.dtype == torch.uint8 else 1
    low, high = x.flatten(2).amin(2, keepdim=True) / scale, x.flatten(2).amax(2, keepdim=True) / scale
    return (v - low) / torch.where(high > low, high - low, 1.0)


def _contrasted(v: Tensor, drawn: Drawn, means: Tensor, x: Tensor) -> Tensor:
    middle = means.reshape(-1, 1, 1)
    return middle + (v - middle) * _column(1 + drawn.signed("contrast"))


def _gamma(v: Tensor, drawn: Drawn, means: Tensor, x: Tensor) -> Tensor:
    amount = drawn.amount["gamma"]
    direction = np.divide(drawn.signed("gamma"), amount, out=np.zeros_like(amount), where=amount > 0)
    exponent = _column((1 + amount) ** direction).double()
    return (torch.sign(v) * v.abs().double() ** exponent).float()


def _solarized(v: Tensor, drawn: Drawn, means: Tensor, x: Tensor) -> Tensor:
    return torch.where(v > 1 - _column(drawn.positive("solarize")), 1 - v, v)


def _posterized(v: Tensor, drawn: Drawn, means: Tensor, x: Tensor) -> Tensor:
    step = 2 ** _column(np.rint(drawn.positive("posterize")))
    return torch.floor(v.clamp(0, 1) * 255 / step + 1e-4) * step / 255


def _column(values: np.ndarray) -> Tensor:
    return torch.from_numpy(values).float().reshape(-1, 1, 1)


def _equalised(v: Tensor, drawn: Drawn, means: Tensor, x: Tensor) -> Tensor:
    """The share of a channel's values that are no larger, from the smallest, which becomes 0, to the largest, 1."""
    found = v.clone()
    for place in np.flatnonzero(np.repeat(drawn.on("equalize"), v.shape[1])).tolist():
        value, sample = found.flatten(0, 1)[place], x.flatten(2).flatten(0, 1)[place]
        if x.dtype == torch.uint8:
            counts = torch.from_numpy(np.bincount(sample.numpy(), minlength=LEVELS).cumsum()).float()
            first = counts[counts > 0][0]
            if len(sample) > first:
                value.copy_(((counts - first) / (len(sample) - first)).clamp(min=0))
            continue
        ordered = sample.sort().values
        larger = torch.searchsorted(ordered, value.contiguous(), right=True).float()
        first = torch.searchsorted(ordered, ordered[:1], right=True).float()
        if len(ordered) > first:
            value.copy_((larger - first) / (len(ordered) - first))
    return found


CHANGES: dict[str, Callable[[Tensor, Drawn, Tensor, Tensor], Tensor]] = {
    "autocontrast": _stretched,
    "equalize": _equalised,
    "contrast": _contrasted,
    "brightness": lambda v, drawn, means, x: v * _column(1 + drawn.signed("brightness")),
    "gamma": _gamma,
    "solarize": _solarized,
    "posterize": _posterized,
    "gain": lambda v, drawn, means, x: v * _column(10 ** (drawn.signed("gain") / 20)),
}
VALUES = tuple(CHANGES)  # in the order in which they happen
