"""A network in two parts, which one after the other are the whole."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import dropout

import lenrek
from lenrek.errors import ModelError
from lenrek.training.transfer.cut import cut_after, cut_before


@pytest.mark.parametrize(
    ("name", "layer", "first_of_rest"),
    [
        ("squeezenet1_1", "features.9", "features.10.squeeze.weight"),
        ("resnet18", "layer3", "layer4.0.conv1.weight"),
        ("resnet18", "layer3.1.relu", "layer4.0.conv1.weight"),
        ("mobilenet_v2", "features.17.conv.2", "features.17.conv.3.weight"),
    ],
)
def test_both_parts_are_the_whole(name: str, layer: str, first_of_rest: str) -> None:
    torch.manual_seed(0)
    network = lenrek.create_model(name, 5).eval()
    x = torch.randn(2, 3, 49, 65)
    cut = cut_after(network, layer)
    torch.testing.assert_close(cut.rest(cut.body(x)), network(x), rtol=0, atol=0)
    assert next(iter(cut.rest.state_dict())) == first_of_rest
    names = {*cut.body.state_dict()} | {*cut.rest.state_dict()}
    assert names == set(network.state_dict())
    assert not {*cut.body.state_dict()} & {*cut.rest.state_dict()}
    assert cut.rest.get_parameter(first_of_rest) is network.get_parameter(first_of_rest)


def test_before_the_head() -> None:
    torch.manual_seed(0)
    network = lenrek.create_model("resnet18", 5).eval()
    cut = cut_before(network, "fc")
    assert list(cut.rest.state_dict()) == ["fc.weight", "fc.bias"]
    assert cut.body(torch.randn(3, 3, 33, 47)).shape == (3, 512)


class Functional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(3, 4), nn.Linear(4, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(dropout(self.first(x), 0.5, self.training))


def test_where_it_cannot_be_cut() -> None:
    network = lenrek.create_model("resnet18", 5)
    with pytest.raises(ModelError, match=r"what comes after layer3\.0\.conv1 also needs layer2_1_relu_1"):
        cut_after(network, "layer3.0.conv1")
    with pytest.raises(ModelError, match=r"no layer 'layer9'(?s:.*)did you mean layer"):
        cut_after(network, "layer9")
    with pytest.raises(ModelError, match="other operators in training"):
        cut_after(Functional(), "first")
