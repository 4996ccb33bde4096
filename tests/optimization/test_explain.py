"""`explain_optimization`: every layer named once, what runs in its place, and the times."""

from __future__ import annotations

import copy

import pytest
import torch
from networks import NETWORKS, Branches, Shared, ValueDependent, causal_signals, depthwise
from torch import nn

from lenrek import explain_optimization
from lenrek.errors import OptionError
from lenrek.kernels import library
from lenrek.optimization.module import optimize

compiled = pytest.mark.skipif(not library.available(), reason="no compiled kernels")


def what(explanation):
    return {part.names: part.what for part in explanation.parts}


@compiled
def test_every_layer_is_named_with_what_runs():
    found = explain_optimization(Branches(), torch.randn(4, 3, 9, 11))
    assert what(found) == {
        ("conv1",): "PyTorch's convolution, channels-last",
        ("bn1", "relu"): "one pass: norm + relu",
        ("conv2",): "PyTorch's convolution, channels-last",
        ("down.0",): "PyTorch's convolution, channels-last",
        ("down.1",): "one pass: norm",
        ("bn2", "add", "leaky_relu"): "one pass: norm + add + leaky_relu",
        ("pool",): "one pass: average pool",
        ("max_pool2d",): "one pass: max pool",
        ("cat",): "PyTorch's",
        ("mean",): "PyTorch's",
        ("fc",): "PyTorch's",
    }
    assert [part.fast for part in found.parts] == ["one pass" in part.what for part in found.parts]
    assert all(part.before_s > 0 and part.after_s > 0 for part in found.parts)
    assert sum(part.before_s for part in found.parts) < 20 * found.before_s


@compiled
def test_layers_of_their_own():
    assert set(what(explain_optimization(causal_signals(), torch.randn(3, 1, 41))).values()) >= {
        "lenrek's padding, channels-last",
        "PyTorch's convolution of images, channels-last",
        "lenrek's average",
        "one pass: convolution + gelu",
    }
    assert what(explain_optimization(depthwise(), torch.randn(2, 9, 16, 15)))["0",] == "lenrek's depthwise kernels"


@compiled
def test_where_the_whole_has_no_graph_its_parts_are_explained():
    found = what(explain_optimization(ValueDependent(), torch.randn(4, 3, 8, 9)))
    assert "control flow" in found["the network",]
    assert found["body.1", "body.2", "body.3"] == "one pass: norm + relu + max pool"
    inside = nn.Sequential(nn.Conv2d(2, 3, 1), ValueDependent(), nn.ReLU())
    found = what(explain_optimization(inside, torch.randn(4, 2, 8, 9)))
    assert found["1.body.1", "1.body.2", "1.body.3"] == "one pass: norm + relu + max pool"


@compiled
def test_hooks_are_a_reason():
    net = Shared()
    net.bn.register_forward_hook(lambda module, inputs, output: None)
    assert "PyTorch's: it has hooks" in what(explain_optimization(net, torch.randn(2, 3, 12, 11))).values()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_nothing_of_the_model_changes(name, dtype):
    if name == "without gradients" and dtype == torch.bfloat16:
        pytest.skip("it switches autocast off, and PyTorch's, too, then gives a float32 layer what is bfloat16")
    make, inputs = NETWORKS[name]
    net = make()
    before = copy.deepcopy(net.state_dict())
    explanation = explain_optimization(net, *inputs(), dtype=dtype)
    assert explanation.before_s > 0
    assert explanation.after_s > 0
    for key, value in net.state_dict().items():
        assert torch.equal(value, before[key])
    assert all(parameter.grad is None for parameter in net.parameters())


def test_as_text():
    lines = str(explain_optimization(optimize(Shared()), torch.randn(2, 3, 12, 11), dtype=torch.float32)).splitlines()
    assert lines[0].split() == ["layers", "before", "after", "what", "runs"]
    assert lines[-1].startswith("a step")
    assert lines[-1].endswith("× as fast, in float32")


def test_without_kernels():
    with library.using(None):
        explanation = explain_optimization(Shared(), torch.randn(2, 3, 12, 11))
    assert what(explanation) == {("the network",): "PyTorch's: there are no compiled kernels"}


def test_without_an_input_there_is_nothing_to_time():
    with pytest.raises(OptionError, match="explain_optimization: no inputs"):
        explain_optimization(Shared())
