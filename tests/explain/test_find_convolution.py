"""Convolutions told from their matrices alone, and what is none told where it fails."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from lenrek.errors import OptionError, ShapeError
from lenrek.explain.find_convolution import find_convolution
from lenrek.nn import Conv, Conv2d
from lenrek.ops import circulant, filter_matrix


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.mark.parametrize("boundary", ["zeros", "circular", "replicate", "reflect", "symmetric"])
def test_kernel_and_boundary_are_found(boundary: str) -> None:
    layer = Conv2d(2, 3, (3, 5), padding=((2, 1), (1, 3)), padding_mode=boundary)
    found = find_convolution(layer, (2, 9, 11))
    assert found.is_convolution
    torch.testing.assert_close(found.weight, layer.weight.detach(), atol=1e-6, rtol=0)
    torch.testing.assert_close(found.bias, layer.bias.detach(), atol=1e-6, rtol=0)
    assert (found.boundary, found.padding, found.stride) == (boundary, ((2, 1), (1, 3)), (1, 1))


def test_same_circular_layers_are_found_around_the_circle() -> None:
    layer = Conv2d(2, 3, (3, 5), padding=((0, 2), (3, 1)), padding_mode="circular")
    found = find_convolution(layer, (2, 6, 8))
    assert found.is_convolution
    assert (found.boundary, found.padding) == ("circular", ((0, 2), (3, 1)))
    torch.testing.assert_close(found.weight, layer.weight.detach(), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("size", "kernel", "stride"), [((13,), (4,), (3,)), ((8, 11), (2, 3), (2, 3)), ((5, 7, 6), (1, 3, 2), (1, 2, 1))]
)
def test_strides_without_padding(size: tuple[int, ...], kernel: tuple[int, ...], stride: tuple[int, ...]) -> None:
    layer = Conv(2, 2, kernel, stride, bias=False)
    found = find_convolution(layer, (2, *size))
    assert found.is_convolution
    assert (found.stride, found.boundary) == (stride, None)
    torch.testing.assert_close(found.weight, layer.weight.detach(), atol=1e-6, rtol=0)


def test_dilation_is_a_kernel_with_holes_and_groups_are_blocks_of_zeros() -> None:
    layer = nn.Conv1d(4, 2, 3, padding=2, dilation=2, groups=2, bias=False)
    found = find_convolution(layer, (4, 10))
    assert found.is_convolution
    assert found.weight.shape == (2, 4, 5)
    torch.testing.assert_close(found.weight[0, :2, ::2], layer.weight.detach()[0], atol=1e-6, rtol=0)
    assert found.weight[:, :, 1::2].abs().max() == 0
    assert found.weight[0, 2:].abs().max() == 0


def test_several_layers_are_one_convolution() -> None:
    two = nn.Sequential(nn.Conv1d(1, 3, 3, bias=False), nn.Conv1d(3, 1, 4, stride=2, bias=False))
    found = find_convolution(two, (1, 20))
    expected = torch.zeros(6)
    for c in range(3):  # correlation by a and then by b is correlation by the convolution of a and b
        expected += torch.from_numpy(
            np.convolve(two[0].weight[c, 0].detach().numpy(), two[1].weight[0, c].detach().numpy())
        )
    assert (found.is_convolution, found.stride) == (True, (2,))
    torch.testing.assert_close(found.weight[0, 0], expected, atol=1e-6, rtol=0)


def test_matrices() -> None:
    column = torch.tensor([2.0, 1.0, 0.0, 0.0, 0.0, 5.0])
    found = find_convolution(circulant(column), (1, 6))
    assert (found.is_convolution, found.boundary, found.padding) == (True, "circular", ((1, 1),))
    assert found.weight.flatten().tolist() == [1, 2, 5]  # x[p − 1], x[p], x[p + 1]
    weight = torch.randn(3, 2, 2, 3)
    matrix = filter_matrix(weight, (5, 6), stride=(1, 2))
    found = find_convolution(matrix, (2, 5, 6), (3, 4, 2))
    assert found.is_convolution
    torch.testing.assert_close(found.weight, weight, atol=1e-6, rtol=0)
    assert found.bias is None


def test_what_was_learned_is_a_convolution_up_to_its_noise() -> None:
    weight = torch.tensor([[[[1.0, -2.0, 3.0], [0.5, 4.0, -0.25]]]])
    matrix = filter_matrix(weight, (7, 8), padding=((0, 1), (1, 1))).to_dense()
    noisy = matrix + 0.01 * torch.randn(matrix.shape)
    found = find_convolution(noisy, (1, 7, 8), tolerance=0.05)  # 0.25 is 6 % of the largest weight
    assert (found.is_convolution, found.padding) == (True, ((0, 1), (1, 1)))
    torch.testing.assert_close(found.weight, weight, atol=0.01, rtol=0)
    assert 0.01 < found.distance < 0.05
    assert not find_convolution(noisy, (1, 7, 8)).is_convolution


def test_one_changed_weight_is_found_where_it_is() -> None:
    linear = nn.Linear(30, 30)
    matrix = filter_matrix(torch.tensor([[[[1.0, 2.0, 3.0]]]]), (5, 6), padding=(0, 1)).to_dense()
    matrix[8, 9] += 0.5  # output (1, 2) reads input (1, 3) with its last weight, 3
    with torch.no_grad():
        linear.weight.copy_(matrix)
        linear.bias.fill_(2.0)
    found = find_convolution(linear, (1, 5, 6))
    assert not found.is_convolution
    assert (found.worst.output, found.worst.input, found.worst.found) == ((0, 1, 2), (0, 1, 3), 3.5)
    assert found.worst.expected == pytest.approx(3, abs=0.03)
    assert found.deviation.argmax() == 8
    assert found.deviation.square().sum().sqrt().item() == pytest.approx(found.distance, rel=1e-4)
    assert found.distance == pytest.approx(0.5 * (24 / 25) ** 0.5 / matrix.norm().item(), rel=1e-3)  # 25 share the tap
    assert "most where output (0, 1, 2) reads input (0, 1, 3) with weight 3.5 instead of 3.02" in str(found)
    assert found.to_json()["worst"]["output"] == (0, 1, 2)


def test_a_bias_that_is_not_shared() -> None:
    linear = nn.Linear(6, 6)
    with torch.no_grad():
        linear.weight.copy_(torch.eye(6))
        linear.bias.copy_(torch.arange(6.0))
    found = find_convolution(linear, (1, 6))
    assert (found.is_convolution, found.distance, found.bias_distance > 0.1) == (False, 0, True)
    assert str(found).endswith("but the bias differs within a channel")


def test_fully_connected_and_pooling_layers() -> None:
    dense = find_convolution(nn.Linear(20, 20), (1, 20))
    assert not dense.is_convolution
    assert dense.distance > 0.5
    pool = find_convolution(nn.AvgPool2d((2, 3)), (1, 6, 9))
    assert (pool.is_convolution, pool.stride, tuple(pool.weight.shape)) == (True, (2, 3), (1, 1, 2, 3))
    resized = find_convolution(nn.Upsample(scale_factor=2, mode="linear"), (1, 8))
    assert not resized.is_convolution  # its weights go with the parity of the output


def test_bad_input() -> None:
    with pytest.raises(OptionError, match="to_dense: the layer is not affine"):
        find_convolution(nn.ReLU(), (1, 8))
    with pytest.raises(ShapeError) as raised:
        find_convolution(nn.Linear(8, 5), (1, 8))
    assert str(raised.value) == (
        "find_convolution: the matrix is (5, 8), but from (1, 8) to (1, 8) it has 1 · 8 = 8 rows and 1 · 8 = 8 "
        "columns.\n  Hint: pass out_shape=(channels, *size)."
    )
    with pytest.raises(OptionError, match="find_convolution: out_shape has no effect on a layer"):
        find_convolution(nn.Conv1d(1, 1, 3), (1, 8), (1, 6))
    with pytest.raises(ShapeError, match=r"find_convolution: in_shape is \(8,\), expected \(channels, \*size\)"):
        find_convolution(nn.Conv1d(1, 1, 3), (8,))
    with pytest.raises(OptionError) as large:
        find_convolution(nn.Conv2d(3, 64, 3, padding=1), (3, 64, 64))
    assert str(large.value) == (
        "find_convolution: from (3, 64, 64) to (64, 64, 64) the matrix has 3,221,225,472 entries, more than "
        "268,435,456.\n  Hint: a smaller in_shape says the same."
    )
