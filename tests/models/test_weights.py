import os

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from lenrek.errors import CheckpointError
from lenrek.models.create import create_model
from lenrek.models.tensor_file import write_tensors
from lenrek.models.weights import load_weights, read_weights


def small_model() -> nn.Module:
    return nn.Sequential(nn.Conv2d(2, 3, (4, 5)), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(6, 7))


@pytest.fixture
def filled() -> nn.Module:
    torch.manual_seed(0)
    model = small_model()
    for tensor in model.state_dict().values():
        tensor.copy_(torch.randint(1, 50, tensor.shape))
    return model


@pytest.fixture
def model() -> nn.Module:
    return small_model()


def check_equal(model: nn.Module, expected: nn.Module) -> None:
    for (key, ours), theirs in zip(model.state_dict().items(), expected.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs), key


def refusal(model, path) -> str:
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    with pytest.raises(CheckpointError) as caught:
        load_weights(model, path)
    assert all(torch.equal(before[key], tensor) for key, tensor in model.state_dict().items())
    assert str(caught.value).startswith(str(path))
    return str(caught.value).removeprefix(f"{path} ")


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".pth"])
@pytest.mark.parametrize("prefix", ["", "module."])
def test_weights_come_back(tmp_path, filled, model, suffix, prefix):
    path = tmp_path / f"weights{suffix}"
    tensors = {prefix + key: tensor for key, tensor in filled.state_dict().items()}
    if suffix == ".safetensors":
        write_tensors(path, tensors, {})
    else:
        torch.save(tensors, path)
    load_weights(model, path)
    check_equal(model, filled)


def test_the_state_dict_of_a_training_checkpoint_is_taken(tmp_path, filled, model):
    torch.save({"epoch": 3, "state_dict": filled.state_dict()}, tmp_path / "last.pth")
    load_weights(model, tmp_path / "last.pth")
    check_equal(model, filled)


def test_half_precision_becomes_the_precision_of_the_model(tmp_path, filled, model):
    halved = {key: t.half() if t.is_floating_point() else t for key, t in filled.state_dict().items()}
    save_file(halved, tmp_path / "half.safetensors")
    load_weights(model, tmp_path / "half.safetensors")
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    check_equal(model, filled)


def test_counters_of_batch_norm_may_be_missing_and_nothing_else(tmp_path, filled, model):
    tensors = dict(filled.state_dict())
    del tensors["1.num_batches_tracked"]
    save_file(tensors, tmp_path / "old.safetensors")
    load_weights(model, tmp_path / "old.safetensors")
    assert torch.equal(model[1].running_var, filled[1].running_var)
    del tensors["1.running_var"]
    save_file(tensors, tmp_path / "old.safetensors")
    assert refusal(model, tmp_path / "old.safetensors") == (
        "does not fit this model of 9 keys: 1 missing.\n"
        "  missing: 1.running_var (3,)\n"
        "  Hint: these are the weights of another architecture."
    )


def test_public_weights_in_half_precision_equal_the_file(real_weights):
    path = real_weights / "squeezenet1_1-imagenet.safetensors"
    network = create_model("squeezenet1_1")
    load_weights(network, path)
    for key, tensor in load_file(path).items():
        assert tensor.dtype == torch.float16
        assert torch.equal(network.state_dict()[key], tensor.float())


def test_every_difference_is_listed(tmp_path, filled, model):
    tensors = dict(filled.state_dict())
    tensors["0.filters"] = tensors.pop("0.weight")
    tensors["3.weight"] = torch.zeros(7, 8)
    tensors["1.running_mean"] = torch.zeros(3, dtype=torch.int8)
    save_file(tensors, tmp_path / "other.safetensors", {"architecture": "somenet"})
    assert refusal(model, tmp_path / "other.safetensors") == (
        "does not fit this model of 9 keys: 1 missing, 1 unexpected, 2 misfit.\n"
        "  missing: 0.weight (3, 2, 4, 5)\n"
        "  unexpected: 0.filters (3, 2, 4, 5)\n"
        "  misfit: 1.running_mean is (3,) int8, the model has (3,)\n"
        "  misfit: 3.weight is (7, 8), the model has (7, 6)\n"
        "  Hint: these are the weights of another architecture; the file says 'somenet'."
    )


