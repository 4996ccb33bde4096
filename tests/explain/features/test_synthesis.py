"""Synthesised inputs: objectives by loops, optima that are known, spectra and moves measured."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from lenrek.errors import ModelError, OptionError
from lenrek.explain.features.fourier import Values, spectrum_scale
from lenrek.explain.features.objective import channel, class_logit, direction
from lenrek.explain.features.shaking import ROTATION_DEGREES, SCALING, SHIFT, shaken
from lenrek.explain.features.strongest_sample import strongest_samples
from lenrek.explain.features.synthesis import synthesis_sheet, synthesize
from lenrek.models.contract import InputContract


def test_objectives_by_loops(rng: np.random.Generator) -> None:
    y = rng.normal(size=(2, 3, 4, 5))
    x = torch.from_numpy(y)
    vector = np.array([1.0, -2.0, 2.0])
    for n in range(2):
        mean = sum(y[n, 1, i, j] for i in range(4) for j in range(5)) / 20
        assert channel("a", 1)(x)[n].item() == pytest.approx(mean)
        assert channel("a", 1, (3, 2))(x)[n].item() == pytest.approx(y[n, 1, 3, 2])
        along = sum(vector[c] * y[n, c, i, j] / 3 for c in range(3) for i in range(4) for j in range(5)) / 20
        assert direction("a", vector)(x)[n].item() == pytest.approx(along)
        assert direction("a", vector, (0, 4))(x)[n].item() == pytest.approx(vector @ y[n, :, 0, 4] / 3)
        assert class_logit(2)(x[:, :, 0, 0])[n].item() == pytest.approx(y[n, 2, 0, 0])


@pytest.mark.parametrize("size", [(64,), (65,), (24, 31), (32, 20), (8, 10, 13)])
@pytest.mark.parametrize("decay", [0.0, 1.0, 2.0])
def test_noise_has_the_spectrum_asked_for(size: tuple[int, ...], decay: float) -> None:
    scale = spectrum_scale(size, decay)
    generator = torch.Generator().manual_seed(0)
    drawn = torch.randn(400, *scale.shape, 2, generator=generator) / 2**0.5
    axes = tuple(range(1, len(size) + 1))
    image = torch.fft.irfftn(torch.view_as_complex(drawn) * scale, s=size, dim=axes, norm="ortho")
    assert image.square().mean().sqrt().item() == pytest.approx(1, abs=0.15)
    power = torch.fft.fftn(image, dim=axes, norm="ortho").abs().square().mean(0)
    along = power.reshape(-1)[1:4] if len(size) == 1 else power[(0,) * (len(size) - 1)][1:4]  # of the last axis
    frequency = torch.fft.fftfreq(size[-1])[1:4].clamp(min=1 / max(size))
    expected = frequency.pow(-2 * decay)
    assert (along / along[0]).numpy() == pytest.approx((expected / expected[0]).numpy(), rel=0.35)


def test_shaking_moves_by_samples_whatever_the_axes(rng: np.random.Generator) -> None:
    """Ramps show where each place is read from: an affine map that turns and scales alike on unequal axes."""
    size = (40, 64)
    rows, columns = torch.meshgrid(*(torch.arange(float(n)) for n in size), indexing="ij")
    generator = torch.Generator().manual_seed(5)
    angles, scales = [], []
    for _ in range(40):
        state = generator.get_state()
        read = []
        for ramp in (rows, columns):
            generator.set_state(state)
            read.append(shaken(ramp[None, None], 1.0, generator)[0, 0, 15:25, 25:39].numpy())
        down = np.array([one[1, 0] - one[0, 0] for one in read])
        across = np.array([one[0, 1] - one[0, 0] for one in read])
        assert down @ across == pytest.approx(0, abs=1e-4)
        assert np.linalg.norm(down) == pytest.approx(np.linalg.norm(across), abs=1e-4)
        scales.append(1 / np.linalg.norm(down))
        angles.append(np.degrees(np.arctan2(down[1], down[0])))
        middle = [one[5, 7] - at for one, at in zip(read, (20, 32), strict=True)]
        assert abs(middle[0]) <= SHIFT * 40 + 8
    assert 1 - SCALING - 1e-3 <= min(scales) < 0.95
    assert 1.05 < max(scales) <= 1 + SCALING + 1e-3
    assert -ROTATION_DEGREES - 1e-3 <= min(angles) < -5
    assert 5 < max(angles) <= ROTATION_DEGREES + 1e-3
    x = torch.from_numpy(rng.normal(size=(1, 2, 9)))
    assert (shaken(x, 0.0, generator) == x).all()
    assert shaken(x.float(), 1.0, generator).shape == x.shape
    assert shaken(torch.ones(1, 1, 5, 6, 7), 1.0, generator).numpy() == pytest.approx(np.ones((1, 1, 5, 6, 7)))


def test_the_best_input_of_a_linear_network_is_found() -> None:
    """It is the largest value where the weight is positive, the smallest where it is negative."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(2 * 5 * 4, 3))
    net.contract = InputContract(2, (5, 4), (0.4, 0.5), (0.2, 0.3), ("a", "b", "c"))  # type: ignore[assignment]
    weight = net[1].weight.detach()[1].reshape(2, 5, 4)
    best = (weight > 0).float()
    mean, std = torch.tensor([0.4, 0.5]).reshape(2, 1, 1), torch.tensor([0.2, 0.3]).reshape(2, 1, 1)
    bound = net(((best - mean) / std)[None])[0, 1].item()
    found = synthesize(net, class_logit(1), robustness=0, steps=300, decay=0)
    assert found.start < 0.5 * bound
    assert 0.93 * bound < found.activation <= bound
    assert ((found.values > 0.5) == best.numpy().astype(bool))[np.abs(weight.numpy()) > 0.05].all()
    assert found.values.min() >= 0
    assert found.values.max() <= 1
    x = torch.from_numpy(found.x)[None]
    assert net(x)[0, 1].item() == pytest.approx(found.activation, rel=1e-5)


