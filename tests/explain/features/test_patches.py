"""The strongest patches against all crops of all samples, and what their boxes hold."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from lenrek.data.arrays import array_source
from lenrek.errors import DataError, ModelError, OptionError
from lenrek.explain.features.patches import strongest_patches
from lenrek.explain.features.sees import sees
from lenrek.explain.receptive import receptive_field
from lenrek.models.contract import InputContract


def chain() -> nn.Sequential:
    """Unequal strides, paddings and kernels; the field of layer 2 is 3 + 2·(2 − 1) by 2 + 1·2·(3 − 1)."""
    return nn.Sequential(
        nn.Conv2d(2, 4, (3, 2), stride=(2, 1), padding=(1, 0)), nn.ReLU(), nn.Conv2d(4, 3, (2, 3), dilation=(1, 2))
    ).double()


def at_every_position(net: nn.Sequential, x: np.ndarray, channel: int) -> list[tuple[float, int, tuple[int, int]]]:
    """(value, sample, position) of the last layer by plain loops, one crop at a time."""
    (w1, b1), (w2, b2) = ([p.detach().numpy() for p in net[i].parameters()] for i in (0, 2))
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (0, 0)))
    found = []
    for sample in range(len(x)):
        for i in range((x.shape[2] + 2 - 3) // 2 + 1 - 1):
            for j in range(x.shape[3] - 1 - 4):
                crop = padded[sample, :, 2 * i : 2 * i + 5, j : j + 6]
                hidden = np.zeros((4, 2, 5))
                for o, r, c in np.ndindex(4, 2, 5):
                    hidden[o, r, c] = max(0, b1[o] + (w1[o] * crop[:, 2 * r : 2 * r + 3, c : c + 2]).sum())
                value = b2[channel] + (w2[channel] * hidden[:, :, 0:5:2]).sum()
                found.append((float(value), sample, (i, j)))
    return found


@pytest.mark.parametrize("one_per_sample", [True, False])
def test_the_strongest_of_all_crops(one_per_sample: bool, rng: np.random.Generator) -> None:
    torch.manual_seed(2)
    net, x = chain(), rng.normal(size=(5, 2, 9, 11)).astype(np.float32)
    every = sorted(at_every_position(net, x.astype(np.float64), 2), key=lambda row: -row[0])
    if one_per_sample:
        seen: set[int] = set()
        every = [row for row in every if not (row[1] in seen or seen.add(row[1]))]  # type: ignore[func-returns-value]
    net = net.float()
    found = strongest_patches(net, torch.from_numpy(x), "2", [2, 0], k=4, one_per_sample=one_per_sample)
    assert (found.samples, found.note, list(found.found)) == (5, "", [2, 0])
    for patch, (value, sample, (i, j)) in zip(found.found[2], every, strict=False):
        assert patch.value == pytest.approx(value, abs=1e-5)
        assert (patch.index, patch.position) == (sample, (i, j))
        assert patch.box == (range(2 * i - 1, 2 * i + 4), range(j, j + 6))
        padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (0, 0)))
        assert (patch.values == padded[sample, :, 2 * i : 2 * i + 5, j : j + 6]).all()


def test_a_patch_alone_gives_the_value_again(rng: np.random.Generator) -> None:
    """The box is exact: with nothing but it, and zeros where padding was, the feature is the same."""
    net, x = chain().float(), rng.normal(size=(4, 2, 9, 11)).astype(np.float32)
    for patch in strongest_patches(net, x, "2", 1, k=4).found[1]:
        net[0].padding = (0, 0)
        alone = net(torch.from_numpy(patch.values[None]))
        net[0].padding = (1, 0)
        assert alone.shape == (1, 3, 1, 1)
        assert alone[0, 1].item() == pytest.approx(patch.value, abs=1e-5)


def test_what_a_feature_was_made_for_is_found_in_stored_images() -> None:
    """A detector of one pattern, which lies in one image of 300 at the border, read from uint8 in batches."""
    pattern = np.array([[255, 0, 255], [0, 255, 0]], np.uint8)
    images = np.random.default_rng(1).integers(0, 120, (300, 8, 7)).astype(np.uint8)
    images[217, 6:8, 4:7] = pattern
    conv = nn.Conv2d(1, 1, (2, 3), bias=False)
    with torch.no_grad():
        conv.weight[0, 0] = torch.from_numpy(np.where(pattern > 0, 1.0, -1.0))
    net = nn.Sequential(conv)
    classes = ("a", "b")
    net.contract = InputContract(1, (8, 7), (0.25,), (0.5,), classes)  # type: ignore[assignment]
    source = array_source("dots", images, np.arange(300) % 2)
    (best, *_) = strongest_patches(net, source, "0", 0, k=3).found[0]
    assert (best.index, best.label, best.position, best.box) == (217, "1", (6, 4), (range(6, 8), range(4, 7)))
    assert (best.values == pattern).all()
    assert best.value == pytest.approx(3 * 1.5 + 3 * 0.5)  # (1 − 0.25) / 0.5 and (0 − 0.25) / 0.5
    assert strongest_patches(net, source, "0", 0, k=1, limit=2).samples == 2


def test_of_equal_values_the_first_sample_and_position_count() -> None:
    net = nn.Sequential(nn.Identity())
    x = torch.zeros(3, 1, 4)
    x[1:, 0, 1:3] = 7
    found = strongest_patches(net, x, "0", 0, k=3)
    first, second, third = found.found[0]
    assert [(p.index, p.position) for p in (first, second, third)] == [(1, (1,)), (2, (1,)), (0, (0,))]
    assert found.sheet().rows[0].name == "channel 0"
    assert strongest_patches(net, -x, "0", 0).sheet().rows[0].name == "channel 0, never above 0"


def test_each_run_of_a_layer_that_runs_twice() -> None:
    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv1d(1, 1, 3, bias=False)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.conv(self.conv(x))

    x = torch.randn(2, 1, 9)
    net = Twice()
    (patch,) = strongest_patches(net, x, "conv#2", 0, k=1).found[0]
    assert len(patch.box[0]) == 5
    assert patch.value == pytest.approx(net(x).max().item())
    (patch,) = strongest_patches(net, x, "conv", 0, k=1).found[0]
    assert len(patch.box[0]) == 3
    assert patch.value == pytest.approx(net.conv(x).max().item())


@pytest.mark.parametrize(
    ("size", "layers"),
    [
        ((40,), [nn.Conv1d(2, 3, 5, padding=4)]),
        ((6, 7, 8), [nn.Conv3d(2, 3, 3, padding=1)]),
        ((9, 8), [nn.Conv2d(2, 3, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten()]),
    ],
)
def test_signals_volumes_and_whole_samples(size: tuple[int, ...], layers: list[nn.Module]) -> None:
    net = nn.Sequential(*layers)
    found = strongest_patches(net, torch.randn(3, 2, *size), str(len(layers) - 1), [0, 2], k=2)
    sheet = found.sheet()
    assert [len(row.tiles) for row in sheet.rows] == [2, 2]
    assert "<svg" in sheet.to_svg()
    if len(layers) > 1:
        assert found.found[0][0].box == (range(9), range(8))


def test_a_network_without_a_known_field_shows_whole_samples() -> None:
    class ByValue(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x if x.sum() > 0 else -x

    found = strongest_patches(nn.Sequential(ByValue()), torch.ones(2, 1, 3), "0", 0, k=1)
    assert found.found[0][0].box == (range(3),)
    assert "stopped in module '0' (ByValue)" in found.note
    assert "the whole sample" in found.sheet().note


def test_what_is_refused() -> None:
    net, x = nn.Sequential(nn.Conv2d(1, 2, 3)), torch.zeros(2, 1, 5, 5)
    with pytest.raises(OptionError, match="channel is 2, expected 0 to 1: '0' has 2 channels"):
        strongest_patches(net, x, "0", [0, 2])
    with pytest.raises(OptionError, match="expected at least one, each once"):
        strongest_patches(net, x, "0", [1, 1])
    with pytest.raises(OptionError, match="k is 0"):
        strongest_patches(net, x, "0", 0, k=0)
    with pytest.raises(OptionError, match="limit is 0"):
        strongest_patches(net, x, "0", 0, limit=0)
    with pytest.raises(ModelError, match="no layer '1'"):
        strongest_patches(net, x, "1", 0)
    with pytest.raises(DataError, match="has no contract"):
        strongest_patches(net, "digits", "0", 0)
    net.contract = InputContract(1, (9,), (0.0,), (1.0,), ("a",))  # type: ignore[assignment]
    with pytest.raises(DataError, match="digits holds images, which are 2-D, but the network takes 1-D samples"):
        strongest_patches(net, "digits", "0", 0)
    with torch.no_grad():
        net[0].bias[0] = float("inf")
    with pytest.raises(DataError, match="not finite: are the weights"):
        strongest_patches(net, x, "0", 0)


def test_channels_of_branches_that_meet_have_fields_of_their_own() -> None:
    """Channel 0 sees one sample, channel 1 five; at the border of stride 2, too."""

    class Fire(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.narrow, self.wide = nn.Conv1d(1, 1, 1, stride=2), nn.Conv1d(1, 1, 5, stride=2, padding=2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cat([self.narrow(x), self.wide(x)], 1)

    for size in (15, 16):  # the last place of the narrow channel is the last sample, or lies before it
        field = receptive_field(nn.Sequential(Fire()), (1, size))["0"]
        for place in range(8):
            assert sees(field, (0, place)) == (range(2 * place, 2 * place + 1),)
            assert sees(field, (1, place)) == (range(2 * place - 2, 2 * place + 3),)
