"""What one sees of a training: lines on stderr, a live bar on a terminal, nothing where nothing is wanted."""

from types import SimpleNamespace

import pytest

from lenrek.training import console
from lenrek.training.console import Progress


def row(epoch: int, best: bool = False) -> dict:
    return {
        "epoch": epoch,
        "train_loss": 0.51234,
        "train_accuracy": 0.8567,
        "validation_loss": 0.6,
        "validation_accuracy": 0.9,
        "samples_per_s": 12345.6,
        "time_s": 65.0,
        "best": best,
    }


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is set."""
    hands = SimpleNamespace(now=100.0)
    monkeypatch.setattr(console, "time", SimpleNamespace(perf_counter=lambda: hands.now))
    return hands


def test_a_line_per_epoch_with_what_is_left(capsys, clock):
    with Progress(12, 3) as progress:
        progress.batch(1, 0.7, 0.5, 100.0)
        clock.now += 65
        progress.epoch(row(1, best=True))
        clock.now += 55
        progress.epoch(row(2))
    out, lines = capsys.readouterr()
    assert out == ""
    same = "train loss 0.512 accuracy  85.7 %  validation loss 0.600 accuracy  90.0 %  12,346/s  1 min 05 s"
    assert lines.splitlines() == [
        f"epoch  1/12  {same}, 11 min 55 s left  best",
        f"epoch  2/12  {same}, 10 min 00 s left",
    ]


def test_a_resumed_run_judges_its_speed_by_its_own_epochs(capsys, clock):
    with Progress(10, 3, epochs_done=7) as progress:
        clock.now += 20
        progress.epoch(row(8))
    assert ", 40 s left" in capsys.readouterr().err


def test_after_the_last_epoch_nothing_is_left(capsys, clock):
    with Progress(2, 3, epochs_done=1) as progress:
        clock.now += 20
        progress.epoch(row(2))
    assert capsys.readouterr().err.endswith("12,346/s  1 min 05 s\n")


def test_nothing_is_shown_where_nothing_is_wanted(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    with Progress(2, 3, shown=False) as progress:
        progress.batch(1, 0.7, 0.5, 100.0)
        progress.epoch(row(1))
    assert capsys.readouterr() == ("", "")


def test_a_terminal_gets_a_bar_that_leaves_only_the_lines(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    with Progress(5, 30) as progress:
        progress.batch(7, 0.7, 0.5, 100.0)
        progress.bar.refresh()
        progress.epoch(row(1))
        progress.bar.refresh()
    written = capsys.readouterr().err
    assert "7/30" in written
    assert "epoch 2/5" in written  # the bar went on to the next epoch
    assert written.rstrip().endswith("\x1b[2K")  # and was wiped out at the end


def test_the_bar_names_the_epoch_at_work(clock):
    with Progress(6, 3, epochs_done=4, shown=False) as progress:
        assert progress.bar.tasks[0].description == "5/6"
        progress.epoch(row(5))
        assert progress.bar.tasks[0].description == "6/6"
        progress.epoch(row(6))
        assert progress.bar.tasks[0].description == "6/6"
