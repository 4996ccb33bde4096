"""The measurement itself: every way computes the same, in a process of its own; figures of time are not tested."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import networks
import numpy as np
import pytest
import torch
from torch import nn

from lenrek.errors import ModelError, OptionError
from lenrek.optimization import measure, ways
from lenrek.optimization.measure import Timing, measure_inference, measure_training
from lenrek.optimization.way_process import WayProcess, peak_mib, starting
from lenrek.optimization.ways import WAYS, Workload

SMALL = Workload(networks.Branches, (3, 9, 11), 4)


def dies() -> nn.Module:
    os._exit(3)


@pytest.fixture(autouse=True)
def leaves_nothing_behind():
    yield
    assert multiprocessing.active_children() == []


@pytest.fixture
def no_turns(monkeypatch):
    """Processes that would be started are this one: `asked` is what each was asked, in order."""
    asked = []

    class Here:
        def __init__(self, prepare, workload, way, threads):
            self.way, self.times = way, iter(range(9, 0, -1))

        def ask(self, samples):
            asked.append((self.way, samples))
            return next(self.times)

        def receive(self):
            return 0.0

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

    monkeypatch.setattr(measure, "WayProcess", Here)
    return asked


def test_a_training_step_in_every_way():
    trained = measure_training(SMALL, rounds=1, threads=1)
    assert list(trained) == list(WAYS)
    for timing in trained.values():
        assert list(timing.best_s) == [4]
        assert 0 < timing.best_s[4] <= timing.first_s
        # A process that has loaded PyTorch holds between 100 MiB and a few GiB.
        assert 100 < timing.peak_mib < 8192


def test_a_prediction_of_the_batch_and_of_one():
    predicted = measure_inference(SMALL, rounds=1, threads=1)
    assert {way: list(timing.best_s) for way, timing in predicted.items()} == {way: [4, 1] for way in WAYS}


def test_the_ways_take_turns_and_the_best_counts(no_turns):
    found = measure_inference(Workload(networks.Branches, (3, 9, 11), 5), rounds=2)
    first = [(way, 5) for way in WAYS]
    round_ = [(way, samples) for samples in (5, 1) for way in WAYS]
    assert no_turns == first + round_ + round_ + [(way, None) for way in WAYS]
    # Each is answered 9 (first step), 8 and 7 (round 1), 6 and 5 (round 2), 4 (memory).
    assert found == dict.fromkeys(WAYS, Timing({5: 6, 1: 5}, 9, 4))


def test_no_round_begins_after_the_limit(no_turns):
    told = []
    measure_training(SMALL, rounds=50, limit_s=0.0, tell=told.append)
    assert [samples for way, samples in no_turns if way == "lenrek"] == [4, 4, 4, None]
    assert told[0] == "starting a process for each way"
    assert told[1:4] == [f"{way}: the first step" for way in WAYS]
    assert told[-1] == "lenrek: 4 at a time, round 2 of 50"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_every_way_does_the_same_training(monkeypatch, dtype):
    """After three steps the weights are those of the formulas of SGD with momentum, in float64."""
    monkeypatch.setattr(ways, "fast_dtype", lambda: dtype)
    made, steps, learned = [], 3, {}
    monkeypatch.setattr(ways, "RATE", 0.1)
    for way in WAYS:
        workload = Workload(lambda: made.append(networks.Branches()) or made[-1], (3, 9, 11), 4)
        call = ways.training(workload, way)
        torch.manual_seed(5)  # the labels are drawn at the first step
        for _ in range(steps):
            call(4)
        learned[way] = [p.detach().clone() for p in made[-1].parameters()]
    torch.manual_seed(0)
    net, x = networks.Branches(), torch.randn(4, 3, 9, 11).double()
    torch.manual_seed(5)
    labels = torch.randint(5, (4,))
    net.double().train()
    start = [p.detach().clone() for p in net.parameters()]
    speed = [torch.zeros_like(p) for p in start]
    for _ in range(steps):
        net.zero_grad()
        logits = net(x)
        (-logits.log_softmax(1)[torch.arange(4), labels]).mean().backward()
        with torch.no_grad():
            for p, v in zip(net.parameters(), speed, strict=True):
                v.mul_(0.9).add_(p.grad)
                p.sub_(0.1 * v)
    for way, found in learned.items():
        exact = dtype == torch.float32 or way == "default"
        for p, truth, before in zip(found, net.parameters(), start, strict=True):
            moved = (truth - before).norm().item()
            assert moved > 0
            assert (p.double() - truth).norm().item() < (1e-3 if exact else 0.2) * moved + 1e-5


def test_every_way_predicts_the_same():
    outputs = {way: ways.inference(SMALL, way)(4) for way in WAYS}
    torch.manual_seed(0)
    truth = networks.Branches().eval()(torch.randn(4, 3, 9, 11))
    for y in outputs.values():
        assert y.dtype == torch.float32
        assert (y - truth).abs().max() < 0.05 * truth.abs().max()
    torch.testing.assert_close(outputs["default"], truth.detach())


def test_a_dense_prediction_is_trained_too():
    call = ways.training(Workload(partial(nn.Conv1d, 2, 3, 5), (2, 16), 4), "lenrek")
    call(4)


def test_memory_is_the_processs_own():
    """The peak of a process says nothing of the one that started it."""
    held = np.ones(2**27)  # 1 GiB
    assert peak_mib() > 1024
    del held
    code = "from lenrek.optimization.way_process import peak_mib; print(peak_mib())"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert 50 < float(told) < 1024


def test_what_fails_in_the_other_process_is_told_here():
    with pytest.raises(ModelError) as caught:
        measure_training(Workload(partial(nn.Conv2d, 3, 4, 5), (2, 9, 9), 4), rounds=1)
    assert str(caught.value).startswith("measure: default: RuntimeError: Given groups=1, weight of size [4, 3, 5, 5]")
    with pytest.raises(ModelError) as caught:
        measure_training(Workload(dies, (2, 9, 9), 4), rounds=1)
    assert str(caught.value) == (
        "measure: the process of 'default' ended by itself, with status 3.\n"
        "  Hint: -9 is what the system does for want of memory: try a smaller batch. A script that measures\n"
        '  keeps what it does under `if __name__ == "__main__":`.'
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch": 0}, "measure: batch is 0, but must be at least 1."),
        ({"rounds": 0}, "measure: rounds is 0, but must be at least 1."),
        ({"threads": -1}, "measure: threads is -1, but must be at least 1."),
    ],
)
def test_numbers_below_one(options, message):
    batch = options.pop("batch", 4)
    with pytest.raises(OptionError) as caught:
        measure_training(Workload(networks.Branches, (3, 9, 11), batch), **options)
    assert str(caught.value) == message


def test_what_cannot_be_sent_is_refused():
    with pytest.raises(OptionError) as caught:
        measure_inference(Workload(lambda: networks.Branches(), (3, 9, 11), 4))
    first, hint = str(caught.value).splitlines()
    assert first.startswith("measure: make is <function test_what_cannot_be_sent_is_refused.<locals>.<lambda> at ")
    assert "which cannot be sent to another process: " in first
    assert hint == "  Hint: a function at the top of a file, a class, or functools.partial of one."


MEASURING = """
import signal
from functools import partial
from torch import nn
from lenrek.optimization.measure import measure_training
from lenrek.optimization.ways import Workload
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # also where what runs the tests ignores it
    workload = Workload(partial(nn.Conv1d, 2, 3, 5), (2, 16), 4)
    try:
        measure_training(workload, rounds=ROUNDS, tell=lambda sentence: print(sentence, flush=True))
    except KeyboardInterrupt:
        print("interrupted")
