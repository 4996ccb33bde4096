"""Samples read along maps of their own, against plain NumPy loops, SciPy and the PyTorch twin."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
import torch
from scipy import ndimage

from lenrek.errors import OptionError, ShapeError
from lenrek.kernels.resample import TAPS, resample, resample_reference

SIZES = {1: (37,), 2: (19, 41), 3: (7, 10, 21)}
MODES = {"reflect": "reflect", "symmetric": "symmetric", "replicate": "edge", "circular": "wrap"}
BOUNDARIES = ("zeros", 30.0, "reflect", "symmetric", "replicate", "circular")


def some_maps(batch, axes, seed=0, reach=6.0):
    """Affine maps with every entry different, some of which lead far outside."""
    rng = np.random.default_rng(seed)
    maps = np.tile(np.eye(axes + 1), (batch, 1, 1))
    maps[:, :axes, :axes] += rng.uniform(-0.4, 0.4, (batch, axes, axes))
    maps[:, :axes, axes] = rng.uniform(-reach, reach, (batch, axes))
    return torch.from_numpy(maps)


def samples(dtype, shape, seed=1):
    x = np.random.default_rng(seed).integers(0, 256, shape)
    return torch.from_numpy(x).to(dtype)


def read_at(x, position, boundary):
    """One value at a whole position of x (*size), by what NumPy's padding repeats there."""
    if boundary not in MODES:
        inside = all(0 <= i < n for i, n in zip(position, x.shape, strict=True))
        return float(x[tuple(position)]) if inside else 0.0 if boundary == "zeros" else boundary
    index = []
    for i, n in zip(position, x.shape, strict=True):
        reach = abs(i) + n
        index.append(np.pad(np.arange(n), reach, mode=MODES[boundary])[i + reach])
    return float(x[tuple(index)])


def keys(t):
    t = abs(t)
    if t < 1:
        return 1 - 2.5 * t**2 + 1.5 * t**3
    return 2 - 4 * t + 2.5 * t**2 - 0.5 * t**3 if t < 2 else 0.0


def by_loops(x, matrix, boundary, interpolation):
    """x (*size) float64 read along one map, output by output."""
    y = np.empty(x.shape)
    for p in np.ndindex(x.shape):
        *at, divisor = matrix @ np.array([*p, 1.0])
        at = [a / divisor for a in at]
        if interpolation == "nearest":
            y[p] = read_at(x, [math.floor(a + 0.5) for a in at], boundary)
            continue
        weight = keys if interpolation == "cubic" else lambda t: max(0.0, 1 - abs(t))
        around = [range(math.floor(a) - 1, math.floor(a) + 3) for a in at]
        y[p] = sum(
            math.prod(weight(a - i) for a, i in zip(at, place, strict=True)) * read_at(x, place, boundary)
            for place in product(*around)
        )
    return y


@pytest.mark.parametrize("interpolation", TAPS)
@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("size", [(11,), (6, 9), (4, 3, 5)])
def test_twin_is_the_loops(size, boundary, interpolation):
    if interpolation == "cubic" and len(size) == 3:
        size = (3, 2, 4)
    x = samples(torch.float64, (2, 2, *size))
    maps = some_maps(2, len(size))
    y = resample_reference(x, maps, None, boundary, interpolation)
    for sample, channel in np.ndindex(2, 2):
        expected = by_loops(x[sample, channel].numpy(), maps[sample].numpy(), boundary, interpolation)
        np.testing.assert_allclose(y[sample, channel], expected, atol=1e-9 * 255)


@pytest.mark.parametrize("interpolation", TAPS)
@pytest.mark.parametrize("axes", [1, 2, 3])
def test_kernel_is_the_twin(isa, threads, axes, interpolation):
    maps = some_maps(3, axes, seed=axes)
    for boundary in BOUNDARIES:
        x = samples(torch.float32, (3, 2, *SIZES[axes])) / 255
        value = boundary if isinstance(boundary, str) else boundary / 255
        expected = resample_reference(x.double(), maps, None, value, interpolation)
        found = resample(x, maps, boundary=value, interpolation=interpolation)
        close = (found - expected).abs() < 1e-4  # positions are in float32: a sample is 2⁻¹⁸ wide there
        if interpolation == "nearest":
            assert close.float().mean() > 0.999, boundary
        else:
            assert close.all(), boundary
        for channels in (2, 3):  # three are read as pixels
            x = samples(torch.uint8, (3, channels, *SIZES[axes]))
            expected = resample_reference(x.double(), maps, None, boundary, interpolation).clamp(0, 255)
            error = (resample(x, maps, boundary=boundary, interpolation=interpolation).double() - expected).abs()
            assert error.mean() < 0.27, (boundary, channels)  # rounding alone is 1/4
            if interpolation != "nearest":
                assert error.max() < 0.51, (boundary, channels)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.float32])
@pytest.mark.parametrize("size", [(1,), (2,), (3, 1), (1, 33), (2, 2), (5, 48), (2, 3, 17)])
def test_whole_steps_and_mirrors_are_exact(isa, size, dtype):
    x = samples(dtype, (2, 3, *size))
    axes = len(size)
    matrix = torch.eye(axes + 1, dtype=torch.float64).repeat(2, 1, 1)
    matrix[0, axes - 1, axes - 1], matrix[0, axes - 1, axes] = -1, size[-1] - 1
    matrix[1, 0, axes] = 1
    for interpolation in TAPS:
        y = resample(x, matrix, boundary="replicate", interpolation=interpolation)
        assert torch.equal(y[0], x[0].flip(-1))
        last = min(1, size[0] - 1)
        assert torch.equal(y[1], torch.cat([x[1, :, last:], x[1, :, -1:]], 1)[:, : size[0]])


