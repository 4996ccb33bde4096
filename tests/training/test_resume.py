"""A run that was interrupted, killed or ran out of disk goes on to the very same weights and metrics."""

import errno
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
from lenrek.errors import CheckpointError, DataError, OptionError
from lenrek.models.tensor_file import read_tensors
from lenrek.training import fitting
from lenrek.training.checkpoint import read_checkpoint

OPTIONS = {
    "lenet5": dict(
        model="lenet5", epochs=4, batch_size=16, ema=0.9, augment="strong,superimpose=0.3@0.5", precision="fp32", seed=5
    ),
    # dropout and batch norm, momentum, another schedule, clipped gradients
    "mobilenet_v2": dict(
        model="mobilenet_v2", epochs=3, batch_size=16, optimizer="sgd", learning_rate=0.02, schedule="cosine",
        clip_norm=2.0, label_smoothing=0.1, precision="bf16", size=(32, 36),
    ),
}  # fmt: skip
MEASURED = ("time_s", "samples_per_s")


def results(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor], list[dict]]:
    history = [json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()]
    kept = [{k: v for k, v in row.items() if k not in MEASURED} for row in history]
    return read_tensors(path / "model.safetensors")[0], read_tensors(path / "checkpoint.safetensors")[0], kept


def assert_same(one: Path, other: Path) -> None:
    for a, b in zip(results(one)[:2], results(other)[:2], strict=True):
        assert a.keys() == b.keys()
        for name in a:
            assert torch.equal(a[name], b[name]), name
    assert results(one)[2] == results(other)[2]


@pytest.fixture(scope="module", params=OPTIONS)
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, Path]:
    """An uninterrupted run, and its options."""
    options = OPTIONS[request.param]
    path = tmp_path_factory.mktemp("whole") / "run"
    lenrek.train(pictures(), out=path, progress=False, **options)
    return options, path


def test_same_seed_same_run_other_seed_other_run(whole: tuple[dict, Path], tmp_path: Path) -> None:
    options, path = whole
    lenrek.train(pictures(), out=tmp_path / "again", progress=False, **options)
    assert_same(path, tmp_path / "again")
    lenrek.train(pictures(), out=tmp_path / "other", progress=False, **options | {"seed": 6})
    assert results(path)[2] != results(tmp_path / "other")[2]


