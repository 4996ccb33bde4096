"""FGSM, PGD and the accuracy left, against NumPy and against what must hold."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from explain.evidence import networks
from lenrek.errors import OptionError, ShapeError
from lenrek.explain import fgsm, pgd, robustness
from lenrek.models.contract import InputContract

MEAN, STD = (0.3, 0.6), (0.2, 0.5)


def contract(ndim: int, full_scale: int = 255) -> InputContract:
    return InputContract(2, networks.SIZES[ndim], MEAN, STD, ("a", "b", "c", "d"), full_scale=full_scale)


def own_units(x: torch.Tensor) -> np.ndarray:
    shape = (1, 2, *[1] * (x.ndim - 2))
    return x.double().numpy() * np.reshape(STD, shape) + np.reshape(MEAN, shape)


def images(ndim: int) -> tuple[nn.Module, torch.Tensor, list[int]]:
    """A network and samples that are images: from 0 to 1 in their own units."""
    network, x, labels = networks.example(ndim)
    shape = (1, 2, *[1] * ndim)
    own = torch.rand(x.shape, generator=torch.Generator().manual_seed(1))
    return network, (own - torch.tensor(MEAN).reshape(shape)) / torch.tensor(STD).reshape(shape), labels


@pytest.mark.parametrize("ndim", [1, 2, 3])
@pytest.mark.parametrize("norm", ["linf", "l2"])
def test_fgsm_is_one_step_along_the_gradient(ndim: int, norm: str) -> None:
    network, x, labels = images(ndim)
    given = x.double().requires_grad_()
    loss = nn.functional.cross_entropy(network.double()(given), torch.tensor(labels), reduction="sum")
    gradient = torch.autograd.grad(loss, given)[0].numpy() / np.reshape(STD, (1, 2, *[1] * ndim))  # in own units
    network.float()
    length = np.sqrt((gradient**2).reshape(len(x), -1).sum(1)).reshape(-1, *[1] * (ndim + 1))
    step = np.sign(gradient) if norm == "linf" else gradient / length
    expected = np.clip(own_units(x) + 0.07 * step, 0, 1)
    found = fgsm(network, x, labels, epsilon=0.07, norm=norm, contract=contract(ndim))
    np.testing.assert_allclose(own_units(found), expected, atol=2e-6)


@pytest.mark.parametrize(("norm", "epsilon"), [("linf", 0.03), ("l2", 0.4)])
def test_pgd_stays_within_its_size_and_finds_more_than_fgsm(norm: str, epsilon: float) -> None:
    network, x, labels = images(2)
    changed = pgd(network, x, labels, epsilon=epsilon, norm=norm, contract=contract(2), steps=15)
    change = own_units(changed) - own_units(x)
    sizes = np.abs(change).reshape(3, -1).max(1) if norm == "linf" else np.sqrt((change**2).reshape(3, -1).sum(1))
    assert (sizes <= epsilon + 1e-6).all()
    assert (sizes > 0.5 * epsilon).all()
    assert -1e-6 <= own_units(changed).min() <= own_units(changed).max() <= 1 + 1e-6
    one = fgsm(network, x, labels, epsilon=epsilon, norm=norm, contract=contract(2))

    def loss(at: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(network(at), torch.tensor(labels), reduction="none").detach()

    assert (loss(changed) >= loss(one) - 1e-5).all()
    assert (loss(one) > loss(x)).all()


def test_signals_go_from_minus_one_to_one_and_floats_anywhere() -> None:
    network, x, labels = images(1)
    at_the_edge = (torch.ones_like(x) * 0.99 - torch.tensor(MEAN)[:, None]) / torch.tensor(STD)[:, None]
    for full_scale, most in ((255, 1.0), (32768, 1.0), (1, 1.49)):
        found = own_units(fgsm(network, at_the_edge, labels, epsilon=0.5, contract=contract(1, full_scale)))
        assert found.max() == pytest.approx(most, abs=1e-5)
        assert found.min() == pytest.approx(0.49, abs=1e-5)
    below = (torch.full_like(x, -0.9) - torch.tensor(MEAN)[:, None]) / torch.tensor(STD)[:, None]
    assert own_units(fgsm(network, below, labels, epsilon=0.5, contract=contract(1, 32768))).min() == pytest.approx(-1)


def test_the_accuracy_of_a_linear_network_is_what_its_margins_say() -> None:
    network = nn.Sequential(nn.Flatten(), nn.Linear(6, 2, bias=False))
    weight = torch.tensor([1.0, -2.0, 0.5, 0.0, 3.0, -0.25])
    network[1].weight.data = torch.stack([weight, -weight])
    x = torch.randn(40, 1, 6, generator=torch.Generator().manual_seed(3))
    plain = InputContract(1, (6,), (0.0,), (1.0,), ("for", "against"), full_scale=1)
    margins = (x.flatten(1) @ weight).numpy()  # of "for"; PGD must lower them by epsilon · ‖w‖₁, or ‖w‖₂
    for norm, size in (("linf", weight.abs().sum().item()), ("l2", weight.norm().item())):
        for method in ("fgsm", "pgd"):
            found = robustness(
                network, x, ["for"] * 40, (0.2, 0.0, 0.05), norm=norm, method=method, contract=named(network, plain)
            )
            expected = [int((margins - epsilon * size > 0).sum()) for epsilon in (0.0, 0.05, 0.2)]
            assert [row.right for row in found.rows] == expected
            assert [row.accuracy for row in found.rows] == [right / 40 for right in expected]


def named(network: nn.Module, contract: InputContract) -> InputContract:
    network.contract = contract  # type: ignore[assignment]
    return contract


def test_the_network_is_left_as_it_was() -> None:
    network, x, labels = images(2)
    network.train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    given = x.clone()
    with torch.inference_mode():
        pgd(network, x, labels, epsilon=0.1, contract=contract(2), steps=2)
    assert network.training
    assert all(parameter.grad is None for parameter in network.parameters())
    assert torch.equal(x, given)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_what_is_refused() -> None:
    network, x, labels = images(2)
    for options, expected in (
        ({"epsilon": -1.0}, "fgsm: epsilon is -1.0, expected a number of at least 0, such as 8/255."),
        ({"epsilon": 0.1, "norm": "l1"}, "fgsm: norm is 'l1', expected 'linf' or 'l2'."),
        ({"epsilon": 0.1, "contract": None}, "fgsm: Sequential does not tell how its input was normalised"),
    ):
        with pytest.raises(OptionError) as error:
            fgsm(network, x, labels, **({"contract": contract(2)} | options))
        assert str(error.value).startswith(expected)
    grey = InputContract(1, (13, 17), (0.0,), (1.0,), ("a",))
    with pytest.raises(ShapeError, match="the contract is for 1 channels"):
        fgsm(network, x, labels, epsilon=0.1, contract=grey)
    with pytest.raises(OptionError, match="steps=3 has no effect on fgsm"):
        robustness(network, x, labels, method="fgsm", steps=3, contract=contract(2))
    with pytest.raises(OptionError, match="epsilons is empty"):
        robustness(network, x, labels, (), contract=contract(2))
    with pytest.raises(OptionError, match=r"pgd: epsilon is '0\.1', expected a number of at least 0"):
        pgd(network, x, labels, epsilon="0.1", contract=contract(2))  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="step_size is 0"):
        pgd(network, x, labels, epsilon=0.1, step_size=0, contract=contract(2))
