"""A faster engine behind predict and evaluate: only where it pays off, and with the same answers."""

from __future__ import annotations

import numpy as np
import pytest

import lenrek
from lenrek.optimization import inference, race
from lenrek.training import engine


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> lenrek.Run:
    path = tmp_path_factory.mktemp("runs") / "run"
    return lenrek.train("digits", out=path, epochs=1, batch_size=64, precision="fp32", progress=False)


@pytest.fixture
def pays_off_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "PAYS_OFF_S", 0.0)
    monkeypatch.setattr(race, "MEASURE_S", 0.0)


def samples(number: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (number, 28, 28), np.uint8)


def posteriors(classifier: lenrek.Classifier, x: np.ndarray) -> np.ndarray:
    return np.array([list(p.posterior.values()) for p in classifier.predict(x)])


def test_predictions_stay_the_same_on_the_engine(run: lenrek.Run, monkeypatch, pays_off_at_once) -> None:
    pytest.importorskip("openvino")
    x = samples(700)
    counted = []
    original = inference.CompiledInference.__call__

    def spied(compiled, batch):
        counted.append(len(batch))
        return original(compiled, batch)

    monkeypatch.setattr(inference.CompiledInference, "__call__", spied)
    found = posteriors(run.classifier, x)
    assert counted == [700 - 2 * 256]  # the first two batches told that it pays off
    assert "bfloat16" not in run.classifier.engine
    assert run.classifier.engine.count(" samples (PyTorch in float32 1.00×, ") == 1
    monkeypatch.setattr(engine, "PAYS_OFF_S", 1e9)
    expected = posteriors(run.classifier, x)
    assert run.classifier.engine == "PyTorch"
    assert (found.argmax(1) == expected.argmax(1)).all()
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert expected.std(0).min() > 1e-3  # posteriors that tell samples apart


def test_evaluation_stays_the_same_on_the_engine(run: lenrek.Run, monkeypatch, pays_off_at_once) -> None:
    pytest.importorskip("openvino")
    x, y = samples(600), np.arange(600) % 10
    fast = run.classifier.evaluate((x, y), part="all")
    assert run.classifier.engine != "PyTorch"
    monkeypatch.setattr(engine, "PAYS_OFF_S", 1e9)
    plain = run.classifier.evaluate((x, y), part="all")
    np.testing.assert_array_equal(fast.confusion, plain.confusion)
    assert fast.loss == pytest.approx(plain.loss, rel=1e-5)


@pytest.mark.parametrize("reason", ["little left", "nothing left", "nothing installed"])
def test_pytorch_goes_on_where_nothing_would_be_gained(run: lenrek.Run, monkeypatch, reason: str) -> None:
    def never(*_, **__):
        raise AssertionError("compiled")

    monkeypatch.setattr(inference, "compile_inference", never)
    if reason != "little left":
        monkeypatch.setattr(engine, "PAYS_OFF_S", 0.0)
    if reason == "nothing installed":
        monkeypatch.setattr(engine, "find_spec", lambda name: None)
    run.classifier.predict(samples(512 if reason == "nothing left" else 600))
    assert run.classifier.engine == "PyTorch"
