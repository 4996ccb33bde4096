"""A trained network read back: its answers are those of its file, and no training sample counts in its evaluation."""

import json
import re
import shutil
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from pictures import class_folders, pictures
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

import lenrek
from lenrek.data.open import open_source
from lenrek.data.split import split_source
from lenrek.errors import CheckpointError, DataError, OptionError, ShapeError
from lenrek.training import classifier as classifier_module


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return class_folders(tmp_path_factory.mktemp("data") / "pictures", size=(14, 18))


@pytest.fixture(scope="module")
def run(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> lenrek.Run:
    """Trained in bf16 for so short a time that mistakes remain."""
    path = tmp_path_factory.mktemp("runs") / "run"
    return lenrek.train(
        folder, out=path, epochs=1, batch_size=16, learning_rate=0.001, precision="bf16", seed=4, test=0.3,
        progress=False,
    )  # fmt: skip


def test_predictions_are_those_of_the_file_in_plain_pytorch(run: lenrek.Run, folder: Path) -> None:
    weights = load_file(run.path / "model.safetensors")
    with safe_open(run.path / "model.safetensors", "pt") as file:
        header = json.loads(file.metadata()["lenrek"])
    contract = header["contract"]
    files = sorted(folder.rglob("*.png"))
    x = torch.tensor(np.stack([np.asarray(Image.open(file)) for file in files]))[:, None] / 255
    x = (x - contract["mean"][0]) / contract["std"][0]
    for layer, padding in (("features.0", 2), ("features.3", 0)):
        x = F.max_pool2d(F.relu(F.conv2d(x, weights[f"{layer}.weight"], weights[f"{layer}.bias"], padding=padding)), 2)
    x = F.adaptive_avg_pool2d(x, 5).flatten(1)
    for layer in (1, 3, 5):
        x = F.linear(x, weights[f"classifier.{layer}.weight"], weights[f"classifier.{layer}.bias"])
        x = F.relu(x) if layer < 5 else x
    expected = x.double().softmax(1).numpy()
    predictions = lenrek.load(run.path).predict(files)
    assert [p.name for p in predictions] == [str(file) for file in files]
    got = np.array([list(p.posterior.values()) for p in predictions])
    np.testing.assert_allclose(got, expected, atol=2e-6)
    assert expected[:, 0].std() > 0.02  # it has learned something, so that agreeing means something
    for p, row in zip(predictions, expected, strict=True):
        assert (p.label, p.confidence) == (contract["classes"][row.argmax()], pytest.approx(row.max(), abs=2e-6))
        assert p.top(1) == [(p.label, p.confidence)]


def test_evaluation_repeats_the_runs_own_figures_exactly(run: lenrek.Run, folder: Path) -> None:
    found = lenrek.load(run.path).evaluate(folder)
    assert found.num_samples == 24  # 0.3 of 40, of each class
    assert found.loss > 0.01  # so that equal figures say something
    assert found.to_json() == run.evaluation.to_json()
    assert json.dumps(found.to_json()) == json.dumps(json.loads((run.path / "evaluation.json").read_text())["test"])
    validation = run.classifier.evaluate(folder, part="validation")
    assert validation.to_json() == run.evaluations["validation"].to_json()


def test_no_training_sample_is_evaluated(run: lenrek.Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[int] = []
    original = classifier_module.posteriors

    def spied(step, samples, indices):
        looked_at.extend(indices)
        return original(step, samples, indices)

    monkeypatch.setattr(classifier_module, "posteriors", spied)
    split = split_source(open_source(folder), seed=4, validation=0.1, test=0.3)
    run.classifier.evaluate(folder)
    assert sorted(looked_at) == split.test.tolist()
    for part in ("train", "validation"):
        looked_at.clear()
        run.classifier.evaluate(folder, part=part)
        assert sorted(looked_at) == getattr(split, part).tolist()
    looked_at.clear()
    run.classifier.evaluate(folder, part="all")
    assert sorted(looked_at) == list(range(80))


def test_data_that_has_changed_is_not_taken_for_new(tmp_path: Path) -> None:
    data = class_folders(tmp_path / "grows", 40)
    run = lenrek.train(data, out=tmp_path / "run", epochs=1, precision="fp32", progress=False)
    shutil.copy(data / "above" / "000.png", data / "above" / "more.png")
    with pytest.raises(OptionError) as info:
        run.classifier.evaluate(data)
    assert str(info.value) == (
        "evaluate: grows has changed since this network was trained on it, so which of its samples were trained on "
        "can no longer be told.\n"
        "  Hint: name data it has not seen; part='all' takes everything, training samples included."
    )
    assert run.classifier.evaluate(data, part="all").num_samples == 41


def test_other_data_is_evaluated_whole_or_on_the_part_it_names(run: lenrek.Run, tmp_path: Path) -> None:
    x, y = pictures(30)
    names = np.array(["above", "below"])[y]
    assert run.classifier.evaluate((x, names)).num_samples == 30
    np.savez(tmp_path / "parts.npz", x_train=x[:18], y_train=names[:18], x_test=x[18:], y_test=names[18:])
    assert run.classifier.evaluate(tmp_path / "parts.npz").num_samples == 12
    assert run.classifier.evaluate(tmp_path / "parts.npz", part="train").num_samples == 18
    with pytest.raises(OptionError) as info:
        run.classifier.evaluate((x, names), part="validation")
    assert str(info.value) == (
        "evaluate: arrays is not the data this network was trained on, so it has no validation part.\n"
        "  Hint: leave the part out to evaluate all of it."
    )
    with pytest.raises(OptionError, match=r"^evaluate: part is 'dev', but must be one of "):
        run.classifier.evaluate((x, names), part="dev")


def test_arrays_of_other_content_are_other_data(tmp_path: Path) -> None:
    x, y = pictures(40)
    run = lenrek.train((x, y), out=tmp_path / "run", epochs=1, precision="fp32", progress=False)
    assert run.classifier.evaluate((x, y)).num_samples == 4
    assert run.classifier.evaluate((255 - x, y)).num_samples == 40


def test_classes_are_matched_by_name(run: lenrek.Run) -> None:
    x, y = pictures(30)
    below = x[y == 1]
    found = run.classifier.evaluate((below, np.array(["below"] * len(below))), part="all")
    assert [scores.support for scores in found.per_class] == [0, 15]
    with pytest.raises(DataError) as info:
        run.classifier.evaluate((x, np.where(y == 1, "below", "beside")))
    assert str(info.value) == (
        "evaluate: arrays has classes this network was not trained on: beside.\n  It knows: above, below."
    )


def test_data_of_another_kind_is_refused(run: lenrek.Run) -> None:
    with pytest.raises(DataError) as info:
        run.classifier.evaluate((np.zeros((4, 50), np.float32), np.array(["above", "below"] * 2)))
    assert str(info.value) == (
        "evaluate: arrays holds signals, which are 1-D, but this network was trained on 2-D data."
    )


def test_damaged_files_are_left_out_and_named(run: lenrek.Run, folder: Path, tmp_path: Path) -> None:
    good = folder / "above" / "002.png"
    bad = tmp_path / "bad.png"
    bad.write_bytes(good.read_bytes()[:60])
    classifier = lenrek.load(run.path)
    predictions = classifier.predict([good, bad, good])
    assert [p.name for p in predictions] == [str(good), str(good)]
    assert [(p.kind, p.samples) for p in classifier.problems] == [("damaged", (str(bad),))]
    with pytest.raises(DataError, match=re.escape(str(bad))):
        classifier.predict([good, bad], strict=True)
    with pytest.raises(DataError):
        classifier.predict(bad)


def test_arrays_must_have_the_networks_channels(run: lenrek.Run) -> None:
    assert [p.name for p in run.classifier.predict(pictures(3)[0])] == ["array[0]", "array[1]", "array[2]"]
    with pytest.raises(ShapeError):
        run.classifier.predict(np.zeros((2, 3, 14, 18), np.uint8))


def test_values_are_predicted_as_they_were_trained_on(tmp_path: Path) -> None:
    """What `train` takes as samples, `predict` takes: any real dtype, lists, tensors; to the same posteriors."""
    labels = np.arange(40) % 2
    x = np.random.default_rng(5).random((40, 12, 13)) + labels[:, None, None]  # float64
    run = lenrek.train((x, labels), out=tmp_path / "run", epochs=1, precision="fp32", progress=False)
    expected = run.classifier.predict(x[:3].astype(np.float32))
    for given in (x[:3], x[:3, None], x[:3, ..., None], x[:3].tolist(), list(x[:3]), torch.from_numpy(x[:3])):
        assert run.classifier.predict(given) == expected
    on = x[:3] > 0.5
    assert run.classifier.predict(on) == run.classifier.predict(on.astype(np.uint8) * np.uint8(255))
    small = (x[:3] * 9).astype(np.int64)
    assert run.classifier.predict(small) == run.classifier.predict(small.astype(np.uint8))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.nan, "predict: array[1] holds nan, but finite float32 values are expected.\n"
                 "  Hint: leave such samples out: keep = np.isfinite(x).reshape(len(x), -1).all(axis=1)."),
        (1j, "predict: x has dtype complex128, but real numbers are expected."),
        (None, "predict: x has dtype object, but real numbers are expected."),
    ],
)  # fmt: skip
def test_values_that_are_no_finite_numbers_are_refused(run: lenrek.Run, value: object, message: str) -> None:
    x = np.zeros((2, 3, 14, 18), np.result_type(type(value), float))
    x[1, 0, 2, 3] = value
    with pytest.raises(DataError) as caught:
        run.classifier.predict(x[:, :1])
    assert str(caught.value) == message


