"""One map per sample: it moves images, points and boxes alike, and is what SciPy makes of the same numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import ndimage

from lenrek.data.augmentation import Policy
from lenrek.data.augmentation.apply import drawn_for
from lenrek.data.augmentation.spatial import SpatialMaps, maps
from lenrek.errors import ShapeError

EVERYTHING = "shift=0.1,rotate=25,scale=0.2,shear=9,perspective=0.15,crop=0.6,elastic=0.03,flip,flip_vertical"


def some(text, size, batch=24, channels=1, seed=3, epoch=1):
    drawn = drawn_for(Policy.parse(text), channels, size, np.arange(batch), seed, epoch, None, ())
    return maps(drawn, size), drawn


def blob(size, at, width=1.6):
    """A bright dot (1, 1, *size) around a point."""
    grid = np.meshgrid(*(np.arange(n) for n in size), indexing="ij")
    distance = sum((g - a) ** 2 for g, a in zip(grid, at, strict=True))
    return torch.from_numpy(np.exp(-distance / (2 * width**2))).float()[None, None]


def brightest(y):
    """The centre of brightness of y (*size)."""
    grid = np.meshgrid(*(np.arange(n) for n in y.shape), indexing="ij")
    return [float((g * y).sum() / y.sum()) for g in grid]


@pytest.mark.parametrize(
    ("text", "size"),
    [
        (EVERYTHING, (64, 90)),
        ("shift=0.2,scale=0.3,crop=0.5,elastic=0.02", (120,)),
        ("rotate=40,shift=0.1,scale=0.2,shear=8,flip_depth,flip,elastic=0.02", (26, 32, 38)),
        *((word, (61, 84)) for word in EVERYTHING.split(",") if word != "elastic=0.03"),
        ("elastic=0.05", (61, 84)),
    ],
)
def test_a_bright_dot_ends_where_the_map_says(text, size):
    found, _ = some(text, size)
    at = [0.45 * size[0], *(0.6 * n for n in size[1:])]
    x = blob(size, at).expand(24, 1, *size)
    y = found.samples(x, "zeros", "linear")
    points = found.points(torch.tensor(at).expand(24, 1, len(size)))[:, 0]
    seen = 0
    for sample, point in zip(y[:, 0].double().numpy(), points.tolist(), strict=True):
        if all(6 < p < n - 7 for p, n in zip(point, size, strict=True)):
            seen += 1
            assert brightest(sample) == pytest.approx(point, abs=0.35)
    assert seen >= 8


def test_what_each_map_does_is_what_its_numbers_say():
    size = (31, 52)
    found, drawn = some("rotate=30", size)
    angle = np.radians(drawn.signed("rotate"))
    middle = torch.tensor([15.0, 25.5], dtype=torch.float64)
    points = found.points((middle + torch.tensor([0.0, 10.0])).expand(24, 1, 2))[:, 0] - middle
    expected = np.stack([-10 * np.sin(angle), 10 * np.cos(angle)], 1)
    np.testing.assert_allclose(points.abs().numpy(), np.abs(expected), atol=1e-9)
    assert len({*points[:, 0].sign().tolist()}) == 2  # either way
    assert np.abs(angle).max() < math.radians(30)
    found, drawn = some("scale=0.5", size, batch=200)
    points = found.points((middle + torch.tensor([4.0, 6.0])).expand(200, 1, 2))[:, 0] - middle
    factor = (points / torch.tensor([4.0, 6.0])).numpy()
    np.testing.assert_allclose(factor[:, 0], factor[:, 1])
    assert 1 / 1.5 <= factor.min() < 0.72
    assert 1.4 < factor.max() <= 1.5
    assert 60 < (factor[:, 0] > 1).sum() < 140


def test_a_crop_keeps_its_share_and_stays_inside():
    size = (40, 64)
    found, _ = some("crop=0.3", size, batch=300)
    corners = torch.tensor([[-0.5, -0.5], [39.5, 63.5]], dtype=torch.float64)
    ones = torch.ones(2, 1, dtype=torch.float64)
    read = (found.matrix @ torch.cat([corners, ones], 1).T)[:, :2].transpose(1, 2)
    assert read.min() > -0.5 - 1e-9
    assert (read[:, 1] < torch.tensor([39.5, 63.5]).double() + 1e-6).all()
    parts = (read[:, 1] - read[:, 0]) / torch.tensor([40.0, 64.0])
    share = parts.prod(1)
    assert share.min() > 0.29
    assert share.min() < 0.35
    assert share.max() > 0.9
    ratio = parts[:, 0] / parts[:, 1]
    assert 0.74 < ratio.min() < 0.85
    assert 1.2 < ratio.max() < 1.34


def test_everything_at_once_is_one_reading_as_scipys():
    size = (28, 45)
    found, _ = some(EVERYTHING, size, batch=5)
    x = torch.rand(5, 2, *size, generator=torch.Generator().manual_seed(0))
    y = Policy.parse(f"{EVERYTHING},boundary=reflect").apply(x, np.arange(5), seed=3, epoch=1)
    grid = np.stack([*np.meshgrid(np.arange(28), np.arange(45), indexing="ij"), np.ones(size)])
    for sample in range(5):
        places = np.tensordot(found.matrix[sample].numpy(), grid, 1)
        at = places[:2] / places[2] + found.displacement[sample].numpy()
        for channel in range(2):
            expected = ndimage.map_coordinates(x[sample, channel].double().numpy(), at, order=1, mode="mirror")
            np.testing.assert_allclose(y[sample, channel], expected, atol=2e-4)


def test_boxes_are_the_smallest_around_what_is_in_them():
    size = (50, 70)
    found, _ = some("rotate=30,shift=0.2,flip,elastic=0.02,perspective=0.1", size)
    box = torch.tensor([[[10.0, 20.0], [24.0, 47.0]]]).expand(24, 1, 2, 2)
    moved = found.boxes(box)[:, 0]
    x = torch.zeros(24, 1, *size)
    x[:, :, 10:25, 20:48] = 1
    y = found.samples(x, "zeros", "nearest")[:, 0]
    for sample, (low, high) in zip(y, moved, strict=True):
        rows, columns = (sample.any(1).nonzero().flatten(), sample.any(0).nonzero().flatten())
        lowest, highest = [rows.min(), columns.min()], [rows.max(), columns.max()]
        np.testing.assert_allclose(low, lowest, atol=1.1)
        np.testing.assert_allclose(high, highest, atol=1.1)


def test_elastic_bends_smoothly_and_only_where_drawn():
    found, drawn = some("elastic=0.06@0.5", (40, 64), batch=60)
    on = torch.from_numpy(drawn.on("elastic"))
    assert 15 < on.sum() < 45
    assert not found.displacement[~on].any()
    bent = found.displacement[on]
    assert bent[:, 0].abs().max() < 0.06 * 40
    assert 0.06 * 40 < bent[:, 1].abs().max() < 0.06 * 64  # each axis by its own length
    assert bent.diff(dim=-1).abs().max() < 0.5  # neighbours stay neighbours
    assert (bent.flatten(1).std(1) > 0.2).all()


def test_what_is_no_point_and_no_box():
    found = SpatialMaps(torch.eye(3, dtype=torch.float64).repeat(2, 1, 1), None, (4, 5))
    with pytest.raises(ShapeError) as error:
        found.points(torch.zeros(2, 3))
    assert str(error.value) == "points: (2, 3), expected (batch, number, axes) = (2, number, 2)."
    with pytest.raises(ShapeError) as error:
        found.boxes(torch.zeros(2, 1, 4))
    assert str(error.value) == "boxes: (2, 1, 4), expected (batch, number, 2, axes)."
