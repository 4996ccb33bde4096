"""Two processes under torchrun reach the result of one."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from pictures import pictures

import lenrek
from lenrek.models.tensor_file import read_tensors
from lenrek.training import fitting
from lenrek.training.precision import Precision

LAUNCH = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]


# Whoever is mixed in may be the other process's, and a sample's copies come in either.
MIXED = {"mixup": "0.4", "cutmix": "1", "balance": "synthesis", "augment": "shift=0.2"}


@pytest.mark.parametrize(
    ("model", "port", "out", "more"),
    [
        ("lenet5", "29613", None, {}),
        ("resnet20", "29614", "two", {}),  # has batch norm
        ("lenet5", "29615", "two", MIXED),
    ],
)
def test_two_processes_train_as_one(
    model: str, port: str, out: str | None, more: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y = pictures()
    kept = (np.arange(len(y)) % 4 > 0) if "balance" in more else slice(None)  # half as many of the first class
    np.savez(tmp_path / "made.npz", x=x[kept], y=y[kept])
    options = {
        "epochs": 2, "batch_size": 16, "seed": 3, "precision": "fp32", "optimizer": "sgd", "learning_rate": 0.01, **more
    }  # fmt: skip
    # PyTorch's own norm, as in several processes: a sum in another order can switch a rectifier, which is no rounding.
    monkeypatch.setattr(fitting, "choose_precision", lambda *_: Precision("fp32", False, "as PyTorch comes"))
    one = lenrek.train(tmp_path / "made.npz", model, out=tmp_path / "one", progress=False, **options)
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    command = ["-m", "lenrek", "train", "made.npz", "--model", model, *flags, "--quiet", "--json"]
    command += ["--out", out] if out else []
    result = subprocess.run(
        [*LAUNCH, "--master-port", port, *command],
        capture_output=True, text=True, cwd=tmp_path, env=os.environ | {"OMP_NUM_THREADS": "1"}, timeout=120,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr[-3000:]
    assert len(result.stdout.splitlines()) == 1  # one process speaks
    two = tmp_path / (out or "runs/made-lenet5")
    assert Path(json.loads(result.stdout)["path"]) == two.relative_to(tmp_path)
    assert out or [run.name for run in (tmp_path / "runs").iterdir()] == ["made-lenet5"]  # one folder for both
    tensors, expected = read_tensors(two / "model.safetensors")[0], read_tensors(one.path / "model.safetensors")[0]
    for name, tensor in expected.items():
        # the sums run in another order: float32 rounding, amplified over the steps
        torch.testing.assert_close(tensors[name], tensor, rtol=1e-3, atol=1e-4, msg=lambda m, n=name: f"{n}: {m}")
    history = [json.loads(line) for line in (two / "metrics.jsonl").read_text().splitlines()]
    for row, other in zip(one.history, history, strict=True):
        assert other["train_loss"] == pytest.approx(row["train_loss"], rel=0.01)
        assert other["train_accuracy"] == pytest.approx(row["train_accuracy"], abs=0.02)
        assert other["validation_accuracy"] == row["validation_accuracy"]
