"""`lenrek bench`: what is measured, how it is told, and what is refused; figures of time are not tested."""

from __future__ import annotations

import json
import shutil
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from commands import Cli

from lenrek.cli import bench
from lenrek.cli.subject import Subject
from lenrek.models.create import create_model
from lenrek.optimization import measure
from lenrek.optimization.measure import Timing

STEP_S = {"default": 0.5, "tuned": 0.25, "lenrek": 0.1}


@pytest.fixture
def asked(monkeypatch):
    """Nothing is measured: what would have been, as (work, workload, options), and figures known before."""
    asked = []

    def measured(work, samples, workload, **options):
        asked.append((work, workload, options))
        options["tell"]("the first step")
        return {
            way: Timing({n: n * s / (2 if work == "training" else 8) for n in samples(workload.batch)}, 10 * s, 100 + s)
            for way, s in STEP_S.items()
        }

    monkeypatch.setattr(measure, "measure_training", partial(measured, "training", lambda batch: (batch,)))
    monkeypatch.setattr(measure, "measure_inference", partial(measured, "prediction", lambda batch: (batch, 1)))
    return asked


def test_the_table(cli: Cli, asked) -> None:
    outcome = cli("bench", "lenet5", "--batch", 4, "--channels", 1, "--size", "20x24", "--threads", 3)
    assert (outcome.status, outcome.err) == (0, "")
    title, _, head, _, *rows = outcome.out.splitlines()
    assert title == "lenet5, 1 × 20 × 24, 3 threads"
    assert head.split() == ["work", "by", "ms", "images/s", "MiB", "speed"]
    bar = "█" if (sys.stdout.encoding or "").lower().startswith("utf") else "#"
    # A training step of 4 takes 4 · 0.5 s / 2 = 1,000 ms by PyTorch, so that it trains 4 images/s.
    assert [" ".join(row.split()) for row in rows[:3]] == [
        f"training of 4 PyTorch 1,000 4 100 1.00× {bar * 4}",
        f"training of 4 tuned PyTorch 500 8 100 2.00× {bar * 8}",
        f"training of 4 lenrek 200 20 100 5.00× {bar * 20}",
    ]
    assert [" ".join(row.split()[:3]) for row in rows[3:9]] == ["prediction of 4"] * 3 + ["prediction of 1"] * 3
    assert rows[9:] == [
        "",
        "training of 4: lenrek is fastest, 5.00 times as fast as PyTorch and 2.50 times as fast as tuned PyTorch",
        "prediction of 4: lenrek is fastest, 5.00 times as fast as PyTorch and 2.50 times as fast as tuned PyTorch",
        "prediction of 1: lenrek is fastest, 5.00 times as fast as PyTorch and 2.50 times as fast as tuned PyTorch",
        "lenrek's first step: training after 1.0 s, prediction after 1.0 s",
    ]
    for _, workload, options in asked:
        assert (workload.shape, workload.batch, options["threads"]) == ((1, 20, 24), 4, 3)
        assert workload.make()(torch.zeros(2, 1, 20, 24)).shape == (2, 10)


def test_what_is_slower_is_told(cli: Cli, asked, monkeypatch) -> None:
    monkeypatch.setitem(STEP_S, "lenrek", 1.0)
    assert (
        "training of 4: tuned PyTorch is fastest, 2.00 times as fast as PyTorch and 4.00 times as fast as lenrek"
    ) in cli("bench", "lenet5", "--batch", 4).out.splitlines()


def test_json_and_the_usual_networks(cli: Cli, asked) -> None:
    outcome = cli("bench", "--json")
    assert (outcome.status, outcome.err) == (0, "")
    found = [json.loads(line) for line in outcome.out.splitlines()]
    # MobileNetV2 at 96² and ResNet-9 (small) at 32² are small; ResNet-18 (0.56 · 10⁹ MACs) gets 2¹¹/₃·₁.₁₁ → 32.
    assert [(row["model"], row["input"], row["batch"], row["threads"]) for row in found] == [
        ("resnet9_small", [3, 32, 32], 64, torch.get_num_threads()),
        ("mobilenet_v2", [3, 96, 96], 64, torch.get_num_threads()),
        ("resnet18_cifar", [3, 32, 32], 32, torch.get_num_threads()),
    ]
    rows = found[2]["results"]
    assert [(row["work"], row["samples"], row["way"]) for row in rows] == [
        (work, samples, way) for work, samples in (("training", 32), ("prediction", 32), ("prediction", 1))
        for way in STEP_S
    ]  # fmt: skip
    assert rows[2] == {
        "work": "training", "samples": 32, "way": "lenrek", "time_s": 1.6, "samples_per_s": 20.0, "speed": 5.0,
        "first_s": 1.0, "peak_mib": 100.1,
    }  # fmt: skip


