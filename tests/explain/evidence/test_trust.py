"""Deletion and insertion against a loop, and the check with random weights."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from explain.evidence import networks
from lenrek.errors import ModelError, OptionError, ShapeError
from lenrek.explain import deletion_insertion, integrated_gradients, occlusion, randomization_check
from lenrek.explain.evidence.blur import blurred
from lenrek.explain.evidence.faithfulness import compare_orders
from lenrek.explain.evidence.randomization import RandomizationCheck, compare_randomised, spearman


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_curves_and_areas(ndim: int) -> None:
    network, x, target = networks.example(ndim)
    evidence = integrated_gradients(network, x, target)
    start = torch.randn(x.shape, generator=torch.Generator().manual_seed(5))
    found = deletion_insertion(network, x, evidence, steps=7, baseline=0.3, start=start, batch_size=3)
    positions = x[0, 0].numel()
    for b, at in enumerate(target):
        order = np.argsort(-evidence.values[b].flatten().numpy(), kind="stable")
        deletion, insertion = [], []
        for step in range(8):
            chosen = torch.zeros(positions, dtype=torch.bool)
            chosen[order[: step * positions // 7]] = True
            chosen = chosen.reshape(x.shape[2:])
            for given, other, curve in ((x[b], torch.full_like(x[b], 0.3), deletion), (start[b], x[b], insertion)):
                mixed = torch.where(chosen, other, given)
                curve.append(network(mixed[None]).softmax(1)[0, at].item())
        np.testing.assert_allclose(found.deletion[b], deletion, atol=1e-5)
        np.testing.assert_allclose(found.insertion[b], insertion, atol=1e-5)
        assert found.deletion_auc[b].item() == pytest.approx(np.trapezoid(deletion, dx=1 / 7), abs=1e-5)
    assert (found.deletion_auc < found.random_deletion_auc).all()
    assert (found.insertion_auc > found.random_insertion_auc).all()
    assert found.random_deletion[:, 0].tolist() == found.deletion[:, 0].tolist()
    json.dumps(found.to_dict(), allow_nan=False)


def test_equal_values_go_in_random_order() -> None:
    """A map without values is a random order, not one from corner to corner."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(100, 2, bias=False))
    network[1].weight.data = torch.zeros(2, 100)
    network[1].weight.data[0, :50] = 0.1
    x = torch.ones(1, 1, 100)
    blind = occlusion(network, x, 0, window=1)
    object.__setattr__(blind, "values", torch.zeros(1, 100))
    found = deletion_insertion(network, x, blind, steps=2)
    score = float(torch.special.logit(found.deletion[0, 1].double()))  # half of the positions are gone
    assert 1.5 < score < 3.5  # from corner to corner it would be 0


def test_several_maps_at_once_are_told_what_each_is_told_alone() -> None:
    network, x, target = networks.example(2)
    maps = [integrated_gradients(network, x, target), occlusion(network, x, target)]
    together = compare_orders(network, x, maps, steps=5, random_orders=2, seed=3)
    for one, found in zip(maps, together, strict=True):
        assert found.to_dict() == deletion_insertion(network, x, one, steps=5, random_orders=2, seed=3).to_dict()
    assert together[0].deletion.tolist() != together[1].deletion.tolist()
    for one, checked in zip(maps, compare_randomised(network, x, maps, stages=2), strict=True):
        alone = randomization_check(network, x, one.method, target=target, stages=2)
        assert (checked.method, checked.layers) == (one.method, alone.layers)
        torch.testing.assert_close(checked.correlation, alone.correlation, rtol=0, atol=1e-4)


