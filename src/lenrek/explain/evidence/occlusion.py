"""Occlusion: by how much the score of a class falls when a part of the input is covered."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import ceil
from typing import Any

import torch
from torch import Tensor

from lenrek.errors import OptionError
from lenrek.explain.evidence.integrated_gradients import read_baseline
from lenrek.explain.evidence.network import check_count, looked_into, samples_for, scores_of
from lenrek.explain.evidence.result import Evidence
from lenrek.explain.evidence.target import Target, classes_of, read_target
from lenrek.explain.network_of import plain_network
from lenrek.geometry.axes import is_integer

WHO = "occlusion"
SHARES = {1: 32, 2: 8}  # of each axis, by the number of axes, is a window by default
LEAST_SHARE = 4  # of three axes: there are many windows


def occlusion(
    model: Any,
    x: Any,
    target: Target = None,
    *,
    window: int | Sequence[int] | None = None,
    stride: int | Sequence[int] | None = None,
    baseline: float | Tensor = 0.0,
    batch_size: int = 32,
) -> Evidence:
    """A window moves over the input and covers all of its channels; the score's fall is what the covered part is worth.

    As many forward passes as there are windows. The last window along an axis is cut off at the border.

    Args:
        model, x, target: as for `grad_cam`.
        window: its size in samples, one for all axes or one for each; by default a 32nd of a signal, an
            eighth of each axis of an image, a fourth of each axis of a volume.
        stride: from window to window; by default half of the window.
        baseline: what covers, as for `integrated_gradients`.
        batch_size: covered inputs at once.
    Returns:
        `cells`: for every window how much the score falls. `values`: at every sample the mean over the windows that
        cover it; below zero the class gains by what is covered.
    Raises:
        OptionError: windows larger than the input, or with gaps between them; no such class.
        ShapeError: samples that the network does not take, or a baseline of another size.
    Source: Zeiler & Fergus 2014, arXiv:1311.2901, §4.2.
    Example: of a network that adds its inputs up, each window is worth what it covers.
        >>> from torch import nn
        >>> found = occlusion(nn.Flatten(), torch.tensor([[[1.0, 2.0, 3.0]]]), target=1, window=1, stride=1)
        >>> found.values
        tensor([[0., 2., 0.]])
    """
    check_count("batch_size", batch_size, WHO)
    network = plain_network(model, WHO)
    with looked_into(network), torch.no_grad():
        samples = samples_for(network, x, WHO)
        cover = read_baseline(baseline, samples, WHO)
        size = tuple(samples.shape[2:])
        share = SHARES.get(len(size), LEAST_SHARE)
        windows = _per_axis("window", window, tuple(max(1, n // share) for n in size), size)
        strides = _per_axis("stride", stride, tuple(max(1, n // 2) for n in windows), windows)
        scores = scores_of(network, samples, WHO)
        chosen = read_target(target, scores, classes_of(model), WHO)
        score = scores.gather(1, chosen[:, None])[:, 0]
        counts = tuple(ceil((n - w) / s) + 1 for n, w, s in zip(size, windows, strides, strict=True))
        boxes = [
            tuple(slice(p * s, p * s + w) for p, s, w in zip(place, strides, windows, strict=True))
            for place in product(*map(range, counts))
        ]
        cells, values = [], []
        covered = torch.zeros(size, dtype=score.dtype)
        for box in boxes:
            covered[box] += 1
        for one, under, at, whole in zip(samples, cover, chosen.tolist(), score, strict=True):
            falls: list[float] = []
            for first in range(0, len(boxes), batch_size):
                part = boxes[first : first + batch_size]
                batch = one.repeat(len(part), *[1] * one.ndim)
                for place, box in enumerate(part):
                    batch[(place, slice(None), *box)] = under[(slice(None), *box)]
                falls += (whole - scores_of(network, batch, WHO)[:, at]).tolist()
            summed = torch.zeros(size, dtype=score.dtype)
            for box, fall in zip(boxes, falls, strict=True):
                summed[box] += fall
            cells.append(torch.tensor(falls, dtype=score.dtype).reshape(counts))
            values.append(summed / covered)
    centres = tuple(
        tuple((p * s + min(p * s + w, n) - 1) / 2 for p in range(count))
        for n, w, s, count in zip(size, windows, strides, counts, strict=True)
    )
    return Evidence("occlusion", "", chosen.cpu(), score.cpu(), torch.stack(cells), torch.stack(values), centres)


def _per_axis(name: str, given: Any, default: tuple[int, ...], most: tuple[int, ...]) -> tuple[int, ...]:
    if given is None:
        return default
    each = [given] * len(most) if is_integer(given) else list(given)
    if len(each) != len(most) or not all(is_integer(n) and 1 <= n <= top for n, top in zip(each, most, strict=True)):
        larger = "the input" if name == "window" else "the window, which would leave gaps"
        raise OptionError(
            f"{WHO}: {name} is {given!r}, expected one whole number for each of {len(most)} axes (or one for all), "
            f"each from 1 to {most}: no larger than {larger}."
        )
    return tuple(map(int, each))