def test_volumes_from_files_are_the_same_as_from_memory(tmp_path: Path) -> None:
    labels = np.arange(24) % 2
    x = (np.random.default_rng(6).random((24, 12, 13, 14)) + labels[:, None, None, None]) > 1  # as voxels are
    run = lenrek.train((x, labels), out=tmp_path / "run", epochs=1, precision="fp32", progress=False)
    np.save(tmp_path / "volume.npy", x[1])
    (found,), (expected,) = run.classifier.predict(tmp_path / "volume.npy"), run.classifier.predict(x[1:2])
    assert found.posterior == expected.posterior

    np.save(tmp_path / "scaled.npy", x[1] * 0.75)
    (prediction,) = run.classifier.predict([tmp_path / "volume.npy", tmp_path / "scaled.npy"])
    assert prediction.posterior == expected.posterior
    assert [problem.message for problem in run.classifier.problems] == [
        f"{tmp_path / 'scaled.npy'}: holds float32, but the first sample uint8: one type for all is expected."
    ]


def test_load(run: lenrek.Run, tmp_path: Path) -> None:
    x, _ = pictures(6)
    expected = run.classifier.predict(x)
    for path in (run.path, str(run.path), run.path / "model.safetensors"):
        loaded = lenrek.load(path)
        assert loaded.predict(x) == expected
        assert (loaded.architecture, loaded.training["config"]["seed"]) == ("lenet5", 4)
        assert not loaded.network.training
    with pytest.raises(CheckpointError) as info:
        lenrek.load(tmp_path)
    assert str(info.value) == (f"load: the folder {tmp_path} holds no trained model: no model.safetensors is in it.")
    with pytest.raises(CheckpointError, match=r"nothing\.safetensors"):
        lenrek.load(tmp_path / "nothing.safetensors")
    save_file({"weight": torch.zeros(2)}, tmp_path / "plain.safetensors")
    with pytest.raises(CheckpointError, match=r"plain\.safetensors has weights but no lenrek header"):
        lenrek.load(tmp_path / "plain.safetensors")


