"""Two processes under torchrun reach the result of one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lenrek.models.tensor_file import read_tensors

COMMAND = ["train", "digits", "--epochs", "2", "--precision", "fp32", "--seed", "3", "--quiet", "--json"]


@pytest.mark.parametrize("model", ["lenet5", "resnet20"])
def test_two_processes_train_as_one(model: str, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    size = ["--size", "16"] if model == "lenet5" else []
    options = [*COMMAND, *size, "--model", model, "--out"]
    alone = [sys.executable, "-m", "lenrek", *options, str(one)]
    port = "29613" if model == "lenet5" else "29614"
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", port]
    together = [*launch, "-m", "lenrek"]
    for command in (alone, [*together, *options, str(two)]):
        result = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"})
        assert result.returncode == 0, result.stderr[-3000:]
        assert len(result.stdout.splitlines()) == 1  # one process speaks
    tensors, expected = read_tensors(two / "model.safetensors")[0], read_tensors(one / "model.safetensors")[0]
    for name, tensor in expected.items():
        # the sums run in another order: float32 rounding, amplified over two epochs
        torch.testing.assert_close(tensors[name], tensor, rtol=0.02, atol=0.005, msg=lambda m, n=name: f"{n}: {m}")
    histories = [
        [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()] for path in (one, two)
    ]
    for row, other in zip(*histories, strict=True):
        assert other["train_loss"] == pytest.approx(row["train_loss"], rel=0.01)
        assert other["validation_accuracy"] == pytest.approx(row["validation_accuracy"], abs=0.02)
