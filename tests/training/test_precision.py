"""The measured choice: the fastest way wins by a margin, is remembered, and leaves no trace in the training."""

import copy
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from pictures import pictures
from torch import nn

import lenrek
from lenrek.kernels import library
from lenrek.models.contract import InputContract
from lenrek.models.tensor_file import read_tensors
from lenrek.training import precision
from lenrek.training.precision import WAYS, Precision, choose_precision

CPU = torch.device("cpu")
IMAGES = InputContract(3, (6, 7), (0.0,) * 3, (1.0,) * 3, ("a", "b"))
SIGNALS = InputContract(1, (9,), (0.0,), (1.0,), ("a", "b"))


VOLUMES = InputContract(2, (5, 6, 7), (0.0,) * 2, (1.0,) * 2, ("a", "b"))
CONVOLUTIONS = {1: (nn.Conv1d, nn.BatchNorm1d), 2: (nn.Conv2d, nn.BatchNorm2d), 3: (nn.Conv3d, nn.BatchNorm3d)}


def network(contract: InputContract = IMAGES) -> nn.Module:
    """With every kind of state that measuring could change."""
    return nn.Sequential(convolutional(contract), nn.Dropout(0.5))


def convolutional(contract: InputContract) -> nn.Module:
    torch.manual_seed(4)
    convolution, norm = CONVOLUTIONS[len(contract.size)]
    features = 4 * torch.Size(length - 2 for length in contract.size).numel()
    return nn.Sequential(convolution(contract.channels, 4, 3), norm(4), nn.ReLU(), nn.Flatten(), nn.Linear(features, 2))


