"""The end of a run: figures of the saved network, the settings, and the worst mistakes."""

import json
from pathlib import Path

import numpy as np
import pytest
from pictures import pictures
from torch import nn

import lenrek
from lenrek.training import results
from lenrek.training.evaluation import evaluate_posteriors


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list:
    """The records from which reports are made."""
    records: list = []
    monkeypatch.setattr(results, "write_report", lambda path, record: records.append(record))
    return records


def noisy(number: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Pictures of which every third has the wrong label, so that mistakes are certain."""
    x, y = pictures(number)
    return x, np.where(np.arange(number) % 3, y, 1 - y)


def test_record_and_files(tmp_path: Path, written: list) -> None:
    x, y = noisy()
    options = {"epochs": 3, "batch_size": 8, "test": 0.4, "precision": "fp32", "seed": 3, "progress": False}
    run = lenrek.train((x, y), out=tmp_path / "run", command="lenrek train x", **options)
    (record,) = written
    assert record.title == "lenet5 on arrays"
    assert record.command == "lenrek train x"
    assert record.best_epoch == [row["epoch"] for row in run.history if row["best"]][-1]
    assert record.time_s == sum(row["time_s"] for row in run.history)
    assert record.parameters == 6 * 25 + 6 + 16 * 6 * 25 + 16 + 400 * 120 + 120 + 120 * 84 + 84 + 84 * 2 + 2
    assert record.filters.shape == (6, 1, 5, 5)
    assert record.data.counts == {"train": 30, "validation": 6, "test": 24}
    assert record.data.steps[-1] == "Precision: fp32, as asked."

    settings = json.loads((run.path / "config.json").read_text())
    assert settings["config"]["seed"] == 3
    assert settings["precision"] == {"dtype": "fp32", "optimized": True, "reason": "fp32, as asked"}
    assert settings["contract"] == json.loads(json.dumps(run.classifier.contract.to_json()))
    assert settings["command"] == "lenrek train x"
    stored = json.loads((run.path / "evaluation.json").read_text())
    assert stored == json.loads(json.dumps({part: e.to_json() for part, e in run.evaluations.items()}))


def test_the_worst_mistakes_with_what_the_network_saw(tmp_path: Path, written: list) -> None:
    x, y = noisy()
    options = {"epochs": 3, "batch_size": 8, "test": 0.4, "precision": "fp32", "seed": 3, "progress": False}
    run = lenrek.train((x, y), out=tmp_path / "run", **options)
    mistakes = written[0].mistakes
    wrong = round((1 - run.evaluation.accuracy) * run.evaluation.num_samples)
    assert len(mistakes) == wrong >= 3
    posteriors = {p.name: list(p.posterior.values()) for p in run.classifier.predict(x)}
    of_truth = []
    for mistake in mistakes:
        index = int(mistake.name.removeprefix("x[").removesuffix("]"))
        np.testing.assert_array_equal(mistake.sample, x[index][None])
        assert mistake.label == y[index] != mistake.posterior.argmax()
        np.testing.assert_allclose(mistake.posterior, posteriors[f"array[{index}]"], atol=1e-6)
        of_truth.append(mistake.posterior[mistake.label])
    assert of_truth == sorted(of_truth)


def test_the_saved_network_is_evaluated_not_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = iter([9, 5, 5])

    def scripted(self):
        row = np.repeat([[0.8, 0.2]], 10, 0)
        return evaluate_posteriors(row, (np.arange(10) >= next(script)).astype(int), "ab")

    monkeypatch.setattr("lenrek.training.fitting.Fitting._validate", scripted)
    options = {"batch_size": 8, "schedule": "constant", "precision": "fp32", "seed": 3, "progress": False}
    run = lenrek.train(noisy(), out=tmp_path / "three", epochs=3, **options)
    script = iter([9])
    first = lenrek.train(noisy(), out=tmp_path / "one", epochs=1, **options)
    assert run.evaluation.to_json() == first.evaluation.to_json()


def test_networks_without_convolution_have_no_filters() -> None:
    assert results._first_filters(nn.Linear(3, 2)) is None
    conv = nn.Conv3d(2, 4, (1, 2, 3))
    np.testing.assert_array_equal(results._first_filters(nn.Sequential(nn.ReLU(), conv)), conv.weight.detach().numpy())