def test_linear_and_nearest_are_scipys(isa):
    x = samples(torch.float32, (1, 1, 23, 31)) / 255
    maps = some_maps(1, 2, seed=5)
    modes = {"zeros": "constant", "reflect": "mirror", "symmetric": "reflect", "replicate": "nearest"}
    grid = np.stack(np.meshgrid(np.arange(23), np.arange(31), indexing="ij"))
    at = np.tensordot(maps[0, :2, :2], grid, 1) + maps[0, :2, 2, None, None].numpy()
    for boundary, mode in modes.items():
        if boundary == "zeros":  # SciPy's constant is all or nothing outside: one ring of zeros makes it the same
            padded = np.pad(x[0, 0].numpy().astype(float), 2)
            expected = ndimage.map_coordinates(padded, at + 2, order=1, mode="constant")
        else:
            expected = ndimage.map_coordinates(x[0, 0].numpy().astype(float), at, order=1, mode=mode)
        np.testing.assert_allclose(resample(x, maps, boundary=boundary)[0, 0], expected, atol=1e-4)


def test_perspective_and_displacement(isa):
    x = samples(torch.float32, (2, 2, 13, 22)) / 255
    maps = some_maps(2, 2, seed=3, reach=2)
    maps[:, 2, :2] = torch.tensor([[0.011, -0.007], [0.004, 0.013]], dtype=torch.float64)
    displacement = torch.from_numpy(np.random.default_rng(4).normal(0, 2, (2, 2, 13, 22)).astype(np.float32))
    for field in (None, displacement):
        expected = resample_reference(x.double(), maps, field, "reflect", "linear")
        np.testing.assert_allclose(resample(x, maps, field, boundary="reflect"), expected, atol=1e-4)
    grid = np.stack([*np.meshgrid(np.arange(13), np.arange(22), indexing="ij"), np.ones((13, 22))])
    places = np.tensordot(maps[1].numpy(), grid, 1)
    at = places[:2] / places[2] + displacement[1].numpy()
    expected = ndimage.map_coordinates(x[1, 1].numpy().astype(float), at, order=1, mode="mirror")
    np.testing.assert_allclose(resample(x, maps, displacement, boundary="reflect")[1, 1], expected, atol=1e-4)


def test_pixels_under_perspective_and_displacement(isa):
    x = samples(torch.uint8, (2, 3, 13, 40))
    maps = some_maps(2, 2, seed=3, reach=2)
    maps[:, 2, :2] = torch.tensor([[0.011, -0.007], [0.004, 0.013]], dtype=torch.float64)
    displacement = torch.from_numpy(np.random.default_rng(4).normal(0, 2, (2, 2, 13, 40)).astype(np.float32))
    for boundary in BOUNDARIES:
        expected = resample_reference(x.double(), maps, displacement, boundary, "linear")
        assert (resample(x, maps, displacement, boundary=boundary).double() - expected).abs().max() < 0.51, boundary


@pytest.mark.parametrize("channels", [1, 3])
def test_maps_that_lead_nowhere_are_safe(isa, channels):
    x = samples(torch.uint8, (4, channels, 3, 40))
    maps = some_maps(4, 2)
    maps[0, 0, 2], maps[1, 1, 0], maps[2, 2] = math.nan, math.inf, 0.0
    maps[3, 0, 2] = 1e30
    for boundary in BOUNDARIES:
        for interpolation in TAPS:
            assert resample(x, maps, boundary=boundary, interpolation=interpolation).shape == x.shape
    assert (resample(x, maps, boundary=7)[3] == 7).all()


def test_a_sample_is_alike_in_any_batch_and_layout(isa, threads):
    x = samples(torch.uint8, (9, 3, 33, 29))
    maps = some_maps(9, 2)
    whole = resample(x, maps, boundary="reflect")
    assert torch.equal(resample(x[4:6], maps[4:6], boundary="reflect"), whole[4:6])
    last = x.contiguous(memory_format=torch.channels_last)
    assert torch.equal(resample(last, maps, boundary="reflect"), whole)
    assert resample(x[:0], maps[:0]).shape == (0, 3, 33, 29)


def test_what_does_not_fit():
    x, maps = torch.zeros(2, 1, 4, 5), torch.eye(3, dtype=torch.float64).repeat(2, 1, 1)
    with pytest.raises(ShapeError) as error:
        resample(x, maps[:1])
    assert str(error.value) == (
        "resample: matrix is (1, 3, 3), but x (2, 1, 4, 5) = (batch, channels, *size) with 2 axes expects (2, 3, 3), "
        "for 1 to 3 axes."
    )
    with pytest.raises(ShapeError) as error:
        resample(x, maps, torch.zeros(2, 1, 4, 5))
    assert str(error.value) == "resample: displacement is (2, 1, 4, 5), expected (2, 2, 4, 5)."
    with pytest.raises(OptionError) as error:
        resample(x, maps, interpolation="bilinear")
    assert str(error.value) == "resample: interpolation is 'bilinear', expected one of nearest, linear, cubic."
