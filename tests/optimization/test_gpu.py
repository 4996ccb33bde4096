"""The way of a GPU, on a CPU that stands for one: compiled, channels-last, in the type asked for."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import nn

from lenrek.optimization import gpu, module
from lenrek.optimization.module import optimize


class Seen(nn.Module):
    """A convolution that remembers the layout and type of what it computed."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x):
        y = self.conv(x)
        self.seen = (y.dtype, x.is_contiguous(memory_format=torch.channels_last))
        return y


@pytest.fixture
def compiled(monkeypatch):
    """Functions given to the compiler."""
    given = []
    monkeypatch.setattr(module, "CPU", "none")
    monkeypatch.setattr(module, "GPU", "cpu")
    monkeypatch.setattr(
        gpu.torch, "compile", lambda forward: given.append(forward) or forward.func.__get__(*forward.args)
    )
    return given


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_compiled_once_channels_last_and_in_the_type(compiled, dtype):
    net, x = Seen(), torch.randn(2, 3, 8, 9)
    fast = optimize(net, dtype)
    for _ in range(2):
        y = fast(x)
    assert fast.seen == (dtype, True)
    assert y.dtype == torch.float32
    assert len(compiled) == 1
    torch.testing.assert_close(y, net(x), atol=0.05, rtol=0.05)
    for copied in (copy.deepcopy(fast), pickle.loads(pickle.dumps(fast))):
        torch.testing.assert_close(copied(x), y)


def test_where_the_compiler_fails_the_network_runs_as_it_is(compiled, monkeypatch, caplog):
    def broken(forward):
        def fail(*_):
            raise RuntimeError("no compiler\nand much more")

        return fail

    monkeypatch.setattr(gpu.torch, "compile", broken)
    net, x = Seen(), torch.randn(2, 3, 8, 9)
    fast = optimize(net, torch.float32)
    torch.testing.assert_close(fast(x), net(x))
    torch.testing.assert_close(fast(x), net(x))
    assert caplog.messages == ["lenrek.optimize runs without torch.compile: no compiler"]
    with pytest.raises(RuntimeError, match="expected input"):
        optimize(net)(torch.randn(2, 5, 8, 9))
