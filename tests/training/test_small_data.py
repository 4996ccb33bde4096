"""Whole trainings with mixing and balancing: what is told, chosen, repeated and resumed."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from pictures import pictures
from test_resume import assert_same

import lenrek
from lenrek.data.augmentation.augmenter import Augmenter
from lenrek.errors import OptionError
from lenrek.training import fitting
from lenrek.training.evaluation import evaluate_posteriors

QUICK = dict(batch_size=16, precision="fp32", progress=False)


def unequal() -> tuple[np.ndarray, np.ndarray]:
    """60 pictures of the first class, 12 of the second."""
    x, y = pictures(120)
    kept = (y == 0) | (np.arange(120) % 10 == 1)
    return x[kept], y[kept]


@pytest.mark.parametrize(
    "options",
    [
        {"mixup": 0.4, "cutmix": 1.0, "balance": "sampling", "augment": "light"},
        {"cutmix": "lambda=0.5", "balance": "synthesis", "augment": "strong"},
        {"mixup": "lambda=0.3", "balance": "loss", "label_smoothing": 0.1},
    ],
)
def test_resumes_bit_for_bit(options: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = QUICK | options | {"epochs": 3}
    lenrek.train(unequal(), out=tmp_path / "whole", **options)
    original = fitting.train_epoch

    def interrupted_in_the_second(*args, **kwargs):
        if args[3] == 1:
            raise KeyboardInterrupt
        return original(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(fitting, "train_epoch", interrupted_in_the_second)
        with pytest.raises(KeyboardInterrupt):
            lenrek.train(unequal(), out=tmp_path / "run", **options)
    lenrek.train(unequal(), out=tmp_path / "run", resume=True, **options)
    assert_same(tmp_path / "whole", tmp_path / "run")


@pytest.mark.parametrize("size", [(252,), (14, 18, 12)])
def test_signals_and_volumes(size: tuple[int, ...], tmp_path: Path) -> None:
    x, y = unequal()
    x = x.reshape(len(x), *size) if len(size) == 1 else np.repeat(x[..., None], size[-1], -1)
    options = dict(epochs=1, mixup=0.4, cutmix=1, balance="synthesis", augment="shift=0.1")
    run = lenrek.train((x, y), out=tmp_path / "run", **QUICK, **options)
    assert np.isfinite(run.history[0]["train_loss"])


def test_a_copy_is_augmented_differently(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the samples that come again in an epoch no two are alike, and the first copy is what it always was."""
    seen: dict[tuple[int, int], torch.Tensor] = {}
    original = Augmenter.apply

    def watched(self, batch, epoch, copy=0):
        x = original(self, batch, epoch, copy)
        for index, number, sample in zip(batch.index.tolist(), copy.tolist(), x, strict=True):
            assert (index, number) not in seen
            seen[index, number] = sample.clone()
        return x

    monkeypatch.setattr(Augmenter, "apply", watched)
    options = dict(epochs=1, augment="rotate=20,brightness=0.3")
    lenrek.train(unequal(), out=tmp_path / "synthesis", balance="synthesis", **QUICK | {"batch_size": 2} | options)
    copies, seen = seen, {}
    lenrek.train(unequal(), out=tmp_path / "none", **QUICK | {"batch_size": 2} | options)
    assert len(seen) == 48 + 10  # the training part
    assert len(copies) == 48 + 48
    for (index, number), sample in copies.items():
        assert torch.equal(sample, seen[index, 0]) == (number == 0)
    rare = [sample.flatten().tolist() for (_, number), sample in copies.items() if number]
    assert len({tuple(sample) for sample in rare}) == len(rare) == 38


@pytest.mark.parametrize(("balance", "best"), [("none", 1), ("sampling", 2)])
def test_the_epoch_is_chosen_on_balanced_accuracy(
    balance: str, best: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Epoch 1 finds nothing but the frequent class, 8 of 10 right; epoch 2 loses three of it and finds the rare one."""
    truth = np.repeat([0, 1], [8, 2])
    script = iter([np.zeros(10, int), np.r_[0, 0, 0, 0, 0, 1, 1, 1, 1, 1]])

    def scripted(self):
        return evaluate_posteriors(np.eye(2)[next(script)] * 0.8 + 0.1, truth, "ab")

    monkeypatch.setattr("lenrek.training.fitting.Fitting._validate", scripted)
    run = lenrek.train(unequal(), out=tmp_path / "run", epochs=2, balance=balance, **QUICK)
    assert [row["validation_accuracy"] for row in run.history] == [0.8, 0.7]
    assert [row["validation_balanced_accuracy"] for row in run.history] == pytest.approx([0.5, (5 / 8 + 1) / 2])
    stored = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in stored if row["best"]][-1] == best
    page = (run.path / "report.html").read_text()
    assert ("validation, balanced" in page) == (balance != "none")
    assert ("chosen on balanced validation accuracy" in page) == (balance != "none")


def test_said_while_training(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = QUICK | {"progress": True, "epochs": 1}
    lenrek.train(unequal(), out=tmp_path / "none", **options)
    said = capsys.readouterr().err
    assert "The classes are unequal, 48 of 0, 10 of 1: the rarer, the less a class counts. With --balance" in said
    assert " balanced " in said.splitlines()[-1]
    lenrek.train(unequal(), out=tmp_path / "sampling", mixup=0.4, balance="sampling", **options)
    said = capsys.readouterr().err
    assert "The classes are unequal" not in said
    assert "Balanced by sampling: of the 58 samples of an epoch 29 are of each class" in said
    assert "averaged with another one (mixup, λ drawn from Beta(0.4, 0.4) for every step)" in said
    page = (tmp_path / "sampling/report.html").read_text()
    assert "train (mixed)" in page
    lenrek.train(pictures(), out=tmp_path / "equal", **options)
    assert " balanced " not in capsys.readouterr().err


def test_nothing_is_left_behind_where_balance_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="has no effect: each class has 32 training samples"):
        lenrek.train(pictures(), out=tmp_path / "run", balance="loss", **QUICK)
    with pytest.raises(OptionError, match="augmentation none leaves them as they are"):
        lenrek.train(unequal(), out=tmp_path / "run", balance="synthesis", **QUICK)
    assert not (tmp_path / "run").exists()
