"""A trained network by one line of text; the hub's files come from its own cache."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import lenrek
from lenrek.errors import CheckpointError, ModelError
from lenrek.models.hub import TIMM
from lenrek.models.pretrained import load_pretrained

constants = pytest.importorskip("huggingface_hub.constants", reason="huggingface_hub is not installed")
COMMIT = "1234567890123456789012345678901234567890"


def cached_repository(cache: Path, name: str, config: dict[str, object], tensors: dict[str, torch.Tensor]) -> None:
    """Files as the hub's library keeps them."""
    folder = cache / f"models--{name.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(COMMIT)
    snapshot = folder / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text(json.dumps(config))
    save_file(tensors, snapshot / "model.safetensors")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return tmp_path


CONFIG = {
    "num_classes": 5,
    "pretrained_cfg": {
        "input_size": [3, 64, 72], "mean": [0.5, 0.4, 0.3], "std": [0.25, 0.2, 0.1], "crop_pct": 0.95,
        "label_names": ["ant", "bee", "cat", "dog", "elk"],
    },
}  # fmt: skip


def test_a_resnet_of_timm(cache: Path) -> None:
    network = lenrek.create_model("resnet18", 5)
    cached_repository(cache, "timm/small", CONFIG | {"architecture": "resnet18"}, network.state_dict())
    loaded = load_pretrained("hub:timm/small")
    contract = loaded.contract
    assert (contract.size, contract.mean, contract.std) == ((64, 72), (0.5, 0.4, 0.3), (0.25, 0.2, 0.1))
    assert (contract.fit, contract.crop_fraction, contract.classes[1]) == ("crop", 0.95, "bee")
    assert torch.equal(loaded.fc.weight, network.fc.weight)


def test_timms_names_become_ours() -> None:
    """Names as timm 1.0.20 has them, of every sort of layer."""
    renamed = TIMM["mobilenetv2_100"][1]
    kernel = torch.zeros(1)
    theirs = (
        "conv_stem.weight", "bn1.bias", "blocks.0.0.conv_dw.weight", "blocks.0.0.bn2.running_mean",
        "blocks.1.1.conv_pw.weight", "blocks.4.2.bn3.bias", "blocks.6.0.conv_pwl.weight", "conv_head.weight",
        "classifier.bias",
    )  # fmt: skip
    ours = (
        "features.0.0.weight", "features.0.1.bias", "features.1.conv.0.0.weight", "features.1.conv.2.running_mean",
        "features.3.conv.0.0.weight", "features.13.conv.3.bias", "features.17.conv.2.weight", "features.18.0.weight",
        "classifier.1.bias",
    )  # fmt: skip
    assert tuple(renamed(dict.fromkeys(theirs, kernel))) == ours
    assert set(ours) <= set(lenrek.create_model("mobilenet_v2").state_dict())
    vgg = TIMM["vgg11"][1]({"pre_logits.fc1.weight": torch.arange(24.0).reshape(2, 3, 2, 2), "head.fc.bias": kernel})
    assert vgg["classifier.0.weight"].tolist() == [list(range(12)), list(range(12, 24))]
    assert list(vgg) == ["classifier.0.weight", "classifier.6.bias"]


def test_what_the_hub_cannot_give(cache: Path) -> None:
    cached_repository(cache, "some/one", CONFIG | {"architecture": "swin"}, {"weight": torch.zeros(2)})
    with pytest.raises(CheckpointError, match=r"hub:some/one holds a swin, but only these are read: mobilenetv2_100"):
        load_pretrained("hub:some/one")
    with pytest.raises(CheckpointError, match=r"config.json is not in the cache, and the hub cannot be reached"):
        load_pretrained("hub:nobody/nothing")
    with pytest.raises(CheckpointError, match="expected OWNER/NAME"):
        load_pretrained("hub:a/b/c")


def test_names_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no architecture 'resnet19'"):
        load_pretrained("resnet19:weights.safetensors")
    with pytest.raises(ModelError, match=r"lenet5 is an architecture without weights(?s:.*)lenet5:FILE(?s:.*) comes"):
        load_pretrained("lenet5")
    with pytest.raises(CheckpointError, match="there is no"):
        load_pretrained(tmp_path / "nothing")
    weights = tmp_path / "weights.safetensors"
    save_file(lenrek.create_model("lenet5", 4, 1).state_dict(), weights)
    assert len(load_pretrained(f"lenet5:{weights}").contract.classes) == 4
    with pytest.raises(CheckpointError, match=r"missing: conv1(?s:.*)these are the weights of another architecture"):
        load_pretrained(f"resnet18:{weights}")
