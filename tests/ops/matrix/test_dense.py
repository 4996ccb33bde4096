"""Any affine layer as a fully connected one: the same outputs, both flattenings, and what is refused."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from lenrek.errors import OptionError, ShapeError
from lenrek.ops.matrix import dense as module
from lenrek.ops.matrix import filter_matrix, flatten_volume, to_dense
from oracles import filter_matrix as loop

LAYERS = [
    (nn.Conv1d(4, 6, 3, stride=2, padding=1, dilation=2, groups=2), (4, 9)),
    (nn.Conv2d(2, 3, (2, 3), stride=(2, 1), padding=(1, 0), dilation=(1, 2), padding_mode="circular"), (2, 5, 6)),
    (nn.Conv3d(1, 2, (1, 2, 3), bias=False), (1, 2, 3, 4)),
    (nn.ConvTranspose2d(4, 2, (3, 2), stride=(2, 3), padding=(1, 0), output_padding=(1, 2), groups=2), (4, 3, 2)),
    (nn.AvgPool2d((2, 3), stride=1, padding=(1, 1), count_include_pad=False), (2, 4, 5)),
    (nn.AdaptiveAvgPool1d(3), (2, 7)),
    (nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout(), nn.Upsample(scale_factor=2)), (1, 4, 5)),
    (nn.Sequential(nn.Conv2d(2, 2, 2), nn.Flatten(), nn.Linear(12, 5)), (2, 3, 4)),
]


@pytest.mark.parametrize("order", ["row_major", "column_major"])
@pytest.mark.parametrize(("layer", "shape"), LAYERS, ids=lambda value: type(value).__name__)
def test_it_does_what_the_layer_does(layer, shape, order):
    layer = layer.double().eval()
    dense = to_dense(layer, shape, order=order, dtype=torch.float64)
    x = torch.randn(3, *shape, dtype=torch.float64)
    y = layer(x)
    expected = flatten_volume(y, order) if y.ndim > 2 else y
    torch.testing.assert_close(dense(flatten_volume(x, order)), expected)
    assert (dense.in_features, dense.out_features) == (x[0].numel(), y[0].numel())


@pytest.mark.parametrize(("order", "letter"), [("row_major", "C"), ("column_major", "F")])
def test_weight_and_bias_are_those_of_the_lecture(order, letter):
    layer = nn.Conv2d(2, 3, (2, 3)).double()
    dense = to_dense(layer, (2, 4, 5), order=order)
    expected = loop(layer.weight.detach().numpy(), (4, 5), (1, 1), ((0, 0), (0, 0)), (1, 1), groups=1, order=letter)
    np.testing.assert_allclose(dense.weight.detach(), expected, atol=1e-14)
    assert dense.bias.equal(layer.bias.repeat_interleave(3 * 3))  # b₁ … b₁ b₂ … b₂ b₃ … b₃, R'·C' of each


def test_it_is_the_filters_matrix_for_a_function_too():
    weight = torch.randn(2, 1, 3)
    dense = to_dense(lambda x: F.conv1d(x, weight, padding=1), (1, 6))
    torch.testing.assert_close(dense.weight.detach(), filter_matrix(weight, (6,), padding=1).to_dense())
    assert dense.bias.tolist() == [0] * 12


def test_a_constant_outside_goes_into_the_bias():
    dense = to_dense(lambda x: F.conv1d(F.pad(x, (1, 1), value=0.5), torch.tensor([[[2.0, 3.0, 4.0]]])), (1, 3))
    assert dense.weight.tolist() == [[3, 4, 0], [2, 3, 4], [0, 2, 3]]
    assert dense.bias.tolist() == [1, 0, 2]


def test_the_basis_goes_through_in_batches_of_bounded_size(monkeypatch):
    monkeypatch.setattr(module, "_ENTRIES_AT_ONCE", 100)
    seen, layer = [], nn.Conv1d(2, 3, 2)

    def watched(x):
        seen.append(len(x))
        return layer(x)

    dense = to_dense(watched, (2, 11))  # 22 numbers in, 30 out: batches of ⌊100/30⌋
    assert seen == [1, 3, 3, 3, 3, 3, 3, 3, 1, 4, 4]
    torch.testing.assert_close(dense.weight, to_dense(layer, (2, 11)).weight)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16, torch.complex128])
def test_the_type_is_the_layers(dtype):
    layer = nn.Conv1d(1, 2, 3, dtype=dtype)
    dense = to_dense(layer, (1, 5))
    assert (dense.weight.dtype, dense.bias.dtype) == (dtype, dtype)
    assert to_dense(nn.AvgPool1d(2), (1, 4), dtype=torch.float64).weight.dtype == torch.float64
    expected = filter_matrix(layer.weight.detach(), (5,)).to_dense()
    torch.testing.assert_close(dense.weight.detach(), expected, rtol=0.02, atol=1e-2)


def test_the_layer_the_modes_and_the_random_numbers_stay_as_they_were():
    layer = nn.Sequential(nn.Conv1d(1, 1, 2), nn.BatchNorm1d(1), nn.Dropout()).train()
    layer[1].eval()
    before = {name: value.clone() for name, value in layer.state_dict().items()}
    state = torch.get_rng_state()
    dense = to_dense(layer, (1, 4))
    assert torch.get_rng_state().equal(state)
    assert [part.training for part in layer.modules()] == [True, True, False, True]
    assert all(value.equal(before[name]) for name, value in layer.state_dict().items())
    assert dense.weight.is_leaf
    assert layer[0].weight.grad is None
    with pytest.raises(OptionError):
        to_dense(nn.Sequential(layer, nn.ReLU()), (1, 4))
    assert [part.training for part in layer.modules()] == [True, True, False, True]


@pytest.mark.parametrize(
    "layer",
    [
        nn.ReLU(),
        nn.MaxPool1d(2),
        nn.Hardtanh(-100.0, 100.0),  # affine until far away
        nn.Sequential(nn.Conv1d(1, 1, 2), nn.Sigmoid()),
        nn.InstanceNorm1d(1),
        lambda x: x * x,
        lambda x: x + torch.rand_like(x),
        lambda x: x - x.mean(0),  # mixes the samples
    ],
    ids=["relu", "max", "clamp", "sigmoid", "instance norm", "square", "noise", "batch"],
)
def test_what_is_not_affine_is_refused(layer):
    with pytest.raises(OptionError, match="to_dense: the layer is not affine: on random inputs of standard deviation"):
        to_dense(layer, (1, 6))


def test_the_refusal_says_how_far():
    with pytest.raises(OptionError) as raised:
        to_dense(torch.abs, (1, 2), dtype=torch.float64)
    # |x| has the matrix 1 on the basis; a batch of 4 pairs from the generator's seed 0 differs where x < 0.
    x = torch.randn(4, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    far = ((x.abs() - x).norm() / x.norm()).item()
    assert str(raised.value) == (
        f"to_dense: the layer is not affine: on random inputs of standard deviation 1 its output is {far:.2g} of its "
        "norm away from weight @ x + bias, expected at most 1.5e-08.\n"
        "  Hint: only affine layers have a matrix: convolutions, average pooling, batch normalisation; not max pooling "
        "nor activations."
    )


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: to_dense(nn.AvgPool1d(2), (4,)),
            ShapeError,
            "to_dense: in_shape is (4,), expected (channels, *size) with at least one spatial axis.",
        ),
        (
            lambda: to_dense(torch.sum, (1, 4)),
            ShapeError,
            "to_dense: the layer returned () for 1 inputs, expected (1, …).",
        ),
        (
            lambda: to_dense(lambda x: (x, x), (1, 4)),
            ShapeError,
            "to_dense: the layer returned tuple for 1 inputs, expected (1, …).",
        ),
        (
            lambda: to_dense(nn.AvgPool1d(2), (1, 4), dtype=torch.int64),
            OptionError,
            "to_dense: dtype is torch.int64, expected a floating or complex type.",
        ),
    ],
)
def test_what_does_not_fit_is_refused(call, error, message):
    with pytest.raises(error) as raised:
        call()
    assert str(raised.value) == message
