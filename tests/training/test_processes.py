"""Batch norm over two processes equals batch norm over the whole batch in one."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from lenrek.errors import OptionError
from lenrek.training import processes

TWO = """
import sys, torch
from torch import nn
from lenrek.errors import OptionError
from lenrek.training import processes
from lenrek.training.global_batch_norm import share_statistics
with processes.joined():
    torch.manual_seed(5)
    x = torch.randn(6, 3, 4, 5, dtype=torch.float64, requires_grad=True)
    v = torch.randn(6, 3, 4, 5, dtype=torch.float64)
    whole = nn.BatchNorm2d(3, momentum=0.3).double()
    nn.init.normal_(whole.weight); nn.init.normal_(whole.bias)
    shared = nn.BatchNorm2d(3, momentum=0.3).double()
    shared.load_state_dict(whole.state_dict())
    share_statistics(shared)
    mine = slice(processes.rank(), None, 2)
    part = x.detach()[mine].clone().requires_grad_()
    y = shared(part)
    (y * v[mine]).sum().backward()
    expected = whole(x)
    (expected * v).sum().backward()
    close = lambda a, b: torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-6)
    close(y, expected[mine])
    close(part.grad, x.grad[mine])
    close(shared.running_mean, whole.running_mean)
    close(shared.running_var, whole.running_var)
    shared.eval(); whole.eval()
    close(shared(part), whole(part))
    total = processes.summed([1.0 + processes.rank()], torch.device("cpu"))
    assert total == [3.0], total
    assert processes.from_first(lambda: {"rank": processes.rank()}) == {"rank": 0}
    def refuse():
        raise OptionError("the first process refuses")
    try:
        processes.from_first(refuse if processes.is_first() else None)
    except OptionError as error:
        # One write: unbuffered, the pieces of a print of two processes can mix.
        sys.stdout.write(f"process {processes.rank()} agrees: {error}\\n")
"""


def test_two_processes_normalise_as_one(tmp_path: Path) -> None:
    script = tmp_path / "two.py"
    script.write_text(TWO)
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "29611"]
    result = subprocess.run([*launch, str(script)], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr[-3000:]
    assert sorted(result.stdout.splitlines()) == [
        "process 0 agrees: the first process refuses", "process 1 agrees: the first process refuses"
    ]  # fmt: skip


def test_alone() -> None:
    assert (processes.world_size(), processes.rank(), processes.is_first()) == (1, 0, True)
    order, share = processes.my_share(np.array([5, 3, 9, 1, 7]), 2)
    assert (order.tolist(), share) == ([5, 3, 9, 1], 2)


def test_shares_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "world_size", lambda: 2)
    seen = []
    for rank in (0, 1):
        monkeypatch.setattr(processes, "rank", lambda rank=rank: rank)
        seen.append(processes.my_share(np.arange(10, 19), 4)[0].tolist())
    assert seen == [[10, 12, 14, 16], [11, 13, 15, 17]]
    with pytest.raises(OptionError) as info:
        processes.my_share(np.arange(10), 5)
    assert str(info.value) == (
        "train: a batch of 5 samples cannot be shared equally by 2 processes: 5 = 2 · 2 + 1.\n"
        "  Hint: pass --batch-size 4."
    )
