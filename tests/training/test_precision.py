"""The measured choice: the fastest way wins by a margin, is remembered, and leaves no trace in the training."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from pictures import pictures
from torch import nn

import lenrek
from lenrek.models.contract import InputContract
from lenrek.models.tensor_file import read_tensors
from lenrek.training import precision
from lenrek.training.precision import Precision, choose_precision

CPU = torch.device("cpu")
IMAGES = InputContract(3, (6, 7), (0.0,) * 3, (1.0,) * 3, ("a", "b"))
SIGNALS = InputContract(1, (9,), (0.0,), (1.0,), ("a", "b"))


def network(contract: InputContract = IMAGES) -> nn.Module:
    features = contract.channels * torch.Size(contract.size).numel()
    return nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.BatchNorm1d(features), nn.Linear(features, 2))


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
            name = way.dtype + ("_last" if way.channels_last else "")
            return lambda: done.append(name) or seconds[name]

        monkeypatch.setattr(precision, "_step", step)
        return done

    return pretend


@pytest.mark.parametrize(
    ("seconds", "dtype", "channels_last"),
    [
        ({"fp32": 1.0, "fp32_last": 0.8, "bf16_last": 0.5}, "bf16", True),
        ({"fp32": 1.0, "fp32_last": 0.8, "bf16_last": 0.75}, "fp32", True),  # 0.75 is faster, but not by 15 %
        ({"fp32": 1.0, "fp32_last": 0.9, "bf16_last": 0.9}, "fp32", False),
        ({"fp32": 1.0, "fp32_last": 1.2, "bf16_last": 40.0}, "fp32", False),  # bf16 in software
        ({"fp32": 1.0, "fp32_last": 1.2, "bf16_last": 0.8}, "bf16", True),
    ],
)
def test_the_fastest_by_a_margin(steps, seconds: dict, dtype: str, channels_last: bool) -> None:
    steps(**seconds)
    chosen = choose_precision("auto", network(), IMAGES, 8, CPU)
    assert (chosen.dtype, chosen.channels_last) == (dtype, channels_last)
    ratios = [f"{1 / seconds[name]:.2f}×" for name in ("fp32", "fp32_last", "bf16_last")]
    assert chosen.reason == (
        f"{dtype}: speed of a training step here: fp32 {ratios[0]}, fp32 channels-last {ratios[1]}, "
        f"bf16 channels-last {ratios[2]}"
    )


def test_a_way_that_takes_for_ever_is_tried_once(steps) -> None:
    done = steps(fp32=2.0, fp32_last=2.5, bf16_last=9.0)
    assert choose_precision("auto", network(), IMAGES, 8, CPU).dtype == "fp32"
    assert (done.count("bf16_last"), done.count("fp32_last")) == (1, 8)


def test_signals_have_no_channels_last(steps) -> None:
    steps(fp32=1.0, bf16=0.5)
    assert not choose_precision("auto", network(SIGNALS), SIGNALS, 8, CPU).channels_last


def test_remembered_for_this_network_size_and_batch(steps, cache: Path) -> None:
    steps(fp32=1.0, fp32_last=1.0, bf16_last=0.5)
    chosen = choose_precision("auto", network(), IMAGES, 8, CPU)
    done = steps(fp32=1.0, fp32_last=1.0, bf16_last=2.0)
    assert choose_precision("auto", network(), IMAGES, 8, CPU) == chosen
    assert not done
    assert choose_precision("auto", network(), IMAGES, 16, CPU).dtype == "fp32"
    assert done
    assert len(list(cache.iterdir())) == 2


@pytest.mark.parametrize("content", ["", '{"dtype": "bf16", "chan', "[]", '{"dtype": "fp8"}', "\x00\xff", "{}", "7"])
def test_a_damaged_memory_is_measured_anew_and_replaced(steps, cache: Path, content: str) -> None:
    steps(fp32=1.0, fp32_last=1.0, bf16_last=0.5)
    chosen = choose_precision("auto", network(), IMAGES, 8, CPU)
    (file,) = cache.iterdir()
    file.write_text(content, encoding="latin-1")
    assert choose_precision("auto", network(), IMAGES, 8, CPU) == chosen
    assert json.loads(file.read_text())["dtype"] == "bf16"


def test_a_cache_that_cannot_be_written_does_not_stop_the_run(steps, cache: Path) -> None:
    steps(fp32=1.0, fp32_last=1.0, bf16_last=0.5)
    cache.parent.mkdir()
    cache.write_text("in the way")
    chosen = choose_precision("auto", network(), IMAGES, 8, CPU)
    assert chosen.dtype == "bf16"
    assert "(not remembered: [Errno 17] File exists" in chosen.reason


def test_asked_for() -> None:
    assert choose_precision("bf16", network(), IMAGES, 8, CPU) == Precision("bf16", True, "bf16, as asked")
    assert choose_precision("fp32", network(), IMAGES, 8, CPU) == Precision("fp32", False, "fp32, as asked")


@pytest.mark.parametrize("contract", [IMAGES, SIGNALS])
def test_measuring_changes_neither_network_nor_random_state(contract: InputContract) -> None:
    measured = network(contract)
    before = {name: tensor.clone() for name, tensor in measured.state_dict().items()}
    torch.manual_seed(1)
    state = torch.get_rng_state()
    chosen = choose_precision("auto", measured, contract, 8, CPU)
    assert chosen.reason.startswith(f"{chosen.dtype}: speed of a training step here: fp32 1.00×, ")
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(tensor, before[name]) for name, tensor in measured.state_dict().items())
    assert all(parameter.grad is None for parameter in measured.parameters())


def test_a_seeded_run_is_the_same_measured_or_told(tmp_path: Path) -> None:
    def trained(out: str, **options) -> dict[str, torch.Tensor]:
        lenrek.train(pictures(40), out=tmp_path / out, epochs=1, batch_size=8, progress=False, **options)
        return read_tensors(tmp_path / out / "checkpoint.safetensors")[0]

    measured = trained("measured")
    remembered = trained("remembered")
    chosen = json.loads((tmp_path / "measured" / "config.json").read_text())["precision"]
    assert chosen["reason"].startswith(chosen["dtype"] + ": speed")
    assert all(torch.equal(tensor, remembered[name]) for name, tensor in measured.items())
    if not (chosen["dtype"] == "fp32" and chosen["channels_last"]):  # which can be found, but not be asked for
        told = trained("told", precision=chosen["dtype"])
        assert all(torch.equal(tensor, told[name]) for name, tensor in measured.items())


@pytest.mark.parametrize("shape", [(2, 3, 5, 4), (2, 1, 5, 4), (2, 3, 4, 5, 6), (2, 1, 4, 5, 6), (2, 3, 7)])
def test_layout_is_the_same_wherever_the_samples_lay(shape: tuple[int, ...]) -> None:
    x = torch.randn(shape)
    channels_inside = torch.empty(shape[0], *shape[2:], shape[1]).movedim(-1, 1).copy_(x)
    assert channels_inside.stride() != x.stride()
    plain = Precision("fp32", False, "")
    last = Precision("fp32", True, "")
    formats = {4: torch.channels_last, 5: torch.channels_last_3d}
    wanted = torch.empty(shape, memory_format=formats.get(x.ndim, torch.contiguous_format))
    for given in (x, channels_inside):
        assert plain.layout(given).stride() == torch.empty(shape).stride()
        assert last.layout(given).stride() == wanted.stride()
        assert torch.equal(plain.layout(given), x)
        assert torch.equal(last.layout(given), x)
    assert last.layout(x).stride() == last.layout(channels_inside).stride()
    assert plain.layout(x) is x  # no copy where none is needed


def test_autocast_computes_in_bf16() -> None:
    layer, x = nn.Linear(4, 3), torch.randn(2, 4)
    with Precision("bf16", True, "").autocast(CPU):
        assert layer(x).dtype == torch.bfloat16
    with Precision("fp32", True, "").autocast(CPU):
        assert layer(x).dtype == torch.float32


def test_two_processes_may_measure_at_once(steps, cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps(fp32=1.0, fp32_last=1.0, bf16_last=0.5)
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
