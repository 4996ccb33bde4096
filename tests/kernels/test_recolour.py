"""Tables, saturation and hue of bytes, against colorsys, Pillow and plain loops."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance

from lenrek.errors import ShapeError
from lenrek.kernels import library
from lenrek.kernels.recolour import recolour, sum_bytes


def samples(*shape, seed=0):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8))


@pytest.fixture(params=[*library.ISAS, None])
def way(request):
    if request.param is not None and request.param not in library.active().isas:
        pytest.skip(f"no {request.param} kernels here")
    with library.using(request.param):
        yield request.param


@pytest.mark.parametrize("turn", [0.25, -0.4, 0.07, 1.0])
def test_hue_is_colorsys(way, turn):
    x = samples(2, 3, 7, 19)
    x[0, :, 0, :3] = torch.tensor([[0, 255, 90], [0, 255, 90], [0, 255, 90]])  # grey stays grey
    found = recolour(x.clone(), colours=torch.tensor([[1.0, turn], [1.0, 0.0]]))
    assert torch.equal(found[1], x[1])
    for place in np.ndindex(7, 19):
        h, s, v = colorsys.rgb_to_hsv(*(x[(0, slice(None), *place)].numpy() / 255))
        expected = np.array(colorsys.hsv_to_rgb((h + turn) % 1, s, v)) * 255
        assert np.abs(found[(0, slice(None), *place)].numpy() - expected).max() < 0.51


@pytest.mark.parametrize("factor", [0.0, 0.6, 1.7])
def test_saturation_is_pillows(way, factor):
    x = samples(1, 3, 9, 23)
    found = recolour(x.clone(), colours=torch.tensor([[factor, 0.0]]))[0].permute(1, 2, 0).numpy()
    image = Image.fromarray(x[0].permute(1, 2, 0).contiguous().numpy())
    expected = np.asarray(ImageEnhance.Color(image).enhance(factor))
    assert np.abs(found.astype(int) - expected).max() <= 1  # Pillow rounds grey, and cuts off fractions


def test_tables_are_looked_up_before_colours(way):
    x, tables = samples(3, 3, 2300), samples(3, 3, 256, seed=1)
    expected = np.stack([[tables[b, c].numpy()[x[b, c].numpy()] for c in range(3)] for b in range(3)])
    assert np.array_equal(recolour(x.clone(), tables), expected)
    colours = torch.tensor([[0.5, 0.1], [1.0, 0.0], [1.3, 0.9]])
    both = recolour(x.clone(), tables, colours)
    assert torch.equal(both, recolour(torch.from_numpy(expected), colours=colours))
    assert torch.equal(both[2:], recolour(x[2:].clone(), tables[2:], colours[2:]))


def test_ways_agree():
    x = samples(4, 3, 1, 1031)
    colours = torch.tensor([[0.3, 0.2], [1.0, -0.3], [1.9, 0.0], [0.8, 0.5]])
    with library.using(None):
        twin = recolour(x.clone(), colours=colours)
    assert (recolour(x.clone(), colours=colours).int() - twin.int()).abs().max() <= 1


def test_sums_are_exact(way):
    x = torch.full((3, 2, 3_000_001), 255, dtype=torch.uint8)
    x[1, 0, 5] = 0
    assert sum_bytes(x).tolist() == [255 * 6_000_002, 255 * 6_000_001, 255 * 6_000_002]
    assert sum_bytes(samples(2, 5)).tolist() == samples(2, 5).sum(1).tolist()


def test_what_does_not_fit():
    with pytest.raises(ShapeError) as error:
        recolour(samples(2, 1, 4), colours=torch.ones(2, 2))
    assert str(error.value) == "recolour: colours is (2, 2) for x (2, 1, 4), expected (2, 2) and 3 channels."
    with pytest.raises(ShapeError) as error:
        recolour(samples(2, 1, 4), samples(2, 256))
    assert str(error.value) == "recolour: tables is (2, 256), expected (2, 1, 256)."
    with pytest.raises(ShapeError) as error:
        recolour(samples(2, 3, 4).movedim(1, 2))
    assert str(error.value) == "recolour: x is torch.uint8 in strides (12, 1, 4), expected contiguous uint8."
