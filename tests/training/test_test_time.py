"""Test-time augmentation: posteriors are the means over views that NumPy makes, for all samples or the unsure ones."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from pictures import class_folders, pictures

import lenrek
from lenrek.data.augmentation.policy import Policy
from lenrek.data.augmentation.views import find_views
from lenrek.errors import DataError, OptionError
from lenrek.optimization import race
from lenrek.training import engine, loop
from lenrek.training.test_time import Averaging, AveragingStep

SIZE = (14, 18)
BELOW = 0.56


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> lenrek.Run:
    """Trained for so short a time that mistakes and doubts remain."""
    folder = tmp_path_factory.mktemp("data")
    data = class_folders(folder / "pictures", size=SIZE)
    return lenrek.train(
        data, out=folder / "run", epochs=2, batch_size=16, learning_rate=0.001, precision="fp32", seed=4, test=0.3,
        augment="flip,shift=0.08,noise=0.01; above: shift=0.1", progress=False,
    )  # fmt: skip


def posteriors(classifier: lenrek.Classifier, x: np.ndarray, **options: object) -> np.ndarray:
    return np.array([list(p.posterior.values()) for p in classifier.predict(x, **options)])


def shifted(x: np.ndarray, further: tuple[int, ...]) -> np.ndarray:
    """(batch, *size), read so much further on, edges repeated."""
    for axis, (step, length) in enumerate(zip(further, x.shape[1:], strict=True), start=1):
        x = x.take(np.clip(np.arange(length) + step, 0, length - 1), axis)
    return x


def every_view(x: np.ndarray) -> list[np.ndarray]:
    """All 18 that one sample in each direction and a mirror give."""
    moved = [shifted(x, further) for further in product((-1, 0, 1), repeat=2)]
    return [view for one in moved for view in (one, one[..., ::-1])]


def test_posteriors_are_means_over_views(run: lenrek.Run) -> None:
    x, _ = pictures(30)
    one_by_one = [posteriors(run.classifier, view) for view in every_view(x)]
    assert np.std(one_by_one, axis=0).min() > 1e-4  # views differ, so that their mean says something
    expected = np.mean(one_by_one, axis=0)
    np.testing.assert_allclose(posteriors(run.classifier, x, tta=18), expected, atol=1e-6)
    assert run.classifier.views.made_by == "18 views by flip, shift=0.08; left out: noise (changes values)"
    mirrored = np.mean([posteriors(run.classifier, view) for view in (x, x[..., ::-1])], axis=0)
    np.testing.assert_allclose(posteriors(run.classifier, x, tta=2), mirrored, atol=1e-6)
    predictions = run.classifier.predict(x, tta=18)
    assert [p.confidence for p in predictions] == pytest.approx(expected.max(1).tolist(), abs=1e-6)
    assert [p.label for p in predictions] == [("above", "below")[c] for c in expected.argmax(1)]
    run.classifier.predict(x)
    assert run.classifier.views is None


def test_another_policy_makes_other_views(run: lenrek.Run) -> None:
    x, _ = pictures(30)
    expected = np.mean([posteriors(run.classifier, view) for view in (x, x[:, ::-1])], axis=0)
    for policy in ("flip_vertical", Policy.parse("flip_vertical")):
        np.testing.assert_allclose(posteriors(run.classifier, x, tta=2, tta_policy=policy), expected, atol=1e-6)


@pytest.mark.parametrize("below", [None, BELOW])
def test_batches_make_no_difference(run: lenrek.Run, monkeypatch: pytest.MonkeyPatch, below: float | None) -> None:
    x, _ = pictures(30)
    whole = posteriors(run.classifier, x, tta=7, tta_below=below)
    share = run.classifier.views.share
    monkeypatch.setattr(loop, "EVALUATION_BATCH", 7)
    np.testing.assert_allclose(posteriors(run.classifier, x, tta=7, tta_below=below), whole, atol=1e-6)
    assert run.classifier.views.share == share
    np.testing.assert_allclose(posteriors(run.classifier, x[11:14], tta=7, tta_below=below), whole[11:14], atol=1e-6)


def test_views_of_unsure_samples_only(run: lenrek.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    x, _ = pictures(60)
    seen = []
    original = AveragingStep.logits

    def spied(step, batch):
        seen.append(len(batch))
        return original(step, batch)

    monkeypatch.setattr(AveragingStep, "logits", spied)
    plain, full = posteriors(run.classifier, x), posteriors(run.classifier, x, tta=5)
    assert seen == [60] * 5
    unsure = plain.max(1) < BELOW
    assert 0.1 < unsure.mean() < 0.5
    seen.clear()
    found = posteriors(run.classifier, x, tta=5, tta_below=BELOW)
    assert sum(seen) == 60 + 4 * unsure.sum()
    assert max(seen) == 60
    assert len(seen) < 5  # views of few samples go through the network together
    np.testing.assert_allclose(found[unsure], full[unsure], atol=1e-6)
    np.testing.assert_array_equal(found[~unsure], plain[~unsure])
    assert np.abs(found - full)[~unsure].max() > 1e-4
    views = run.classifier.views
    assert (views.views, views.below, views.share) == (5, BELOW, unsure.mean())
    assert views.time_factor > 1
    assert f"; of {100 * unsure.mean():.1f} % of the samples (confidence below 0.56), " in views.sentence()


def test_none_is_so_unsure(run: lenrek.Run) -> None:
    x, _ = pictures(20)
    found = posteriors(run.classifier, x, tta=5, tta_below=0.5 + 1e-9)
    np.testing.assert_array_equal(found, posteriors(run.classifier, x))


def test_evaluation_tells_the_gain(run: lenrek.Run) -> None:
    x, y = pictures(80)
    data = x, np.array(["above", "below"])[y]
    plain = run.classifier.evaluate(data)
    found = run.classifier.evaluate(data, tta=18)
    views = run.classifier.views
    gain = views.gain
    assert gain.without.to_json() == plain.to_json()
    mean = np.mean([posteriors(run.classifier, view) for view in every_view(x)], axis=0)
    assert found.accuracy == (mean.argmax(1) == y).mean()
    assert found.loss == pytest.approx(-np.log(mean[np.arange(80), y]).mean(), abs=1e-6)
    before, after = posteriors(run.classifier, x).argmax(1) == y, mean.argmax(1) == y
    assert (gain.newly_right, gain.newly_wrong) == ((after & ~before).sum(), (before & ~after).sum())
    assert gain.newly_right + gain.newly_wrong > 0
    stored = views.to_json()
    assert stored["gain"]["without"]["loss"] == plain.loss
    assert set(stored) == {"views", "made_by", "below", "share", "time_factor", "gain"}


def test_damaged_files_are_left_out(run: lenrek.Run, tmp_path: Path) -> None:
    folder = class_folders(tmp_path / "some", 12, SIZE)
    files = sorted(folder.rglob("*.png"))
    expected = run.classifier.predict(files, tta=4)
    files[5].write_bytes(files[5].read_bytes()[:50])
    found = run.classifier.predict(files, tta=4)
    assert [p.name for p in found] == [str(file) for file in files[:5] + files[6:]]
    for one, other in zip(found, expected[:5] + expected[6:], strict=True):
        assert one.posterior == pytest.approx(other.posterior, abs=1e-6)
    assert [(p.kind, p.samples) for p in run.classifier.problems] == [("damaged", (str(files[5]),))]
    with pytest.raises(DataError):
        run.classifier.predict(files[5], tta=4)


def test_views_of_signals(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    y = np.arange(40) % 2
    x = random.normal(size=(40, 200)).astype(np.float32) * 0.2
    x[:, :100] += y[:, None] * 0.1
    run = lenrek.train(
        (x, y), out=tmp_path / "run", model="tcn", epochs=1, augment="shift=0.01,gain=3", precision="fp32",
        progress=False,
    )  # fmt: skip
    views = [shifted(x[:9], (further,)) for further in range(-2, 3)]
    expected = np.mean([posteriors(run.classifier, view) for view in views], axis=0)
    np.testing.assert_allclose(posteriors(run.classifier, x[:9], tta=5), expected, atol=1e-6)


def test_views_of_volumes(tmp_path: Path) -> None:
    y = np.arange(24) % 2
    x = np.random.default_rng(6).integers(0, 200, (24, 12, 13, 14)).astype(np.uint8)
    x[:, :6, :, :7] += (50 * y[:, None, None, None]).astype(np.uint8)
    run = lenrek.train(
        (x, y), out=tmp_path / "run", epochs=1, augment="flip,flip_depth", precision="fp32", progress=False
    )
    views = [np.flip(x, axes) for axes in ((), (3,), (1,), (1, 3))]
    one_by_one = [posteriors(run.classifier, view) for view in views]
    assert np.std(one_by_one, axis=0).max() > 1e-5
    np.testing.assert_allclose(posteriors(run.classifier, x, tta=4), np.mean(one_by_one, axis=0), atol=1e-7)


def test_views_on_a_compiled_engine(run: lenrek.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openvino")
    x, _ = pictures(40)
    expected = posteriors(run.classifier, x, tta=6)
    unsure = posteriors(run.classifier, x, tta=6, tta_below=BELOW)
    assert run.classifier.engine == engine.PYTORCH
    monkeypatch.setattr(engine, "PAYS_OFF_S", 0.0)
    monkeypatch.setattr(race, "MEASURE_S", 0.0)
    monkeypatch.setattr(loop, "EVALUATION_BATCH", 16)
    np.testing.assert_allclose(posteriors(run.classifier, x, tta=6), expected, atol=1e-5)
    assert run.classifier.engine != engine.PYTORCH
    np.testing.assert_allclose(posteriors(run.classifier, x, tta=6, tta_below=BELOW), unsure, atol=1e-5)
    assert run.classifier.engine != engine.PYTORCH


def averaging_step(run: lenrek.Run, number: int, below: float | None) -> AveragingStep:
    contract, network = run.classifier.contract, run.classifier.network
    views = find_views(Policy.parse("flip,shift=0.1"), 7, 1, SIZE, contract.classes)
    return AveragingStep(network, contract, torch.device("cpu"), number, averaging=Averaging(views, below))


@torch.inference_mode()
def test_what_is_still_to_come_decides_on_an_engine(run: lenrek.Run) -> None:
    """Views count: of all samples, or of as many as have been unsure so far."""
    x = torch.from_numpy(pictures(60)[0])[:, None]
    for below in (None, BELOW):
        step = averaging_step(run, 100, below)
        step.posteriors(x)
        share = step.viewed[0].mean()
        assert share == 1 if below is None else 0.1 < share < 0.5
        assert step.remaining == round(40 * (1 + 6 * share))


@torch.inference_mode()
def test_compiling_is_no_cost_of_views(run: lenrek.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def compiled(step: AveragingStep, _: torch.Tensor) -> None:
        step.compile_s = 1000.0

    monkeypatch.setattr(engine, "PAYS_OFF_S", 0.0)
    monkeypatch.setattr(AveragingStep, "_has_engines", lambda _: True)
    monkeypatch.setattr(AveragingStep, "_compile", compiled)
    step = averaging_step(run, 100, None)
    step.posteriors(torch.from_numpy(pictures(60)[0])[:, None])
    assert step.compile_s == 1000
    assert step.views_s < -900  # which the clock did not see


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tta_below": 0.8}, "--tta-below 0.8 has no effect without --tta.\n"
                             "  Hint: pass --tta 8 for 8 views, or leave it out."),
        ({"tta_policy": "flip"}, "--tta-policy flip has no effect without --tta.\n"
                                 "  Hint: pass --tta 8 for 8 views, or leave it out."),
        ({"tta": 1}, "1 view is asked for, but at least 2 are expected: the first is the sample as it is.\n"
                     "  Hint: leave --tta out to have no other."),
        ({"tta": 2.5}, "--tta is 2.5, but a whole number is expected."),
        ({"tta": 4, "tta_below": "low"}, "--tta-below is 'low', but a number is expected."),
        ({"tta": 4, "tta_below": 0.5},
         "--tta-below is 0.5, but the confidence of 2 classes lies between 1/2 = 0.5 and 1."),
        ({"tta": 4, "tta_below": 1.1},
         "--tta-below is 1.1, but the confidence of 2 classes lies between 1/2 = 0.5 and 1."),
        ({"tta": 4, "tta_below": float("nan")},
         "--tta-below is nan, but the confidence of 2 classes lies between 1/2 = 0.5 and 1."),
    ],
)  # fmt: skip
def test_options_without_effect(run: lenrek.Run, options: dict[str, object], message: str) -> None:
    x, y = pictures(4)
    for ask in (run.classifier.predict, run.classifier.evaluate):
        with pytest.raises(OptionError) as caught:
            ask(x if ask == run.classifier.predict else (x, y), **options)
        assert str(caught.value) == f"test-time augmentation: {message}"


def test_networks_trained_without_a_policy(run: lenrek.Run) -> None:
    x, _ = pictures(4)
    for training, why in (({"config": {"augment": "none"}}, "is none"), ({}, "is not known")):
        classifier = lenrek.Classifier(run.classifier.network, run.classifier.contract, "lenet5", training)
        with pytest.raises(OptionError) as caught:
            classifier.predict(x, tta=4)
        assert str(caught.value) == (
            f"test-time augmentation: what this network was trained with {why}, so no other view of a sample is known "
            "to keep its class.\n  Hint: say how to look at it, for example --tta-policy flip,shift=0.1."
        )
        assert len(classifier.predict(x, tta=4, tta_policy="flip,shift=0.1")) == 4
