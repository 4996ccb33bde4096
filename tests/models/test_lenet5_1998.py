"""LeNet-5 against the paper: its Table I, its parameter counts, its formulas in plain loops."""

import math

import numpy as np
import pytest
import torch
from network_checks import check_minimum, check_trains
from sklearn.datasets import load_digits
from torch.nn import functional as F

from lenrek.models.lenet5_1998 import LeNet51998, RadialBasis, digit_codes, hashed_codes

# Rows: maps of S2. Columns: maps of C3. As printed in the paper.
TABLE_I = """
X . . . X X X . . X X X X . X X
X X . . . X X X . . X X X X . X
X X X . . . X X X . . X . X X X
. X X X . . X X X X . . X . X X
. . X X X . . X X X X . X X . X
. . . X X X . . X X X X . X X X
"""
CONNECTED = np.array([[mark == "X" for mark in row.split()] for row in TABLE_I.strip().split("\n")]).T


def test_trained_parameters_are_the_published_ones():
    network = LeNet51998(10, 1)
    counts = {name: sum(p.numel() for p in layer.parameters()) for name, layer in network.named_children()}
    assert {name: count for name, count in counts.items() if count} == {
        "c1": 156,
        "s2": 12,
        "c3": 1516,
        "s4": 32,
        "c5": 48_120,
        "f6": 10_164,
    }
    assert sum(p.numel() for p in network.parameters() if p.requires_grad) == 60_000


def test_connections_are_those_of_table_i():
    c3 = LeNet51998(10, 1).c3
    with torch.no_grad():
        c3.weight.fill_(1)
    assert np.array_equal(c3.dense_weight().detach().numpy(), np.repeat(CONNECTED, 25).reshape(16, 6, 5, 5))


def squash(a):
    return 1.7159 * np.tanh(2 / 3 * a)


def convolve(maps, kernels, bias):
    """kernels[out][in] may be None: no connection."""
    size = maps.shape[1] - 4
    out = np.zeros((len(kernels), size, size))
    for o, per_map in enumerate(kernels):
        for row in range(size):
            for column in range(size):
                window = maps[:, row : row + 5, column : column + 5]
                parts = [(window[i] * k).sum() for i, k in enumerate(per_map) if k is not None]
                out[o, row, column] = sum(parts) + bias[o]
    return out


def subsample(maps, coefficient, bias):
    rows = maps[:, 0::2] + maps[:, 1::2]
    summed = rows[:, :, 0::2] + rows[:, :, 1::2]
    return np.stack([m * c + b for m, c, b in zip(summed, coefficient, bias, strict=True)])


def test_output_equals_the_paper_in_plain_loops():
    torch.manual_seed(0)
    network = LeNet51998(10, 1).double()
    for parameter in network.parameters():
        parameter.data.normal_(std=0.2)
    w = {name: tensor.numpy() for name, tensor in network.state_dict().items()}
    image = np.random.default_rng(0).normal(size=(1, 32, 32))

    x = squash(convolve(image, w["c1.weight"], w["c1.bias"]))
    x = squash(subsample(x, w["s2.weight"], w["s2.bias"]))
    kernels = iter(w["c3.weight"])
    table = [[next(kernels) if connected else None for connected in row] for row in CONNECTED]
    x = squash(convolve(x, table, w["c3.bias"]))
    x = squash(subsample(x, w["s4.weight"], w["s4.bias"]))
    x = squash(convolve(x, w["c5.weight"], w["c5.bias"])).ravel()
    x = squash(w["f6.weight"] @ x + w["f6.bias"])
    penalties = [sum((x[j] - code[j]) ** 2 for j in range(84)) for code in w["output.codes"]]

    output = network(torch.from_numpy(image)[None])
    np.testing.assert_allclose(output.detach().numpy()[0] * -10, penalties, rtol=1e-10)


def test_radial_basis_divides_by_twice_the_variance():
    codes = torch.tensor([[1.0, -1.0, 1.0], [-1.0, -1.0, -1.0]])
    x = torch.tensor([[0.5, 0.0, 2.0]])
    assert RadialBasis(codes, variance=2.0)(x).tolist() == [[-(0.25 + 1 + 1) / 4, -(2.25 + 1 + 9) / 4]]


def test_start_is_uniform_by_fan_in():
    torch.manual_seed(0)
    network = LeNet51998(10, 1)
    for name, fan_in in (("c1", 25), ("s2", 4), ("s4", 4), ("c5", 400), ("f6", 120)):
        largest = max(p.abs().max().item() for p in getattr(network, name).parameters())
        assert 0.8 * 2.4 / fan_in < largest <= 2.4 / fan_in, name
    for out, fan_in in ((0, 75), (6, 100), (15, 150)):
        largest = network.c3.dense_weight()[out].abs().max().item()
        assert 0.9 * 2.4 / fan_in < largest <= 2.4 / fan_in, out


def test_squashing_takes_one_to_one():
    assert LeNet51998(10, 1).squash(torch.tensor([1.0, -1.0])).tolist() == pytest.approx([1, -1], abs=1e-4)
    assert 1.7159 * math.tanh(2 / 3) == pytest.approx(1, abs=1e-4)


def test_codes_are_bitmaps_or_hashes_and_all_apart():
    codes = digit_codes()
    assert codes.shape == (10, 84)
    picture = ["".join("#" if bit > 0 else "." for bit in row) for row in codes[7].reshape(12, 7)]
    assert picture[1:4] == ["#######", "......#", ".....#."]
    for some in (codes, hashed_codes(2), hashed_codes(1000)):
        assert some.abs().eq(1).all()
        distances = (84 - some @ some.T) / 2  # Hamming: the bits in which two classes differ
        distances.fill_diagonal_(84)
        assert distances.min() >= 6
    assert torch.equal(hashed_codes(3), hashed_codes(1000)[:3])
    assert "".join("1" if bit > 0 else "0" for bit in hashed_codes(1)[0, :8]) == "01011111"  # SHA-256 of "0" is 5f…


@pytest.mark.parametrize(
    "make_optimizer",
    [
        lambda parameters: torch.optim.SGD(parameters, 0.1, momentum=0.9, nesterov=True),
        lambda parameters: torch.optim.AdamW(parameters, 0.003),
    ],
    ids=["sgd", "adamw"],
)
def test_it_learns_digits_at_common_learning_rates(make_optimizer):
    torch.manual_seed(0)
    digits = load_digits()
    x = torch.tensor(digits.data.reshape(-1, 1, 8, 8), dtype=torch.float32)
    x = F.interpolate(x, size=(32, 32), mode="bilinear")
    x, y = (x - x.mean()) / x.std(), torch.tensor(digits.target)
    order = torch.randperm(len(x))
    train, test = order[:1400], order[1400:]
    network = LeNet51998(10, 1)
    optimizer = make_optimizer(network.parameters())
    epochs = 6
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1, 0, epochs * 44)
    for _ in range(epochs):
        for batch in train[torch.randperm(1400)].split(32):
            optimizer.zero_grad()
            F.cross_entropy(network(x[batch]), y[batch]).backward()
            optimizer.step()
            schedule.step()
    with torch.inference_mode():
        right = network(x[test]).argmax(1) == y[test]
    assert right.double().mean() > 0.95


@pytest.mark.parametrize("size", [(32, 32), (37, 45)])
def test_every_parameter_gets_a_gradient(size):
    check_trains("lenet5_1998", size)


def test_minimum_is_true():
    check_minimum("lenet5_1998", 2)
