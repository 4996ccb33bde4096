"""Score-CAM: channels weighed by the score of the input seen through them; no gradient."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from lenrek.explain.evidence.layer_run import run_from
from lenrek.explain.evidence.network import check_count, looked_into, samples_for, scores_of
from lenrek.explain.evidence.placement import default_layer, find_placement
from lenrek.explain.evidence.result import Evidence
from lenrek.explain.evidence.target import Target, classes_of, read_target
from lenrek.explain.network_of import plain_network

WHO = "score_cam"


def score_cam(model: Any, x: Any, layer: str | None = None, target: Target = None, *, batch_size: int = 32) -> Evidence:
    """Score-CAM: each channel is placed on the input, stretched to 0…1, and multiplied with it; the class's score of
    what is left, through a softmax over the channels, is the channel's weight.

    L = max(0, Σ_k softmax_k(score(x · H_k)) · A_k). The paper subtracts the score of an empty input from each; the
    softmax does not change by it. As many forward passes as the layer has channels.

    Args:
        model, x, layer, target: as for `grad_cam`.
        batch_size: masked inputs at once.
    Source: Wang et al. 2020, arXiv:1910.01279.
    """
    check_count("batch_size", batch_size, WHO)
    network = plain_network(model, WHO)
    with looked_into(network):
        samples = samples_for(network, x, WHO)
        layer = default_layer(network, samples, WHO) if layer is None else layer
        maps, scores = run_from(network, samples, layer, WHO)
        place = find_placement(network, samples, layer, WHO)
        chosen = read_target(target, scores, classes_of(model), WHO)
        score = scores.detach().gather(1, chosen[:, None])[:, 0].cpu()
        with torch.no_grad():
            found = maps.detach().to(scores.dtype)
            weights = [
                torch.cat([
                    scores_of(network, sample * _stretched(place(part))[:, None].to(sample), WHO)[:, at]
                    for part in channels.split(batch_size)
                ])
                for sample, channels, at in zip(samples, found, chosen.tolist(), strict=True)
            ]  # fmt: skip
            weight = torch.stack(weights).softmax(1)[(..., *[None] * (maps.ndim - 2))]
            cells = (weight * found).sum(1).clamp(min=0).cpu()
    return Evidence("score-cam", layer, chosen.cpu(), score, cells, place(cells), place.centres)


def _stretched(masks: Tensor) -> Tensor:
    """Each mask from 0 to 1; zeros where it is the same everywhere."""
    flat = masks.flatten(1)
    low, high = flat.amin(1, keepdim=True), flat.amax(1, keepdim=True)
    spread = high - low
    return torch.where(spread > 0, (flat - low) / torch.where(spread > 0, spread, 1.0), 0.0).reshape(masks.shape)