def test_long_lists_end_in_a_count(tmp_path, model):
    write_tensors(tmp_path / "many.safetensors", {f"layer{i:02}": torch.zeros(i) for i in range(13)}, {})
    lines = refusal(model, tmp_path / "many.safetensors").split("\n")
    assert lines[0] == "does not fit this model of 9 keys: 8 missing, 13 unexpected."
    assert lines[9:] == [
        *(f"  unexpected: layer{i:02} ({i},)" for i in range(10)),
        "  unexpected: and 3 more",
        "  Hint: these are the weights of another architecture.",
    ]


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        ({"num_classes": 7}, "the file has 4 outputs, the model 7: pass num_classes=4."),
        ({"in_channels": 1}, "the file is for 2 input channels, the model for 1: pass in_channels=2."),
        ({"ndim": 1}, "the file is for ndim=2, the model for ndim=1."),
        ({"num_classes": 7, "in_channels": 1}, "these are the weights of another variant of this architecture."),
    ],
)
def test_the_hint_says_what_to_ask_for(tmp_path, asked, hint):
    made = {"num_classes": 4, "in_channels": 2, "ndim": 2}
    write_tensors(tmp_path / "w.safetensors", create_model("resnet20", **made).state_dict(), {})
    assert refusal(create_model("resnet20", **{**made, **asked}), tmp_path / "w.safetensors").endswith(
        f"  Hint: {hint}"
    )


@pytest.mark.parametrize("layer", [lambda n: nn.Linear(n, 2), lambda n: nn.Sequential(*[nn.Conv1d(n, 2, 3)] * 2)])
def test_other_widths_are_not_taken_for_input_channels(tmp_path, layer):
    write_tensors(tmp_path / "w.safetensors", layer(5).state_dict(), {})
    assert refusal(layer(3), tmp_path / "w.safetensors").endswith("another variant of this architecture.")


class Harmful:
    def __reduce__(self):
        return os.system, ("exit 1",)


def test_files_that_execute_are_refused(tmp_path, model, monkeypatch):
    torch.save({"0.weight": Harmful()}, tmp_path / "harmful.pth")
    ran = []
    monkeypatch.setattr(os, "system", ran.append)
    assert refusal(model, tmp_path / "harmful.pth") == (
        "was not opened: it holds more than tensors, and would run posix.system.\n"
        "  Hint: where you trust it, load it with PyTorch and save model.state_dict() alone."
    )
    torch.save(model, tmp_path / "whole.pth")
    assert "would run torch.nn.modules.container.Sequential" in refusal(model, tmp_path / "whole.pth")
    assert ran == []


def test_damaged_pickles_are_named(tmp_path, filled, model):
    path = tmp_path / "weights.pth"
    assert refusal(model, path) == "cannot be read: No such file or directory."
    torch.save(filled.state_dict(), path)
    whole = path.read_bytes()
    for size_bytes in range(0, len(whole), 97):
        path.write_bytes(whole[:size_bytes])
        assert refusal(model, path) == "is cut short or damaged, or is no PyTorch file."
    path.write_text("these are not weights")
    assert refusal(model, path) == "is cut short or damaged, or is no PyTorch file."
    torch.save([torch.ones(1)], path)
    assert refusal(model, path) == "does not hold a state dict: names and their tensors."


def test_a_pickle_under_another_name_is_called_one(tmp_path, filled, model):
    torch.save(filled.state_dict(), tmp_path / "weights.safetensors")
    assert refusal(model, tmp_path / "weights.safetensors") == (
        "is a pickle (a PyTorch .pt or .pth file), not a safetensors file."
    )


def test_metadata_are_those_of_the_file(tmp_path, filled):
    write_tensors(tmp_path / "w.safetensors", filled.state_dict(), {"architecture": "small"})
    assert read_weights(tmp_path / "w.safetensors")[1] == {"architecture": "small"}
    torch.save(filled.state_dict(), tmp_path / "w.pt")
    assert read_weights(tmp_path / "w.pt")[1] == {}