def test_a_direction_between_channels_and_a_seed() -> None:
    torch.manual_seed(1)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 3)).train()
    net[0].weight.grad = torch.ones_like(net[0].weight)
    states = {name: value.clone() for name, value in net.state_dict().items()}
    objective = direction("1", [1.0, 0.0, -1.0, 0.0])
    found = synthesize(net, objective, size=(3, 12, 10), steps=30, seed=3)
    assert found.activation > found.start
    again = synthesize(net, objective, size=(3, 12, 10), steps=30, seed=3)
    assert (again.x == found.x).all()
    assert (synthesize(net, objective, size=(3, 12, 10), steps=30, seed=4).x != found.x).any()
    assert net.training
    assert (net[0].weight.grad == 1).all()
    assert all((value == states[name]).all() for name, value in net.state_dict().items())
    with torch.inference_mode(), torch.no_grad():
        assert (synthesize(net, objective, size=(3, 12, 10), steps=30, seed=3).x == found.x).all()


@pytest.mark.parametrize("size", [(1, 40), (3, 16, 20), (1, 8, 9, 10)])
def test_every_number_of_axes_beats_the_data(size: tuple[int, ...]) -> None:
    torch.manual_seed(2)
    conv = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}[len(size) - 1]
    net = nn.Sequential(conv(size[0], 4, 3), nn.ReLU())
    data = torch.randn(20, *size)
    found = synthesize(net, channel("1", 2), size=size, data=data, steps=60)
    values = net(data)[:, 2].flatten(1).mean(1)
    assert found.strongest is not None
    assert found.strongest.value == pytest.approx(values.max().item(), rel=1e-5)
    assert (found.strongest.name, found.strongest.samples) == (f"sample {int(values.argmax())}", 20)
    assert found.activation > found.strongest.value
    sheet = synthesis_sheet([found, found])
    assert "the largest value of 20 real samples" in sheet.note
    assert f"data at most {found.strongest.value:.3g}" in sheet.to_svg()


def test_the_strongest_samples_of_several_objectives() -> None:
    torch.manual_seed(2)
    net = nn.Sequential(nn.Conv1d(1, 4, 3), nn.ReLU(), nn.Conv1d(4, 2, 3))
    data = torch.randn(70, 1, 30)  # more than one batch
    objectives = [channel("1", 3), class_logit(1), channel("1", 0, position=(5,)), channel("0", 3)]
    with torch.no_grad():
        linear = net[0](data)
        values = [linear.relu()[:, 3].mean(1), net(data)[:, 1].mean(1), linear.relu()[:, 0, 5], linear[:, 3].mean(1)]
    for found, expected in zip(strongest_samples(net, objectives, data), values, strict=True):
        assert found.value == pytest.approx(expected.max().item(), rel=1e-5)
        assert (found.name, found.samples) == (f"sample {int(expected.argmax())}", 70)


def test_a_dead_feature_is_named() -> None:
    conv = nn.Conv2d(1, 2, 3)
    with torch.no_grad():
        conv.bias[0] = -1e6
    found = synthesize(nn.Sequential(conv, nn.ReLU()), channel("1", 0), size=(1, 8, 8), steps=5)
    assert (found.activation, found.note) == (0, "the gradient is zero at every start: is the feature dead?")


def test_values_stay_within_what_the_data_can_be() -> None:
    volumes = Values.of(InputContract(1, (4,), (0.0003,), (0.001,), ("a",)), 1, 3)  # 0 and 1, stored as uint8
    assert (volumes.low.item(), volumes.high.item()) == (0, pytest.approx(0.0063))
    sound = Values.of(InputContract(1, (4,), (0.0,), (0.3,), ("a",), full_scale=32768), 1, 1)
    assert (sound.low.item(), sound.high.item(), sound.photo) == (-1, 1, False)
    floats = Values.of(InputContract(1, (4,), (2.0,), (0.5,), ("a",), full_scale=1), 1, 1)
    assert (floats.low.item(), floats.high.item()) == (0.5, 3.5)
    assert Values.of(InputContract(3, (4, 4), (0.5,) * 3, (0.2,) * 3, ("a",)), 3, 2).photo


def test_what_is_refused() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten())
    for objective, message in (
        (channel("0", 2), "channel 2 of 0 is asked for, but the layer has channels 0 to 1"),
        (channel("0", 0, (9, 0)), r"position is \(9, 0\), expected one below \(6, 6\)"),
        (direction("0", [1.0]), "has 1 numbers, expected one for each of the layer's 2 channels"),
    ):
        with pytest.raises(OptionError, match=message):
            synthesize(net, objective, size=(1, 8, 8))
    with pytest.raises(ModelError, match="no layer '5'"):
        synthesize(net, channel("5", 0), size=(1, 8, 8))
    for options, message in (
        ({"steps": 0}, "steps is 0"),
        ({"learning_rate": 0.0}, r"learning_rate is 0\.0, expected a finite number above 0"),
        ({"decay": -1.0}, r"decay is -1\.0, expected a finite number of at least 0"),
        ({"robustness": float("nan")}, "robustness is nan"),
        ({"limit": 3}, "has no effect without data"),
    ):
        with pytest.raises(OptionError, match=message):
            synthesize(net, channel("0", 0), size=(1, 8, 8), **options)
    with pytest.raises(OptionError, match="length 0, expected"):
        direction("0", [0.0, 0.0])
