"""A new last layer: where it goes, what it reads, and that a file remembers it."""

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import lenrek
from lenrek.errors import ModelError
from lenrek.models.head import AvgMaxPool, PooledLinear, find_head, renew_head
from lenrek.models.model_file import load_model, save_model


def pooled(x: Tensor) -> Tensor:
    """Mean and maximum of every channel, each half divided by its root mean square."""
    halves = x.flatten(2).mean(2), x.flatten(2).amax(2)
    return torch.cat([half / half.square().mean(1, keepdim=True).sqrt() for half in halves], 1)


def test_mean_and_maximum_of_every_channel() -> None:
    x = torch.tensor([[[[1.0, 5.0], [2.0, 0.0]], [[-4.0, -1.0], [-2.0, -1.0]]]])
    mean, most = 2.0, 13**0.5
    torch.testing.assert_close(AvgMaxPool()(x), torch.tensor([[2 / mean, -2 / mean, 5 / most, -1 / most]]))
    assert AvgMaxPool()(torch.zeros(1, 2, 3)).tolist() == [[0.0] * 4]


@pytest.mark.parametrize(
    ("name", "shape", "head", "features"),
    [
        ("squeezenet1_1", (3, 41, 47), "classifier.1.linear", 1024),
        ("resnet18", (3, 33, 37), "fc", 1024),
        ("vgg11", (3, 32, 35), "classifier.6", 4096),
        ("lenet5", (1, 28, 28), "classifier.5", 84),
        ("m5", (1, 1030), "fc", 1024),
    ],
)
def test_only_the_last_layer_is_new(
    name: str, shape: tuple[int, ...], head: str, features: int, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    network = lenrek.create_model(name, 7, shape[0], len(shape) - 1)
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    found = renew_head(network, 3, shape)
    assert (found.name, found.features) == (head, features)
    after = network.state_dict()
    new = {f"{head}.weight", f"{head}.bias"}
    assert new <= set(after)
    assert all(torch.equal(after[key], before[key]) for key in set(after) - new)
    x = torch.randn(2, *shape)
    network.eval()
    assert network(x).tolist() == [[0.0] * 3] * 2
    nn.init.normal_(network.get_submodule(head).weight)
    network.contract = lenrek.InputContract(shape[0], shape[1:], (0.0,) * shape[0], (1.0,) * shape[0], ("a", "b", "c"))
    save_model(tmp_path / "model.safetensors", network, name, network.contract, {})
    again, _ = load_model(tmp_path / "model.safetensors")
    assert torch.equal(again(x), network(x))
    assert (again(x) < 0).any(), "an activation behind the head hides negative scores"


def test_pooled_linear_is_a_layer_on_mean_and_maximum() -> None:
    torch.manual_seed(1)
    layer, x = PooledLinear(6, 2, ndim=3), torch.randn(4, 3, 2, 3, 5)
    nn.init.normal_(layer.linear.weight)
    torch.testing.assert_close(layer(x)[..., 0, 0, 0], pooled(x) @ layer.linear.weight.T)


def test_a_head_renewed_twice_keeps_what_the_first_made() -> None:
    network = lenrek.create_model("resnet18", 7)
    first = renew_head(network, 3, (3, 33, 33))
    assert renew_head(network, 4, (3, 33, 33)) == first
    assert network(torch.randn(2, 3, 33, 33)).shape == (2, 4)


class Doubled(nn.Module):
    """Scores that are not what the last layer computes alone."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(6, 2)

    def forward(self, x: Tensor) -> Tensor:
        scores = self.layer(x.flatten(1))
        return torch.cat([scores, -scores], 1)


def test_what_has_no_head_is_refused() -> None:
    with pytest.raises(ModelError, match=r"output is \(1, 6\), expected \(1, 3\)"):
        renew_head(Doubled(), 3, (2, 3))
    with pytest.raises(ModelError, match="a single layer"):
        renew_head(nn.Linear(3, 2), 3, (3,))
    with pytest.raises(ModelError, match=r"last layer to run is 1 \(BatchNorm1d\)"):
        find_head(nn.Sequential(nn.Flatten(), nn.BatchNorm1d(6)), (2, 3))
    with pytest.raises(ModelError, match=r"output is \(1, 4, 3\), expected \(batch, classes\)"):
        find_head(nn.Conv1d(2, 4, 1), (2, 3))
