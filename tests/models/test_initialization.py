import pytest
import torch
from torch import nn

from lenrek.models.initialization import initialize_he


@pytest.mark.parametrize(
    ("convolution", "fan_out"),
    [
        (nn.Conv1d(24, 96, 7), 96 * 7),
        (nn.Conv2d(8, 60, (3, 5)), 60 * 3 * 5),
        (nn.Conv3d(12, 48, (1, 2, 3), groups=4), 12 * 1 * 2 * 3),
        (nn.Conv2d(400, 400, 3, groups=400), 1 * 3 * 3),
    ],
)
def test_variance_is_two_over_what_one_sample_reaches(convolution, fan_out):
    torch.manual_seed(0)
    initialize_he(convolution)
    # 3,456 weights and more: a standard deviation is known to 1 / √(2 · 3456) = 1.2 %, so 5 % is four of them.
    assert convolution.weight.std().item() == pytest.approx((2 / fan_out) ** 0.5, rel=0.05)
    assert not convolution.bias.any()


def test_other_layers_keep_their_weights():
    network = nn.Sequential(nn.Conv2d(2, 3, 3, bias=False), nn.BatchNorm2d(3), nn.Linear(3, 4))
    before = network[2].weight.clone()
    initialize_he(network)
    assert torch.equal(network[2].weight, before)
    assert torch.equal(network[1].weight, torch.ones(3))
