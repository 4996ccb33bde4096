"""The learning-rate finder: what it suggests, and that what it suggests trains."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
from pictures import pictures
from typer.testing import CliRunner

import lenrek
from lenrek.cli.app import app
from lenrek.errors import OptionError
from lenrek.training.find_rate import _steepest, find_learning_rate


def test_where_a_curve_falls_fastest() -> None:
    rates = np.geomspace(1e-6, 1, 61).tolist()
    losses = [2 - 1.5 / (1 + math.exp(-3 * (math.log10(rate) + 3))) for rate in rates[:50]]  # steepest at 10⁻³
    losses += [losses[-1] * 2**k for k in range(1, 5)]
    assert _steepest(rates, losses) == pytest.approx(1e-3, rel=0.1)


def test_the_suggestion_trains_and_ten_thousand_times_less_does_not(tmp_path: Path) -> None:
    found = find_learning_rate(pictures(160), batch_size=16, steps=60)
    assert list(found.rates) == sorted(found.rates)
    assert found.losses[-1] > 2 * min(found.losses) or len(found.rates) == 60
    assert find_learning_rate(pictures(160), batch_size=16, steps=60) == found
    options = {"epochs": 4, "batch_size": 16, "precision": "fp32", "progress": False}
    good = lenrek.train(pictures(160), learning_rate=found.suggestion, out=tmp_path / "good", **options)
    tiny = lenrek.train(pictures(160), learning_rate=found.suggestion / 1e4, out=tmp_path / "tiny", **options)
    assert good.history[-1]["train_loss"] < 0.2 < 0.6 < tiny.history[-1]["train_loss"]


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    x, y = pictures(80)
    np.savez("data.npz", x=x, y=y)
    words = ["find-rate", "data.npz", "--batch-size", "16", "--steps", "30"]
    told = json.loads(CliRunner().invoke(app, [*words, "--json"]).stdout)
    assert min(abs(rate / told["suggestion"] - 1) for rate in told["rates"]) < 0.06
    result = CliRunner().invoke(app, [*words, "--out", "rate.svg"])
    assert result.exit_code == 0
    assert f"rate      {told['suggestion']:g}" in result.stdout
    picture = Path("rate.svg").read_text()
    assert "suggested" in picture
    assert "learning rate" in picture
    assert not Path("runs").exists()


def test_what_is_refused() -> None:
    with pytest.raises(OptionError, match="steps is 5, but must be at least 10"):
        find_learning_rate(pictures(), steps=5)
    with pytest.raises(OptionError, match="no option 'batchsize'"):
        find_learning_rate(pictures(), batchsize=3)
