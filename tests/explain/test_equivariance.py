"""Equivariance where it is exact by theory, and broken where theory says so; every axis of another size."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import lenrek
from lenrek.errors import ModelError, OptionError, ShapeError
from lenrek.explain.equivariance import equivariance
from lenrek.explain.transforms import Contrast, Flip, Rotation, Scaling, Shift

EXACT = 1e-6


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def errors(found: object) -> list[float]:
    return [point.error for point in found.points]  # type: ignore[attr-defined]


def interiors(found: object) -> list[float]:
    return [point.interior for point in found.points]  # type: ignore[attr-defined]


CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}
SIZES = {1: (23,), 2: (17, 14), 3: (9, 12, 11)}


def convolution(ndim: int, boundary: str, stride: int | tuple[int, ...] = 1) -> nn.Module:
    kernel = (5, 3, 1)[:ndim]
    return CONVOLUTIONS[ndim](2, 3, kernel, stride, tuple(k // 2 for k in kernel), padding_mode=boundary)


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_a_circular_convolution_commutes_with_every_circular_shift(ndim: int) -> None:
    x = torch.randn(3, 2, *SIZES[ndim])
    for axis in range(ndim):
        found = equivariance(convolution(ndim, "circular"), x, Shift(axis, "circular"), sizes=(-4, 1, 2.5, 7))
        assert max(errors(found)) < EXACT
        assert min(point.change for point in found.points) > 0.5  # and it is no invariance
        assert found.step == (1,) * ndim


@pytest.mark.parametrize("ndim", [1, 2, 3])
def test_zeros_at_the_border_break_it_there_and_nowhere_else(ndim: int) -> None:
    x = torch.randn(3, 2, *SIZES[ndim])
    found = equivariance(convolution(ndim, "zeros"), x, Shift(0), sizes=(-3, -0.5, 1, 2.25))
    assert min(errors(found)) > 0.05
    assert max(interiors(found)) < EXACT
    assert all(0 < point.interior_share < 1 for point in found.points)


def test_the_interior_is_what_counting_by_hand_gives() -> None:
    layer = nn.Conv1d(1, 1, 5, padding=2)
    (point,) = equivariance(layer, torch.randn(1, 1, 20), sizes=(3,)).points
    # Windows p − 2 … p + 2 inside the real samples 3 … 19 of the shifted signal: p = 5 … 17, and p − 3 ≥ 2 is the same.
    assert point.interior_share == 13 / 20
    (point,) = equivariance(layer, torch.randn(1, 1, 20), sizes=(-3,)).points
    assert point.interior_share == 13 / 20


def test_the_interior_counts_what_the_output_is_interpolated_from() -> None:
    layer = nn.Conv1d(1, 1, 3, stride=2, padding=1)
    (point,) = equivariance(layer, torch.randn(1, 1, 20), sizes=(1,)).points
    # Outputs 1 … 9 of 10 have whole windows; half an output further, cubic interpolation reads p − 2 … p + 1.
    assert point.interior_share == 6 / 10


def test_a_stride_keeps_multiples_of_it_and_breaks_the_rest() -> None:
    x = torch.randn(4, 2, 16, 18)
    layer = convolution(2, "circular", stride=(2, 3))
    along_rows = equivariance(layer, x, Shift(0, "circular"), sizes=(1, 2, 3, 4))
    assert [error < EXACT for error in errors(along_rows)] == [False, True, False, True]
    assert min(errors(along_rows)[::2]) > 0.5
    along_columns = equivariance(layer, x, Shift(1, "circular"), sizes=(1, 2, 3, 6))
    assert [error < EXACT for error in errors(along_columns)] == [False, False, True, True]
    assert along_rows.step == (2, 3)


def test_a_stride_away_from_borders() -> None:
    found = equivariance(convolution(2, "zeros", stride=(2, 1)), torch.randn(3, 2, 21, 12), Shift(0), sizes=(2, 3, -4))
    assert [inside < EXACT for inside in interiors(found)] == [True, True, False]  # −4, 2, 3
    assert [point.size for point in found.points] == [-4, 2, 3]


def test_pooling_gives_a_little_invariance_back() -> None:
    def smooth(x: Tensor) -> Tensor:
        for _ in range(4):
            x = (x.roll(1, -1) + 2 * x + x.roll(-1, -1)) / 4
        return x

    x = smooth(torch.randn(16, 1, 64))
    picked = nn.Sequential(convolution_1_1(), nn.ReLU(), nn.MaxPool1d(1, 4))
    pooled = nn.Sequential(picked[0], nn.ReLU(), nn.MaxPool1d(4, 4))
    shift, sizes = Shift(boundary="circular"), (1, 2)
    without = [point.change for point in equivariance(picked, x, shift, sizes).points]
    with_it = [point.change for point in equivariance(pooled, x, shift, sizes).points]
    assert all(a < 0.8 * b for a, b in zip(with_it, without, strict=True))
    assert max(errors(equivariance(pooled, x, shift, (4, 8)))) < EXACT


def convolution_1_1() -> nn.Module:
    return nn.Conv1d(1, 8, 5, padding=2, padding_mode="circular")


def test_global_pooling_makes_a_circular_network_invariant() -> None:
    model = nn.Sequential(convolution(2, "circular"), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 5))
    found = equivariance(model, torch.randn(4, 2, 9, 12), Shift(boundary="circular"), sizes=(1, 5))
    for point in found.points:
        assert (point.unchanged, point.interior, found.step) == (1.0, None, None)
        assert point.change < EXACT
        assert point.posterior_distance < EXACT


def test_a_flip_is_exact_for_a_mirrored_kernel_alone() -> None:
    layer, x = convolution(2, "circular"), torch.randn(3, 2, 12, 15)
    assert errors(equivariance(layer, x, Flip(0)))[0] > 0.5
    with torch.no_grad():
        layer.weight.copy_((layer.weight + layer.weight.flip(2)) / 2)
    (rows,), (columns,) = equivariance(layer, x, Flip(0)).points, equivariance(layer, x, "flip").points
    assert rows.error < EXACT
    assert columns.error > 0.2
    assert rows.size is None


def test_a_flip_on_the_grid_of_an_even_kernel() -> None:
    layer = nn.Conv1d(1, 1, 4, stride=3, bias=False)  # windows 0–3, 3–6, …: its outputs lie at 1.5, 4.5, …
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([1.0, 2.0, 2.0, 1.0]))
    whole = equivariance(layer, torch.randn(2, 1, 16), "flip")  # 16 = 4 + 4·3: symmetric about the middle
    assert (errors(whole)[0], whole.step) == (pytest.approx(0, abs=EXACT), (3,))


def test_a_flip_of_causal_outputs() -> None:
    layer = lenrek.nn.Conv(1, 1, (3,), padding="causal")  # each output lies one sample before its own place
    with torch.no_grad():
        layer.weight.copy_(torch.tensor([1.0, 2.0, 1.0]))
    (point,) = equivariance(layer, torch.randn(2, 1, 15), "flip").points
    assert point.interior < EXACT
    assert point.interior_share == 13 / 15  # all but the two that see the padding


def test_quarter_turns_are_exact_for_kernels_with_that_symmetry() -> None:
    layer = nn.Conv2d(2, 3, 5, padding=2)
    x = torch.randn(3, 2, 13, 13)
    assert errors(equivariance(layer, x, "rotation", sizes=(90,)))[0] > 0.5
    with torch.no_grad():
        layer.weight.copy_(sum(torch.rot90(layer.weight, turns, (2, 3)) for turns in range(4)))
    found = equivariance(layer, x, "rotation", sizes=(45, 90, 180, -90))
    assert [error < EXACT for error in errors(found)] == [True, False, True, True]
    assert max(interiors(found)[i] for i in (0, 2, 3)) < EXACT


def test_a_volume_turns_in_a_plane_of_its_axes() -> None:
    layer = nn.Conv3d(1, 2, (3, 1, 3), padding=(1, 0, 1))
    with torch.no_grad():
        layer.weight.copy_(sum(torch.rot90(layer.weight, turns, (2, 4)) for turns in range(4)))
    x = torch.randn(2, 1, 7, 6, 7)
    assert errors(equivariance(layer, x, Rotation((0, 2)), sizes=(90,)))[0] < EXACT
    assert errors(equivariance(layer, x, Rotation((0, 1)), sizes=(90,)))[0] > 0.1


def test_smooth_images_scale_and_turn_well_under_a_round_kernel() -> None:
    rows, columns = torch.meshgrid(torch.arange(33.0) - 16, torch.arange(33.0) - 16, indexing="ij")
    x = torch.exp(-((rows - 2) ** 2 + (columns + 3) ** 2) / 32)[None, None]
    round_one = nn.Conv2d(1, 1, 5, padding=2, bias=False)
    distance = (rows**2 + columns**2)[14:19, 14:19]
    with torch.no_grad():
        round_one.weight.copy_(torch.exp(-distance / 2))
    assert interiors(equivariance(round_one, x, "rotation", sizes=(30,)))[0] < 0.02
    skew = nn.Conv2d(1, 1, 5, padding=2, bias=False)
    with torch.no_grad():
        skew.weight.copy_(torch.exp(-distance / 2) * columns[14:19, 14:19])
    assert interiors(equivariance(skew, x, "rotation", sizes=(30,)))[0] > 0.2
    assert interiors(equivariance(nn.Identity(), x, "scaling", sizes=(0.8, 1.5))) == [0, 0]
    assert interiors(equivariance(round_one, x, "scaling", sizes=(1.05,)))[0] < 0.05


def test_contrast_and_brightness() -> None:
    x = torch.randn(3, 2, 8, 9)
    layer = convolution(2, "circular")
    assert max(errors(equivariance(layer, x, "contrast"))) < EXACT
    brighter = equivariance(layer, x, "brightness", sizes=(0.5,)).points[0]
    assert brighter.error == brighter.change > 0.05
    with torch.no_grad():  # kernels that sum to zero do not see a constant
        layer.weight.sub_(layer.weight.mean((2, 3), keepdim=True))
    assert max(errors(equivariance(layer, x, "brightness"))) < EXACT
    assert max(errors(equivariance(nn.InstanceNorm2d(2), x, Contrast(), sizes=(2,)))) > 0.1  # it undoes contrast
    assert equivariance(nn.InstanceNorm2d(2), x, "contrast", sizes=(2,)).points[0].change < 1e-4


def test_relative_error_by_hand() -> None:
    x = torch.tensor([[[1.0, 2.0, 3.0, 4.0]]])
    found = equivariance(lambda x: x * x.sum(2, keepdim=True), x, sizes=(1,))
    # G(Tf) = 6·(0 1 2 3), T(Gf) = 10·(0 1 2 3), Gf = 10·(1 2 3 4)
    (point,) = found.points
    assert point.error == pytest.approx(4 / 10)
    moved, still = np.array([0, 6, 12, 18.0]), np.array([10, 20, 30, 40.0])
    assert point.change == pytest.approx(np.linalg.norm(moved - still) / np.linalg.norm(still))


def test_decisions_and_posteriors_by_hand() -> None:
    class FirstSample(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.stack([x[:, 0, 0], torch.zeros(len(x))], 1)

    x = torch.tensor([[[1.0, -3.0]], [[2.0, 5.0]]])
    (point,) = equivariance(FirstSample(), x, sizes=(-1,)).points
    assert point.unchanged == 0.5

    def sigmoid(score: float) -> float:
        return 1 / (1 + math.exp(-score))

    expected = (abs(sigmoid(1) - sigmoid(-3)) + abs(sigmoid(2) - sigmoid(5))) / 2
    assert point.posterior_distance == pytest.approx(expected)
    (point,) = equivariance(nn.Sequential(FirstSample(), nn.Softmax(1)), x, sizes=(-1,)).points
    assert point.posterior_distance == pytest.approx(expected)  # posteriors are taken as they are


def test_a_layer_by_its_name_and_the_network_as_it_was() -> None:
    model = nn.Sequential(
        convolution(2, "circular"), nn.Dropout(0.5), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(3 * 96, 4)
    )
    model[1].eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    x = torch.randn(5, 2, 8, 12)
    state = torch.get_rng_state()
    found = equivariance(model, x, Shift(0, "circular"), sizes=(3,), layer="0", batch_size=2)
    assert found.points[0].error < EXACT
    assert found.points[0].unchanged is not None  # what the network says is looked at, too
    assert [part.training for part in model.modules()] == [True, True, False, True, True, True]
    assert all(not part._forward_hooks for part in model.modules())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert torch.equal(state, torch.get_rng_state())
    alone = equivariance(nn.Sequential(model[0]), x, Shift(0, "circular"), sizes=(3,))
    assert alone.points[0].change == pytest.approx(found.points[0].change, rel=1e-6)


def test_table_chart_and_json() -> None:
    found = equivariance(convolution(1, "zeros"), torch.randn(2, 2, 30), sizes=(1, 2))
    lines = str(found).splitlines()
    assert lines[0] == "shift along axis -1, boundary zeros"
    assert lines[1].split() == ["size", "with", "borders", "interior", "of", "outputs", "change"]
    assert lines[2].split()[:2] == ["1", f"{found.points[0].error:.3g}"]
    as_json = found.to_json()
    assert (as_json["transform"], as_json["axis"], as_json["unit"]) == ("shift", -1, "samples")
    assert as_json["points"][1]["size"] == 2
    chart = str(found.chart())
    assert chart.count("<g ") == 3
    assert "with borders" in chart
    assert str(found.decision_chart()) == ""


BAD = [
    ("shft", None, "equivariance: transform is 'shft', expected one of shift, flip, rotation, scaling, contrast, "
     "brightness.\n  Hint: did you mean shift?"),
    (Shift(2), None, "Shift: axis is 2, but the samples have 1 axis: -1 to 0."),
    ("rotation", None, "Rotation: signals have a single axis, a rotation needs two.\n"
     "  Hint: shift, flip, scaling, contrast and brightness are defined for signals."),
    ("shift", [], "equivariance: sizes is empty, expected at least one size in samples."),
    ("shift", ["2"], "equivariance: sizes holds '2', expected finite numbers, in samples."),
    ("shift", [math.nan], "equivariance: sizes holds nan, expected finite numbers, in samples."),
    ("flip", [1], "equivariance: a flip has no size, but sizes=[1] were given."),
    (Scaling(), [1, 0], "Scaling: size is 0, expected a factor above 0."),
    (Contrast(), [-1], "Contrast: size is -1, expected a factor of at least 0."),
    (Shift(boundary="reflect"), [12], 'Shift: on axis 0 padding (12, 0) with boundary="reflect" needs at least as many '
     'samples to mirror, but 10 samples give 10 − 1 = 9.\n  Hint: boundary="circular" and boundary="replicate" reach '
     "as far as wanted."),
]  # fmt: skip


@pytest.mark.parametrize(("transform", "sizes", "message"), BAD)
def test_bad_transforms(transform: object, sizes: object, message: str) -> None:
    with pytest.raises((OptionError, ShapeError)) as raised:
        equivariance(nn.ReLU(), torch.randn(2, 1, 10), transform, sizes)  # type: ignore[arg-type]
    assert str(raised.value) == message


def test_bad_boundary_and_plane() -> None:
    with pytest.raises(OptionError, match=r"Shift: boundary is 'circle', expected one of .*\n  Hint: did you mean c"):
        Shift(boundary="circle")  # type: ignore[arg-type]
    with pytest.raises(OptionError) as raised:
        equivariance(nn.ReLU(), torch.randn(2, 1, 4, 5), Rotation((1, -1)))
    assert str(raised.value) == "Rotation: plane (1, -1) names one axis twice, expected two axes."


def test_bad_layers_and_inputs() -> None:
    model = nn.Sequential(nn.Conv1d(2, 3, 3), nn.LSTM(8, 4))
    x = torch.randn(2, 2, 10)
    with pytest.raises(ModelError) as raised:
        equivariance(nn.Sequential(nn.Conv1d(2, 3, 3)), x, layer="conv")
    assert str(raised.value) == "equivariance: the network has no layer 'conv'.\n  Hint: there are 0."
    with pytest.raises(ModelError) as raised:
        equivariance(model, x)
    assert str(raised.value) == (
        "equivariance: the output of the network is of type tuple, expected a tensor (1, channels, …) for 1 samples.\n"
        "  Hint: name another layer."
    )
    with pytest.raises(ModelError, match="layer is '0', but function is no module and has no layers"):
        equivariance(lambda x: x, x, layer="0")
    with pytest.raises(ShapeError, match=r"equivariance: the network does not take an input of shape \(1, 1, 10\): "):
        equivariance(model, torch.randn(2, 1, 10))
    with pytest.raises(ShapeError) as shape:
        equivariance(model, torch.randn(2, 10))
    assert str(shape.value) == (
        "equivariance: x is (2, 10), expected (batch, channels, *size) with at least one sample and one spatial axis."
    )
    with pytest.raises(OptionError, match="equivariance: x holds NaN or infinite values, expected finite"):
        equivariance(model, torch.full((1, 2, 10), torch.nan))
