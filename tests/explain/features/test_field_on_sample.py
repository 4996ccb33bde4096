"""One feature's field on a sample: the box that finite changes find, and how it is drawn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from lenrek.errors import ModelError, OptionError
from lenrek.explain.features.field_on_sample import field_on_sample


def test_the_box_is_what_changes_the_feature_and_red_is_its_gradient() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(2, 3, (3, 5), padding=(1, 0)), nn.Tanh(), nn.Conv2d(3, 2, 3, stride=2, padding=1))
    x = torch.randn(2, 9, 12)
    found = field_on_sample(net, x, "2", 1, (0, 2))
    net, x = net.double(), x.double()
    before = net(x[None])[0, 1, 0, 2].item()
    assert found.value == pytest.approx(before, rel=1e-5)
    moved = np.zeros((9, 12))
    for i, j in np.ndindex(9, 12):
        for c in range(2):
            changed = x.clone()
            changed[c, i, j] += 1e-6
            moved[i, j] += abs(net(changed[None])[0, 1, 0, 2].item() - before) / 1e-6 / 2
    rows, columns = np.nonzero(moved > 1e-6)
    assert found.box == (range(rows.min(), rows.max() + 1), range(columns.min(), columns.max() + 1))
    assert found.box == (range(0, 3), range(3, 10))
    assert found.reach == (range(-2, 3), range(3, 10))
    assert found.effective.magnitude == pytest.approx(moved, abs=1e-4)
    sheet = found.sheet()
    assert "Blue: the 3 × 7 samples" in sheet.note
    assert "Dashed: where it goes on into the padding" in sheet.note
    assert 'viewBox="0 0 12 11"' in sheet.to_svg()  # two rows of padding above


def test_without_a_position_it_is_where_the_channel_is_largest() -> None:
    net, x = nn.Sequential(nn.Conv1d(1, 2, 3)), torch.zeros(1, 1, 20)
    with torch.no_grad():
        net[0].weight[1] = torch.tensor([[0.0, 1.0, 0.0]])
    x[0, 0, 11] = 5
    found = field_on_sample(net, x, "0", 1)
    assert (found.position, found.box) == ((10,), (range(10, 13),))
    assert "Dashed" not in found.sheet().note


def test_volumes_are_three_planes() -> None:
    net = nn.Sequential(nn.Conv3d(1, 2, 3, padding=1))
    sheet = field_on_sample(net, torch.randn(1, 6, 7, 8), "0", 1, (1, 2, 3)).sheet()
    assert [tile.caption[0] for tile in sheet.rows[0].tiles] == [
        "plane 1 across axis 1", "plane 2 across axis 2", "plane 3 across axis 3",
    ]  # fmt: skip


def test_what_is_refused() -> None:
    net, x = nn.Sequential(nn.Conv2d(1, 2, 3)), torch.zeros(1, 6, 6)
    with pytest.raises(OptionError, match="channel is 2, expected 0 to 1"):
        field_on_sample(net, x, "0", 2)
    with pytest.raises(OptionError, match=r"position is \(4, 0\), expected one for each axis"):
        field_on_sample(net, x, "0", 0, (4, 0))
    with pytest.raises(ModelError, match="no layer '7'"):
        field_on_sample(net, x, "7", 0)