def test_a_blur_keeps_what_is_constant_and_spreads_a_point() -> None:
    x = torch.zeros(1, 1, 41, 449)
    x[0, 0, 20, 224] = 1
    found = blurred(x)[0, 0].double()
    assert found.sum().item() == pytest.approx(1, abs=0.03)
    for axis, sd in ((0, 3.0), (1, 449 * 5 / 224)):
        profile, places = found.sum(1 - axis), torch.arange(found.shape[axis])
        centre = (20, 224)[axis]
        spread = ((profile * (places - centre) ** 2).sum() / profile.sum()).sqrt().item()
        assert spread == pytest.approx(sd, rel=0.03)  # cut at three standard deviations
    torch.testing.assert_close(blurred(torch.full((1, 2, 9), 0.7)), torch.full((1, 2, 9), 0.7))


def test_ranks_as_scipy_has_them(rng: np.random.Generator) -> None:
    for shape in ((50,), (7, 9)):
        one, other = rng.integers(0, 9, shape).astype(float), rng.normal(size=shape)
        expected = spearmanr(one.flatten(), other.flatten()).statistic
        assert spearman(torch.from_numpy(one), torch.from_numpy(other)) == pytest.approx(expected)
    assert np.isnan(spearman(torch.zeros(4), torch.arange(4.0)))


def test_weights_become_random_from_the_last_layer_on() -> None:
    network, x, target = networks.example(2)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    found = randomization_check(network, x, "grad-cam", "features.1", target)
    assert found.layers == ("head", "features.2", "features.0")
    assert found.correlation.shape == (3, 3)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    again = randomization_check(network, x, "grad-cam", "features.1", target)
    assert torch.equal(found.correlation, again.correlation)
    other = randomization_check(network, x, "grad-cam", "features.1", target, seed=1)
    assert not torch.equal(found.correlation, other.correlation)
    few = randomization_check(network, x, "occlusion", target=target, stages=1)
    assert few.layers == ("features.0",)
    assert few.layer == ""
    json.dumps(found.to_dict(), allow_nan=False)


def test_a_map_of_the_input_alone_does_not_pass() -> None:
    """The weights of the head are all that is random, and the map does not depend on them: features times input."""

    class Brightness(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.gain = nn.Parameter(torch.tensor([1.0, 1.2]))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.flatten(1).sum(1)[:, None] * self.gain.abs()

    x = torch.rand(2, 1, 6, 7)
    found = randomization_check(Brightness(), x, "integrated-gradients")
    assert found.final == pytest.approx(1)
    assert "hardly what was learned; do not trust it" in found.verdict
    noise = RandomizationCheck("occlusion", "", ("0",), torch.tensor([[0.1, -0.2]]))
    assert noise.verdict.endswith("correlates 0.15 with that of the trained network: it depends on what was learned")
    nothing = RandomizationCheck("grad-cam", "0", ("0",), torch.tensor([[torch.nan]]))
    assert "nothing is left of the map" in nothing.verdict
    assert nothing.to_dict()["final"] is None


def test_what_is_refused() -> None:
    network, x, target = networks.example(1)
    evidence = occlusion(network, x, target)
    with pytest.raises(OptionError, match=r"evidence is of \(3, 29\) = \(batch, \*size\), but x is \(2, 2, 29\)"):
        deletion_insertion(network, x[:2], evidence)
    with pytest.raises(OptionError, match="steps is 30, but the input has 29 positions"):
        deletion_insertion(network, x, evidence, steps=30)
    with pytest.raises(OptionError, match="random_orders is 0, expected a whole number of at least 1"):
        deletion_insertion(network, x, evidence, random_orders=0)
    with pytest.raises(ShapeError, match=r"deletion_insertion: start is \(5,\), expected a number"):
        deletion_insertion(network, x, evidence, steps=5, start=torch.zeros(5))
    other = occlusion(network, x, 0)
    with pytest.raises(OptionError, match=r"evidence is for the classes \[0, 0, 0\] and \[.*\], expected the same"):
        compare_orders(network, x, [evidence, other], steps=5)
    with pytest.raises(ModelError, match="has no parameters that could be random"):
        randomization_check(nn.Flatten(), x)
