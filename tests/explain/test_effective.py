"""The effective receptive field: against theory for stacked convolutions, and on networks that show nothing."""

import numpy as np
import pytest
import torch
from torch import nn

import lenrek
from lenrek.errors import DataError, ModelError, OptionError
from lenrek.explain.effective import effective_receptive_field
from lenrek.explain.effective_fit import fitted
from lenrek.explain.receptive_picture import draw_boxes, draw_effective


def stacked(layers, kernel_size):
    """Convolutions with equal weights: the field is the kernel's n-fold convolution."""
    model = nn.Sequential(
        *[nn.Conv2d(1, 1, kernel_size, padding=tuple(k // 2 for k in kernel_size)) for _ in range(layers)]
    )
    for layer in model:
        nn.init.constant_(layer.weight, 1 / layer.weight.numel())
    return model


@pytest.mark.parametrize("layers", [1, 4, 9])
def test_equal_weights_give_the_binomial_like_kernel_and_its_variance(layers):
    kernel_size = (3, 5)
    found = effective_receptive_field(stacked(layers, kernel_size), (1, 31, 47))
    profiles = []
    for k, n in zip(kernel_size, (31, 47), strict=True):
        profile = np.ones(1)
        for _ in range(layers):
            profile = np.convolve(profile, np.ones(k) / k)
        padded = np.zeros(n)
        padded[n // 2 - len(profile) // 2 :][: len(profile)] = profile
        profiles.append(padded)
    np.testing.assert_allclose(found.magnitude, np.outer(*profiles), atol=1e-7)
    for axis, k in enumerate(kernel_size):  # variances of independent steps add: n·(k² − 1)/12
        assert found.fit.sd[axis] ** 2 == pytest.approx(layers * (k**2 - 1) / 12, rel=1e-4)
        assert len(found.box[axis]) == layers * (k - 1) + 1
    if layers == 9:
        assert found.fit.likeness > 0.99


def test_only_what_the_feature_can_see_moves_it():
    model = lenrek.create_model("resnet18_cifar", num_classes=4)
    found = effective_receptive_field(model, (3, 32, 32), "layer2", position=(2, 5), samples=2)
    outside = np.ones_like(found.magnitude, dtype=bool)
    outside[np.ix_(*[list(one) for one in found.box])] = False
    assert not found.magnitude[outside].any()
    assert found.magnitude[~outside].any()
    assert all(parameter.grad is None for parameter in model.parameters())
    assert model.training


def test_real_samples_one_channel_a_signal_and_a_volume():
    torch.manual_seed(0)
    for ndim, conv in ((1, nn.Conv1d), (3, nn.Conv3d)):
        model = nn.Sequential(conv(2, 3, 3, padding=1), nn.Tanh())
        x = torch.randn(4, 2, *[7] * ndim)
        found = effective_receptive_field(model, x, channel=1)
        weight = model[0].weight[1].abs().mean(0)  # |∂y/∂x| = |w|·(1 − y²), averaged over samples and channels
        centre = model(x)[(slice(None), 1, *[3] * ndim)]
        expected = (weight * (1 - centre**2).mean()).detach().numpy()
        np.testing.assert_allclose(found.magnitude[(slice(2, 5),) * ndim], expected, rtol=1e-5)
        assert found.samples == 4


def test_dead_rectifiers_are_said_and_give_no_nan():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU())
    nn.init.constant_(model[0].bias, -1000.0)
    found = effective_receptive_field(model, (1, 9, 9))
    assert found.fit is None
    assert not found.magnitude.any()
    assert "the gradient is zero everywhere" in str(found)
    assert "NaN" not in str(found.to_dict())
    assert "<svg" in draw_effective(found)


def test_tiny_gradients_and_single_positions_are_fitted():
    fit = fitted(np.array([0.0, 1e-320, 0.0]))
    assert (fit.mean, fit.sd, fit.effective_size, fit.likeness) == ((1.0,), (0.0,), 1.0, 1.0)
    flat = fitted(np.full((4, 6), 1e-300))
    assert flat.effective_size == pytest.approx(24**0.5)
    assert flat.sd == pytest.approx(((15 / 12) ** 0.5, (35 / 12) ** 0.5))


def test_whatever_else_is_asked_wrongly():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU())
    with pytest.raises(ModelError, match="has no layer '2'"):
        effective_receptive_field(model, (1, 9, 9), "2")
    with pytest.raises(OptionError, match="channel is 2, expected 0 to 1"):
        effective_receptive_field(model, (1, 9, 9), channel=2)
    with pytest.raises(OptionError, match=r"position is \(7, 0\), expected one for each axis .* below \(7, 7\)"):
        effective_receptive_field(model, (1, 9, 9), position=(7, 0))
    with pytest.raises(DataError, match="not finite"):
        effective_receptive_field(model, torch.full((1, 1, 9, 9), torch.nan))
    with pytest.raises(OptionError, match="samples is 0"):
        effective_receptive_field(model, (1, 9, 9), samples=0)


def test_pictures():
    found = effective_receptive_field(stacked(3, (3, 5)), (1, 31, 47))
    assert "data:image/png;base64," in draw_effective(found)
    picture = draw_boxes([("here", (range(-2, 5), range(3, 9)))], (31, 47))
    assert "here: 7 × 6" in picture
    with pytest.raises(OptionError, match="an input of 3 axes, expected one or two"):
        draw_boxes([], (3, 4, 5))
