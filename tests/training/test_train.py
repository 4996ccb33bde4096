"""The main job from Python: what it learns, keeps, refuses and says."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from pictures import class_folders, pictures

import lenrek
from lenrek.errors import DataError, OptionError, ShapeError
from lenrek.models.tensor_file import read_tensors
from lenrek.training import preparation
from lenrek.training.config import TrainConfig
from lenrek.training.evaluation import evaluate_posteriors
from lenrek.training.fitting import Fitting
from lenrek.training.preparation import prepare

FAST = {"precision": "fp32", "progress": False}
FILES = {
    "checkpoint.safetensors", "config.json", "evaluation.json", "metrics.jsonl", "model.safetensors", "report.html",
}  # fmt: skip


def weights(path: Path) -> dict[str, torch.Tensor]:
    return read_tensors(path / "model.safetensors")[0]


def assert_same_weights(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> None:
    assert one.keys() == other.keys()
    assert [name for name in one if not torch.equal(one[name], other[name])] == []


def test_arrays_to_a_trained_network(tmp_path: Path) -> None:
    run = lenrek.train(pictures(), out=tmp_path / "run", epochs=5, batch_size=16, **FAST)
    assert run.evaluation.accuracy == 1
    assert run.evaluation.num_samples == 8
    assert {file.name for file in run.path.iterdir()} == FILES
    history = [json.loads(line) for line in (run.path / "metrics.jsonl").read_text().splitlines()]
    assert history == run.history
    assert [row["epoch"] for row in history] == [1, 2, 3, 4, 5]
    assert history[0]["train_loss"] > 0.5 > 0.1 > history[-1]["train_loss"]
    x, y = pictures()
    assert [int(p.label) for p in run.classifier.predict(x)] == y.tolist()


def test_without_out_each_run_has_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    paths = [lenrek.train(pictures(40), epochs=1, **FAST).path for _ in range(2)]
    assert paths == [Path("runs/arrays-lenet5"), Path("runs/arrays-lenet5-2")]
    assert_same_weights(weights(paths[0]), weights(paths[1]))


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize(("model", "precision"), [("lenet5", "fp32"), ("resnet20", "fp32"), ("resnet20", "bf16")])
def test_streamed_and_resident_train_the_same_network(mode: str, model: str, precision: str, tmp_path: Path) -> None:
    data = class_folders(tmp_path / "data", 40, mode=mode)
    trained = {}
    for loading in ("resident", "stream"):
        options = {"epochs": 2, "batch_size": 8, "augment": "strong,superimpose=0.3", "size": (14, 18), "seed": 2}
        options |= {"precision": precision, "loading": loading, "progress": False}
        run = lenrek.train(data, model, out=tmp_path / loading, **options)
        trained[loading] = weights(run.path), run.evaluation.to_json()
    assert_same_weights(trained["resident"][0], trained["stream"][0])
    assert trained["resident"][1] == trained["stream"][1]


def test_fewer_samples_than_a_batch_are_one_batch(tmp_path: Path) -> None:
    for out, batch_size in (("large", 500), ("exact", 32)):  # 40 samples, of which 4 validate and 4 test
        lenrek.train(pictures(40), out=tmp_path / out, epochs=2, batch_size=batch_size, **FAST)
    assert_same_weights(weights(tmp_path / "large"), weights(tmp_path / "exact"))


def test_the_network_that_is_best_on_validation_is_kept_until_patience_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # right of 10 and how sure: the third epoch is worse, the fourth equal in accuracy with a higher loss
    script = iter([(6, 0.9), (8, 0.9), (7, 0.9), (8, 0.95), (10, 0.9)])
    kept: list[dict[str, torch.Tensor]] = []
    trained: list[dict[str, torch.Tensor]] = []

    def scripted(self: Fitting):
        right, sure = next(script)
        kept.append({name: tensor.clone() for name, tensor in self.kept.state_dict().items()})
        trained.append({name: tensor.clone() for name, tensor in self.network.state_dict().items()})
        row = np.array([[sure, 1 - sure]])
        return evaluate_posteriors(np.repeat(row, 10, 0), (np.arange(10) >= right).astype(int), "ab")

    monkeypatch.setattr(Fitting, "_validate", scripted)
    run = lenrek.train(
        pictures(40), out=tmp_path / "run", epochs=9, batch_size=8, ema=0.8, patience=2, precision="fp32"
    )
    assert [row["validation_accuracy"] for row in run.history] == [0.6, 0.8, 0.7, 0.8]
    assert [row["best"] for row in run.history] == [True, True, False, False]
    assert_same_weights(weights(run.path), kept[1])
    assert not torch.equal(kept[1]["features.0.weight"], trained[1]["features.0.weight"])  # the average is kept
    assert run.classifier.training["epoch"] == 2
    assert "Stopped early: none of the last 2 epochs was better.\n" in capsys.readouterr().err


def test_a_finished_run_that_is_resumed_is_evaluated_again(tmp_path: Path) -> None:
    options = {"out": tmp_path / "run", "epochs": 2, **FAST}
    first = lenrek.train(pictures(40), **options)
    before = {name: (first.path / name).read_bytes() for name in FILES}
    for name in ("evaluation.json", "report.html"):
        (first.path / name).unlink()
    again = lenrek.train(pictures(40), resume=True, **options)
    assert {name: (again.path / name).read_bytes() for name in FILES} == before
    assert again.history == first.history


def test_what_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lenrek.train(pictures(40), out=tmp_path / "run", epochs=1, precision="fp32")
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    for line in (
        "arrays: 40 images of 2 classes: 32 to train, 4 to validate, 4 to test.",
        "Images are used at their own size, 14×18.",
        "Training samples are used as they are, without augmentation.",
        "Precision: fp32, as asked.",
    ):
        assert line in lines
    lenrek.train(pictures(40), out=tmp_path / "run", resume=True, epochs=1, precision="fp32")
    assert "Resumed after epoch 1 of 1." in capsys.readouterr().err.splitlines()
    lenrek.train(pictures(40), out=tmp_path / "quiet", epochs=1, **FAST)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epoch": 3}, "train: there is no option 'epoch'.\n  Hint: did you mean epochs?"),
        ({"lr": 0.1}, re.compile(r"train: there is no option 'lr'\.\n  Hint: the options are data, model, epochs, ")),
        (
            {"validation": 0, "patience": 3},
            "train: validation is 0 and arrays has no validation part of its own, but one is needed to choose the "
            "epoch on.\n  Hint: leave validation out, or give the share to split off, for example 0.1.",
        ),
        (
            {"test": 0.0},
            "train: test is 0 and arrays has no test part of its own, but one is needed to measure the result on.\n"
            "  Hint: leave test out, or give the share to split off, for example 0.1.",
        ),
        (
            {"model": "resnet20", "batch_size": 1},
            "train: resnet20 has batch normalisation, which needs at least 2 samples per step, but gets 1.\n"
            "  Hint: pass --batch-size 2 or more, or a --model without.",
        ),
    ],
)
def test_refused(options: dict, message: str | re.Pattern, tmp_path: Path) -> None:
    with pytest.raises(OptionError) as info:
        lenrek.train(pictures(40), out=tmp_path / "run", **{"epochs": 1, **FAST, **options})
    assert message.match(str(info.value)) if isinstance(message, re.Pattern) else str(info.value) == message


def test_parts_that_the_data_gives_need_no_share(tmp_path: Path) -> None:
    x, y = pictures(40)
    parts = {"train": slice(24), "val": slice(24, 34), "test": slice(34, 40)}
    np.savez(tmp_path / "given.npz", **{f"{k}_{p}": v[s] for p, s in parts.items() for k, v in (("x", x), ("y", y))})
    run = lenrek.train(tmp_path / "given.npz", out=tmp_path / "run", epochs=1, validation=0, test=0, **FAST)
    assert {part: e.num_samples for part, e in run.evaluations.items()} == {"validation": 10, "test": 6}


def test_a_part_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = preparation.load_samples

    def without_validation(source, contract, **options):
        samples = original(source, contract, **options)
        samples._readable = np.arange(40) >= 4
        return samples

    class FirstFour:
        train, validation, test = np.arange(8, 40), np.arange(4), np.arange(4, 8)

    monkeypatch.setattr(preparation, "load_samples", without_validation)
    monkeypatch.setattr(preparation, "split_source", lambda source, **options: FirstFour)
    with pytest.raises(DataError) as info:
        lenrek.train(pictures(40), out=tmp_path / "run", epochs=1, **FAST)
    assert str(info.value) == (
        "train: none of the 4 validation samples of arrays can be read, but one is needed to choose the epoch on."
    )


def test_a_diverging_run_says_what_to_do(tmp_path: Path) -> None:
    options = {"epochs": 3, "batch_size": 8, "optimizer": "sgd", "learning_rate": 1e20, **FAST}
    with pytest.raises(OptionError) as info:
        lenrek.train(pictures(40), out=tmp_path / "run", **options)
    assert re.fullmatch(
        r"train: the loss became (nan|inf) in epoch 1, step \d of 4\.\n"
        r"  Hint: lower the learning rate \(now 1e\+20\), or pass --clip-norm 1\.",
        str(info.value),
    )


def test_a_last_validation_batch_of_one_sample_with_batch_norm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lenrek.training.loop.EVALUATION_BATCH", 3)
    options = {"epochs": 1, "batch_size": 2, "test": 0.1, "validation": 0.1, **FAST}
    run = lenrek.train(pictures(40), "resnet20", out=tmp_path / "run", **options)
    assert {part: e.num_samples for part, e in run.evaluations.items()} == {"validation": 4, "test": 4}


def test_mean_and_deviation_are_those_of_the_training_part_alone() -> None:
    x, y = pictures(40)
    prepared = prepare((x, y), TrainConfig("arrays", seed=1), lambda sentence: None)
    learned = x[prepared.split.train] / 255
    assert prepared.contract.mean == pytest.approx((learned.mean(),), rel=1e-12)
    assert prepared.contract.std == pytest.approx((learned.std(),), rel=1e-9)
    assert prepared.contract.mean != pytest.approx(((x / 255).mean(),), rel=1e-6)


def test_too_small_for_the_model(tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match="lenet5 needs at least 12 samples per axis, but the size is 14×11"):
        lenrek.train(pictures(40), out=tmp_path / "run", size=(14, 11), **FAST)


def test_spoken_digits_in_one_dimension(real_data: Path, tmp_path: Path) -> None:
    source = lenrek.open_source(real_data / "spoken-digits.tar.gz")
    few = [index for index, name in enumerate(source.names) if re.search(r"_[0-3]\.wav$", name)]
    rows = [f"{source.reader.paths[i]},{source.classes[source.labels[i]]}" for i in few]
    table = tmp_path / "spoken.csv"
    table.write_text("\n".join(["path,label", *rows]) + "\n")
    run = lenrek.train(table, "m5", out=tmp_path / "run", epochs=1, batch_size=32, size=2048, **FAST)
    assert run.classifier.contract.sample_rate_hz == 8000
    assert run.classifier.contract.size == (2048,)
    assert run.history[0]["train_loss"] < 4
    assert len(run.evaluation.classes) == 10


def test_voxels_in_three_dimensions(real_data: Path, tmp_path: Path) -> None:
    stored = np.load(real_data / "modelnet-voxels.npz")
    chosen = np.random.default_rng(0).permutation(len(stored["y"]))[:160]
    x, y = stored["x"][chosen], stored["classes"][stored["y"][chosen]]
    run = lenrek.train((x, y), out=tmp_path / "run", epochs=4, batch_size=16, size=16, **FAST)
    assert run.classifier.contract.size == (16, 16, 16)
    assert run.classifier.contract.classes == ("chair", "monitor")
    assert run.history[-1]["train_accuracy"] > 0.9


def test_flowers_streamed_from_their_files(real_data: Path, tmp_path: Path) -> None:
    source = lenrek.open_source(real_data / "flowers.tar.gz")
    rows = [f"{source.reader.paths[i]},{source.classes[source.labels[i]]}" for i in range(0, len(source), 20)]
    table = tmp_path / "flowers.csv"
    table.write_text("\n".join(["path,label", *rows]) + "\n")
    run = lenrek.train(table, out=tmp_path / "run", epochs=1, batch_size=16, size=32, loading="stream", **FAST)
    assert run.classifier.contract.channels == 3
    assert run.classifier.contract.fit == "crop"
    assert run.classifier.evaluate(table).to_json() == run.evaluation.to_json()


@pytest.mark.parametrize(
    ("grouped", "sentence"),
    [
        (True, "Each of the 8 groups is in one part."),
        (False, "The 8 groups are spread over the parts: with --grouped, each would be in one."),
    ],
)
def test_groups_are_spoken_of(grouped: bool, sentence: str, tmp_path: Path) -> None:
    x, y = pictures(40)
    np.savez(tmp_path / "scans.npz", x=x, y=y, groups=np.arange(40) // 5)
    said: list[str] = []
    prepare(tmp_path / "scans.npz", TrainConfig("scans", grouped=grouped, validation=0.2, test=0.2), said.append)
    assert any(line.startswith("scans: 40 images") and line.endswith(sentence) for line in said), said


def test_resuming_where_nothing_is_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lenrek.train(pictures(40), out=tmp_path / "new", resume=True, epochs=1, batch_size=16, precision="fp32")
    assert f"Nothing to resume in {tmp_path / 'new'}: this run starts from the beginning.\n" in capsys.readouterr().err
