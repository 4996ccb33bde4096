"""From one trained network to the next: what stays, what is solved, what is trained, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from pictures import class_folders, pictures
from torch import nn

import lenrek
from lenrek.errors import CheckpointError, DataError, LenrekError, OptionError
from lenrek.models.tensor_file import read_tensors
from lenrek.training.fitting import Fitting
from lenrek.training.train import Run

FAST = {"precision": "fp32", "progress": False}
QUIET = {"progress": False}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network with batch norm that knows four classes."""
    x, y = pictures(96, 16, 20)
    y = y + 2 * (np.arange(96) % 3 == 0)
    x = x + 40 * (y >= 2).astype(np.uint8)[:, None, None]
    return lenrek.train(
        (x, y), "resnet20", out=tmp_path_factory.mktemp("trained") / "run", epochs=2, batch_size=16, **FAST
    ).path


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LENREK_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "features"


def tensors(path: Path) -> dict[str, torch.Tensor]:
    return read_tensors(path / "model.safetensors")[0]


def report(run: Run) -> str:
    return (run.path / "report.html").read_text()


def test_frozen_features_stay_bit_for_bit(trained: Path, tmp_path: Path, cache: Path) -> None:
    run = lenrek.train(pictures(60, 16, 20), start=str(trained), freeze="features", out=tmp_path / "run", **QUIET)
    before, after = tensors(trained), tensors(run.path)
    changed = [name for name in after if name not in before or not torch.equal(before[name], after[name])]
    assert changed == ["linear.bias", "linear.weight"]
    assert "running_mean" in "".join(before), "the statistics of norms are among what stays"
    assert run.evaluation.accuracy == 1
    assert f"Frozen: {len(before) - 2} tensors" in report(run)
    assert "bit for bit as they were at the start" in report(run)
    strengths = [row["regularisation"] for row in run.history]
    assert strengths == sorted(strengths, reverse=True)
    assert len(list(cache.iterdir())) == 2


def test_the_head_is_the_networks_own(trained: Path, tmp_path: Path) -> None:
    """Figures of the layer that was solved are those of the whole network that was written."""
    run = lenrek.train(pictures(60, 16, 20), start=str(trained), freeze="features", out=tmp_path / "run", **QUIET)
    best = next(row for row in run.history if row["epoch"] == json.loads(_header(run.path))["training"]["epoch"])
    assert run.evaluations["validation"].loss == pytest.approx(best["validation_loss"], rel=1e-4)


def _header(path: Path) -> str:
    return read_tensors(path / "model.safetensors")[1]["lenrek"]