def test_on_a_terminal_one_says_what_is_done(cli: Cli, asked, monkeypatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    err = cli("bench", "m5", "--batch", 2, "--json").err
    assert err == ("\r\x1b[Km5: training, the first step …\r\x1b[Km5: prediction, the first step …\r\x1b[K")


@pytest.mark.parametrize(
    ("model", "size", "shape"),
    [("m5", None, (3, 8000)), ("lenet5", "16", (3, 16, 16)), ("lenet5", "16x17x18", (3, 16, 17, 18))],
)
def test_axes(cli: Cli, asked, model, size, shape) -> None:
    options = () if size is None else ("--size", size)
    assert cli("bench", model, "--batch", 2, *options).status == 0
    assert {workload.shape for _, workload, _ in asked} == {shape}


def test_a_run_and_its_file_measured_in_other_processes(cli: Cli, run: Path, tmp_path: Path, monkeypatch, asked):
    monkeypatch.undo()
    monkeypatch.setenv("LENREK_CACHE", str(tmp_path))
    monkeypatch.setattr(bench, "ROUNDS", 1)
    monkeypatch.setattr(measure, "measure_inference", lambda *_, **options: {})
    monkeypatch.setattr(bench, "_rows", lambda work, timings: [{"work": work, "ways": list(timings)}])
    file = shutil.copy(run / "model.safetensors", tmp_path / "mine.safetensors")
    outcome = cli("bench", file, "--json", "--batch", 4)
    assert (outcome.status, outcome.err) == (0, "")
    found = json.loads(outcome.out)
    assert (found["model"], found["input"]) == (str(file), [3, 14, 18])
    assert found["results"][0] == {"work": "training", "ways": list(STEP_S)}


def test_a_run_has_its_own_input(cli: Cli, run: Path, asked) -> None:
    assert cli("bench", run, "--batch", 4).status == 0
    assert asked[0][1].shape == (3, 14, 18)
    for option, value in (("--size", "20"), ("--channels", 3)):
        outcome = cli("bench", run, option, value)
        assert (outcome.status, outcome.out) == (1, "")
        assert outcome.err == (
            f"lenrek: bench: {option} {value} has no effect on {run}, which knows its own input.\n"
            "  Hint: leave it out, or name an architecture.\n"
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("lenet",), "create_model: there is no architecture 'lenet'.\n  Hint: Did you mean lenet5"),
        (("no/where",), "load: there is no no/where."),
        (("gone.safetensors",), "load: there is no gone.safetensors."),
        (("lenet5", "--size", "8"), "bench: --size is 8, but lenet5 needs at least 12 on every axis.\n"),
        (
            ("lenet5", "--size", "big"),
            "bench: --size is 'big', expected a whole number for each axis, joined by 'x': 64x96.",
        ),
        (("m5", "--size", "8000x8000"), "create_model: m5 is for 1-D, but ndim=2 was asked for.\n"),
    ],
)
def test_bad_input(cli: Cli, asked, arguments, message) -> None:
    outcome = cli("bench", *arguments)
    assert (outcome.status, outcome.out, asked) == (1, "", [])
    assert outcome.err.startswith(f"lenrek: {message}")


def test_numbers_below_one_are_wrong_usage(cli: Cli) -> None:
    for option in ("--batch", "--channels", "--threads"):
        assert cli("bench", "lenet5", option, 0).status == 2


def test_ctrl_c(cli: Cli, asked, monkeypatch) -> None:
    def interrupted(*_, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(measure, "measure_inference", interrupted)
    outcome = cli("bench", "lenet5")
    assert (outcome.status, outcome.out, outcome.err) == (130, "", "lenrek: interrupted\n")


def test_large_networks_are_given_fewer_samples() -> None:
    for name, size, samples in (("vgg16", 224, 2), ("lenet5", 28, 64)):
        make = partial(create_model, name, num_classes=10)
        assert bench._affordable(Subject(name, make, (3, size, size), trained=False)) == samples
