"""Filters that were broken by hand are found, and counted as plain loops count."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lenrek.errors import DataError, ModelError, OptionError
from lenrek.explain.features.health import filter_health
from lenrek.explain.features.rectified import nonlinearity_after
from lenrek.explain.trace import trace


def broken() -> nn.Sequential:
    """Filter 2 of the first layer is dead, 4 is 1 turned up; unit 3 of the linear layer stands at sigmoid's limit."""
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
        nn.Linear(24, 5), nn.Sigmoid(), nn.Linear(5, 2),
    )  # fmt: skip
    with torch.no_grad():
        net[1].bias[2], net[1].weight[2] = -50.0, 1.0
        net[0].weight[4] = 3 * net[0].weight[1]
        net[5].bias[3] = 30.0
    return net.train()


def test_what_was_broken_is_found_and_shares_are_those_of_loops() -> None:
    net = broken()
    batches = [torch.randn(n, 3, 7, 8) for n in (5, 2)]
    found = filter_health(net, batches)
    first, second = found.layers
    assert (first.layer, first.then, first.measured) == ("0", "relu", "1")
    assert (first.dead, first.saturated, first.constant) == ((2,), (), ())
    assert [(one, other) for one, other, _ in first.duplicates] == [(4, 1)]
    assert (second.layer, second.then, second.measured, second.saturated) == ("5", "sigmoid", "5", (3,))
    net.eval()
    before = net[1](net[0](torch.cat(batches))).detach().numpy()
    for channel in range(6):
        zero = sum(value <= 0 for value in before[:, channel].reshape(-1).tolist())
        assert first.off[channel] == pytest.approx(zero / before[:, channel].size)
    after = net[:7](torch.cat(batches)).detach().numpy()
    assert second.at_limit == pytest.approx(((after <= 0.01) | (after >= 0.99)).mean(0), abs=1e-9)
    assert found.samples == 7
    assert filter_health(net.train(), batches, dead_share=0.2).layers[0].dead != (2,)
    assert net.training
    table = str(found)
    assert "dead 2; 4 = 1" in table
    assert "Dead: the nonlinearity gives zero at all positions." in table
    assert "at another limit at 95 % of all positions" in table


def test_cosines_are_those_of_loops_within_groups() -> None:
    conv = nn.Conv1d(4, 6, 3, groups=2)
    with torch.no_grad():
        conv.weight[2] = -conv.weight[0]  # opposite is no duplicate
        conv.weight[3] = conv.weight[0]  # in another group it reads other channels
        conv.weight[5] = conv.weight[3] + 0.01 * torch.randn(2, 3)
    (layer,) = filter_health(nn.Sequential(conv), torch.randn(2, 4, 9), ["0"], duplicate_cosine=0.9).layers
    weight = conv.weight.detach().double().numpy().reshape(6, -1)
    expected = []
    for one in range(6):
        best = max(
            ((weight[one] @ weight[o] / np.linalg.norm(weight[one]) / np.linalg.norm(weight[o]), -o)
             for o in range(one) if o // 3 == one // 3),
            default=(-1.0, 0),
        )  # fmt: skip
        expected += [(one, -best[1], pytest.approx(best[0], abs=1e-6))] if best[0] >= 0.9 else []
    assert list(layer.duplicates) == expected
    assert (5, 3) in [(one, other) for one, other, _ in layer.duplicates]


@pytest.mark.parametrize(
    ("function", "name", "off", "low", "high"),
    [
        (F.relu, "relu", 0, None, None),
        (F.relu_, "relu", 0, None, None),
        (F.relu6, "hardtanh", 0, None, 6),
        (F.hardtanh, "hardtanh", None, -1, 1),
        (lambda x: x.clamp(min=0), "clamp", 0, None, None),
        (F.gelu, "gelu", -3, None, None),
        (F.silu, "silu", -6.5, None, None),
        (F.hardswish, "hardswish", -3, None, None),
        (F.mish, "mish", -6.5, None, None),
        (F.softplus, "softplus", -4.595, None, None),
        (F.elu, "elu", None, -4.595, None),
        (torch.tanh, "tanh", None, -2.3, 2.3),
        (torch.sigmoid, "sigmoid", None, -4.595, 4.595),
        (F.leaky_relu, "leaky_relu", None, None, None),
        (lambda x: F.relu(F.max_pool1d(x, 2)), "relu", 0, None, None),
        (lambda x: x + 1, "", None, None, None),
        (lambda x: x, "", None, None, None),
    ],
)
def test_nonlinearities_and_where_they_are_flat(
    function: object, name: str, off: float | None, low: float | None, high: float | None
) -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.norm = nn.Conv1d(1, 2, 3), nn.BatchNorm1d(2)

        def forward(self, x: Tensor) -> Tensor:
            return function(self.norm(self.conv(x)))  # type: ignore[operator]

    net = Net().eval()
    found = nonlinearity_after(trace(net, [torch.empty(1, 1, 8, device="meta")], who="test"), "conv")
    assert found is not None
    assert (found.name, found.module, found.off, found.low, found.high) == (name, "norm", off, low, high)
    if not name or name.startswith("max") or function is torch.relu:
        return
    values = torch.linspace(-12, 12, 4801).reshape(1, 1, -1)
    result = function(values.clone())  # type: ignore[operator]
    if result.shape != values.shape:
        return
    top, bottom = result.max(), result.min()
    if off is not None:
        assert (result[found.is_off(values)].abs() <= 0.0101).all()
    spread = float(top - bottom) if low is not None and high is not None else 1.0
    if low is not None:
        assert (result[values <= low] - bottom <= 0.0101 * spread).all()
    if high is not None:
        assert (top - result[values >= high] <= 0.0101 * spread).all()


def test_a_constant_feature_before_a_sum() -> None:
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv, self.head = nn.Conv2d(2, 2, 3, padding=1), nn.Conv2d(2, 1, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.head(x + self.conv(x))

    net = Residual()
    with torch.no_grad():
        net.conv.weight[1] = 0
    (layer,) = filter_health(net, torch.randn(3, 2, 5, 6)).layers
    assert (layer.then, layer.dead, layer.constant) == ("", (), (1,))


def test_loaders_arrays_and_what_is_refused() -> None:
    net, x = broken(), torch.randn(4, 3, 6, 6)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, torch.zeros(4)), 2)
    for data in (loader, x, x.numpy(), iter([x[:3], x[3:]])):
        assert filter_health(net, data).layers[0].dead == (2,)
    assert filter_health(net, x, limit=2).samples == 2
    with pytest.raises(OptionError, match="limit is 2, but has no effect"):
        filter_health(net, loader, limit=2)
    with pytest.raises(OptionError, match=r"dead_share is 0, expected above 0 and at most 1"):
        filter_health(net, x, dead_share=0)
    with pytest.raises(OptionError, match="duplicate_cosine is 2"):
        filter_health(net, x, duplicate_cosine=2)
    with pytest.raises(OptionError, match="a ReLU has no filters, expected convolutions and linear layers"):
        filter_health(net, x, ["2"])
    with pytest.raises(ModelError, match="no layer 'x'"):
        filter_health(net, x, ["x"])
    with pytest.raises(DataError, match="there are no samples"):
        filter_health(net, [])