def test_features_are_computed_once(
    trained: Path, tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = class_folders(tmp_path / "data", 40, (16, 20))
    options = {"start": str(trained), "freeze": "features", "augment": "shift=0.1"}

    def said(name: str, **more: object) -> str:
        lenrek.train(data, out=tmp_path / name, **{**options, **more})
        return next(line for line in capsys.readouterr().err.splitlines() if line.startswith("Features:"))

    assert "cache" not in said("first", views=2)
    assert "3 of 3 parts from the cache" in said("again", views=2)
    assert "3 of 4 parts from the cache" in said("more", views=3)
    assert "2 of 3 parts from the cache" in said("policy", views=2, augment="shift=0.2")
    assert "cache" not in said("size", views=2, size=24)
    some = next(iter((data / "above").iterdir()))
    some.write_bytes(some.read_bytes() + b"\0")
    assert "cache" not in said("changed", views=2), "a file that changed, changes what is read from it"
    assert tensors(tmp_path / "first")["linear.weight"].equal(tensors(tmp_path / "again")["linear.weight"])


def test_a_damaged_cache_is_computed_anew(
    trained: Path, tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = class_folders(tmp_path / "data", 40, (16, 20))
    for name in ("first", "again"):
        lenrek.train(data, start=str(trained), freeze="features", out=tmp_path / name)
        for file in cache.iterdir():
            file.write_bytes(file.read_bytes()[:-100])
    assert capsys.readouterr().err.count("Cached features are computed anew:") == 2
    assert tensors(tmp_path / "first")["linear.weight"].equal(tensors(tmp_path / "again")["linear.weight"])


def test_up_to_a_layer(trained: Path, tmp_path: Path) -> None:
    run = lenrek.train(
        pictures(60, 16, 20), start=str(trained), freeze="up-to layer2", out=tmp_path / "run", epochs=6, batch_size=16,
        augment="shift=0.1", views=2, **FAST,
    )  # fmt: skip
    before, after = tensors(trained), tensors(run.path)
    changed = {name.split(".")[0] for name in after if not torch.equal(before.get(name, torch.zeros(0)), after[name])}
    assert changed == {"layer3", "linear"}
    assert run.evaluation.accuracy == 1
    assert run.history[0]["train_loss"] > run.history[-1]["train_loss"]


def test_fine_tuning_moves_early_layers_less(trained: Path, tmp_path: Path) -> None:
    run = lenrek.train(
        pictures(60, 16, 20), start=str(trained), out=tmp_path / "run", epochs=2, batch_size=16, layer_decay=0.5, **FAST
    )
    before, after = tensors(trained), tensors(run.path)
    moved = {
        name: (after[name] - before[name]).abs().mean().item() for name in ("conv1.weight", "layer3.2.conv2.weight")
    }
    assert 0 < 20 * moved["conv1.weight"] < moved["layer3.2.conv2.weight"]
    assert run.evaluation.accuracy == 1


def test_gradual_unfreezing(trained: Path, tmp_path: Path) -> None:
    run = lenrek.train(
        pictures(60, 16, 20), start=str(trained), out=tmp_path / "run", epochs=1, batch_size=16, unfreeze=3, **FAST
    )
    before, after = tensors(trained), tensors(run.path)
    same = [name for name in ("conv1.weight", "layer3.2.conv2.weight") if torch.equal(before[name], after[name])]
    assert same == ["conv1.weight", "layer3.2.conv2.weight"], "in the first of three epochs the head alone is trained"


def test_resumed_as_if_never_interrupted(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = {"start": str(trained), "batch_size": 16, "epochs": 3, "augment": "shift=0.1", **FAST}
    whole = lenrek.train(pictures(60, 16, 20), out=tmp_path / "whole", **options)
    save, saved = Fitting._save, []

    def interrupted(self: Fitting) -> None:
        save(self)
        saved.append(1)
        if len(saved) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Fitting, "_save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        lenrek.train(pictures(60, 16, 20), out=tmp_path / "parts", **options)
    monkeypatch.setattr(Fitting, "_save", save)
    resumed = lenrek.train(pictures(60, 16, 20), out=tmp_path / "parts", resume=True, **options)
    one, other = tensors(whole.path), tensors(resumed.path)
    assert [name for name in one if not torch.equal(one[name], other[name])] == []


def test_auto_keeps_what_is_better_on_validation(trained: Path, tmp_path: Path) -> None:
    """A rate that ruins the network: the head on frozen features stays."""
    options = {"start": str(trained), "epochs": 2, "batch_size": 16, "auto": True, **FAST}
    run = lenrek.train(pictures(60, 16, 20), out=tmp_path / "ruined", learning_rate=3.0, schedule="constant", **options)
    assert "Kept: the head on frozen features" in report(run)
    before, after = tensors(trained), tensors(run.path)
    assert torch.equal(before["conv1.weight"], after["conv1.weight"])
    assert run.evaluation.accuracy == 1


def test_without_validation_all_is_for_training(trained: Path, tmp_path: Path) -> None:
    frozen = lenrek.train(
        pictures(60, 16, 20), start=str(trained), freeze="features", validation=0, out=tmp_path / "frozen", **QUIET
    )
    assert set(frozen.evaluations) == {"test"}
    assert all("validation_loss" in row for row in frozen.history), "by cross-validation"
    run = lenrek.train(pictures(60, 16, 20), validation=0, out=tmp_path / "fresh", epochs=3, batch_size=16, **FAST)
    assert [row["best"] for row in run.history] == [True] * 3, "the last one is kept"
    assert "validation_loss" not in run.history[0]


def test_grey_pictures_for_a_network_of_colours(tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = lenrek.create_model("squeezenet1_1", 4)
    from safetensors.torch import save_file

    save_file(network.state_dict(), tmp_path / "weights.safetensors")
    start = f"squeezenet1_1:{tmp_path / 'weights.safetensors'}"
    for data in (pictures(40, 20, 24), class_folders(tmp_path / "data", 40)):
        run = lenrek.train(
            data, start=start, freeze="features", size=32, out=tmp_path / f"run{len(str(data))}", **QUIET
        )
        assert run.classifier.contract.channels == 3
        assert run.classifier.contract.mean == (0.485, 0.456, 0.406)
    five = np.random.default_rng(0).normal(size=(40, 20, 24, 5)).astype(np.float32).transpose(0, 3, 1, 2)
    with pytest.raises(LenrekError):
        lenrek.train((five, np.arange(40) % 2), start=start, freeze="features", out=tmp_path / "five", **QUIET)


@pytest.mark.parametrize("freeze", ["features", "none"])
def test_any_module(freeze: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(6 * 5 * 7, 9)
    )
    options = {"freeze": "features"} if freeze == "features" else {"epochs": 4, "batch_size": 16, "precision": "fp32"}
    run = lenrek.train(pictures(80, 14, 18), start=network, out=tmp_path / "run", **options, **QUIET)
    assert run.evaluation.accuracy > 0.8
    assert (network[-1].out_features, run.classifier.network[-1].out_features) == (9, 2)
    assert torch.equal(network[0].weight, run.classifier.network[0].weight) == (freeze == "features")
    with pytest.raises(CheckpointError, match="holds a Sequential, which is not one of lenrek's"):
        lenrek.load(run.path)
    again = lenrek.load(run.path, network).predict(pictures(5, 14, 18)[0])
    assert again == run.classifier.predict(pictures(5, 14, 18)[0])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"freeze": "features"}, "freeze features has no effect without a network to begin with"),
        ({"start": "RUN", "freeze": "features", "epochs": 3}, "epochs 3 has no effect where features are frozen"),
        ({"start": "RUN", "freeze": "features", "mixup": "0.2"}, "mixup 0.2 has no effect where features are frozen"),
        (
            {"start": "RUN", "freeze": "up-to layer1", "layer_decay": 0.5},
            "layer_decay 0.5 has no effect with freeze up-to",
        ),
        ({"start": "RUN", "views": 3}, "views 3 has no effect where nothing is frozen"),
        ({"start": "RUN", "freeze": "features", "views": 3}, "3 views have no effect without augmentation"),
        ({"start": "RUN", "freeze": "all"}, "freeze is 'all', but must be none, features or 'up-to LAYER'"),
        ({"start": "RUN", "freeze": "features", "balance": "sampling"}, "balance sampling has no effect on features"),
        ({"start": "RUN", "layer_decay": 1.5}, r"layer_decay is 1.5, but must be in \(0, 1\]"),
        ({"start": "RUN", "auto": True, "validation": 0}, "validation is 0"),
    ],
)
def test_what_would_have_no_effect_is_refused(
    options: dict[str, object], said: str, trained: Path, tmp_path: Path
) -> None:
    if "start" in options:
        options = options | {"start": str(trained)}
    with pytest.raises(OptionError, match=said):
        lenrek.train(pictures(60, 16, 20), out=tmp_path / "run", **options, **QUIET)
    assert not (tmp_path / "run").exists()


