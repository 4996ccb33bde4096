"""Against Captum, where it is installed: another implementation of the same three methods."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch.nn import functional as F

from explain.evidence import networks
from lenrek.explain import grad_cam, integrated_gradients, occlusion

pytest.importorskip("captum", reason="Captum is not installed: pip install captum")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from captum.attr import IntegratedGradients, LayerGradCam, Occlusion

LAYERS = ("features.1", "features.2", "features.3")


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("layer", LAYERS)
def test_grad_cam(ndim: int, layer: str) -> None:
    network, x, target = networks.example(ndim)
    module = dict(network.named_modules())[layer]
    theirs = LayerGradCam(network, module).attribute(x, target=target, relu_attributions=True)[:, 0]
    ours = grad_cam(network, x, layer, target)
    assert ours.cells.max() > 0
    torch.testing.assert_close(ours.cells, theirs.detach(), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("baseline", [0.0, 0.7])
def test_integrated_gradients(ndim: int, baseline: float) -> None:
    network, x, target = networks.example(ndim)
    theirs, gap = IntegratedGradients(network).attribute(
        x, baseline, target=target, n_steps=40, return_convergence_delta=True
    )
    ours = integrated_gradients(network, x, target, baseline=baseline, steps=40)
    assert ours.channels is not None
    assert ours.gap is not None
    torch.testing.assert_close(ours.channels, theirs.detach().float(), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(ours.gap, gap.float(), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("ndim", "window", "stride"), [(1, (5,), (3,)), (2, (4, 5), (3, 2)), (2, (3, 7), (3, 7)), (3, (3, 4, 5), (2, 4, 3))]
)
def test_occlusion(ndim: int, window: tuple[int, ...], stride: tuple[int, ...]) -> None:
    network, x, target = networks.example(ndim)
    theirs = Occlusion(network).attribute(
        x, (x.shape[1], *window), (x.shape[1], *stride), baselines=-0.3, target=target
    )
    ours = occlusion(network, x, target, window=window, stride=stride, baseline=-0.3, batch_size=7)
    torch.testing.assert_close(ours.values, theirs[:, 0].detach(), atol=1e-5, rtol=1e-5)
    assert F.relu(ours.values).max() > 0
