"""Singular values against those of the dense matrix, and known ones."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import nn

import lenrek.nn as lnn
from lenrek.errors import ModelError, OptionError, ShapeError
from lenrek.explain.layer_norms import layer_norms
from lenrek.explain.spectrum import singular_values
from lenrek.ops import to_dense


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def dense_values(layer: nn.Module, in_shape: tuple[int, ...]) -> np.ndarray:
    return np.linalg.svd(to_dense(layer.double(), in_shape).weight.detach().numpy(), compute_uv=False)


CIRCULAR = [
    (lnn.Conv(2, 3, (5,), padding="same", padding_mode="circular"), (2, 7)),
    (lnn.Conv(3, 2, (3, 2), padding=((2, 0), (0, 1)), padding_mode="circular"), (3, 4, 5)),
    (lnn.Conv(2, 3, (3, 1, 2), padding="same", padding_mode="circular"), (2, 3, 2, 4)),
    (lnn.Conv(2, 3, (3, 4), (2, 3), padding=((1, 0), (0, 1)), padding_mode="circular"), (2, 4, 6)),
    (lnn.Conv(4, 6, (3, 3), padding="same", dilation=(1, 2), groups=2, padding_mode="circular"), (4, 5, 6)),
    (lnn.Conv(2, 2, (2, 3), (2, 3), padding=0), (2, 4, 9)),  # patches: nothing is padded
    (nn.Conv2d(2, 3, (3, 5), padding=(1, 2), padding_mode="circular"), (2, 6, 7)),
]


@pytest.mark.parametrize(("layer", "shape"), CIRCULAR)
def test_all_values_on_a_circle(layer: nn.Module, shape: tuple[int, ...]) -> None:
    found = singular_values(layer, shape)
    expected = dense_values(layer, shape)
    assert found.method == "fourier"
    assert len(found.values) == len(expected)
    np.testing.assert_allclose(found.values.numpy(), expected, atol=1e-7)
    assert found.norm == pytest.approx(expected[0], rel=1e-7)


OTHERS = [
    (nn.Conv2d(2, 3, (3, 5), padding=(1, 2)), (2, 6, 7)),
    (nn.Conv1d(2, 3, 4, stride=3), (2, 21)),
    (lnn.Conv(1, 2, (3, 3, 2), padding="same", padding_mode="reflect"), (1, 4, 3, 5)),
    (nn.ConvTranspose2d(3, 2, (3, 2), stride=(2, 1)), (3, 4, 5)),
    (nn.Sequential(nn.Conv1d(1, 4, 3, stride=2), nn.BatchNorm1d(4), nn.AvgPool1d(2)), (1, 40)),
    (lnn.Conv(2, 2, (3,), stride=2, padding=1, padding_mode="circular"), (2, 9)),  # 9 is no multiple of 2
]


@pytest.mark.parametrize(("layer", "shape"), OTHERS)
def test_the_largest_elsewhere(layer: nn.Module, shape: tuple[int, ...]) -> None:
    found = singular_values(layer, shape, 3)
    expected = dense_values(layer.eval(), shape)[:3]
    assert found.method == "lanczos"
    np.testing.assert_allclose(found.values.numpy(), expected, rtol=1e-6)
    assert singular_values(layer, shape).norm == pytest.approx(expected[0], rel=1e-6)


def test_known_norms() -> None:
    difference = nn.Conv1d(1, 1, 2, padding=0, bias=False)
    with torch.no_grad():
        difference.weight.copy_(torch.tensor([[[-1.0, 1.0]]]))
    n = 12  # path graph: the squared singular values are 2 − 2 cos(π k/n)
    assert singular_values(difference, (1, n)).norm == pytest.approx(math.sqrt(2 - 2 * math.cos(math.pi * (n - 1) / n)))
    assert singular_values(nn.AvgPool2d(2), (1, 8, 8)).norm == pytest.approx(1 / 2)
    assert singular_values(lambda x: 3 * x, (1, 4), 2).values.tolist() == pytest.approx([3, 3])


def test_the_layer_stays_as_it_is() -> None:
    layer = nn.Sequential(nn.Conv1d(1, 4, 3), nn.BatchNorm1d(4))
    before = [value.clone() for value in layer.state_dict().values()]
    singular_values(layer, (1, 30))
    assert layer.training
    assert all(p.requires_grad for p in layer.parameters())
    assert all(torch.equal(a, b) for a, b in zip(before, layer.state_dict().values(), strict=True))


def test_norms_of_a_network() -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 3, (3, 2)), nn.ReLU(), nn.Sequential(nn.Conv2d(3, 2, 3, padding=1, padding_mode="circular")),
        nn.Flatten(), nn.Linear(2 * 4 * 6, 5),
    )  # fmt: skip
    found = list(layer_norms(model, (1, 6, 7)))
    assert [(one.name, one.type, one.in_shape, one.method) for one in found] == [
        ("0", "Conv2d", (1, 6, 7), "lanczos"),
        ("2.0", "Conv2d", (3, 4, 6), "fourier"),
        ("4", "Linear", (48,), "lanczos"),
    ]
    for one, layer in zip(found, (model[0], model[2][0]), strict=False):
        assert one.norm == pytest.approx(dense_values(layer, one.in_shape)[0], rel=1e-6)
    assert found[2].norm == pytest.approx(torch.linalg.matrix_norm(model[4].weight.double(), 2).item(), rel=1e-6)
    assert [one.name for one in layer_norms(nn.Conv1d(1, 1, 3), (1, 9))] == [""]


def test_bad_input() -> None:
    with pytest.raises(OptionError, match="singular_values: the layer is not affine: 1024 times the input"):
        singular_values(nn.Sigmoid(), (1, 12))
    with pytest.raises(OptionError, match="singular_values: count is 0, expected a number of at least 1, or None"):
        singular_values(nn.Conv1d(1, 1, 3), (1, 12), 0)
    with pytest.raises(OptionError) as raised:
        singular_values(nn.Conv1d(1, 1, 3), (1, 12), 11)
    assert str(raised.value) == "singular_values: count is 11, but a matrix of 10 × 12 has 10 values."
    with pytest.raises(ShapeError, match=r"singular_values: the layer does not take an input \(1, 2, 12\)"):
        singular_values(nn.Conv1d(1, 1, 3), (2, 12))
    with pytest.raises(ModelError, match="layer_norms: ReLU has neither a convolution nor a fully connected layer"):
        list(layer_norms(nn.ReLU(), (1, 4)))
