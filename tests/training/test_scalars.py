"""TensorBoard events hold the metrics; without the package the option says how to get it."""

import sys
from pathlib import Path

import pytest
from pictures import pictures

import lenrek
from lenrek.errors import OptionError
from lenrek.training.scalars import ScalarLog


def test_events_hold_the_metrics(tmp_path: Path) -> None:
    event_accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    options = {"epochs": 3, "batch_size": 8, "precision": "fp32", "progress": False}
    run = lenrek.train(pictures(40), out=tmp_path / "run", tensorboard=True, **options)
    events = event_accumulator.EventAccumulator(str(run.path / "tensorboard")).Reload()
    assert sorted(events.Tags()["scalars"]) == [
        "learning_rate", "samples_per_s", "time_s",
        "train/accuracy", "train/loss", "validation/accuracy", "validation/balanced_accuracy", "validation/loss",
    ]  # fmt: skip
    for tag in ("train/loss", "validation/accuracy", "learning_rate"):
        scalars = events.Scalars(tag)
        assert [event.step for event in scalars] == [1, 2, 3]
        assert [event.value for event in scalars] == pytest.approx(
            [row[tag.replace("/", "_")] for row in run.history], rel=1e-6
        )


def test_nothing_is_written_unasked(tmp_path: Path) -> None:
    with ScalarLog(None) as scalars:
        scalars.add({"epoch": 1, "train_loss": 0.5})
    assert not list(tmp_path.iterdir())


def test_without_tensorboard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(OptionError) as info:
        ScalarLog(tmp_path)
    assert str(info.value) == (
        "train: --tensorboard needs the tensorboard package.\n  Hint: pip install 'lenrek[tensorboard]'."
    )
