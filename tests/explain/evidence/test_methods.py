"""The methods against what NumPy and plain autograd compute, and what they leave as it was."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import lenrek
from explain.evidence import networks
from lenrek.errors import ModelError, OptionError, ShapeError
from lenrek.explain import class_evidence, grad_cam, integrated_gradients, layer_cam, occlusion, score_cam
from lenrek.explain.evidence.methods import METHODS
from lenrek.optimization.module import optimize


def maps_and_gradient(network: nn.Module, x: Tensor, target: list[int], first: int) -> tuple[np.ndarray, np.ndarray]:
    """What the first layers of `features` return, and the gradient of each sample's score there, in float64."""
    network = network.double()
    maps = network.features[:first](x.double()).detach().requires_grad_()
    scores = network.head(network.flat(network.features[first:](maps.clone())))
    (gradient,) = torch.autograd.grad(scores[range(len(x)), target].sum(), maps)
    network.float()
    return maps.detach().numpy(), gradient.numpy()


def grad_cam_loop(maps: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    found = np.zeros((len(maps), *maps.shape[2:]))
    for b, k in product(*map(range, maps.shape[:2])):
        found[b] += gradient[b, k].mean() * maps[b, k]
    return np.maximum(found, 0)


def grad_cam_plus_plus_loop(maps: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    found = np.zeros((len(maps), *maps.shape[2:]))
    for b, k in product(*map(range, maps.shape[:2])):
        total = maps[b, k].sum()
        weight = 0.0
        for g in gradient[b, k].flatten():
            below = 2 * g**2 + total * g**3
            weight += g**2 / (below if below else 1.0) * max(g, 0.0)
        found[b] += weight * maps[b, k]
    return np.maximum(found, 0)


def layer_cam_loop(maps: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    found = np.zeros((len(maps), *maps.shape[2:]))
    for b, k in product(*map(range, maps.shape[:2])):
        found[b] += np.where(gradient[b, k] > 0, gradient[b, k], 0) * maps[b, k]
    return np.maximum(found, 0)


LOOPS = {"grad-cam": grad_cam_loop, "grad-cam++": grad_cam_plus_plus_loop, "layer-cam": layer_cam_loop}


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("method", LOOPS)
@pytest.mark.parametrize("layer", ["features.1", "features.2"])
def test_cells(ndim: int, method: str, layer: str) -> None:
    network, x, target = networks.example(ndim)
    expected = LOOPS[method](*maps_and_gradient(network, x, target, int(layer[-1]) + 1))
    found = class_evidence(network, x, method, layer, target)
    assert expected.max() > 0
    np.testing.assert_allclose(found.cells, expected, atol=1e-5 * expected.max(), rtol=1e-4)
    assert (found.method, found.layer, found.target.tolist()) == (method, layer, target)
    scores = network(x).detach()
    torch.testing.assert_close(found.score, scores[range(3), target])


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_a_cell_stands_at_the_centre_of_its_receptive_field(ndim: int) -> None:
    network, x, target = networks.example(ndim)
    found = grad_cam(network, x, "features.2", target)
    kernels, strides, paddings = (3, 5, 3)[:ndim], (2, 1, 3)[:ndim], (1, 2, 0)[:ndim]
    centres = [
        [s * p - pad + (k - 1) / 2 for p in range(n)]
        for k, s, pad, n in zip(kernels, strides, paddings, found.cells.shape[1:], strict=True)
    ]  # of the first layer: the second one pads so that its centres are the same
    assert [list(axis) for axis in found.centres] == centres
    placed = found.cells.double().numpy()
    for axis, (at, n) in enumerate(zip(centres, x.shape[2:], strict=True), start=1):
        placed = np.apply_along_axis(lambda row, at=at, n=n: np.interp(np.arange(n), at, row), axis, placed)
    np.testing.assert_allclose(found.values, placed, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("ndim", [1, 2])
def test_score_cam(ndim: int) -> None:
    network, x, target = networks.example(ndim)
    found = score_cam(network, x, "features.1", target, batch_size=4)
    maps = network.features[:2](x).detach().double().numpy()
    for b, at in enumerate(target):
        scores = []
        for channel in maps[b]:
            mask = channel
            for axis, (centres, n) in enumerate(zip(found.centres, x.shape[2:], strict=True)):
                mask = np.apply_along_axis(lambda row, c=centres, n=n: np.interp(np.arange(n), c, row), axis, mask)
            spread = mask.max() - mask.min()
            mask = (mask - mask.min()) / spread if spread else 0 * mask
            scores.append(network(x[b : b + 1] * torch.from_numpy(mask).float())[0, at].item())
        weights = np.exp(scores - np.max(scores))
        expected = np.maximum(np.tensordot(weights / weights.sum(), maps[b], 1), 0)
        np.testing.assert_allclose(found.cells[b], expected, atol=1e-4 * expected.max())


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_integrated_gradients_add_up(ndim: int) -> None:
    network, x, target = networks.example(ndim, dtype=torch.float64)
    found = integrated_gradients(network, x, target, baseline=0.5, steps=300, batch_size=37)
    change = (network(x) - network(torch.full_like(x, 0.5)))[range(3), target].detach()
    assert found.gap is not None
    assert found.values.dtype == torch.float64
    torch.testing.assert_close(found.values.flatten(1).sum(1) - found.gap, change)
    assert (found.gap.abs() < 0.001 * found.values.abs().flatten(1).sum(1)).all()
    rough = integrated_gradients(network, x, target, baseline=0.5, steps=2)
    assert rough.gap is not None
    assert rough.gap.abs().sum() > found.gap.abs().sum()


def test_integrated_gradients_of_a_square() -> None:
    """f = Σ w·x²: the gradient's mean on the way from c to x is w·(x + c), so that each value is w·(x² − c²)."""

    class Squares(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.stack([(x**2 * torch.tensor([1.0, -2.0, 3.0])).sum((1, 2)), x.sum((1, 2))], 1)

    x, start = torch.tensor([[[1.0, 2.0, -3.0]]]), torch.tensor([[0.5, 1.0, -1.0]])
    found = integrated_gradients(Squares(), x, 0, baseline=start, steps=3)
    torch.testing.assert_close(found.values, torch.tensor([[0.75, -6.0, 24.0]]))


@pytest.mark.parametrize(
    ("ndim", "window", "stride"),
    [(1, (5,), (3,)), (2, (4, 5), (3, 2)), (2, (13, 17), (1, 1)), (3, (3, 4, 5), (2, 4, 3))],
)
def test_occlusion(ndim: int, window: tuple[int, ...], stride: tuple[int, ...]) -> None:
    network, x, target = networks.example(ndim)
    found = occlusion(network, x, target, window=window, stride=stride, baseline=0.2, batch_size=5)
    size = x.shape[2:]
    counts = [len(range(0, n - w + s, s)) for n, w, s in zip(size, window, stride, strict=True)]
    assert tuple(found.cells.shape[1:]) == tuple(counts)
    for b, at in enumerate(target):
        total, times = np.zeros(size), np.zeros(size)
        for place in product(*map(range, counts)):
            box = tuple(slice(p * s, p * s + w) for p, s, w in zip(place, stride, window, strict=True))
            covered = x[b : b + 1].clone()
            covered[(slice(None), slice(None), *box)] = 0.2
            fall = (network(x[b : b + 1]) - network(covered))[0, at].item()
            assert found.cells[(b, *place)].item() == pytest.approx(fall, abs=1e-4)
            total[box] += fall
            times[box] += 1
        np.testing.assert_allclose(found.values[b], total / times, atol=1e-4)


def test_every_sample_alone_is_what_it_is_in_a_batch() -> None:
    network, x, target = networks.example(2, dtype=torch.float64)
    for method in METHODS:
        together = class_evidence(network, x, method, target=target)
        alone = [class_evidence(network, x[b : b + 1], method, target=[target[b]]).values for b in range(3)]
        torch.testing.assert_close(together.values, torch.cat(alone), atol=1e-5, rtol=1e-4)


def test_the_model_is_left_as_it_was() -> None:
    network, x, _ = networks.example(2)
    network.train()
    network.features[1].eval()
    network.head.weight.grad = torch.ones_like(network.head.weight)
    modes = [module.training for module in network.modules()]
    before, given = {name: value.clone() for name, value in network.state_dict().items()}, x.clone()
    with torch.inference_mode():
        for method in METHODS:
            class_evidence(network, x, method)
    assert [module.training for module in network.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert torch.equal(network.head.weight.grad, torch.ones_like(network.head.weight))
    assert network.features[0].weight.grad is None
    assert not any(module._forward_hooks for module in network.modules())
    assert torch.equal(x, given)
    with pytest.raises(ShapeError, match=r"grad_cam: the network does not take an input of shape \(1, 3, 13, 17\)"):
        grad_cam(network, torch.zeros(1, 3, 13, 17), "features.1")
    assert not any(module._forward_hooks for module in network.modules())
    assert [module.training for module in network.modules()] == modes


def test_bfloat16_frozen_optimised_and_classifiers() -> None:
    network, x, target = networks.example(2)
    expected = grad_cam(network, x, "features.1", target)
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    frozen = grad_cam(network, x, "features.1", target)
    torch.testing.assert_close(frozen.values, expected.values)
    fast = grad_cam(optimize(network), x, "features.1", target)
    torch.testing.assert_close(fast.values, expected.values)
    narrow = grad_cam(network.to(torch.bfloat16), x, "features.1", target)
    assert narrow.values.dtype == torch.float32
    torch.testing.assert_close(narrow.values, expected.values, atol=0.05 * expected.values.max().item(), rtol=0.1)
    made = lenrek.create_model("lenet5", num_classes=2, in_channels=1)
    made.contract = lenrek.InputContract(1, (28, 28), (0.0,), (1.0,), ("cat", "dog"))
    classifier = lenrek.Classifier(made, made.contract, "lenet5")
    assert grad_cam(classifier, torch.rand(2, 1, 28, 28), target="dog").target.tolist() == [1, 1]
    assert grad_cam(classifier, torch.rand(2, 1, 28, 28), target=["dog", "cat"]).target.tolist() == [1, 0]
    with pytest.raises(ModelError, match="grad_cam: model is a"):
        grad_cam(lambda x: x, x)
    with pytest.raises(ModelError, match="cannot be looked into"):
        grad_cam(torch.jit.trace(made.eval(), torch.rand(2, 1, 28, 28)), torch.rand(2, 1, 28, 28))


def test_layers_by_default_and_by_name() -> None:
    torch.manual_seed(0)
    for name, size, expected in (
        ("lenet5", (28, 28), "features"),
        ("resnet18_cifar", (32, 32), "layer4"),
        ("squeezenet1_1", (64, 64), "classifier.2"),
        ("m5", (2100,), "features"),
        ("lenet5", (16, 20, 24), "features"),
    ):
        model = lenrek.create_model(name, num_classes=3, in_channels=1, ndim=len(size))
        assert grad_cam(model, torch.rand(1, 1, *size)).layer == expected, name
    network, x, target = networks.example(1)
    twice = nn.Sequential(network.features, nn.Softsign(), network.features[1], network.flat, network.head)
    apart = nn.Sequential(network.features, nn.Softsign(), nn.ReLU(), network.flat, network.head)
    for name, same in (("0.1", "0.1"), ("0.1#2", "2")):
        expected = layer_cam(apart, x, same, target)
        found = layer_cam(twice, x, name, target)
        torch.testing.assert_close(found.values, expected.values)
        assert found.centres == expected.centres
    assert not torch.equal(layer_cam(twice, x, "0.1", target).cells, layer_cam(twice, x, "0.1#2", target).cells)


def test_what_is_refused() -> None:
    network, x, _ = networks.example(2)
    network.contract = lenrek.InputContract(2, (13, 17), (0.0,) * 2, (1.0,) * 2, ("cat", "dog", "elk", "fox"))
    for options, kind, expected in (
        ({"layer": "features.9"}, ModelError, "grad_cam: the network has no layer 'features.9'.\n  Hint: did you mean"),
        ({"layer": "features.1#2"}, ModelError, "grad_cam: layer 'features.1#2' did not run so often (it ran 1 times)"),
        ({"layer": "head"}, ModelError, "grad_cam: the output of layer 'head' is of shape (3, 4), expected (3, c"),
        ({"target": 4}, OptionError, "grad_cam: target is 4, but the network has 4 classes: 0 to 3 are expected."),
        ({"target": "dogg"}, OptionError, "grad_cam: target is 'dogg', but the network has no class of this name.\n"
                                          "  Hint: did you mean dog?"),
        ({"target": [0, 1]}, OptionError, "grad_cam: target has 2 classes for 3 samples, expected one for each"),
        ({"target": True}, OptionError, "grad_cam: target is True, but the network has 4 classes"),
    ):  # fmt: skip
        with pytest.raises(kind) as error:
            grad_cam(network, x, **options)
        assert str(error.value).startswith(expected)
    with pytest.raises(
        OptionError, match=r"occlusion: stride is \(3, 3\), .* from 1 to \(2, 4\): no larger than the w"
    ):
        occlusion(network, x, window=(2, 4), stride=(3, 3))
    with pytest.raises(OptionError, match=r"occlusion: window is 14, expected .* from 1 to \(13, 17\)"):
        occlusion(network, x, window=14)
    with pytest.raises(ShapeError, match=r"baseline is \(3,\), expected a number, \(2, 13, 17\) or \(3, 2, 13, 17\)"):
        integrated_gradients(network, x, baseline=torch.zeros(3))
    with pytest.raises(OptionError, match="layer 'features' has no effect on occlusion"):
        class_evidence(network, x, "occlusion", "features")
    with pytest.raises(OptionError, match="did you mean grad-cam"):
        class_evidence(network, x, "gradcam")
    with pytest.raises(ModelError, match="the network's output is of shape"):
        grad_cam(network.features, x, "0")
    whole = nn.Sequential(nn.Conv2d(2, 3, 3), nn.LayerNorm((11, 15)), nn.Flatten(), nn.Linear(495, 2))
    with pytest.raises(ModelError, match="layer '1' have no place along axis 0 of the input: each sees all of it"):
        grad_cam(whole, x, "1")
    assert grad_cam(whole, x).layer == "0"
    flat = nn.Sequential(nn.Flatten(), nn.Linear(442, 2))
    with pytest.raises(ModelError, match="no layer of Sequential has features that stand at a place"):
        grad_cam(flat, x)
    rounded = nn.Sequential(nn.Conv2d(2, 3, 3), Rounded(), nn.Flatten(), nn.Linear(495, 2))
    with pytest.raises(ModelError, match="no score of the network depends on layer '0' by a way that has a gradient"):
        grad_cam(rounded, x, "0")
    with pytest.raises(ModelError, match="scores have no gradient with respect to its input"):
        integrated_gradients(rounded, x)
    network.head.weight.data[0, 0] = torch.nan
    with pytest.raises(ModelError, match="scores are not finite"):
        grad_cam(network, x)


class Rounded(nn.Module):
    """A part without a gradient."""

    def forward(self, x: Tensor) -> Tensor:
        return x.detach().round()