"""
WITHOUT_KERNELS = {**os.environ, "LENREK_LIBRARY": "/nowhere/liblenrek.so"}
WITHOUT_KERNELS.pop("LENREK_ISA", None)


@pytest.mark.skipif(os.name != "posix", reason="signals to a whole group of processes")
def test_ctrl_c_ends_all_processes_without_a_word(tmp_path: Path):
    script = tmp_path / "measuring.py"
    script.write_text(MEASURING.replace("ROUNDS", "10**9"))
    command = [sys.executable, "-W", "ignore:lenrek runs on PyTorch's operators", str(script)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "starting a process for each way\n"
    time.sleep(0.5)  # some are importing by now
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert out.endswith("interrupted\n")


def test_ctrl_c_while_processes_are_started_is_raised_when_they_are_known():
    started = []

    def start():
        with starting():
            signal.raise_signal(signal.SIGINT)
            started.append("all")

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            start()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert started == ["all"]
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_missing_kernels_are_told_once_by_all_processes_together(tmp_path: Path):
    script = tmp_path / "measuring.py"
    script.write_text(MEASURING.replace("ROUNDS", "1"))
    told = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, env=WITHOUT_KERNELS)
    assert told.returncode == 0, told.stderr
    assert told.stderr.count("RuntimeWarning: lenrek runs on PyTorch's operators: ") == 1


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="Linux tells which signals a process ignores")
def test_processes_leave_ctrl_c_to_the_one_that_started_them():
    with starting():
        process = WayProcess(ways.training, SMALL, "default", 1)
    with process:
        for wait in (lambda: None, process.receive):  # from its first moment, and when it waits for its first question
            wait()
            status = Path(f"/proc/{process._process.pid}/status").read_text().splitlines()
            held = [int(line.split()[1], 16) for line in status if line.startswith(("SigBlk:", "SigIgn:"))]
            assert (held[0] | held[1]) & 1 << (signal.SIGINT - 1)
