"""Single nodes that have a faster equal: which are replaced, and how they then run."""

from __future__ import annotations

import pytest
import torch
from networks import averages, causal_signals, depthwise
from torch import nn

from lenrek.kernels import library
from lenrek.kernels.layout import is_dense
from lenrek.optimization.convolution import convolve
from lenrek.optimization.module import optimize
from lenrek.optimization.nodes import adaptive_average, pad

compiled = pytest.mark.skipif(not library.available(), reason="no compiled kernels")


def gradients_of(y):
    """The names of the gradient functions behind a tensor."""
    names, todo = set(), [y.grad_fn]
    while todo:
        function = todo.pop()
        if function is not None:
            names.add(function.name())
            todo += [before for before, _ in function.next_functions]
    return names


@compiled
def test_depthwise_layers_run_on_the_kernels():
    x = torch.randn(2, 9, 16, 15)
    assert "_ForwardBackward" in gradients_of(optimize(depthwise(), torch.float32)(x))
    few = nn.Sequential(nn.Conv2d(3, 3, 3, groups=3))  # a vector of the processor would be nearly empty
    assert "_ForwardBackward" not in gradients_of(optimize(few, torch.float32)(torch.randn(2, 3, 5, 6)))


@compiled
def test_signals_run_as_images():
    names = gradients_of(optimize(causal_signals(), torch.float32)(torch.randn(2, 1, 41)))
    assert {"SqueezeBackward1", "_ForwardBackward"} <= names


def test_padding_keeps_the_layout_of_signals():
    x = torch.randn(2, 7, 3).movedim(-1, 1)
    layer = nn.ConstantPad1d((2, 1), 0.5)
    assert is_dense(pad(x, layer))
    torch.testing.assert_close(pad(x, layer), layer(x))


def test_averages_of_single_samples_are_copies():
    x = torch.randn(2, 3, 1, 1, requires_grad=True)
    y = adaptive_average(x, nn.AdaptiveAvgPool2d((4, 5)))
    assert torch.equal(y, x.expand(2, 3, 4, 5))
    y.sum().backward()
    assert torch.equal(x.grad, torch.full((2, 3, 1, 1), 20.0))
    whole = adaptive_average(y, nn.AdaptiveAvgPool2d((4, None)))
    assert torch.equal(whole, y)
    assert whole.data_ptr() != y.data_ptr()  # what is written into one must not change the other


def test_a_layer_changed_afterwards_does_what_it_then_says():
    net = averages()
    fast = optimize(net, torch.float32)
    x = torch.randn(2, 3, 9, 6)
    fast(x)
    for each in (net, fast):
        each[2].register_forward_hook(lambda module, inputs, output: output + 1)
        each[6].output_size = (3, 4)
    torch.testing.assert_close(fast(x), net(x))


class Doubled(nn.Conv1d):
    """Not a plain convolution, though one by name."""

    def forward(self, x):
        return super().forward(x) * 2


def test_a_convolution_of_another_kind_is_called():
    layer, x = Doubled(8, 8, 3, groups=8), torch.randn(2, 8, 9)
    assert torch.equal(convolve(x, layer), layer(x))


@pytest.mark.parametrize("size", [(8, 9), (0, 8, 9)])
def test_inputs_of_other_kinds_are_pytorchs(size):
    layer, x = nn.Conv1d(8, 8, 3, groups=8), torch.randn(size)
    assert torch.equal(convolve(x, layer), layer(x))


def test_an_input_that_does_not_fit_is_refused_in_pytorchs_words():
    layer, x = nn.Conv1d(8, 8, 3, groups=8), torch.randn(2, 5, 9)
    with pytest.raises(RuntimeError) as theirs:
        layer(x)
    with pytest.raises(RuntimeError) as ours:
        convolve(x, layer)
    assert str(ours.value) == str(theirs.value)
