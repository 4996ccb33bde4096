"""Score-CAM: channels weighed by the score of the input seen through them; no gradient."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor

from lenrek.explain.evidence.network import check_count, scores_of
from lenrek.explain.evidence.of_layer import LayerRun, evidence_of_layer
from lenrek.explain.evidence.result import Evidence
from lenrek.explain.evidence.target import Target

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
    weigh = partial(_by_masked_scores, batch_size=batch_size)
    return evidence_of_layer("score-cam", WHO, model, x, layer, target, weigh)


@torch.no_grad()
def _by_masked_scores(run: LayerRun, batch_size: int) -> Tensor:
    features = run.features
    weights = [
        torch.cat([
            scores_of(run.network, sample * _stretched(run.place(part))[:, None].to(sample), WHO)[:, at]
            for part in channels.split(batch_size)
        ])
        for sample, channels, at in zip(run.samples, features, run.target.tolist(), strict=True)
    ]  # fmt: skip
    weight = torch.stack(weights).softmax(1)[(..., *[None] * (features.ndim - 2))]
    return (weight * features).sum(1)


def _stretched(masks: Tensor) -> Tensor:
    """Each mask from 0 to 1; zeros where it is the same everywhere."""
    flat = masks.flatten(1)
    low, high = flat.amin(1, keepdim=True), flat.amax(1, keepdim=True)
    spread = high - low
    return torch.where(spread > 0, (flat - low) / torch.where(spread > 0, spread, 1.0), 0.0).reshape(masks.shape)