def test_weights_that_do_not_fit(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"does not fit this model(?s:.*)missing: (?s:.*)unexpected: "):
        lenrek.train(pictures(), start=f"lenet5:{trained / 'model.safetensors'}", **QUIET)
    with pytest.raises(OptionError, match="model lenet5 has no effect beside"):
        lenrek.train(pictures(), "lenet5", start=str(trained), **QUIET)
    signals = np.random.default_rng(0).normal(size=(40, 300)).astype(np.float32)
    with pytest.raises(LenrekError, match="1-D, but"):
        lenrek.train((signals, np.arange(40) % 2), start=str(trained), out=tmp_path / "run", **QUIET)


def test_weights_that_changed_are_not_resumed_from(trained: Path, tmp_path: Path) -> None:
    import shutil

    first = tmp_path / "first"
    shutil.copytree(trained, first)
    options = {"start": str(first), "epochs": 1, "batch_size": 16, "out": tmp_path / "run", **FAST}
    lenrek.train(pictures(60, 16, 20), **options)
    shutil.rmtree(first)
    lenrek.train(pictures(60, 16, 20), "resnet20", out=first, epochs=1, batch_size=16, **FAST)
    with pytest.raises(DataError, match="have changed since"):
        lenrek.train(pictures(60, 16, 20), resume=True, **options)
