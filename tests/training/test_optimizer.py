"""Decay touches kernels and matrices only; the running average follows its formula."""

import copy

import torch
from torch import nn

from lenrek.training.config import TrainConfig
from lenrek.training.ema import AveragedWeights
from lenrek.training.optimizer import make_optimizer


def network() -> nn.Sequential:
    torch.manual_seed(3)
    return nn.Sequential(nn.Conv2d(2, 3, (3, 5)), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(3, 4))


def test_only_kernels_and_matrices_shrink() -> None:
    for name in ("adamw", "sgd"):
        net = network()
        before = copy.deepcopy(net.state_dict())
        optimizer = make_optimizer(net, TrainConfig("d", optimizer=name, learning_rate=0.5, weight_decay=0.1))
        for p in net.parameters():
            p.grad = torch.zeros_like(p)
        optimizer.step()
        for key, value in net.named_parameters():
            if key in ("0.weight", "3.weight"):
                # SGD's Nesterov step repeats the decay through the momentum buffer: 1 + 0.9 times
                shrunk = before[key] * (1 - 0.5 * 0.1 * (1.9 if name == "sgd" else 1))
                torch.testing.assert_close(value.data, shrunk)
            else:
                assert torch.equal(value, before[key]), (name, key)


def test_frozen_parameters_are_left_out() -> None:
    net = network()
    net[0].requires_grad_(False)
    groups = make_optimizer(net, TrainConfig("d")).param_groups
    assert [[tuple(p.shape) for p in group["params"]] for group in groups] == [[(4, 3)], [(3,), (3,), (4,)]]


def test_running_average() -> None:
    net = network()
    average = AveragedWeights(net, 0.7)
    expected = net[0].weight.detach().double().clone()
    for step in range(20):
        with torch.no_grad():
            net[0].weight.add_(0.1 * (step + 1))
        net[1].num_batches_tracked.add_(1)
        average.update(net, step)
        decay = min(0.7, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * net[0].weight.detach().double()
    torch.testing.assert_close(average.network[0].weight.double(), expected, rtol=1e-5, atol=1e-6)
    assert average.network[1].num_batches_tracked.item() == 20
    assert not average.network[0].weight.requires_grad
