"""`lenrek train`: what it prints, where, and what it leaves on disk."""

from __future__ import annotations

import inspect
import json
from dataclasses import fields
from pathlib import Path

import pytest
from commands import TINY, Cli

import lenrek
from lenrek.cli.train import train
from lenrek.training.config import CHOICES, TrainConfig

FILES = [
    "checkpoint.safetensors", "config.json", "evaluation.json", "metrics.jsonl", "model.safetensors", "report.html",
]  # fmt: skip


def test_options_are_those_of_the_configuration() -> None:
    options = inspect.signature(train).parameters
    about_the_run = {"out", "resume", "tensorboard", "json", "quiet"}
    assert set(options) - about_the_run == {field.name for field in fields(TrainConfig)}
    for field in fields(TrainConfig):
        if field.name == "model":
            assert options["model"].default is None, "what the network to begin with is, or the default"
        elif field.name != "data":
            assert options[field.name].default == field.default, field.name


@pytest.mark.parametrize("name", [name for name in CHOICES if name != "fit"])
def test_choices_are_those_of_the_configuration(name: str) -> None:
    assert tuple(type(inspect.signature(train).parameters[name].default)) == CHOICES[name]


def test_results_on_stdout_progress_on_stderr(cli: Cli, folders: Path, tmp_path: Path) -> None:
    path = tmp_path / "run"
    outcome = cli("train", folders, "--epochs", 2, *TINY[2:], "--out", path)
    assert outcome.status == 0
    accuracy = json.loads((path / "evaluation.json").read_text())["test"]["accuracy"]
    first, *rest = outcome.out.splitlines()
    assert first.startswith(f"accuracy  {100 * accuracy:.1f} % on 2 samples (95 % interval: ")
    assert rest == [f"model     {path}", f"report    {path}/report.html"]
    said = outcome.err.splitlines()
    assert said[:6] == [
        "pictures: 16 images of 2 classes: 12 to train, 2 to validate, 2 to test.",
        "Images are used at their own size, 14×18.",
        "16 images of 3×14×18 take 12.1 kB: decoded once and kept in memory.",
        "Training samples are used as they are, without augmentation.",
        "Precision: fp32, as asked.",
        said[5],
    ]
    assert [line[:9] for line in said[5:]] == ["epoch 1/2", "epoch 2/2"]
    assert sorted(file.name for file in path.iterdir()) == FILES


def test_every_option_reaches_the_configuration(cli: Cli, folders: Path, tmp_path: Path) -> None:
    path = tmp_path / "run"
    given = {
        "model": "resnet20", "epochs": 2, "batch_size": 4, "size": "15x19", "fit": "pad", "optimizer": "sgd",
        "learning_rate": 0.01, "momentum": 0.8, "weight_decay": 0.001, "schedule": "cosine", "label_smoothing": 0.05,
        "clip_norm": 3.0, "ema": 0.5, "patience": 7, "augment": "shift=0.125,flip", "mixup": "0.2",
        "cutmix": "lambda=0.5", "balance": "none", "validation": 0.2, "test": 0.3,
        "precision": "fp32", "loading": "stream", "seed": 11,
    }  # fmt: skip
    options = [part for name, value in given.items() for part in (f"--{name.replace('_', '-')}", value)]
    outcome = cli("train", folders, *options, "--not-grouped", "--strict", "--out", path, "--quiet")
    assert (outcome.status, outcome.err) == (0, "")
    stored = json.loads((path / "config.json").read_text())
    assert stored["config"] == {
        **given, "data": str(folders), "size": [15, 19], "grouped": False, "strict": True,
        "start": None, "freeze": "none", "auto": False, "views": None, "layer_decay": None, "unfreeze": 0,
    }  # fmt: skip
    assert stored["command"].startswith(f"lenrek train {folders} --model resnet20 --epochs 2 ")


def test_json_is_all_of_stdout(cli: Cli, folders: Path, tmp_path: Path) -> None:
    outcome = cli("train", folders, *TINY, "--out", tmp_path / "run", "--json")
    assert outcome.status == 0
    result = json.loads(outcome.out)
    assert set(result) == {"path", "report", "test"}
    assert result["test"] == json.loads((tmp_path / "run/evaluation.json").read_text())["test"]
    assert result["path"] == str(tmp_path / "run")


def test_each_run_gets_a_folder_of_its_own(
    cli: Cli, folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert cli("train", folders, *TINY).out.splitlines()[1] == "model     runs/pictures-lenet5"
    first = (tmp_path / "runs/pictures-lenet5/model.safetensors").read_bytes()
    assert cli("train", folders, *TINY, "--seed", 1).out.splitlines()[1] == "model     runs/pictures-lenet5-2"
    assert (tmp_path / "runs/pictures-lenet5/model.safetensors").read_bytes() == first


def test_resume_goes_on_and_says_so(cli: Cli, folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lenrek.training import fitting

    command = ("train", folders, "--epochs", 3, *TINY[2:], "--out")
    whole = cli(*command, tmp_path / "whole")
    original = fitting.train_epoch

    def interrupted_in_the_second(*arguments, **options):
        if arguments[3] == 1:
            raise KeyboardInterrupt
        return original(*arguments, **options)

    monkeypatch.setattr(fitting, "train_epoch", interrupted_in_the_second)
    outcome = cli(*command, tmp_path / "cut")
    assert (outcome.status, outcome.out) == (130, "")
    last = outcome.err.splitlines()[-1]
    assert last.startswith("lenrek: interrupted after epoch 1 of 3; to continue: lenrek train ")
    monkeypatch.setattr(fitting, "train_epoch", original)
    arguments = last.partition("continue: lenrek ")[2].split()  # the very words of the message
    resumed = cli(*arguments)
    assert resumed.status == 0
    assert "Resumed after epoch 1 of 3." in resumed.err.splitlines()
    assert resumed.out.splitlines()[0] == whole.out.splitlines()[0]
    models = [lenrek.load(tmp_path / name).network.state_dict() for name in ("whole", "cut")]
    assert all((models[0][name] == models[1][name]).all() for name in models[0])


def test_a_trained_network_to_begin_with(cli: Cli, folders: Path, tmp_path: Path) -> None:
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))
    cli("train", folders, *TINY, "--out", first)
    frozen = cli("train", folders, "--from", first, "--freeze", "features", "--augment", "shift=0.1", "--views", 2,
                 "--out", second)  # fmt: skip
    assert frozen.status == 0
    assert "strength  1/11" in frozen.err
    told = json.loads((second / "config.json").read_text())["config"]
    assert (told["start"], told["freeze"], told["views"]) == (str(first), "features", 2)
    tuned = cli("train", folders, "--from", first, "--auto", "--epochs", 1, "--batch-size", 4, "--layer-decay", 0.7,
                "--unfreeze", 1, "--precision", "fp32", "--out", third)  # fmt: skip
    assert tuned.status == 0
    assert "Kept: " in tuned.err
    refused = cli("train", folders, "--freeze", "features")
    assert refused.status == 1
    assert "has no effect without a network to begin with" in refused.err
