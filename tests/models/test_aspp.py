import re

import pytest
import torch
from network_checks import check_minimum, check_trains, count_parameters, normalized, randomize_norms
from torch.nn import functional as F

from lenrek.errors import OptionError
from lenrek.models.aspp import ASPP

CONVOLVE = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}


def written_out(weights, x, rates):
    convolve = CONVOLVE[x.ndim - 2]

    def branch(x, convolution, norm, dilation=1):
        kernel = weights[f"{convolution}.weight"]
        padding = dilation * (kernel.shape[-1] // 2)
        return F.relu(normalized(convolve(x, kernel, padding=padding, dilation=dilation), weights, norm))

    branches = [branch(x, "convs.0.0", "convs.0.1")]
    branches += [branch(x, f"convs.{i}.0", f"convs.{i}.1", rate) for i, rate in enumerate(rates, 1)]
    pooled = x.flatten(2).mean(2).reshape(*x.shape[:2], *[1] * (x.ndim - 2))
    last = len(rates) + 1
    everywhere = torch.ones(1, 1, *x.shape[2:], dtype=x.dtype)
    branches += [branch(pooled, f"convs.{last}.1", f"convs.{last}.2") * everywhere]
    return branch(torch.cat(branches, 1), "project.0", "project.1")


@pytest.mark.parametrize(
    ("size", "rates"), [((50,), (6, 12, 18)), ((23, 40), (6, 12, 18)), ((9, 5, 7), (1, 3)), ((8, 11), (2,))]
)
def test_equals_the_branches_written_out(size, rates):
    torch.manual_seed(0)
    module = ASPP(3, 5, len(size), rates, dropout=0.5).double().eval()
    randomize_norms(module)
    x = torch.randn(2, 3, *size, dtype=torch.float64)
    torch.testing.assert_close(module(x), written_out(dict(module.state_dict()), x, rates))


def test_parameters_and_keys_are_those_of_the_public_deeplabv3_head():
    module = ASPP(2048, 256, 2)
    # Without biases: two 1 × 1 and three 3 × 3 from 2048, the joining 1 × 1 from 5 · 256, six batch norms.
    assert count_parameters(module) == 2048 * 256 * (2 + 3 * 9) + 5 * 256 * 256 + 6 * 2 * 256
    convolutions = [key for key, value in module.state_dict().items() if value.ndim == 4]
    assert convolutions == [
        "convs.0.0.weight",
        "convs.1.0.weight",
        "convs.2.0.weight",
        "convs.3.0.weight",
        "convs.4.1.weight",
        "project.0.weight",
    ]


def test_dropout_acts_in_training_only():
    torch.manual_seed(0)
    module = ASPP(2, 64, 1, dropout=0.5)
    x = torch.randn(4, 2, 30)
    dropped = (module(x) == 0).float().mean().item()
    # About half of what the last ReLU left, which is half again: 1 − 1/2 · 1/2 are zero.
    assert dropped == pytest.approx(0.75, abs=0.03)
    module.eval()
    assert torch.equal(module(x), module(x))


@pytest.mark.parametrize("rates", [(), (6, 0)])
def test_impossible_rates(rates):
    message = f"ASPP: rates is {rates}, but it takes at least one rate, and each at least 1."
    with pytest.raises(OptionError, match=f"^{re.escape(message)}$"):
        ASPP(3, 5, 2, rates)


@pytest.mark.parametrize("size", [(90,), (33, 50), (9, 12, 14)])
def test_trains(size):
    check_trains("aspp", size)


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_minimum_size(ndim):
    check_minimum("aspp", ndim)
