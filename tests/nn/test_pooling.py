"""Pooling modules: PyTorch's classes, arguments and results, and what they take beyond."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch

from lenrek.errors import OptionError, ShapeError
from lenrek.nn import pooling
from lenrek.ops import pooling as ops

SIZE = (9, 8, 7)
ARGUMENTS = {
    "MaxPool": [{"kernel_size": 3}, {"kernel_size": 3, "stride": 2, "padding": 1, "dilation": 2, "ceil_mode": True},
                {"kernel_size": 2, "return_indices": True}],
    "AvgPool": [{"kernel_size": 3}, {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True},
                {"kernel_size": 3, "padding": 1, "count_include_pad": False}],
    "LPPool": [{"norm_type": 2, "kernel_size": 3}, {"norm_type": 4.0, "kernel_size": 3, "stride": 2}],
    "AdaptiveMaxPool": [{"output_size": 4}, {"output_size": 4, "return_indices": True}],
    "AdaptiveAvgPool": [{"output_size": 4}],
}  # fmt: skip
CASES = [(name, ndim, given) for name, several in ARGUMENTS.items() for given in several for ndim in (1, 2, 3)]


@pytest.mark.parametrize(("name", "ndim", "arguments"), CASES)
@pytest.mark.parametrize("batched", [True, False])
def test_it_replaces_pytorchs(name, ndim, arguments, batched):
    x = torch.randn(2, 3, *SIZE[:ndim], generator=torch.Generator().manual_seed(0))
    x = x if batched else x[0]
    theirs, ours = (getattr(module, f"{name}{ndim}d")(**arguments) for module in (torch.nn, pooling))
    assert isinstance(ours, type(theirs))
    expected = theirs(x)
    torch.testing.assert_close(ours(x), expected)
    again = pickle.loads(pickle.dumps(copy.deepcopy(ours)))
    torch.testing.assert_close(again(x), expected)
    assert ours.state_dict() == {}
    if batched:
        torch.testing.assert_close(getattr(pooling, name)(**arguments)(x), expected)


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_unpooling_replaces_pytorchs(ndim):
    x = torch.randn(2, 3, *SIZE[:ndim], generator=torch.Generator().manual_seed(0))
    values, indices = pooling.MaxPool(3, 2, return_indices=True)(x)
    theirs, ours = (getattr(module, f"MaxUnpool{ndim}d")(3, 2) for module in (torch.nn, pooling))
    assert isinstance(ours, type(theirs))
    for size in (x.shape, x.shape[2:]):
        torch.testing.assert_close(ours(values, indices, output_size=size), theirs(values, indices, output_size=size))
    torch.testing.assert_close(ours(values[0], indices[0], x.shape[2:]), theirs(values[0], indices[0], x.shape[2:]))
    small = x[(..., *[slice(0, 7)] * ndim)]  # (3 − 1)·2 + 3 = 7, what forward takes by itself
    values, indices = pooling.MaxPool(3, 2, return_indices=True)(small)
    torch.testing.assert_close(pooling.MaxUnpool(3, 2)(values, indices), theirs(values, indices))


def test_more_than_pytorchs_take():
    x = torch.randn(2, 3, 9, 8)
    same = {"padding": "same", "dilation": (1, 2)}
    assert torch.equal(
        pooling.MaxPool2d((2, 3), 1, padding_mode="reflect", **same)(x),
        ops.max_pool(x, (2, 3), 1, boundary="reflect", **same),
    )
    assert torch.equal(
        pooling.AvgPool2d((2, 3), 1, padding_mode=0.5, divisor_override=2, **same)(x),
        ops.average_pool(x, (2, 3), 1, boundary=0.5, divisor_override=2, **same),
    )
    assert torch.equal(
        pooling.LPPool2d(3, (2, 3), 1, padding_mode="circular", **same)(x),
        ops.lp_pool(x, 3, (2, 3), 1, boundary="circular", **same),
    )
    assert torch.equal(pooling.SpectralPool((4, 5))(x), ops.spectral_pool(x, (4, 5)))
    assert torch.equal(pooling.GlobalMaxPool()(x), x.amax((2, 3)))
    assert torch.equal(pooling.GlobalAvgPool(keepdim=True)(x), x.mean((2, 3), keepdim=True))


def test_stochastic_pooling_draws_in_training_only():
    x = torch.rand(2, 3, 8, 8)
    layer = pooling.StochasticPool(2, padding=1, padding_mode="replicate")
    options = {"padding": 1, "boundary": "replicate"}
    torch.manual_seed(0)
    drawn = layer(x)
    torch.manual_seed(0)
    assert torch.equal(drawn, ops.stochastic_pool(x, 2, training=True, **options))
    assert torch.equal(layer.eval()(x), ops.stochastic_pool(x, 2, training=False, **options))


def test_how_they_show_themselves():
    assert repr(pooling.MaxPool2d(3, stride=2, padding="same")) == "MaxPool2d(kernel_size=3, stride=2, padding='same')"
    assert repr(pooling.GlobalAvgPool()) == "GlobalAvgPool()"
    assert repr(pooling.SpectralPool((4, 5))) == "SpectralPool(output_size=(4, 5))"


def test_another_number_of_axes_is_refused():
    with pytest.raises(ShapeError) as raised:
        pooling.MaxPool2d(2)(torch.zeros(2, 3, 4, 4, 4))
    assert str(raised.value) == (
        "max_pool: x (2, 3, 4, 4, 4) has 5 axes, but kernel_size has 2 entries, "
        "expected 4: (batch, channels, *size), or 3 without the batch."
    )


def test_a_padding_that_does_not_count_has_no_boundary():
    with pytest.raises(OptionError) as raised:
        pooling.AvgPool2d(2, count_include_pad=False, padding_mode="reflect")
    assert str(raised.value) == (
        "AvgPool2d: padding_mode is 'reflect', but count_include_pad=False leaves the padding out, "
        "expected one of the two."
    )