def colours(number: int) -> tuple[np.ndarray, np.ndarray]:
    """`pictures` in three colours."""
    x, y = pictures(number)
    return np.stack([x, x // 2, 255 - x], 1), y


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LENREK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "precision"


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Lets each way take the seconds it is told; returns the list in which the steps done are noted."""

    def pretend(**seconds: float) -> list[str]:
        done: list[str] = []

        def step(network, contract, batch_size, device, way):
            name = way.dtype if way.optimized else "plain"
            return lambda: done.append(name) or seconds[name]

        monkeypatch.setattr(precision, "_step", step)
        return done

    return pretend


@pytest.mark.parametrize(
    ("seconds", "dtype", "optimized", "reason"),
    [
        (
            {"plain": 1.0, "fp32": 0.7, "bf16": 0.4}, "bf16", True,
            "bf16 on lenrek's kernels: a training step here is 2.5× as fast as PyTorch's "
            "(fp32 on lenrek's kernels 1.43×)",
        ),
        (  # 0.65 is faster, but not by 15 %
            {"plain": 1.0, "fp32": 0.7, "bf16": 0.65}, "fp32", True,
            "fp32 on lenrek's kernels: a training step here is 1.43× as fast as PyTorch's "
            "(bf16 on lenrek's kernels 1.54×, too little more to decide)",
        ),
        (  # bf16 in software
            {"plain": 1.0, "fp32": 0.5, "bf16": 40.0}, "fp32", True,
            "fp32 on lenrek's kernels: a training step here is 2.0× as fast as PyTorch's "
            "(bf16 on lenrek's kernels 0.03×)",
        ),
        (
            {"plain": 1.0, "fp32": 0.9, "bf16": 1.6}, "fp32", False,
            "fp32 in plain PyTorch: nothing makes a training step here 1.15× as fast "
            "(fp32 on lenrek's kernels 1.11×, bf16 on lenrek's kernels 0.62×)",
        ),
        (
            {"plain": 1.0, "fp32": 1.2, "bf16": 0.8}, "bf16", True,
            "bf16 on lenrek's kernels: a training step here is 1.25× as fast as PyTorch's "
            "(fp32 on lenrek's kernels 0.83×)",
        ),
    ],
)  # fmt: skip
def test_the_fastest_by_a_margin(steps, seconds: dict, dtype: str, optimized: bool, reason: str) -> None:
    steps(**seconds)
    chosen = choose_precision("auto", network(), IMAGES, 8, CPU)
    if not library.available():
        reason = reason.replace("on lenrek's kernels", "channels-last")
    assert chosen == Precision(dtype, optimized, reason)


def test_kernels_that_are_not_there_are_not_spoken_of(steps) -> None:
    steps(plain=1.0, fp32=0.9, bf16=0.5)
    with library.using(None):
        chosen = choose_precision("auto", network(), IMAGES, 8, CPU)
    assert chosen.reason == (
        "bf16 channels-last: a training step here is 2.0× as fast as PyTorch's (fp32 channels-last 1.11×)"
    )


def test_a_way_that_takes_for_ever_is_tried_once(steps) -> None:
    done = steps(plain=2.0, fp32=2.5, bf16=9.0)
    assert choose_precision("auto", network(), IMAGES, 8, CPU).dtype == "fp32"
    assert (done.count("bf16"), done.count("fp32")) == (1, 8)


def test_remembered_for_this_network_size_and_batch(steps, cache: Path) -> None:
    steps(plain=1.0, fp32=1.0, bf16=0.5)
    chosen = choose_precision("auto", network(), IMAGES, 8, CPU)
    done = steps(plain=1.0, fp32=1.0, bf16=2.0)
    assert choose_precision("auto", network(), IMAGES, 8, CPU) == chosen
    assert not done
    assert choose_precision("auto", network(), IMAGES, 16, CPU).dtype == "fp32"
    assert done
    assert len(list(cache.iterdir())) == 2


NOT_OURS = (
    "", '{"dtype": "bf16", "opt', "[]", '{"dtype": "fp8", "optimized": true, "reason": ""}', "\x00\xff", "{}", "7",
    '{"dtype": "bf16", "optimized": false, "reason": "plain PyTorch is fp32"}',
)  # fmt: skip


@pytest.mark.parametrize("content", NOT_OURS)
def test_a_damaged_memory_is_measured_anew_and_replaced(steps, cache: Path, content: str) -> None:
    steps(plain=1.0, fp32=1.0, bf16=0.5)
    chosen = choose_precision("auto", network(), IMAGES, 8, CPU)
    (file,) = cache.iterdir()
    file.write_text(content, encoding="latin-1")
    assert choose_precision("auto", network(), IMAGES, 8, CPU) == chosen
    assert json.loads(file.read_text())["dtype"] == "bf16"


def test_a_cache_that_cannot_be_written_does_not_stop_the_run(steps, cache: Path) -> None:
    steps(plain=1.0, fp32=1.0, bf16=0.5)
    cache.parent.mkdir()
    cache.write_text("in the way")
    chosen = choose_precision("auto", network(), IMAGES, 8, CPU)
    assert chosen.dtype == "bf16"
    assert "(not remembered: [Errno 17] File exists" in chosen.reason


def test_asked_for(steps) -> None:
    done = steps()
    assert choose_precision("bf16", network(), IMAGES, 8, CPU) == Precision("bf16", True, "bf16, as asked")
    assert choose_precision("fp32", network(), IMAGES, 8, CPU) == Precision("fp32", True, "fp32, as asked")
    assert not done


@pytest.mark.parametrize("contract", [IMAGES, SIGNALS, VOLUMES])
def test_measuring_changes_neither_network_nor_random_state(contract: InputContract) -> None:
    measured = network(contract)
    before = {name: (tensor.clone(), tensor.stride()) for name, tensor in measured.state_dict().items()}
    torch.manual_seed(1)
    state = torch.get_rng_state()
    chosen = choose_precision("auto", measured, contract, 8, CPU)
    assert chosen.reason.startswith(f"{chosen.dtype} ")
    assert torch.equal(torch.get_rng_state(), state)
    for name, tensor in measured.state_dict().items():
        assert torch.equal(tensor, before[name][0])
        assert tensor.stride() == before[name][1]
    assert all(parameter.grad is None for parameter in measured.parameters())


def test_a_seeded_run_is_the_same_measured_or_told(tmp_path: Path) -> None:
    def trained(out: str, **options) -> dict[str, torch.Tensor]:
        lenrek.train(pictures(40), out=tmp_path / out, epochs=1, batch_size=8, progress=False, **options)
        return read_tensors(tmp_path / out / "checkpoint.safetensors")[0]

    measured = trained("measured")
    remembered = trained("remembered")
    chosen = json.loads((tmp_path / "measured" / "config.json").read_text())["precision"]
    assert "a training step here" in chosen["reason"]
    assert all(torch.equal(tensor, remembered[name]) for name, tensor in measured.items())
    if chosen["optimized"]:  # plain PyTorch can be found, but not be asked for
        told = trained("told", precision=chosen["dtype"])
        assert all(torch.equal(tensor, told[name]) for name, tensor in measured.items())


@pytest.mark.parametrize("contract", [IMAGES, SIGNALS, VOLUMES])
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.dtype + ("" if way.optimized else ", plain"))
def test_the_network_to_run_shares_its_weights(contract: InputContract, way: Precision) -> None:
    original = convolutional(contract)
    exact = copy.deepcopy(original).double()
    fast = way.fast(original)
    assert (fast is original) == (not way.optimized)
    x = torch.randn(6, contract.channels, *contract.size)
    y, expected = fast(x), exact(x.double())
    assert y.dtype == torch.float32
    closeness = 0.03 if way.dtype == "bf16" else 1e-5
    torch.testing.assert_close(y.double(), expected, rtol=closeness, atol=closeness)
    assert (y.double() - expected).abs().max() > (1e-4 if way.dtype == "bf16" else 0)  # it did compute in that type
    for ours, theirs in zip(fast.parameters(), original.parameters(), strict=True):
        assert ours is theirs
    # Statistics of the batch, too, are in the original, where they are saved from.
    assert int(original.get_buffer("1.num_batches_tracked")) == 1
    torch.testing.assert_close(
        original.get_buffer("1.running_mean").double(), exact.get_buffer("1.running_mean"),
        rtol=closeness, atol=closeness,
    )  # fmt: skip


@pytest.mark.parametrize("kernels", [True, False])
@pytest.mark.parametrize("model", ["lenet5", "resnet20"])
@pytest.mark.parametrize("way", ["fp32", "bf16"])
def test_files_do_not_depend_on_how_the_weights_lie(tmp_path: Path, model: str, way: str, kernels: bool) -> None:
    """One step of both on the same samples: the same names, shapes and, but for rounding, values; in axis order."""

    def trained(precision: Precision, out: str) -> dict[str, torch.Tensor]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("lenrek.training.fitting.choose_precision", lambda *_: precision)
            lenrek.train(
                colours(20), model, out=tmp_path / out, epochs=1, batch_size=16, optimizer="sgd", learning_rate=0.01,
                schedule="constant", ema=0.5, clip_norm=1.0, progress=False,
            )  # fmt: skip
        return read_tensors(tmp_path / out / "checkpoint.safetensors")[0]

    plain = trained(WAYS[0], "plain")
    with library.using(library.active().isa if kernels else None):
        fast = trained(Precision(way, True, ""), "fast")
    assert plain.keys() == fast.keys()
    for name, tensor in plain.items():
        assert fast[name].is_contiguous()
        difference = (fast[name].double() - tensor.double()).norm() / tensor.double().norm().clamp_min(1e-3)
        assert difference < (0.5 if way == "bf16" else 0.05), name  # scrambled, they would differ by more than 1


def test_two_processes_may_measure_at_once(steps, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps(plain=1.0, fp32=1.0, bf16=0.5)
    written = []
    original = os.fsync

    def another_writes_first(descriptor: int) -> None:
        if not written:
            written.append(True)
            monkeypatch.setattr(os, "getpid", lambda: 1)  # the other process has another name for its file
            assert choose_precision("auto", network(), IMAGES, 8, CPU).dtype == "bf16"
        original(descriptor)

    monkeypatch.setattr(os, "fsync", another_writes_first)
    assert choose_precision("auto", network(), IMAGES, 8, CPU).dtype == "bf16"
    (file,) = cache.iterdir()
    assert json.loads(file.read_text())["dtype"] == "bf16"