def test_public_weights_that_name_their_architecture_predict(
    real_weights: Path, real_data: Path, tmp_path: Path
) -> None:
    with tarfile.open(real_data / "flowers.tar.gz") as archive:
        daisies = [member for member in archive if member.name.startswith("flowers/daisy/")][:20]
        archive.extractall(tmp_path, daisies, filter="data")
    classifier = lenrek.load(real_weights / "squeezenet1_1-imagenet.safetensors")
    predictions = classifier.predict(tmp_path / "flowers")
    assert sum(prediction.label == "daisy" for prediction in predictions) >= 14


def test_the_same_numbers_in_another_type_are_the_same_samples(tmp_path: Path) -> None:
    x, y = pictures()
    floats = lenrek.train((x.astype(np.float32), y), out=tmp_path / "floats", epochs=3, batch_size=16, progress=False)
    assert floats.classifier.contract.full_scale == 1
    as_floats = [p.confidence for p in floats.classifier.predict(x.astype(np.float32))]
    assert [p.confidence for p in floats.classifier.predict(x)] == pytest.approx(as_floats)
    whole = lenrek.train((x, y), out=tmp_path / "bytes", epochs=1, batch_size=16, progress=False)
    with pytest.raises(DataError, match="divide them by 255"):
        whole.classifier.predict(x.astype(np.float32))
    scaled = [p.confidence for p in whole.classifier.predict(x.astype(np.float32) / 255)]
    assert scaled == pytest.approx([p.confidence for p in whole.classifier.predict(x)], rel=1e-4)
