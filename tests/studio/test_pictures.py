"""Small pictures of samples, read back pixel by pixel."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from lenrek.studio.pictures import thumbnail
from lenrek.studio.session import Session


def pixels_of(content: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(content)))


def test_images_keep_their_proportions_and_their_numbers():
    grey = np.arange(6, dtype=np.uint8).reshape(1, 2, 3) * 10
    np.testing.assert_array_equal(pixels_of(thumbnail(grey, 6)), grey[0].repeat(2, 0).repeat(2, 1))
    colour = np.arange(18, dtype=np.uint8).reshape(3, 2, 3)
    np.testing.assert_array_equal(pixels_of(thumbnail(colour, 3)), colour.transpose(1, 2, 0))
    assert pixels_of(thumbnail(np.zeros((3, 100, 400), np.uint8), 40)).shape == (10, 40, 3)


def test_a_signal_is_drawn_from_its_lowest_to_its_highest_value():
    trace = pixels_of(thumbnail(np.array([[-5, 5, -5, 5]], np.int16), 8))
    grey, opacity = trace[..., 0], trace[..., 1]
    assert (trace.shape, set(grey.ravel()), set(opacity.ravel())) == ((4, 8, 2), {128}, {0, 255})
    assert [np.flatnonzero(column).tolist() for column in opacity.T[:4]] == [[3], [0], [3], [0]]


@pytest.fixture(scope="module")
def voxels(tmp_path_factory):
    """Two volumes of 0 and 1 in a file, of unequal sides."""
    x = np.zeros((8, 5, 6, 7), np.uint8)
    x[:, 2, 1:3, 4] = 1
    file = tmp_path_factory.mktemp("data") / "voxels.npz"
    np.savez(file, x=x, y=np.arange(8) % 2)
    return file


def test_voxels_of_0_and_1_are_seen(serve, voxels):
    with serve(Session("resnet9", str(voxels))).client() as client:
        found = client.get("/api/samples/picture", params={"sample": "data-0", "side": 32})
    picture = pixels_of(found.content)
    assert set(np.unique(picture)) == {0, 255}
    # The next studio at this address may have other samples.
    assert found.headers["cache-control"] == "no-cache"