def test_interrupted_run_resumes_bit_for_bit(
    whole: tuple[dict, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options, path = whole
    original = fitting.train_epoch

    def interrupted_in_the_third(*args, **kwargs):
        if args[3] == 2:
            raise KeyboardInterrupt
        return original(*args, **kwargs)

    monkeypatch.setattr(fitting, "train_epoch", interrupted_in_the_third)
    with pytest.raises(KeyboardInterrupt):
        lenrek.train(pictures(), out=tmp_path / "run", progress=False, **options)
    assert len((tmp_path / "run/metrics.jsonl").read_text().splitlines()) == 2
    monkeypatch.setattr(fitting, "train_epoch", original)
    run = lenrek.train(pictures(), out=tmp_path / "run", resume=True, progress=False, **options)
    assert_same(path, tmp_path / "run")
    evaluations = [json.loads((folder / "evaluation.json").read_text()) for folder in (tmp_path / "run", path)]
    assert evaluations[0] == evaluations[1]
    assert run.evaluation.loss == evaluations[1]["test"]["loss"]


@pytest.mark.parametrize(
    ("model", "size"), [("lenet5", (252,)), ("tcn", (252,)), ("lenet5", (14, 18, 12)), ("resnet9_small", (14, 18, 12))]
)
def test_signals_and_volumes_resume_bit_for_bit(
    model: str, size: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    x, y = pictures(40)
    data = x.reshape(40, *size) if len(size) == 1 else np.repeat(x[..., None], size[-1], -1), y
    options = dict(model=model, epochs=2, batch_size=16, ema=0.9, clip_norm=1.0, precision="bf16", progress=False)
    for out in ("whole", "again"):
        run = lenrek.train(data, out=tmp_path / out, **options)
        assert run.classifier.contract.size == size
    assert_same(tmp_path / "whole", tmp_path / "again")
    original = fitting.train_epoch

    def interrupted_in_the_second(*args, **kwargs):
        if args[3] == 1:
            raise KeyboardInterrupt
        return original(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(fitting, "train_epoch", interrupted_in_the_second)
        with pytest.raises(KeyboardInterrupt):
            lenrek.train(data, out=tmp_path / "run", **options)
    lenrek.train(data, out=tmp_path / "run", resume=True, **options)
    assert_same(tmp_path / "whole", tmp_path / "run")


# Every case in a fork of one process: importing PyTorch takes longer than the training.
KILLED_WHILE_SAVING = """
import os, pathlib, signal, sys
sys.path.insert(0, {tests!r})
import test_resume, lenrek.training.train

def train_and_die(file, moment, out):
    saves, replace = [0], pathlib.Path.replace

    def replace_or_die(self, target):
        saves[0] += str(target).endswith(file)
        now = saves[0] == 2 and str(target).endswith(file)
        if now and moment == "half written":
            os.truncate(self, self.stat().st_size // 2)
        if now and moment != "after the rename":
            os.kill(os.getpid(), signal.SIGKILL)
        replace(self, target)
        if now:
            os.kill(os.getpid(), signal.SIGKILL)

    pathlib.Path.replace = replace_or_die
    lenrek.training.train.train(
        test_resume.pictures(), out=out, progress=False, **test_resume.OPTIONS["lenet5"]
    )

for file, moment, out in {cases!r}:
    child = os.fork()
    if child == 0:
        train_and_die(file, moment, out)
        os._exit(0)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, (file, moment, status)
"""
FILES = ("model.safetensors", "checkpoint.safetensors")
MOMENTS = ("half written", "before the rename", "after the rename")


@pytest.fixture(scope="module")
def whole_lenet5(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "run"
    lenrek.train(pictures(), out=path, progress=False, **OPTIONS["lenet5"])
    return path


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run for each file and moment, killed at that moment of the file's second save."""
    folder = tmp_path_factory.mktemp("killed")
    cases = [(file, moment, str(folder / file / moment)) for file in FILES for moment in MOMENTS]
    script = KILLED_WHILE_SAVING.format(tests=str(Path(__file__).parent), cases=cases)
    environment = os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("file", FILES)
def test_killed_while_saving(file: str, moment: str, killed: Path, whole_lenet5: Path) -> None:
    out = killed / file / moment
    done = 2 if file == "checkpoint.safetensors" and moment == "after the rename" else 1
    assert len(read_checkpoint(out / "checkpoint.safetensors")[1]["history"]) == done
    lenrek.load(out)  # the model that was saved last is whole
    assert bool(list(out.glob(".*.tmp"))) == (moment != "after the rename")
    lenrek.train(pictures(), out=out, resume=True, progress=False, **OPTIONS["lenet5"])
    assert not list(out.glob(".*.tmp"))
    assert_same(whole_lenet5, out)


def test_disk_full_keeps_the_last_checkpoint(
    whole_lenet5: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = OPTIONS["lenet5"]
    fsync, calls = os.fsync, [0]

    def full_after_a_while(descriptor: int) -> None:
        calls[0] += 1
        if calls[0] > 9:
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full_after_a_while)
    with pytest.raises(CheckpointError, match="No space left on device"):
        lenrek.train(pictures(), out=tmp_path / "run", progress=False, **options)
    monkeypatch.setattr(os, "fsync", fsync)
    assert not list((tmp_path / "run").glob(".*.tmp"))
    lenrek.train(pictures(), out=tmp_path / "run", resume=True, progress=False, **options)
    assert_same(whole_lenet5, tmp_path / "run")


def test_resume_with_other_options_or_data_is_refused(whole: tuple[dict, Path]) -> None:
    options, path = whole
    with pytest.raises(OptionError) as info:
        lenrek.train(pictures(), out=path, resume=True, progress=False, **options | {"epochs": 9})
    assert str(info.value) == (
        f"train: {path} was started with other options, so it cannot be resumed with these:\n"
        f"  epochs: {options['epochs']}, now 9\n"
        "  Hint: repeat the original command and add --resume, or start a new run with another --out."
    )
    x, y = pictures()
    with pytest.raises(DataError, match="has changed since that run was started"):
        lenrek.train((x[:70], y[:70]), out=path, resume=True, progress=False, **options)


def test_a_run_is_not_overwritten(whole: tuple[dict, Path]) -> None:
    options, path = whole
    with pytest.raises(OptionError) as info:
        lenrek.train(pictures(), out=path, progress=False, **options)
    assert str(info.value) == (
        f"train: {path} already holds a run, which would be lost.\n"
        "  Hint: add --resume to continue it, or name another folder with --out."
    )


@pytest.mark.parametrize("damage", ["cut short", "altered"])
def test_damaged_checkpoint_is_refused(damage: str, tmp_path: Path) -> None:
    options = OPTIONS["lenet5"] | {"epochs": 1}
    lenrek.train(pictures(), out=tmp_path, progress=False, **options)
    file = tmp_path / "checkpoint.safetensors"
    content = bytearray(file.read_bytes())
    if damage == "cut short":
        del content[-100:]
    else:
        content[-5000] ^= 4
    file.write_bytes(content)
    with pytest.raises(CheckpointError, match=damage):
        lenrek.train(pictures(), out=tmp_path, resume=True, progress=False, **options)
