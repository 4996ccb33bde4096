"""Integrated gradients: the change of a score from nothing to the input, divided among the input's samples."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from lenrek.errors import ModelError, ShapeError
from lenrek.explain.evidence.network import check_count, looked_into, samples_for, scores_of
from lenrek.explain.evidence.result import Evidence
from lenrek.explain.evidence.target import Target, classes_of, read_target
from lenrek.explain.network_of import plain_network

WHO = "integrated_gradients"


def integrated_gradients(
    model: Any,
    x: Any,
    target: Target = None,
    *,
    baseline: float | Tensor = 0.0,
    steps: int = 50,
    batch_size: int = 32,
) -> Evidence:
    """Integrated gradients: (x − baseline) · the mean gradient on the straight way from the baseline to x.

    The integral is taken by Gauss and Legendre's rule. All values together should be the change of the score; `gap` is
    what is missing, and a gap that is not small asks for more steps.

    Args:
        model, x, target: as for `grad_cam`.
        baseline: what counts as nothing, normalised as x: a number, or (channels, *size), or as x. The default 0 is the
            mean of the training data; black is −mean / std.
        steps: points on the way.
        batch_size: of them at once.
    Returns:
        `channels` are the values of every number of the input, `values` their sums over the channels; values below
        zero speak against the class.
    Raises:
        ModelError: the scores have no gradient.
        ShapeError: a baseline of another size, or samples that the network does not take.
        OptionError: no such class; no steps.
    Source: Sundararajan, Taly & Yan 2017, arXiv:1703.01365, §3.
    Example: of a linear network the values are weight times input.
        >>> net = nn.Sequential(nn.Flatten(), nn.Linear(3, 1, bias=False))
        >>> _ = net[1].weight.data.copy_(torch.tensor([[2.0, 0.0, -1.0]]))
        >>> integrated_gradients(net, torch.tensor([[[1.0, 5.0, 3.0]]])).values
        tensor([[ 2.,  0., -3.]])
    """
    check_count("steps", steps, WHO)
    check_count("batch_size", batch_size, WHO)
    network = plain_network(model, WHO)
    with looked_into(network):
        samples = samples_for(network, x, WHO)
        start = read_baseline(baseline, samples, WHO)
        with torch.no_grad():
            scores, empty = scores_of(network, samples, WHO), scores_of(network, start, WHO)
        chosen = read_target(target, scores, classes_of(model), WHO)
        score = scores.gather(1, chosen[:, None])[:, 0]
        wide = scores.dtype
        mean = torch.stack([
            _mean_gradient(network, one, zero, at, steps, batch_size)
            for one, zero, at in zip(samples, start, chosen.tolist(), strict=True)
        ])  # fmt: skip
        channels = (mean.to(wide) * (samples.to(wide) - start.to(wide))).cpu()
        change = (score - empty.gather(1, chosen[:, None])[:, 0]).cpu()
    values = channels.sum(1)
    gap = values.flatten(1).sum(1) - change
    return Evidence("integrated-gradients", "", chosen.cpu(), score.cpu(), values, values, (), channels, gap)


def read_baseline(baseline: float | Tensor, x: Tensor, who: str, name: str = "baseline") -> Tensor:
    """A baseline for each sample of `x`, in its type.

    Raises:
        ShapeError: of another size.
    """
    given = torch.as_tensor(baseline).to(x)
    try:
        return given.expand_as(x)
    except RuntimeError:
        raise ShapeError(
            f"{who}: {name} is {tuple(given.shape)}, expected a number, {tuple(x.shape[1:])} or {tuple(x.shape)}."
        ) from None


def _mean_gradient(network: nn.Module, x: Tensor, start: Tensor, at: int, steps: int, batch_size: int) -> Tensor:
    places, weights = np.polynomial.legendre.leggauss(steps)
    total = torch.zeros_like(x, dtype=torch.promote_types(x.dtype, torch.float32))
    for first in range(0, steps, batch_size):
        shares, part = (
            torch.from_numpy(one[first : first + batch_size]).to(x.device).reshape(-1, *[1] * x.ndim)
            for one in ((places + 1) / 2, weights / 2)
        )
        way = (start + shares.to(x.dtype) * (x - start)).requires_grad_()
        chosen = scores_of(network, way, WHO)[:, at].sum()
        (gradient,) = torch.autograd.grad(chosen, way, allow_unused=True) if chosen.requires_grad else (None,)
        if gradient is None:
            raise ModelError(
                f"{WHO}: the network's scores have no gradient with respect to its input.\n"
                "  Hint: occlusion needs none."
            )
        total += (gradient.to(total.dtype) * part.to(total.dtype)).sum(0)
    return total
