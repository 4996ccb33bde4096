import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from lenrek.errors import CheckpointError, ModelError
from lenrek.models import create_model, describe_models, list_models
from lenrek.models.contract import InputContract
from lenrek.models.tensor_file import write_tensors

EXPECTED = [
    "alexnet", "aspp", "dilated_context", "dilated_context_large", "lenet5", "lenet5_1998", "m5", "mobilenet_v2",
    "resnet18", "resnet18_cifar", "resnet20", "resnet32", "resnet34", "resnet44", "resnet50", "resnet56",
    "resnet9", "resnet9_small",
    "squeezenet1_1", "tcn", "vgg11", "vgg11_bn", "vgg13", "vgg13_bn", "vgg16", "vgg16_bn", "vgg19", "vgg19_bn",
]  # fmt: skip


def test_every_architecture_is_listed_once_and_sorted():
    assert list_models() == EXPECTED


def test_every_file_of_an_architecture_is_loaded():
    folder = Path(__file__).parents[2] / "src/lenrek/models"
    registering = {path.stem for path in folder.glob("*.py") if re.search(r"^ *@?register\(", path.read_text(), re.M)}
    assert {"lenet5", "vgg"} <= registering  # as a decorator, and in a loop
    import_lines = (folder / "create.py").read_text().split("from lenrek.models import (")[1].split(")\nfrom")[0]
    assert {name for name in registering if f"    {name},\n" not in import_lines} == set()


def test_rows_describe_every_architecture():
    rows = describe_models()
    assert [row["name"] for row in rows] == EXPECTED
    assert json.loads(json.dumps(rows)) == rows
    assert rows[EXPECTED.index("resnet20")] == {
        "name": "resnet20",
        "ndims": [1, 2, 3],
        "min_size": 1,
        "default_size": 32,
        "parameters": 269_722,
        "source": "He et al. 2015, Deep Residual Learning for Image Recognition, arXiv:1512.03385, §4.2",
    }


@pytest.mark.parametrize("name", [name for name in EXPECTED if "vgg" not in name and "alexnet" not in name])
def test_every_small_architecture_is_made_with_its_contract(name):
    network = create_model(name, num_classes=6, in_channels=2)
    assert network.architecture == name
    contract = network.contract
    assert contract.channels == 2
    assert len(contract.size) == (1 if name in ("tcn", "m5") else 2)
    assert contract.classes == ("0", "1", "2", "3", "4", "5")
    assert (contract.mean, contract.std) == ((0, 0), (1, 1))
    size = (
        contract.size if max(contract.size) <= 32 else [max(n // 7, 1100 if n == 8000 else 32) for n in contract.size]
    )
    assert network(torch.zeros(2, 2, *size)).shape == (2, 6)


def test_defaults_are_imagenet_s():
    network = create_model("squeezenet1_1")
    assert network.classifier[1].weight.shape == (1000, 512, 1, 1)
    assert network.features[0].weight.shape == (64, 3, 3, 3)
    assert network.contract.mean == (0, 0, 0)  # fresh weights expect no published input


def test_other_dimensions_are_made():
    network = create_model("lenet5", 4, 1, ndim=3)
    assert network.contract.size == (28, 28, 28)
    assert network(torch.zeros(1, 1, 12, 13, 14)).shape == (1, 4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("lenet",), "there is no architecture 'lenet'.\n  Hint: Did you mean lenet5, alexnet, resnet9?"),
        (("transformer9000",), "there is no architecture 'transformer9000'.\n  Hint: lenrek models lists them all."),
        (("lenet5", 0), "num_classes must be at least 1, but is 0."),
        (("lenet5", 10, -3), "in_channels must be at least 1, but is -3."),
        (("lenet5", 10, 3, 4), "lenet5 is for 1-D or 2-D or 3-D, but ndim=4 was asked for."),
        (("lenet5_1998", 10, 1, 1), "lenet5_1998 is for 2-D, but ndim=1 was asked for."),
    ],
)
def test_impossible_networks_are_refused(arguments, message):
    with pytest.raises(ModelError) as caught:
        create_model(*arguments)
    assert str(caught.value) == f"create_model: {message}"


def test_a_public_checkpoint_brings_its_classes_and_input(real_weights):
    contract = create_model("squeezenet1_1", weights=real_weights / "squeezenet1_1-imagenet.safetensors").contract
    assert (len(contract.classes), contract.classes[0], contract.classes[985]) == (1000, "tench", "daisy")
    assert contract.crop_fraction == 227 / 256


def test_outputs_are_counted_in_the_file(real_weights):
    network = create_model("resnet20", weights=real_weights / "resnet20-cifar10.safetensors")
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    assert network.contract == InputContract(3, (32, 32), mean, std, tuple("0123456789"), "stretch")
    assert network.linear.bias.shape == (10,)


@pytest.mark.parametrize(
    "name", ["lenet5_1998", "squeezenet1_1", "mobilenet_v2", "tcn", "aspp", "dilated_context", "m5"]
)
def test_outputs_are_counted_for_every_kind_of_head(tmp_path, name):
    torch.manual_seed(0)
    made = create_model(name, 11, 3)
    write_tensors(tmp_path / "w.safetensors", made.state_dict(), {})
    loaded = create_model(name, weights=tmp_path / "w.safetensors")
    assert len(loaded.contract.classes) == 11
    for key, tensor in made.state_dict().items():
        assert torch.equal(loaded.state_dict()[key], tensor)


def test_a_model_saved_with_its_contract_needs_no_arguments(tmp_path):
    contract = InputContract(2, (30, 41, 28), (0.1, 0.2), (0.3, 0.4), ("left", "right", "up"), "pad")
    made = create_model("lenet5", 3, 2, ndim=3)
    header = json.dumps({"architecture": "lenet5", "contract": contract.to_json()})
    write_tensors(tmp_path / "model.safetensors", made.state_dict(), {"lenrek": header})
    loaded = create_model("lenet5", weights=tmp_path / "model.safetensors")
    assert loaded.contract == contract
    assert torch.equal(loaded.features[0].weight, made.features[0].weight)


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ('["cat", "dog"]', " names 2 classes, but its weights have 3 outputs."),
        ("cat, dog, cow", ": its metadata 'classes' is not a JSON list of names: "),
    ],
)
def test_classes_that_contradict_the_weights_are_refused(tmp_path, classes, message):
    path = tmp_path / "w.safetensors"
    write_tensors(path, create_model("lenet5", 3).state_dict(), {"classes": classes})
    with pytest.raises(CheckpointError) as caught:
        create_model("lenet5", weights=path)
    assert str(caught.value).startswith(f"{path}{message}")


def test_the_contract_and_the_registry_need_no_torch():
    code = "import sys, lenrek.models.contract, lenrek.models.registry; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
